// The page kept by its service worker: without its server, and when the server comes back with another build.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hold } from "../browser/hold.mjs";
import { dist } from "../browser/serve.mjs";
import { demo } from "../browser/server.mjs";
import { agree } from "../browser/states.mjs";
import { seal } from "../seal.mjs";

const CASE = "#desktop=on.open.meeting.800.active.360&phone=on.open.on-the-phone.900.active.60";

/** A copy of the page, which is built anew in these tests. */
let site;
const held = hold(async () => {
  site = await mkdtemp(join(tmpdir(), "tributary-site-"));
  await cp(dist, site, { recursive: true });
  const server = await demo(site);
  return { ...server, close: async () => { await server.close(); await rm(site, { recursive: true, force: true }); } };
});

const ready = (page) => page.waitForSelector("html[data-ready=true]");
const kept = (page) => page.evaluate(async () => {
  await navigator.serviceWorker.ready;
  return caches.keys();
});
/** Waits until a newer worker that is on its way has taken over. */
const settled = (page) => page.evaluate(async () => {
  const registration = await navigator.serviceWorker.ready;
  await registration.update();
  const coming = registration.installing ?? registration.waiting ?? registration.active;
  if (coming.state !== "activated") await new Promise((done) => coming.addEventListener("statechange", () => coming.state === "activated" && done()));
});
const build = async () => /data-build="(\w+)"/.exec(await readFile(join(site, "index.html"), "utf8"))[1];

/** Another build of the page: its title is `title`. */
async function rebuild(title) {
  const file = join(site, "index.html");
  await writeFile(file, (await readFile(file, "utf8")).replace(/<title>.*<\/title>/, `<title>${title}</title>`));
  await seal(site);
}

test("reloaded with its server gone the page is whole: it merges, runs policies and checks files", async () => {
  const { page, context, errors } = await held.open(CASE);
  await agree(page);
  assert.deepEqual(await kept(page), [`tributary-${await build()}`]);
  await held.server.stop("SIGKILL");
  await page.reload();
  await ready(page);
  await page.getByText("Server away").waitFor();
  await page.locator(".contact-status", { hasText: "On the phone" }).waitFor();
  await page.locator("#desktop-activity").selectOption("presentation");
  await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
  await page.locator("#policy").selectOption("on-the-phone-wins");
  await page.locator(".verdict.is-good").waitFor();
  await page.getByRole("button", { name: "Use in this page" }).click();
  await page.locator(".contact-status", { hasText: "On the phone" }).waitFor();
  assert.deepEqual(errors, []);
  await held.server.start();
  await agree(page);
  await context.close();
});

test("a link with a script works without the network after it has been opened once", async () => {
  const link = `#desktop=on.open.meeting.800.active.360&policy=script&js=${encodeURIComponent('export const merge = () => ({ set: { activities: ["meal"] } });')}`;
  const lunch = (page) => page.locator(".compare .is-changed", { hasText: "At lunch" }).waitFor();
  const { page, context, errors } = await held.open(link);
  await lunch(page);
  await kept(page);
  // The engine for scripts was asked for before there was a worker to keep it.
  await page.waitForFunction(async () => (await caches.match("policies/javascript.engine", { ignoreSearch: true })) !== undefined);
  await held.server.stop("SIGKILL");
  await page.reload();
  await ready(page);
  await page.getByText("Server away").waitFor();
  await lunch(page);
  assert.deepEqual(errors, []);
  await held.server.start();
  await context.close();
});

test("a page on show when its server comes back with another build says so, and a reload brings it", async () => {
  const { page, context } = await held.open(CASE);
  await agree(page);
  const [before] = await kept(page);
  await held.server.stop("SIGKILL");
  await page.getByText("Server away").waitFor({ timeout: 20_000 });
  await rebuild("Second");
  await held.server.start();
  const offer = page.getByRole("button", { name: "Reload for the newer page" });
  await offer.waitFor({ timeout: 20_000 });
  assert.equal(await page.title(), "Tributary");
  await offer.click();
  await page.waitForFunction(() => document.title === "Second");
  await ready(page);
  assert.equal(await offer.isVisible(), false);
  assert.deepEqual(await kept(page), [`tributary-${await build()}`]);
  assert.notEqual(`tributary-${await build()}`, before);
  await context.close();
});

test("a reload after the server was updated shows the newer page at once, and keeps that one", async () => {
  const { page, context } = await held.open(CASE);
  await kept(page);
  await rebuild("Third");
  await page.reload();
  await ready(page);
  assert.equal(await page.title(), "Third");
  await settled(page);
  assert.deepEqual(await kept(page), [`tributary-${await build()}`]);
  assert.equal(await page.getByRole("button", { name: "Reload for the newer page" }).isVisible(), false);
  await held.server.stop("SIGKILL");
  await page.reload();
  await ready(page);
  assert.equal(await page.title(), "Third");
  await held.server.start();
  await context.close();
});

test("the worker keeps files of the page only: no answer of the API, no demo.json, no other page", async () => {
  const { page, context } = await held.open(CASE);
  await agree(page);
  const [name] = await kept(page);
  const urls = await page.evaluate(async (name) => (await (await caches.open(name)).keys()).map((request) => new URL(request.url).pathname), name);
  for (const path of urls) assert.doesNotMatch(path, /api|demo\.json|sw\.js|\.gz$/);
  for (const path of ["/", "/app.js", "/app.css", "/policy-worker.js", "/engine/web_engine_bg.wasm", "/engine/web_check_bg.wasm", "/policies/index.json"]) assert.ok(urls.includes(path), path);
  const answer = await page.goto(`${held.server.origin}nothing-here`);
  assert.equal(answer.status(), 404);
  await context.close();
});
