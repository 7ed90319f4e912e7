// baresip as Debian ships it: two of them publish, watch and call each other over UDP, TCP and TLS.

import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Program, certificate, folder, removed, write } from "../lib/program.mjs";
import { Queue, within } from "../lib/queue.mjs";
import { Server, freePort } from "../lib/server.mjs";

/** What is told by ctrl_tcp: JSON in netstrings. */
class Control {
  static async open(port) {
    const control = new Control();
    control.events = new Queue("events of baresip");
    control.rest = "";
    for (;;) {
      control.socket = connect(port, "127.0.0.1");
      const opened = new Promise((resolve) => control.socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
      if (await opened) break;
    }
    control.socket.on("data", (chunk) => control.read(chunk.toString()));
    control.socket.on("error", () => {});
    return control;
  }

  read(text) {
    this.rest += text;
    for (;;) {
      const [, digits] = /^(\d+):/.exec(this.rest) ?? [];
      const begin = digits?.length + 1;
      const end = begin + Number(digits);
      if (!digits || this.rest.length <= end) return;
      this.events.push(JSON.parse(this.rest.slice(begin, end)));
      this.rest = this.rest.slice(end + 1);
    }
  }

  does(command, params = "") {
    const text = JSON.stringify({ command, params });
    this.socket.write(`${text.length}:${text},`);
  }

  event(type) {
    return this.events.next((event) => event.type === type, type);
  }
}

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

  /** One of them, who watches the other and answers every call. */
  async function baresip(user, other, transport) {
    const control = await freePort();
    const home = join(into, `${transport}-${user}`);
    const modules = ["module g711.so", "module aubridge.so", ...["account", "contact", "menu", "presence", "ctrl_tcp"].map((name) => `module_app ${name}.so`)];
    const audio = ["audio_player", "audio_source", "audio_alert"].map((key) => `${key} aubridge,nil`);
    const rest = [`ctrl_tcp_listen 127.0.0.1:${control}`, "sip_listen 127.0.0.1:0", `sip_cafile ${paths.certificate}`];
    const outbound = `"sip:127.0.0.1:${ports[transport]};transport=${transport}"`;
    await write(home, {
      config: [...["/usr/lib/baresip/modules"].map((path) => `module_path ${path}`), ...modules, ...audio, ...rest, ""].join("\n"),
      accounts: `<sip:${user}@example.com;transport=${transport}>;auth_pass=secret;outbound=${outbound};regint=60;pubint=60;answermode=auto\n`,
      contacts: `"Other" <sip:${other}@example.com>;presence=p2p\n`,
    });
    const program = new Program("baresip", ["-f", home, "-s"]);
    return { program, control: await within(Control.open(control), "the control port of baresip") };
  }

  for (const transport of ["udp", "tcp", "tls"]) {
    it(`registers, publishes, watches and calls over ${transport}`, async () => {
      const bob = await baresip("bob", "alice", transport);
      const alice = await baresip("alice", "bob", transport);
      for (const { program } of [alice, bob]) {
        await program.prints(/CSeq: \d+ REGISTER[^]*\n[^]*SIP\/2\.0 200 OK|SIP\/2\.0 200 OK[^]*?CSeq: \d+ REGISTER/);
      }
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
