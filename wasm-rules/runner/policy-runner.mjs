// Runs a policy by the contract (wasm-rules/CONTRACT.md, version 1) in any JavaScript engine:
// a page's Worker, Node, a test.
//
//   import { compilePolicy, runHook, PolicyFailure, LIMITS } from "./policy-runner.mjs";
//   const policy = await compilePolicy(bytes);              // WebAssembly.Module, once
//   const { output, log, fuel } = runHook(policy, "pp_merge", inputBytes);  // the whole input: what is not needed is cut
//   // output: Uint8Array with the policy's JSON, or null for "no opinion"
//   // fuel: { used, allowed }, or null where the policy does not count it
//   // throws PolicyFailure { code: "E201", message, log }
//
// One call is one fresh instance, as on the server, so nothing survives from call to call. A JavaScript
// engine counts no fuel, so a policy counts its own: give compilePolicy what `policy-meter` made of the
// file, and it takes what it takes on the server, to the unit. A policy as it is runs too, but one that
// loops does not return: run it in a Worker and end the Worker when it takes longer than you allow.
// The bytes of the output are the same as the server's; whether the output may be *used* is decided by
// merge-core on both sides, not here.

/** The limits of the contract that matter while running. A test compares them with the code's table. */
export const LIMITS = Object.freeze({
  memoryPages: 64,
  inputBytes: 64 * 1024,
  outputBytes: 16 * 1024,
  logBytes: 2 * 1024,
  logLines: 32,
  paramsBytes: 4 * 1024,
  fuel: 2000000,
  fuelPerInputByte: 128,
  fuelStart: 2000000,
});

/** What a call to `presence.log` takes, before what each byte adds. */
const LOG_CALL = 200;

/** The global by which a metered policy counts: minus the fuel that is left, and SPENT where it was ended for it. */
const COUNTER = "presence fuel";
const SPENT = 2n ** 63n - 1n;

/** The export that a metered policy's start function is, so that what ends it can be told. */
const START = "presence start";

/** A policy that did not give an answer: `code` is one of the contract's error codes. */
export class PolicyFailure extends Error {
  constructor(code, message, log = []) {
    super(message);
    this.name = "PolicyFailure";
    this.code = code;
    this.log = log;
  }
}

/** Compiles a policy's bytes. Check them first with policy-check: this only knows WebAssembly's own rules. */
export async function compilePolicy(bytes) {
  return WebAssembly.compile(bytes);
}

/**
 * Has the engine for scripts (javascript.engine, compiled) read a policy in JavaScript: what the engine says of it, and
 * its memory after that. policy-check makes the policy's module of the two (`makeScript` of web-check): the functions
 * and the memory that the server runs, in one.
 */
export function readScript(engine, script) {
  const { memory, _initialize, pp_alloc, pp_script } = new WebAssembly.Instance(engine, { presence: { log() {} } }).exports;
  _initialize();
  const pointer = pp_alloc(script.length) >>> 0;
  new Uint8Array(memory.buffer).set(script, pointer);
  const packed = BigInt.asUintN(64, pp_script(pointer, script.length));
  const said = new Uint8Array(memory.buffer, Number(packed >> 32n), Number(packed & 0xffffffffn)).slice();
  return { said, memory: new Uint8Array(memory.buffer) };
}

/** Sent to every policy, whatever its manifest says. */
const ALWAYS = ["abi", "minor"];

/**
 * The part of an input that a policy is sent: the members that its manifest's `needs` names, their bytes
 * as they are. All of it where the manifest does not say.
 */
function neededInput(module, input) {
  const [section] = WebAssembly.Module.customSections(module, "presence-policy");
  const { needs } = section ? JSON.parse(new TextDecoder().decode(section)) : {};
  if (!needs) return input;
  const names = new Set([...ALWAYS, ...needs]);
  const decoder = new TextDecoder();
  const kept = topMembers(input)
    .map((member) => decoder.decode(member).trim())
    .filter((member) => names.has(/^"([^"\\]*)"/.exec(member)?.[1]));
  return new TextEncoder().encode(`{${kept.join(",")}}`);
}

/** The members of an object, each from its name to the end of its value. */
function topMembers(json) {
  const members = [];
  let depth = 0;
  let start = 0;
  let inString = false;
  for (let at = 0; at < json.length; at += 1) {
    const character = String.fromCharCode(json[at]);
    if (inString) {
      if (character === "\\") at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') {
      inString = true;
    } else if ("{[".includes(character)) {
      depth += 1;
      if (depth === 1) start = at + 1;
    } else if ("}],".includes(character)) {
      if (depth === 1) {
        members.push(json.subarray(start, at));
        start = at + 1;
      }
      if (character !== ",") depth -= 1;
    }
  }
  return members;
}

/** What ended a guest on purpose, so that it can be told apart from a fault of the engine. */
class GuestAbort extends Error {}

/**
 * Runs one hook ("pp_merge", "pp_params", "pp_view") in a fresh instance.
 * Synchronous, so that a Worker that is ended in the middle has nothing half done.
 */
