// Assertions that run in a page as well as in Node.

export function ok(value, what) {
  if (!value) throw new Error(`expected: ${what}`);
}

export function equal(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`);
}
