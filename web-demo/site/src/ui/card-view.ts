import type { ExplainedField, Presence } from "../engine/types.ts";
import { activityWords } from "../model/device.ts";
import type { App, AppState } from "../state/app.ts";
import { fill, h, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { mark } from "./mark.ts";
import { leaf, origin, sentence, shortContact } from "./sentence.ts";
import type { Shown } from "./shown.ts";

type Availability = "open" | "busy" | "away" | "closed" | "none";

const BUSY = new Set(["on-the-phone", "meeting", "busy", "presentation", "appointment", "performance", "do-not-disturb", "x-dnd", "dnd", "steering"]);
const AWAY = new Set(["away", "meal", "breakfast", "dinner", "in-transit", "vacation", "holiday", "sleeping", "travel", "permanent-absence", "shopping", "worship"]);

/** Alice as a messenger would show her to Bob, each fact carrying the mark of where it came from. */
export class CardView {
  /** Face, name and status: shown above every tab. */
  readonly head: HTMLElement;
  readonly face: HTMLElement;
  readonly element = h("div");
  readonly #badge = h("span", { class: "face-badge" });
  readonly #name = h("p", { class: "contact-name" }, "Alice");
  readonly #status = h("div", { class: "contact-status" });
  readonly #facts = h("div", { class: "facts" });
  readonly #reach = h("ul", { class: "reach" });
  readonly #reachTitle = h("h3", { class: "label" }, "Ways to reach her");
  readonly #why = h("p", { class: "because", "aria-live": "polite" });
  #held: string | null = null;

  constructor(private readonly app: App) {
    this.face = h("span", { class: "face", "aria-hidden": "true" }, "A", this.#badge);
    this.head = h("div", { class: "contact" }, this.face, h("div", { class: "contact-words" }, this.#name, this.#status));
    this.element.append(this.#facts, this.#why, this.#reachTitle, this.#reach);
    this.element.addEventListener("pointerleave", () => this.#light(null));
  }

  update(state: AppState, what: Shown): void {
    const presence = what.presence;
    const availability = availabilityOf(presence);
    this.face.dataset["is"] = availability;
    this.#badge.dataset["is"] = availability;
    fill(this.#status, this.#statusLine(state, presence, what));
    const said = what.explanation.some((e) => e.etag !== "");
    const empty = presence === null || !said || (presence.tuples.length === 0 && presence.person === null && presence.notes.length === 0);
    fill(this.#facts, ...(empty ? [emptyWords(state)] : this.#factList(state, presence, what)));
    this.#reachTitle.hidden = empty || presence.tuples.length === 0;
    fill(this.#reach, ...(presence?.tuples ?? []).map((t) => {
      const field = tupleField(what, t.id, "contact") ?? tupleField(what, t.id, "");
      const from = field === null ? null : origin(state, field.etag, field.device, field.rule);
      const q = t.priorityMilli === null ? "" : (t.priorityMilli / 1000).toFixed(1);
      const words = t.basic === "open" ? "Open" : t.basic === "closed" ? "Closed" : "No state";
      return h("li", { class: t.basic === "open" ? "" : "is-closed", "data-etag": field?.etag ?? "" },
        from === null ? null : mark(from.kind, from.name),
        h("span", { class: "reach-name", title: t.contact ?? "no contact" }, from?.name ?? t.id, from?.kind == null && h("span", { class: "hint" }, ` ${shortContact(t.contact ?? "no contact")}`)),
        h("span", { class: "reach-state" }, words), h("span", { class: "number hint" }, q === "" ? "" : `priority ${q}`));
    }));
    for (const item of this.#reach.querySelectorAll<HTMLElement>("li")) item.onpointerenter = () => this.app.set({ lit: item.dataset["etag"] || null });
    const held = this.#held === null ? null : what.explanation.find((e) => e.path === this.#held) ?? null;
    const about = held ?? headline(what);
    setText(this.#why, about === null ? "" : sentence(state, about));
    this.#why.hidden = about === null;
  }

  #statusLine(state: AppState, presence: Presence | null, what: Shown): Node {
    const words = statusWords(presence);
    const field = find(what, /(^|\/)activities$/) ?? find(what, /basic$/);
    return this.#fact(state, field, "status", words);
  }

  #factList(state: AppState, presence: Presence, what: Shown): Node[] {
    const facts: Node[] = [];
    const notes = [...(presence.person?.notes ?? []), ...presence.notes];
    const noteFields = what.explanation.filter((e) => /note/.test(leaf(e.path)));
    notes.forEach((note, i) => {
      const field = noteFields.find((f) => f.value === note.text) ?? noteFields[i] ?? null;
      facts.push(this.#fact(state, field, "note", `“${note.text}”`));
    });
    const input = presence.person?.userInput;
    if (input !== null && input !== undefined) facts.push(this.#fact(state, find(what, /user.?input$/), "input", input === "idle" ? "Not at the keys" : "At the keys"));
    return facts;
  }

  /** A value with its mark. Hover, focus or tap lights its stream and says why it is there. */
  #fact(state: AppState, field: ExplainedField | null, name: string, words: string): HTMLElement {
    const from = field === null ? null : origin(state, field.etag, field.device, field.rule);
    const show = () => this.#light(field);
    return h("button", { type: "button", class: `fact fact-${name}`, "data-etag": field?.etag ?? "", "data-path": field?.path ?? "", onpointerenter: show, onfocus: show, onclick: show, onblur: () => this.#light(null), onpointerleave: () => this.#light(null) },
      h("span", {}, words), from === null ? null : mark(from.kind, from.name));
  }

  #light(field: ExplainedField | null): void {
    this.#held = field?.path ?? null;
    this.app.set({ lit: field?.etag ?? null });
  }
}

function emptyWords(state: AppState): Node {
  const words = state.engine === "failed"
    ? "The page’s merge engine did not load. Reload the page; its wasm files belong beside it in engine/."
    : state.pinned !== null ? "Nothing was live at this moment." : state.devices.some((d) => d.on) ? "Bob sees nothing yet. Her devices are connecting." : "Bob sees nothing yet. Turn a device on.";
  return h("p", { class: "empty" }, icon("person"), words);
}

function availabilityOf(presence: Presence | null): Availability {
  if (presence === null || presence.tuples.length === 0) return "none";
  if (!presence.tuples.some((t) => t.basic === "open")) return "closed";
  const activities = presence.person?.activities ?? [];
  if (activities.some((a) => BUSY.has(a))) return "busy";
  if (activities.some((a) => AWAY.has(a))) return "away";
  return presence.person?.userInput === "idle" ? "away" : "open";
}

function statusWords(presence: Presence | null): string {
  const availability = availabilityOf(presence);
  if (availability === "none") return "Nothing known";
  const activities = presence?.person?.activities.map(activityWords).join(", ") ?? "";
  if (availability === "closed") return activities === "" ? "Offline" : `Offline · ${activities}`;
  if (activities !== "") return activities;
  return availability === "away" ? "Idle" : "Available";
}

const find = (what: Shown, path: RegExp) => what.explanation.find((e) => path.test(e.path)) ?? null;
const tupleField = (what: Shown, id: string, name: string) => what.explanation.find((e) => e.path.startsWith("tuple") && e.path.includes(id) && e.path.endsWith(name)) ?? null;

/** The explanation most worth a sentence: one that beat something, activities before the rest. */
function headline(what: Shown): ExplainedField | null {
  return find(what, /(^|\/)activities$/) ?? what.explanation.find((e) => e.beat.length > 0) ?? null;
}
