import { loadCheck } from "./check.ts";
import type { Run } from "./run.ts";
import type { Hook } from "./worker.ts";

/** A test vector, or a captured input, with the file that it takes its input from. */
export interface VectorFile {
  readonly file: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly base: Uint8Array<ArrayBuffer> | undefined;
}

export type Vector = { readonly name: string; readonly hook: string; readonly input: Uint8Array<ArrayBuffer> } | { readonly error: string };

/** Reads a vector as `tributary policy test` does. */
export async function readVector({ file, bytes, base }: VectorFile): Promise<Vector> {
  const read = JSON.parse((await loadCheck()).readVector(file, bytes, base)) as Record<string, string>;
  if (read["error"] !== undefined) return { error: read["error"] };
  return { name: read["name"] ?? file, hook: read["hook"] ?? "", input: new TextEncoder().encode(read["input"]) };
}

/** What differs from what the vector expects; null if it holds. */
export async function judgeVector({ file, bytes, base }: VectorFile, run: Run): Promise<string | null> {
  const [output, code, message] = "code" in run ? [undefined, run.code, run.message] : [run.output ?? undefined, "", ""];
  const verdict = JSON.parse((await loadCheck()).judgeVector(file, bytes, base, output, code, message)) as { ok: boolean; message?: string };
  return verdict.ok ? null : (verdict.message ?? "it differs");
}

/** Puts dropped files together: inputs that vectors among them name, by file name, go with these; others are tests themselves. */
export function vectorFiles(files: readonly { readonly file: string; readonly bytes: Uint8Array<ArrayBuffer> }[]): VectorFile[] {
  const read = files.map(({ file, bytes }) => ({ file, bytes, json: parsed(bytes) }));
  // A vector often has the name of its input, in another folder.
  const inputs = new Map(read.filter(({ json }) => "publications" in json || "merged" in json).map(({ file, bytes }) => [file, bytes]));
  const base = (json: Record<string, unknown>) => inputs.get(String(json["base"]).split("/").at(-1) ?? "");
  const named = new Set(read.map(({ json }) => base(json)));
  return read.filter(({ bytes }) => !named.has(bytes)).map(({ file, bytes, json }) => ({ file, bytes, base: base(json) }));
}

/** {} for what is no JSON object: reading it as a vector says what is wrong. */
function parsed(bytes: Uint8Array): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A vector that expects of this input what the policy made of it. */
export function vectorOf(name: string, hook: Hook, input: Uint8Array, run: Run): string {
  const { params, ...patch } = JSON.parse(new TextDecoder().decode(input)) as Record<string, unknown>;
  const expectation =
    "code" in run ? { match: `error:${run.code}` }
    : run.output === null ? { match: "no_opinion" }
    : { expect: JSON.parse(new TextDecoder().decode(run.output)) as unknown, match: "exact" };
  return `${JSON.stringify({ name, hook, patch, params, ...expectation }, null, 2)}\n`;
}
