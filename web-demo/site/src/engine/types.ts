/** The live set as one JSON value: what the server's API gives and what the in-page merge takes. */
export interface LiveSet {
  readonly aor: string;
  readonly domain: string;
  readonly tenant: string;
  readonly groups: readonly string[];
  readonly locale: string | null;
  readonly now_ms: number;
  readonly composition: string;
  readonly switches: Readonly<Record<string, boolean>>;
  readonly publications: readonly LivePublication[];
  /** What the operator takes away of whatever is merged. */
  readonly mask?: Mask | null;
  /** The time zone of the presentity’s clock, as the server has it. */
  readonly time_zone?: string | null;
  readonly registrations: readonly unknown[];
  readonly dialogs: readonly unknown[];
}

export interface LivePublication {
  readonly etag: string;
  readonly source: string;
  readonly device: string;
  readonly device_kind: string | null;
  /** What a person calls the device; only explanations use it. */
  readonly label?: string | null;
  readonly instance: string | null;
  readonly user_agent: string | null;
  readonly received_ms: number;
  readonly first_ms: number;
  readonly expires_ms: number;
  readonly pidf: string;
}

/** Why a field of the result has its value. */
export interface ExplainedField {
  /** "person/activities", "tuple/d-service/contact", ... */
  readonly path: string;
  readonly value: string;
  readonly etag: string;
  readonly device: string;
  readonly rule: string;
  readonly reason: string;
  readonly beat: readonly { readonly value: string; readonly etag: string; readonly device: string }[];
}

/** What the operator lets nobody see, or what that took away of a document. */
export interface Mask {
  readonly drop: readonly string[];
  /** How much of the rest is left. */
  readonly level: string;
}

/** A merge's result. */
export interface Merged {
  readonly pidf: string;
  readonly presence: Presence;
  readonly explanation: readonly ExplainedField[];
  /** What the operator's mask took away; null where it took nothing. */
  readonly masked: Mask | null;
}

/** The JSON form of a presence document, as far as the page reads it. */
export interface Presence {
  /** The JSON as it came, for the JSON view. */
  readonly raw: unknown;
  readonly entity: string;
  readonly tuples: readonly PresenceTuple[];
  readonly person: PresencePerson | null;
  readonly notes: readonly PresenceNote[];
}

export interface PresenceTuple {
  readonly id: string;
  readonly basic: string | null;
  readonly contact: string | null;
  readonly priorityMilli: number | null;
  readonly timestamp: number | null;
  readonly notes: readonly PresenceNote[];
}

export interface PresencePerson {
  readonly id: string;
  readonly activities: readonly string[];
  readonly notes: readonly PresenceNote[];
  readonly userInput: string | null;
  readonly timestamp: number | null;
}

export interface PresenceNote {
  readonly lang: string | null;
  readonly text: string;
}
