// The whole flow with the libraries in Node.

import "../lib/node-globals.mjs";
import { after, before, describe, it } from "node:test";
import { Cable } from "../lib/cable.mjs";
import { flow } from "../lib/flow.mjs";
import { JsSipClient } from "../lib/jssip-client.mjs";
import { Server } from "../lib/server.mjs";
import { SipJsClient } from "../lib/sipjs-client.mjs";

const NAMES = ["desktop", "phone", "web", "bob", "carol"];
const PASSWORDS = { alice: "wonder land", bob: "builder", carol: "singer" };

describe("three devices and two watchers, in Node", () => {
  let server;
  before(async () => {
    server = await Server.start({ users: PASSWORDS, settings: { PRESENCE_GRACE_SECONDS: 3 } });
  });
  after(() => server.stop());

  const all = (kind) => Object.fromEntries(NAMES.map((name) => [name, kind]));
  const cast = {
    "JsSIP alone": all(JsSipClient),
    "SIP.js alone": all(SipJsClient),
    "both libraries": { ...all(JsSipClient), phone: SipJsClient, carol: SipJsClient },
  };
  for (const [title, classes] of Object.entries(cast)) {
    it(title, { timeout: 90_000 }, async (t) => {
      const cables = {};
      for (const name of NAMES) cables[name] = await Cable.to(server.port);
      let last = "the beginning";
      try {
        await flow({
          classes,
          url: (name) => cables[name].ws,
          passwords: PASSWORDS,
          pull: async (name) => cables[name].pull(),
          step: (name) => t.diagnostic((last = name)),
        });
      } catch (error) {
        error.message = `${last}: ${error.message}`;
        throw error;
      } finally {
        for (const cable of Object.values(cables)) await cable.close();
      }
    });
  }
});
