import { compositionWords } from "../app/compositions.ts";
import type { ExplainedField, Merged, PresenceTuple } from "../engine/types.ts";
import { activityWords } from "../model/device.ts";
import type { AppState } from "../state/app.ts";
import { h } from "./dom.ts";
import { cause, withNames } from "./sentence.ts";

/** What the chosen policy would change, beside what the built-in merge says, and why. */
export function preview(state: AppState): Node[] {
  const { preview, builtin, choice } = state;
  if (preview.kind === "none" || (choice.bytes === null && choice.source !== "builtin")) return [];
  if (preview.kind === "running") return [h("p", { class: "hint" }, "Running the policy on what is live.")];
  if (preview.kind === "failed")
    return [h("div", { class: "finding" }, h("p", {}, h("strong", { class: "code" }, preview.code), " The policy gave no answer"), h("p", {}, preview.message), h("p", { class: "fix" }, preview.minimal
      ? "It is there to hide things, so where it fails Bob is shown whether Alice is there and nothing else. The server does the same, and counts the failure."
      : "Where a policy in force fails like this, the built-in merge answers instead, and the failure is counted."))];
  const [before, after] = [rows(builtin), rows(preview.merged)];
  const reasons = builtin === null ? [] : differences(state, builtin, preview.merged);
  const table = h(
    "table", { class: "compare" },
    h("caption", { class: "unseen" }, "Built-in merge beside the policy"),
    h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col" }, "Built-in"), h("th", { scope: "col" }, choice.source === "builtin" ? compositionWords(choice.name) : choice.name))),
    h("tbody", {}, ...after.flatMap(([name, value], i) => {
      const old = before[i]?.[1] ?? "";
      if (old === value) return [h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, old), h("td", {}, value))];
      const row = h("tr", { class: "is-changed" }, h("th", { scope: "row" }, name), h("td", {}, old), h("td", {}, value, h("span", { class: "unseen" }, " (changed)")));
      const reason = reasons[i] ?? "";
      return reason === "" ? [row] : [row, h("tr", { class: "difference" }, h("td"), h("td", { colspan: 2 }, reason))];
    })),
  );
  const lines = [...preview.explain, ...preview.log].map(withNames);
  return [
    table,
    !preview.opinion ? h("p", { class: "hint" }, "No opinion on this: the built-in merge stands.") : null,
    lines.length > 0 ? h("div", { class: "says" }, h("p", { class: "label" }, "The policy’s own words"), h("ul", {}, ...lines.map((l) => h("li", {}, l)))) : null,
  ].filter((e) => e !== null);
}

function rows(merged: Merged | null): [string, string][] {
  const presence = merged?.presence;
  const first = presence?.tuples[0];
  return [
    ["State", first?.basic ?? "nothing"],
    ["Activity", presence?.person?.activities.map(activityWords).join(", ") || "none"],
    ["Note", [...(presence?.person?.notes ?? []), ...(presence?.notes ?? [])].map((note) => note.text).join(" · ") || "none"],
    ["Reach first", first === undefined ? "nobody" : first.contact === null ? "not shown" : deviceOf(first.id)],
    ["Ways to reach", String(presence?.tuples.length ?? 0)],
  ];
}

/** For each of the rows, why it is not what the built-in merge has; read where it is not. */
function differences(state: AppState, builtin: Merged, merged: Merged): string[] {
  const [before, after] = [builtin.presence.tuples, merged.presence.tuples];
  const who = state.choice.source === "builtin" ? "This merge" : "The policy";
  const say = (...paths: string[]) => cause(state, who, find(builtin, paths), find(merged, paths));
  const names = (tuples: readonly PresenceTuple[]) => tuples.map(({ id }) => deviceOf(id)).join(", ");
  const gone = before.filter(({ id }) => !after.some((tuple) => tuple.id === id));
  const first = after[0];
  const basic = (tuple: PresenceTuple | undefined) => [`tuple/${tuple?.id}/basic`];
  return [
    cause(state, who, find(builtin, basic(before[0])), find(merged, basic(first))),
    say("person/activities"),
    say("person/note[0]", "note[0]"),
    first === undefined ? `${who} shows no way to reach her.` : first.contact === null ? `${who} does not say where she is reached.` : `${who} puts ${deviceOf(first.id)} first; the built-in merge goes by priority and time.`,
    gone.length === 0 ? "" : gone.length === before.length ? "One stands for all." : `${who} leaves out ${names(gone)}.`,
  ];
}

const find = ({ explanation }: Merged, paths: string[]): ExplainedField | null => explanation.find(({ path }) => paths.includes(path)) ?? null;

/** A card's tuple ids begin with its letter: d-service is the desktop's. */
function deviceOf(id: string): string {
  const names: Record<string, string> = { d: "Desktop", p: "Phone", w: "Web", k: "Desk phone", r: "Meeting room" };
  return /-service$/.test(id) ? (names[id.charAt(0)] ?? id) : id;
}
