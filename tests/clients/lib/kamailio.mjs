// Kamailio as Debian ships it: before our server as a phone's outbound proxy, and beside it as another server.

import { join } from "node:path";
import { Program, connected, write } from "./program.mjs";
import { freePort } from "./server.mjs";

/**
 * Starts one at a free port that does what `route` says with what begins something. What comes from `registrar`, a
 * port, goes on to where its Route or Request-URI says; loose_route() says no to a Route that was there before it
 * was recorded, although it takes it off.
 */
export async function kamailio(into, name, registrar, route) {
  const port = await freePort();
  const modules = ["tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "path"];
  const text = `#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${modules.map((module) => `loadmodule "${module}.so"`).join("\n")}
modparam("path", "use_received", 1)
request_route {
  if (!mf_process_maxfwd_header("10")) {
    sl_send_reply("483", "Too Many Hops");
    exit;
  }
  if (is_method("CANCEL") || (is_method("ACK") && !has_totag())) {
    if (t_check_trans()) t_relay();
    exit;
  }
  if (loose_route() || $sp == ${registrar}) {
    if (is_method("INVITE|SUBSCRIBE")) record_route();
    t_relay();
    exit;
  }
  if (has_totag()) {
    if (is_method("ACK") && !t_check_trans()) exit;
    t_relay();
    exit;
  }
  ${route}
}
`;
  const folder = join(into, name);
  await write(folder, { "kamailio.cfg": text });
  const args = ["-DD", "-E", "-m", "32", "-M", "8", "-f", join(folder, "kamailio.cfg"), "-Y", folder, "-w", folder, "-P", join(folder, "pid")];
  const program = new Program("kamailio", args);
  // It says where it listens before it does.
  (await connected(port, "an open port of Kamailio")).destroy();
  return { program, port };
}
