import type { AppState, Preview } from "../state/app.ts";
import { h } from "./dom.ts";

/** What the contract lets one call use: a base, and so much a byte of its input. */
const FUEL_BASE = 2_000_000;
const FUEL_PER_BYTE = 128;

/**
 * What policies cost. Fuel is the server's count: a browser has none, so of the page's own run there is only the
 * time. The server's figure is an average over all its calls; the allowance beside it is that of the present input.
 */
export function fuelMeter(state: AppState): Node[] {
  const { active, policies, preview, inForce } = state;
  const out: Node[] = [];
  if (preview.kind === "done" && state.choice.bytes !== null) out.push(h("p", { class: "hint" }, ownRun(preview)));
  const known = active === null ? undefined : policies?.policies.find((p) => p.id === active.id);
  if (known === undefined) return out;
  const calls = `${number(known.calls)} ${known.calls === 1 ? "call" : "calls"}`;
  if (known.calls > 0 && inForce.kind === "done") {
    const fuel = Math.round(known.fuel / known.calls);
    const allowed = FUEL_BASE + FUEL_PER_BYTE * inForce.inputBytes;
    out.push(
      h("p", { class: "label", id: "fuel-label" }, `Fuel on the server, average of ${calls}`),
      h("meter", { "aria-labelledby": "fuel-label", min: 0, max: allowed, value: Math.min(allowed, fuel) }),
      h("p", { class: "hint number" }, `${number(fuel)} of the ${number(allowed)} that a call on this input may use (${((fuel / allowed) * 100).toFixed(1)} %)`),
    );
  }
  const failures = known.failures === 0 ? "none failed" : `${number(known.failures)} failed; last: ${known.lastFailure ?? "unknown"}`;
  out.push(h("p", { class: "hint" }, `The server has run it ${known.calls === 1 ? "once" : `${number(known.calls)} times`}; ${failures}.`));
  return out;
}

function ownRun({ micros, inputBytes }: Preview & { kind: "done" }): string {
  const time = micros < 100 ? "under 0.1 ms" : `${(micros / 1000).toFixed(1)} ms`;
  return `This preview, run in the page: ${time} for ${number(inputBytes)} bytes of input. A browser counts no fuel.`;
}

const number = (value: number) => value.toLocaleString("en");
