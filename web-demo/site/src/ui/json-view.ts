import type { AppState } from "../state/app.ts";
import { copyButton } from "./copy-button.ts";
import { h, setText } from "./dom.ts";
import type { Shown } from "./shown.ts";

/** The JSON form: what the API, policies and logs use. */
export class JsonView {
  readonly element: HTMLElement;
  readonly #code = h("code");

  constructor() {
    this.element = h("div", {},
      h("div", { class: "row tools" }, h("span", { class: "hint" }, "The form that the API gives and policies read"), copyButton("the JSON", () => this.#code.textContent ?? "")),
      h("pre", { class: "wire", tabindex: 0, "aria-label": "JSON form" }, this.#code));
  }

  update(_state: AppState, what: Shown): void {
    setText(this.#code, what.presence === null ? "Bob was sent no document." : JSON.stringify(what.presence.raw, null, 2));
  }
}