export function runHook(module, hook, whole) {
  const input = hook === "pp_merge" ? neededInput(module, whole) : whole;
  const log = [];
  const fail = (code, message) => new PolicyFailure(code, message, log);
  if (input.length > LIMITS.inputBytes) {
    throw fail("E200", `the input has ${input.length} bytes, a policy is given at most ${LIMITS.inputBytes}`);
  }

  let memory = null;
  let counter = null;
  let allowed = LIMITS.fuelStart;
  let logBytes = 0;
  const imports = {
    presence: {
      log(pointer, length) {
        const wanted = Math.min(length >>> 0, LIMITS.logBytes);
        spend(counter, LOG_CALL + wanted);
        const text = readUtf8(memory, pointer >>> 0, wanted);
        if (text === null || log.length >= LIMITS.logLines || logBytes >= LIMITS.logBytes) return;
        const line = plainText(text);
        logBytes += line.length;
        log.push(line);
      },
    },
    env: {
      abort(message, file, line, column) {
        const text = readUtf16(memory, message >>> 0) ?? "no message";
        const where = readUtf16(memory, file >>> 0);
        throw new GuestAbort(plainText(where === null ? text : `${text} (${where}:${line >>> 0}:${column >>> 0})`));
      },
    },
  };

  const guarded = (what, call) => {
    try {
      return call();
    } catch (error) {
      if (error instanceof PolicyFailure) throw error;
      if (counter?.value === SPENT) throw fail("E204", `out of fuel: all of the ${allowed} allowed were used`);
      const why = error instanceof GuestAbort ? `aborted: ${error.message}` : String(error?.message ?? error);
      throw fail("E201", `${what}: ${why}`);
    }
  };

  const exports = guarded("instantiation", () => new WebAssembly.Instance(module, imports)).exports;
  memory = exports.memory;
  counter = exports[COUNTER] ?? null;
  if (!(memory instanceof WebAssembly.Memory)) throw fail("E130", "the policy exports no memory");
  if (typeof exports[hook] !== "function") throw fail("E130", `the policy has no ${hook}`);
  if (typeof exports[START] === "function") guarded("start", () => exports[START]());
  if (typeof exports._initialize === "function") guarded("_initialize", () => exports._initialize());

  allowed = LIMITS.fuel + LIMITS.fuelPerInputByte * input.length;
  if (counter !== null) counter.value = BigInt(-allowed);

  const pointer = guarded("pp_alloc", () => exports.pp_alloc(input.length)) >>> 0;
  if (pointer === 0) throw fail("E208", `pp_alloc refused ${input.length} bytes`);
  if (pointer % 8 !== 0) throw fail("E208", `pp_alloc returned ${pointer}, which is not a multiple of 8`);
  if (pointer + input.length > memory.buffer.byteLength) {
    throw fail("E208", `pp_alloc returned ${pointer}, and ${input.length} bytes from there leave the memory`);
  }
  new Uint8Array(memory.buffer).set(input, pointer);

  const packed = BigInt.asUintN(64, BigInt(guarded(hook, () => exports[hook](pointer, input.length))));
  const fuel = counter === null ? null : { used: allowed + Number(counter.value), allowed };
  if (packed === 0n) return { output: null, log, fuel };
  const start = Number(packed >> 32n);
  const length = Number(packed & 0xffffffffn);
  if (length > LIMITS.outputBytes) {
    throw fail("E208", `the output has ${length} bytes, allowed are ${LIMITS.outputBytes}`);
  }
  // The buffer is looked up again: the guest may have grown its memory, which detaches the old one.
  if (start + length > memory.buffer.byteLength) {
    throw fail("E208", `the output (${length} bytes at ${start}) leaves the memory`);
  }
  return { output: new Uint8Array(memory.buffer, start, length).slice(), log, fuel };
}

/** Takes fuel for what the host does; ends the policy where it is not there. */
function spend(counter, fuel) {
  if (counter === null) return;
  const left = counter.value + BigInt(fuel);
  counter.value = left > 0n ? SPENT : left;
  if (left > 0n) throw new GuestAbort("out of fuel");
}

function readUtf8(memory, pointer, length) {
  if (!memory || pointer + length > memory.buffer.byteLength) return null;
  return new TextDecoder("utf-8").decode(new Uint8Array(memory.buffer, pointer, length).slice());
}

/** AssemblyScript's strings: UTF-16, with their length in bytes in the four bytes before them. */
function readUtf16(memory, pointer) {
  if (!memory || pointer < 4 || pointer > memory.buffer.byteLength) return null;
  const view = new DataView(memory.buffer);
  const length = Math.min(view.getUint32(pointer - 4, true), 2 * LIMITS.logBytes) & ~1;
  if (pointer + length > memory.buffer.byteLength) return null;
  let text = "";
  for (let at = pointer; at < pointer + length; at += 2) text += String.fromCharCode(view.getUint16(at, true));
  return text;
}

/** Control characters and bidirectional overrides out: a line of a guest's text stays one line of text. */
function plainText(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "");
}
