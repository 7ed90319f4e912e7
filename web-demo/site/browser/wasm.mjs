// Policy files for the tests, assembled by hand: no toolchain is needed to make a bad one.
const bytes = (...parts) => parts.flat();
const text = (s) => [...new TextEncoder().encode(s)];
const name = (s) => [s.length, ...text(s)];
const section = (id, content) => [id, ...leb(content.length), ...content];
const vector = (items) => [items.length, ...items.flat()];
const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const sleb = (n) => (n >= -64n && n < 64n ? [Number(n & 127n)] : [Number(n & 127n) | 128, ...sleb(n >> 7n)]);
const I32 = 0x7f, I64 = 0x7e;
const type = (params, results) => [0x60, params.length, ...params, results.length, ...results];
const body = (code) => [...leb(code.length + 2), 0, ...code, 0x0b];
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** Wrong in many ways at once: a WASI import, a memory without maximum, no marker, no pp_alloc, pp_merge of the wrong type. */
export function refused() {
  return Buffer.from(bytes(
    HEADER,
    section(1, vector([type([I32, I32, I32, I32], [I32]), type([I32], [I32])])),
    section(2, vector([[...name("wasi_snapshot_preview1"), ...name("clock_time_get"), 0, 0]])),
    section(3, vector([[1]])),
    section(5, vector([[0, 1]])),
    section(7, vector([[...name("memory"), 2, 0], [...name("pp_merge"), 0, 1]])),
    section(10, vector([body([0x41, 0])])),
  ));
}

/** A policy by the contract's letter whose pp_merge does what `code` says. */
function policy(code) {
  return Buffer.from(bytes(
    HEADER,
    section(1, vector([type([], []), type([I32], [I32]), type([I32, I32], [I64])])),
    section(3, vector([[0], [1], [2]])),
    section(5, vector([[1, 2, 2]])),
    section(7, vector([[...name("memory"), 2, 0], [...name("presence_policy_abi_1"), 0, 0], [...name("pp_alloc"), 0, 1], [...name("pp_merge"), 0, 2]])),
    section(10, vector([body([]), body([0x41, 8]), body(code)])),
  ));
}

/** Passes the check and never returns. */
export const looping = () => policy([0x03, 0x40, 0x0c, 0, 0x0b, 0x42, 0]);

/** Passes the check and has no opinion. */
export const silent = () => policy([0x42, 0]);

/** Has no opinion on the merge, and shows everybody whether Alice is there and nothing else. */
export function discreet() {
  const answer = text('{"abi":1,"level":"basic","explain":["nobody sees more"]}');
  const view = [0x42, ...sleb((64n << 32n) | BigInt(answer.length))];
  return Buffer.from(bytes(
    HEADER,
    section(1, vector([type([], []), type([I32], [I32]), type([I32, I32], [I64])])),
    section(3, vector([[0], [1], [2], [2]])),
    section(5, vector([[1, 2, 2]])),
    section(7, vector([[...name("memory"), 2, 0], [...name("presence_policy_abi_1"), 0, 0], [...name("pp_alloc"), 0, 1], [...name("pp_merge"), 0, 2], [...name("pp_view"), 0, 3]])),
    section(10, vector([body([]), body([0x41, ...sleb(1024n)]), body([0x42, 0]), body(view)])),
    section(11, vector([[0, 0x41, ...sleb(64n), 0x0b, ...leb(answer.length), ...answer]])),
  ));
}
