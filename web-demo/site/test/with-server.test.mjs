// The page against the real server in demo mode.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { dist } from "../browser/serve.mjs";
import { demo } from "../browser/server.mjs";
import { agree, leave } from "../browser/states.mjs";
import { looping, refused, silent } from "../browser/wasm.mjs";

const CONFLICT = "#desktop=on.open.meeting.800.active.360&phone=on.open.on-the-phone.900.active.60&web=on.open.none.200.idle";

const held = hold(demo);

/** Looks at the case, and at the end takes its devices off the server, so that the next test begins with none. */
const visit = (hash, run) => held.visit(hash, async (page) => {
  await run(page);
  await leave(page);
});
const drop = (page, name, buffer) => page.locator("#policy-file").setInputFiles({ name, mimeType: "application/wasm", buffer });

test("cards register and publish, Bob is notified, and page and server agree to the byte", async () => {
  await visit(CONFLICT, async (page) => {
    await agree(page);
    assert.deepEqual(await page.locator(".card .link").allInnerTexts(), ["200 OK to PUBLISH", "200 OK to PUBLISH", "200 OK to PUBLISH"]);
    await page.locator(".badge").click();
    assert.match(await page.locator(".popover").innerText(), /3 documents of this page/);
    await page.getByRole("tab", { name: "SIP" }).click();
    const trace = (await page.locator(".trace-line").allInnerTexts()).join("\n");
    for (const line of ["REGISTER sip:", "PUBLISH sip:alice@", "SUBSCRIBE sip:alice@", "NOTIFY sip:", "200 OK to PUBLISH"]) assert.ok(trace.includes(line), line);
  });
});

test("agreement holds through changes of every control", async () => {
  await visit(CONFLICT, async (page) => {
    const changed = async (step, status) => {
      await step();
      await page.locator(".contact-status", { hasText: status }).waitFor();
      await agree(page);
    };
    await changed(() => page.locator("#phone-activity").selectOption("busy"), "Busy");
    await changed(() => page.locator("#phone-idle").check(), "In a meeting");
    await page.locator("#web-note").fill("Ünïcödé — 日本 \u{1f600}");
    await page.locator(".fact-note", { hasText: "日本" }).waitFor();
    await agree(page);
    await page.locator("#desktop-closed").check({ force: true });
    await page.locator(".reach li.is-closed").waitFor();
    await agree(page);
  });
});

test("two quick changes make one publication with the newest value, not two", async () => {
  await visit("#phone=on.open.none.500.active", async (page) => {
    await agree(page);
    for (const activity of ["busy", "meeting", "meal", "away"]) await page.locator("#phone-activity").selectOption(activity);
    await page.locator(".contact-status", { hasText: "Away" }).waitFor();
    await agree(page);
    await page.locator(".badge").click();
    assert.match(await page.locator(".popover").innerText(), /Now: 1 document of this page; /);
  });
});

test("a device whose plug was pulled ends by itself on the server, and page and server agree on it", async () => {
  await visit("#desktop=on.open.none.500.active&phone=on.open.meeting.500.active", async (page) => {
    await page.locator(".contact-status", { hasText: "In a meeting" }).waitFor();
    await page.getByRole("button", { name: "Pull the plug of Phone" }).click();
    await page.locator(".contact-status", { hasText: "Available" }).waitFor({ timeout: 20_000 });
    await agree(page);
    await page.getByRole("button", { name: "Plug in Phone" }).click();
    await page.locator(".contact-status", { hasText: "In a meeting" }).waitFor();
    await agree(page);
  });
});

test("a bad policy is refused in the page with every error at once, and is not uploaded", async () => {
  await visit(CONFLICT, async (page) => {
    await drop(page, "wants-a-clock.wasm", refused());
    await page.locator(".verdict.is-bad").waitFor();
    const codes = await page.locator(".finding .code").allInnerTexts();
    for (const code of ["E120", "E130", "E131", "E132", "E133"]) assert.ok(codes.includes(code), `${code} in ${codes}`);
    assert.equal(await page.getByRole("button", { name: "Upload and activate" }).isVisible(), false);
    assert.deepEqual(await violations(page), []);
  });
});

