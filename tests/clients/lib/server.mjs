// The real server, started on a free port and ended with the test.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "./queue.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The binary: TEST_SERVER, or what `cargo build -p tributary` made. */
function program() {
  const path = process.env.TEST_SERVER ?? join(here, "../../../target/debug/tributary");
  if (!existsSync(path)) throw new Error(`${path} is not there: build it with \`cargo build -p tributary\``);
  return path;
}

/** Ports that were given out: whoever has one may not have bound it yet. */
const given = new Set();

/** A port that nobody has now, neither for connections nor for datagrams. */
export async function freePort() {
  for (;;) {
    const probe = createServer();
    await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address();
    const socket = createSocket("udp4");
    const free = await new Promise((resolve) => socket.once("error", () => resolve(false)).bind(port, "127.0.0.1", () => resolve(true)));
    if (free) await new Promise((resolve) => socket.close(resolve));
    await new Promise((resolve) => probe.close(resolve));
    if (!free || given.has(port)) continue;
    given.add(port);
    return port;
  }
}

/** A running server. */
export class Server {
  /**
   * @param {{users?: Record<string, string>, settings?: Record<string, string|number>, args?: string[]}} options
   *   users: name to password; none means open mode. settings: keys such as PRESENCE_GRACE_SECONDS.
   */
  static async start({ users, settings = {}, args = [] } = {}) {
    const server = new Server();
    server.port = await freePort();
    server.data = await mkdtemp(join(tmpdir(), "tributary-test-"));
    const who = users ? Object.entries(users).flatMap(([name, word]) => ["--user", `${name}:${word}`]) : ["--open"];
    server.args = ["serve", "--listen", `127.0.0.1:${server.port}`, "--domain", "example.com", "--data", server.data];
    server.args.push(...who, ...args);
    server.settings = { API_TOKEN: "test-token-of-the-clients", ...settings };
    await server.run();
    return server;
  }

  get ws() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  async run() {
    const env = { ...process.env };
    for (const [key, value] of Object.entries(this.settings)) env[`TRIBUTARY_${key}`] = String(value);
    this.log = "";
    this.child = spawn(program(), this.args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const child = this.child;
    this.ended = new Promise((resolve) => child.once("exit", resolve));
    const listening = new Promise((resolve, reject) => {
      const read = (chunk) => {
        this.log += chunk;
        if (this.log.includes(`:${this.port}`)) resolve();
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${this.log}`)));
    });
    await within(listening, "word from the server that it listens").catch((error) => {
      error.message += `; its log:\n${this.log}`;
      child.kill("SIGKILL");
      throw error;
    });
  }

  /** kill -9, as a power cut of the process. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  async stop() {
    this.child.kill("SIGTERM");
    await within(this.ended, "end of the server after SIGTERM").catch(() => this.child.kill("SIGKILL"));
    await rm(this.data, { recursive: true, force: true });
  }

  /** A call of the HTTP API; the answer's JSON. */
  async api(path, options = {}) {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      ...options,
      headers: { authorization: `Bearer ${this.settings.API_TOKEN}`, ...options.headers },
    });
    const text = await response.text();
    return { status: response.status, json: text && response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : null, text };
  }
}

/** A file of the tests' own data. */
export const data = (name) => readFile(join(here, "../data", name));
