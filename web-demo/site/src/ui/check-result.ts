import type { Finding } from "../policy/report.ts";
import type { AppState, Preview, Trial } from "../state/app.ts";
import { fill, h } from "./dom.ts";
import { icon } from "./icons.ts";

/** What the static check found: all errors at once, each with its code, place and fix. */
export class CheckResult {
  readonly element = h("div", { class: "check", role: "status" });

  update(state: AppState): void {
    const { report, choice, trial, preview } = state;
    if (report === null || choice.file === null) return fill(this.element);
    const size = `${(choice.file.length / 1024).toFixed(1)} KiB`;
    const refused = trial.kind === "refused" ? trial.errors : [];
    const errors = report.errors.length > 0 ? report.errors : refused;
    const warnings = report.warnings.map((w) => finding(w, "is-warning"));
    if (errors.length === 0) {
      const facts = [size, report.abi === null ? "" : `ABI ${report.abi}`, report.hooks.join(", ")].filter(Boolean).join(" · ");
      const [kind, words] = verdict(trial, preview);
      return fill(this.element, h("p", { class: `verdict ${kind}` }, icon(kind === "is-good" ? "check" : kind === "is-open" ? "clock" : "warning"), h("strong", {}, words), h("span", { class: "hint" }, facts)), ...warnings);
    }
    const count = `${errors.length} ${errors.length === 1 ? "error" : "errors"}`;
    const words = errors === refused ? `The server would refuse ${choice.name}: ${count}` : `${choice.name} cannot be used: ${count}`;
    fill(
      this.element,
      h("p", { class: "verdict is-bad" }, icon("warning"), h("strong", {}, words), h("span", { class: "hint" }, size)),
      h("ol", { class: "findings" }, ...errors.map((e) => h("li", {}, finding(e, "")))),
      ...warnings,
    );
  }
}

/** Of a file with nothing wrong in it: what is known of how it does. */
function verdict(trial: Trial, preview: Preview): readonly [kind: string, words: string] {
  if (trial.kind === "typed") return ["is-open", "Not checked yet"];
  if (trial.kind === "asked") return ["is-open", "The file is well formed; the server is trying it"];
  if (preview.kind === "failed") return ["is-bad", "The file is well formed, but it gives no answer to this case"];
  return ["is-good", trial.kind === "taken" ? "Passes the check, and the server’s trial" : "Passes the check"];
}

/** What was found, with its place and what to do. */
export function finding(f: Finding, extra: string): HTMLElement {
  return h(
    "div", { class: `finding ${extra}` },
    h("p", { class: "finding-head" }, h("strong", { class: "code" }, f.code), h("code", {}, f.place)),
    h("p", {}, sentence(f.message)),
    f.fix === "" ? null : h("p", { class: "fix" }, sentence(f.fix)),
  );
}

/** The checks word their messages as fragments; here they stand as sentences. */
function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
