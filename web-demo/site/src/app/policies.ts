import { sameJson, readJson } from "../model/json.ts";
import { loadCheck } from "../policy/check.ts";
import { judgeParams } from "../policy/params.ts";
import { readReport } from "../policy/report.ts";
import type { PolicyRunner } from "../policy/run.ts";
import { checkFile } from "../policy/script.ts";
import { shippedBytes, shippedPolicies, type Shipped } from "../policy/shipped.ts";
import { aorOf } from "../model/live-set.ts";
import { ApiError, type Api } from "../server/api.ts";
import type { App, AppState, Choice } from "../state/app.ts";
import { IN_FORCE, SCRIPT } from "../state/fragment.ts";
import { BUILTIN, isComposition } from "./compositions.ts";
import type { Confluence } from "./confluence.ts";
import type { InForce } from "./in-force.ts";
import { badly, message, well, type Steps } from "./steps.ts";

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

/** A built-in composition as a choice. */
export const composition = (name: string): Choice => ({ source: "builtin", name, fileName: "", file: null, bytes: null, params: {} });

/** From choosing a policy to having it in force: check, parameters, trial, upload, activation. */
export class Policies {
  shipped: readonly Shipped[] = [];
  /** Whether what is in force is on show, since nobody has chosen anything. */
  #follows = true;
  /** The server's trials, one after the other: a script that is being written is not tried at every pause. */
  #trial: Promise<void> = Promise.resolve();
  /** The parameters that a link carries, for the choice that it names. */
  #linked: string | null = null;

  constructor(
    private readonly app: App,
    private readonly runner: PolicyRunner,
    private readonly api: () => Api | null,
    private readonly confluence: () => Confluence,
    private readonly inForce: InForce,
    private readonly steps: () => Steps,
  ) {
    app.listen((state, before) => {
      if (state.active !== before.active && this.#follows) void this.#show();
      if (state.server.phase === "up" && before.server.phase !== "up") void this.#try();
    });
  }

  /** Reads the list of shipped policies and takes up the one a link named, with its parameters. */
  async load(params: string): Promise<void> {
    this.shipped = await shippedPolicies();
    const { choice } = this.app.value;
    if (choice.source !== "builtin") await this.choose(choice.name, params);
    else this.#follows &&= choice.name === BUILTIN;
  }

  /** Fetches what a person may want once the server is gone: the check, every shipped policy. */
  async warm(): Promise<void> {
    await Promise.allSettled([loadCheck(), ...this.shipped.map(shippedBytes)]);
  }

  /** The parameters of the choice; none while what was typed is no object. */
  get params(): unknown {
    const value = readJson(this.app.value.params);
    return typeof value === "object" && value !== null ? value : {};
  }

  /** Chooses by name: a shipped policy, a built-in composition, what is in the editor, or what is in force. */
  async choose(name: string, params = ""): Promise<void> {
    this.#follows = name === IN_FORCE;
    if (this.#follows) return this.#show();
    this.#linked = params === "" ? null : params;
    if (name === SCRIPT) return this.write(this.app.value.script || EXAMPLE);
    const policy = this.shipped.find((p) => p.name === name);
    if (policy === undefined) {
      this.#choose(composition(isComposition(name) ? name : BUILTIN));
      return;
    }
    try {
      await this.#take("shipped", name, await shippedBytes(policy), policy.params);
    } catch (error) {
      this.#say(`${name} could not be fetched (${message(error)}). Choose it again when the server is back.`);
    }
  }

  /** There is more in the editor than was checked: what is uploaded must not be what stood there before. */
  typing(): void {
    this.app.set({ trial: { kind: "typed" } });
  }

  /** Takes what stands in the editor, and keeps what is in force and on show as it is until it is activated. */
  async write(script: string): Promise<void> {
    this.#follows = false;
    const { choice, params } = this.app.value;
    if (choice.source === "script") this.#linked ??= params; // each pause in typing takes the script anew
    this.app.set({ script });
    await this.#take("script", SCRIPT, new TextEncoder().encode(script));
  }

  /** Takes a file that was dropped or picked. */
  async takeFile(file: File): Promise<void> {
    if (file.size > FILE_MAX) {
      this.#say(`${file.name} has ${(file.size / 1024).toFixed(0)} KiB; a policy has at most 256. Is it a policy?`);
      return;
    }
    this.#follows = false;
    await this.#take("file", file.name, new Uint8Array(await file.arrayBuffer()));
  }

  /** Takes parameters as they are typed; the choice runs with them once nothing is wrong with them. */
  async setParams(params: string): Promise<void> {
    this.#follows = false;
    await this.#judge(params);
  }

  /** Uploads the chosen policy and puts it in force for Alice, with its parameters; alone, the page uses it by itself. */
  async activate(): Promise<void> {
    const { choice, report } = this.app.value;
    const { name, file, bytes } = choice;
    const { params } = this;
    const api = this.api();
    if (api === null) {
      if (choice.source === "builtin") this.inForce.useHere(name);
      else if (file !== null && bytes !== null && report !== null) this.inForce.useHere({ id: "", name, where: "page", held: { file, module: bytes, report }, params });
      this.app.set({ policyWord: well(choice.source === "builtin" ? "In force in this page. The server is away." : `${name} decides in this page. The server is away: upload it when it is back.`) });
      return;
    }
    await this.steps().take(async () => {
      if (file === null) {
        await api.assign(this.#aor, { built_in: name });
        return well("In force on the server. Bob sees the result from now on.");
      }
      const uploaded = await this.#upload(api, file, name);
      if ("refused" in uploaded) {
        this.app.set({ trial: { kind: "refused", errors: uploaded.refused.errors } });
        return badly("The server refused the policy. What it found stands above; nothing has changed for Bob.");
      }
      try {
        await api.assign(this.#aor, { policy: uploaded.id, params });
      } catch (error) {
        const wrong = error instanceof ApiError ? readReport(((error.body as Record<string, unknown> | null)?.["report"] ?? {}) as Record<string, unknown>).errors : [];
        if (wrong.length === 0) throw error;
        this.app.set({ paramsErrors: wrong });
        return badly("The server refused the parameters. What is wrong with them stands beside them; nothing has changed for Bob.");
      }
      return well(`${name} is active on the server. Bob sees its result from now on.`);
    });
  }

  get #aor(): string {
    return aorOf(this.app.value.server.domain);
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

  /** Shows what is in force. */
  async #show(): Promise<void> {
    const { active } = this.app.value;
    if (active === null || active.held === null) return this.#choose(composition(active?.name ?? BUILTIN));
    const { held: { file, module, report }, name, params } = active;
    this.app.set({ choice: { source: "in-force", name, fileName: "", file, bytes: module, params }, report, trial: { kind: "taken" }, params: written(params), paramsErrors: [] });
    await this.confluence().run();
  }

  #choose(choice: Choice): void {
    this.app.set({ choice, report: null, trial: { kind: "none" }, params: "{}", paramsErrors: [], policyWord: null });
  }

  async #take(source: Choice["source"], name: string, file: Uint8Array<ArrayBuffer>, params: unknown = {}): Promise<void> {
    const { active } = this.app.value;
    // What is in force already is tried as it is in force.
    const own = active !== null && active.held !== null && sameBytes(active.held.file, file) ? active.params : params;
    const fileName = source === "file" ? name : "";
    const choice: Choice = { source, name: name.replace(/\.(wasm|js|mjs)$/i, ""), fileName, file, bytes: null, params: own };
    const text = this.#linked ?? written(own);
    this.#linked = null;
    this.app.set({ choice, report: null, trial: { kind: "none" }, preview: { kind: "running" }, params: text, paramsErrors: [], policyWord: null });
    try {
      const { module: bytes, report } = await checkFile(file, this.runner, source === "script");
      if (this.app.value.choice !== choice) return;
      // A policy is called what it calls itself.
      this.app.set({ choice: { ...choice, bytes, name: report.name || choice.name }, report });
      const tried = this.#try();
      await this.#judge(text);
      await this.confluence().run();
      await tried;
    } catch (error) {
      this.#say(`The check could not be loaded (${message(error)}). Reload the page when the server is back.`);
    }
  }

  async #judge(params: string): Promise<void> {
    this.app.set({ params });
    const { choice, report } = this.app.value;
    if (choice.bytes === null || report === null) return;
    const paramsErrors = await judgeParams(params, choice.bytes, report, this.runner);
    if (this.app.value.choice === choice && this.app.value.params === params) this.app.set({ paramsErrors });
  }

