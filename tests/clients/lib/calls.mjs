// Calls and messages to somebody with three devices, made with either library, in a page: with real
// (made-up) sound over WebRTC from device to device.

import { Inviter, Messager, SessionState, UserAgent } from "sip.js";
import { JsSipClient } from "./jssip-client.mjs";
import { document } from "./pidf.mjs";
import { Queue, within } from "./queue.mjs";
import { SipJsClient } from "./sipjs-client.mjs";

const AUDIO = { audio: true, video: false };
const HOST_ONLY = { iceServers: [] };
const KINDS = { "JsSIP": { Client: JsSipClient, phone: jssipPhone }, "SIP.js": { Client: SipJsClient, phone: sipjsPhone } };

/** What both libraries can do, in the same words. `events` tells: rings, failed, up, info, ended, message. */
function jssipPhone(client) {
  const events = new Queue(`what happens at ${client.name}`);
  const watch = (session) => {
    const reason = (event) => event.message?.getHeader?.("Reason") ?? "";
    session.on("failed", (event) => events.push({ kind: "failed", reason: reason(event), status: event.message?.status_code }));
    session.on("confirmed", () => events.push({ kind: "up" }));
    session.on("ended", () => events.push({ kind: "ended" }));
    session.on("newInfo", ({ originator, info }) => originator === "remote" && events.push({ kind: "info", body: info.body }));
    return {
      answer: () => session.answer({ mediaConstraints: AUDIO, pcConfig: HOST_ONLY }),
      busy: () => session.terminate({ status_code: 486, reason_phrase: "Busy Here" }),
      end: () => session.terminate(),
      info: (body) => session.sendInfo("text/plain", body),
      hold: () => new Promise((resolve) => session.hold({}, resolve)),
      connection: () => session.connection,
    };
  };
  client.ua.on("newRTCSession", ({ originator, session, request }) => {
    if (originator === "remote") events.push({ kind: "rings", forked: request.getHeader("X-Forked"), call: watch(session) });
  });
  client.ua.on("newMessage", ({ originator, request }) => {
    if (originator === "remote") events.push({ kind: "message", body: request.body });
  });
  return {
    events,
    call: (target) => watch(client.ua.call(target, { mediaConstraints: AUDIO, pcConfig: HOST_ONLY })),
    message: (target, body) =>
      new Promise((resolve) => {
        const finals = [];
        const final = ({ response }) => resolve((finals.push(response.status_code), finals));
        client.ua.sendMessage(target, body, { eventHandlers: { succeeded: final, failed: final } });
      }),
  };
}

function sipjsPhone(client) {
  const events = new Queue(`what happens at ${client.name}`);
  const options = { sessionDescriptionHandlerOptions: { constraints: AUDIO, peerConnectionConfiguration: HOST_ONLY, iceGatheringTimeout: 500 } };
  const watch = (session, incoming) => {
    let up = false;
    session.stateChange.addListener((state) => {
      if (state === SessionState.Established) events.push({ kind: ((up = true), "up") });
      if (state === SessionState.Terminated && up) events.push({ kind: "ended" });
    });
    session.delegate = {
      onInfo: (info) => {
        events.push({ kind: "info", body: info.request.body });
        info.accept();
      },
      onCancel: (cancel) => events.push({ kind: "failed", reason: cancel.request?.getHeader("Reason") ?? "" }),
    };
    return {
      answer: () => session.accept(options),
      busy: () => session.reject({ statusCode: 486 }),
      end: () => (up ? session.bye() : incoming ? session.reject() : session.cancel()),
      info: (content) => session.info({ requestOptions: { body: { contentDisposition: "render", contentType: "text/plain", content } } }),
      hold: () =>
        new Promise((resolve) => {
          const held = { ...options.sessionDescriptionHandlerOptions, hold: true };
          session.invite({ sessionDescriptionHandlerOptions: held, requestDelegate: { onAccept: resolve } });
        }),
      connection: () => session.sessionDescriptionHandler.peerConnection,
    };
  };
  client.ua.delegate.onInvite = (invitation) =>
    events.push({ kind: "rings", forked: invitation.request.getHeader("X-Forked"), call: watch(invitation, true) });
  client.ua.delegate.onMessage = (message) => {
    events.push({ kind: "message", body: message.request.body });
    message.accept();
  };
  return {
    events,
    call(target) {
      const inviter = new Inviter(client.ua, UserAgent.makeURI(target), options);
      inviter.invite({ requestDelegate: { onReject: ({ message }) => events.push({ kind: "failed", status: message.statusCode, reason: "" }) } });
      return watch(inviter, false);
    },
    message: (target, body) =>
      new Promise((resolve) => {
        const finals = [];
        const final = ({ message }) => resolve((finals.push(message.statusCode), finals));
        new Messager(client.ua, UserAgent.makeURI(target), body).message({ requestDelegate: { onAccept: final, onReject: final } });
      }),
  };
}

