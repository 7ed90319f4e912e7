import type { AppState } from "../state/app.ts";

/** What a policy is told of the time where Alice is: `local_time` of the contract. */
export interface LocalTime {
  readonly tz: string;
  /** Minutes since midnight. */
  readonly minutes: number;
  /** 1 for Monday to 7 for Sunday. */
  readonly weekday: number;
  readonly date: string;
}

/** The time zone that the server has for Alice; without one, what a server has whose operator chose none. */
export const serverZone = ({ live }: Pick<AppState, "live">) => live?.time_zone ?? "UTC";

/** The time zone of Alice's clock. */
export const zoneOf = (state: Pick<AppState, "zone" | "live">) => state.zone ?? serverZone(state);

/** Whether the page's clock is not the server's: then the two cannot agree, nor have to. */
export const otherClock = (state: Pick<AppState, "pinned" | "zone" | "live">) => state.pinned !== null || zoneOf(state) !== serverZone(state);

/** Whether the browser knows a time zone of this name. */
export function isZone(name: string): boolean {
  try {
    return formatter(name) !== null;
  } catch {
    return false;
  }
}

/** What a clock on the wall shows at `at` in a time zone. */
export function localTime(at: number, tz: string): LocalTime {
  const [date = "", time = ""] = wallText(at, tz).split("T");
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return { tz, minutes: hours * 60 + minutes, weekday: new Date(`${date}T00:00Z`).getUTCDay() || 7, date };
}

/** The same as text, 2026-11-22T12:30: what a field for date and time holds. */
export function wallText(at: number, tz: string): string {
  const parts = Object.fromEntries(formatter(tz).formatToParts(at).map(({ type, value }) => [type, value]));
  return `${parts["year"]}-${parts["month"]}-${parts["day"]}T${parts["hour"]}:${parts["minute"]}`;
}

/** When a clock in a time zone shows this; null for what is no date and time. Of an hour that comes twice, the first. */
export function instantOf(wall: string, tz: string): number | null {
  const asUtc = Date.parse(`${wall}Z`);
  if (Number.isNaN(asUtc)) return null;
  // The zone's distance from UTC is that of a moment near by; near a change of it there are two.
  const guesses = [-1, 1].map((side) => asUtc - distance(asUtc + side * DAY_MS, tz));
  return guesses.sort((a, b) => a - b).find((at) => wallText(at, tz) === wall) ?? guesses[0] ?? null;
}

const DAY_MS = 86_400_000;

const distance = (at: number, tz: string) => Date.parse(`${wallText(at, tz)}Z`) - Math.floor(at / 60_000) * 60_000;

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(tz: string): Intl.DateTimeFormat {
  const known = formatters.get(tz);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-CA", { timeZone: tz, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
  formatters.set(tz, made);
  return made;
}
