import { aorOf } from "../model/live-set.ts";
import type { Api } from "../server/api.ts";
import type { Entry } from "../server/captured.ts";
import type { App } from "../state/app.ts";
import { message } from "./steps.ts";
import type { Tests } from "./tests.ts";

/** How long the page has somebody captured at a time. */
const SECONDS = 3600;

/** What the server has kept of Alice: whether it does, and what is new since the page looked last. */
export class Captures {
  #looking = false;

  constructor(
    private readonly app: App,
    private readonly api: () => Api | null,
    private readonly tests: Tests,
  ) {
    app.listen((state, before) => {
      if (state.tab !== before.tab || state.server.phase !== before.server.phase) void this.look();
    });
  }

  /** Asks for what is new, while it is on show. */
  async look(): Promise<void> {
    const api = this.api();
    if (api === null || this.app.value.tab !== "history" || this.#looking) return;
    this.#looking = true;
    try {
      for (let more = true; more; ) {
        const { kept } = this.app.value;
        const answer = await api.history(this.#aor, kept?.entries.at(-1)?.seq ?? 0);
        // What is forgotten there is forgotten here, and another capture is looked at from its beginning.
        const same = answer.capture !== null && answer.capture.since === kept?.capture?.since;
        const anew = answer.capture !== null && !same && kept !== null && kept.entries.length > 0;
        more = anew || answer.next !== null;
        this.app.set({ kept: { ...answer, entries: anew ? [] : same ? [...kept.entries, ...answer.entries] : answer.entries } });
      }
    } catch (error) {
      console.warn("the server's history could not be read:", error);
    } finally {
      this.#looking = false;
    }
  }

  begin(): Promise<void> {
    return this.#step((api) => api.capture(this.#aor, SECONDS));
  }

  /** Ends it; what was kept is forgotten at once. */
  end(): Promise<void> {
    return this.#step(async (api) => {
      await api.forget(this.#aor);
      this.app.set({ kept: null });
    });
  }

  /** Has what a policy was given then run on the one that is looked at, beside the other tests. */
  keep({ seq, reason }: Entry): Promise<void> {
    return this.#step(async (api) => {
      const input = await api.captured(this.#aor, seq);
      if (input === null) throw new Error("the server has forgotten it meanwhile");
      await this.tests.take([new File([JSON.stringify(input)], `${String(seq).padStart(4, "0")}-${reason}.json`)]);
    });
  }

  async #step(step: (api: Api) => Promise<void>): Promise<void> {
    const api = this.api();
    if (api === null) return;
    try {
      await step(api);
      this.app.set({ keptWord: "" });
    } catch (error) {
      this.app.set({ keptWord: `That did not work: ${message(error)}.` });
    }
    await this.look();
  }

  get #aor(): string {
    return aorOf(this.app.value.server.domain);
  }
}
