// Subscriptions as clients see them: points 14 to 21.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { document, look } from "../lib/pidf.mjs";
import { Raw } from "../lib/raw.mjs";
import { Server } from "../lib/server.mjs";

describe("subscriptions", () => {
  let server;
  before(async () => {
    server = await Server.start({ settings: { PRESENCE_GRACE_SECONDS: 5 } });
  });
  after(() => server.stop());

  it("14: the 2xx comes before the first NOTIFY", async () => {
    const raw = await Raw.open(server.ws);
    const order = [];
    raw.socket.on("message", (data) => order.push(String(data).split(" ")[0]));
    for (let turn = 0; turn < 20; turn += 1) {
      order.length = 0;
      await raw.subscribe(`sip:fourteen-${turn}@example.com`);
      await raw.notify();
      assert.deepEqual(order, ["SIP/2.0", "NOTIFY"]);
    }
    raw.close();
  });

  it("15: the 2xx has Contact and Expires; the NOTIFY Contact, Event, Subscription-State, Max-Forwards", async () => {
    const raw = await Raw.open(server.ws);
    const { response } = await raw.subscribe("sip:fifteen@example.com", { Event: "presence;id=7" });
    assert.ok([200, 202].includes(response.code));
    assert.match(response.get("Contact"), /<sip:/);
    assert.ok(Number(response.get("Expires")) > 0 && Number(response.get("Expires")) <= 600);
    const notify = await raw.notify();
    assert.match(notify.get("Contact"), /<sip:/);
    assert.match(notify.get("Event"), /^presence\s*;\s*id=7$/);
    assert.match(notify.get("Subscription-State"), /^active\s*;\s*expires=\d+$/);
    assert.ok(Number(notify.get("Max-Forwards")) > 0);
    raw.close();
  });

  it("16: the CSeq of NOTIFYs rises strictly", async () => {
    const raw = await Raw.open(server.ws, { user: "sixteen" });
    const dialog = await raw.subscribe(raw.aor);
    let last = (await raw.notify()).cseq;
    let etag;
    for (let turn = 0; turn < 10; turn += 1) {
      const headers = etag ? { "SIP-If-Match": etag } : {};
      const answer = await raw.publish(document(raw.aor, { device: "d", note: `turn ${turn}` }), headers);
      assert.equal(answer.code, 200);
      etag = answer.get("SIP-ETag");
      const { cseq } = await raw.notify((message) => message.body.includes(`turn ${turn}`));
      assert.ok(cseq > last, `${cseq} after ${last}`);
      last = cseq;
    }
    await raw.resubscribe(dialog);
    assert.ok((await raw.notify()).cseq > last);
    raw.close();
  });

  it("16: a slow watcher gets the newest state, not a queue", async () => {
    const raw = await Raw.open(server.ws, { user: "slow" });
    raw.answering = false;
    await raw.subscribe(raw.aor);
    const first = await raw.notify();
    let etag;
    for (let turn = 1; turn <= 8; turn += 1) {
      const answer = await raw.publish(document(raw.aor, { device: "d", note: `turn ${turn}` }), etag ? { "SIP-If-Match": etag } : {});
      etag = answer.get("SIP-ETag");
    }
    raw.answering = true;
    raw.send(raw.response(first, 200, "OK"));
    const next = await raw.notify();
    assert.ok(next.body.includes("turn 8"), next.body);
    raw.close();
  });

  it("17: every re-SUBSCRIBE is answered by full state, and Expires 0 by a final NOTIFY", async () => {
    const raw = await Raw.open(server.ws, { user: "seventeen" });
    await raw.publish(document(raw.aor, { device: "d", note: "here" }));
    const dialog = await raw.subscribe(raw.aor);
    assert.ok((await raw.notify()).body.includes("here"));
    assert.equal((await raw.resubscribe(dialog)).code, 200);
    assert.ok((await raw.notify()).body.includes("here"));
    assert.equal((await raw.resubscribe(dialog, { Expires: "0" })).code, 200);
    const last = await raw.notify();
    assert.match(last.get("Subscription-State"), /^terminated/);
    assert.equal((await raw.resubscribe(dialog)).code, 481, "the dialog is gone");
    raw.close();
  });

  it("17: Expires 0 from the start is a poll: one NOTIFY, full and final", async () => {
    const raw = await Raw.open(server.ws, { user: "poll" });
    await raw.publish(document(raw.aor, { device: "d", note: "polled" }));
    const { response } = await raw.subscribe(raw.aor, { Expires: "0" });
    assert.equal(response.code, 200);
    const only = await raw.notify();
    assert.match(only.get("Subscription-State"), /^terminated/);
    assert.ok(only.body.includes("polled"));
    raw.close();
  });

  it("18: an end by expiry says timeout, and nothing asks for a stampede", async () => {
    const quick = await Server.start({ settings: { PRESENCE_MIN_SUBSCRIPTION_SECONDS: 1 } });
    try {
      const raw = await Raw.open(quick.ws);
      await raw.subscribe("sip:eighteen@example.com", { Expires: "1" });
      const last = await raw.notify((message) => message.get("Subscription-State").startsWith("terminated"));
      assert.match(last.get("Subscription-State"), /reason=timeout/);
      assert.doesNotMatch(last.get("Subscription-State"), /retry-after/);
      raw.close();
    } finally {
      await quick.stop();
    }
  });

  it("19: the minimum is low, since neither library repeats a refused SUBSCRIBE: 10 s are granted", async () => {
    const raw = await Raw.open(server.ws);
    const { response } = await raw.subscribe("sip:nineteen@example.com", { Expires: "10" });
    assert.ok([200, 202].includes(response.code), `answered ${response.code}`);
    await raw.notify();
    raw.close();
  });

  it("20: a subscription outlives the registration: the final NOTIFY reaches who unregistered first", async () => {
    const raw = await Raw.open(server.ws, { user: "twenty" });
    await raw.register();
    const dialog = await raw.subscribe("sip:twenty-target@example.com");
    await raw.notify();
    assert.equal((await raw.register({ Contact: `${raw.contact};expires=0` })).code, 200);
    assert.equal((await raw.resubscribe(dialog, { Expires: "0" })).code, 200);
    assert.match((await raw.notify()).get("Subscription-State"), /^terminated/);
    raw.close();
  });

  it("20: when the socket dies, an in-dialog refresh on a new socket carries on with the newest state", async () => {
    const alice = await Raw.open(server.ws, { user: "mover" });
    const old = await Raw.open(server.ws, { user: "watcher" });
    const dialog = await old.subscribe(alice.aor);
    await old.notify();
    old.drop();
    await old.closed;
    await alice.publish(document(alice.aor, { device: "d", note: "meanwhile" }));
    const young = await Raw.open(server.ws, { user: "watcher" });
    dialog.lines.Contact = young.contact;
    const answer = await young.resubscribe(dialog);
    assert.equal(answer.code, 200);
    const notify = await young.notify((message) => message.body.includes("meanwhile"));
    assert.equal(notify.get("Call-ID"), dialog.lines["Call-ID"]);
    alice.close();
    young.close();
  });

  it("20: a REGISTER of the same instance on a new socket carries the subscription on by itself", async () => {
    const alice = await Raw.open(server.ws, { user: "mover2" });
    const instance = '"<urn:uuid:00000000-0000-4000-8000-0000000000aa>"';
    const params = `;reg-id=1;+sip.instance=${instance};expires=600`;
    const old = await Raw.open(server.ws, { user: "watcher2" });
    await old.register({ Contact: `${old.contact}${params}` });
    const dialog = await old.subscribe(alice.aor, { Contact: `${old.contact};+sip.instance=${instance}` });
    await old.notify();
    old.drop();
    await old.closed;
    await alice.publish(document(alice.aor, { device: "d", note: "while away" }));
    const young = await Raw.open(server.ws, { user: "watcher2" });
    young.host = old.host;
    await young.register({ Contact: `${young.contact}${params}` });
    const notify = await young.notify((message) => message.body.includes("while away"));
    assert.equal(notify.get("Call-ID"), dialog.lines["Call-ID"]);
    alice.close();
    young.close();
  });

  it("21: less than 10 s is never granted: JsSIP refreshes 5 s before the end", async () => {
    const raw = await Raw.open(server.ws);
    for (const expires of ["1", "9"]) {
      const { response } = await raw.subscribe("sip:twenty-one@example.com", { Expires: expires });
      const least = response.code === 423 ? response.get("Min-Expires") : response.get("Expires");
      assert.ok(Number(least) >= 10, response.text);
    }
    raw.close();
  });

  it("a NOTIFY that is answered 481 ends the subscription", async () => {
    const alice = await Raw.open(server.ws, { user: "ends" });
    const raw = await Raw.open(server.ws, { user: "forgetful" });
    raw.answering = false;
    const dialog = await raw.subscribe(alice.aor);
    const first = await raw.notify();
    raw.send(raw.response(first, 481, "Subscription Does Not Exist"));
    assert.equal((await raw.resubscribe(dialog)).code, 481);
    alice.close();
    raw.close();
  });

  it("only presence can be subscribed to: 489 with Allow-Events; 406 or 415 never for its default", async () => {
    const raw = await Raw.open(server.ws);
    const { response } = await raw.subscribe("sip:x@example.com", { Event: "weather" });
    assert.equal(response.code, 489);
    assert.match(response.get("Allow-Events"), /\bpresence\b/);
    const plain = await raw.subscribe("sip:x@example.com", { Accept: null });
    assert.ok([200, 202].includes(plain.response.code));
    const notify = await raw.notify();
    if (notify.body) assert.equal(look(notify.body).entity, "sip:x@example.com");
    raw.close();
  });
});
