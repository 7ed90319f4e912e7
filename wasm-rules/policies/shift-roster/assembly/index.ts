// People who work in shifts: between two of them they are away, and a note says when they are back.

import { Cursor, LIST, LIST_END, OBJECT, OBJECT_END } from "./json";

const DAY: i64 = 24 * 60;
const MINUTE_MS: i64 = 60000;

class Shift {
  from: i64 = 0;
  to: i64 = 0;
  /** One bit a day, Monday is bit 1; 0 for every day. */
  days: i64 = 0;

  isOn(weekday: i64): bool {
    return this.days == 0 || ((this.days >> weekday) & 1) == 1;
  }
}

class Roster {
  now: i64 = 0;
  minutes: i64 = -1;
  weekday: i64 = 0;
  shifts: Shift[] = [];
}

/** The version marker of the contract; never called. */
export function presence_policy_abi_1(): void {}

/** Room for the input. The runtime's blocks are aligned to 16. */
export function pp_alloc(length: usize): usize {
  return heap.alloc(length);
}

export function pp_merge(pointer: usize, length: usize): u64 {
  const roster = read(new Cursor(pointer, pointer + length));
  if (roster.minutes < 0 || roster.shifts.length == 0) return 0;

  const change = roster.now - (roster.now % MINUTE_MS) + minutesToChange(roster) * MINUTE_MS;
  const at = max(change, roster.now + 1000);
  if (isWorking(roster)) return answer(`{"abi":1,"base":"builtin","reevaluate_at_ms":${at}}`);

  const start = nextStart(roster);
  const note = start < 0 ? "" : `,"note":[{"lang":"en","text":"Back at ${clock(start)}"}]`;
  return answer(
    `{"abi":1,"base":"builtin","set":{"basic":"closed","activities":["away"]${note}},` +
      `"reevaluate_at_ms":${at},"explain":["between two shifts"]}`,
  );
}

function isWorking(roster: Roster): bool {
  for (let i = 0; i < roster.shifts.length; i++) {
    const shift = roster.shifts[i];
    if (shift.from < shift.to) {
      if (shift.isOn(roster.weekday) && roster.minutes >= shift.from && roster.minutes < shift.to) return true;
    } else {
      // Over midnight: the evening belongs to the shift's day, the morning to the day after.
      if (shift.isOn(roster.weekday) && roster.minutes >= shift.from) return true;
      if (shift.isOn(dayBefore(roster.weekday)) && roster.minutes < shift.to) return true;
    }
  }
  return false;
}

function dayBefore(weekday: i64): i64 {
  return weekday == 1 ? 7 : weekday - 1;
}

/** Minutes until a shift begins or ends next; at most a day, then the question is asked anew. */
function minutesToChange(roster: Roster): i64 {
  let soonest = DAY;
  for (let i = 0; i < roster.shifts.length; i++) {
    soonest = min(soonest, ahead(roster.shifts[i].from, roster.minutes));
    soonest = min(soonest, ahead(roster.shifts[i].to, roster.minutes));
  }
  return soonest;
}

function ahead(edge: i64, minutes: i64): i64 {
  const distance = edge - minutes;
  return distance > 0 ? distance : distance + DAY;
}

/** When a shift begins within the next 24 hours, in minutes since midnight; -1 for not at all. */
function nextStart(roster: Roster): i64 {
  let soonest = DAY + 1;
  let start: i64 = -1;
  for (let i = 0; i < roster.shifts.length; i++) {
    const shift = roster.shifts[i];
    const distance = ahead(shift.from, roster.minutes);
    const weekday = shift.from > roster.minutes ? roster.weekday : (roster.weekday % 7) + 1;
    if (shift.isOn(weekday) && distance < soonest) {
      soonest = distance;
      start = shift.from;
    }
  }
  return start;
}

function clock(minutes: i64): string {
  const text = (minutes % 60).toString().padStart(2, "0");
  return `${(minutes / 60 % 24).toString().padStart(2, "0")}:${text}`;
}

/** Pointer and length in one number; the bytes stay until the host has copied them. */
function answer(text: string): u64 {
  const bytes = String.UTF8.encode(text);
  return ((<u64>changetype<usize>(bytes)) << 32) | bytes.byteLength;
}

function read(cursor: Cursor): Roster {
  const roster = new Roster();
  if (!cursor.enter(OBJECT, OBJECT_END)) return roster;
  do {
    const name = cursor.name();
    if (name == "now_ms") roster.now = cursor.integer();
    else if (name == "local_time" && cursor.peek() == OBJECT) readTime(cursor, roster);
    else if (name == "params" && cursor.peek() == OBJECT) readParams(cursor, roster);
    else cursor.skip();
  } while (cursor.more(OBJECT_END));
  return roster;
}

function readTime(cursor: Cursor, roster: Roster): void {
  if (!cursor.enter(OBJECT, OBJECT_END)) return;
  do {
    const name = cursor.name();
    if (name == "minutes") roster.minutes = cursor.integer();
    else if (name == "weekday") roster.weekday = cursor.integer();
    else cursor.skip();
  } while (cursor.more(OBJECT_END));
}

function readParams(cursor: Cursor, roster: Roster): void {
  if (!cursor.enter(OBJECT, OBJECT_END)) return;
  do {
    if (cursor.name() != "shifts" || cursor.peek() != LIST) {
      cursor.skip();
      continue;
    }
    if (!cursor.enter(LIST, LIST_END)) continue;
    do {
      if (cursor.peek() == OBJECT) roster.shifts.push(readShift(cursor));
      else cursor.skip();
    } while (cursor.more(LIST_END));
  } while (cursor.more(OBJECT_END));
}

function readShift(cursor: Cursor): Shift {
  const shift = new Shift();
  if (!cursor.enter(OBJECT, OBJECT_END)) return shift;
  do {
    const name = cursor.name();
    if (name == "from") shift.from = cursor.integer();
    else if (name == "to") shift.to = cursor.integer();
    else if (name == "days" && cursor.peek() == LIST) {
      if (!cursor.enter(LIST, LIST_END)) continue;
      do {
        shift.days |= 1 << (cursor.integer() & 7);
      } while (cursor.more(LIST_END));
    } else cursor.skip();
  } while (cursor.more(OBJECT_END));
  return shift;
}
