// The page without a server: the in-page merge alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { serve } from "../browser/serve.mjs";

// The phone spoke a minute ago, the desktop six.
const CONFLICT = "#desktop=on.open.meeting.800.active.360&desktop.note=Budget+review&phone=on.open.on-the-phone.900.active.60&web=on.closed.none.200.idle.900";

const held = hold(serve);

async function visit(hash = "", options = {}) {
  const { page, context, errors } = await held.open(hash, options);
  return { page, context, errors, status: () => page.locator(".contact-status").innerText(), done: () => context.close() };
}

test("without a server the page says so, merges by itself, and reports no error", async () => {
  const { page, errors, done } = await visit();
  await page.getByText("Server away").waitFor();
  await page.getByText("Merged in this page alone").first().waitFor();
  assert.match(await page.locator(".contact-status").innerText(), /Working/);
  assert.deepEqual(errors, []);
  await done();
});

test("a server that is no demo is not said to be away, nor to ask for anything", async () => {
  const { page, done } = await visit();
  await page.getByText("Server away").waitFor();
  await page.route("**/healthz", (route) => route.fulfill({ body: "ok" }));
  await page.getByText("Server is no demo", { exact: true }).waitFor();
  await page.getByText("starts one for this page").waitFor();
  await done();
});

test("a card's change shows in what Bob would see, with the mark of its device", async () => {
  const { page, done } = await visit(CONFLICT);
  await page.locator("#phone-activity").selectOption("busy");
  await page.locator(".contact-status", { hasText: "Busy" }).waitFor();
  assert.equal(await page.locator(".contact-status .mark").first().getAttribute("title"), "Phone");
  await done();
});

test("the why view names what was beaten", async () => {
  const { page, done } = await visit(CONFLICT);
  await page.locator("#phone-activity").selectOption("steering");
  await page.getByRole("tab", { name: "Why" }).click();
  const entry = page.locator(".why-entry", { hasText: "Driving" }).first();
  await entry.waitFor();
  assert.match(await entry.innerText(), /beats[^]*In a meeting/);
  await done();
});

test("an idle device yields to an active one", async () => {
  const { page, done } = await visit("#desktop=on.open.busy.800.active&phone=on.open.meeting.500.active");
  await page.locator("#desktop-activity").selectOption("presentation");
  await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
  await page.locator("#desktop-idle").check();
  await page.locator(".contact-status", { hasText: "In a meeting" }).waitFor();
  await done();
});

test("with every device off Bob sees nothing, and is told what to do", async () => {
  const { page, done } = await visit();
  await page.getByRole("button", { name: "All is off" }).click();
  await page.getByText("Turn a device on").waitFor();
  await page.getByRole("switch", { name: "Phone on" }).click();
  await page.locator(".contact-status", { hasText: "Available" }).waitFor();
  await done();
});

test("the state is in the fragment: the address opened anew shows the same case", async () => {
  const { page, done } = await visit();
  await page.locator("#desktop-note").fill("Back at 16:30 & later");
  await page.locator("#phone-activity").selectOption("meal");
  await page.getByRole("tab", { name: "JSON" }).click();
  await page.waitForFunction(() => location.hash.includes("meal") && location.hash.includes("16%3A30") && location.hash.includes("tab=json"));
  const again = await visit(new URL(page.url()).hash);
  assert.equal(await again.page.locator("#desktop-note").inputValue(), "Back at 16:30 & later");
  assert.equal(await again.page.locator("#phone-activity").inputValue(), "meal");
  assert.equal(await again.page.getByRole("tab", { name: "JSON" }).getAttribute("aria-selected"), "true");
  await again.done();
  await done();
});

test("a link reproduces a case with its policy, its moment and its colours", async () => {
  const at = Date.now() + 20 * 60_000;
  const { page, done } = await visit(`#desktop=on.open.presentation.800.active.60&phone=on.open.on-the-phone.900.active.360&policy=on-the-phone-wins&theme=dark&at=${at}`);
  await page.locator(".compare .is-changed", { hasText: "On the phone" }).waitFor();
  assert.equal(await page.locator("#policy").inputValue(), "on-the-phone-wins");
  assert.match(await page.locator(".time-words").innerText(), /in 20 min/);
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  await page.locator("#desktop-priority").fill("300");
  await page.waitForFunction(() => location.hash.includes("desktop=on.open.presentation.300"));
  const again = await visit(new URL(page.url()).hash);
  await again.page.locator(".compare .is-changed", { hasText: "On the phone" }).waitFor();
  assert.equal(await again.page.locator("#desktop-priority").inputValue(), "300");
  await again.done();
  await done();
});

test("a fragment that makes no sense gives the first visit, not an error", async () => {
  const { page, errors, done } = await visit("#desktop=%FF...&tab=<script>&at=never&policy=../../x&theme=neon");
  assert.equal(await page.locator(".card").count(), 1);
  assert.equal(await page.getByRole("tab", { name: "Card" }).getAttribute("aria-selected"), "true");
  assert.deepEqual(errors, []);
  await done();
});

