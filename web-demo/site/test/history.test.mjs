// What the server keeps of Alice when it is asked to: switched on, read, used as a test, and forgotten, in the page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { demo } from "../browser/server.mjs";
import { agree, leave } from "../browser/states.mjs";

const CASE = "#desktop=on.open.working.800.active.60&tab=history";

const held = hold(demo);

const visit = (run, hash = CASE) => held.visit(hash, async (page) => {
  await run(page);
  const stop = page.getByRole("button", { name: "Stop, and forget it" });
  if (await stop.isVisible()) await stop.click();
  const power = page.getByRole("switch", { name: "Policy in force" });
  if ((await power.getAttribute("aria-checked")) === "true") await power.click();
  await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
  await leave(page);
});

const begin = (page) => page.getByRole("button", { name: "Capture Alice for an hour" }).click();
const entry = (page, words) => page.locator(".kept > li", { hasText: words });

/** Puts a script in force whose `merge` has this body. */
async function activate(page, name, body) {
  const text = `export const manifest = { name: "${name}", summary: "Tries the history" };\nexport const merge = (input) => { ${body} };`;
  await page.locator("#policy-file").setInputFiles({ name: "policy.js", mimeType: "text/javascript", buffer: Buffer.from(text) });
  await page.getByText("Passes the check, and the server’s trial").waitFor();
  await page.getByRole("button", { name: "Upload and activate" }).click();
  await page.locator(".in-force", { hasText: `${name}, assigned to Alice` }).waitFor();
}

test("nothing is kept until somebody asks for it, and then each change is, with what the policy said of it", async () => {
  await visit(async (page) => {
    await page.getByText("Nothing is kept of what Alice’s watchers saw.").waitFor();
    assert.equal(await page.locator(".kept > li").count(), 0);
    await begin(page);
    await page.getByText("Alice is captured until").waitFor();
    await page.locator("#desktop-note").fill("Secret plans");
    await page.locator("#desktop-activity").selectOption("presentation");
    await entry(page, "Presenting").waitFor();
    await activate(page, "lunch", 'return { set: { activities: ["meal"] }, explain: ["it is noon"] };');
    const noon = entry(page, "Another policy, or other parameters").first();
    await noon.waitFor();
    await noon.locator("summary").click();
    await noon.getByText("“it is noon”").waitFor();
    await noon.getByText("Decided by lunch, generation").waitFor();
    assert.match(await noon.innerText(), /Activity: Presenting → At lunch/);
    assert.doesNotMatch(await page.locator("#view-history").innerText(), /Secret/, "a note is kept as letters");
    assert.deepEqual(await violations(page), []);
    // What is opened stays open while more comes.
    await page.locator("#desktop-activity").selectOption("working");
    await entry(page, "Desktop published").first().waitFor();
    assert.equal(await noon.locator("details").evaluate((details) => details.open), true);
    await agree(page);
  });
});

test("what a policy was given is a test of the one that is looked at", async () => {
  await visit(async (page) => {
    await begin(page);
    await page.getByText("Alice is captured until").waitFor();
    await page.locator("#desktop-activity").selectOption("presentation");
    await activate(page, "strict", 'if (input.publications.length > 99) throw new Error("full"); return null;');
    const last = entry(page, "Another policy").first();
    await last.locator("summary").click();
    await last.getByRole("button", { name: "Use as a test" }).click();
    await page.getByText("Tests: 1 hold, 0 fail").waitFor();
    assert.match(await page.locator(".test-name").innerText(), /^\d{4}-policy/);
  });
});

test("who stops it has it forgotten, and whoever else is looking sees that", async () => {
  await visit(async (page) => {
    await begin(page);
    await page.getByText("Alice is captured until").waitFor();
    await page.locator("#desktop-activity").selectOption("presentation");
    await page.locator(".kept > li").first().waitFor();
    const { page: other, context } = await held.open(CASE);
    await other.locator(".kept > li").first().waitFor();
    await page.getByRole("button", { name: "Stop, and forget it" }).click();
    await page.getByText("Nothing is kept of what Alice’s watchers saw.").waitFor();
    await other.getByText("Nothing is kept of what Alice’s watchers saw.").waitFor();
    assert.deepEqual([await page.locator(".kept > li").count(), await other.locator(".kept > li").count()], [0, 0]);
    await context.close();
  });
});
