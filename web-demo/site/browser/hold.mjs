// What the tests of one file share: a server of the page and a browser, held from the first test to the last.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { launch, open } from "./chromium.mjs";

/** Holds what `start` starts (`serve`, `demo`: it has an origin and can be closed), and Chromium. */
export function hold(start) {
  const held = {
    server: null,
    browser: null,
    /** Opens the page with this fragment. */
    open: (hash = "", options = {}) => open(held.browser, held.server.origin + hash, options),
    /** Has `run` look at the page with this fragment, which must not report an error meanwhile. */
    async visit(hash, run) {
      const { page, context, errors } = await held.open(hash, { acceptDownloads: true });
      try {
        await run(page);
        assert.deepEqual(errors, []);
      } finally {
        await context.close();
      }
    },
  };
  before(async () => {
    held.server = await start();
    held.browser = await launch();
  });
  after(async () => {
    await held.browser?.close();
    await held.server?.close();
  });
  return held;
}
