// What runs inside the page: the flow and the calls with both libraries, and the policies.

import { calls } from "./calls.mjs";
import { flow } from "./flow.mjs";
import { JsSipClient } from "./jssip-client.mjs";
import { SipJsClient } from "./sipjs-client.mjs";
import { compilePolicy, runHook } from "../../../wasm-rules/runner/policy-runner.mjs";

const KINDS = { "JsSIP": JsSipClient, "SIP.js": SipJsClient };

globalThis.runFlow = async ({ kinds, urls, passwords }) => {
  const steps = [];
  try {
    await flow({
      classes: Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, KINDS[kind]])),
      url: (name) => urls[name],
      passwords,
      pull: (name) => globalThis.pullCable(name),
      step: (name) => steps.push(name),
    });
    return { steps };
  } catch (error) {
    return { steps, error: `${steps.at(-1)}: ${error.message}` };
  }
};

globalThis.runCalls = async (world) => {
  const steps = [];
  try {
    await calls({ ...world, step: (name) => steps.push(name) });
    return { steps };
  } catch (error) {
    return { steps, error: `${steps.at(-1)}: ${error.message}` };
  }
};

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const base64 = (array) => btoa(Array.from(array, (byte) => String.fromCharCode(byte)).join(""));

/** Runs each input through a policy; outputs in base64, null for no opinion, `error:CODE` for a failure. */
globalThis.runPolicy = async ({ wasm, inputs }) => {
  const policy = await compilePolicy(bytes(wasm));
  return inputs.map((input) => {
    try {
      const { output } = runHook(policy, "pp_merge", bytes(input));
      return output === null ? null : base64(output);
    } catch (error) {
      return `error:${error.code ?? error.message}`;
    }
  });
};
