import { readScript } from "../../../../wasm-rules/runner/policy-runner.mjs";
import { built } from "../build.ts";
import { loadCheck } from "./check.ts";
import { readReport, type Report } from "./report.ts";

/** A script that was read: the policy's module, where nothing is wrong with it. */
export interface MadeOfScript {
  readonly report: Report;
  readonly module: Uint8Array<ArrayBuffer> | null;
}

interface Engine {
  readonly file: Uint8Array;
  readonly module: WebAssembly.Module;
}

let engine: Promise<Engine> | null = null;

/** The engine for policies in JavaScript: fetched when the first script comes. */
function loadEngine(): Promise<Engine> {
  engine ??= (async () => {
    const response = await fetch(built("policies/javascript.engine"));
    if (!response.ok) throw new Error(`policies/javascript.engine: ${response.status}`);
    const file = new Uint8Array(await response.arrayBuffer());
    return { file, module: await WebAssembly.compile(file) };
  })();
  engine.catch(() => (engine = null)); // the next try loads anew
  return engine;
}

/** Whether a file is a policy in JavaScript rather than a module. */
export async function isScript(file: Uint8Array): Promise<boolean> {
  return (await loadCheck()).isScript(file);
}

/** Makes a policy of a script, with the bytes that the server makes of it. A script that never ends keeps the caller: call this in a Worker. */
export async function policyOfScript(script: Uint8Array): Promise<MadeOfScript> {
  const [check, { file, module }] = await Promise.all([loadCheck(), loadEngine()]);
  const { said, memory } = readScript(module, script);
  const made = check.makeScript(script, file, said, memory);
  const report = readReport(JSON.parse(made.report) as Record<string, unknown>);
  const bytes = made.module as Uint8Array<ArrayBuffer> | undefined;
  made.free();
  return { report, module: bytes ?? null };
}
