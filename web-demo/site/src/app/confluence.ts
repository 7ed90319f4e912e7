import type { MergeEngine } from "../engine/merge.ts";
import type { LiveSet, Merged } from "../engine/types.ts";
import { History } from "../model/history.ts";
import { assemble, movedTo } from "../model/live-set.ts";
import { localTime, otherClock, zoneOf, type LocalTime } from "../model/wall-clock.ts";
import type { Watcher } from "../model/watcher.ts";
import type { Report } from "../policy/report.ts";
import type { Failed, PolicyRunner } from "../policy/run.ts";
import type { Hook } from "../policy/worker.ts";
import type { ActivePolicy, Agreement, App, Call, Failure, Outcome } from "../state/app.ts";

/** How long page and server may differ before the badge says so: a NOTIFY or a /live answer may be under way. */
const SETTLE_MS = 1500;

/** A policy's bytes with the parameters it is run with. */
interface Loaded {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly params: unknown;
  /** Whether it exports `pp_view`. */
  readonly views: boolean;
  /** Whether it hides things. */
  readonly privacy: boolean;
}

const loaded = (bytes: Uint8Array<ArrayBuffer>, params: unknown, { hooks, privacy }: Report): Loaded =>
  ({ bytes, params, views: hooks.includes("pp_view"), privacy });

type Made = Outcome | Failure;

/**
 * Merges in the page whenever anything that counts has changed, runs the active policy and the chosen
 * one on the result, and compares with what the server sent Bob.
 */
export class Confluence {
  readonly history = new History();
  #engine: MergeEngine | null = null;
  #active: Loaded | null = null;
  /** What was merged last. */
  #set: LiveSet | null = null;
  /** What the server should have sent Bob, whoever the page looks as. */
  #forBob: Merged | null = null;
  #turn = 0;
  #settle: ReturnType<typeof setTimeout> | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;
  #differsSince = 0;

  constructor(
    private readonly app: App,
    private readonly runner: PolicyRunner,
    private readonly chosenParams: () => unknown,
  ) {
    app.listen((state, before) => {
      const inputs = ["published", "live", "pinned", "moved", "zone", "server", "choice", "params", "paramsErrors", "active", "devices", "bob", "seenBy"] as const;
      if (inputs.some((key) => state[key] !== before[key])) void this.run();
      else if (state.notified !== before.notified) this.#compare();
    });
  }

  async load(make: () => Promise<MergeEngine>): Promise<void> {
    try {
      this.#engine = await make();
      this.app.set({ engine: "ready" });
      await this.run();
    } catch (error) {
      console.error("the merge engine did not load:", error);
      this.app.set({ engine: "failed" });
    }
  }

  get engine(): MergeEngine | null {
    return this.#engine;
  }

  /** What a policy is given of the case on show; null while nothing was merged. */
  input(params: unknown): Uint8Array<ArrayBuffer> | null {
    return this.#engine === null || this.#set === null ? null : this.#engine.policyInput(this.#set, params, this.#localTime(this.#set));
  }

  /** The policy in force, which the page must run too if it is to agree with the server. */
  setActive(active: ActivePolicy | null): void {
    this.#active = active === null || active.held === null ? null : loaded(active.held.module, active.params, active.held.report);
    this.app.set({ active });
    void this.run();
  }

  async run(): Promise<void> {
    const engine = this.#engine;
    if (engine === null) return;
    const turn = ++this.#turn;
    const state = this.app.value;
    const present = assemble(state, Date.now());
    this.history.add(present);
    this.#wakeLater(present);
    const set = state.pinned === null ? present : state.moved ? movedTo(present, state.pinned) : (this.history.at(state.pinned) ?? { ...present, now_ms: state.pinned });
    this.#set = set;
    const inForceHere = state.active?.where === "page" && state.active.held === null ? { ...set, composition: state.active.name } : set;
    const builtin = engine.masked(engine.merge(inForceHere), set.mask);
    const active = this.#active;
    const watcher = state.seenBy === null ? state.bob : { class: state.seenBy, groups: [] };
    if (active === null) {
      this.#forBob = builtin;
      this.app.set({ builtin, merged: builtin, inForce: { kind: "none" } });
      this.#compare();
    }
    const chosen = state.choice.bytes === null || state.report === null ? null : loaded(state.choice.bytes, this.chosenParams(), state.report);
    const other = state.choice.source === "builtin" && state.choice.name !== inForceHere.composition ? engine.masked(engine.merge({ ...set, composition: state.choice.name }), set.mask) : null;
    const run = (policy: Loaded, as: Watcher) => this.#apply(engine, set, builtin, policy, as);
    const [forBob, inForce, preview] = await Promise.all([
      active === null || state.seenBy === null ? null : run(active, state.bob),
      active === null ? null : run(active, watcher),
      chosen === null || state.report?.errors.length !== 0 || state.paramsErrors.length > 0 ? null : run(chosen, watcher),
    ]);
    if (turn !== this.#turn) return; // something newer is on its way
    if (inForce !== null) {
      this.#forBob = (forBob ?? inForce).merged;
      this.app.set({ builtin, merged: inForce.merged, inForce });
      this.#compare();
    }
    if (other !== null) this.app.set({ preview: { kind: "done", merged: other, opinion: true, views: false, fuel: null, log: [], explain: [], calls: [] } });
    else this.app.set({ preview: preview ?? { kind: "none" } });
  }

  /** What a policy makes of the case for a watcher; where it fails, what stands in for it (the contract's section 12). */
  async #apply(engine: MergeEngine, set: LiveSet, builtin: Merged, policy: Loaded, watcher: Watcher): Promise<Made> {
    const merged = await this.#merge(engine, set, builtin, policy);
    return policy.views ? this.#view(engine, set.now_ms, merged, policy, watcher) : merged;
  }

