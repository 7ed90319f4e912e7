// Builds the policy: `npm ci && npm run build`, or `node build.mjs OUTPUT.wasm`.
//
// The compiler makes the module; the manifest is appended here as a custom section, which
// AssemblyScript has no word for.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = dirname(fileURLToPath(import.meta.url));
const output = resolve(process.argv[2] ?? `${here}/build/shift-roster.wasm`);

const manifest = {
  name: "shift-roster",
  version: "1.0.0",
  abi: 1,
  input_minor: 0,
  hooks: ["pp_merge"],
  needs: ["now_ms", "local_time", "params"],
  summary: "Who works in shifts is away between them, with a note that says when they are back",
  license: "MIT OR Apache-2.0",
  params_schema: {
    type: "object",
    properties: {
      shifts: {
        type: "array",
        items: {
          type: "object",
          properties: {
            from: { type: "integer", minimum: 0, maximum: 1440 },
            to: { type: "integer", minimum: 0, maximum: 1440 },
            days: { type: "array", items: { type: "integer", minimum: 1, maximum: 7 } },
          },
        },
      },
    },
  },
  build: "assemblyscript 0.28.9",
};

let binary = null;
const { error, stderr } = await asc.main(
  [
    `${here}/assembly/index.ts`,
    "--outFile", "out.wasm",
    "--runtime", "stub",
    "--optimizeLevel", "2",
    "--shrinkLevel", "2",
    "--converge",
    "--maximumMemory", "64",
    "--disable", "bulk-memory",
  ],
  {
    baseDir: here,
    writeFile: (name, contents) => {
      if (name.endsWith(".wasm")) binary = contents;
    },
  },
);
if (error || !binary) {
  console.error(stderr?.toString() ?? "", error?.message ?? "no output");
  process.exit(1);
}

mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, Buffer.concat([binary, customSection("presence-policy", JSON.stringify(manifest))]));

function customSection(name, text) {
  const label = Buffer.from(name);
  const body = Buffer.concat([leb(label.length), label, Buffer.from(text)]);
  return Buffer.concat([Buffer.from([0]), leb(body.length), body]);
}

/** An unsigned number in LEB128. */
function leb(number) {
  const bytes = [];
  do {
    const more = number > 0x7f ? 0x80 : 0;
    bytes.push((number & 0x7f) | more);
    number >>>= 7;
  } while (number > 0);
  return Buffer.from(bytes);
}
