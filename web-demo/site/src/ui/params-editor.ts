import type { Policies } from "../app/policies.ts";
import type { AppState } from "../state/app.ts";
import { finding } from "./check-result.ts";
import { fill, h, setText } from "./dom.ts";

/** The parameters that the chosen policy is tried with, and activated with. */
export class ParamsEditor {
  readonly element: HTMLElement;
  readonly #text: HTMLTextAreaElement;
  readonly #errors = h("div", { class: "check", role: "status" });
  readonly #schema = h("details", { class: "rest", hidden: true });
  readonly #members = h("pre", { class: "wire", tabindex: 0, "aria-label": "What the parameters may be" }, h("code"));

  constructor(policies: Policies) {
    this.#text = h("textarea", {
      id: "params", rows: 2, spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-describedby": "params-hint",
      oninput: () => void policies.setParams(this.#text.value),
    });
    this.#schema.append(h("summary", {}, "What they may be"), this.#members);
    this.element = h(
      "div", { class: "editor", hidden: true },
      h("label", { for: "params", class: "label" }, "Parameters"), this.#text,
      h("p", { class: "hint", id: "params-hint" }, "A JSON object, ", h("code", {}, "input.params"), " to the policy. What you see here and what you activate has them."),
      this.#errors, this.#schema,
    );
  }

  update({ choice, report, params, paramsErrors }: AppState): void {
    this.element.hidden = choice.bytes === null || report === null || report.errors.length > 0;
    if (this.#text.value !== params) this.#text.value = params;
    this.#text.setAttribute("aria-invalid", String(paramsErrors.length > 0));
    fill(this.#errors, ...paramsErrors.map((error) => finding(error, "")));
    const schema = report?.paramsSchema ?? null;
    this.#schema.hidden = schema === null;
    if (schema !== null) setText(this.#members.firstElementChild!, JSON.stringify(schema, null, 2));
  }
}
