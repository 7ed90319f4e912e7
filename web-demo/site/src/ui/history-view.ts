import { compositionWords, BUILTIN } from "../app/compositions.ts";
import type { Captures } from "../app/captures.ts";
import { KIND_ORDER, KINDS } from "../model/device.ts";
import { instanceOf } from "../model/instances.ts";
import { CLASSES, CLASS_WORDS } from "../model/watcher.ts";
import type { Entry, Sight } from "../server/captured.ts";
import type { AppState } from "../state/app.ts";
import { h, setText } from "./dom.ts";
import { fieldWords, maskWords, valueWords, withNames } from "./sentence.ts";
import { clock } from "./time.ts";

const REASONS: Readonly<Record<string, string>> = {
  publish: "published", refresh: "published the same again", remove: "took its state back", expire: "was not heard of in time", register: "registered",
  timer: "The time came that the policy waited for", policy: "Another policy, or other parameters",
};

const SERVED: Readonly<Record<string, string>> = {
  builtin: "The built-in merge stood in for it.", last_good: "Its last good answer stood in for it.", minimal: "Open or closed was all that was shown.",
};

/** What the server kept of the last hours, where somebody has asked it to: newest first. */
export class HistoryView {
  readonly element: HTMLElement;
  readonly #words = h("p", { class: "hint" });
  readonly #begin: HTMLButtonElement;
  readonly #end: HTMLButtonElement;
  readonly #word = h("p", { class: "word is-bad", role: "status" });
  readonly #list = h("ol", { class: "trace kept", reversed: true });
  #shown: readonly Entry[] = [];

