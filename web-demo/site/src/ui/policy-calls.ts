import type { AppState, Call } from "../state/app.ts";
import { copyButton } from "./copy-button.ts";
import { fill, h, setText } from "./dom.ts";

const WORDS = { pp_merge: "the merge", pp_view: "the view" } as const;

/** For whoever wrote the policy in force: what it was given here, and what it answered. */
export class PolicyCalls {
  readonly element = h("details", { class: "rest" });
  readonly #title = h("summary");
  readonly #calls = h("div", { class: "calls" });
  #shown: readonly Call[] = [];

  constructor() {
    this.element.append(this.#title, this.#calls);
  }

  update({ inForce, active }: AppState): void {
    const calls = inForce.kind === "done" ? inForce.calls : [];
    this.element.hidden = calls.length === 0;
    setText(this.#title, `What ${active?.name ?? "the policy"} was given and answered`);
    if (calls === this.#shown) return;
    this.#shown = calls;
    fill(this.#calls, ...calls.flatMap(({ hook, input, output }) => [
      ...json(`Given for ${WORDS[hook]}`, `what ${hook} was given`, input),
      ...json(`Answered`, `what ${hook} answered`, output),
    ]));
  }
}

function json(title: string, what: string, text: string | null): Node[] {
  const pretty = text === null ? "no opinion" : JSON.stringify(JSON.parse(text), null, 2);
  return [
    h("div", { class: "row tools" }, h("span", { class: "hint" }, title), text === null ? null : copyButton(what, () => text)),
    h("pre", { class: "wire", tabindex: 0, "aria-label": what }, h("code", {}, pretty)),
  ];
}
