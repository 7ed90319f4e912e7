// Screenshots of the page's states against the real server: `node browser/screenshots.mjs [folder]`.
// Two sizes, light and dark; to be looked at, and the source of docs/images.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch, open } from "./chromium.mjs";
import { demo } from "./server.mjs";
import { refused } from "./wasm.mjs";

const folder = process.argv[2] ?? "screenshots";
await mkdir(folder, { recursive: true });

const CONFLICT = "#desktop=on.open.meeting.800.active.360&desktop.note=Budget+review+until+15%3A00&phone=on.open.on-the-phone.900.active.60&web=on.closed.none.200.idle";

const STATES = {
  "first-visit": { hash: "", async act() {} },
  "conflict-explained": {
    hash: CONFLICT + "&tab=why",
    async act(page) {
      await page.getByRole("button", { name: "Two devices disagree" }).click();
      await page.locator(".contact-status", { hasText: "On the phone" }).waitFor();
      await page.locator(".why-entry").first().hover();
    },
  },
  "policy-refused": {
    hash: CONFLICT,
    async act(page) {
      await page.locator("#policy-file").setInputFiles({ name: "wants-a-clock.wasm", mimeType: "application/wasm", buffer: refused() });
      await page.locator(".verdict.is-bad").waitFor();
    },
  },
  "policy-active": {
    hash: CONFLICT,
    async act(page) {
      await page.locator("#desktop-activity").selectOption("presentation");
      await page.locator(".contact-status", { hasText: "Presenting" }).waitFor();
      await page.locator("#policy").selectOption("on-the-phone-wins");
      await page.getByRole("button", { name: "Upload and activate" }).click();
      await page.locator(".contact-status", { hasText: "On the phone" }).waitFor();
      await page.getByText("Fuel a call").waitFor();
    },
    async undo(page) {
      await page.getByRole("switch", { name: "Policy in force" }).click();
      await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
    },
  },
  "server-gone": {
    hash: CONFLICT,
    async act(page, server) {
      await page.locator(".badge[data-kind=agree]").waitFor();
      await server.stop("SIGKILL");
      await page.getByText("Server away").waitFor({ timeout: 20_000 });
      await page.locator("#phone-activity").selectOption("away");
      await page.locator(".contact-status", { hasText: "Away" }).waitFor();
    },
    async undo(_page, server) {
      await server.start();
    },
  },
};

const server = await demo();
const browser = await launch();
try {
  for (const [name, state] of Object.entries(STATES)) {
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      for (const colorScheme of ["light", "dark"]) {
        const { page, context } = await open(browser, server.origin + state.hash, { viewport: { width, height }, colorScheme });
        if (name !== "server-gone") await page.locator(".badge[data-kind=agree]").waitFor();
        await state.act(page, server);
        await page.evaluate(() => document.activeElement?.blur());
        await page.waitForTimeout(400);
        if (name !== "server-gone") await page.locator(".badge[data-kind=agree]").waitFor();
        await page.screenshot({ path: join(folder, `${name}-${width}x${height}-${colorScheme}.png`), fullPage: width < 1000 });
        await state.undo?.(page, server);
        await page.getByRole("tab", { name: "Card" }).click();
        await page.getByRole("button", { name: "All is off" }).click();
        await page.getByText("Turn a device on").waitFor();
        await context.close();
      }
    }
    console.log(name);
  }
} finally {
  await browser.close();
  await server.close();
}
