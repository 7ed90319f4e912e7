// baresip as Debian ships it, which answers every call, and is told by a port what to do.

import { join } from "node:path";
import { Program, connected, write } from "./program.mjs";
import { Queue } from "./queue.mjs";
import { freePort } from "./server.mjs";

/**
 * What is told by ctrl_tcp: JSON in netstrings. Events of different types come in any order, as sound may come before
 * the answer to the call, and are waited for each in its own queue.
 */
export class Control {
  static async open(port) {
    const control = new Control();
    control.events = new Map();
    control.rest = "";
    control.socket = await connected(port, "the control port of baresip");
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
      const event = JSON.parse(this.rest.slice(begin, end));
      this.queue(event.type).push(event);
      this.rest = this.rest.slice(end + 1);
    }
  }

  does(command, params = "") {
    const text = JSON.stringify({ command, params });
    this.socket.write(`${text.length}:${text},`);
  }

  queue(type) {
    if (!this.events.has(type)) this.events.set(type, new Queue(`events of baresip of type ${type}`));
    return this.events.get(type);
  }

  /** The next of a type that was not yet waited for. */
  event(type) {
    return this.queue(type).next();
  }
}

/**
 * Starts one as a user who watches another, in a folder below `into`. `proxy` is where it sends everything,
 * `authorities` a file of those it trusts.
 */
export async function baresip({ user, other, transport, proxy, into, authorities }) {
  const control = await freePort();
  const home = join(into, `${transport}-${user}`);
  const modules = ["module g711.so", "module aubridge.so", ...["account", "contact", "menu", "presence", "ctrl_tcp"].map((name) => `module_app ${name}.so`)];
  const audio = ["audio_player", "audio_source", "audio_alert"].map((key) => `${key} aubridge,nil`);
  const rest = [`ctrl_tcp_listen 127.0.0.1:${control}`, "sip_listen 127.0.0.1:0", ...(authorities ? [`sip_cafile ${authorities}`] : [])];
  await write(home, {
    config: ["module_path /usr/lib/baresip/modules", ...modules, ...audio, ...rest, ""].join("\n"),
    accounts: `<sip:${user}@example.com;transport=${transport}>;auth_pass=secret;outbound="sip:${proxy};transport=${transport}";regint=60;pubint=60;answermode=auto\n`,
    contacts: `"Other" <sip:${other}@example.com>;presence=p2p\n`,
  });
  const program = new Program("baresip", ["-f", home, "-s"]);
  await program.prints(/CSeq: \d+ REGISTER[^]*\n[^]*SIP\/2\.0 200 OK|SIP\/2\.0 200 OK[^]*?CSeq: \d+ REGISTER/);
  return { program, control: await Control.open(control) };
}
