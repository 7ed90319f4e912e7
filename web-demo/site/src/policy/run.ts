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

type Make = (wasm: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;

/** The policy with its counter; as it is where that cannot be made, since no fuel is better than no answer. */
const countingIn: Make = (wasm) =>
  meterPolicy(wasm).catch((error: unknown) => {
    console.warn("the policy's fuel is not counted:", error);
    return wasm;
  });

/** Runs policies in a Worker, one at a time, each for a limited time. They count the fuel that the server's engine would. */
export class PolicyRunner {
  #worker: Worker | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #serial = 0;
  #compiled = new WeakMap<Uint8Array, Promise<WebAssembly.Module>>();

  /** Starts the Worker now, so that it is there when the server is gone. */
  warm(): void {
    this.#worker ??= this.#start();
  }

  run(wasm: Uint8Array<ArrayBuffer>, input: Uint8Array<ArrayBuffer>, hook: Hook | "pp_params" = "pp_merge"): Promise<Run> {
    return this.#next<Exclude<Run, Failed>>(wasm, countingIn, input, hook);
  }

  /** Has the engine for scripts read one. It is ours, but what it reads may loop. */
  readScript(engine: Uint8Array<ArrayBuffer>, script: Uint8Array<ArrayBuffer>): Promise<Read | Failed> {
    return this.#next<Read>(engine, async (wasm) => wasm, script, "pp_script");
  }

  #next<Done>(wasm: Uint8Array<ArrayBuffer>, made: Make, input: Uint8Array<ArrayBuffer>, hook: Job["hook"]): Promise<Done | Failed> {
    const result = this.#queue.then(async (): Promise<Done | Failed> => {
      let policy: WebAssembly.Module;
      try {
        policy = await this.#compile(wasm, made);
      } catch (error) {
        return { code: "E101", message: String(error) };
      }
      return this.#one({ id: ++this.#serial, policy, input, hook });
    });
    this.#queue = result;
    return result;
  }

  /** Compiled here, once: the Worker is handed the module, and not its bytes at each call. */
  #compile(wasm: Uint8Array<ArrayBuffer>, made: Make): Promise<WebAssembly.Module> {
    const known = this.#compiled.get(wasm);
    if (known !== undefined) return known;
    const compiled = made(wasm).then((counting) => WebAssembly.compile(counting));
    this.#compiled.set(wasm, compiled);
    compiled.catch(() => this.#compiled.delete(wasm));
    return compiled;
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
