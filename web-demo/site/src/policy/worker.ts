// Runs policies away from the page: one that loops without counting its fuel is ended by ending this Worker.
import { PolicyFailure, readScript, runHook } from "../../../../wasm-rules/runner/policy-runner.mjs";

export interface Job {
  readonly id: number;
  readonly policy: WebAssembly.Module;
  readonly input: Uint8Array<ArrayBuffer>;
  readonly hook: Hook | "pp_params" | "pp_script";
}

export type Hook = "pp_merge" | "pp_view";

/** What a call took of what it may take. */
export interface Fuel {
  readonly used: number;
  readonly allowed: number;
}

export type Outcome =
  | { readonly id: number; readonly output: Uint8Array<ArrayBuffer> | null; readonly log: readonly string[]; readonly fuel: Fuel | null }
  | { readonly id: number; readonly said: Uint8Array<ArrayBuffer>; readonly memory: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly code: string; readonly message: string };

addEventListener("message", ({ data }: MessageEvent<Job>) => {
  const { id, policy, input, hook } = data;
  let outcome: Outcome;
  try {
    outcome = hook === "pp_script" ? { id, ...readScript(policy, input) } : { id, ...runHook(policy, hook, input) };
  } catch (error) {
    outcome = error instanceof PolicyFailure
      ? { id, code: error.code, message: error.message }
      : { id, code: "E101", message: error instanceof Error ? error.message : String(error) };
  }
  postMessage(outcome);
});
