// baresip as Debian ships it: two of them publish, watch and call each other over UDP, TCP and TLS.

import { after, before, describe, it } from "node:test";
import { baresip } from "../lib/baresip.mjs";
import { certificate, folder, removed } from "../lib/program.mjs";
import { Server, freePort } from "../lib/server.mjs";

describe("baresip", () => {
  let server;
  let ports;
  let into;
  let paths;
  before(async () => {
    into = await folder();
    paths = await certificate(into);
    ports = { udp: await freePort(), tcp: await freePort(), tls: await freePort() };
    const listen = Object.entries(ports).flatMap(([transport, port]) => [`--sip-${transport}`, `127.0.0.1:${port}`]);
    const args = [...listen, "--certificate", paths.certificate, "--key", paths.key];
    // baresip 1.0 gives up at an algorithm that it does not know.
    server = await Server.start({ users: { alice: "secret", bob: "secret" }, settings: { SERVER_DIGEST: '["MD5"]' }, args });
  });
  after(async () => {
    await server.stop();
    await removed(into);
  });

  /** One of them, who watches the other. */
  const phone = (user, other, transport) =>
    baresip({ user, other, transport, proxy: `127.0.0.1:${ports[transport]}`, into, authorities: paths.certificate });

  for (const transport of ["udp", "tcp", "tls"]) {
    it(`registers, publishes, watches and calls over ${transport}`, async () => {
      const bob = await phone("bob", "alice", transport);
      const alice = await phone("alice", "bob", transport);
      // Each hears of the other what that has published.
      await alice.program.prints(/\nNOTIFY [^]*?entity="sip:bob@example\.com"[^]*?<basic>open<\/basic>/);
      await bob.program.prints(/\nNOTIFY [^]*?entity="sip:alice@example\.com"[^]*?<basic>open<\/basic>/);
      alice.control.does("dial", "sip:bob@example.com");
      await alice.control.event("CALL_ESTABLISHED");
      await bob.control.event("CALL_ESTABLISHED");
      // Sound, too: it goes past the server.
      await alice.control.event("CALL_RTPESTAB");
      alice.control.does("hangup");
      await bob.control.event("CALL_CLOSED");
      for (const { program } of [alice, bob]) await program.end("SIGTERM");
    });
  }
});
