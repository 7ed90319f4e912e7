// Handshake, frames and how SIP may be written in them: points 1 to 4.

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { document } from "../lib/pidf.mjs";
import { within } from "../lib/queue.mjs";
import { Raw } from "../lib/raw.mjs";
import { Server } from "../lib/server.mjs";

/** Tries a handshake; the status and headers of its answer. */
function handshake(port, headers, path = "/ws") {
  const answer = new Promise((resolve, reject) => {
    const request = http.request({
      port,
      host: "127.0.0.1",
      path,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      },
    });
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: response.headers });
    });
    request.on("response", (response) => {
      response.resume();
      resolve({ status: response.statusCode, headers: response.headers });
    });
    request.on("error", reject);
    request.end();
  });
  return within(answer, "answer to a handshake");
}

describe("WebSocket", () => {
  let server;
  before(async () => {
    server = await Server.start();
  });
  after(() => server.stop());

  it("1: the 101 echoes `sip`, picked out of a list", async () => {
    for (const offered of ["sip", "chat, sip", "sip,msrp"]) {
      const { status, headers } = await handshake(server.port, { "Sec-WebSocket-Protocol": offered });
      assert.equal(status, 101, offered);
      assert.equal(headers["sec-websocket-protocol"], "sip", offered);
      assert.equal(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
  });

  it("1: a handshake without `sip` is refused", async () => {
    for (const headers of [{}, { "Sec-WebSocket-Protocol": "chat" }, { "Sec-WebSocket-Protocol": "sips" }]) {
      const { status } = await handshake(server.port, headers);
      assert.ok(status >= 400 && status < 500, `${JSON.stringify(headers)} was answered ${status}`);
    }
  });

  it("2: one SIP message per WebSocket message, with full header names", async () => {
    const raw = await Raw.open(server.ws);
    await raw.subscribe("sip:two@example.com");
    const notify = await raw.notify();
    assert.equal(Number(notify.get("Content-Length") ?? 0), Buffer.byteLength(notify.body));
    for (const line of notify.lines) assert.match(line, /^[A-Za-z][\w-]+:/, "a full header name");
    assert.ok(notify.get("Event"));
    raw.close();
  });

  it("2: a message in several fragments is one message", async () => {
    const raw = await Raw.open(server.ws);
    const text = raw.text("REGISTER", "sip:example.com", { Contact: raw.contact, "Call-ID": "fragments", Expires: "600" });
    raw.socket.send(text.slice(0, 100), { fin: false });
    raw.socket.send(text.slice(100), { fin: true });
    const answer = await raw.received.next((message) => message.get?.("Call-ID") === "fragments");
    assert.equal(answer.code, 200);
    raw.close();
  });

  it("3: binary frames, no Content-Length, compact and odd-case names, folded lines, empty values", async () => {
    const raw = await Raw.open(server.ws);
    const forms = {
      binary: [raw.text("REGISTER", "sip:example.com", { "Call-ID": "binary", Contact: raw.contact }), { binary: true }],
      length: [raw.text("REGISTER", "sip:example.com", { "Call-ID": "length", Contact: raw.contact, "Content-Length": null })],
      compact: [
        `REGISTER sip:example.com SIP/2.0\r\nv: SIP/2.0/WS ${raw.host};branch=z9hG4bKcompact\r\nf: <${raw.aor}>;tag=1\r\n` +
          `t: <${raw.aor}>\r\ni: compact\r\nCSEQ: 1 REGISTER\r\nmax-forwards: 70\r\nm: ${raw.contact}\r\nl: 0\r\n\r\n`,
      ],
      folded: [
        raw.text("REGISTER", "sip:example.com", { "Call-ID": "folded", Contact: raw.contact, Subject: "one\r\n two", Supported: "" }),
      ],
    };
    for (const [name, [text, options]] of Object.entries(forms)) {
      raw.send(text, options ?? { binary: false });
      const answer = await raw.received.next((message) => message.get?.("Call-ID") === name, name);
      assert.equal(answer.code, 200, name);
    }
    raw.close();
  });

  it("3: a document that publishes in a binary frame reaches a watcher", async () => {
    const raw = await Raw.open(server.ws);
    await raw.subscribe(raw.aor);
    await raw.notify();
    const body = document(raw.aor, { device: "binary", note: "Grüße, 世界" });
    const text = raw.text("PUBLISH", raw.aor, { Event: "presence", Expires: "600", "Content-Type": "application/pidf+xml", "Call-ID": "bin" }, body);
    raw.send(Buffer.from(text), { binary: true });
    const answer = await raw.received.next((message) => message.get?.("Call-ID") === "bin");
    assert.equal(answer.code, 200);
    const notify = await raw.notify((message) => message.body.includes("Grüße, 世界"));
    assert.ok(notify);
    raw.close();
  });

  it("3: CRLF CRLF is a ping, and its pong is CRLF; a WebSocket ping is answered", async () => {
    const raw = await Raw.open(server.ws);
    raw.send("\r\n\r\n");
    assert.equal((await raw.received.next((message) => message.keepAlive)).keepAlive, "\r\n");
    const pong = new Promise((resolve) => raw.socket.once("pong", resolve));
    raw.socket.ping("x");
    assert.equal(String(await within(pong, "pong")), "x");
    raw.close();
  });

  it("3: bytes that are no SIP do not end the connection of who sent them by mistake", async () => {
    const raw = await Raw.open(server.ws);
    raw.send("hello?");
    assert.equal((await raw.register()).code, 200);
    raw.close();
  });

  it("4: a foreign Origin is refused at the handshake, an own one and none are let in", async () => {
    const wanted = [
      [{ Origin: "https://evil.example.net" }, 403],
      [{ Origin: `http://127.0.0.1:${server.port}` }, 101],
      [{}, 101],
    ];
    for (const [headers, status] of wanted) {
      const answer = await handshake(server.port, { "Sec-WebSocket-Protocol": "sip", ...headers });
      assert.equal(answer.status, status, JSON.stringify(headers));
    }
  });

  it("a message over the limit closes with 1009", async () => {
    const raw = await Raw.open(server.ws);
    raw.send("x".repeat(70_000));
    assert.equal(await within(raw.closed, "close"), 1009);
  });

  it("a ws client of the libraries' kind may connect to / as well", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, "sip");
    await within(new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject)), "handshake");
    socket.terminate();
  });
});
