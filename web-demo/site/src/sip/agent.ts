import { UserAgent } from "sip.js/lib/api/user-agent.js";
import type { Trace } from "./trace.ts";

/** Where and as whom a user agent connects. */
export interface Account {
  /** WebSocket URL of the server. */
  readonly server: string;
  /** The user's SIP URI. */
  readonly aor: string;
  /** What the trace calls this connection. */
  readonly name: string;
  /** What the User-Agent header says of the device. */
  readonly hint: string;
  readonly trace: Trace;
}

/** A SIP.js user agent of its own WebSocket, traced. It does not reconnect by itself: its owner makes a new one. */
export function makeAgent(account: Account): UserAgent {
  const uri = UserAgent.makeURI(account.aor);
  if (uri === undefined) throw new Error(`not a SIP URI: ${account.aor}`);
  const agent = new UserAgent({
    uri,
    userAgentString: `Tributary-Page (${account.hint}) SIP.js`,
    transportOptions: { server: account.server, connectionTimeout: 5, traceSip: false },
    gracefulShutdown: false,
    logBuiltinEnabled: false,
    noAnswerTimeout: 60,
  });
  const transport = agent.transport;
  const send = transport.send.bind(transport);
  transport.send = (message) => {
    account.trace.add(account.name, "sent", message);
    return send(message);
  };
  const receive = transport.onMessage;
  transport.onMessage = (message) => {
    account.trace.add(account.name, "received", message);
    receive?.(message);
  };
  return agent;
}

/** Wait before the n-th attempt to reconnect, in ms: 0.5 s doubling to 8 s. */
export function backoff(attempt: number): number {
  return Math.min(8000, 500 * 2 ** Math.min(attempt, 4));
}
