import type { Policies } from "../app/policies.ts";
import type { AppState } from "../state/app.ts";
import { h } from "./dom.ts";

/** A policy in JavaScript, written here: each pause in typing checks it and shows what it makes of the case. */
export class ScriptEditor {
  readonly element: HTMLElement;
  readonly #text: HTMLTextAreaElement;
  readonly #save: HTMLButtonElement;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(policies: Policies) {
    this.#text = h("textarea", {
      id: "script", rows: 16, spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", "aria-describedby": "script-hint",
      oninput: () => {
        policies.typing();
        clearTimeout(this.#pause);
        this.#pause = setTimeout(() => void policies.write(this.#text.value), PAUSE_MS);
      },
    });
    this.#save = h("button", { type: "button", class: "quiet", onclick: () => this.#download() }, "Save as policy.js");
    this.element = h(
      "div", { class: "editor", hidden: true },
      h("label", { for: "script", class: "label" }, "policy.js"), this.#text,
      h("p", { class: "hint", id: "script-hint" }, "Plain JavaScript, without imports: ", h("code", {}, "merge(input)"), " gives what Alice shows, or null for what the built-in merge says. It has no clock; ", h("code", {}, "input.now_ms"), " is the time."),
      h("div", { class: "row" }, this.#save),
    );
  }

  update({ choice, script }: AppState): void {
    this.element.hidden = choice.source !== "script";
    if (this.#text.value !== script && document.activeElement !== this.#text) this.#text.value = script;
  }

  #download(): void {
    const address = URL.createObjectURL(new Blob([this.#text.value], { type: "text/javascript" }));
    h("a", { href: address, download: "policy.js" }).click();
    // The download has begun with the click, and keeps what it needs.
    URL.revokeObjectURL(address);
  }
}

const PAUSE_MS = 300;
