import type { App, AppState } from "../state/app.ts";
import type { ExplainedField } from "../engine/types.ts";
import { fill, h, setText } from "./dom.ts";
import { mark } from "./mark.ts";
import { fieldWords, leaf, maskWords, origin, reasonWords, valueWords, withNames } from "./sentence.ts";
import { PolicyCalls } from "./policy-calls.ts";
import type { Shown } from "./shown.ts";

/** Why each value is what it is: its device, the rule that chose it, what it beat. */
export class WhyView {
  readonly element = h("div");
  readonly #decidedTitle = h("h3", { class: "label" });
  readonly #list = h("ol", { class: "why" });
  readonly #rest = h("details", { class: "rest" });
  readonly #restTitle = h("summary");
  readonly #restList = h("ol", { class: "why" });
  readonly #mask = h("p", { class: "hint" });
  readonly #calls = new PolicyCalls();
  readonly #empty = h("p", { class: "empty" }, "There is nothing to explain: no device publishes.");

  constructor(private readonly app: App) {
    this.#rest.append(this.#restTitle, this.#restList);
    this.element.append(this.#decidedTitle, this.#list, this.#rest, this.#mask, this.#calls.element, this.#empty);
    this.element.addEventListener("pointerleave", () => this.app.set({ lit: null }));
  }

  update(state: AppState, what: Shown): void {
    this.#empty.hidden = what.explanation.length > 0;
    this.#mask.hidden = what.masked === null;
    setText(this.#mask, what.masked === null ? "" : maskWords(what.masked));
    this.#calls.update(state);
    const entries = [...what.explanation].sort((a, b) => rank(a.path) - rank(b.path));
    const decided = entries.filter((e) => e.beat.length > 0 || ["policy", "view", "mask"].includes(e.rule));
    const plain = entries.filter((e) => !decided.includes(e));
    this.#decidedTitle.hidden = this.#empty.hidden === false;
    setText(this.#decidedTitle, decided.length === 0 ? "Nothing had to be decided: the devices do not contradict each other." : "Decided between devices");
    this.#rest.hidden = plain.length === 0;
    setText(this.#restTitle, `${plain.length} values that nobody contradicts`);
    this.#show(state, this.#list, decided);
    this.#show(state, this.#restList, plain);
  }

  #show(state: AppState, list: HTMLElement, entries: readonly ExplainedField[]): void {
    fill(list, ...entries.map((field) => {
      const from = origin(state, field.etag, field.device, field.rule);
      if (field.path === "policy") return h("li", { class: "why-entry" }, h("p", { class: "why-head" }, mark(from.kind, from.name), `“${withNames(reasonWords(field))}”`));
      const beaten = field.beat.map((b) => {
        const loser = origin(state, b.etag, b.device, field.rule);
        return h("li", {}, mark(loser.kind, loser.name), h("s", {}, valueWords(field.path, b.value)));
      });
      return h("li", { class: "why-entry", tabindex: 0, "data-etag": field.etag },
        h("p", { class: "why-head" }, mark(from.kind, from.name), h("span", { class: "hint" }, fieldWords(field.path)), h("strong", {}, valueWords(field.path, field.value))),
        h("p", { class: "why-reason" }, reason(field), h("code", { class: "rule" }, field.rule)),
        beaten.length === 0 ? null : h("div", { class: "beaten" }, h("span", {}, field.rule === "view" || field.rule === "mask" ? "out of" : "beats"), h("ul", {}, ...beaten)));
    }));
    for (const item of list.querySelectorAll<HTMLElement>(".why-entry")) {
      const light = () => this.app.set({ lit: item.dataset["etag"] || null });
      item.onpointerenter = light;
      item.onfocus = light;
      item.onblur = () => this.app.set({ lit: null });
    }
  }
}

/** "by newest explicit activity": the rule's own name follows, so words that say no more than it are left out. */
function reason(field: ExplainedField): string {
  const words = reasonWords(field);
  return words === field.rule ? "by " : `by ${words} `;
}

function rank(path: string): number {
  const order = ["activities", "note", "user-input", "basic", "contact"];
  const at = order.indexOf(leaf(path));
  return at < 0 ? order.length : at;
}
