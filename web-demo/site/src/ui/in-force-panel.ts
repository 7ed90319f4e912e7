import { assignedTo, ownAssignment, type InForce } from "../app/in-force.ts";
import { compositionWords, BUILTIN } from "../app/compositions.ts";
import { isInForce, type Policies } from "../app/policies.ts";
import { sameJson } from "../model/json.ts";
import type { Assigned } from "../server/api.ts";
import type { App, AppState } from "../state/app.ts";
import { fill, h, setText } from "./dom.ts";

/** What decides now, apart from what is only tried: whose assignment it is, its parameters, the way back. */
export class InForcePanel {
  readonly element: HTMLElement;
  readonly #power: HTMLButtonElement;
  readonly #what = h("p", { class: "decides" });
  readonly #params = h("p", { class: "hint" });
  readonly #back: HTMLButtonElement;

  constructor(app: App, policies: Policies, inForce: InForce) {
    this.#power = h("button", {
      type: "button", role: "switch", class: "switch", "aria-label": "Policy in force", "aria-checked": "false",
      onclick: () => void (app.value.active === null ? policies.activate() : inForce.switchOff()),
    }, h("span", { class: "switch-knob" }));
    this.#back = h("button", { type: "button", class: "quiet", onclick: () => void inForce.rollBack() });
    this.element = h("div", { class: "in-force" },
      h("div", { class: "row" }, h("span", { class: "label" }, "In force for Alice"), this.#power),
      this.#what, this.#params, h("div", { class: "row buttons" }, this.#back));
  }

  update(state: AppState, usable: boolean): void {
    const { active, busy, server } = state;
    this.#power.setAttribute("aria-checked", String(active !== null));
    this.#power.disabled = busy || (active === null && (!usable || isInForce(state)));
    const to = assignedTo(state);
    fill(this.#what, h("strong", {}, active === null ? compositionWords(BUILTIN) : active.held === null ? compositionWords(active.name) : active.name), to === "" ? "" : `, ${to}`);
    const has = active !== null && active.held !== null && !sameJson(active.params, {});
    this.#params.hidden = !has;
    fill(this.#params, ...(has ? ["Its parameters: ", h("code", {}, JSON.stringify(active.params))] : []));
    const own = ownAssignment(state);
    this.#back.hidden = active?.where === "page" || server.phase !== "up" || (own?.inForce ?? own?.candidate ?? null) === null;
    this.#back.disabled = busy;
    setText(this.#back, own?.candidate != null ? `End the trial of ${assignedWords(own.candidate)}` : own?.earlier == null ? "Take it back" : `Roll back to ${assignedWords(own.earlier)}`);
  }
}

function assignedWords({ policy, builtIn }: Assigned): string {
  return policy?.name ?? compositionWords(builtIn ?? BUILTIN);
}
