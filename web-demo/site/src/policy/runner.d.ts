declare module "*/policy-runner.mjs" {
  export class PolicyFailure extends Error {
    readonly code: string;
    readonly log: readonly string[];
  }
  export function readScript(engine: WebAssembly.Module, script: Uint8Array): { said: Uint8Array<ArrayBuffer>; memory: Uint8Array<ArrayBuffer> };
  export function runHook(
    module: WebAssembly.Module,
    hook: "pp_merge" | "pp_params" | "pp_view",
    input: Uint8Array,
  ): { output: Uint8Array<ArrayBuffer> | null; log: string[]; fuel: { used: number; allowed: number } | null };
}
