// An author's tests in the page: vectors that were dropped, and the case on show kept as one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { dist, serve } from "../browser/serve.mjs";
import { program } from "../browser/server.mjs";

const POLICIES = fileURLToPath(new URL("../../../wasm-rules/policies/", import.meta.url));
const CASE = "#desktop=on.open.meeting.800.active.360&phone=on.open.on-the-phone.900.active.60&policy=most-recent-device";

const held = hold(serve);

/** Looks at the case when the check of its policy is there. */
const visit = (run) => held.visit(CASE, async (page) => {
  await page.getByText("Passes the check").waitFor();
  await run(page);
});

/** A shipped policy's vectors, and the inputs that they name, as files to be dropped. */
async function shipped(policy) {
  const folder = join(POLICIES, policy, "vectors");
  const load = async (path) => ({ name: basename(path), mimeType: "application/json", buffer: await readFile(path) });
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const vectors = await Promise.all(names.map((name) => load(join(folder, name))));
  const bases = new Set(vectors.map(({ buffer }) => JSON.parse(buffer).base));
  return { vectors, bases: await Promise.all([...bases].map((base) => load(join(folder, base)))) };
}

const file = (name, value) => ({ name, mimeType: "application/json", buffer: Buffer.from(JSON.stringify(value)) });
const drop = (page, files) => page.locator("#policy-file").setInputFiles(files);

test("the vectors that ship with a policy hold in the page, with the inputs that they are based on", async () => {
  await visit(async (page) => {
    const { vectors, bases } = await shipped("most-recent-device");
    await drop(page, [...vectors, ...bases]);
    await page.getByText(`Tests: ${vectors.length} hold, 0 fail`, { exact: false }).waitFor();
    assert.deepEqual(await violations(page), []);
  });
});

test("a vector that does not hold says what was expected and what came, and a broken one says why", async () => {
  await visit(async (page) => {
    const input = JSON.parse(await readFile(join(POLICIES, "inputs/one-device.json"), "utf8"));
    await drop(page, [
      file("wrong.json", { name: "the phone is away", patch: input, expect: { set: { activities: ["away"] } }, match: "subset" }),
      file("based.json", { name: "based on another", base: "elsewhere/nowhere.json", match: "no_opinion" }),
      file("odd.json", { name: "odd", exspect: 1 }),
    ]);
    await page.getByText("Tests: 0 hold, 3 fail").waitFor();
    const said = (await page.locator(".tests").innerText()).replaceAll("\n", " ");
    for (const words of ["expected at least", "got ", "its input is in elsewhere/nowhere.json: drop that file together with it", 'unknown member "exspect"']) assert.ok(said.includes(words), `${words} in ${said}`);
    await page.getByRole("button", { name: "Forget the test odd.json" }).click();
    await page.getByText("Tests: 0 hold, 2 fail").waitFor();
  });
});

test("another policy runs the same tests", async () => {
  await visit(async (page) => {
    const { vectors, bases } = await shipped("on-the-phone-wins");
    await drop(page, [...vectors, ...bases]);
    await page.getByText(/^Tests: .*[1-9]\d* fail/).waitFor();
    await page.locator("#policy").selectOption("on-the-phone-wins");
    await page.getByText(/^Tests: [1-9]\d* hold, 0 fail/).waitFor();
    await page.locator("#policy").selectOption("compose");
    await page.getByText("wait for a policy").waitFor();
  });
});

test("the case on show is saved as a test that holds here and on the command line", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tributary-vector-"));
  try {
    await visit(async (page) => {
      await page.locator("#test-name").fill("The phone spoke last");
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: "Save as test" }).click();
      const saved = await download;
      assert.equal(saved.suggestedFilename(), "the-phone-spoke-last.json");
      await saved.saveAs(join(folder, "case.json"));
      await page.getByText("Tests: 1 hold, 0 fail").waitFor();
    });
    const vector = JSON.parse(await readFile(join(folder, "case.json"), "utf8"));
    assert.deepEqual([vector.match, vector.patch.publications.length, vector.expect.select.length], ["exact", 2, 1]);
    const policy = join(dist, "policies/most-recent-device.wasm");
    const { stdout } = await promisify(execFile)(program(), ["policy", "test", policy, join(folder, "case.json")]);
    assert.match(stdout, /The phone spoke last[^]*1 hold, 0 fail/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
