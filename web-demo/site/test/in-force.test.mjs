// What is in force, whoever put it there and by whatever way: the page says the same as the server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { demo } from "../browser/server.mjs";
import { agree, leave } from "../browser/states.mjs";

const CASE = "#desktop=on.open.working.800.active.60";

const held = hold(demo);

const visit = (run, hash = CASE) => held.visit(hash, async (page) => {
  await run(page);
  await leave(page);
});

const drop = (page, name, text) => page.locator("#policy-file").setInputFiles({ name, mimeType: "text/javascript", buffer: Buffer.from(text) });
const status = (page, words) => page.locator(".contact-status", { hasText: words }).waitFor();
const tried = (page) => page.getByText("Passes the check, and the server’s trial").waitFor();
const inForce = (page, words) => page.locator(".in-force", { hasText: words }).waitFor();

/** The server's API, as somebody else uses it while the page is open. */
async function api(method, path, body) {
  const { api_token } = await (await fetch(`${held.server.origin}demo.json`)).json();
  const headers = { Authorization: `Bearer ${api_token}`, "Content-Type": body instanceof Uint8Array ? "application/wasm" : "application/json" };
  const init = body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) };
  const answer = await fetch(`${held.server.origin}api/v1/${path}`, { method, headers, ...init });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}
const upload = async (script) => (await api("POST", "policies", Buffer.from(script))).id;

const ALICE = "assignments/user:sip:alice@example.com";
const EVERYBODY = "assignments/domain:example.com";

/** Says what its parameters say, and hides as much from strangers as they say. */
const told = (name) => `export const manifest = { name: "${name}", summary: "Says what it is told", params_schema: { type: "object", properties: { as: { type: "string" }, hide: { type: "boolean" } } } };
export const merge = ({ params }) => ({ set: { activities: [params.as ?? "working"] } });
export const view = ({ watcher, params }) => (watcher.class === "stranger" && params.hide ? { level: "basic" } : null);`;

test("a first policy can be taken back with the button that is there for it", async () => {
  await visit(async (page) => {
    await drop(page, "policy.js", told("first"));
    await tried(page);
    await page.locator("#params").fill('{"as":"meal"}');
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await status(page, "At lunch");
    await inForce(page, 'first, assigned to AliceIts parameters: {"as":"meal"}');
    await page.getByRole("button", { name: "Take it back" }).click();
    await page.getByText("Taken back: nothing was assigned to Alice before. The built-in merge decides.").waitFor();
    await status(page, "Working");
    await agree(page);
    assert.equal(await page.getByRole("button", { name: /Take it back|Roll back/ }).isVisible(), false);
  });
});

test("parameters that change while the page is open are followed, for Bob and for whomever else it looks as", async () => {
  const policy = await upload(told("followed"));
  await visit(async (page) => {
    await api("PUT", ALICE, { policy, params: { as: "meal" } });
    await status(page, "At lunch");
    await agree(page);
    await api("PUT", ALICE, { policy, params: { as: "away" } });
    await status(page, "Away");
    await agree(page);
    await page.getByText("Stranger", { exact: true }).click();
    await page.getByRole("heading", { name: "Seen by: Stranger" }).waitFor();
    await status(page, "Away");
    // Nothing of this comes to Bob, so no NOTIFY tells the page.
    await api("PUT", ALICE, { policy, params: { as: "away", hide: true } });
    await status(page, "Available");
    await inForce(page, '"hide":true');
    await agree(page);
    await api("DELETE", ALICE);
    await inForce(page, "Built-in merge");
    await status(page, "Working");
    await agree(page);
  });
});

test("a trial, its activation and a rollback elsewhere are followed", async () => {
  const policy = await upload(told("tried"));
  await visit(async (page) => {
    await api("PUT", EVERYBODY, { policy, params: { as: "meal" } });
    await status(page, "At lunch");
    await inForce(page, "tried, assigned to everybody in example.com");
    await api("PUT", EVERYBODY, { policy, params: { as: "busy" }, canary: 100 });
    await status(page, "Busy");
    await inForce(page, '"as":"busy"');
    await agree(page);
    await api("POST", `${EVERYBODY}/activate`, {});
    await inForce(page, "tried, assigned to everybody in example.com");
    await agree(page);
    await api("POST", `${EVERYBODY}/rollback`);
    await status(page, "At lunch");
    await inForce(page, '"as":"meal"');
    await agree(page);
    await api("DELETE", EVERYBODY);
    await status(page, "Working");
    await agree(page);
  });
});

