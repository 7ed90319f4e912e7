import type { Finding } from "../policy/report.ts";
import type { AppState } from "../state/app.ts";
import { fill, h } from "./dom.ts";
import { icon } from "./icons.ts";

/** What the static check found: all errors at once, each with its code, place and fix. */
export class CheckResult {
  readonly element = h("div", { class: "check", role: "status" });

  update(state: AppState): void {
    const { report, choice } = state;
    if (report === null || choice.file === null) return fill(this.element);
    const size = `${(choice.file.length / 1024).toFixed(1)} KiB`;
    const warnings = report.warnings.map((w) => finding(w, "is-warning"));
    if (report.errors.length === 0) {
      const facts = [size, report.abi === null ? "" : `ABI ${report.abi}`, report.hooks.join(", ")].filter(Boolean).join(" · ");
      return fill(this.element, h("p", { class: "verdict is-good" }, icon("check"), h("strong", {}, "Passes the check"), h("span", { class: "hint" }, facts)), ...warnings);
    }
    const count = report.errors.length;
    fill(
      this.element,
      h("p", { class: "verdict is-bad" }, icon("warning"), h("strong", {}, `${choice.name} cannot be used: ${count} ${count === 1 ? "error" : "errors"}`), h("span", { class: "hint" }, size)),
      h("ol", { class: "findings" }, ...report.errors.map((e) => h("li", {}, finding(e, "")))),
      ...warnings,
    );
  }
}

function finding(f: Finding, extra: string): HTMLElement {
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