  async #merge(engine: MergeEngine, set: LiveSet, builtin: Merged, policy: Loaded): Promise<Made> {
    const failed = ({ code, message }: Failed): Failure =>
      ({ kind: "failed", code, message, merged: policy.privacy ? engine.masked(engine.minimal(set), set.mask) : builtin, minimal: policy.privacy, views: policy.views });
    let input: Uint8Array<ArrayBuffer>;
    try {
      input = engine.policyInput(set, policy.params, this.#localTime(set));
    } catch (error) {
      return failed({ code: "", message: String(error) });
    }
    const run = await this.runner.run(policy.bytes, input);
    if ("code" in run) return failed(run);
    const applied = run.output === null ? { merged: builtin, explain: [] } : engine.apply(set, policy.params, run.output);
    if ("code" in applied) return failed(applied);
    const merged = run.output === null ? builtin : engine.masked(applied.merged, set.mask);
    return { kind: "done", views: policy.views, fuel: run.fuel, log: run.log, calls: [callOf("pp_merge", input, run.output)], explain: applied.explain, merged, opinion: run.output !== null };
  }

  /** What is left for a watcher of what was merged, or of what stands in for that. */
  async #view(engine: MergeEngine, now: number, made: Made, policy: Loaded, watcher: Watcher): Promise<Made> {
    const failed = ({ code, message }: Failed): Failure =>
      ({ kind: "failed", code, message, merged: policy.privacy ? engine.minimalView(made.merged) : made.merged, minimal: policy.privacy, views: true });
    const input = engine.viewInput(made.merged, watcher, now, policy.params);
    const run = await this.runner.run(policy.bytes, input, "pp_view");
    if ("code" in run) return failed(run);
    const view = run.output === null ? { merged: made.merged, explain: [] } : engine.view(made.merged, run.output);
    if ("code" in view) return failed(view);
    if (made.kind === "failed") return { ...made, merged: view.merged };
    return {
      ...made, merged: view.merged, fuel: run.fuel, opinion: made.opinion || run.output !== null,
      log: [...made.log, ...run.log], explain: [...made.explain, ...view.explain], calls: [...made.calls, callOf("pp_view", input, run.output)],
    };
  }

  /** Page against server: the page's bytes against the body of the NOTIFY that Bob got. */
  #compare(): void {
    clearTimeout(this.#settle);
    const agreement = this.#agreement();
    if (agreement.kind !== "differ") {
      this.#differsSince = 0;
      this.app.set({ agreement });
      return;
    }
    const now = Date.now();
    if (this.#differsSince === 0) this.#differsSince = now;
    const left = this.#differsSince + SETTLE_MS - now;
    if (left <= 0) {
      this.app.set({ agreement });
    } else {
      this.app.set({ agreement: { kind: "checking" } });
      this.#settle = setTimeout(() => this.#compare(), left + 10);
    }
  }

  #agreement(): Agreement {
    const { server, notified, published, live, watching } = this.app.value;
    const merged = this.#forBob;
    if (server.phase === "gone") return { kind: "alone" };
    if (otherClock(this.app.value)) return { kind: "pinned" };
    if (server.phase !== "up" || notified === null || merged === null || !watching) return { kind: "waiting" };
    if (notified.body === merged.pidf) {
      const own = Object.keys(published).length;
      const others = Math.max(0, (live?.publications.length ?? own) - own);
      return { kind: "agree", bytes: new TextEncoder().encode(merged.pidf).length, own, others, at: notified.at };
    }
    return { kind: "differ", ...firstDifference(merged.pidf, notified.body) };
  }

  #localTime(set: LiveSet): LocalTime {
    return localTime(set.now_ms, zoneOf(this.app.value));
  }

  /** At the next moment from which a result may be another: something expires, or the minute that policies are told is over. */
  #wakeLater(set: LiveSet): void {
    clearTimeout(this.#later);
    const minute = (Math.floor(set.now_ms / 60_000) + 1) * 60_000;
    const policies = this.#active !== null || this.app.value.choice.bytes !== null;
    const next = Math.min(...set.publications.map((p) => p.expires_ms), policies ? minute : Infinity);
    if (Number.isFinite(next)) this.#later = setTimeout(() => void this.run(), Math.max(50, next - Date.now() + 20));
  }
}

function callOf(hook: Hook, input: Uint8Array, output: Uint8Array | null): Call {
  const text = new TextDecoder();
  return { hook, input: text.decode(input), output: output === null ? null : text.decode(output) };
}

function firstDifference(page: string, server: string): { offset: number; page: string; server: string } {
  let offset = 0;
  while (offset < page.length && page[offset] === server[offset]) offset++;
  const around = (s: string) => s.slice(Math.max(0, offset - 30), offset + 60);
  return { offset, page: around(page), server: around(server) };
}
