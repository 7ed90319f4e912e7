// Runs a policy on inputs and writes beside each what it was sent, INPUT.json -> INPUT.in, and what it
// answered, INPUT.out, empty for "no opinion". For the test that compares two engines: node compare.mjs POLICY.wasm INPUT.json...
import { readFileSync, writeFileSync } from "node:fs";
import { compilePolicy, neededInput, runHook } from "./policy-runner.mjs";

const [policy, ...inputs] = process.argv.slice(2);
const module = await compilePolicy(readFileSync(policy));
for (const file of inputs) {
  const input = readFileSync(file);
  writeFileSync(file.replace(/\.json$/, ".in"), neededInput(module, input));
  const { output } = runHook(module, "pp_merge", input);
  writeFileSync(file.replace(/\.json$/, ".out"), output ?? new Uint8Array());
}
