// The whole flow with the libraries in a page, in headless Chromium.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Browser } from "../lib/browser.mjs";
import { Cable } from "../lib/cable.mjs";
import { Server } from "../lib/server.mjs";

const NAMES = ["desktop", "phone", "web", "bob", "carol"];
const PASSWORDS = { alice: "wonder land", bob: "builder", carol: "singer" };

describe("three devices and two watchers, in Chromium", () => {
  let server;
  let browser;
  const cables = {};
  before(async () => {
    server = await Server.start({ users: PASSWORDS, settings: { PRESENCE_GRACE_SECONDS: 3 } });
    browser = await Browser.open();
    for (const name of NAMES) cables[name] = await Cable.to(server.port);
    await browser.page.exposeFunction("pullCable", (name) => cables[name].pull());
  });
  after(async () => {
    await browser?.close();
    for (const cable of Object.values(cables)) await cable.close();
    await server?.stop();
  });

  const all = (kind) => Object.fromEntries(NAMES.map((name) => [name, kind]));
  const cast = {
    "JsSIP alone": all("JsSIP"),
    "SIP.js alone": all("SIP.js"),
    "both libraries": { ...all("SIP.js"), phone: "JsSIP", carol: "JsSIP" },
  };
  for (const [title, kinds] of Object.entries(cast)) {
    it(title, { timeout: 90_000 }, async (t) => {
      const urls = Object.fromEntries(NAMES.map((name) => [name, cables[name].ws]));
      const { steps, error } = await browser.page.evaluate((world) => globalThis.runFlow(world), {
        kinds,
        urls,
        passwords: PASSWORDS,
      });
      for (const step of steps) t.diagnostic(step);
      assert.equal(error, undefined);
      assert.equal(steps.at(-1), "the end");
      assert.deepEqual(browser.errors, []);
    });
  }
});
