import { checkFile } from "../policy/script.ts";
import type { PolicyRunner } from "../policy/run.ts";
import { aorOf } from "../model/live-set.ts";
import type { Api, Assigned, Assignment, LiveAnswer } from "../server/api.ts";
import type { ActivePolicy, App, AppState, Held } from "../state/app.ts";
import type { Confluence } from "./confluence.ts";
import { BUILTIN, compositionWords } from "./compositions.ts";
import { well, type Steps } from "./steps.ts";

/** What is in force for Alice. With a server, that is what it says, whoever put it there and by whatever way; alone, what the page was told to use. */
export class InForce {
  /** What the server said last, so that the page changes when that does. */
  #told = "";
  /** The file in force, so that it is fetched once. */
  #held: (Held & { readonly id: string }) | null = null;

  constructor(
    private readonly app: App,
    private readonly runner: PolicyRunner,
    private readonly api: () => Api | null,
    private readonly confluence: () => Confluence,
    private readonly steps: () => Steps,
  ) {}

  /** Takes up what the server has in force: the policy, its parameters, the generation. */
  async follow({ policy, live: { composition } }: LiveAnswer): Promise<void> {
    const told = JSON.stringify([policy, composition]);
    const api = this.api();
    if (told === this.#told || api === null || this.app.value.busy) return;
    try {
      const active = policy === null ? builtin(composition, "server") : { ...policy, where: "server" as const, held: await this.#fetch(api, policy.id) };
      this.#told = told;
      this.confluence().setActive(active);
      await this.counters();
    } catch (error) {
      console.warn("the active policy could not be fetched:", error);
    }
  }

  /** Alone, the page uses a policy or a composition by itself, until there is a server to say what is in force. */
  useHere(active: ActivePolicy | string): void {
    this.#told = "";
    this.confluence().setActive(typeof active === "string" ? builtin(active, "page") : active);
  }

  /** Takes what is in force from Alice. Where it is assigned to more than her, she alone is given the built-in merge. */
  async switchOff(): Promise<void> {
    const api = this.api();
    const { active } = this.app.value;
    await this.steps().take(async () => {
      if (api === null || active?.where === "page") {
        this.useHere(BUILTIN);
        return well("The policy is off. The built-in merge decides.");
      }
      const own = ownAssignment(this.app.value)?.inForce != null;
      if (own) await api.unassign(this.#aor);
      else await api.assign(this.#aor, { built_in: BUILTIN });
      return () => {
        const { active: now } = this.app.value;
        if (now !== null) return well(`Nothing is assigned to Alice herself any more. ${decides(now)}, ${assignedTo(this.app.value)}.`);
        return well(own ? "The policy is off. The built-in merge decides." : "The built-in merge decides for Alice. For others nothing has changed.");
      };
    });
  }

  /** Back to what Alice was assigned before: the end of a trial, or of what is in force; where nothing was before, nothing is again. */
  async rollBack(): Promise<void> {
    const api = this.api();
    if (api === null) return;
    const own = ownAssignment(this.app.value);
    const first = own?.candidate == null && own?.earlier == null;
    const what = first ? "Taken back: nothing was assigned to Alice before" : own?.candidate != null ? "The trial is over" : "Rolled back to what was in force before";
    await this.steps().take(async () => {
      await (first ? api.unassign(this.#aor) : api.rollback(this.#aor));
      return () => well(`${what}. ${decides(this.app.value.active)}.`);
    });
  }

  /** The server's counters and assignments: calls, failures, fuel, scopes. */
  async counters(): Promise<void> {
    const api = this.api();
    if (api === null) return;
    try {
      this.app.set({ policies: await api.policies() });
    } catch (error) {
      console.warn("the server's policy counters could not be read:", error);
    }
  }

  async #fetch(api: Api, id: string): Promise<Held> {
    if (this.#held?.id === id) return this.#held;
    const file = await api.wasm(id);
    const { module, report } = await checkFile(file, this.runner);
    if (module === null) throw new Error("it does not pass the page's check");
    this.#held = { id, file, module, report };
    return this.#held;
  }

  get #aor(): string {
    return aorOf(this.app.value.server.domain);
  }
}

/** A built-in composition in force; null for the default, which is in force where nothing else is. */
function builtin(name: string, where: ActivePolicy["where"]): ActivePolicy | null {
  return name === BUILTIN ? null : { id: "", name, where, held: null, params: {} };
}

/** What is assigned to Alice herself. */
export function ownAssignment({ policies, server }: AppState): Assignment | null {
  return policies?.assignments.find(({ scope }) => scope === `user:${aorOf(server.domain)}`) ?? null;
}

/** "lunch decides": what is in force, as the start of a sentence. */
export function decides(active: ActivePolicy | null): string {
  return `${active === null ? "The built-in merge" : active.held === null ? compositionWords(active.name) : active.name} decides`;
}

/** To whom what is in force is assigned: "assigned to Alice". */
export function assignedTo(state: AppState): string {
  const { active, policies } = state;
  if (active === null) return "";
  if (active.where === "page") return "in this page alone";
  const is = (assigned: Assigned | null) => assigned !== null && (active.held === null ? assigned.builtIn === active.name : assigned.policy?.id === active.id);
  const order = [ownAssignment(state), ...(policies?.assignments ?? [])].filter((assignment) => assignment !== null);
  const to = order.find(({ inForce }) => is(inForce));
  if (to !== undefined) return `assigned to ${scopeWords(to, state)}`;
  const trial = order.find(({ candidate }) => is(candidate));
  return trial === undefined ? "" : `on trial for a part of ${scopeWords(trial, state)}, Alice among them`;
}

function scopeWords({ scope }: Assignment, state: AppState): string {
  const [kind, name = ""] = scope.split(/:(.*)/);
  if (scope === `user:${aorOf(state.server.domain)}`) return "Alice";
  return kind === "domain" ? `everybody in ${name}` : kind === "tenant" ? `the tenant ${name}` : "everybody on this server";
}
