// The shipped policies give the same bytes in wasmtime and in Chromium, for every recorded input.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser } from "../lib/browser.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const target = process.env.TEST_TARGET ?? join(root, "target");
const policies = process.env.TEST_POLICIES ?? join(target, "policies");
const inputs = join(root, "wasm-rules/policies/inputs");

describe("policies in Chromium", () => {
  let browser;
  let expected;
  before(async () => {
    const program = join(target, "debug/policy-outputs");
    if (!existsSync(program)) throw new Error(`${program} is not there: \`cargo build -p tributary-tests\``);
    if (!existsSync(policies)) throw new Error(`${policies} is not there: \`cargo xtask policies\``);
    const lines = execFileSync(program, [policies, inputs], { encoding: "utf8", maxBuffer: 1 << 26 });
    expected = lines.trim().split("\n").map((line) => JSON.parse(line));
    browser = await Browser.open();
  });
  after(() => browser?.close());

  it("every output equals the sandbox's to the byte", async (t) => {
    const names = (await readdir(inputs)).filter((name) => name.endsWith(".json")).sort();
    const bodies = await Promise.all(names.map((name) => readFile(join(inputs, name), "base64")));
    let compared = 0;
    let opinions = 0;
    for (const policy of new Set(expected.map((line) => line.policy))) {
      const wasm = await readFile(join(policies, policy), "base64");
      const outputs = await browser.page.evaluate((job) => globalThis.runPolicy(job), { wasm, inputs: bodies });
      outputs.forEach((output, at) => {
        const want = expected.find((line) => line.policy === policy && line.input === names[at]);
        const got = output === null || output.startsWith("error:") ? output : Buffer.from(output, "base64").toString("hex");
        assert.equal(got, want.output, `${policy} on ${names[at]}`);
        compared += 1;
        if (output !== null && !output.startsWith("error:")) opinions += 1;
      });
    }
    t.diagnostic(`${compared} outputs compared, ${opinions} of them opinions`);
    assert.equal(compared, expected.length);
    assert.ok(opinions > 0, "no policy had an opinion on any input: the inputs test nothing");
    assert.deepEqual(browser.errors, []);
  });
});
