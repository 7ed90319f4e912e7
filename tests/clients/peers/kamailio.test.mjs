// Kamailio as the outbound proxy of a phone (RFC 3327), and as a trusted server with a domain of its own (R15, R16).

import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { baresip } from "../lib/baresip.mjs";
import { kamailio } from "../lib/kamailio.mjs";
import { Program, folder, holds, removed, write } from "../lib/program.mjs";
import { Server, freePort } from "../lib/server.mjs";

describe("Kamailio", () => {
  let into;
  let server;
  let port;
  let exchange;
  before(async () => {
    into = await folder();
    port = await freePort();
    const address = `127.0.0.1:${port}`;
    // What comes from the phones of its domain goes to us, and what is for its domain it takes itself.
    exchange = await kamailio(into, "exchange", 0, `
  if ($rd == "pbx.example") {
    if ($hdr(P-Asserted-Identity) == "<sip:alice@example.com>") {
      sl_send_reply("486", "Busy Here");
    } else {
      sl_send_reply("403", "Nobody");
    }
    exit;
  }
  if (is_method("INVITE")) record_route();
  $du = "sip:${address};transport=udp";
  t_relay();`);
    const there = `127.0.0.1:${exchange.port}`;
    await write(into, {
      "tributary.toml": `[[peers]]\nname = "exchange"\ndomains = ["pbx.example"]\naddresses = ["${there}"]\nroute = "sip:${there};transport=udp"\n`,
    });
    // baresip does not say that it knows Path, and is not asked to do anything about it.
    const settings = { SERVER_DIGEST: '["MD5"]', REGISTRAR_PATH_WITHOUT_SUPPORT: true };
    const args = ["--config", join(into, "tributary.toml"), "--sip-udp", address, "--sip-tcp", address];
    server = await Server.start({ users: { alice: "secret", bob: "secret" }, settings, args });
  });
  after(async () => {
    await server.stop();
    await exchange.program.end("SIGTERM");
    await removed(into);
  });

  /** One that ends with its test: whoever stays registered would be called in the next. */
  async function phone(test, user, transport, proxy = port) {
    const started = await baresip({ user, other: user === "alice" ? "bob" : "alice", transport, proxy: `127.0.0.1:${proxy}`, into });
    test.after(() => started.program.end("SIGTERM"));
    return started;
  }

  for (const transport of ["udp", "tcp"]) {
    it(`brings a phone's requests and ours to each other, by its Path, over ${transport}`, async (test) => {
      const before = await kamailio(into, `before-${transport}`, port, `
  if (is_method("REGISTER")) add_path_received();
  if (is_method("INVITE|SUBSCRIBE")) record_route();
  $du = "sip:127.0.0.1:${port};transport=${transport}";
  t_relay();`);
      const bob = await phone(test, "bob", transport, before.port);
      const alice = await phone(test, "alice", transport);
      test.after(() => before.program.end("SIGTERM"));
      await alice.program.prints(/\nNOTIFY [^]*?entity="sip:bob@example\.com"/);
      await bob.program.prints(/\nNOTIFY [^]*?entity="sip:alice@example\.com"/);
      for (const [from, to] of [[alice, bob], [bob, alice]]) {
        from.control.does("dial", `sip:${to === bob ? "bob" : "alice"}@example.com`);
        for (const { control } of [from, to]) await control.event("CALL_ESTABLISHED");
        // Sound, too: it goes past both servers.
        await from.control.event("CALL_RTPESTAB");
        from.control.does("hangup");
        await to.control.event("CALL_CLOSED");
      }
    });
  }

  it("R15: calls from its domain come in without a password, and from ours they do not", async (test) => {
    const alice = await phone(test, "alice", "udp");
    const call = async (from) => {
      const args = ["-sf", new URL("../sipp/trusted.xml", import.meta.url).pathname, "-key", "from", from, "-m", "1", "-nostdin"];
      const local = ["-i", "127.0.0.1", "-p", String(await freePort()), "-timeout", "60s", "-timeout_error"];
      return new Program("sipp", [`127.0.0.1:${exchange.port}`, ...args, ...local], { cwd: into });
    };
    await (await call("desk@pbx.example")).succeeds();
    await alice.control.event("CALL_ESTABLISHED");
    await holds(join(into, "trusted"), /^talked\n$/);
    await (await call("bob@example.com")).succeeds();
    await holds(join(into, "trusted"), /^talked\nrefused\n$/);
  });

  it("R16: our users reach its domain, and it is told who they are", async (test) => {
    const alice = await phone(test, "alice", "tcp");
    alice.control.does("dial", "sip:desk@pbx.example");
    await alice.program.prints(/SIP\/2\.0 (486 Busy Here|403 Nobody)/);
    if (!/486 Busy Here/.test(alice.program.output)) alice.program.fail(new Error("the server did not say who calls"));
  });
});
