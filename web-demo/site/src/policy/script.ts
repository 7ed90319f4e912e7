import { built } from "../build.ts";
import { fetchAndKeep } from "../offline/keep.ts";
import { loadCheck } from "./check.ts";
import { readReport, type Report } from "./report.ts";
import type { PolicyRunner } from "./run.ts";

/** A policy's module with what the check has to say of it; no module where that is errors. */
export interface Checked {
  readonly module: Uint8Array<ArrayBuffer> | null;
  readonly report: Report;
}

let engine: Promise<Uint8Array<ArrayBuffer>> | null = null;

/** The engine for policies in JavaScript, fetched when the first comes. */
function scriptEngine(): Promise<Uint8Array<ArrayBuffer>> {
  engine ??= fetchAndKeep(built("policies/javascript.engine")).then(async (response) => {
    if (!response.ok) throw new Error(`this page was built without the engine for JavaScript (${response.status})`);
    return new Uint8Array(await response.arrayBuffer());
  });
  engine.catch(() => (engine = null));
  return engine;
}

/**
 * Checks a policy's file: a module, or a script, of which the module is made as the server makes it: the engine reads
 * the script, and its memory as it is then is laid into a copy of it. What was written in the editor is a script, however
 * it begins.
 */
export async function checkFile(file: Uint8Array<ArrayBuffer>, runner: PolicyRunner, written = false): Promise<Checked> {
  const check = await loadCheck();
  if (!written && !check.isScript(file)) {
    const found = report(check.checkPolicy(file));
    return { module: found.errors.length === 0 ? file : null, report: found };
  }
  const refusal = check.checkScript(file);
  if (refusal !== undefined) return { module: null, report: report(refusal) };
  const wasm = await scriptEngine();
  const read = await runner.readScript(wasm, file);
  if ("code" in read) return { module: null, report: refused(read.code, read.message) };
  const made = check.makeScript(wasm, read.said, read.memory);
  const checked = { module: (made.module as Uint8Array<ArrayBuffer> | undefined) ?? null, report: report(made.report) };
  made.free();
  return checked;
}

const report = (json: string) => readReport(JSON.parse(json) as Record<string, unknown>);

function refused(code: string, message: string): Report {
  const fix = "compute in `merge`, or put the result into the script";
  return { errors: [{ code, place: "script", message, fix }], warnings: [], name: "", version: "", summary: "", abi: null, hooks: [], paramsSchema: null, privacy: false };
}
