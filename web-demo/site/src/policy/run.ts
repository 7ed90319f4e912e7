import { built } from "../build.ts";
import { meterPolicy } from "./check.ts";
import type { Fuel, Hook, Job, Outcome } from "./worker.ts";

/** A policy that takes longer than this in the page is ended, if its fuel does not end it before. */
const TIME_LIMIT_MS = 1000;

export interface Failed {
  readonly code: string;
  readonly message: string;
}

export type Run = { readonly output: Uint8Array<ArrayBuffer> | null; readonly log: readonly string[]; readonly fuel: Fuel | null } | Failed;

/** What the engine for scripts says of one, and its memory as it is then. */
export interface Read {
  readonly said: Uint8Array<ArrayBuffer>;
  readonly memory: Uint8Array<ArrayBuffer>;
}

/** Runs policies in a Worker, one at a time, each for a limited time. They count the fuel that the server's engine would. */
export class PolicyRunner {
  #worker: Worker | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #serial = 0;
  #metered = new WeakMap<Uint8Array, Promise<Uint8Array<ArrayBuffer>>>();

  /** Starts the Worker now, so that it is there when the server is gone. */
  warm(): void {
    this.#worker ??= this.#start();
  }

  run(wasm: Uint8Array<ArrayBuffer>, input: Uint8Array<ArrayBuffer>, hook: Hook = "pp_merge"): Promise<Run> {
    const result = this.#queue.then(async () => this.#one<Exclude<Run, Failed>>({ id: ++this.#serial, wasm: await this.#countingIn(wasm), input, hook }));
    this.#queue = result;
    return result;
  }

  /** The policy with its counter; as it is where that cannot be made, since no fuel is better than no answer. */
  #countingIn(wasm: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const known = this.#metered.get(wasm);
    if (known !== undefined) return known;
    const made = meterPolicy(wasm).catch((error: unknown) => {
      this.#metered.delete(wasm);
      console.warn("the policy's fuel is not counted:", error);
      return wasm;
    });
    this.#metered.set(wasm, made);
    return made;
  }

  /** Has the engine for scripts read one. It is ours, but what it reads may loop. */
  readScript(engine: Uint8Array<ArrayBuffer>, script: Uint8Array<ArrayBuffer>): Promise<Read | Failed> {
    const result = this.#queue.then(() => this.#one<Read>({ id: ++this.#serial, wasm: engine, input: script, hook: "pp_script" }));
    this.#queue = result;
    return result;
  }

  #one<Done>(job: Job): Promise<Done | Failed> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      const done = (run: Done | Failed) => {
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
        if (data.id === job.id) done(data as Done | Failed);
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