  /** Has the server try the choice on its samples, as it does before it takes one. Those that it ships with it has taken. */
  async #try(): Promise<void> {
    const { choice } = this.app.value;
    const api = this.api();
    if (api === null || choice.file === null || choice.bytes === null || choice.source === "shipped" || choice.source === "in-force") return;
    const { file } = choice;
    const say = (trial: AppState["trial"]) => this.app.value.choice === choice && this.app.set({ trial });
    say({ kind: "asked" });
    this.#trial = this.#trial.then(async () => {
      if (this.app.value.choice !== choice) return;
      try {
        const { errors } = await api.check(file);
        say(errors.length === 0 ? { kind: "taken" } : { kind: "refused", errors });
      } catch (error) {
        console.warn("the server did not try the policy:", error);
        say({ kind: "none" });
      }
    });
    await this.#trial;
  }

  #say(text: string): void {
    this.app.set({ policyWord: badly(text) });
  }
}

/** Whether what is chosen is what is in force, with the same parameters. */
export function isInForce({ choice, active, params }: AppState): boolean {
  if (active === null || active.held === null) return choice.source === "builtin" && choice.name === (active?.name ?? BUILTIN);
  return choice.file !== null && sameBytes(choice.file, active.held.file) && sameJson(readJson(params), active.params);
}

const sameBytes = (a: Uint8Array, b: Uint8Array) => a === b || (a.length === b.length && a.every((byte, at) => byte === b[at]));

/** Parameters as a person edits them. */
const written = (params: unknown) => JSON.stringify(params, null, 1).replace(/\n\s*/g, " ");
