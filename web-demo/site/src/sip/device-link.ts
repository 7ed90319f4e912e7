import type { UserAgent } from "sip.js/lib/api/user-agent.js";
import { Registerer } from "sip.js/lib/api/registerer.js";
import { backoff, makeAgent, type Account } from "./agent.ts";
import { Publication, type Accepted } from "./publication.ts";

/** How a device's SIP connection stands. */
export interface Link {
  readonly phase: "off" | "connecting" | "registered" | "lost" | "pulled";
  /** The last answer of the server, as "200 OK to PUBLISH"; "" before the first. */
  readonly last: string;
}

const REGISTER_EXPIRES_S = 600;
const PUBLISH_EXPIRES_S = 1800;

/** One device as a SIP client: a WebSocket of its own, REGISTER with its instance id, PUBLISH. */
export class DeviceLink {
  #link: Link = { phase: "off", last: "" };
  #agent: UserAgent | null = null;
  #registerer: Registerer | null = null;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #publication: Publication;

  /** @param instance the device's instance id: a bare UUID that outlives connections */
  constructor(
    private readonly account: Account,
    private readonly instance: string,
    private readonly onLink: (link: Link) => void,
    onAccepted: (accepted: Accepted | null) => void,
  ) {
    this.#publication = new Publication(PUBLISH_EXPIRES_S, onAccepted, (line) => this.#set({ last: `${line} to PUBLISH` }));
  }

  /** Connects, registers and publishes; keeps trying while the server is away. */
  start(): void {
    if (this.#link.phase === "off" || this.#link.phase === "pulled") this.#connect();
  }

  publish(pidf: string): void {
    this.#publication.want(pidf);
  }

  /** Goes in good order: removes the publication and the registration, closes. */
  async stop(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#link.phase === "registered") {
      await this.#publication.remove();
      await this.#registerer?.unregister().catch(() => {});
      await new Promise((r) => setTimeout(r, 100)); // let the answer come in, it shows in the trace
    } else {
      this.#publication.want(null);
    }
    this.#drop();
    this.#set({ phase: "off", last: "" });
  }

  /** The connection dies without a SIP message: no un-PUBLISH, no un-REGISTER. */
  pull(): void {
    clearTimeout(this.#retry);
    this.#drop();
    this.#set({ phase: "pulled" });
  }

  #connect(): void {
    this.#set({ phase: "connecting" });
    const agent = makeAgent(this.account);
    this.#agent = agent;
    const registerer = new Registerer(agent, { expires: REGISTER_EXPIRES_S, instanceId: this.instance, regId: 1 });
    this.#registerer = registerer;
    agent.transport.onDisconnect = () => this.#lost(agent);
    agent.transport.onConnect = () => {
      registerer
        .register({
          requestDelegate: {
            onAccept: ({ message }) => {
              if (agent !== this.#agent) return;
              this.#attempt = 0;
              this.#set({ phase: "registered", last: `${message.statusCode} ${message.reasonPhrase} to REGISTER` });
              this.#publication.attach(agent);
            },
            onReject: ({ message }) => {
              if (agent !== this.#agent) return;
              this.#set({ last: `${message.statusCode} ${message.reasonPhrase} to REGISTER` });
              this.#lost(agent);
            },
          },
        })
        .catch(() => this.#lost(agent));
    };
    agent.start().catch(() => this.#lost(agent));
  }

  #lost(agent: UserAgent): void {
    if (agent !== this.#agent) return;
    this.#drop();
    this.#set({ phase: "lost" });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), backoff(this.#attempt++));
  }

  /** Closes the socket without a word in SIP. */
  #drop(): void {
    const agent = this.#agent;
    this.#agent = null;
    this.#registerer = null;
    this.#publication.detach();
    if (agent === null) return;
    agent.transport.onDisconnect = undefined;
    agent.transport.dispose().catch(() => {});
  }

  #set(patch: Partial<Link>): void {
    this.#link = { ...this.#link, ...patch };
    this.onLink(this.#link);
  }
}
