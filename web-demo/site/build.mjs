// Builds the page into dist/: app.js and its lazily loaded chunks, app.css, index.html, the Worker, the service worker.
// What other tools put there (dist/engine, dist/policies) is left alone.
import { build } from "esbuild";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { seal } from "./seal.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const FIRST_PAINT_LIMIT = 100_000; // gzipped bytes: page, style and script without the wasm

await mkdir(dist, { recursive: true });
await rm(join(dist, "chunks"), { recursive: true, force: true });
await cp(join(here, "static"), dist, { recursive: true });

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  target: "es2022",
  format: "esm",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
};
const page = await build({
  ...common,
  entryPoints: { app: "src/main.ts", "policy-worker": "src/policy/worker.ts" },
  outdir: dist,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
});
await build({ ...common, entryPoints: { app: "src/styles/main.css" }, outdir: dist });
await build({ ...common, format: "iife", entryPoints: { sw: "src/offline/worker.ts" }, outdir: dist });
const id = await seal(dist);

const gzipped = async (file) => gzipSync(await readFile(join(here, file)), { level: 9 }).length;

/** The script of the first paint: app.js and everything it imports statically. */
function staticClosure(entry, outputs) {
  const seen = new Set([entry]);
  for (const file of seen)
    for (const i of outputs[file]?.imports ?? [])
      if (i.kind === "import-statement" && !i.external) seen.add(i.path);
  return [...seen];
}

let total = 0;
const first = ["dist/index.html", "dist/app.css", ...staticClosure("dist/app.js", page.metafile.outputs)];
for (const file of first) total += await gzipped(file);
console.log(`first paint: ${(total / 1000).toFixed(1)} KB gzipped (limit ${FIRST_PAINT_LIMIT / 1000} KB), without the wasm; build ${id}`);
for (const [file, out] of Object.entries(page.metafile.outputs))
  if (out.bytes > 2000) console.log(`  ${file}: ${((await gzipped(file)) / 1000).toFixed(1)} KB gzipped`);
if (total > FIRST_PAINT_LIMIT) {
  console.error("the first paint is over its limit: load something lazily or leave it out");
  process.exit(1);
}
