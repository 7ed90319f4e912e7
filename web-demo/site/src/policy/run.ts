import { built } from "../build.ts";
import type { Job, Outcome } from "./worker.ts";

/** A policy that takes longer than this in the page is ended. The server counts fuel instead. */
const TIME_LIMIT_MS = 1000;

export type Run =
  | { readonly output: Uint8Array<ArrayBuffer> | null; readonly log: readonly string[]; readonly micros: number }
  | { readonly code: string; readonly message: string };

/** Runs policies in a Worker, one at a time, each for a limited time. */
export class PolicyRunner {
  #worker: Worker | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #serial = 0;

  /** Starts the Worker now, so that it is there when the server is gone. */
  warm(): void {
    this.#worker ??= this.#start();
  }

  run(wasm: Uint8Array<ArrayBuffer>, input: Uint8Array<ArrayBuffer>): Promise<Run> {
    const result = this.#queue.then(() => this.#one({ id: ++this.#serial, wasm, input }));
    this.#queue = result;
    return result;
  }

  #one(job: Job): Promise<Run> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      const done = (run: Run) => {
        clearTimeout(timer);
        worker.removeEventListener("message", onMessage);
        worker.removeEventListener("error", onError);
        resolve(run);
      };
      const kill = (message: string) => {
        worker.terminate();
        this.#worker = null;
        done({ code: "E204", message });
      };
      const timer = setTimeout(
        () => kill(`the policy did not finish in ${TIME_LIMIT_MS.toLocaleString("en")} ms and was ended; the server would end it when its fuel is used up`),
        TIME_LIMIT_MS,
      );
      const onMessage = ({ data }: MessageEvent<Outcome>) => {
        if (data.id === job.id) done(data);
      };
      const onError = (event: ErrorEvent) => {
        event.preventDefault();
        kill(event.message || "the Worker could not be started");
      };
      worker.addEventListener("message", onMessage);
      worker.addEventListener("error", onError);
      worker.postMessage(job);
    });
  }

  #start(): Worker {
    return new Worker(built("policy-worker.js"), { type: "module", name: "policy" });
  }
}
