import type { LiveSet } from "../engine/types.ts";
import { KINDS, type DeviceKind } from "../model/device.ts";
import { instanceOf } from "../model/instances.ts";
import { aorOf } from "../model/live-set.ts";
import { Api, type LiveAnswer } from "../server/api.ts";
import type { Account } from "../sip/agent.ts";
import type { Trace } from "../sip/trace.ts";
import type { App } from "../state/app.ts";
import type { Cards } from "./cards.ts";

const LOOK_AGAIN_MS = 4000;

/** Whether two answers differ in nothing but when they were given. */
const sameLive = (a: LiveSet, b: LiveSet | null) => JSON.stringify({ ...a, now_ms: 0 }) === JSON.stringify({ ...b, now_ms: 0 });

const loadSip = () => import("../sip/sip.ts");

/**
 * Whether a server is there, and what it says is live. The SIP connections tell first when it goes:
 * Bob's socket closing starts a look at /demo.json.
 */
export class ServerLink {
  #api: Api | null = null;
  #look: ReturnType<typeof setTimeout> | undefined;
  #sipStarted = false;
  #asking: Promise<void> | null = null;
  #askAgain = false;

  constructor(
    private readonly app: App,
    private readonly cards: Cards,
    private readonly trace: Trace,
    private readonly onLive: (answer: LiveAnswer) => Promise<void>,
  ) {}

  get api(): Api | null {
    return this.app.value.server.phase === "up" ? this.#api : null;
  }

  /** Looks for the server now, and goes on looking while it is away. */
  async look(): Promise<void> {
    clearTimeout(this.#look);
    const demo = await Api.demo();
    if (demo === null || demo === "closed") {
      const { phase, closed } = this.app.value.server;
      if (phase !== "gone" || closed !== (demo === "closed")) this.#gone(demo === "closed");
      this.#look = setTimeout(() => void this.look(), LOOK_AGAIN_MS);
      return;
    }
    const wsUrl = new URL(demo.wsPath, document.baseURI);
    wsUrl.protocol = wsUrl.protocol === "https:" ? "wss:" : "ws:";
    this.#api = new Api(demo.token);
    const { server } = this.app.value;
    if (server.phase !== "up") {
      this.app.set({ server: { phase: "up", closed: false, domain: demo.domain, wsUrl: wsUrl.href, token: demo.token } });
    }
    await this.#startSip(wsUrl.href, demo.domain);
    await this.ask();
  }

  /** Fetches the SIP code now, so that it is there when a server comes that has another build of it. */
  async warm(): Promise<void> {
    await loadSip().catch(() => {}); // nothing is there to fetch it from; a server that comes is asked again
  }

  /** Asks what is live, and is done when the page shows it. Asked while an answer is under way, it asks once more after that. */
  ask(): Promise<void> {
    this.#askAgain = true;
    this.#asking ??= this.#answers().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #answers(): Promise<void> {
    try {
      while (this.#askAgain) {
        this.#askAgain = false;
        const api = this.api;
        if (api === null) return;
        const answer = await api.live(aorOf(this.app.value.server.domain));
        if (!sameLive(answer.live, this.app.value.live)) this.app.set({ live: answer.live });
        await this.#askAboutBob(api);
        const live = new Set(answer.live.publications.map((p) => p.etag));
        this.cards.endedOnServer((etag) => live.has(etag));
        await this.onLive(answer);
      }
    } catch (error) {
      console.warn("the server did not say what is live:", error);
    }
  }

  /** Where the policy in force tells watchers apart, the page has to know what Bob is. */
  async #askAboutBob(api: Api): Promise<void> {
    const { inForce, server: { domain }, bob } = this.app.value;
    if (!("views" in inForce) || !inForce.views) return;
    const is = await api.watcher(aorOf(domain), `sip:bob@${domain}`);
    if (is !== null && JSON.stringify(is) !== JSON.stringify(bob)) this.app.set({ bob: is });
  }

  #gone(closed: boolean): void {
    this.app.set({ server: { ...this.app.value.server, phase: "gone", closed }, live: null, notified: null, watching: false });
  }

  async #startSip(wsUrl: string, domain: string): Promise<void> {
    if (this.#sipStarted) return;
    this.#sipStarted = true;
    const { DeviceLink, Watcher } = await loadSip();
    const account = (user: string, name: string, hint: string): Account => ({ server: wsUrl, aor: `sip:${user}@${domain}`, name, hint, trace: this.trace });
    const watcher = new Watcher(
      account("bob", "Bob", "watcher"),
      aorOf(domain),
      (notified) => {
        this.app.set({ notified });
        void this.ask();
      },
      (watching) => {
        this.app.set({ watching });
        if (!watching) void this.look();
      },
    );
    watcher.start();
    this.cards.connect((kind: DeviceKind, onLink, onAccepted) => {
      const askLater = (accepted: Parameters<typeof onAccepted>[0]) => {
        onAccepted(accepted);
        void this.ask();
      };
      return new DeviceLink(account("alice", KINDS[kind].name, kind === "phone" ? "mobile phone" : KINDS[kind].name.toLowerCase()), instanceOf(kind), onLink, askLater);
    });
  }
}
