// cargo build --profile wasm --target wasm32-unknown-unknown --lib && cargo build --release --bin native
// target/release/native && node run.mjs [path of the .wasm]
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const path = process.argv[2] ?? new URL("target/wasm32-unknown-unknown/wasm/merge_core_wasm_bench.wasm", import.meta.url);
const bytes = await readFile(path);
const { instance } = await WebAssembly.instantiate(bytes, {});
console.log(`module: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
const works = [
  ["read, 4 documents", "read"],
  ["merge + write, 4 documents", "merge_write"],
  ["read + merge + write, 4 documents", "read_merge_write"],
];
for (const [name, work] of works) {
  instance.exports[work](3000); // let the optimising tier take over
  let least = Infinity;
  for (let round = 0; round < 3000; round++) {
    const start = performance.now();
    instance.exports[work](20);
    least = Math.min(least, ((performance.now() - start) * 1000) / 20);
  }
  console.log(`wasm ${name}: ${least.toFixed(2)} us`);
}
