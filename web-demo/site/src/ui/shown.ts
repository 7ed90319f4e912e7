import type { MergeEngine } from "../engine/merge.ts";
import type { ExplainedField, Mask, Presence } from "../engine/types.ts";
import { otherClock } from "../model/wall-clock.ts";
import type { AppState } from "../state/app.ts";

/** The document on show: what Bob was sent, or, where there is no server to ask, the page's own merge. */
export interface Shown {
  readonly from: "notify" | "page" | "nothing";
  readonly pidf: string;
  readonly presence: Presence | null;
  readonly explanation: readonly ExplainedField[];
  readonly masked: Mask | null;
}

/** Whether the page looks as somebody else than Bob, and a policy in force that tells them apart. */
export const asAnother = ({ seenBy, inForce }: AppState) => seenBy !== null && "views" in inForce && inForce.views;

let last: { pidf: string; presence: Presence | null } = { pidf: "", presence: null };

export function shown(state: AppState, engine: MergeEngine | null): Shown {
  const [explanation, masked] = [state.merged?.explanation ?? [], state.merged?.masked ?? null];
  const { notified, server } = state;
  if (notified !== null && !otherClock(state) && server.phase === "up" && !asAnother(state)) {
    if (last.pidf !== notified.body) last = { pidf: notified.body, presence: engine?.read(notified.body) ?? null };
    // Without the engine (still loading) nothing can be read; the next update will.
    if (last.presence === null && engine !== null && notified.body !== "") last = { pidf: notified.body, presence: engine.read(notified.body) };
    return { from: "notify", pidf: notified.body, presence: last.presence, explanation, masked };
  }
  if (state.merged === null) return { from: "nothing", pidf: "", presence: null, explanation: [], masked };
  return { from: "page", pidf: state.merged.pidf, presence: state.merged.presence, explanation, masked };
}
