// linphone's command line: two of them publish, watch, send a message and call each other over TCP.

import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Program, folder, removed, write } from "../lib/program.mjs";
import { Server, freePort } from "../lib/server.mjs";

describe("linphonec", () => {
  let server;
  let port;
  let into;
  before(async () => {
    port = await freePort();
    server = await Server.start({ users: { alice: "secret", bob: "secret" }, args: ["--sip-tcp", `127.0.0.1:${port}`] });
    into = await folder();
  });
  after(async () => {
    await server.stop();
    await removed(into);
  });

  async function linphone(user, other, args = []) {
    const home = join(into, user);
    const proxy = `<sip:127.0.0.1:${port};transport=tcp`;
    const rc = {
      // -2 is any port; without a port for UDP it needs none.
      sip: { sip_port: 0, sip_tcp_port: -2, sip_tls_port: 0, default_proxy: 0, register_only_when_network_is_up: 0, use_ipv6: 0 },
      proxy_0: { reg_proxy: `${proxy}>`, reg_route: `${proxy};lr>`, reg_identity: `sip:${user}@example.com`, reg_expires: 60, reg_sendregister: 1, publish: 1, publish_expires: 60 },
      auth_info_0: { username: user, passwd: "secret", realm: "example.com", domain: "example.com" },
      friend_0: { url: `sip:${other}@example.com`, pol: "accept", subscribe: 1 },
    };
    const lines = Object.entries(rc).map(([section, keys]) => `[${section}]\n${Object.entries(keys).map(([key, value]) => `${key}=${value}\n`).join("")}`);
    // Without this folder it ends at the first message.
    await write(home, { rc: lines.join(""), ".local/share/linphone/.here": "" });
    return new Program("linphonec", ["-c", join(home, "rc"), ...args], { env: { ...process.env, HOME: home } });
  }

  it("registers, publishes, watches, sends a message and calls", async () => {
    const bob = await linphone("bob", "alice", ["-a"]);
    const alice = await linphone("alice", "bob");
    await alice.prints(/Friend "bob" <sip:bob@example\.com> is Online/);
    await bob.prints(/Friend "alice" <sip:alice@example\.com> is Online/);
    alice.type("chat sip:bob@example.com good morning");
    await bob.prints(/Message received from sip:alice@example\.com: good morning/);
    alice.type("call sip:bob@example.com");
    await alice.prints(/Call 1 with sip:bob@example\.com connected/);
    await bob.prints(/Media streams established with sip:alice@example\.com/);
    alice.type("terminate");
    await bob.prints(/Call 1 with sip:alice@example\.com ended/);
    for (const program of [alice, bob]) {
      program.type("quit");
      await program.succeeds();
    }
  });
});
