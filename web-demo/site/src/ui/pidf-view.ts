import type { AppState } from "../state/app.ts";
import { copyButton } from "./copy-button.ts";
import { fill, h, setText } from "./dom.ts";
import type { Shown } from "./shown.ts";
import { colourXml, indentXml } from "./xml-text.ts";

/** The document on the wire: set out for reading, or its raw bytes. */
export class PidfView {
  readonly element: HTMLElement;
  readonly #size = h("span", { class: "hint number" });
  readonly #raw: HTMLInputElement;
  readonly #code = h("code");
  #pidf = "";
  #shown = "";

  constructor() {
    this.#raw = h("input", { type: "checkbox", id: "pidf-raw", onchange: () => this.#render() });
    this.element = h("div", {},
      h("div", { class: "row tools" }, h("span", { class: "tick" }, this.#raw, h("label", { for: "pidf-raw" }, "Raw bytes")), this.#size, copyButton("the document", () => this.#pidf)),
      h("pre", { class: "wire", tabindex: 0, "aria-label": "PIDF document" }, this.#code));
  }

  update(_state: AppState, what: Shown): void {
    this.#pidf = what.pidf;
    this.#render();
  }

  #render(): void {
    const bytes = new TextEncoder().encode(this.#pidf).length;
    setText(this.#size, `${bytes.toLocaleString("en")} bytes`);
    const text = this.#raw.checked ? this.#pidf : indentXml(this.#pidf);
    if (text === this.#shown) return;
    this.#shown = text;
    fill(this.#code, ...(text === "" ? ["Bob was sent no document."] : colourXml(text)));
  }
}
