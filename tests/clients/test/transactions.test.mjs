// What holds for every request: points 5 to 8, and authentication.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { document } from "../lib/pidf.mjs";
import { Raw } from "../lib/raw.mjs";
import { Server } from "../lib/server.mjs";

describe("transactions", () => {
  let server;
  before(async () => {
    server = await Server.start();
  });
  after(() => server.stop());

  it("5: a response has exactly one Via, with the sent-by as it came", async () => {
    const raw = await Raw.open(server.ws);
    for (const method of ["REGISTER", "OPTIONS", "BOGUS"]) {
      const answer = await raw.request(method, "sip:example.com", method === "REGISTER" ? { Contact: raw.contact } : {});
      assert.equal(answer.all("Via").length, 1, method);
      const [, sentBy] = /^SIP\/2\.0\/WS ([^;]+);/.exec(answer.get("Via")) ?? [];
      assert.equal(sentBy, raw.host, method);
    }
    raw.close();
  });

  it("6: two connections may use the same branch and sent-by at the same time", async () => {
    const [one, two] = [await Raw.open(server.ws, { user: "one" }), await Raw.open(server.ws, { user: "two" })];
    const via = { Via: "SIP/2.0/WS shared.invalid;branch=z9hG4bK1" };
    const answers = await Promise.all([one.register(via), two.register(via)]);
    assert.deepEqual(answers.map((answer) => answer.code), [200, 200]);
    assert.match(answers[0].get("Contact"), /sip:one@/);
    assert.match(answers[1].get("Contact"), /sip:two@/);
    one.close();
    two.close();
  });

  it("6: a repeated request gets the same answer and is not done twice", async () => {
    const raw = await Raw.open(server.ws, { user: "repeats" });
    const body = document(raw.aor, { device: "twice" });
    const text = raw.text("PUBLISH", raw.aor, { Event: "presence", Expires: "600", "Content-Type": "application/pidf+xml", "Call-ID": "twice" }, body);
    raw.send(text);
    const first = await raw.received.next((message) => message.code === 200);
    raw.send(text);
    const second = await raw.received.next((message) => message.code === 200);
    assert.equal(second.get("SIP-ETag"), first.get("SIP-ETag"));
    raw.close();
  });

  it("7: To tags are not a function of the Via host: two dialogs of one page differ", async () => {
    const raw = await Raw.open(server.ws);
    const tags = new Set();
    for (const target of ["sip:a@example.com", "sip:b@example.com", "sip:a@example.com"]) {
      const { response } = await raw.subscribe(target);
      tags.add(response.toTag);
      await raw.notify();
    }
    assert.equal(tags.size, 3);
    raw.close();
  });

  it("8: CANCEL and ACK are never challenged", async () => {
    const strict = await Server.start({ users: { alice: "secret" } });
    try {
      const raw = await Raw.open(strict.ws);
      const cancel = await raw.request("CANCEL", "sip:bob@example.com");
      assert.equal(cancel.code, 481);
      raw.send(raw.text("ACK", "sip:bob@example.com", { "Call-ID": "ack" }));
      assert.equal((await raw.request("OPTIONS", "sip:example.com")).get("Call-ID") === "ack", false);
      raw.close();
    } finally {
      await strict.stop();
    }
  });

  it("an unknown method is answered 405 or 501 with Allow, an unknown Require 420", async () => {
    const raw = await Raw.open(server.ws);
    const bogus = await raw.request("BOGUS", "sip:example.com");
    assert.ok([405, 501].includes(bogus.code), `BOGUS was answered ${bogus.code}`);
    assert.match(bogus.get("Allow") ?? "", /PUBLISH/);
    const required = await raw.register({ Require: "teleport" });
    assert.equal(required.code, 420);
    assert.equal(required.get("Unsupported"), "teleport");
    raw.close();
  });
});

describe("authentication", () => {
  let server;
  before(async () => {
    server = await Server.start({ users: { alice: "secret", bob: "builder" } });
  });
  after(() => server.stop());

  const challenge = async (raw) => raw.register();

  it("the challenges are SHA-256 first and MD5 last, one a line, qop quoted, algorithm not", async () => {
    const raw = await Raw.open(server.ws);
    const answer = await challenge(raw);
    assert.equal(answer.code, 401);
    const lines = answer.all("WWW-Authenticate");
    assert.equal(lines.length, 2);
    assert.match(lines[0], /algorithm=SHA-256\b/);
    assert.match(lines[1], /algorithm=MD5\b/);
    for (const line of lines) {
      assert.match(line, /qop="auth"/);
      assert.match(line, /realm="example\.com"/);
    }
    raw.close();
  });

  it("both algorithms log in", async () => {
    for (const algorithm of ["MD5", "SHA-256"]) {
      const raw = await Raw.open(server.ws);
      const answer = await challenge(raw);
      const credentials = raw.credentials("REGISTER", "sip:example.com", answer, { algorithm, password: "secret" });
      assert.equal((await raw.register({ Authorization: credentials })).code, 200, algorithm);
      raw.close();
    }
  });

  it("a wrong password is refused, and so is another user's", async () => {
    for (const password of ["Secret", "builder", ""]) {
      const raw = await Raw.open(server.ws, { user: "alice", password });
      const answer = await raw.register();
      assert.ok([401, 403].includes(answer.code), `${password} was answered ${answer.code}`);
      raw.close();
    }
  });

  it("a nonce may be used again with nc=1, as both libraries do", async () => {
    const raw = await Raw.open(server.ws);
    const answer = await challenge(raw);
    const credentials = raw.credentials("REGISTER", "sip:example.com", answer, { password: "secret" });
    for (const turn of [1, 2, 3]) {
      assert.equal((await raw.register({ Authorization: credentials })).code, 200, `use ${turn}`);
    }
    raw.close();
  });

  it("an invented nonce is answered with stale=true or a plain challenge, never with 403", async () => {
    const raw = await Raw.open(server.ws);
    const answer = await challenge(raw);
    const credentials = raw.credentials("REGISTER", "sip:example.com", answer, { password: "secret", nonce: "invented" });
    assert.equal((await raw.register({ Authorization: credentials })).code, 401);
    raw.close();
  });

  it("a user may publish for himself and for nobody else", async () => {
    const raw = await Raw.open(server.ws, { user: "alice", password: "secret" });
    assert.equal((await raw.register()).code, 200);
    const other = "sip:bob@example.com";
    assert.equal((await raw.publish(document(other, { device: "x" }), {}, other)).code, 403);
    assert.equal((await raw.publish(document(raw.aor, { device: "x" }))).code, 200);
    raw.close();
  });

  it("a stranger learns nothing: an unknown user is challenged as a known one", async () => {
    const raw = await Raw.open(server.ws, { user: "nobody", password: "x" });
    assert.ok([401, 403].includes((await raw.register()).code));
    raw.close();
  });
});