test("a policy that never returns is ended in the page, and the page stays alive", async () => {
  await visit(CONFLICT, async (page) => {
    await drop(page, "loop.wasm", looping());
    await page.locator(".preview", { hasText: "out of fuel" }).waitFor();
    await page.locator("#phone-activity").selectOption("busy");
    await page.locator(".contact-status", { hasText: "Busy" }).waitFor();
  });
});

test("what the server would refuse is told before anything is uploaded, though the static check finds nothing", async () => {
  await visit(CONFLICT, async (page) => {
    await drop(page, "loop.wasm", looping());
    await page.getByText(/^The server would refuse loop: \d+ errors?$/).waitFor();
    assert.ok((await page.locator(".findings .code").allInnerTexts()).includes("E204"));
    assert.equal(await page.locator(".verdict.is-good").count(), 0);
    assert.equal(await page.getByRole("button", { name: "Upload and activate" }).isVisible(), false);
    await page.getByText("It cannot be activated. The built-in merge decides.").waitFor();
  });
});

test("a shipped policy is previewed, activated, agreed on to the byte, and taken back", async () => {
  const shipped = JSON.parse(await readFile(join(dist, "policies", "index.json"), "utf8"));
  assert.ok(shipped.policies.some((p) => p.name === "on-the-phone-wins"));
  // The desktop spoke last, so the built-in merge says meeting; the policy says phone.
  await visit("#desktop=on.open.meeting.800.active.360&phone=on.open.on-the-phone.900.active", async (page) => {
    await page.locator("#desktop-activity").selectOption("presentation");
    await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
    await page.locator("#policy").selectOption("on-the-phone-wins");
    await page.locator(".compare .is-changed", { hasText: "On the phone" }).waitFor();
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.locator(".contact-status", { hasText: "On the phone" }).waitFor();
    await page.getByText("on-the-phone-wins decides").waitFor();
    await agree(page);
    assert.deepEqual(await violations(page), []);
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
    await agree(page);
  });
});

test("a dropped file that passes is uploaded and activated too, and rolled back", async () => {
  await visit(CONFLICT, async (page) => {
    await drop(page, "Silent one.wasm", silent());
    await page.locator(".verdict.is-good").waitFor();
    await page.getByText("No opinion on this").waitFor();
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.getByText(/decides$/).waitFor();
    await agree(page);
    await page.getByRole("button", { name: "Take it back" }).click();
    await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
    await agree(page);
  });
});

test("a script is uploaded as it is written, activated, and agreed on to the byte", async () => {
  await visit(CONFLICT, async (page) => {
    await page.locator("#policy").selectOption("script");
    await page.locator("#script").fill('export const manifest = { name: "at-lunch", summary: "Lunch" };\nexport const merge = ({ publications }) => ({ set: { activities: ["meal"] }, explain: [`${publications.length} devices`] });');
    await page.locator(".compare .is-changed", { hasText: "At lunch" }).waitFor();
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.locator(".contact-status", { hasText: "At lunch" }).waitFor();
    await agree(page);
    await page.getByText(/The server has run at-lunch [^]* fuel on average/).waitFor();
    await page.reload();
    await page.locator(".bed-name", { hasText: "at-lunch decides" }).waitFor();
    await agree(page);
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
  });
});

