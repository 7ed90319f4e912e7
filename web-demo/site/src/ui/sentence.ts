import type { ExplainedField, Mask } from "../engine/types.ts";
import { activityWords, KIND_ORDER, KINDS, type DeviceKind } from "../model/device.ts";
import { instanceOf } from "../model/instances.ts";
import { kindOfEtag } from "../model/live-set.ts";
import type { AppState } from "../state/app.ts";
import { CLASS_WORDS } from "../model/watcher.ts";
import { clock } from "./time.ts";

/** Which card a value came from, and what to call its device. A policy's own values have no publication. */
export function origin(state: AppState, etag: string, device: string, rule = ""): { kind: DeviceKind | "policy" | null; name: string } {
  if (etag === "" && (rule === "policy" || rule === "view")) return { kind: "policy", name: state.active === null ? "the policy" : `the policy ${state.active.name}` };
  if (etag === "" && rule === "mask") return { kind: null, name: "the operator’s mask" };
  const kind = kindOfEtag(state, etag);
  if (kind !== null) return { kind, name: KINDS[kind].name };
  const other = state.live?.publications.find((p) => p.etag === etag);
  return { kind: null, name: other?.user_agent ?? other?.device ?? (device === "" ? "the server" : device) };
}

/** The last step of a path: "person/activities" is about activities. */
export const leaf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** A person's words for a field's name. */
export function fieldWords(path: string): string {
  const known: Record<string, string> = {
    activities: "Activity", basic: "State", contact: "Contact", priority: "Priority", note: "Note", notes: "Note", "user-input": "Input",
    timestamp: "Time", deviceID: "Device id", "device-id": "Device id", status: "State", tuple: "Way to reach her", device: "Device",
  };
  const name = leaf(path).replace(/\[.*\]$/, "");
  return known[name] ?? name.replaceAll("-", " ").replaceAll("_", " ").replace(/^./, (c) => c.toUpperCase());
}

/** A person's words for a field's value. */
export function valueWords(path: string, value: string): string {
  if (value === "") return "nothing";
  if (leaf(path) === "contact") return shortContact(value);
  if (leaf(path) === "user-input") return value === "idle" ? "Not at the keys" : "At the keys";
  return /activit/.test(leaf(path)) ? value.split(/[ ,]+/).map(activityWords).join(", ") : value;
}

/** A contact without what a person need not see. */
export const shortContact = (contact: string) => contact.replace(/^sips?:/, "").replace(/;gr=urn:uuid:[^;]*/i, ";gr=…");

/** "On the phone, from Phone, beats In a meeting from Desktop: newest explicit activity." */
export function sentence(state: AppState, field: ExplainedField): string {
  const from = withTime(state, field.etag, field.device, field.rule);
  const value = valueWords(field.path, field.value);
  if (field.rule === "view" || field.rule === "mask") return viewSentence(state, field);
  const beaten = field.beat.map((b) => `${quote(valueWords(field.path, b.value))} from ${withTime(state, b.etag, b.device)}`);
  const beats = beaten.length === 0 ? "" : `, beats ${beaten.join(" and ")}`;
  return `${quote(value)}, from ${from}${beats}${inBrackets(field)}.`;
}

/** "‘Away’ is what the policy lunch shows Bob of ‘Working, Away’." */
function viewSentence(state: AppState, { path, value, rule, beat: [merged] }: ExplainedField): string {
  const whom = rule === "mask" ? "everybody" : state.seenBy === null ? "Bob" : `a watcher of the class ${CLASS_WORDS[state.seenBy].toLowerCase()}`;
  const of = merged === undefined ? "" : ` of ${quote(valueWords(path, merged.value))}${merged.etag === "" ? "" : ` from ${withTime(state, merged.etag, merged.device)}`}`;
  return `${quote(valueWords(path, value))} is what ${origin(state, "", "", rule).name} shows ${whom}${of}.`;
}

/** Why a value is not what the built-in merge has: "The policy says so itself. Built in: ‘Presenting’ from Desktop 11:58 (newest explicit activity)." */
export function cause(state: AppState, who: string, before: ExplainedField | null, after: ExplainedField | null): string {
  const builtIn = before === null ? "Built in: nothing" : `Built in: ${quote(valueWords(before.path, before.value))} from ${withTime(state, before.etag, before.device)}${inBrackets(before)}`;
  const now = after === null ? `${who} takes this out` : after.etag === "" && (after.rule === "policy" || after.rule === "view") ? `${who} says so itself` : `From ${withTime(state, after.etag, after.device, after.rule)}`;
  return `${now}. ${builtIn}.`;
}

const inBrackets = (field: ExplainedField) => (reasonWords(field) === "" || field.rule === "policy" ? "" : ` (${reasonWords(field)})`);

/** Why, without the value and the devices: the engine ends its sentence with it, in brackets. */
export function reasonWords(field: ExplainedField): string {
  return /\(([^()]*)\)\.?$/.exec(field.reason)?.[1] ?? field.reason;
}

/** "Phone 12:04": the device and when its owner last said something. */
function withTime(state: AppState, etag: string, device: string, rule = ""): string {
  const { kind, name } = origin(state, etag, device, rule);
  const at = kind === null || kind === "policy" ? undefined : state.devices.find((d) => d.kind === kind)?.changed;
  return at === undefined ? name : `${name} ${clock(at).slice(0, 5)}`;
}

const MASKED: Readonly<Record<string, string>> = { geo: "locations", note: "notes", contact: "contacts", person: "all about the person", user_input: "user input" };

/** "The operator’s mask took away: notes." */
export function maskWords({ drop, level }: Mask): string {
  const took = drop.length === 0 ? [] : [`took away: ${drop.map((name) => MASKED[name] ?? name).join(", ")}`];
  const left = level === "full" ? [] : [`left: open or closed${level === "basic" ? "" : ", and busy or away"}`];
  return `The operator’s mask ${[...took, ...left].join("; ")}.`;
}

/** A policy knows devices by their instance ids; a person by their names. */
export function withNames(line: string): string {
  return KIND_ORDER.reduce((text, kind) => text.replaceAll(`urn:uuid:${instanceOf(kind)}`, KINDS[kind].name), line);
}

const quote = (text: string) => `‘${text}’`;
