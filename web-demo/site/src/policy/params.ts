import { loadCheck } from "./check.ts";
import { readReport, type Finding, type Report } from "./report.ts";
import type { PolicyRunner } from "./run.ts";

/** What is wrong with parameters, as the server finds it when it is to assign them: by the schema first, then by the policy itself. */
export async function judgeParams(params: string, policy: Uint8Array<ArrayBuffer>, { paramsSchema, hooks }: Report, runner: PolicyRunner): Promise<readonly Finding[]> {
  const check = await loadCheck();
  const { errors } = readReport(JSON.parse(check.judgeParams(JSON.stringify(paramsSchema ?? {}), params)) as Record<string, unknown>);
  if (errors.length > 0 || !hooks.includes("pp_params")) return errors;
  const run = await runner.run(policy, new TextEncoder().encode(`{"abi":1,"params":${params}}`), "pp_params");
  const place = "pp_params";
  if ("code" in run) return [{ code: run.code, place, message: run.message, fix: "the policy failed on these parameters: its author has to mend that" }];
  if (run.output === null) return [];
  return [{ code: "E209", place, message: refusal(run.output), fix: "the policy says so itself; its documentation tells what it takes" }];
}

function refusal(output: Uint8Array): string {
  const silent = "the policy refused the parameters without a message";
  try {
    const { error } = JSON.parse(new TextDecoder().decode(output)) as { error?: { message?: unknown } };
    return typeof error?.message === "string" ? error.message : silent;
  } catch {
    return silent;
  }
}
