import { built } from "../build.ts";

interface Glue {
  default(options: { module_or_path: URL }): Promise<unknown>;
  checkPolicy(bytes: Uint8Array): string;
  judgeParams(schema: string, params: string): string;
  meterPolicy(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
  isScript(file: Uint8Array): boolean;
  checkScript(file: Uint8Array): string | undefined;
  makeScript(engine: Uint8Array, said: Uint8Array, memory: Uint8Array): { readonly report: string; readonly module: Uint8Array | undefined; free(): void };
  readVector(file: string, bytes: Uint8Array, base: Uint8Array | undefined): string;
  judgeVector(file: string, bytes: Uint8Array, base: Uint8Array | undefined, output: Uint8Array | undefined, code: string, message: string): string;
}

let glue: Promise<Glue> | null = null;

/** Loads policy-check's wasm: a second module, fetched when it is first needed or when the page has nothing to do. */
export function loadCheck(): Promise<Glue> {
  glue ??= (async () => {
    const module = (await import(built("engine/web_check.js").href)) as Glue;
    await module.default({ module_or_path: built("engine/web_check_bg.wasm") });
    return module;
  })();
  glue.catch(() => (glue = null)); // the next try loads anew
  return glue;
}

/** The policy with a counter of its fuel in it. */
export async function meterPolicy(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return (await loadCheck()).meterPolicy(bytes);
}
