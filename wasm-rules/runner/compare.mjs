// Runs a policy on inputs and writes what it answered beside each: INPUT.json -> INPUT.out, empty
// for "no opinion". For the test that compares two engines: node compare.mjs POLICY.wasm INPUT.json...
import { readFileSync, writeFileSync } from "node:fs";
import { compilePolicy, runHook } from "./policy-runner.mjs";

const [policy, ...inputs] = process.argv.slice(2);
const module = await compilePolicy(readFileSync(policy));
for (const file of inputs) {
  const { output } = runHook(module, "pp_merge", readFileSync(file));
  writeFileSync(file.replace(/\.json$/, ".out"), output ?? new Uint8Array());
}
