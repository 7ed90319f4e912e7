import { loadCheck } from "../policy/check.ts";
import type { PolicyRunner } from "../policy/run.ts";
import { checkFile } from "../policy/script.ts";
import { shippedBytes, shippedPolicies, type Shipped } from "../policy/shipped.ts";
import { aorOf } from "../model/live-set.ts";
import { ApiError, type Api, type LiveAnswer } from "../server/api.ts";
import type { App, Choice } from "../state/app.ts";
import { SCRIPT } from "../state/fragment.ts";
import { loaded, type Confluence } from "./confluence.ts";

/** The built-in compositions that can be in force without any policy, the default first. */
export const COMPOSITIONS: readonly (readonly [name: string, words: string, summary: string])[] = [
  ["compose", "Built-in merge", "Newest explicit activity wins, active devices go before idle ones, open before closed. A policy may decide otherwise."],
  ["union", "Everything, unresolved", "All that every device says, side by side; nothing is decided."],
  ["newest", "Newest device alone", "The device that spoke last is believed, the others are left out."],
  ["most-available", "Most available", "Conflicts go to the device at which she can best be reached."],
];

export const BUILTIN: Choice = { source: "builtin", name: "compose", file: null, bytes: null };

/** What stands in the editor at first: the problem of docs/policies/javascript.md. */
const EXAMPLE = `// Somebody who is in a call is on the phone, whatever the other devices say.
export const manifest = { name: "on-the-phone", summary: "Who is in a call is on the phone" };

export function merge({ publications, dialogs = [] }) {
  const call = dialogs.some((dialog) => dialog.state === "confirmed");
  const says = publications.find((p) => p.person?.activities?.includes("on-the-phone"));
  if (!call && !says) return null; // no opinion: the built-in merge stands

  return {
    set: { activities: ["on-the-phone"] },
    explain: [call ? "a call is up" : "a device says so"],
  };
}
`;

/** The larger of the contract's two file limits: past it the page does not even read the file. */
const FILE_MAX = 2 * 1024 * 1024;

/** From choosing a policy to having it in force: check, preview, upload, activate, off, roll back. */
export class Policies {
  shipped: readonly Shipped[] = [];
  /** What the server has in force, by id, so that its bytes are fetched once. */
  #inForce: string | null = null;

  constructor(
    private readonly app: App,
    private readonly runner: PolicyRunner,
    private readonly api: () => Api | null,
    private readonly confluence: () => Confluence,
    private readonly refresh: () => Promise<void>,
  ) {}

  /** Reads the list of shipped policies and takes up the one a link named. */
  async load(): Promise<void> {
    this.shipped = await shippedPolicies();
    const { choice } = this.app.value;
    if (choice.source === "shipped" || choice.source === "script") await this.choose(choice.name);
  }

  /** Fetches what a person may want once the server is gone: the check, every shipped policy. */
  async warm(): Promise<void> {
    await Promise.allSettled([loadCheck(), ...this.shipped.map(shippedBytes)]);
  }

  get params(): unknown {
    const { choice } = this.app.value;
    return this.shipped.find((p) => choice.source === "shipped" && p.name === choice.name)?.params ?? {};
  }

  /** Chooses a shipped policy or a built-in composition by name. */
  async choose(name: string): Promise<void> {
    if (name === SCRIPT) return this.write(this.app.value.script || EXAMPLE);
    const policy = this.shipped.find((p) => p.name === name);
    if (policy === undefined) {
      const builtin = COMPOSITIONS.some(([known]) => known === name) ? { ...BUILTIN, name } : BUILTIN;
      this.app.set({ choice: builtin, report: null, policyWord: null });
      return;
    }
    try {
      await this.#take("shipped", name, await shippedBytes(policy));
    } catch (error) {
      this.#say(false, `${name} could not be fetched (${words(error)}). Choose it again when the server is back.`);
    }
  }

  /** Takes what stands in the editor, and keeps what is in force and on show as it is until it is activated. */
  async write(script: string): Promise<void> {
    this.app.set({ script });
    await this.#take("script", SCRIPT, new TextEncoder().encode(script));
  }

  /** Takes a file that was dropped or picked. */
  async takeFile(file: File): Promise<void> {
    const name = file.name.replace(/\.(wasm|js|mjs)$/i, "");
    if (file.size > FILE_MAX) {
      this.#say(false, `${file.name} has ${(file.size / 1024).toFixed(0)} KiB; a policy has at most 256. Is it a policy?`);
      return;
    }
    await this.#take("file", name, new Uint8Array(await file.arrayBuffer()));
  }

