import { built } from "../build.ts";
import { readExplanation, readMask, readPresence } from "./read.ts";
import type { LocalTime } from "../model/wall-clock.ts";
import type { Watcher } from "../model/watcher.ts";
import type { ExplainedField, LiveSet, Mask, Merged, Presence } from "./types.ts";

/** What wasm-bindgen makes of the crate web-engine. JSON goes in and out as text; a refusal is thrown as text. */
interface Glue {
  default(options: { module_or_path: URL }): Promise<unknown>;
  merge(live: string): string;
  readPidf(xml: string): string;
  policyInput(live: string, params: string, localTime: string): Uint8Array<ArrayBuffer>;
  applyPolicy(live: string, params: string, output: Uint8Array): string;
  minimal(live: string): string;
  minimalView(merged: string): string;
  viewInput(merged: string, watcher: string, nowMs: number, params: string): Uint8Array<ArrayBuffer>;
  applyView(merged: string, output: Uint8Array): string;
  applyMask(merged: string, mask: string): string;
}

/** What a policy's output came to. */
export type Applied = { readonly merged: Merged; readonly explain: readonly string[] } | { readonly code: string; readonly message: string };

/** merge-core in the page: the same code that the server merges with. */
export class MergeEngine {
  private constructor(private readonly glue: Glue) {}

  static async load(): Promise<MergeEngine> {
    const glue = (await import(built("engine/web_engine.js").href)) as Glue;
    await glue.default({ module_or_path: built("engine/web_engine_bg.wasm") });
    return new MergeEngine(glue);
  }

  /** The built-in merge of a live set at its `now_ms`. */
  merge(live: LiveSet): Merged {
    return readMerged(JSON.parse(this.glue.merge(JSON.stringify(live))));
  }

  /** Reads a document that came over the wire; null if it is none. */
  read(pidf: string): Presence | null {
    try {
      return readPresence(JSON.parse(this.glue.readPidf(pidf)));
    } catch {
      return null;
    }
  }

  policyInput(live: LiveSet, params: unknown, localTime: LocalTime): Uint8Array<ArrayBuffer> {
    return this.glue.policyInput(JSON.stringify(live), JSON.stringify(params ?? {}), JSON.stringify(localTime));
  }

  /** What the host makes of a policy's output, checked by merge-core's rules. */
  apply(live: LiveSet, params: unknown, output: Uint8Array): Applied {
    const json = JSON.parse(this.glue.applyPolicy(JSON.stringify(live), JSON.stringify(params ?? {}), output)) as Record<string, unknown>;
    return refusal(json) ?? { merged: readMerged(json), explain: lines(json) };
  }

  /** What stands in for a policy that hides things and failed: open or closed, and nothing else. */
  minimal(live: LiveSet): Merged {
    return readMerged(JSON.parse(this.glue.minimal(JSON.stringify(live))));
  }

  /** What the operator's mask leaves of what was merged, before the views of it are made. */
  masked(merged: Merged, mask: Mask | null | undefined): Merged {
    if (mask == null) return merged;
    const json = JSON.parse(this.glue.applyMask(merged.pidf, JSON.stringify(mask))) as Record<string, unknown>;
    const masked = readMask(json["masked"]);
    return masked === null ? merged : { ...readLess(merged, json, "mask"), masked };
  }

  /** What stands in for its `pp_view`. */
  minimalView(merged: Merged): Merged {
    return readLess(merged, JSON.parse(this.glue.minimalView(merged.pidf)) as Record<string, unknown>);
  }

  viewInput(merged: Merged, watcher: Watcher, now: number, params: unknown): Uint8Array<ArrayBuffer> {
    return this.glue.viewInput(merged.pidf, JSON.stringify(watcher), now, JSON.stringify(params ?? {}));
  }

  /** What the host makes of the output of `pp_view`. */
  view(merged: Merged, output: Uint8Array): Applied {
    const json = JSON.parse(this.glue.applyView(merged.pidf, output)) as Record<string, unknown>;
    return refusal(json) ?? { merged: readLess(merged, json), explain: lines(json) };
  }
}

function refusal(json: Record<string, unknown>): { code: string; message: string } | null {
  const error = json["error"] as Record<string, unknown> | undefined;
  if (error === undefined) return null;
  const place = error["place"] ? ` (${String(error["place"])})` : "";
  return { code: String(error["code"]), message: `${String(error["message"])}${place}` };
}

const lines = (json: Record<string, unknown>) => (Array.isArray(json["explain"]) ? json["explain"].map(String) : []);

/** The explanation of the values that a view or the mask has left; what is said in other words is theirs. */
function leftOf({ explanation }: Merged, presence: Presence, by: "view" | "mask"): ExplainedField[] {
  const raw = JSON.stringify(presence.raw);
  const activities = presence.person?.activities.join(" ") ?? "";
  return explanation.flatMap((field) => {
    const id = /^(?:tuple|device)\/([^/]+)\//.exec(field.path)?.[1];
    if (field.path === "person/activities" && activities !== "" && activities !== field.value)
      return [{ ...field, value: activities, etag: "", device: "", rule: by, reason: by, beat: [{ value: field.value, etag: field.etag, device: field.device }, ...field.beat] }];
    const shown = id === undefined ? field.value.split(" ").every((word) => raw.includes(word)) : raw.includes(`"${id}"`);
    return shown ? [field] : [];
  });
}

function readLess(merged: Merged, json: Record<string, unknown>, by: "view" | "mask" = "view"): Merged {
  const presence = readPresence(json["json"]);
  return { pidf: String(json["pidf"]), presence, explanation: leftOf(merged, presence, by), masked: merged.masked };
}

function readMerged(json: Record<string, unknown>): Merged {
  return {
    pidf: String(json["pidf"]),
    presence: readPresence(json["json"]),
    explanation: readExplanation(json["explanation"]),
    masked: null,
  };
}
