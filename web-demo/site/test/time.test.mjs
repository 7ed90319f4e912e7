// Another time of day, another time zone, other parameters: the page tries a policy with all that it may be told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { serve } from "../browser/serve.mjs";

const CASE = "#desktop=on.open.working.800.active.60";

const held = hold(serve);

const drop = (page, name, text) => page.locator("#policy-file").setInputFiles({ name, mimeType: "text/javascript", buffer: Buffer.from(text) });
const changed = (page, words) => page.locator(".compare .is-changed", { hasText: words }).waitFor();
const unchanged = (page) => page.getByText("No opinion on this").waitFor();

const LUNCH = `export const manifest = { name: "lunch", summary: "Lunch", params_schema: { type: "object", properties: { from: { type: "integer", minimum: 0 }, to: { type: "integer" } } } };
export function merge({ local_time, params }) {
  const { from = 12, to = 13 } = params;
  const hour = (local_time?.minutes ?? 0) / 60;
  return hour >= from && hour < to ? { set: { activities: ["meal"] }, explain: [JSON.stringify(local_time)] } : null;
}
export function params({ from = 12, to = 13 }) {
  if (from >= to) return "lunch ends before it begins";
}`;

test("a policy that goes by the clock is tried at any time of day in any time zone, and what is live stays live", async () => {
  await held.visit(CASE, async (page) => {
    await drop(page, "policy.js", LUNCH);
    await page.locator("#moment").fill("2031-07-14T12:30");
    await changed(page, "At lunch");
    await page.getByText("The policy is told that it is Monday, 2031-07-14 12:30.").waitFor();
    await page.getByText('{"tz":"UTC","minutes":750,"weekday":1,"date":"2031-07-14"}').waitFor();
    await page.getByText("Merged in this page for 2031-07-14 12:30 in UTC, with what is live now.").waitFor();
    await page.locator(".contact-status", { hasText: "Working" }).waitFor();
    await page.locator("#moment").fill("2031-07-14T13:00");
    await unchanged(page);
    await page.locator("#zone").selectOption("America/New_York");
    await page.getByText("The policy is told that it is Monday, 2031-07-14 09:00.").waitFor();
    await page.locator("#moment").fill("2031-07-14T12:59");
    await changed(page, "At lunch");
    await page.getByText('{"tz":"America/New_York","minutes":779,"weekday":1,"date":"2031-07-14"}').waitFor();
    await page.getByRole("button", { name: "Use in this page" }).click();
    await page.locator(".contact-status", { hasText: "At lunch" }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole("button", { name: "Back to now" }).click();
    await page.waitForFunction(() => !location.hash.includes("when="));
    assert.equal(await page.locator("#moment").inputValue(), "");
  });
});

test("a time of day is the same instant on both sides of a change to summer time", async () => {
  await held.visit(CASE, async (page) => {
    await drop(page, "policy.js", LUNCH);
    await page.locator("#zone").selectOption("Europe/Amsterdam");
    for (const [wall, utc] of [["2031-03-29T12:30", "11:30"], ["2031-03-30T12:30", "10:30"], ["2031-10-26T12:30", "11:30"], ["2031-03-30T01:59", "00:59"]]) {
      await page.locator("#moment").fill(wall);
      const at = Date.parse(`${wall.slice(0, 10)}T${utc}Z`);
      await page.waitForFunction((when) => location.hash.includes(`when=${when}`), at);
    }
  });
});

test("parameters are judged by the schema and by the policy itself, in the words of the server, and tried when they are good", async () => {
  await held.visit(`${CASE}&when=${Date.UTC(2031, 6, 14, 10, 30)}`, async (page) => {
    await drop(page, "policy.js", LUNCH);
    await unchanged(page);
    const use = page.getByRole("button", { name: "Use in this page" });
    const wrong = async (params, code, words) => {
      await page.locator("#params").fill(params);
      await page.locator(".editor .finding", { hasText: words }).waitFor();
      assert.equal(await page.locator(".editor .finding .code").first().innerText(), code);
      await page.getByText("It cannot be activated with these parameters.").waitFor();
      assert.equal(await use.isDisabled(), true);
    };
    await wrong('{"from":"ten"}', "E207", "has to be of type");
    await wrong('{"from":10.5}', "E200", "The parameters are not JSON");
    await wrong("[]", "E200", "not an object");
    await wrong('{"from":14}', "E209", "lunch ends before it begins");
    assert.deepEqual(await violations(page), []);
    await page.locator("#params").fill('{"from":10}');
    await changed(page, "At lunch");
    await use.click();
    await page.locator(".contact-status", { hasText: "At lunch" }).waitFor();
    await page.getByText('Its parameters: {"from":10}').waitFor();
    // What is tried and what decides are two things, and both are on show.
    await page.locator("#params").fill("{}");
    await unchanged(page);
    await page.getByText("Only looked at here. lunch decides until you activate it.").waitFor();
    await page.locator(".contact-status", { hasText: "At lunch" }).waitFor();
  });
});

test("a link carries the parameters, the time of day and the time zone, and the card and the preview go by them", async () => {
  const script = LUNCH.replace("lunch", "link-lunch");
  await held.visit(`${CASE}&policy=script&js=${encodeURIComponent(script)}`, async (page) => {
    await page.getByText("The policy is told").waitFor();
    await page.locator("#params").fill('{"from":20,"to":22}');
    await page.locator("#zone").selectOption("Asia/Tokyo");
    await page.locator("#moment").fill("2031-07-14T21:15");
    await changed(page, "At lunch");
    await page.waitForFunction(() => ["params=", "when=", "tz=Asia"].every((part) => location.hash.includes(part)));
    const again = await held.open(new URL(page.url()).hash);
    await changed(again.page, "At lunch");
    assert.equal(await again.page.locator("#params").inputValue(), '{"from":20,"to":22}');
    assert.equal(await again.page.locator("#moment").inputValue(), "2031-07-14T21:15");
    assert.equal(await again.page.locator("#zone").inputValue(), "Asia/Tokyo");
    await again.page.getByRole("button", { name: "Use in this page" }).click();
    await again.page.locator(".contact-status", { hasText: "At lunch" }).waitFor();
    assert.deepEqual(again.errors, []);
    await again.context.close();
  });
});

test("what is still being typed is not what is activated", async () => {
  await held.visit(CASE, async (page) => {
    await page.locator("#policy").selectOption("script");
    await page.locator(".verdict.is-good").waitFor();
    const now = await page.locator("#script").evaluate((editor) => {
      editor.value = "export const merge = () => null;";
      editor.dispatchEvent(new Event("input", { bubbles: true }));
      return new Promise((resolve) => queueMicrotask(() => queueMicrotask(() => resolve([...document.querySelectorAll(".buttons .primary")].every((button) => button.disabled)))));
    });
    assert.equal(now, true);
    await page.locator(".verdict.is-good").waitFor();
    assert.equal(await page.getByRole("button", { name: "Use in this page" }).isDisabled(), false);
  });
});

test("nothing scrolls sideways at another time of day, from 360 px to 2,560 px", async () => {
  await held.visit(`${CASE}&tz=America/Argentina/Rio_Gallegos&when=${Date.UTC(2031, 10, 30, 23, 59)}`, async (page) => {
    for (const width of [360, 390, 640, 999, 1000, 1100, 1200, 1280, 1440, 1920, 2560]) {
      await page.setViewportSize({ width, height: 900 });
      const [wide, bar] = await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector("#bar").getBoundingClientRect().height]);
      assert.ok(wide <= width, `${wide} px wide in a window of ${width} px`);
      assert.ok(width < 1000 || bar < 60, `a bar of ${bar} px in a window of ${width} px`);
    }
  });
});
