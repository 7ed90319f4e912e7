import type { LiveSet } from "../engine/types.ts";
import { CLASSES, type Watcher } from "../model/watcher.ts";
import { readReport, type Report } from "../policy/report.ts";
import { readHistory, type History } from "./captured.ts";

/** What /demo.json tells the page. */
export interface Demo {
  readonly domain: string;
  readonly wsPath: string;
  readonly token: string;
}

/** The server's answer to "what is live": the set, what it sends, the policy in force. */
export interface LiveAnswer {
  readonly live: LiveSet;
  readonly policy: { readonly id: string; readonly name: string; readonly params: unknown; readonly generation: number | null } | null;
}

export interface ServerPolicies {
  readonly policies: readonly ServerPolicy[];
  readonly assignments: readonly Assignment[];
}

/** What is assigned to a scope. */
export interface Assignment {
  /** user:sip:alice@example.com, domain:example.com, tenant:acme, operator */
  readonly scope: string;
  readonly inForce: Assigned | null;
  /** What is on trial there. */
  readonly candidate: Assigned | null;
  /** What it goes back to; null where nothing was assigned before. */
  readonly earlier: Assigned | null;
}

/** What one generation of an assignment has in force: a policy or a built-in composition. */
export interface Assigned {
  readonly policy: { readonly id: string; readonly name: string } | null;
  readonly builtIn: string | null;
}

export interface ServerPolicy {
  readonly id: string;
  readonly name: string;
  readonly calls: number;
  readonly failures: number;
  /** Fuel used in all calls. */
  readonly fuel: number;
  readonly lastFailure: string | null;
}

/** A refusal of the API, in its own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fix: string,
    readonly body: unknown,
  ) {
    super(message);
  }
}

type Json = Record<string, unknown>;

const TIMEOUT_MS = 5000;

/** The HTTP API of the server, as much of it as the page uses. */
export class Api {
  constructor(private readonly token: string) {}

