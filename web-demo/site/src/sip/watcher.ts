import { Subscriber } from "sip.js/lib/api/subscriber.js";
import { SubscriptionState } from "sip.js/lib/api/subscription-state.js";
import { UserAgent } from "sip.js/lib/api/user-agent.js";
import { backoff, makeAgent, type Account } from "./agent.ts";

/** A state as the server sent it to the watcher. */
export interface Notified {
  /** The body as it came; "" if there was none. */
  readonly body: string;
  readonly contentType: string;
  /** The Subscription-State header. */
  readonly state: string;
  readonly at: number;
}

const SUBSCRIBE_EXPIRES_S = 600;

/** Bob: subscribes to one presentity, hands on every NOTIFY, subscribes anew when the connection was lost. */
export class Watcher {
  #agent: UserAgent | null = null;
  #attempt = 0;

  constructor(
    private readonly account: Account,
    private readonly target: string,
    private readonly onNotified: (notified: Notified) => void,
    private readonly onConnected: (connected: boolean) => void,
  ) {}

  start(): void {
    const agent = makeAgent(this.account);
    this.#agent = agent;
    agent.transport.onDisconnect = () => this.#lost(agent);
    agent.transport.onConnect = () => this.#subscribe(agent);
    agent.start().catch(() => this.#lost(agent));
  }

  #subscribe(agent: UserAgent): void {
    const target = UserAgent.makeURI(this.target);
    if (target === undefined) throw new Error(`not a SIP URI: ${this.target}`);
    const subscriber = new Subscriber(agent, target, "presence", {
      expires: SUBSCRIBE_EXPIRES_S,
      extraHeaders: ["Accept: application/pidf+xml"],
    });
    subscriber.delegate = {
      onNotify: (notification) => {
        const request = notification.request;
        void notification.accept();
        this.#attempt = 0;
        this.onConnected(true);
        this.onNotified({
          body: request.body,
          contentType: request.getHeader("Content-Type") ?? "",
          state: request.getHeader("Subscription-State") ?? "",
          at: Date.now(),
        });
      },
    };
    subscriber.stateChange.addListener((state) => {
      if (state === SubscriptionState.Terminated) this.#lost(agent);
    });
    subscriber.subscribe().catch(() => this.#lost(agent));
  }

  #lost(agent: UserAgent): void {
    if (agent !== this.#agent) return;
    this.#agent = null;
    this.onConnected(false);
    agent.transport.onDisconnect = undefined;
    agent.transport.dispose().catch(() => {});
    setTimeout(() => this.start(), backoff(this.#attempt++));
  }
}
