import type { Fuel } from "../policy/worker.ts";
import type { AppState } from "../state/app.ts";
import { h } from "./dom.ts";

/**
 * What policies cost, in the fuel of the contract. The page has each policy count its own, so what it shows of the
 * case is what the server's engine would count; the server's own figures are of all the calls that it made.
 */
export function fuelMeter({ active, policies, preview, inForce, choice }: AppState): Node[] {
  const out: Node[] = [];
  const shown = choice.bytes === null ? inForce : preview;
  if (shown.kind === "done" && shown.fuel !== null) out.push(...meter(shown.fuel));
  const known = active === null ? undefined : policies?.policies.find((p) => p.id === active.id);
  if (known === undefined) return out;
  const average = known.calls === 0 ? "" : `, ${number(Math.round(known.fuel / known.calls))} fuel on average`;
  const failures = known.failures === 0 ? "none failed" : `${number(known.failures)} failed; last: ${known.lastFailure ?? "unknown"}`;
  out.push(h("p", { class: "hint" }, `The server has run ${active?.name} ${known.calls === 1 ? "once" : `${number(known.calls)} times`}${average}; ${failures}.`));
  return out;
}

function meter({ used, allowed }: Fuel): Node[] {
  return [
    h("p", { class: "label", id: "fuel-label" }, "Fuel for this case"),
    h("meter", { "aria-labelledby": "fuel-label", min: 0, max: allowed, value: used }),
    h("p", { class: "hint number" }, `${number(used)} of ${number(allowed)} (${((used / allowed) * 100).toFixed(1)} %)`),
  ];
}

const number = (value: number) => value.toLocaleString("en");
