import { built } from "../build.ts";
import { readExplanation, readPresence } from "./read.ts";
import type { LiveSet, Merged, Presence } from "./types.ts";

/** What wasm-bindgen makes of the crate web-engine. JSON goes in and out as text; a refusal is thrown as text. */
interface Glue {
  default(options: { module_or_path: URL }): Promise<unknown>;
  merge(live: string): string;
  readPidf(xml: string): string;
  policyInput(live: string, params: string): Uint8Array<ArrayBuffer>;
  applyPolicy(live: string, params: string, output: Uint8Array): string;
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

  policyInput(live: LiveSet, params: unknown): Uint8Array<ArrayBuffer> {
    return this.glue.policyInput(JSON.stringify(live), JSON.stringify(params ?? {}));
  }

  /** What the host makes of a policy's output, checked by merge-core's rules. */
  apply(live: LiveSet, params: unknown, output: Uint8Array): Applied {
    const json = JSON.parse(this.glue.applyPolicy(JSON.stringify(live), JSON.stringify(params ?? {}), output)) as Record<string, unknown>;
    const error = json["error"] as Record<string, unknown> | undefined;
    if (error !== undefined) {
      const place = error["place"] ? ` (${String(error["place"])})` : "";
      return { code: String(error["code"]), message: `${String(error["message"])}${place}` };
    }
    const explain = Array.isArray(json["explain"]) ? json["explain"].map(String) : [];
    return { merged: readMerged(json), explain };
  }
}

function readMerged(json: Record<string, unknown>): Merged {
  return {
    pidf: String(json["pidf"]),
    presence: readPresence(json["json"]),
    explanation: readExplanation(json["explanation"]),
  };
}
