// Somebody who is in a call is on the phone, whatever the other devices say.
// The parameter `note` is shown during a call: {"note": "Back at 16:30"}.
import { Cursor, LIST, LIST_END, OBJECT, OBJECT_END, STRING } from "./json";

class Seen {
  call: bool = false;
  device: bool = false;
  note: string | null = null;
}

function read(cursor: Cursor): Seen {
  const seen = new Seen();
  if (!cursor.enter(OBJECT, OBJECT_END)) return seen;
  do {
    const name = cursor.name();
    if (name == "dialogs") readDialogs(cursor, seen);
    else if (name == "publications") readPublications(cursor, seen);
    else if (name == "params") readParams(cursor, seen);
    else cursor.skip();
  } while (cursor.more(OBJECT_END));
  return seen;
}

function readDialogs(cursor: Cursor, seen: Seen): void {
  if (!cursor.enter(LIST, LIST_END)) return;
  do {
    if (!cursor.enter(OBJECT, OBJECT_END)) continue;
    do {
      if (cursor.name() == "state" && cursor.peek() == STRING) seen.call = cursor.string() == "confirmed" || seen.call;
      else cursor.skip();
    } while (cursor.more(OBJECT_END));
  } while (cursor.more(LIST_END));
}

function readPublications(cursor: Cursor, seen: Seen): void {
  if (!cursor.enter(LIST, LIST_END)) return;
  do {
    if (!cursor.enter(OBJECT, OBJECT_END)) continue;
    do {
      if (cursor.name() == "person" && cursor.peek() == OBJECT) readPerson(cursor, seen);
      else cursor.skip();
    } while (cursor.more(OBJECT_END));
  } while (cursor.more(LIST_END));
}

function readPerson(cursor: Cursor, seen: Seen): void {
  if (!cursor.enter(OBJECT, OBJECT_END)) return;
  do {
    if (cursor.name() != "activities" || cursor.peek() != LIST) {
      cursor.skip();
      continue;
    }
    if (!cursor.enter(LIST, LIST_END)) continue;
    do {
      if (cursor.peek() == STRING) seen.device = cursor.string() == "on-the-phone" || seen.device;
      else cursor.skip();
    } while (cursor.more(LIST_END));
  } while (cursor.more(OBJECT_END));
}

function readParams(cursor: Cursor, seen: Seen): void {
  if (!cursor.enter(OBJECT, OBJECT_END)) return;
  do {
    if (cursor.name() == "note" && cursor.peek() == STRING) seen.note = cursor.string();
    else cursor.skip();
  } while (cursor.more(OBJECT_END));
}

/** The version marker of the contract; never called. */
export function presence_policy_abi_1(): void {}

/** Room for the input. The runtime's blocks are aligned to 16. */
export function pp_alloc(length: usize): usize {
  return heap.alloc(length);
}

/** The decision; 0 is no opinion: the built-in merge stands. */
export function pp_merge(pointer: usize, length: usize): u64 {
  const seen = read(new Cursor(pointer, pointer + length));
  if (!seen.call && !seen.device) return 0;
  // A string of the input was escaped there, and goes out as it came.
  const note = seen.note === null ? "" : `,"note":[{"text":"${seen.note!}"}]`;
  const why = seen.call ? "a call is up" : "a device says so";
  return answer(`{"abi":1,"base":"builtin","set":{"activities":["on-the-phone"]${note}},"explain":["${why}"]}`);
}

/** Pointer and length in one number; the bytes stay until the host has copied them. */
function answer(text: string): u64 {
  const bytes = String.UTF8.encode(text);
  return ((<u64>changetype<usize>(bytes)) << 32) | bytes.byteLength;
}