test("a policy that makes views shows Bob what he is to Alice, and page and server agree on it as that changes", async () => {
  await visit(CONFLICT, async (page) => {
    await page.locator("#policy").selectOption("hide-from-strangers");
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.locator(".bed-name", { hasText: "hide-from-strangers decides" }).waitFor();
    await agree(page);
    await page.getByText("Stranger", { exact: true }).click();
    await page.getByRole("heading", { name: "Seen by: Stranger" }).waitFor();
    // By the parameters that it is shown with here, a stranger is always told closed.
    await page.locator(".contact-status", { hasText: "Offline" }).waitFor();
    await agree(page);
    await page.getByText("Bob", { exact: true }).first().click();
    await page.getByRole("heading", { name: "What Bob sees" }).waitFor();
    await page.locator(".contact-status", { hasText: "Busy" }).waitFor();

    // He becomes one of her family: another class, and another view of the server's.
    const { api_token, domain } = await (await fetch(`${held.server.origin}demo.json`)).json();
    const contact = `${held.server.origin}api/v1/presentities/sip:alice@${domain}/contacts/sip:bob@${domain}`;
    const headers = { Authorization: `Bearer ${api_token}`, "Content-Type": "application/json" };
    assert.equal((await fetch(contact, { method: "PUT", headers, body: '{"class":"family"}' })).status, 201);
    await page.locator("#phone-activity").selectOption("meal");
    await page.locator(".contact-status", { hasText: "At lunch" }).waitFor();
    await agree(page);
    assert.equal((await fetch(contact, { method: "DELETE", headers })).status, 204);
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
  });
});

test("where a policy that hides things fails, page and server show the same little", async () => {
  await visit(CONFLICT, async (page) => {
    await page.locator("#policy").selectOption("script");
    await page.locator("#script").fill(`export const manifest = { name: "discreet", summary: "Hides", privacy: true };
const without = (word, persons) => { if (persons.some((person) => person?.note?.some(({ text }) => text === word))) throw new Error(word); return null; };
export const merge = (input) => without("no merge", input.publications.map(({ person }) => person));
export const view = (input) => without("no view", [input.merged.person]);`);
    await page.getByText("Hides.", { exact: true }).waitFor();
    await page.getByText("No opinion on this").waitFor();
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.locator(".bed-name", { hasText: "discreet decides" }).waitFor();
    await agree(page);
    for (const note of ["no merge", "no view"]) {
      await page.locator("#desktop-note").fill(note);
      await page.getByText("discreet gave no answer to this (E209)").waitFor();
      await page.locator(".contact-status", { hasText: "Available" }).waitFor();
      assert.equal(await page.locator(".fact-note").count(), 0);
      await agree(page);
      await page.locator("#desktop-note").fill("Budget review");
      await page.locator(".fact-note", { hasText: "Budget review" }).waitFor();
      await agree(page);
    }
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
  });
});

test("a built-in alternative can be in force, and page and server agree on it", async () => {
  await visit(CONFLICT, async (page) => {
    await page.locator("#web-activity").selectOption("sleeping");
    await page.locator("#policy").selectOption("newest");
    await page.getByRole("button", { name: "Activate for Alice" }).click();
    await page.locator(".contact-status", { hasText: "Asleep" }).waitFor();
    await agree(page);
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
    await agree(page);
  });
});

test("the server goes: the page says so, goes on merging; the server comes back: cards and Bob reconnect and agree", async () => {
  await visit(CONFLICT, async (page) => {
    await agree(page);
    await held.server.stop("SIGKILL");
    await page.getByText("Server away").waitFor({ timeout: 20_000 });
    await page.locator("#phone-activity").selectOption("away");
    await page.locator(".contact-status", { hasText: "Away" }).waitFor();
    await page.locator("#policy").selectOption("most-recent-device");
    await page.locator(".verdict.is-good").waitFor();
    assert.deepEqual(await violations(page), []);
    await held.server.start();
    await page.getByText("Server connected").waitFor({ timeout: 20_000 });
    await page.locator(".badge[data-kind=agree]").waitFor({ timeout: 30_000 });
    await page.locator(".contact-status", { hasText: "Away" }).waitFor();
    for (const device of ["desktop", "phone", "web"]) await page.locator(`.card[data-kind=${device}][data-link=registered]`).waitFor({ timeout: 20_000 });
    await agree(page);
  });
});