const kind = (wanted) => (event) => event.kind === wanted;
const check = (truth, what) => {
  if (!truth) throw new Error(what);
};

/** Until media flows. */
const connected = (connection) =>
  new Promise((resolve) => {
    const look = () => connection.connectionState === "connected" && resolve();
    connection.addEventListener("connectionstatechange", look);
    look();
  });

/** Alice has a desktop, a phone and a tab; Bob calls her from `caller`, and she answers at `answerer`. */
export async function calls({ url, passwords, kinds, answerer, step }) {
  const devices = {};
  const clients = [];
  for (const name of ["desktop", "phone", "web", "bob"]) {
    const user = name === "bob" ? "bob" : "alice";
    const client = await KINDS[kinds[name]].Client.open({ url, aor: `sip:${user}@example.com`, password: passwords[user], name });
    clients.push(client);
    devices[name] = KINDS[kinds[name]].phone(client);
    check((await client.register()).code === 200, `${name} is not registered`);
  }
  const { bob, ...hers } = devices;
  const names = Object.keys(hers);
  const ring = async () => {
    const rings = {};
    for (const name of names) {
      rings[name] = await hers[name].events.next(kind("rings"), "call");
      check(rings[name].forked === "3", `${name} is not told that three ring, but ${rings[name].forked}`);
    }
    return rings;
  };

  step("points 24 and 25: all three ring, one answers, the others are told where the call went");
  const call = bob.call("sip:alice@example.com");
  const rings = await ring();
  rings[answerer].call.answer();
  await bob.events.next(kind("up"), "answer");
  await hers[answerer].events.next(kind("up"), "ACK");
  for (const name of names.filter((name) => name !== answerer)) {
    const { reason } = await hers[name].events.next(kind("failed"), "CANCEL");
    check(reason.includes("Call completed elsewhere"), `${name} was told ${reason}`);
  }

  step("sound flows from device to device, and the server has no part in it");
  for (const side of [call, rings[answerer].call]) await within(connected(side.connection()), "media");

  step("points 26 and 27: INFO both ways, a re-INVITE, and the end, over the sockets that the call was made on");
  call.info("from bob");
  check((await hers[answerer].events.next(kind("info"), "INFO")).body === "from bob", "another INFO");
  rings[answerer].call.info("from alice");
  check((await bob.events.next(kind("info"), "INFO")).body === "from alice", "another INFO");
  await within(call.hold(), "answer to the re-INVITE");
  rings[answerer].call.end();
  await bob.events.next(kind("ended"), "BYE");

  step("a caller who gives up stops all of them");
  const given = bob.call("sip:alice@example.com");
  await ring();
  given.end();
  for (const name of names) await hers[name].events.next(kind("failed"), "CANCEL");

  step("when all are busy the caller is told so once");
  bob.call("sip:alice@example.com");
  for (const { call: busy } of Object.values(await ring())) busy.busy();
  const { status } = await bob.events.next((event) => event.kind === "failed" && event.status !== undefined && event.status !== 487, "refusal");
  check(status === 486, `the caller was told ${status}`);

  step("R12: a message reaches all three, and its sender gets one answer");
  const finals = await within(bob.message("sip:alice@example.com", "are you there?"), "an answer to the message");
  for (const name of names) {
    const { body } = await hers[name].events.next(kind("message"), "message");
    check(body === "are you there?", `${name} read ${body}`);
  }
  check(finals.join() === "200", `answers: ${finals}`);

  step("R24: the contact of a device in a NOTIFY rings that device, and no other");
  const aor = "sip:alice@example.com";
  const etags = new Map();
  for (const client of clients.filter(({ name }) => name !== "bob")) {
    const { name } = client;
    const published = await client.publish(document(aor, { device: name, contact: `sip:${name}@${name}.invalid;transport=ws` }));
    check(published.code === 200, `${name} published and got ${published.code}`);
    etags.set(client, published.etag);
  }
  const watch = clients.find(({ name }) => name === "bob").subscribe(aor);
  const rang = () => names.flatMap((name) => hers[name].events.history).filter(kind("rings")).length;
  const { body } = await watch.notifies.next(() => true, "NOTIFY");
  for (const name of names) {
    const contact = new RegExp(`<tuple id="t-${name}">[^]*?<contact[^>]*>([^<]*)<`).exec(body)?.[1];
    check(/^sip:alice@example\.com;gr=urn:uuid:/.test(contact), `${name} is shown at ${contact}`);
    const before = rang();
    bob.call(contact);
    const { forked, call: alone } = await hers[name].events.next(kind("rings"), "call");
    check(forked == null, `${name} is told of ${forked} devices`);
    alone.busy();
    await bob.events.next((event) => event.kind === "failed" && event.status === 486, "refusal");
    check(rang() === before + 1, "another device rings as well");
  }
  watch.unsubscribe();
  for (const [client, etag] of etags) await client.publish(null, { etag, expires: 0 });

  step("the end");
  for (const client of clients) await client.unregister();
  for (const client of clients) await client.stop();
}
