// Publications as clients see them: points 22 and 23, expiry, grace, and a restart.

import "../lib/node-globals.mjs";
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Publisher, PublisherState, UserAgent } from "sip.js";
import { document, look } from "../lib/pidf.mjs";
import { within } from "../lib/queue.mjs";
import { Raw } from "../lib/raw.mjs";
import { Server } from "../lib/server.mjs";
import { SipJsClient } from "../lib/sipjs-client.mjs";

describe("publications", () => {
  let server;
  before(async () => {
    server = await Server.start({ settings: { PRESENCE_GRACE_SECONDS: 1, PRESENCE_MIN_PUBLICATION_SECONDS: 1 } });
  });
  after(() => server.stop());

  it("22: a new SIP-ETag on every success, Expires at most as asked, 0 for a removal", async () => {
    const raw = await Raw.open(server.ws, { user: "tags" });
    const seen = new Set();
    let answer = await raw.publish(document(raw.aor, { device: "d" }));
    for (let turn = 0; turn < 5; turn += 1) {
      assert.equal(answer.code, 200);
      const etag = answer.get("SIP-ETag");
      assert.ok(etag && !seen.has(etag), `${etag} is new`);
      seen.add(etag);
      const expires = Number(answer.get("Expires"));
      assert.ok(expires > 0 && expires <= 600);
      answer = await raw.publish("", { "SIP-If-Match": etag });
    }
    const gone = await raw.publish("", { "SIP-If-Match": answer.get("SIP-ETag"), Expires: "0" });
    assert.equal(gone.code, 200);
    assert.equal(gone.get("Expires"), "0");
    raw.close();
  });

  it("22: entity-tags live with the address, not with the connection", async () => {
    const one = await Raw.open(server.ws, { user: "moves" });
    const etag = (await one.publish(document(one.aor, { device: "d" }))).get("SIP-ETag");
    const two = await Raw.open(server.ws, { user: "moves" });
    assert.equal((await two.publish("", { "SIP-If-Match": etag })).code, 200);
    one.close();
    two.close();
  });

  it("22: SIP.js' own Publisher publishes, refreshes after 412 with the whole body, and unpublishes", async () => {
    const client = await SipJsClient.open({ url: server.ws, aor: "sip:pub@example.com", name: "publisher" });
    const raw = await Raw.open(server.ws, { user: "pub" });
    await raw.subscribe(raw.aor);
    await raw.notify();
    const publisher = new Publisher(client.ua, UserAgent.makeURI("sip:pub@example.com"), "presence", {
      contentType: "application/pidf+xml",
      expires: 600,
    });
    const published = new Promise((resolve) =>
      publisher.stateChange.addListener((state) => state === PublisherState.Published && resolve()),
    );
    await publisher.publish(document("sip:pub@example.com", { device: "p", note: "from the Publisher" }));
    await within(published, "Publisher's state");
    await raw.notify((message) => message.body.includes("from the Publisher"));
    await publisher.unpublish();
    await raw.notify((message) => !message.body.includes("from the Publisher"));
    await client.stop();
    raw.close();
  });

  const refusals = {
    "23: an event that is not presence is answered 489 with Allow-Events": async (raw) => {
      const answer = await raw.publish(document(raw.aor, { device: "d" }), { Event: "weather" });
      assert.equal(answer.code, 489);
      assert.match(answer.get("Allow-Events"), /\bpresence\b/);
    },
    "23: another type of body is answered 415 with Accept": async (raw) => {
      const answer = await raw.publish("hello", { "Content-Type": "text/plain" });
      assert.equal(answer.code, 415);
      assert.match(answer.get("Accept"), /application\/pidf\+xml/);
    },
    "23: malformed XML is answered 400 with a word on what is wrong": async (raw) => {
      const answer = await raw.publish(`<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${raw.aor}"><tuple>`);
      assert.equal(answer.code, 400);
      assert.ok(answer.get("Warning") || answer.first.length > "SIP/2.0 400 Bad Request".length, answer.text);
    },
    "23: a first PUBLISH without a body is answered 400": async (raw) => {
      assert.equal((await raw.publish("")).code, 400);
    },
    "23: another user's entity in the document is answered 400": async (raw) => {
      const code = (await raw.publish(document("sip:mallory@example.com", { device: "d" }))).code;
      assert.ok([400, 403].includes(code), `answered ${code}`);
    },
    "23: an unknown entity-tag is answered 412": async (raw) => {
      assert.equal((await raw.publish("", { "SIP-If-Match": "never-given" })).code, 412);
    },
    "23: a DTD is answered 400": async (raw) => {
      const bomb = `<!DOCTYPE x [<!ENTITY a "b">]>${document(raw.aor, { device: "d" })}`;
      assert.equal((await raw.publish(bomb)).code, 400);
    },
  };
  for (const [name, check] of Object.entries(refusals)) {
    it(name, async () => {
      const raw = await Raw.open(server.ws, { user: "refused" });
      await check(raw);
      raw.close();
    });
  }

  it("23: a publication that is too short is answered 423 with Min-Expires", async () => {
    const strict = await Server.start();
    try {
      const raw = await Raw.open(strict.ws);
      const answer = await raw.publish(document(raw.aor, { device: "d" }), { Expires: "5" });
      assert.equal(answer.code, 423);
      assert.ok(Number(answer.get("Min-Expires")) > 5);
      raw.close();
    } finally {
      await strict.stop();
    }
  });

  it("a publication that is not refreshed expires, and watchers see it", async () => {
    const raw = await Raw.open(server.ws, { user: "expires" });
    await raw.subscribe(raw.aor);
    await raw.notify();
    const answer = await raw.publish(document(raw.aor, { device: "d", note: "for a second" }), { Expires: "1" });
    assert.equal(answer.code, 200);
    await raw.notify((message) => message.body.includes("for a second"));
    await raw.notify((message) => !message.body.includes("for a second"), "the expiry");
    assert.equal((await raw.publish("", { "SIP-If-Match": answer.get("SIP-ETag") })).code, 412);
    raw.close();
  });

  it("a device whose socket dies without a word is gone after the grace time", async () => {
    const watcher = await Raw.open(server.ws, { user: "w" });
    const device = await Raw.open(server.ws, { user: "dies" });
    await watcher.subscribe(device.aor);
    await watcher.notify();
    await device.publish(document(device.aor, { device: "d", note: "alive" }));
    await watcher.notify((message) => message.body.includes("alive"));
    device.drop();
    await watcher.notify((message) => !message.body.includes("alive"), "the end of the device");
    watcher.close();
  });

  it("one that comes back within the grace time keeps its publication", async () => {
    const calm = await Server.start({ settings: { PRESENCE_GRACE_SECONDS: 30 } });
    try {
      const device = await Raw.open(calm.ws, { user: "returns" });
      const etag = (await device.publish(document(device.aor, { device: "d", note: "still here" }))).get("SIP-ETag");
      device.drop();
      await device.closed;
      const again = await Raw.open(calm.ws, { user: "returns" });
      assert.equal((await again.publish("", { "SIP-If-Match": etag })).code, 200);
      await again.subscribe(again.aor);
      assert.ok(look((await again.notify()).body).notes.includes("still here"));
      again.close();
    } finally {
      await calm.stop();
    }
  });

  it("after kill -9 and a restart a publication is refreshed by its entity-tag", async () => {
    const mortal = await Server.start({ settings: { PRESENCE_GRACE_SECONDS: 30 } });
    try {
      const device = await Raw.open(mortal.ws, { user: "survives" });
      const etag = (await device.publish(document(device.aor, { device: "d", note: "survives" }))).get("SIP-ETag");
      await mortal.kill();
      await mortal.run();
      const again = await Raw.open(mortal.ws, { user: "survives" });
      await again.subscribe(again.aor);
      assert.ok((await again.notify()).body.includes("survives"));
      const refreshed = await again.publish("", { "SIP-If-Match": etag });
      assert.equal(refreshed.code, 200);
      assert.notEqual(refreshed.get("SIP-ETag"), etag);
      again.close();
    } finally {
      await mortal.stop();
    }
  });
});
