// The five states that the page is judged by, each with axe-core, light and dark, narrow and wide, and with text twice as large.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "../browser/axe.mjs";
import { hold } from "../browser/hold.mjs";
import { demo } from "../browser/server.mjs";
import { agree, leave, STATES } from "../browser/states.mjs";

const held = hold(demo);

/** What is wider than its window, or cut off though nothing says that it goes on. */
const overflowing = (page) => page.evaluate(() => {
  const found = document.documentElement.scrollWidth > innerWidth ? [`the page is ${document.documentElement.scrollWidth} px wide`] : [];
  for (const element of document.querySelectorAll("button, label, h1, h2, h3, p, select, td, th")) {
    const style = getComputedStyle(element);
    if (element.closest(".unseen, [hidden], pre") !== null || style.textOverflow === "ellipsis" || element.clientWidth === 0) continue;
    if (element.scrollWidth > element.clientWidth + 1 && style.display !== "inline") found.push(`${element.tagName} ${element.className}: ${element.textContent.slice(0, 40)}`);
  }
  return found;
});

for (const [name, state] of Object.entries(STATES)) {
  test(`${name}: axe-core finds nothing in light and dark, and nothing overflows from 360 px on, at twice the text size neither`, async () => {
    const { page, context } = await held.open(state.hash, { viewport: { width: 1440, height: 900 }, colorScheme: "light" });
    await agree(page);
    await state.act(page, held.server);
    const found = [];
    const note = (what, list) => found.push(...list.map((line) => `${what}: ${line}`));
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        note(`${width} px ${colorScheme}`, await violations(page));
      }
    }
    for (const width of [360, 768, 2560]) {
      await page.setViewportSize({ width, height: 900 });
      note(`${width} px`, await overflowing(page));
    }
    // The text size of the browser's settings, not its zoom, which is the same as a narrower window.
    const session = await context.newCDPSession(page);
    await session.send("Page.setFontSizes", { fontSizes: { standard: 32, fixed: 26 } });
    for (const width of [1440, 768]) {
      await page.setViewportSize({ width, height: 900 });
      note(`${width} px, text at 200 %`, await overflowing(page));
    }
    await session.send("Page.setFontSizes", { fontSizes: { standard: 16, fixed: 13 } });
    assert.deepEqual(found, []);
    await state.undo?.(page, held.server);
    await leave(page);
    await context.close();
  });
}

test("what wins a value glows once for less than 300 ms, and nothing moves for who asked for no motion", async () => {
  for (const [reducedMotion, expect] of [["no-preference", true], ["reduce", false]]) {
    const { page, context } = await held.open("#desktop=on.open.meeting.500.active.60&phone=on.open.none.500.active.30", { reducedMotion });
    await agree(page);
    await page.evaluate(() => {
      window.moved = [];
      for (const type of ["animationstart", "transitionrun"])
        addEventListener(type, (e) => window.moved.push([e.animationName ?? e.propertyName, ...e.target.getAnimations().map((a) => a.effect.getTiming().duration * a.effect.getTiming().iterations)]));
    });
    await page.locator("#phone-activity").selectOption("busy");
    await page.locator(".contact-status", { hasText: "Busy" }).waitFor();
    await agree(page);
    if (expect) await page.waitForFunction(() => window.moved.some(([name]) => name === "glow"));
    const moved = await page.evaluate(() => window.moved);
    if (!expect) assert.deepEqual(moved, []);
    for (const [name, ...durations] of moved) for (const ms of durations) assert.ok(ms < 300, `${name} takes ${ms} ms`);
    await leave(page);
    await context.close();
  }
});
