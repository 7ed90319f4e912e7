// A program of somebody else's, in a folder of its own: what it prints is waited for, and at the end it is ended.

import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { within } from "./queue.mjs";

/** An empty folder. */
export const folder = () => mkdtemp(join(tmpdir(), "tributary-peer-"));

/** Removes it with all that is in it. */
export const removed = (path) => rm(path, { recursive: true, force: true });

/** Writes files, by name, into a folder. */
export async function write(into, files) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(into, name)), { recursive: true });
    await writeFile(join(into, name), text);
  }
}

/** A certificate for this machine that signs itself: its path and its key's. */
export async function certificate(into) {
  const paths = { certificate: join(into, "cert.pem"), key: join(into, "key.pem") };
  const names = "subjectAltName=DNS:example.com,DNS:localhost,IP:127.0.0.1";
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", paths.key];
  const rest = ["-out", paths.certificate, "-days", "2", "-subj", "/CN=example.com", "-addext", names];
  await promisify(execFile)("openssl", ["req", "-x509", ...key, ...rest]);
  return paths;
}

/** All that run: none outlives its test, even one that failed. */
const running = new Set();
process.once("exit", () => {
  for (const child of running) child.kill("SIGTERM");
});

/** A running program. */
export class Program {
  constructor(name, args, options = {}) {
    this.name = name;
    this.output = "";
    this.child = spawn(name, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    running.add(this.child);
    this.child.once("exit", () => running.delete(this.child));
    this.child.stdin.on("error", () => {});
    const failed = new Promise((resolve) => this.child.once("error", (error) => resolve(error.message)));
    this.ended = Promise.race([new Promise((resolve) => this.child.once("exit", (code, signal) => resolve(code ?? signal))), failed]);
    this.waiting = new Set();
    const read = (chunk) => {
      this.output += chunk;
      for (const look of this.waiting) look();
    };
    this.child.stdout.on("data", read);
    this.child.stderr.on("data", read);
  }

  /** Types a line. */
  type(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** Waits until it has printed this, at any time. */
  async prints(pattern) {
    const printed = new Promise((resolve, reject) => {
      const look = () => pattern.test(this.output) && resolve();
      this.waiting.add(look);
      this.ended.then((code) => reject(new Error(`it ended with ${code}`)));
      look();
    });
    await within(printed, `${pattern} from ${this.name}`).catch((error) => this.fail(error));
  }

  /** Waits for its end, which must be a success. */
  async succeeds(patience) {
    const code = await within(this.ended, `the end of ${this.name}`, patience).catch((error) => this.fail(error));
    if (code !== 0) this.fail(new Error(`${this.name} ended with ${code}`));
  }

  fail(error) {
    error.message += `; it printed:\n${this.output.slice(-6000)}`;
    throw error;
  }

  async end(signal = "SIGKILL") {
    this.child.kill(signal);
    await within(this.ended, `the end of ${this.name}`);
  }
}

/** A connection to a port that a program is about to listen at. */
export function connected(port, what) {
  const trying = async () => {
    for (;;) {
      const socket = connect(port, "127.0.0.1");
      const opened = new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
      if (await opened) return socket;
    }
  };
  return within(trying(), what);
}

/** Waits until a file that a program writes holds this. */
export async function holds(path, pattern) {
  const read = async () => {
    for (;;) {
      const text = await readFile(path, "utf8").catch(() => "");
      if (pattern.test(text)) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await within(read(), `${pattern} in ${path}`);
}