test("what decides, the switch and the list say the same, whoever assigned it; and off is off for Alice", async () => {
  const policy = await upload(told("everybodys"));
  await visit(async (page) => {
    await api("PUT", EVERYBODY, { policy, params: { as: "meal" } });
    await page.locator(".bed-name", { hasText: "everybodys decides" }).waitFor();
    const chosen = () => page.locator("#policy").evaluate((list) => list.selectedOptions[0].textContent);
    assert.equal(await chosen(), "everybodys");
    await page.getByText("This is what decides now, with these parameters.").waitFor();
    assert.equal(await page.locator("#params").inputValue(), '{ "as": "meal" }');
    assert.equal(await page.getByRole("switch", { name: "Policy in force" }).getAttribute("aria-checked"), "true");
    assert.equal(await page.getByRole("button", { name: /Take it back|Roll back/ }).isVisible(), false);
    assert.deepEqual(await violations(page), []);

    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.getByText("The built-in merge decides for Alice. For others nothing has changed.").waitFor();
    await status(page, "Working");
    assert.equal(await page.getByRole("switch", { name: "Policy in force" }).getAttribute("aria-checked"), "false");
    assert.equal(await chosen(), "Built-in merge");
    await page.getByText("This is what decides now.").waitFor();
    await agree(page);
    await api("DELETE", ALICE);
    await status(page, "At lunch");

    // Somebody's choice stays as it is, and is said to be no more than that.
    await page.locator("#policy").selectOption("most-recent-device");
    await page.getByText("Only looked at here. everybodys decides until you activate it.").waitFor();
    await api("PUT", EVERYBODY, { policy, params: { as: "busy" } });
    await status(page, "Busy");
    assert.equal(await chosen(), "most-recent-device");
    await page.locator("#policy").selectOption({ label: "everybodys" });
    await page.getByText("This is what decides now, with these parameters.").waitFor();
    await page.locator("#params").fill('{"as":"away"}');
    await page.locator(".compare .is-changed", { hasText: "Away" }).waitFor();
    await page.getByRole("button", { name: "Activate with these parameters" }).click();
    await status(page, "Away");
    await inForce(page, "everybodys, assigned to Alice");
    await agree(page);
    await api("DELETE", EVERYBODY);
    await page.getByRole("button", { name: "Take it back" }).click();
    await status(page, "Working");
    await agree(page);
  });
});

test("a policy that the server would refuse does not pass here, and why is said in the server's words", async () => {
  await visit(async (page) => {
    await drop(page, "lunch.js", 'export const manifest = { name: "lunch" };\nexport const merge = () => ({ set: { activity: ["meal"] } });');
    await page.getByText(/^The server would refuse lunch: \d+ errors?$/).waitFor();
    assert.ok((await page.locator(".findings .code").allInnerTexts()).includes("E206"));
    assert.equal(await page.locator(".verdict.is-good").count(), 0);
    assert.equal(await page.getByRole("button", { name: "Upload and activate" }).isVisible(), false);
    await page.getByText("It cannot be activated. The built-in merge decides.").waitFor();

    await page.locator("#policy").selectOption("script");
    await page.locator("#script").fill('export const manifest = { name: "endless" };\nexport const merge = () => { for (;;); };');
    await page.getByText(/^The server would refuse endless: \d+ errors?$/).waitFor();
    assert.ok((await page.locator(".findings .code").allInnerTexts()).includes("E204"));
    await page.locator("#script").fill('export const manifest = { name: "lunch" };\nexport const merge = () => ({ set: { activities: ["meal"] } });');
    await tried(page);
  });
});

test("a policy is called what it calls itself, in the list, in force and to the server", async () => {
  await visit(async (page) => {
    await drop(page, "policy.js", told("siesta"));
    await tried(page);
    assert.equal(await page.locator("#policy").evaluate((list) => list.selectedOptions[0].textContent), "siesta, from policy.js");
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await page.locator(".bed-name", { hasText: "siesta decides" }).waitFor();
    await page.getByText("This is what decides now, with these parameters.").waitFor();
    assert.ok((await api("GET", "policies")).policies.some(({ name }) => name === "siesta"));
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await page.getByText("The policy is off. The built-in merge decides.").waitFor();
  });
});

test("what a view leaves of a value is said in plain words", async () => {
  await visit(async (page) => {
    await drop(page, "half.js", `export const manifest = { name: "half" };
export const merge = () => ({ set: { activities: ["working", "away"] } });
export const view = ({ merged }) => (JSON.stringify(merged).includes('"working"') ? { set: { activities: ["away"] } } : null);`);
    await tried(page);
    await page.getByRole("button", { name: "Upload and activate" }).click();
    await status(page, /^Away/);
    await page.getByText("‘Away’ is what the policy half shows Bob of ‘Working, Away’.").waitFor();
    await agree(page);
    await page.getByRole("switch", { name: "Policy in force" }).click();
    await status(page, "Working");
  });
});
