// Has the engine for scripts read a policy in JavaScript, as a page does, and writes what it says of it, SCRIPT.said, and
// its memory after that, SCRIPT.memory. For the test that compares two engines: node read-script.mjs ENGINE SCRIPT
import { readFileSync, writeFileSync } from "node:fs";
import { readScript } from "./policy-runner.mjs";

const [engine, script] = process.argv.slice(2);
const { said, memory } = readScript(await WebAssembly.compile(readFileSync(engine)), readFileSync(script));
writeFileSync(`${script}.said`, said);
writeFileSync(`${script}.memory`, memory);
