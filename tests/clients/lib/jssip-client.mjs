// A device and a watcher made of JsSIP, in Node and in a page.

import JsSIP from "jssip";
import RequestSender from "jssip/lib/RequestSender.js";
import SIPMessage from "jssip/lib/SIPMessage.js";
import { deferred, Queue, within } from "./queue.mjs";

/** One user agent on one WebSocket. */
export class JsSipClient {
  static library = "JsSIP";

  /**
   * @param {{url: string, aor: string, password?: string, name: string}} options
   */
  static async open({ url, aor, password, name }) {
    const client = new JsSipClient();
    client.name = name;
    client.aor = aor;
    client.events = new Queue(`${name}'s connection`);
    client.socket = new JsSIP.WebSocketInterface(url);
    client.ua = new JsSIP.UA({
      sockets: [client.socket],
      uri: aor,
      password,
      register: false,
      register_expires: 600,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 2,
      user_agent: `JsSIP ${name}`,
    });
    client.ua.on("connected", () => client.events.push("connected"));
    client.ua.on("disconnected", () => client.events.push("disconnected"));
    client.ua.start();
    await client.events.next((event) => event === "connected", "connection");
    return client;
  }

  /** REGISTERs and gives the final answer's code, and the Contacts of it. */
  register() {
    const done = deferred();
    const registrator = this.ua.registrator();
    const finish = (code, response) => done.resolve({ code, contacts: response?.getHeaders("Contact") ?? [] });
    // "registered" is emitted the first time only; a later success shows in the response itself.
    this.ua.once("registered", (event) => finish(event.response.status_code, event.response));
    this.ua.once("registrationFailed", (event) => finish(event.response?.status_code ?? 0, event.response));
    registrator.register();
    return within(done.promise, `answer to ${this.name}'s REGISTER`);
  }

  async unregister() {
    const done = deferred();
    this.ua.once("unregistered", (event) => done.resolve({ code: event?.response?.status_code ?? 0 }));
    this.ua.unregister();
    return within(done.promise, `answer to ${this.name}'s un-REGISTER`);
  }

  /**
   * PUBLISHes: a body makes or replaces, an entity-tag alone refreshes, `expires: 0` removes.
   * @returns {Promise<{code: number, etag?: string, expires?: number, header(name: string): string|undefined}>}
   */
  publish(body, { etag, expires = 600, target = this.aor, event = "presence", contentType = "application/pidf+xml" } = {}) {
    const extra = [`Event: ${event}`, `Expires: ${expires}`];
    if (etag) extra.push(`SIP-If-Match: ${etag}`);
    if (body) extra.push(`Content-Type: ${contentType}`);
    const ruri = this.ua.normalizeTarget(target);
    const request = new SIPMessage.OutgoingRequest("PUBLISH", ruri, this.ua, {}, extra, body ?? undefined);
    const done = deferred();
    new RequestSender(this.ua, request, {
      onReceiveResponse: (response) => {
        if (response.status_code < 200) return;
        done.resolve(answer(response.status_code, (name) => response.getHeader(name)));
      },
      onRequestTimeout: () => done.reject(new Error("PUBLISH timed out")),
      onTransportError: () => done.reject(new Error("PUBLISH: transport error")),
    }).send();
    return within(done.promise, `answer to ${this.name}'s PUBLISH`);
  }

  /** SUBSCRIBEs to the presence of `target`. */
  subscribe(target, { expires = 600 } = {}) {
    const watch = { notifies: new Queue(`NOTIFYs to ${this.name}`) };
    const subscriber = this.ua.subscribe(target, "presence", "application/pidf+xml", { expires });
    subscriber.on("notify", (isFinal, request, body) => {
      const state = request.getHeader("Subscription-State");
      watch.notifies.push({ state, body: body ?? "", cseq: request.cseq, callId: request.call_id });
    });
    subscriber.on("terminated", (code, reason) => {
      watch.ended = { code, reason };
      watch.notifies.push({ state: `ended;code=${code};reason=${reason ?? ""}`, body: "" });
    });
    watch.refresh = () => subscriber.subscribe();
    watch.unsubscribe = () => subscriber.terminate();
    subscriber.subscribe();
    return watch;
  }

  async stop() {
    this.ua.stop();
  }
}

/** The parts of a PUBLISH's answer that tests look at. */
export function answer(code, header) {
  const expires = header("Expires");
  return { code, etag: header("SIP-ETag"), expires: expires === undefined ? undefined : Number(expires), header };
}
