import type { Tests } from "../app/tests.ts";
import type { AppState, PolicyTest } from "../state/app.ts";
import { fill, h, setText } from "./dom.ts";
import { icon } from "./icons.ts";

/** The author's tests, and the case on show kept as one of them. */
export class TestsPanel {
  readonly element: HTMLElement;
  readonly #name = h("input", { type: "text", id: "test-name", maxlength: 120, placeholder: "What this case shows", autocomplete: "off" });
  readonly #keep: HTMLFormElement;
  readonly #sum = h("p", { class: "label", role: "status" });
  readonly #list = h("ul", { class: "tests" });

  constructor(private readonly tests: Tests) {
    this.#keep = h(
      "form", { class: "row keep", onsubmit: (event: SubmitEvent) => (event.preventDefault(), void this.#save()) },
      h("label", { for: "test-name", class: "unseen" }, "Name of the test"), this.#name, h("button", { type: "submit", class: "quiet" }, "Save as test"),
    );
    this.element = h("div", { class: "tests-panel" }, this.#sum, this.#list, this.#keep);
  }

  update({ tests, choice, preview }: AppState): void {
    this.#keep.hidden = choice.bytes === null || (preview.kind !== "done" && preview.kind !== "failed");
    this.#sum.hidden = tests.length === 0;
    setText(this.#sum, sum(tests, choice.bytes !== null));
    fill(this.#list, ...tests.map((test) => this.#row(test)));
  }

  #row(test: PolicyTest): HTMLElement {
    const { name, verdict } = test;
    const [state, words] = verdict.kind === "holds" ? ["is-good", "holds"] : verdict.kind === "fails" ? ["is-bad", "fails"] : ["", "not run"];
    return h(
      "li", { class: `test ${state}` },
      h("p", { class: "row" }, icon(verdict.kind === "holds" ? "check" : verdict.kind === "fails" ? "warning" : "file"), h("span", { class: "test-name" }, name), h("span", { class: "unseen" }, ` ${words}`),
        h("button", { type: "button", class: "bare", "aria-label": `Forget the test ${name}`, onclick: () => this.tests.forget(test) }, icon("remove"))),
      verdict.kind === "fails" && h("p", { class: "hint" }, verdict.message),
    );
  }

  async #save(): Promise<void> {
    const vector = await this.tests.keep(this.#name.value.trim() || "what Bob sees");
    if (vector === null) return;
    this.#name.value = "";
    const address = URL.createObjectURL(new Blob([vector.bytes], { type: "application/json" }));
    h("a", { href: address, download: vector.file }).click();
    // The download has begun with the click, and keeps what it needs.
    URL.revokeObjectURL(address);
  }
}

function sum(tests: readonly PolicyTest[], chosen: boolean): string {
  const [holds, fails] = (["holds", "fails"] as const).map((kind) => tests.filter(({ verdict }) => verdict.kind === kind).length);
  if (!chosen) return `${tests.length} ${tests.length === 1 ? "test waits" : "tests wait"} for a policy: choose one above`;
  return `Tests: ${holds} hold, ${fails} fail`;
}
