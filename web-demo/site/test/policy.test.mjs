// A policy in the page alone: its fuel, its reasons, its views, what it was given and answered.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { dist, serve } from "../browser/serve.mjs";
import { program } from "../browser/server.mjs";
import { discreet, looping } from "../browser/wasm.mjs";

const CASE = "#desktop=on.open.presentation.800.active.60&phone=on.open.on-the-phone.900.active.360&policy=on-the-phone-wins";

const held = hold(serve);

/** Looks at the case when what the policy makes of it is there. */
const visit = (run) => held.visit(CASE, async (page) => {
  await page.getByText("Fuel for this case").waitFor();
  await run(page);
});

test("the fuel that a case takes in the page is what the command line counts for it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tributary-fuel-"));
  try {
    await visit(async (page) => {
      // Held still, so that the case on show and the case saved are one.
      await page.locator("#time").press("ArrowRight");
      await page.locator(".time-words", { hasText: "in " }).waitFor();
      const [, used, allowed] = /([\d,]+) of ([\d,]+)/.exec(await page.locator(".meter .number").innerText());
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: "Save as test" }).click();
      await (await download).saveAs(join(folder, "case.json"));
      const { patch, params } = JSON.parse(await readFile(join(folder, "case.json"), "utf8"));
      await writeFile(join(folder, "input.json"), JSON.stringify({ ...patch, params }));
      const { stdout } = await promisify(execFile)(program(), ["policy", "run", join(dist, "policies/on-the-phone-wins.wasm"), join(folder, "input.json"), "--json"]);
      const counted = JSON.parse(stdout);
      assert.notEqual(counted.output, null);
      assert.deepEqual([used, allowed].map((n) => Number(n.replaceAll(",", ""))), [counted.fuel, counted.allowed], stdout);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a policy that loops is ended by its fuel, in the words of the server", async () => {
  await visit(async (page) => {
    await page.locator("#policy-file").setInputFiles({ name: "loop.wasm", mimeType: "application/wasm", buffer: looping() });
    await page.getByText(/out of fuel: all of the \d+ allowed were used/).waitFor();
  });
});

test("a value that the policy changes says whose word it is, and what the built-in merge has and why", async () => {
  await visit(async (page) => {
    const said = await page.locator(".compare .difference").first().innerText();
    assert.match(said, /The policy says so itself\. Built in: ‘Presenting’ from Desktop \d\d:\d\d \(newest explicit activity\)\./);
  });
});

test("what the view of a policy that is looked at says is its own word, and not that of the policy in force", async () => {
  await visit(async (page) => {
    await page.getByRole("button", { name: "Use in this page" }).click();
    await page.getByText("Only looked at here").waitFor({ state: "detached" });
    const script = 'export const manifest = { name: "coarse", summary: "Coarse" };\nexport const merge = () => null;\nexport const view = () => ({ set: { activities: ["busy"] } });';
    await page.locator("#policy-file").setInputFiles({ name: "coarse.js", mimeType: "text/javascript", buffer: Buffer.from(script) });
    const changed = page.locator(".compare .difference", { hasText: "‘Presenting’" });
    await page.locator(".compare .is-changed", { hasText: "Busy" }).waitFor();
    assert.match(await changed.first().innerText(), /The policy says so itself\. Built in: ‘Presenting’/);
  });
});

test("who wrote the policy in force is shown what it was given and what it answered", async () => {
  await visit(async (page) => {
    await page.getByRole("button", { name: "Use in this page" }).click();
    await page.getByRole("tab", { name: "Why" }).click();
    await page.getByText("What on-the-phone-wins was given and answered").click();
    const [given, answered] = await page.locator(".calls .wire").allInnerTexts();
    assert.equal(JSON.parse(given).publications.length, 2);
    assert.deepEqual(JSON.parse(answered).set.activities, ["on-the-phone"]);
  });
});

