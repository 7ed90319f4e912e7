/** What a card holds: one of Alice's devices as its owner set it. */
export interface Device {
  readonly kind: DeviceKind;
  /** Switched on: connected, registered and publishing. */
  readonly on: boolean;
  readonly open: boolean;
  /** An RFC 4480 activity token, or "" for none. */
  readonly activity: string;
  readonly note: string;
  /** Contact priority in thousandths, 0 to 1000. */
  readonly priority: number;
  readonly idle: boolean;
  /** When the owner last changed anything, ms since the epoch: the document's timestamps. */
  readonly changed: number;
}

export type DeviceKind = "desktop" | "phone" | "web" | "desk-phone" | "room";

/** What does not change about a kind. The letter and the colour are its mark wherever a value of it shows. */
export interface KindTraits {
  readonly name: string;
  readonly letter: string;
  /** The device_kind of the policy contract; the server tells it from the User-Agent header. */
  readonly contract: "soft" | "mobile" | "web" | "room" | "desk" | "service";
}

export const KINDS: Record<DeviceKind, KindTraits> = {
  desktop: { name: "Desktop", letter: "D", contract: "web" },
  phone: { name: "Phone", letter: "P", contract: "mobile" },
  web: { name: "Web", letter: "W", contract: "web" },
  "desk-phone": { name: "Desk phone", letter: "K", contract: "desk" },
  room: { name: "Meeting room", letter: "R", contract: "room" },
};

export const KIND_ORDER = Object.keys(KINDS) as DeviceKind[];

/** Activities a card offers, with a person's words for them. */
export const ACTIVITIES: readonly (readonly [token: string, words: string])[] = [
  ["", "Available"],
  ["on-the-phone", "On the phone"],
  ["meeting", "In a meeting"],
  ["busy", "Busy"],
  ["presentation", "Presenting"],
  ["working", "Working"],
  ["away", "Away"],
  ["meal", "At lunch"],
  ["in-transit", "On the way"],
  ["steering", "Driving"],
  ["vacation", "On holiday"],
  ["sleeping", "Asleep"],
  ["unknown", "Unknown"],
];

const WORDS = new Map(ACTIVITIES);
const MORE_WORDS = new Map([
  ["appointment", "At an appointment"], ["breakfast", "At breakfast"], ["dinner", "At dinner"], ["holiday", "Public holiday"],
  ["looking-for-work", "Looking for work"], ["other", "Otherwise engaged"], ["performance", "At a performance"],
  ["permanent-absence", "No longer here"], ["playing", "Playing"], ["shopping", "Shopping"], ["spectator", "Watching"],
  ["travel", "Travelling"], ["tv", "Watching TV"], ["worship", "At worship"], ["do-not-disturb", "Do not disturb"],
  ["x-dnd", "Do not disturb"], ["dnd", "Do not disturb"],
]);

/** A person's words for an activity token; unknown tokens are shown with spaces for hyphens. */
export function activityWords(token: string): string {
  const known = WORDS.get(token) ?? MORE_WORDS.get(token);
  if (known !== undefined) return known;
  const plain = token.replace(/^x-/, "").replaceAll("-", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

/** A new device of a kind: on, open, nothing special. */
export function newDevice(kind: DeviceKind, now: number): Device {
  return { kind, on: true, open: true, activity: "", note: "", priority: 500, idle: false, changed: now };
}