  /** Asks whether a demo server is there; null if none answers, "closed" if it is no demo. */
  static async demo(): Promise<Demo | "closed" | null> {
    const ask = (path: string) => fetch(path, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    try {
      const response = await ask("./demo.json");
      if (!response.ok) return (await ask("./healthz")).ok ? "closed" : null;
      const json = (await response.json()) as Json;
      return { domain: String(json["domain"] ?? "example.com"), wsPath: String(json["ws_path"] ?? "/ws"), token: String(json["api_token"] ?? "") };
    } catch {
      return null;
    }
  }

  async live(aor: string): Promise<LiveAnswer> {
    const json = (await this.#call("GET", `presentities/${encodeURIComponent(aor)}/live`)) as Json;
    const policy = json["policy"] as Json | null | undefined;
    return {
      live: json as unknown as LiveSet,
      policy: policy == null ? null : { id: String(policy["id"]), name: String(policy["name"] ?? ""), params: policy["params"] ?? {}, generation: number(policy["generation"]) },
    };
  }

  /** What a watcher is to a presentity, as the policy in force is told. */
  async watcher(aor: string, watcher: string): Promise<Watcher | null> {
    const json = (await this.#call("GET", `presentities/${encodeURIComponent(aor)}?watcher=${encodeURIComponent(watcher)}`)) as Json;
    const seen = json["seen"] as Json | undefined;
    const known = CLASSES.find((name) => name === seen?.["class"]);
    return known === undefined ? null : { class: known, groups: Array.isArray(seen?.["groups"]) ? seen["groups"].map(String) : [] };
  }

  async policies(): Promise<ServerPolicies> {
    const json = (await this.#call("GET", "policies")) as Json;
    const list = Array.isArray(json["policies"]) ? (json["policies"] as Json[]) : [];
    const assignments = Array.isArray(json["assignments"]) ? (json["assignments"] as Json[]) : [];
    return { policies: list.map(readPolicy), assignments: assignments.map(readAssignment) };
  }

  /** Everything that an upload of this file would be refused for, the trial on the server's samples included. */
  async check(file: Uint8Array<ArrayBuffer>): Promise<Report> {
    return readReport((await this.#call("POST", "policies/check", file)) as Json);
  }

  async upload(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<{ id: string } | { refused: Report }> {
    try {
      const json = (await this.#call("POST", `policies?name=${encodeURIComponent(name)}`, bytes)) as Json;
      return { id: String(json["id"]) };
    } catch (error) {
      if (error instanceof ApiError && error.status === 422) {
        const body = error.body as Json;
        return { refused: readReport((body["report"] ?? body) as Json) };
      }
      throw error;
    }
  }

  async wasm(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const response = await this.#fetch("GET", `policies/${id}/wasm`);
    return new Uint8Array(await response.arrayBuffer());
  }

  async assign(aor: string, what: { policy: string; params: unknown } | { built_in: string }): Promise<void> {
    await this.#call("PUT", `assignments/${encodeURIComponent(`user:${aor}`)}`, what);
  }

  async unassign(aor: string): Promise<void> {
    await this.#call("DELETE", `assignments/${encodeURIComponent(`user:${aor}`)}`);
  }

  async rollback(aor: string): Promise<void> {
    await this.#call("POST", `assignments/${encodeURIComponent(`user:${aor}`)}/rollback`);
  }

  /** What is kept of somebody after an entry; 0 for all. */
  async history(aor: string, after: number): Promise<History> {
    return readHistory((await this.#call("GET", `presentities/${encodeURIComponent(aor)}/history?after=${after}`)) as Json);
  }

  /** What a policy was given in an entry, as it was kept; null if it is no longer there. */
  async captured(aor: string, seq: number): Promise<unknown> {
    const json = (await this.#call("GET", `presentities/${encodeURIComponent(aor)}/history?after=${seq - 1}&limit=1&inputs=true`)) as Json;
    const [entry] = Array.isArray(json["entries"]) ? (json["entries"] as Json[]) : [];
    return entry?.["seq"] === seq ? (entry["input"] ?? null) : null;
  }

  async capture(aor: string, seconds: number): Promise<void> {
    await this.#call("PUT", `captures/${encodeURIComponent(aor)}`, { seconds });
  }

  async forget(aor: string): Promise<void> {
    await this.#call("DELETE", `captures/${encodeURIComponent(aor)}`);
  }

  async #call(method: string, path: string, body?: Uint8Array<ArrayBuffer> | object): Promise<unknown> {
    const response = await this.#fetch(method, path, body);
    const text = await response.text();
    return text === "" ? {} : JSON.parse(text);
  }

  async #fetch(method: string, path: string, body?: Uint8Array<ArrayBuffer> | object): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` };
    const init: RequestInit = { method, headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS * (method === "GET" ? 1 : 12)) };
    if (body instanceof Uint8Array) {
      headers["Content-Type"] = "application/wasm";
      init.body = body;
    } else if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    const response = await fetch(`./api/v1/${path}`, init);
    if (response.ok) return response;
    const text = await response.text();
    let json: Json = {};
    try {
      json = JSON.parse(text) as Json;
    } catch {
      // not the API's own answer; the status says enough
    }
    const error = (json["error"] ?? {}) as Json;
    throw new ApiError(response.status, String(error["code"] ?? ""), String(error["message"] ?? `the server answered ${response.status}`), String(error["fix"] ?? ""), json);
  }
}

const number = (v: unknown) => (typeof v === "number" ? v : null);

function readAssignment(json: Json): Assignment {
  const candidate = (json["candidate"] ?? {}) as Json;
  const generations = Array.isArray(json["generations"]) ? json["generations"] : [];
  return { scope: String(json["scope"]), inForce: readAssigned(json["in_force"]), candidate: readAssigned(candidate["generation"]), earlier: readAssigned(generations[1]) };
}

function readAssigned(value: unknown): Assigned | null {
  if (typeof value !== "object" || value === null) return null;
  const { policy, built_in } = value as { policy?: Json | null; built_in?: unknown };
  // A generation without either is one of nothing.
  if (typeof built_in === "string") return { policy: null, builtIn: built_in };
  return policy == null ? null : { policy: { id: String(policy["id"]), name: String(policy["name"] ?? "") }, builtIn: null };
}

function readPolicy(json: Json): ServerPolicy {
  const figures = (json["figures"] ?? {}) as Json;
  const last = figures["last_failure"] as Json | null | undefined;
  return {
    id: String(json["id"]),
    name: String(json["name"] ?? ""),
    calls: number(figures["calls"]) ?? 0,
    failures: Object.values((figures["failures"] ?? {}) as Json).reduce((sum: number, v) => sum + (number(v) ?? 0), 0),
    fuel: number(figures["fuel"]) ?? 0,
    lastFailure: last == null ? null : `${String(last["code"])} ${String(last["message"])}`,
  };
}
