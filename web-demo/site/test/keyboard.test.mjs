// The page's main story told by keyboard alone, against the real server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hold } from "../browser/hold.mjs";
import { demo } from "../browser/server.mjs";
import { agree, leave } from "../browser/states.mjs";
import { refused } from "../browser/wasm.mjs";

const held = hold(demo);

const MOST_STOPS = 60;

/** Presses Tab until the element with this role and name has the focus; on the way every stop must be visible. */
async function tabTo(page, role, name, key = "Tab") {
  const wanted = page.getByRole(role, { name, exact: false }).first();
  for (let stop = 0; stop < MOST_STOPS; stop++) {
    if (await wanted.evaluate((element) => element === document.activeElement)) return wanted;
    await page.keyboard.press(key);
    const unseen = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return null;
      // The ring is the element's own, or that of the label which stands for an input that is not drawn.
      const drawn = [element, element.nextElementSibling].filter((e) => e !== null);
      return drawn.some((e) => getComputedStyle(e).outlineStyle !== "none") ? null : element.outerHTML.slice(0, 120);
    });
    assert.equal(unseen, null, "an element has the focus and does not show it");
  }
  throw new Error(`${role} “${name}” is not reached by ${key}`);
}

test("a case, a change, the reason, a policy on and off: all by keyboard", async () => {
  const { page, context } = await held.open();
  await agree(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the first stop skips the bar");

  await tabTo(page, "button", "Two devices disagree");
  await page.keyboard.press("Enter");
  await page.locator(".contact-status", { hasText: "On the phone" }).waitFor();

  await tabTo(page, "combobox", "Desktop: activity");
  await page.keyboard.type("Presen");
  await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
  await tabTo(page, "textbox", "Desktop: note");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Until four");
  await tabTo(page, "slider", "Priority");
  await page.keyboard.press("ArrowLeft");
  await page.locator(".fact-note", { hasText: "Until four" }).waitFor();

  await tabTo(page, "combobox", "Look at a policy");
  await page.keyboard.type("on-the");
  await page.locator(".compare .is-changed", { hasText: "On the phone" }).waitFor();
  await tabTo(page, "button", "Upload and activate");
  await page.keyboard.press("Enter");
  await page.locator(".contact-status", { hasText: "On the phone" }).waitFor();
  await agree(page);

  await tabTo(page, "tab", "Card");
  await page.keyboard.press("ArrowRight");
  await page.locator(".why-entry", { hasText: "On the phone" }).first().waitFor();
  await page.keyboard.press("Tab");
  await page.waitForFunction(() => document.activeElement.classList.contains("why-entry"));

  await tabTo(page, "switch", "Policy in force", "Shift+Tab");
  await page.keyboard.press("Space");
  await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
  await agree(page);
  await leave(page);
  await context.close();
});

test("a file is chosen by keyboard, and a device is cut off and plugged in again", async () => {
  const { page, context } = await held.open("#phone=on.open.meeting.500.active");
  // Long before the key: the browser's own dialog would come if it were faster than this is told to it.
  const chooser = page.waitForEvent("filechooser");
  await agree(page);
  await tabTo(page, "button", "Pull the plug of Phone");
  await page.keyboard.press("Enter");
  await page.getByText("Cut off").waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".card[data-link=registered]").waitFor();

  // What stands between the list and the file depends on what is in force.
  await page.locator("#policy").focus();
  const focused = () => page.evaluate(() => document.activeElement.id);
  for (let stop = 0; (await focused()) !== "policy-file" && stop < MOST_STOPS; stop++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles({ name: "wants-a-clock.wasm", mimeType: "application/wasm", buffer: refused() });
  await page.locator(".verdict.is-bad").waitFor();
  await leave(page);
  await context.close();
});

test("the keyboard goes through the page in reading order and leaves it again", async () => {
  const { page, context } = await held.open();
  await agree(page);
  const regions = [];
  for (let stop = 0; stop < 2 * MOST_STOPS; stop++) {
    await page.keyboard.press("Tab");
    const where = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return "end";
      const place = ["skip", "bar", "cases", "devices", "confluence", "watcher"].find((name) => element.closest(`.${name}`) !== null);
      return place ?? element.outerHTML.slice(0, 80);
    });
    if (where === "end") break;
    if (regions.at(-1) !== where) regions.push(where);
  }
  assert.deepEqual(regions, ["skip", "bar", "cases", "devices", "confluence", "watcher"]);
  await leave(page);
  await context.close();
});
