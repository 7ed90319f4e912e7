// Calls between browsers, with sound, in headless Chromium.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Browser } from "../lib/browser.mjs";
import { Server } from "../lib/server.mjs";

const PASSWORDS = { alice: "wonder land", bob: "builder" };

describe("Bob calls Alice, who has three devices", () => {
  let server;
  let browser;
  before(async () => {
    server = await Server.start({ users: PASSWORDS });
    browser = await Browser.open();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const mixed = { desktop: "JsSIP", phone: "SIP.js", web: "JsSIP" };
  for (const [title, kinds, answerer] of [
    ["from JsSIP to SIP.js", { ...mixed, bob: "JsSIP" }, "phone"],
    ["from SIP.js to JsSIP", { ...mixed, bob: "SIP.js" }, "desktop"],
    ["from JsSIP to JsSIP", { ...mixed, bob: "JsSIP" }, "web"],
    ["from SIP.js to SIP.js", { ...mixed, bob: "SIP.js" }, "phone"],
  ]) {
    it(title, { timeout: 90_000 }, async (t) => {
      const world = { kinds, answerer, url: server.ws, passwords: PASSWORDS };
      const { steps, error } = await browser.page.evaluate((world) => globalThis.runCalls(world), world);
      for (const step of steps) t.diagnostic(step);
      assert.equal(error, undefined);
      assert.equal(steps.at(-1), "the end");
    });
  }
});
