import type { ExplainedField, Mask, Presence, PresenceNote, PresencePerson, PresenceTuple } from "./types.ts";

type Json = Record<string, unknown>;
const object = (v: unknown): Json => (typeof v === "object" && v !== null && !Array.isArray(v) ? (v as Json) : {});
const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);
const text = (v: unknown): string | null => (typeof v === "string" ? v : null);
const integer = (v: unknown): number | null => (typeof v === "number" ? v : null);

/** Reads the JSON form of presence; a member that is missing or of another type counts as absent. */
export function readPresence(value: unknown): Presence {
  const json = object(value);
  const person = json["person"];
  return {
    raw: value,
    entity: text(json["entity"]) ?? "",
    tuples: list(json["tuples"]).map(readTuple),
    person: person == null ? null : readPerson(object(person)),
    notes: readNotes(json["note"] ?? json["notes"]),
  };
}

function readTuple(value: unknown): PresenceTuple {
  const json = object(value);
  return {
    id: text(json["id"]) ?? "",
    basic: text(json["basic"]),
    contact: text(json["contact"]),
    priorityMilli: integer(json["priority_milli"]),
    timestamp: integer(json["timestamp_ms"]),
    notes: readNotes(json["note"]),
  };
}

function readPerson(json: Json): PresencePerson {
  return {
    id: text(json["id"]) ?? "",
    activities: list(json["activities"]).filter((a): a is string => typeof a === "string"),
    notes: readNotes(json["note"]),
    userInput: text(json["user_input"]),
    timestamp: integer(json["timestamp_ms"]),
  };
}

function readNotes(value: unknown): PresenceNote[] {
  return list(value).map((v) => {
    if (typeof v === "string") return { lang: null, text: v };
    const json = object(v);
    return { lang: text(json["lang"]), text: text(json["text"]) ?? "" };
  });
}

/** Reads what a mask took away, or null. */
export function readMask(value: unknown): Mask | null {
  if (value == null) return null;
  const json = object(value);
  return { drop: list(json["drop"]).map(String), level: text(json["level"]) ?? "full" };
}

/** Reads an explanation: an array of entries, or an object that holds one. */
export function readExplanation(value: unknown): ExplainedField[] {
  const entries = Array.isArray(value) ? value : list(object(value)["entries"]);
  return entries.map((v) => {
    const json = object(v);
    return {
      path: text(json["path"]) ?? "",
      value: text(json["value"]) ?? "",
      etag: text(json["etag"]) ?? "",
      device: text(json["device"]) ?? "",
      rule: text(json["rule"]) ?? "",
      reason: text(json["reason"]) ?? "",
      beat: list(json["beat"]).map((b) => {
        const beaten = object(b);
        return { value: text(beaten["value"]) ?? "", etag: text(beaten["etag"]) ?? "", device: text(beaten["device"]) ?? "" };
      }),
    };
  });
}
