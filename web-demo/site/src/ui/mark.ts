import { KINDS, type DeviceKind } from "../model/device.ts";
import { h } from "./dom.ts";
import { icon } from "./icons.ts";

/** The small mark of where a value came from: a device's letter in its colour, or a dot for anything else. */
export function mark(kind: DeviceKind | "policy" | null, name = ""): HTMLElement {
  if (kind === "policy") return h("span", { class: "mark mark-policy", title: name }, icon("merge"), h("span", { class: "unseen" }, name));
  if (kind === null) return h("span", { class: "mark mark-other", title: name || "another device" }, h("span", { "aria-hidden": "true" }, "·"), h("span", { class: "unseen" }, name || "another device"));
  const traits = KINDS[kind];
  return h("span", { class: `mark dev-${kind}`, title: traits.name }, h("span", { "aria-hidden": "true" }, traits.letter), h("span", { class: "unseen" }, traits.name));
}