test("a policy that makes views is looked at as each class of watchers, and the link says as which", async () => {
  await visit(async (page) => {
    assert.equal(await page.getByRole("group", { name: "Seen by" }).isVisible(), false);
    await page.locator("#policy-file").setInputFiles({ name: "discreet.wasm", mimeType: "application/wasm", buffer: discreet() });
    await page.getByText("Stranger", { exact: true }).click();
    await page.locator(".compare .is-changed", { hasText: "not shown" }).waitFor();
    await page.waitForFunction(() => location.hash.includes("as=stranger"));
    assert.match(await page.locator(".contact-status").innerText(), /^Presenting/);
    await page.getByRole("button", { name: "Use in this page" }).click();
    await page.getByRole("heading", { name: "Seen by: Stranger" }).waitFor();
    await page.locator(".contact-status", { hasText: "Available" }).waitFor();
    await page.getByText("Made in this page, by the policy in force").waitFor();
    assert.deepEqual(await violations(page), []);
  });
});

test("a policy that hides things and fails shows whether she is there and nothing else, in the merge and in the view", async () => {
  const script = (merge, view) => `export const manifest = { name: "discreet", summary: "Hides", privacy: true };
export function merge() { ${merge} }
export function view() { ${view} }`;
  await held.visit(CASE.replace(/&policy=.*/, "&desktop.note=Budget+review"), async (page) => {
    await page.locator("#policy").selectOption("script");
    for (const [merge, view] of [["throw new Error('no merge')", "return null"], ["return null", "throw new Error('no view')"]]) {
      await page.locator("#script").fill(script(merge, view));
      await page.getByText("where it fails Bob is shown whether Alice is there and nothing else").waitFor();
      await page.getByRole("button", { name: "Use in this page" }).click();
      await page.getByText("discreet gave no answer to this (E209). It hides things, so whether Alice is there is all that is shown.").waitFor();
      await page.locator(".contact-status", { hasText: "Available" }).waitFor();
      assert.equal(await page.locator(".fact-note").count(), 0);
      assert.deepEqual(await violations(page), []);
      await page.getByRole("switch", { name: "Policy in force" }).click();
      await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
    }
  });
});

test("a script that is too long is refused before the engine for scripts is fetched, in the words of the server", async () => {
  await held.visit("", async (page) => {
    const asked = held.server.asked.length;
    const buffer = Buffer.from(`export const merge = () => null;//${" ".repeat(64 * 1024)}`);
    await page.locator("#policy-file").setInputFiles({ name: "long.js", mimeType: "text/javascript", buffer });
    await page.getByText(`${buffer.length} bytes, allowed are 65536`).waitFor();
    await page.getByText("leave out what is not used, or write the policy as a module").waitFor();
    assert.ok(!held.server.asked.slice(asked).some((path) => path.endsWith(".engine")));
  });
});

test("twenty lines of JavaScript are a policy at once, their mistakes have a line, and the link carries them", async () => {
  await held.visit(CASE.replace(/&policy=.*/, ""), async (page) => {
    await page.locator("#policy").selectOption("script");
    await page.locator(".compare .is-changed", { hasText: "On the phone" }).waitFor();
    await page.getByText("Who is in a call is on the phone.").waitFor();
    assert.deepEqual(await violations(page), []);

    await page.locator("#script").fill('export function merge() {\n  return { set: { activities: [; };\n}');
    await page.getByText("script, line 2, column 32").waitFor();
    assert.equal(await page.getByRole("button", { name: "Use in this page" }).isVisible(), false);

    await page.locator("#script").fill('export function merge() {\n  return Date.now();\n}');
    await page.getByText("input.now_ms", { exact: false }).nth(1).waitFor();

    const script = 'export const manifest = { name: "meal-time", summary: "Lunch" };\nexport const merge = () => ({ set: { activities: ["meal"] } });';
    await page.locator("#script").fill(script);
    await page.locator(".compare .is-changed", { hasText: "At lunch" }).waitFor();
    await page.getByRole("button", { name: "Use in this page" }).click();
    await page.locator(".bed-name", { hasText: "meal-time decides" }).waitFor();
    await page.waitForFunction(() => location.hash.includes("meal-time"));
    const again = await held.open(new URL(page.url()).hash);
    await again.page.locator(".compare .is-changed", { hasText: "At lunch" }).waitFor();
    assert.equal(await again.page.locator("#script").inputValue(), script);
    assert.deepEqual(again.errors, []);
    await again.context.close();
  });
});