test("a note that is markup stays text in every view", async () => {
  const note = "</note><b>x</b>&amp;]]>\u202e";
  const { page, errors, done } = await visit(`#desktop=on.open.none.500.active&desktop.note=${encodeURIComponent(note)}`);
  for (const tab of ["Card", "Why", "PIDF", "JSON", "SIP"]) {
    await page.getByRole("tab", { name: tab }).click();
    assert.equal(await page.locator("main b").count(), 0, tab);
  }
  await page.getByRole("tab", { name: "Card" }).click();
  assert.match(await page.locator(".fact-note").first().innerText(), /<\/note><b>x<\/b>&amp;\]\]>/);
  assert.deepEqual(errors, []);
  await done();
});

test("pinned past every expiry nothing is left, and back to now all returns", async () => {
  const { page, done } = await visit();
  await page.locator("#time").fill(String(60 * 60_000));
  await page.getByText("Another time: not compared").first().or(page.getByText("Merged in this page alone").first()).waitFor();
  await page.locator(".contact-status", { hasText: /Nothing known|Offline/ }).waitFor();
  assert.equal(await page.locator(".stream:not(.is-dry)").count(), 0);
  await page.getByRole("button", { name: "Back to now" }).click();
  await page.locator(".contact-status", { hasText: "Working" }).waitFor();
  await done();
});

test("a device whose plug was pulled ends after the grace time, and comes back when plugged in", async () => {
  const { page, done } = await visit("#phone=on.open.meeting.500.active");
  await page.getByRole("button", { name: "Pull the plug of Phone" }).click();
  await page.getByText("Its state stays for 10 s").waitFor();
  await page.locator(".contact-status", { hasText: "In a meeting" }).waitFor();
  await page.getByText("Its state has ended").waitFor({ timeout: 15_000 });
  await page.getByRole("button", { name: "Plug in Phone" }).click();
  await page.locator(".contact-status", { hasText: "In a meeting" }).waitFor();
  await done();
});

test("devices can be added up to five and removed, by keyboard alone", async () => {
  const { page, done } = await visit();
  const add = page.getByRole("button", { name: "Add a device" });
  await add.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".card").count(), 5);
  assert.equal(await add.isHidden(), true);
  await page.getByRole("button", { name: "Remove Desk phone" }).focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".card").count(), 4);
  await done();
});

test("focus on a value dims the streams it did not come from", async () => {
  const { page, done } = await visit(CONFLICT);
  await page.locator("#phone-activity").selectOption("busy");
  await page.locator(".contact-status", { hasText: "Busy" }).waitFor();
  await page.locator(".fact-status").focus();
  await page.waitForFunction(() => document.querySelector(".stream.dev-desktop.is-dim") !== null);
  assert.equal(await page.locator(".stream.dev-phone.is-dim").count(), 0);
  await done();
});

for (const [width, height] of [[390, 844], [1440, 900]]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe-core finds nothing at ${width} px, ${colorScheme}`, async () => {
      const { page, done } = await visit(CONFLICT, { viewport: { width, height }, colorScheme });
      const found = [];
      for (const tab of ["Card", "Why", "PIDF", "JSON", "SIP"]) {
        await page.getByRole("tab", { name: tab }).click();
        found.push(...(await violations(page)).map((line) => `${tab}: ${line}`));
      }
      assert.deepEqual(found, []);
      await done();
    });
  }
}

test("nothing scrolls sideways from 360 px to 2,560 px", async () => {
  const { page, done } = await visit(CONFLICT);
  for (const width of [360, 390, 640, 999, 1000, 1280, 1920, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${wide} px wide in a window of ${width} px`);
  }
  await done();
});

test("nothing is asked of any other host, and nothing inline would run", async () => {
  const context = await held.browser.newContext();
  const page = await context.newPage();
  const foreign = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(held.server.origin)) foreign.push(request.url());
  });
  await page.goto(held.server.origin);
  await page.waitForSelector("html[data-ready=true]");
  assert.deepEqual(foreign, []);
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.inlineRan = true";
    document.head.append(script);
    return window.inlineRan === true;
  });
  assert.equal(ran, false);
  const policy = await page.locator("meta[http-equiv=Content-Security-Policy]").getAttribute("content");
  assert.match(policy, /default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';/);
  await context.close();
});

test("a link shows the same winner on every machine: it carries how long ago each device spoke", async () => {
  for (const [desktop, phone, expect] of [[360, 60, "On the phone"], [60, 360, "In a meeting"]]) {
    const { status, done } = await visit(`#desktop=on.open.meeting.500.active.${desktop}&phone=on.open.on-the-phone.500.active.${phone}`);
    assert.match(await status(), new RegExp(expect));
    await done();
  }
});
