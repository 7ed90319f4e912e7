// The real server, in demo mode on a free port, serving this dist/. TEST_SERVER names the binary where it
// is not target/release or target/debug.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dist } from "./serve.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export function program() {
  const target = join(root, process.env.CARGO_TARGET_DIR ?? "target");
  const candidates = [process.env.TEST_SERVER, join(target, "release", "tributary"), join(target, "debug", "tributary")].filter(Boolean);
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new Error("no server binary: build it with `cargo build --workspace --bins`, or name it in the environment variable TEST_SERVER");
  return found;
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts the demo with the page in `site` and these settings. `stop` ends it; `start` starts it again on the same port with the same data. */
export async function demo(site = dist, settings = {}) {
  const port = await freePort();
  const data = await mkdtemp(join(tmpdir(), "tributary-page-"));
  const origin = `http://127.0.0.1:${port}/`;
  let child = null;
  let output = "";

  const start = async () => {
    child = spawn(program(), ["demo", "--listen", `127.0.0.1:${port}`, "--site", site, "--data", data], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...settings } });
    const here = child;
    for (const stream of [here.stdout, here.stderr]) stream.on("data", (chunk) => (output = (output + chunk).slice(-20_000)));
    for (let tries = 0; tries < 300; tries++) {
      if (here.exitCode !== null) throw new Error(`the server ended: ${output}`);
      const answer = await fetch(`${origin}demo.json`).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the server did not answer: ${output}`);
  };
  const stop = async (signal = "SIGTERM") => {
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  };
  await start();
  return { origin, start, stop, output: () => output, close: async () => { await stop("SIGKILL"); await rm(data, { recursive: true, force: true }); } };
}
