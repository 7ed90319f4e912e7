// What the page makes of a policy's file and of calls of it, in whatever engine this runs: a page, or Node.

const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (array) => Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * The report of the check of `file` (hex), and the answer to each of `calls`. `check` is web-check, `engine` the engine
 * for scripts, and `run` runs a job of the page's Worker: its outcome, or a failure with a code.
 */
export async function answers({ file, calls }, check, engine, run) {
  const { report, module } = await checked(bytes(file), check, engine, run);
  if (module === undefined) return { report, answers: [] };
  const policy = await WebAssembly.compile(check.meterPolicy(module));
  const encoder = new TextEncoder();
  const answers = [];
  for (const { hook, input } of calls) {
    const outcome = await run({ policy, hook, input: encoder.encode(input) });
    answers.push("code" in outcome
      ? { code: outcome.code, message: outcome.message }
      : { output: outcome.output === null ? null : hex(outcome.output), fuel: outcome.fuel.used, log: outcome.log });
  }
  return { report, answers };
}

async function checked(file, check, engine, run) {
  if (!check.isScript(file)) {
    const report = check.checkPolicy(file);
    return { report, module: JSON.parse(report).errors.length === 0 ? file : undefined };
  }
  const refusal = check.checkScript(file);
  if (refusal !== undefined) return { report: refusal };
  const { said, memory } = await run({ policy: await WebAssembly.compile(engine), hook: "pp_script", input: file });
  const { report, module } = check.makeScript(engine, said, memory);
  return { report, module };
}
