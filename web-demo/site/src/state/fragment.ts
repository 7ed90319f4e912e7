import { ACTIVITIES, KIND_ORDER, newDevice, type Device, type DeviceKind } from "../model/device.ts";
import { CLASSES, type WatcherClass } from "../model/watcher.ts";
import { readJson, sameJson } from "../model/json.ts";
import { isZone } from "../model/wall-clock.ts";
import type { AppState, Tab, Theme } from "./app.ts";

/** What a link to the page carries: enough to show a colleague the same case. */
export interface Case {
  readonly devices: readonly Device[];
  readonly tab: Tab;
  readonly theme: Theme;
  /** The chosen policy: "" for the built-in merge, else a shipped policy's or a built-in composition's name, or SCRIPT. */
  readonly policy: string;
  /** The chosen policy's parameters, JSON; "" for those that it comes with. */
  readonly params: string;
  readonly pinned: number | null;
  readonly moved: boolean;
  readonly zone: string | null;
  readonly seenBy: WatcherClass | null;
  /** The script in the editor, if it is the policy and a link can hold it. */
  readonly script: string;
}

/** The policy in the editor; no shipped policy has this name. */
export const SCRIPT = "script";
/** The policy in force, which a person may choose to look at; no policy has this name, and no link carries it. */
export const IN_FORCE = "\u0000in-force";
/** The longest parameters that a policy may have, in characters. */
const PARAMS_MAX = 4096;
/** The longest script that a link carries, in characters: twenty lines many times over. */
const SCRIPT_MAX = 8192;
/** No date is later, ms since the epoch. */
const LAST_MOMENT = 8.64e15;
const TABS: readonly string[] = ["card", "why", "history", "pidf", "json", "sip"];
const THEMES: readonly string[] = ["system", "light", "dark"];
const TOKENS = new Set(ACTIVITIES.map(([token]) => token));
const NOTE_MAX = 140;

/**
 * Reads a fragment such as `#phone=on.open.meeting.800.active.60&phone.note=Back+soon&tab=why`: the last
 * number says how many seconds ago the owner set it.
 * Whatever is missing or not understood has its default: a link never fails.
 */
export function readFragment(hash: string, now: number): Case {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  const devices: Device[] = [];
  for (const kind of KIND_ORDER) {
    const text = params.get(kind);
    if (text !== null) devices.push(readDevice(kind, text, params.get(`${kind}.note`) ?? "", now));
  }
  const moved = params.has("when");
  const pinned = Number(params.get("when") ?? params.get("at") ?? NaN);
  const zone = params.get("tz") ?? "";
  return {
    devices: devices.length > 0 ? devices : firstVisit(now),
    tab: (TABS.includes(params.get("tab") ?? "") ? params.get("tab") : "card") as Tab,
    theme: (THEMES.includes(params.get("theme") ?? "") ? params.get("theme") : "system") as Theme,
    policy: /^[a-z0-9-]{1,64}$/.test(params.get("policy") ?? "") ? (params.get("policy") ?? "") : "",
    params: (params.get("params") ?? "").slice(0, PARAMS_MAX),
    pinned: Number.isSafeInteger(pinned) && pinned > 0 && pinned < LAST_MOMENT ? pinned : null,
    moved,
    zone: isZone(zone) ? zone : null,
    script: (params.get("js") ?? "").slice(0, SCRIPT_MAX),
    seenBy: CLASSES.find((name) => name === params.get("as")) ?? null,
  };
}

/** The fragment of the present state; a dropped file is not part of it, what stands in the editor is. */
export function writeFragment(state: AppState): string {
  const params = new URLSearchParams();
  for (const d of state.devices) {
    params.set(d.kind, [d.on ? "on" : "off", d.open ? "open" : "closed", d.activity || "none", d.priority, d.idle ? "idle" : "active", Math.max(0, Math.round((Date.now() - d.changed) / 1000))].join("."));
    if (d.note !== "") params.set(`${d.kind}.note`, d.note);
  }
  if (state.tab !== "card") params.set("tab", state.tab);
  if (state.theme !== "system") params.set("theme", state.theme);
  if (state.choice.source === "shipped" || (state.choice.source === "builtin" && state.choice.name !== "compose")) params.set("policy", state.choice.name);
  if (state.choice.source === "script") {
    params.set("policy", SCRIPT);
    if (state.script.length <= SCRIPT_MAX) params.set("js", state.script);
  }
  if (state.seenBy !== null) params.set("as", state.seenBy);
  if (params.has("policy") && !sameJson(readJson(state.params), state.choice.params)) params.set("params", state.params);
  if (state.pinned !== null) params.set(state.moved ? "when" : "at", String(state.pinned));
  if (state.zone !== null) params.set("tz", state.zone);
  return `#${params}`;
}

function readDevice(kind: DeviceKind, text: string, note: string, now: number): Device {
  const [on, open, activity = "", priority, idle, age] = text.split(".");
  const milli = Number(priority ?? 500);
  return {
    ...newDevice(kind, now),
    on: on !== "off",
    open: open !== "closed",
    activity: TOKENS.has(activity) ? activity : "",
    note: note.slice(0, NOTE_MAX),
    priority: Number.isFinite(milli) ? Math.min(1000, Math.max(0, Math.round(milli))) : 500,
    idle: idle === "idle",
    // Who spoke last decides much, so a link carries the ages; where it does not, earlier cards are newer.
    changed: now - (/^\d{1,7}$/.test(age ?? "") ? Number(age) : KIND_ORDER.indexOf(kind)) * 1000,
  };
}

/** Three devices, no conflict yet: the first change a person makes shows what the merge is for. */
function firstVisit(now: number): Device[] {
  return [
    { ...newDevice("desktop", now - 240_000), activity: "working", priority: 800 },
    { ...newDevice("phone", now - 120_000), priority: 500 },
    { ...newDevice("web", now - 900_000), priority: 200, idle: true },
  ];
}
