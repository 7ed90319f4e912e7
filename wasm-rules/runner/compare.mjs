// Runs a metered policy on inputs and writes beside each what it was sent, INPUT.json -> INPUT.in, what it answered,
// INPUT.out, empty for "no opinion", the code for a failure, and the fuel it took, INPUT.fuel. For the test that compares two engines:
// node compare.mjs POLICY.wasm INPUT.json...
import { readFileSync, writeFileSync } from "node:fs";
import { compilePolicy, neededInput, PolicyFailure, runHook } from "./policy-runner.mjs";

const [policy, ...inputs] = process.argv.slice(2);
const module = await compilePolicy(readFileSync(policy));
for (const file of inputs) {
  const input = readFileSync(file);
  const hook = JSON.parse(input).watcher ? "pp_view" : "pp_merge";
  const beside = (ending, bytes) => writeFileSync(file.replace(/\.json$/, ending), bytes);
  beside(".in", hook === "pp_merge" ? neededInput(module, input) : input);
  try {
    const { output, fuel } = runHook(module, hook, input);
    beside(".out", output ?? new Uint8Array());
    beside(".fuel", String(fuel.used));
  } catch (error) {
    if (!(error instanceof PolicyFailure)) throw error;
    beside(".out", error.code);
    beside(".fuel", "");
  }
}
