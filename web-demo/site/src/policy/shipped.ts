import { built } from "../build.ts";

/** A policy that comes with the page. */
export interface Shipped {
  readonly name: string;
  readonly file: string;
  readonly summary: string;
  /** Parameters that show what it does; {} for most. */
  readonly params: unknown;
}

/** policies/index.json: an array, or {"policies": [..]}; empty if the page was built without them. */
export async function shippedPolicies(): Promise<Shipped[]> {
  try {
    const response = await fetch(built("policies/index.json"));
    if (!response.ok) return [];
    const json = (await response.json()) as unknown;
    const list = (Array.isArray(json) ? json : ((json as { policies?: unknown }).policies ?? [])) as Record<string, unknown>[];
    return list.map((p) => ({
      name: String(p["name"]),
      file: String(p["file"] ?? `${String(p["name"])}.wasm`),
      summary: String(p["summary"] ?? ""),
      params: p["params"] ?? {},
    }));
  } catch {
    return [];
  }
}

const fetched = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/** A shipped policy's bytes, kept for when the server is gone. */
export function shippedBytes(policy: Shipped): Promise<Uint8Array<ArrayBuffer>> {
  const before = fetched.get(policy.file);
  if (before !== undefined) return before;
  const bytes = fetch(built(`policies/${policy.file}`)).then(async (response) => {
    if (!response.ok) throw new Error(`policies/${policy.file}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  });
  fetched.set(policy.file, bytes);
  bytes.catch(() => fetched.delete(policy.file));
  return bytes;
}
