// SIPp, by scenarios of ours: registrations, forked calls and watchers, over UDP with loss and over TCP.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { Program, folder, holds, removed, write } from "../lib/program.mjs";
import { Server, freePort } from "../lib/server.mjs";

const scenarios = fileURLToPath(new URL("../sipp/", import.meta.url));

/** What SIPp is to put into each scenario in turn: who it is, and the password. */
const people = (...names) => `SEQUENTIAL\n${names.map((name) => `${name};[authentication username=${name} password=secret]\n`).join("")}`;

describe("SIPp", () => {
  let server;
  let address;
  let into;
  before(async () => {
    address = `127.0.0.1:${await freePort()}`;
    const users = Object.fromEntries(["alice", "bob", "carol", "dave"].map((name) => [name, "secret"]));
    // SIPp 3.6 looks at the first challenge alone, and ends where that is not MD5.
    const settings = { SERVER_DIGEST: '["MD5", "SHA-256"]' };
    server = await Server.start({ users, settings, args: ["--sip-udp", address, "--sip-tcp", address] });
    into = await folder();
    await write(into, { "people.csv": people("carol", "dave") });
  });
  after(async () => {
    await server.stop();
    await removed(into);
  });

  /**
   * Runs a scenario. `about` is what SIPp takes for the `uri` of its credentials, else the server's address. Over TCP
   * all of its calls share one connection, or each is a phone `apart`, on a connection of its own.
   */
  async function sipp(scenario, { over, about, lost = 0, apart = false, args = [] }) {
    const text = await readFile(join(scenarios, `${scenario}.xml`), "utf8");
    const port = await freePort();
    // A file for each: one that starts must not read what is just being written for the next.
    const file = `${scenario}.${port}.xml`;
    await write(into, { [file]: text.replaceAll("LOST", String(lost)) });
    // It asks for more sockets than a process may have, unless it is told.
    const local = ["-i", "127.0.0.1", "-p", String(port), "-max_socket", "100", "-t", `${over === "TCP" ? "t" : "u"}${apart ? "n" : "1"}`];
    const rest = ["-auth_uri", about, "-nostdin", "-timeout", "90s", "-timeout_error", ...args];
    return new Program("sipp", [address, "-sf", file, ...local, ...rest], { cwd: into });
  }

  for (const over of ["UDP", "TCP"]) {
    // A connection that has shown a user's password is not asked for it again.
    const apart = over === "TCP";

    it(`phones register with their passwords over ${over}`, async () => {
      const args = ["-inf", "people.csv", "-m", "10", "-r", "50"];
      await (await sipp("register", { over, about: "example.com", apart, args })).succeeds();
    });

    it(`watchers subscribe and are notified over ${over}`, async () => {
      const args = ["-inf", "people.csv", "-m", "10", "-r", "50"];
      await (await sipp("watches", { over, about: "alice@example.com", apart, args })).succeeds();
    });

    it(`R1, R2: a call over ${over} rings three devices, one answers, and the others are told so`, async () => {
      const outcomes = join(into, "outcomes");
      await removed(outcomes);
      const devices = [];
      try {
        for (const does of ["rings", "rings", "answers"]) {
          const args = ["-oocsf", join(scenarios, `${does}.xml`), "-m", "1"];
          devices.push(await sipp("device", { over, about: "example.com", args }));
        }
        await holds(outcomes, /^(registered\n){3}$/);
        await (await sipp("calls", { over, about: "bob@example.com", args: ["-m", "1"] })).succeeds();
        await holds(outcomes, /^(registered\n){3}(?=[^]*talked)((missed|talked)\n){3}$/);
      } finally {
        for (const device of devices) await device.end();
      }
    });
  }

  it("one datagram of seven is lost, and every phone is registered and every watcher notified all the same", async () => {
    const args = ["-inf", "people.csv", "-m", "20", "-r", "100"];
    const options = { over: "UDP", lost: 15, args };
    const both = [await sipp("register", { ...options, about: "example.com" }), await sipp("watches", { ...options, about: "alice@example.com" })];
    for (const one of both) await one.succeeds(90_000);
  });
});
