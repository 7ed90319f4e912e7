/** One thing a policy file does wrong, as policy-check words it. */
export interface Finding {
  readonly code: string;
  readonly place: string;
  readonly message: string;
  readonly fix: string;
}

/** The outcome of the static check: no errors means it may be uploaded. */
export interface Report {
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly abi: number | null;
  readonly hooks: readonly string[];
  /** What the parameters may be, as JSON schema; null where the manifest does not say. */
  readonly paramsSchema: unknown;
  /** Whether it hides things: where it fails, less is shown and not more. */
  readonly privacy: boolean;
}

type Json = Record<string, unknown>;
const text = (v: unknown) => (typeof v === "string" ? v : "");
const list = (v: unknown): Json[] => (Array.isArray(v) ? (v as Json[]) : []);

const readFinding = (json: Json): Finding => ({
  code: text(json["code"]),
  place: text(json["place"]),
  message: text(json["message"]),
  fix: text(json["fix"]),
});

export function readReport(json: Json): Report {
  const manifest = (json["manifest"] ?? {}) as Json;
  return {
    errors: list(json["errors"]).map(readFinding),
    warnings: list(json["warnings"]).map(readFinding),
    name: text(manifest["name"]),
    version: text(manifest["version"]),
    summary: text(manifest["summary"]),
    abi: typeof json["abi"] === "number" ? json["abi"] : null,
    hooks: Array.isArray(json["hooks"]) ? json["hooks"].filter((h): h is string => typeof h === "string") : [],
    paramsSchema: manifest["params_schema"] ?? null,
    privacy: manifest["privacy"] === true,
  };
}
