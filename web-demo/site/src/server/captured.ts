import { readMask } from "../engine/read.ts";
import type { Mask } from "../engine/types.ts";

/** What the server keeps of somebody who is captured: what policies were asked and answered, and what watchers saw. */
export interface History {
  /** Whether its configuration allows captures at all. */
  readonly allowed: boolean;
  /** null where nobody has asked for one, and nothing is kept. */
  readonly capture: { readonly since: number; readonly until: number } | null;
  /** Oldest first. */
  readonly entries: readonly Entry[];
  /** There are more after this one. */
  readonly next: number | null;
}

/** What watchers were shown, or some of them. */
export interface Sight {
  readonly changed: boolean;
  /** What differs from before, in words. */
  readonly what: readonly string[];
  /** The policy's own words. */
  readonly explain: readonly string[];
  /** Why something else stood in for the policy's answer, and what that was. */
  readonly failure: { readonly code: string; readonly message: string; readonly served: string } | null;
}

/** One merge that somebody watched. */
export interface Entry extends Sight {
  readonly seq: number;
  readonly at: number;
  readonly reason: string;
  /** The device that it was about, where it is known, by its key and its software. */
  readonly device: { readonly key: string; readonly agent: string } | null;
  /** The policy or built-in merge that decided; "" for the server's default. */
  readonly by: string;
  readonly generation: number | null;
  /** What the operator's mask took away; null where it took nothing. */
  readonly masked: Mask | null;
  /** What classes of watchers saw, where the policy tells them apart. */
  readonly views: readonly (Sight & { readonly class: string })[];
}

type Json = Record<string, unknown>;

export function readHistory(json: Json): History {
  const capture = json["capture"] as Json | null | undefined;
  return {
    allowed: json["allowed"] === true,
    capture: capture == null ? null : { since: Number(capture["since_ms"]), until: Number(capture["until_ms"]) },
    entries: list(json["entries"]).map(readEntry),
    next: typeof json["next"] === "number" ? json["next"] : null,
  };
}

function readEntry(json: Json): Entry {
  const [device, policy] = [json["device"], json["policy"]] as (Json | null | undefined)[];
  return {
    ...readSight(json),
    seq: Number(json["seq"]),
    at: Number(json["at_ms"]),
    reason: String(json["reason"] ?? ""),
    device: device == null ? null : { key: String(device["key"] ?? ""), agent: String(device["user_agent"] ?? "") },
    by: policy == null ? String(json["built_in"] ?? "") : String(policy["name"] ?? ""),
    generation: typeof json["generation"] === "number" ? json["generation"] : null,
    masked: readMask(json["masked"]),
    views: list(json["views"]).map((view) => ({ ...readSight(view), class: String((view["watcher"] as Json | undefined)?.["class"] ?? "") })),
  };
}

function readSight(json: Json): Sight {
  const failure = json["failure"] as Json | null | undefined;
  const output = json["output"] as Json | null | undefined;
  return {
    changed: json["changed"] === true,
    what: texts(json["what"]),
    explain: texts(output?.["explain"]),
    failure: failure == null ? null : { code: String(failure["code"]), message: String(failure["message"]), served: String(failure["served"]) },
  };
}

const list = (value: unknown) => (Array.isArray(value) ? (value as Json[]) : []);
const texts = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);
