import { COMPOSITIONS, type Policies } from "../app/policies.ts";
import type { Tests } from "../app/tests.ts";
import type { App, AppState } from "../state/app.ts";
import { SCRIPT } from "../state/fragment.ts";
import { CheckResult } from "./check-result.ts";
import { fill, h, setText } from "./dom.ts";
import { DropZone } from "./drop-zone.ts";
import { fuelMeter } from "./fuel-meter.ts";
import { icon } from "./icons.ts";
import { preview } from "./preview.ts";
import { ScriptEditor } from "./script-editor.ts";
import { SeenBy } from "./seen-by.ts";
import { TestsPanel } from "./tests-panel.ts";

/** Region 2: where the streams meet. The policy that decides, and all one can do with one. */
export class ConfluencePanel {
  readonly element: HTMLElement;
  /** Where the drawing lets the streams join. */
  readonly bed: HTMLElement;
  readonly #title = h("span");
  readonly #power: HTMLButtonElement;
  readonly #pick: HTMLSelectElement;
  readonly #summary = h("p", { class: "summary" });
  readonly #check = new CheckResult();
  readonly #preview = h("div", { class: "preview" });
  readonly #activate: HTMLButtonElement;
  readonly #rollback: HTMLButtonElement;
  readonly #word = h("p", { class: "word", role: "status" });
  readonly #meter = h("div", { class: "meter" });
  readonly #editor: ScriptEditor;
  readonly #seenBy: SeenBy;
  readonly #tests: TestsPanel;
  #listed = -1;

  constructor(app: App, private readonly policies: Policies, tests: Tests) {
    this.#editor = new ScriptEditor(policies);
    this.#seenBy = new SeenBy(app);
    this.#tests = new TestsPanel(tests);
    this.#power = h("button", {
      type: "button", role: "switch", class: "switch", "aria-label": "Policy in force", "aria-checked": "false",
      onclick: () => void (app.value.active === null ? policies.activate() : policies.deactivate()),
    }, h("span", { class: "switch-knob" }));
    this.bed = h("div", { class: "bed" }, h("p", { class: "bed-name" }, icon("merge"), this.#title));
    this.#pick = h("select", { id: "policy", onchange: () => void policies.choose(this.#pick.value) });
    const drop = new DropZone((files) => {
      const policy = files.find((file) => !isTest(file));
      if (policy !== undefined) void policies.takeFile(policy);
      const vectors = files.filter(isTest);
      if (vectors.length > 0) void tests.take(vectors);
    });
    this.#activate = h("button", { type: "button", class: "primary", onclick: () => void policies.activate() }, "Activate");
    this.#rollback = h("button", { type: "button", class: "quiet", onclick: () => void policies.rollback() }, "Roll back");
    this.element = h(
      "section", { class: "region confluence", "aria-labelledby": "confluence-title" },
      h("h2", { id: "confluence-title" }, "Confluence"),
      h("div", { class: "panel" },
        this.bed,
        h("div", { class: "panel-body" },
          h("div", { class: "row" }, h("label", { for: "policy", class: "label" }, "Policy"), h("span", { class: "switch-words", "aria-hidden": "true" }, "in force"), this.#power),
          this.#pick, this.#summary, this.#editor.element, drop.element, this.#check.element,
          h("div", { class: "row buttons" }, this.#activate, this.#rollback), this.#word, this.#seenBy.element, this.#preview, this.#tests.element, this.#meter,
        ),
      ),
    );
  }

  update(state: AppState): void {
    const { active, choice, server, report, busy } = state;
    this.#list(state);
    setText(this.#title, inForce(active));
    this.bed.classList.toggle("has-policy", active !== null);
    const usable = choice.source === "builtin" ? choice.name !== "compose" : choice.bytes !== null && report !== null && report.errors.length === 0;
    this.#power.setAttribute("aria-checked", String(active !== null));
    this.#power.disabled = busy || (active === null && !usable);
    const already = active !== null && active.name === choice.name;
    this.#activate.hidden = !usable || already;
    this.#activate.disabled = busy;
    const verb = choice.source === "builtin" ? "Activate for Alice" : "Upload and activate for Alice";
    setText(this.#activate, server.phase === "up" ? verb : "Use in this page");
    this.#rollback.hidden = active?.where !== "server" || server.phase !== "up";
    this.#rollback.disabled = busy;
    setText(this.#summary, this.#words(state));
    this.#check.update(state);
    this.#editor.update(state);
    this.#seenBy.update(state);
    fill(this.#preview, ...preview(state));
    this.#word.classList.toggle("is-bad", state.policyWord?.ok === false);
    setText(this.#word, state.policyWord?.text ?? "");
    this.#tests.update(state);
    fill(this.#meter, ...fuelMeter(state));
  }

  #list(state: AppState): void {
    const { shipped } = this.policies;
    const size = shipped.length + (state.choice.source === "file" ? 1000 : 0);
    if (size !== this.#listed) {
      this.#listed = size;
      this.#pick.replaceChildren(h("optgroup", { label: "Built in" }, ...COMPOSITIONS.map(([name, words]) => h("option", { value: name }, words))));
      if (shipped.length > 0) this.#pick.append(h("optgroup", { label: "Shipped with Tributary" }, ...shipped.map((p) => h("option", { value: p.name }, p.name))));
      this.#pick.append(h("optgroup", { label: "Yours" }, h("option", { value: SCRIPT }, "Write one in JavaScript")));
      if (state.choice.source === "file") this.#pick.append(h("optgroup", { label: "Your file" }, h("option", { value: FILE }, "")));
    }
    const own = this.#pick.querySelector('optgroup[label="Your file"] option');
    if (own !== null) setText(own, `${state.choice.name}.${isModule(state.choice.file) ? "wasm" : "js"}`);
    this.#pick.value = state.choice.source === "file" ? FILE : state.choice.source === "script" ? SCRIPT : state.choice.name;
  }

  #words(state: AppState): string {
    const { choice, report } = state;
    if (choice.source === "builtin") return COMPOSITIONS.find(([name]) => name === choice.name)?.[2] ?? "";
    const summary = report?.summary || this.policies.shipped.find((p) => p.name === choice.name)?.summary || "";
    return summary === "" || /[.!?]$/.test(summary) ? summary : `${summary}.`;
  }
}

/** The value of the option that stands for a dropped file; no policy can have this name. */
const FILE = "\u0000file";

const isModule = (file: Uint8Array | null) => file?.[0] === 0;

const isTest = (file: File) => /\.json$/i.test(file.name);

function inForce(active: AppState["active"]): string {
  if (active === null) return "Built-in merge";
  return active.source === "policy" ? `${active.name} decides` : (COMPOSITIONS.find(([name]) => name === active.name)?.[1] ?? active.name);
}
