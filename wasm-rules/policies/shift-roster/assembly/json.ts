// As much of JSON as this policy needs: walking over members and items without building anything.
// The host writes strict JSON, so what is not expected ends in `abort`, which fails the call.

/** The bytes that values begin and end with. */
export const OBJECT = 0x7b;
export const OBJECT_END = 0x7d;
export const LIST = 0x5b;
export const LIST_END = 0x5d;
export const STRING = 0x22;

/** A place in the input. */
export class Cursor {
  constructor(public at: usize, public end: usize) {}

  peek(): i32 {
    while (this.at < this.end) {
      const byte = load<u8>(this.at);
      if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return byte;
      this.at++;
    }
    return -1;
  }

  expect(byte: i32): void {
    if (this.peek() != byte) throw new Error("unexpected JSON");
    this.at++;
  }

  /** Steps into an object or an array; false when it is empty (and then behind it). */
  enter(open: i32, close: i32): bool {
    this.expect(open);
    if (this.peek() != close) return true;
    this.at++;
    return false;
  }

  /** Behind a member or an item: true when another follows. */
  more(close: i32): bool {
    if (this.peek() == 0x2c) {
      this.at++;
      return true;
    }
    this.expect(close);
    return false;
  }

  /** The name of a member, and behind its colon. */
  name(): string {
    const name = this.string();
    this.expect(0x3a);
    return name;
  }

  /** A string as it is written: escapes are left alone. */
  string(): string {
    this.expect(STRING);
    const start = this.at;
    this.skipString();
    return String.UTF8.decodeUnsafe(start, this.at - 1 - start);
  }

  integer(): i64 {
    let negative = false;
    if (this.peek() == 0x2d) {
      negative = true;
      this.at++;
    }
    let value: i64 = 0;
    while (this.at < this.end) {
      const digit = <i32>load<u8>(this.at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      this.at++;
    }
    return negative ? -value : value;
  }

  /** From behind the opening quote to behind the closing one. */
  private skipString(): void {
    while (this.at < this.end) {
      const byte = load<u8>(this.at++);
      if (byte == 0x22) return;
      if (byte == 0x5c) this.at++;
    }
    throw new Error("unexpected end of JSON");
  }

  /** Over a whole value, however deep: brackets are counted, not recursed into. */
  skip(): void {
    let depth = 0;
    do {
      const byte = this.peek();
      if (byte < 0) throw new Error("unexpected end of JSON");
      this.at++;
      if (byte == 0x22) this.skipString();
      else if (byte == 0x7b || byte == 0x5b) depth++;
      else if (byte == 0x7d || byte == 0x5d) depth--;
      else if (byte != 0x2c && byte != 0x3a) {
        while (this.at < this.end) {
          const next = load<u8>(this.at);
          if (next == 0x2c || next == 0x7d || next == 0x5d || next <= 0x20) break;
          this.at++;
        }
      }
    } while (depth > 0);
  }
}
