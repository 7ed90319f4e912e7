// The five states of the page that it is judged by: how to get there, against the real server, and back.
import { refused } from "./wasm.mjs";

const CONFLICT = "#desktop=on.open.meeting.800.active.360&desktop.note=Budget+review+until+15%3A00&phone=on.open.on-the-phone.900.active.60&web=on.closed.none.200.idle";

export const STATES = {
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
      await page.getByText("Fuel for this case").waitFor();
    },
    async undo(page) {
      await page.getByRole("switch", { name: "Policy in force" }).click();
      await page.locator(".bed-name", { hasText: "Built-in merge" }).waitFor();
    },
  },
  "server-gone": {
    hash: CONFLICT,
    async act(page, server) {
      await agree(page);
      await server.stop("SIGKILL");
      await page.getByText("Server away").waitFor({ timeout: 20_000 });
      await page.locator("#phone-activity").selectOption("away");
      await page.locator(".contact-status", { hasText: "Away" }).waitFor();
    },
    async undo(page, server) {
      await server.start();
      // What is not taken back after its return waits on it for its devices, longer than the next visit.
      await agree(page);
    },
  },
};

export const agree = (page) => page.locator(".badge[data-kind=agree]").waitFor();

/** Takes the page's devices off the server, so that the next visit begins with none. */
export async function leave(page) {
  await page.getByRole("tab", { name: "Card" }).click();
  await page.getByRole("button", { name: "All is off" }).click();
  await page.getByText("Turn a device on").waitFor();
}
