// Policies in three engines: what wasmtime makes of them on the server, Chromium and Node make of them as the page runs
// them, to the byte and to the unit of fuel.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readScript, runHook } from "../../../wasm-rules/runner/policy-runner.mjs";
import { answers } from "../browser/answers.mjs";
import { hold } from "../browser/hold.mjs";
import { dist, serve } from "../browser/serve.mjs";
import { program } from "../browser/server.mjs";

/** The least that have to be compared: of each hook of a policy that ships, and of hostile policies. */
const INPUTS = 1000;
const HOSTILE = 60;

const held = hold(serve);

/** What wasmtime makes of each policy, one at a time. */
async function* expected() {
  const tool = join(program(), "../policy-answers");
  if (!existsSync(tool)) throw new Error(`no ${tool}: build it with \`cargo build --workspace --bins\``);
  const child = spawn(tool, [join(dist, "policies")], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
  assert.equal(await ended, 0, "policy-answers failed");
}

/** The engine that runs this test, with the page's own check and meter. */
async function inNode() {
  const check = await import(join(dist, "engine/web_check.js"));
  await check.default({ module_or_path: await readFile(join(dist, "engine/web_check_bg.wasm")) });
  const engine = new Uint8Array(await readFile(join(dist, "policies/javascript.engine")));
  const run = async ({ policy, hook, input }) => {
    try {
      return hook === "pp_script" ? readScript(policy, input) : runHook(policy, hook, input);
    } catch (error) {
      if (error.code === undefined) throw error;
      return error;
    }
  };
  return (policy) => answers(policy, check, engine, run);
}

/** The page's Worker in Chromium, under the page's content security policy, with the page's check and meter. */
async function inChromium() {
  const { page, errors } = await held.open();
  await page.route("**/answers.mjs", (route) => route.fulfill({ path: fileURLToPath(new URL("../browser/answers.mjs", import.meta.url)) }));
  await page.evaluate(async () => {
    const { answers } = await import("/answers.mjs");
    const check = await import("/engine/web_check.js");
    await check.default({ module_or_path: "/engine/web_check_bg.wasm" });
    const engine = new Uint8Array(await (await fetch("/policies/javascript.engine")).arrayBuffer());
    const worker = new Worker("/policy-worker.js", { type: "module" });
    const run = (job) => new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage(job);
    });
    window.answers = (policy) => answers(policy, check, engine, run);
  });
  return async (policy) => {
    const got = await page.evaluate((policy) => window.answers(policy), policy);
    assert.deepEqual(errors, []);
    return got;
  };
}

test("a thousand made-up inputs of each hook have the same answers for the same fuel in wasmtime, Chromium and Node, and so have hostile policies", async (t) => {
  const engines = { Chromium: await inChromium(), Node: await inNode() };
  const compared = { policies: 0, hostile: 0, refused: 0 };
  for await (const { policy, file, report, calls } of expected()) {
    for (const [name, engine] of Object.entries(engines)) {
      const got = await engine({ file, calls: calls.map(({ hook, input }) => ({ hook, input })) });
      assert.equal(got.report, report, `${policy}: the report in ${name}`);
      assert.equal(got.answers.length, calls.length, `${policy} in ${name}`);
      got.answers.forEach((answer, at) => {
        const { hook, input, answer: { output, code, message, fuel, log } } = calls[at];
        // What a trap is called is each engine's own; that the fuel is used up, the host says.
        const wanted = code === null ? { output, fuel, log } : { code, message: code === "E204" ? message : answer.message };
        assert.deepEqual(answer, wanted, `${policy}, ${hook} in ${name} of ${input}`);
      });
    }
    if (policy.startsWith("bad/")) {
      compared.hostile += 1;
      compared.refused += calls.length === 0 ? 1 : 0;
      continue;
    }
    const views = JSON.parse(report).hooks.includes("pp_view");
    for (const hook of views ? ["pp_merge", "pp_view"] : ["pp_merge"]) {
      const of = calls.filter((call) => call.hook === hook);
      const opinions = of.filter(({ answer }) => answer.output !== null).length;
      t.diagnostic(`${policy}, ${hook}: ${of.length} inputs, ${opinions} opinions`);
      assert.ok(of.length >= INPUTS, `${policy}: only ${of.length} inputs of ${hook}`);
    }
    compared.policies += 1;
  }
  t.diagnostic(`${compared.hostile} hostile policies: ${compared.refused} refused, ${compared.hostile - compared.refused} run`);
  assert.ok(compared.policies >= 12 && compared.hostile - compared.refused >= HOSTILE, JSON.stringify(compared));
});