  /** Uploads the chosen policy and puts it in force for Alice; alone, the page uses it by itself. */
  async activate(): Promise<void> {
    const { choice } = this.app.value;
    if (choice.source === "builtin") return this.#activateBuiltin(choice.name);
    const { report } = this.app.value;
    if (choice.bytes === null || choice.file === null || report === null) return;
    const { file } = choice;
    const policy = loaded(choice.bytes, this.params, report);
    const api = this.api();
    if (api === null) {
      this.confluence().setActive({ source: "policy", id: "", name: choice.name, where: "page" }, policy);
      this.#say(true, `${choice.name} decides in this page. The server is away: upload it when it is back.`);
      return;
    }
    await this.#busy(async () => {
      const uploaded = await this.#upload(api, file, choice.name);
      if ("refused" in uploaded) {
        this.app.set({ report: uploaded.refused });
        this.#say(false, "The server refused the policy. What it found stands above; nothing has changed for Bob.");
        return;
      }
      await api.assign(this.#aor, { policy: uploaded.id, params: policy.params });
      this.#inForce = uploaded.id;
      this.confluence().setActive({ source: "policy", id: uploaded.id, name: choice.name, where: "server" }, policy);
      this.#say(true, `${choice.name} is active on the server. Bob sees its result from now on.`);
    });
  }

  /** Takes the active policy out of force: the built-in merge decides. */
  async deactivate(): Promise<void> {
    const { active } = this.app.value;
    const api = this.api();
    await this.#busy(async () => {
      if (active?.where === "server" && api !== null) await api.unassign(this.#aor);
      this.#inForce = null;
      this.confluence().setActive(null, null);
      this.#say(true, "The policy is off. The built-in merge decides.");
    });
  }

  /** Back to what was in force before the last activation. */
  async rollback(): Promise<void> {
    const api = this.api();
    if (api === null) return;
    await this.#busy(async () => {
      await api.rollback(this.#aor);
      this.#inForce = null;
      this.#say(true, "Rolled back to what was in force before.");
    });
  }

  /** Follows what the server has in force, whoever put it there. */
  async follow(answer: LiveAnswer): Promise<void> {
    const api = this.api();
    const id = answer.policy?.id ?? (answer.live.composition === BUILTIN.name ? null : answer.live.composition);
    const { active } = this.app.value;
    if (id === this.#inForce && (id !== null) === (active !== null)) return;
    if (this.app.value.busy) return;
    this.#inForce = id;
    if (id === null) {
      if (active !== null) this.confluence().setActive(null, null);
      return;
    }
    if (answer.policy === null) {
      this.confluence().setActive({ source: "builtin", id: "", name: id, where: "server" }, null);
      return;
    }
    if (api === null) return;
    try {
      const { module: bytes, report } = await checkFile(await api.wasm(id), this.runner);
      if (bytes === null) throw new Error("it does not pass the page's check");
      this.confluence().setActive({ source: "policy", id, name: answer.policy.name, where: "server" }, loaded(bytes, answer.policy.params, report));
    } catch (error) {
      this.#inForce = null;
      console.warn("the active policy could not be fetched:", error);
    }
  }

  /** The server's counters: calls, failures, fuel. */
  async counters(): Promise<void> {
    const api = this.api();
    if (api === null) return;
    try {
      this.app.set({ policies: await api.policies() });
    } catch (error) {
      console.warn("the server's policy counters could not be read:", error);
    }
  }

  get #aor(): string {
    return aorOf(this.app.value.server.domain);
  }

  async #activateBuiltin(name: string): Promise<void> {
    const api = this.api();
    const where = api === null ? "page" : "server";
    await this.#busy(async () => {
      if (api !== null) await api.assign(this.#aor, { built_in: name });
      this.#inForce = api === null || name === BUILTIN.name ? null : name;
      this.confluence().setActive(name === BUILTIN.name ? null : { source: "builtin", id: "", name, where }, null);
      this.#say(true, api === null ? "In force in this page. The server is away." : "In force on the server. Bob sees the result from now on.");
    });
  }

  /** Uploads, under a longer name if another policy has the short one. */
  async #upload(api: Api, bytes: Uint8Array<ArrayBuffer>, name: string): Promise<Awaited<ReturnType<Api["upload"]>>> {
    const label = name.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").slice(0, 48) || "policy";
    try {
      return await api.upload(bytes, label);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "name_taken") throw error;
      return api.upload(bytes, `${label}-${crypto.randomUUID().slice(0, 8)}`);
    }
  }

  async #take(source: Choice["source"], name: string, file: Uint8Array<ArrayBuffer>): Promise<void> {
    const choice: Choice = { source, name, file, bytes: null };
    this.app.set({ choice, report: null, preview: { kind: "running" }, policyWord: null });
    try {
      const { module: bytes, report } = await checkFile(file, this.runner, source === "script");
      if (this.app.value.choice !== choice) return;
      // What stands in the editor is called what it calls itself.
      this.app.set({ choice: { ...choice, bytes, name: source === "script" ? report.name || name : name }, report });
      await this.confluence().run();
    } catch (error) {
      this.#say(false, `The check could not be loaded (${words(error)}). Reload the page when the server is back.`);
    }
  }

  async #busy(step: () => Promise<void>): Promise<void> {
    this.app.set({ busy: true, policyWord: null });
    try {
      await step();
    } catch (error) {
      const fix = error instanceof ApiError && error.fix !== "" ? ` ${error.fix}` : "";
      this.#say(false, `That did not work: ${words(error)}.${fix} Nothing has changed for Bob.`);
    } finally {
      this.app.set({ busy: false });
      await this.refresh();
      await this.counters();
    }
  }

  #say(ok: boolean, text: string): void {
    this.app.set({ policyWord: { ok, text } });
  }
}

const words = (error: unknown) => (error instanceof Error ? error.message : String(error));
