import type { LiveSet, Merged } from "../engine/types.ts";
import type { Device, DeviceKind } from "../model/device.ts";
import { OF_HER_DOMAIN, type Watcher, type WatcherClass } from "../model/watcher.ts";
import type { Finding, Report } from "../policy/report.ts";
import type { VectorFile } from "../policy/vectors.ts";
import type { Fuel, Hook } from "../policy/worker.ts";
import type { ServerPolicies } from "../server/api.ts";
import type { History } from "../server/captured.ts";
import type { Link } from "../sip/device-link.ts";
import type { Notified } from "../sip/watcher.ts";
import { Store } from "./store.ts";

/** A document of this page that counts in the merge. */
export interface Published {
  readonly pidf: string;
  readonly etag: string;
  readonly at: number;
  readonly first: number;
  readonly expires: number;
  /** Who gave the entity-tag: the server answered 200, or the page is alone. */
  readonly by: "server" | "page";
}

/** The server as the page knows it. "none": this page was opened without one. */
export interface Server {
  readonly phase: "looking" | "up" | "gone";
  /** It is there, but no demo that lets the page in: gone, as far as the page goes. */
  readonly closed: boolean;
  readonly domain: string;
  readonly wsUrl: string;
  readonly token: string;
}

/** What comparing the page's bytes with the server's found. */
export type Agreement =
  | { readonly kind: "alone" | "pinned" | "waiting" | "checking" }
  | { readonly kind: "agree"; readonly bytes: number; readonly own: number; readonly others: number; readonly at: number }
  | { readonly kind: "differ"; readonly offset: number; readonly page: string; readonly server: string };

/** A policy to look at: as a person chose it, or, until somebody chooses, what is in force. */
export interface Choice {
  /** "script" is the one in the editor. */
  readonly source: "builtin" | "shipped" | "file" | "script" | "in-force";
  /** What the policy calls itself, or else the file's name; a built-in composition's name. */
  readonly name: string;
  /** What a dropped file is called; "" for what is none. */
  readonly fileName: string;
  /** What is uploaded: a module or a script. */
  readonly file: Uint8Array<ArrayBuffer> | null;
  /** The module that runs: the file, or what was made of it; null for a script that does not pass. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
  /** The parameters that it comes with. */
  readonly params: unknown;
}

/** What the server says of the chosen policy: it tries each on samples of its own before it takes it. "typed": there is more in the editor than was checked. */
export type Trial =
  | { readonly kind: "none" | "typed" | "asked" | "taken" }
  | { readonly kind: "refused"; readonly errors: readonly Finding[] };

/** What a policy made of the case on show. */
export interface Outcome {
  readonly kind: "done";
  /** As those see it whom the page looks as. */
  readonly merged: Merged;
  readonly opinion: boolean;
  /** Whether watchers of different classes may see different things. */
  readonly views: boolean;
  /** Of the merge, or, where the policy makes views, of the view on show. */
  readonly fuel: Fuel | null;
  readonly log: readonly string[];
  readonly explain: readonly string[];
  /** Each call: what the policy was given, and what it answered. */
  readonly calls: readonly Call[];
}

/** A policy gave no answer that can be used. */
export interface Failure {
  readonly kind: "failed";
  readonly code: string;
  readonly message: string;
  /** What stands in for it: what the built-in merge has, or open or closed and nothing else. */
  readonly merged: Merged;
  readonly minimal: boolean;
  readonly views: boolean;
}

/** One call of a policy, its JSON as it was. */
export interface Call {
  readonly hook: Hook;
  readonly input: string;
  /** null for "no opinion". */
  readonly output: string | null;
}

export type Preview =
  | { readonly kind: "none" }
  | { readonly kind: "running" }
  | Outcome
  | Failure;

/** Whether the chosen policy does what a test expects; "waiting": there is none yet. */
export type Verdict = { readonly kind: "waiting" | "holds" } | { readonly kind: "fails"; readonly message: string };

/** One of the author's tests. */
export interface PolicyTest {
  readonly name: string;
  readonly vector: VectorFile;
  readonly verdict: Verdict;
}

