import { BUILTIN, COMPOSITIONS, compositionWords } from "../app/compositions.ts";
import { decides, type InForce } from "../app/in-force.ts";
import { isInForce, type Policies } from "../app/policies.ts";
import type { Tests } from "../app/tests.ts";
import type { App, AppState } from "../state/app.ts";
import { IN_FORCE, SCRIPT } from "../state/fragment.ts";
import { CheckResult } from "./check-result.ts";
import { fill, h, setText } from "./dom.ts";
import { DropZone } from "./drop-zone.ts";
import { fuelMeter } from "./fuel-meter.ts";
import { icon } from "./icons.ts";
import { InForcePanel } from "./in-force-panel.ts";
import { ParamsEditor } from "./params-editor.ts";
import { preview } from "./preview.ts";
import { ScriptEditor } from "./script-editor.ts";
import { SeenBy } from "./seen-by.ts";
import { TestsPanel } from "./tests-panel.ts";
import { ZonePicker } from "./zone-picker.ts";

/** Region 2: where the streams meet. What decides there, and below it what may be tried and put in its place. */
export class ConfluencePanel {
  readonly element: HTMLElement;
  /** Where the drawing lets the streams join. */
  readonly bed: HTMLElement;
  readonly #title = h("span");
  readonly #inForce: InForcePanel;
  readonly #pick: HTMLSelectElement;
  readonly #standing = h("p", { class: "standing", id: "standing", role: "status" });
  readonly #summary = h("p", { class: "summary" });
  readonly #check = new CheckResult();
  readonly #params: ParamsEditor;
  readonly #zone: ZonePicker;
  readonly #preview = h("div", { class: "preview" });
  readonly #activate: HTMLButtonElement;
  readonly #word = h("p", { class: "word", role: "status" });
  readonly #meter = h("div", { class: "meter" });
  readonly #editor: ScriptEditor;
  readonly #seenBy: SeenBy;
  readonly #tests: TestsPanel;
  #listed = "";

  constructor(app: App, private readonly policies: Policies, inForce: InForce, tests: Tests) {
    this.#editor = new ScriptEditor(policies);
    this.#inForce = new InForcePanel(app, policies, inForce);
    this.#params = new ParamsEditor(policies);
    this.#zone = new ZonePicker(app);
    this.#seenBy = new SeenBy(app);
    this.#tests = new TestsPanel(tests);
    this.bed = h("div", { class: "bed" }, h("p", { class: "bed-name" }, icon("merge"), this.#title));
    this.#pick = h("select", { id: "policy", "aria-describedby": "standing", onchange: () => void policies.choose(this.#pick.value) });
    const drop = new DropZone((files) => {
      const policy = files.find((file) => !isTest(file));
      if (policy !== undefined) void policies.takeFile(policy);
      const vectors = files.filter(isTest);
      if (vectors.length > 0) void tests.take(vectors);
    });
    this.#activate = h("button", { type: "button", class: "primary", onclick: () => void policies.activate() }, "Activate");
    this.element = h(
      "section", { class: "region confluence", "aria-labelledby": "confluence-title" },
      h("h2", { id: "confluence-title" }, "Confluence"),
      h("div", { class: "panel" },
        this.bed,
        h("div", { class: "panel-body" },
          this.#inForce.element,
          h("label", { for: "policy", class: "label" }, "Look at a policy"),
          this.#pick, this.#summary, this.#editor.element, drop.element, this.#check.element, this.#params.element, this.#standing,
          h("div", { class: "row buttons" }, this.#activate), this.#word, this.#zone.element, this.#seenBy.element, this.#preview, this.#tests.element, this.#meter,
        ),
      ),
    );
  }

  update(state: AppState): void {
    const { active, choice, server, paramsErrors, busy } = state;
    this.#list(state);
    setText(this.#title, active === null || active.held === null ? compositionWords(active?.name ?? BUILTIN) : decides(active));
    this.bed.classList.toggle("has-policy", active !== null);
    const usable = choice.source === "builtin" || (choice.bytes !== null && state.report?.errors.length === 0 && state.trial.kind !== "refused");
    this.#inForce.update(state, usable && paramsErrors.length === 0);
    this.#activate.hidden = !usable || isInForce(state);
    this.#activate.disabled = busy || paramsErrors.length > 0 || state.trial.kind === "typed";
    const verb = choice.source === "builtin" ? "Activate for Alice" : choice.source === "in-force" ? "Activate with these parameters" : "Upload and activate for Alice";
    setText(this.#activate, server.phase === "up" ? verb : "Use in this page");
    setText(this.#standing, standing(state, usable));
    setText(this.#summary, this.#words(state));
    this.#check.update(state);
    this.#params.update(state);
    this.#zone.update(state);
    this.#editor.update(state);
    this.#seenBy.update(state);
    fill(this.#preview, ...preview(state));
    this.#word.classList.toggle("is-bad", state.policyWord?.ok === false);
    setText(this.#word, state.policyWord?.text ?? "");
    this.#tests.update(state);
    fill(this.#meter, ...fuelMeter(state));
  }

  #list({ choice, active }: AppState): void {
    const { shipped } = this.policies;
    const running = active !== null && active.held !== null ? active.name : "";
    const own = choice.source === "file" ? `${choice.name}, from ${choice.fileName}` : "";
    const listed = [shipped.length, running, own].join("\n");
    if (listed !== this.#listed) {
      this.#listed = listed;
      const group = (label: string, options: readonly (readonly [value: string, words: string])[]) =>
        options.length === 0 ? "" : h("optgroup", { label }, ...options.map(([value, words]) => h("option", { value }, words)));
      this.#pick.replaceChildren(
        group("In force", running === "" ? [] : [[IN_FORCE, running]]),
        group("Built in", COMPOSITIONS.map(([name, words]) => [name, words])),
        group("Shipped with Tributary", shipped.map(({ name }) => [name, name])),
        group("Yours", [[SCRIPT, "Write one in JavaScript"]]),
        group("Your file", own === "" ? [] : [[FILE, own]]),
      );
    }
    this.#pick.value = choice.source === "file" ? FILE : choice.source === "script" ? SCRIPT : choice.source === "in-force" ? IN_FORCE : choice.name;
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

const isTest = (file: File) => /\.json$/i.test(file.name);

/** How what is looked at stands to what is in force, so that neither is taken for the other. */
function standing(state: AppState, usable: boolean): string {
  const { active, choice, paramsErrors, report } = state;
  if (choice.source !== "builtin" && report === null) return "";
  if (isInForce(state)) return choice.source === "builtin" ? "This is what decides now." : "This is what decides now, with these parameters.";
  const goesOn = `${decides(active)} until you activate it.`;
  if (!usable) return `It cannot be activated. ${decides(active)}.`;
  return paramsErrors.length > 0 ? "It cannot be activated with these parameters." : `Only looked at here. ${goesOn}`;
}
