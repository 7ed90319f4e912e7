// A server whose users are somewhere: the page tells policies of the time there, as the server does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hold } from "../browser/hold.mjs";
import { demo } from "../browser/server.mjs";
import { agree, leave } from "../browser/states.mjs";

const held = hold(() => demo(undefined, { TRIBUTARY_SERVER_TIMEZONE: "Asia/Tokyo" }));

test("a policy is told of the time where the server says that Alice is, unless another zone is chosen", async () => {
  await held.visit("#desktop=on.open.working.800.active.60", async (page) => {
    await agree(page);
    const script = 'export const manifest = { name: "where", summary: "Where" };\nexport const merge = ({ local_time }) => ({ set: { note: [{ text: local_time?.tz ?? "nowhere" }] } });';
    await page.locator("#policy-file").setInputFiles({ name: "policy.js", mimeType: "text/javascript", buffer: Buffer.from(script) });
    await page.locator(".compare .is-changed", { hasText: "Asia/Tokyo" }).waitFor();
    assert.equal(await page.locator("#zone option:checked").innerText(), "Asia/Tokyo, as on the server");
    await page.getByText("Passes the check, and the server’s trial").waitFor();
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.locator("#view-card", { hasText: "Asia/Tokyo" }).waitFor();
    await agree(page);
    await page.locator("#zone").selectOption("Europe/Lisbon");
    await page.locator("#view-card", { hasText: "Europe/Lisbon" }).waitFor();
    await page.getByText("in Europe/Lisbon. Bob is not asked.").waitFor();
    await page.locator("#zone").selectOption({ label: "Asia/Tokyo, as on the server" });
    await agree(page);
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
    await leave(page);
  });
});