  constructor(private readonly captures: Captures) {
    this.#begin = h("button", { type: "button", class: "quiet", onclick: () => void captures.begin() }, "Capture Alice for an hour");
    this.#end = h("button", { type: "button", class: "quiet", onclick: () => void captures.end() }, "Stop, and forget it");
    this.element = h("div", {}, this.#words, h("div", { class: "row buttons" }, this.#begin, this.#end), this.#word, this.#list);
  }

  update({ kept, keptWord, server }: AppState): void {
    const up = server.phase === "up";
    setText(this.#words, up ? (kept === null ? "" : words(kept)) : "A server can keep what policies were asked and answered. This page has none now.");
    this.#begin.hidden = !up || kept === null || !kept.allowed || kept.capture !== null;
    this.#end.hidden = !up || kept === null || kept.capture === null;
    setText(this.#word, keptWord);
    this.#render(kept?.entries ?? []);
  }

  /** Only what is new is put there: what a person has opened stays open. */
  #render(entries: readonly Entry[]): void {
    if (entries === this.#shown) return;
    if (entries[0]?.seq !== this.#shown[0]?.seq || entries.length < this.#shown.length) {
      this.#list.replaceChildren();
      this.#shown = [];
    }
    for (const entry of entries.slice(this.#shown.length)) this.#list.prepend(this.#row(entry));
    this.#shown = entries;
  }

  #row(entry: Entry): HTMLElement {
    const seen = sights(entry);
    const change = entry.failure === null ? (seen.some(({ sight }) => sight.changed) ? (seen.flatMap(({ sight }) => differences(sight))[0] ?? "changed") : "nothing changed for watchers") : `failed (${entry.failure.code})`;
    return h("li", {}, h("details", {},
      h("summary", {},
        h("span", { class: "number hint" }, clock(entry.at)),
        h("span", {}, why(entry)),
        h("span", { class: entry.failure === null ? "kept-line" : "kept-line is-bad" }, change)),
      h("div", { class: "kept-more" },
        h("p", { class: "hint" }, `Decided by ${by(entry)}`),
        entry.masked === null ? null : h("p", { class: "hint" }, maskWords(entry.masked)),
        ...seen.map(({ who, sight }) => h("div", {}, ...sightLines(who, sight))),
        h("button", { type: "button", class: "quiet small", onclick: () => void this.captures.keep(entry) }, "Use as a test"))));
  }
}

function words({ allowed, capture, entries }: NonNullable<AppState["kept"]>): string {
  const is = "Notes are kept as letters of the same length, without positions and addresses, for a day at most.";
  if (capture !== null && capture.until > Date.now()) return `Alice is captured until ${clock(capture.until).slice(0, 5)}: each change with what the policy was asked and answered. ${is}${entries.length === 0 ? " Nothing has changed yet." : ""}`;
  if (capture !== null) return `The capture has ended; what it kept is here. ${is}`;
  if (!allowed) return "This server keeps no history: policies.capture in its configuration allows it, for those who were told.";
  return `Nothing is kept of what Alice’s watchers saw. You can have the server keep it for an hour, if she is asked: it is personal data. ${is}`;
}

const why = ({ device, reason }: Entry) => {
  const words = REASONS[reason] ?? reason;
  return /^[A-Z]/.test(words) ? words : `${deviceWords(device)} ${words}`;
};

/** This page's devices by their names, others by their software. */
function deviceWords(device: Entry["device"]): string {
  if (device === null) return "A device";
  const kind = KIND_ORDER.find((kind) => device.key.includes(instanceOf(kind)));
  return kind !== undefined ? KINDS[kind].name : device.agent || "A device";
}

/** What differs, but for the times at which it was said: those differ each time. */
function differences({ what }: Sight): readonly string[] {
  const rest = what.filter((line) => !/timestamp_ms: /.test(line));
  return (rest.length > 0 ? rest : what).map(differenceWords);
}

/** "Activity: Working → On the phone" of "person/activities: ["working"] → ["on-the-phone"]". */
function differenceWords(line: string): string {
  const [, place, before, after] = /^(\S+): (.*) → (.*)$/s.exec(line) ?? [];
  if (place === undefined || before === undefined || after === undefined) return line;
  const part = { tuples: "way to reach her", devices: "device" }[/^(tuples|devices)\/[^/]+$/.exec(place)?.[1] ?? ""];
  if (part !== undefined && (before === "nothing" || after === "nothing")) return before === "nothing" ? `One ${part} more` : `One ${part} less`;
  return `${fieldWords(place)}: ${ofJson(place, before)} → ${ofJson(place, after)}`;
}

function ofJson(place: string, text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const items = (Array.isArray(value) ? value : [value]).map((item: unknown) => (typeof item === "string" ? item : JSON.stringify(item)));
    return valueWords(place, items.join(" "));
  } catch {
    return valueWords(place, text.replace(/^"/, "")); // "nothing", or a long value that was cut
  }
}

const by = ({ by, generation }: Entry) => `${by === "" ? `the ${compositionWords(BUILTIN).toLowerCase()}` : by}${generation === null ? "" : `, generation ${generation}`}`;

/** What each class of watchers saw, or all of them. */
function sights(entry: Entry): readonly { readonly who: string; readonly sight: Sight }[] {
  if (entry.views.length === 0) return [{ who: "", sight: entry }];
  return entry.views.map((sight) => ({ who: classWords(sight.class), sight }));
}

function classWords(name: string): string {
  const known = CLASSES.find((one) => one === name);
  return known === undefined ? name : CLASS_WORDS[known];
}

function sightLines(who: string, sight: Sight): Node[] {
  const { explain, failure, changed } = sight;
  const lines = differences(sight);
  return [
    ...(who === "" ? [] : [h("p", { class: "label" }, `Seen by: ${who}`)]),
    ...(failure === null ? [] : [h("p", { class: "is-bad" }, `It failed: ${failure.message} (${failure.code}). ${SERVED[failure.served] ?? ""}`)]),
    ...explain.map((line) => h("p", {}, `“${withNames(line)}”`)),
    lines.length === 0 ? h("p", { class: "hint" }, changed ? "Shown for the first time." : "As before.") : h("ul", { class: "kept-what" }, ...lines.map((line) => h("li", {}, line))),
  ];
}
