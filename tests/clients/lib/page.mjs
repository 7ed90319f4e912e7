// What runs inside the page: the flow and the calls with both libraries.

import { calls } from "./calls.mjs";
import { flow } from "./flow.mjs";
import { JsSipClient } from "./jssip-client.mjs";
import { SipJsClient } from "./sipjs-client.mjs";

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
