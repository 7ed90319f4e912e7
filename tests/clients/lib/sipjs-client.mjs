// A device and a watcher made of SIP.js, in Node and in a page.

import { Registerer, RegistererState, Subscriber, UserAgent } from "sip.js";
import { answer } from "./jssip-client.mjs";
import { deferred, Queue, within } from "./queue.mjs";

/** One user agent on one WebSocket. */
export class SipJsClient {
  static library = "SIP.js";

  /** @param {{url: string, aor: string, password?: string, name: string}} options */
  static async open({ url, aor, password, name }) {
    const client = new SipJsClient();
    const uri = UserAgent.makeURI(aor);
    client.name = name;
    client.aor = aor;
    client.events = new Queue(`${name}'s connection`);
    client.ua = new UserAgent({
      uri,
      authorizationUsername: uri.user,
      authorizationPassword: password,
      transportOptions: { server: url },
      logBuiltinEnabled: false,
      userAgentString: `SIP.js ${name}`,
      delegate: {
        onConnect: () => client.events.push("connected"),
        onDisconnect: () => client.events.push("disconnected"),
      },
    });
    client.instance = `00000000-0000-4000-8000-${Array.from(crypto.getRandomValues(new Uint8Array(6)), (b) => b.toString(16).padStart(2, "0")).join("")}`;
    await within(client.ua.start(), `${name}'s connection`);
    // A Subscriber that has unsubscribed does not show its final NOTIFY: it is seen on the wire.
    client.finals = new Map();
    const { transport } = client.ua;
    const inner = transport.onMessage;
    transport.onMessage = (message) => {
      const state = /^Subscription-State:\s*(terminated.*)$/im.exec(message)?.[1];
      const callId = /^Call-ID:\s*(\S+)/im.exec(message)?.[1];
      if (message.startsWith("NOTIFY ") && state) client.finals.get(callId)?.push({ state, body: "" });
      inner(message);
    };
    return client;
  }

  register() {
    this.registerer ??= new Registerer(this.ua, { expires: 600, regId: 1, instanceId: this.instance });
    return this.#send("REGISTER", (requestDelegate) => this.registerer.register({ requestDelegate }));
  }

  async unregister() {
    const gone = deferred();
    this.registerer.stateChange.addListener((state) => {
      if (state === RegistererState.Unregistered) gone.resolve();
    });
    const done = await this.#send("un-REGISTER", (requestDelegate) => this.registerer.unregister({ requestDelegate }));
    await within(gone.promise, "end of the registration");
    return done;
  }

  async #send(what, send) {
    const done = deferred();
    const finish = (response) =>
      done.resolve({ code: response.message.statusCode, contacts: response.message.getHeaders("Contact") });
    await send({ onAccept: finish, onReject: finish });
    return within(done.promise, `answer to ${this.name}'s ${what}`);
  }

  /** As JsSipClient.publish; below SIP.js' own Publisher, which hides codes and repeats 412 and 423 by itself. */
  publish(body, { etag, expires = 600, target = this.aor, event = "presence", contentType = "application/pidf+xml" } = {}) {
    const core = this.ua.userAgentCore;
    const to = UserAgent.makeURI(target);
    const extra = [`Event: ${event}`, `Expires: ${expires}`];
    if (etag) extra.push(`SIP-If-Match: ${etag}`);
    const content = body ? { contentDisposition: "render", contentType, content: body } : undefined;
    const from = this.ua.configuration.uri;
    const request = core.makeOutgoingRequestMessage("PUBLISH", to, from, to, {}, extra, content);
    const done = deferred();
    const finish = (response) =>
      done.resolve(answer(response.message.statusCode, (name) => response.message.getHeader(name)));
    core.publish(request, { onAccept: finish, onReject: finish });
    return within(done.promise, `answer to ${this.name}'s PUBLISH`);
  }

  subscribe(target, { expires = 600 } = {}) {
    const watch = { notifies: new Queue(`NOTIFYs to ${this.name}`) };
    const subscriber = new Subscriber(this.ua, UserAgent.makeURI(target), "presence", {
      expires,
      // SIP.js sends no Accept: the package's default must apply.
    });
    subscriber.delegate = {
      onNotify: (notification) => {
        const { request } = notification;
        watch.notifies.push({
          state: request.getHeader("Subscription-State"),
          body: request.body ?? "",
          cseq: request.cseq,
          callId: request.callId,
        });
        notification.accept();
      },
    };
    watch.subscriber = subscriber;
    watch.refresh = () => subscriber._refresh();
    watch.unsubscribe = () => subscriber.unsubscribe();
    subscriber.subscribe();
    this.finals.set(subscriber.outgoingRequestMessage.callId, watch.notifies);
    return watch;
  }

  async stop() {
    // UserAgent.stop() waits for ever for a live Subscriber; tests unsubscribe or let the socket go.
    await this.ua.transport.disconnect().catch(() => {});
  }
}
