import { ApiError } from "../server/api.ts";
import type { App } from "../state/app.ts";

/** A sentence on how a step went. */
export interface Said {
  readonly ok: boolean;
  readonly text: string;
}

/** What is said of a step once the page shows what came of it: a sentence, or one made then. */
export type Words = Said | (() => Said);

export const well = (text: string): Said => ({ ok: true, text });
export const badly = (text: string): Said => ({ ok: false, text });

/** Steps with policies in which the server has a part: one at a time, and after each the server says what is in force. */
export class Steps {
  constructor(
    private readonly app: App,
    private readonly refresh: () => Promise<void>,
  ) {}

  async take(step: () => Promise<Words>): Promise<void> {
    this.app.set({ busy: true, policyWord: null });
    const words = await step().catch((error: unknown) => {
      const fix = error instanceof ApiError && error.fix !== "" ? ` ${error.fix}` : "";
      return badly(`That did not work: ${message(error)}.${fix} Nothing has changed for Bob.`);
    });
    this.app.set({ busy: false });
    await this.refresh();
    this.app.set({ policyWord: typeof words === "function" ? words() : words });
  }
}

export const message = (error: unknown) => (error instanceof Error ? error.message : String(error));
