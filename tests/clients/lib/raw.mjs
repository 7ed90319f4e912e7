// SIP over WebSocket by hand, for what the libraries hide: status codes, header lines, frames.

import { createHash, randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { Queue, within } from "./queue.mjs";

const random = (bytes = 6) => randomBytes(bytes).toString("hex");

/** A received message: first line, header lines as they stand, body. */
export class Message {
  constructor(text) {
    this.text = text;
    const end = text.indexOf("\r\n\r\n");
    const [first, ...lines] = text.slice(0, end).split("\r\n");
    this.first = first;
    this.lines = lines;
    this.body = text.slice(end + 4);
    const status = /^SIP\/2\.0 (\d{3}) (.*)$/.exec(first);
    this.code = status ? Number(status[1]) : null;
    this.method = status ? null : first.split(" ")[0];
  }

  /** All values of a header, by its full name, whatever its case. */
  all(name) {
    const start = `${name.toLowerCase()}:`;
    return this.lines.filter((line) => line.toLowerCase().startsWith(start)).map((line) => line.slice(start.length).trim());
  }

  get(name) {
    return this.all(name)[0];
  }

  get toTag() {
    return /;tag=([^;>]+)/.exec(this.get("To"))?.[1];
  }

  get cseq() {
    return Number(this.get("CSeq").split(" ")[0]);
  }
}

/** One WebSocket connection that speaks what it is told to. */
export class Raw {
  /** @param {string} url @param {{user?: string, password?: string, options?: object}} [who] */
  static async open(url, { user = "alice", password, options } = {}) {
    const raw = new Raw();
    raw.user = user;
    raw.password = password;
    raw.host = `${random()}.invalid`;
    raw.received = new Queue(`messages to ${user}`);
    raw.requests = new Queue(`requests to ${user}`);
    raw.closed = new Promise((resolve) => (raw.onClose = resolve));
    raw.socket = new WebSocket(url, "sip", options);
    raw.answering = true;
    raw.socket.on("message", (data, binary) => {
      const text = data.toString();
      if (!text.trim()) return raw.received.push({ keepAlive: text, binary });
      const message = new Message(text);
      message.binary = binary;
      if (message.method) {
        if (raw.answering) raw.send(raw.response(message, 200, "OK"));
        raw.requests.push(message);
      } else {
        raw.received.push(message);
      }
    });
    raw.socket.on("close", (code) => {
      raw.received.end(`closed with ${code}`);
      raw.requests.end(`closed with ${code}`);
      raw.onClose(code);
    });
    raw.socket.on("error", () => {});
    await within(new Promise((resolve, reject) => raw.socket.once("open", resolve).once("error", reject)), "handshake");
    return raw;
  }

  get aor() {
    return `sip:${this.user}@example.com`;
  }

  get contact() {
    return `<sip:${this.user}@${this.host};transport=ws>`;
  }

  send(text, options = { binary: false }) {
    this.socket.send(text, options);
  }

  /** The answer to a received request, with what it must repeat. */
  response(request, code, reason) {
    const copied = ["Via", "From", "To", "Call-ID", "CSeq"].flatMap((name) => request.all(name).map((value) => `${name}: ${value}`));
    return [`SIP/2.0 ${code} ${reason}`, ...copied, "Content-Length: 0", "", ""].join("\r\n");
  }

  /**
   * The text of a request. `headers` replace or add lines (null leaves one out); an array gives several.
   */
  text(method, uri, headers = {}, body = "") {
    const lines = {
      Via: `SIP/2.0/WS ${this.host};branch=z9hG4bK${random()}`,
      "Max-Forwards": "70",
      From: `<${this.aor}>;tag=${random()}`,
      To: `<${method === "REGISTER" ? this.aor : uri}>`,
      "Call-ID": random(10),
      CSeq: `1 ${method}`,
      "Content-Length": String(Buffer.byteLength(body)),
      ...headers,
    };
    const head = Object.entries(lines).flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}`),
    );
    return `${method} ${uri} SIP/2.0\r\n${head.join("\r\n")}\r\n\r\n${body}`;
  }

  /** Sends a request, answers one challenge if there is a password, and gives the final response. */
  async request(method, uri, headers = {}, body = "") {
    const callId = headers["Call-ID"] ?? random(10);
    const from = headers.From ?? `<${this.aor}>;tag=${random()}`;
    let cseq = Number(headers.CSeq?.split(" ")[0] ?? 1);
    let extra = { ...headers, "Call-ID": callId, From: from, CSeq: `${cseq} ${method}` };
    let response = await this.exchange(this.text(method, uri, extra, body), callId, cseq);
    if ((response.code === 401 || response.code === 407) && this.password !== undefined) {
      cseq += 1;
      const name = response.code === 401 ? "Authorization" : "Proxy-Authorization";
      const credentials = this.credentials(method, uri, response);
      extra = { ...extra, CSeq: `${cseq} ${method}`, [name]: credentials };
      response = await this.exchange(this.text(method, uri, extra, body), callId, cseq);
    }
    return response;
  }

  /** Sends a text and waits for the final response with this Call-ID and CSeq. */
  async exchange(text, callId, cseq) {
    this.send(text);
    return this.received.next(
      (message) => message.code >= 200 && message.get("Call-ID") === callId && message.cseq === cseq,
      `answer to ${text.split(" ")[0]}`,
    );
  }

  /** An answer to the challenge of `algorithm` (MD5 as browsers do, or SHA-256). */
  credentials(method, uri, response, { algorithm = "MD5", password = this.password, nonce } = {}) {
    const challenges = [...response.all("WWW-Authenticate"), ...response.all("Proxy-Authenticate")];
    const challenge = challenges.find((line) => line.includes(`algorithm=${algorithm}`)) ?? challenges.at(-1);
    const value = (name) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
    const realm = value("realm");
    nonce ??= value("nonce");
    const hash = (text) => createHash(algorithm === "MD5" ? "md5" : "sha256").update(text).digest("hex");
    const cnonce = random();
    const ha1 = hash(`${this.user}:${realm}:${password}`);
    const answer = hash(`${ha1}:${nonce}:00000001:${cnonce}:auth:${hash(`${method}:${uri}`)}`);
    const opaque = value("opaque");
    return (
      `Digest algorithm=${algorithm}, username="${this.user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
      `response="${answer}", qop=auth, cnonce="${cnonce}", nc=00000001${opaque ? `, opaque="${opaque}"` : ""}`
    );
  }

  register(headers = {}) {
    return this.request("REGISTER", "sip:example.com", { Contact: `${this.contact};expires=600`, ...headers });
  }

  publish(body, headers = {}, target = this.aor) {
    const type = body ? { "Content-Type": "application/pidf+xml" } : {};
    return this.request("PUBLISH", target, { Event: "presence", Expires: "600", ...type, ...headers }, body);
  }

  /** SUBSCRIBEs; the dialog that results, with its first response. */
  async subscribe(target, headers = {}) {
    const lines = { Event: "presence", Expires: "600", Contact: this.contact, "Call-ID": random(10), From: `<${this.aor}>;tag=${random()}`, ...headers };
    const response = await this.request("SUBSCRIBE", target, lines);
    return { response, lines, target, cseq: response.cseq };
  }

  /** Another SUBSCRIBE inside the dialog. */
  async resubscribe(dialog, headers = {}) {
    dialog.cseq += 1;
    const uri = /<([^>]+)>/.exec(dialog.response.get("Contact"))[1];
    return this.request("SUBSCRIBE", uri, {
      ...dialog.lines,
      To: dialog.response.get("To"),
      CSeq: `${dialog.cseq} SUBSCRIBE`,
      ...headers,
    });
  }

  /** The next NOTIFY. */
  notify(wanted = () => true, what = "NOTIFY") {
    return this.requests.next((request) => request.method === "NOTIFY" && wanted(request), what);
  }

  close() {
    this.socket.close();
  }

  /** Gone without a close frame. */
  drop() {
    this.socket.terminate();
  }
}
