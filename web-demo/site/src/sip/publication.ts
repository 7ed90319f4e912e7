import type { UserAgent } from "sip.js/lib/api/user-agent.js";
import type { IncomingResponse } from "sip.js/lib/core/messages/incoming-response.js";

/** A document the server answered 200 to. */
export interface Accepted {
  readonly pidf: string;
  readonly etag: string;
  readonly at: number;
  /** Seconds the server granted. */
  readonly expires: number;
}

interface Reply {
  readonly status: number;
  readonly reason: string;
  readonly header: (name: string) => string | undefined;
}

/**
 * One event publication of RFC 3903 over a SIP.js user agent.
 *
 * SIP.js's own Publisher sends the next PUBLISH before the last was answered, so two quick changes
 * become two publications. Here one request is under way at a time, and what follows it is the newest
 * document, not a queue.
 */
export class Publication {
  #agent: UserAgent | null = null;
  #etag: string | null = null;
  #wanted: string | null = null;
  #sent: string | null = null;
  #busy = false;
  #expires: number;
  #refresh: ReturnType<typeof setTimeout> | undefined;

  constructor(
    expires: number,
    private readonly onAccepted: (accepted: Accepted | null) => void,
    private readonly onReply: (line: string) => void,
  ) {
    this.#expires = expires;
  }

  /** Sends through this agent from now on; the entity-tag of an earlier connection is tried first. */
  attach(agent: UserAgent): void {
    this.#agent = agent;
    this.#busy = false;
    this.#sent = null;
    this.#pump();
  }

  detach(): void {
    this.#agent = null;
    this.#busy = false;
    clearTimeout(this.#refresh);
  }

  /** Publishes `pidf`, or with null removes the publication. */
  want(pidf: string | null): void {
    this.#wanted = pidf;
    this.#pump();
  }

  /** Removes the publication and waits for the answer, at most a second. */
  async remove(): Promise<void> {
    this.want(null);
    const end = Date.now() + 1000;
    while (this.#agent !== null && this.#etag !== null && Date.now() < end) await new Promise((r) => setTimeout(r, 20));
  }

  #pump(): void {
    if (this.#agent === null || this.#busy) return;
    if (this.#wanted === null) {
      if (this.#etag !== null) this.#send(null, 0);
    } else if (this.#wanted !== this.#sent) {
      this.#send(this.#wanted, this.#expires);
    }
  }

  #send(body: string | null, expires: number): void {
    const agent = this.#agent;
    if (agent === null) return;
    this.#busy = true;
    clearTimeout(this.#refresh);
    const core = agent.userAgentCore;
    const aor = core.configuration.aor;
    const headers = ["Event: presence", `Expires: ${expires}`];
    if (this.#etag !== null) headers.push(`SIP-If-Match: ${this.#etag}`);
    const content = { contentDisposition: "render", contentType: "application/pidf+xml", content: body ?? "" };
    const request = core.makeOutgoingRequestMessage("PUBLISH", aor, aor, aor, {}, headers, body === null ? undefined : content);
    const final = ({ message }: IncomingResponse) => {
      if (agent !== this.#agent) return; // an answer from a connection that is gone
      this.#busy = false;
      this.#answered(body, expires, {
        status: message.statusCode ?? 0,
        reason: message.reasonPhrase ?? "",
        header: (name) => message.getHeader(name),
      });
    };
    core.publish(request, { onAccept: final, onReject: final, onRedirect: final });
  }

  #answered(body: string | null, expires: number, reply: Reply): void {
    this.onReply(`${reply.status} ${reply.reason}`);
    if (reply.status < 300) {
      this.#etag = expires === 0 ? null : (reply.header("SIP-ETag") ?? null);
      if (expires === 0) {
        this.#sent = null;
        this.onAccepted(null);
      } else {
        const granted = Number(reply.header("Expires") ?? expires);
        if (body !== null) this.#sent = body;
        if (this.#sent !== null && this.#etag !== null)
          this.onAccepted({ pidf: this.#sent, etag: this.#etag, at: Date.now(), expires: granted });
        this.#refresh = setTimeout(() => this.#send(null, this.#expires), granted * 800);
      }
      this.#pump();
      return;
    }
    if (reply.status === 412 && this.#etag !== null) {
      this.#etag = null; // it ended on the server: publish anew
      this.#sent = null;
      this.#pump();
    } else if (reply.status === 423 && Number(reply.header("Min-Expires")) > this.#expires) {
      this.#expires = Number(reply.header("Min-Expires"));
      this.#pump();
    } else if (body !== null) {
      this.#sent = body; // refused for good: the same document is not sent again
    }
  }
}