export type Tab = "card" | "why" | "history" | "pidf" | "json" | "sip";
export type Theme = "system" | "light" | "dark";

/** A policy's file with what the check made of it. */
export interface Held {
  readonly file: Uint8Array<ArrayBuffer>;
  readonly module: Uint8Array<ArrayBuffer>;
  readonly report: Report;
}

/** What is in force instead of the default merge: on the server, or, when the page is alone, in the page. */
export interface ActivePolicy {
  /** The policy's SHA-256 in hex; "" for a built-in composition, or when the page is alone. */
  readonly id: string;
  readonly name: string;
  readonly where: "server" | "page";
  /** null for a built-in composition. */
  readonly held: Held | null;
  readonly params: unknown;
}

export interface AppState {
  readonly devices: readonly Device[];
  readonly links: Readonly<Partial<Record<DeviceKind, Link>>>;
  readonly published: Readonly<Partial<Record<DeviceKind, Published>>>;
  readonly server: Server;
  /** The server's live set, for what the page cannot know: other devices, receipt times. */
  readonly live: LiveSet | null;
  readonly notified: Notified | null;
  readonly watching: boolean;
  /** The page's built-in merge of its live set, at `pinned` or now. */
  readonly builtin: Merged | null;
  /** The page's result: the built-in merge, or what the active policy made of it. */
  readonly merged: Merged | null;
  readonly engine: "loading" | "ready" | "failed";
  readonly agreement: Agreement;
  /** The time the in-page merge is made for, null for now. */
  readonly pinned: number | null;
  /** Whether all that is live was moved to that time with it, and not left to expire on the way. */
  readonly moved: boolean;
  /** The time zone of Alice's clock, if not the server's. */
  readonly zone: string | null;
  readonly choice: Choice;
  /** The parameters that the choice is tried with: JSON, as it was typed. */
  readonly params: string;
  /** What is wrong with them. */
  readonly paramsErrors: readonly Finding[];
  readonly trial: Trial;
  /** What stands in the editor. */
  readonly script: string;
  /** What Bob is to Alice. */
  readonly bob: Watcher;
  /** As whom to look; null for Bob, as he is. */
  readonly seenBy: WatcherClass | null;
  readonly report: Report | null;
  readonly preview: Preview;
  readonly active: ActivePolicy | null;
  /** How the page's own run of the policy in force went. */
  readonly inForce: Preview;
  readonly policies: ServerPolicies | null;
  readonly tests: readonly PolicyTest[];
  /** What the server has kept of Alice; null before it was asked. */
  readonly kept: History | null;
  /** Why the last step with that went wrong. */
  readonly keptWord: string;
  /** A sentence on the last step taken with a policy, and whether it went well. */
  readonly policyWord: { readonly ok: boolean; readonly text: string } | null;
  readonly busy: boolean;
  /** The server has another build of the page than the one on show. */
  readonly newer: boolean;
  readonly tab: Tab;
  readonly theme: Theme;
  /** The publication whose stream stands out now, by entity-tag. */
  readonly lit: string | null;
}

export type App = Store<AppState>;

export function makeApp(initial: Pick<AppState, "devices" | "tab" | "theme" | "pinned" | "moved" | "zone" | "choice" | "script" | "seenBy">): App {
  return new Store<AppState>({
    ...initial,
    bob: OF_HER_DOMAIN,
    links: {},
    published: {},
    server: { phase: "looking", closed: false, domain: "example.com", wsUrl: "", token: "" },
    live: null,
    notified: null,
    watching: false,
    builtin: null,
    merged: null,
    engine: "loading",
    agreement: { kind: "waiting" },
    params: "{}",
    paramsErrors: [],
    trial: { kind: "none" },
    report: null,
    preview: { kind: "none" },
    active: null,
    inForce: { kind: "none" },
    policies: null,
    tests: [],
    kept: null,
    keptWord: "",
    policyWord: null,
    busy: false,
    newer: false,
    lit: null,
  });
}
