// A server whose operator lets nobody see notes, nor more of an activity than that somebody is busy: the page says so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { demo } from "../browser/server.mjs";
import { agree, leave } from "../browser/states.mjs";

const CASE = "#desktop=on.open.meeting.800.active.60&desktop.note=With+the+board&tab=why";
const WORDS = "The operator’s mask took away: notes; left: open or closed, and busy or away.";

const held = hold(() => demo(undefined, { TRIBUTARY_POLICIES_MASK: '{ drop = ["note"], level = "busy_free" }' }));

test("what the mask takes away is not on show, the page says what, and page and server agree to the byte", async () => {
  await held.visit(CASE, async (page) => {
    await agree(page);
    await page.locator("#view-why").getByText(WORDS).waitFor();
    assert.match(await page.locator("#view-why").innerText(), /the operator’s mask\s+Activity\s+Busy\s+by mask\s+out of\s+[^]*Desktop\s+In a meeting/);
    await page.getByRole("tab", { name: "Card" }).click();
    await page.locator(".contact-status", { hasText: "Busy" }).waitFor();
    assert.doesNotMatch(await page.locator("#view-card").innerText(), /With the board/);
    assert.deepEqual(await violations(page), []);
    await leave(page);
  });
});

test("no policy brings it back, and the history says what was taken", async () => {
  await held.visit(CASE, async (page) => {
    await agree(page);
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByRole("button", { name: "Capture Alice for an hour" }).click();
    await page.getByText("Alice is captured until").waitFor();
    const script = 'export const manifest = { name: "tells", summary: "Tells all" };\nexport const merge = () => ({ set: { activities: ["vacation"], note: [{ text: "On the beach" }] } });\nexport const view = () => ({ explain: ["nothing is hidden"] });';
    await page.locator("#policy-file").setInputFiles({ name: "policy.js", mimeType: "text/javascript", buffer: Buffer.from(script) });
    await page.getByText("Passes the check, and the server’s trial").waitFor();
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.locator(".contact-status", { hasText: "Away" }).waitFor();
    await agree(page);
    const last = page.locator(".kept > li", { hasText: "Another policy, or other parameters" }).first();
    await last.locator("summary").click();
    await last.getByText(WORDS).waitFor();
    await page.getByRole("button", { name: "Stop, and forget it" }).click();
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
    await leave(page);
  });
});
