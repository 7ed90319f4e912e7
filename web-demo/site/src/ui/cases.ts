import type { Cards } from "../app/cards.ts";
import { newDevice, type Device } from "../model/device.ts";
import { h } from "./dom.ts";

const MINUTE = 60_000;

/** Cases that show what a merge is for: pressing one sets the cards. */
const CASES: readonly (readonly [name: string, hint: string, make: (now: number) => Device[]])[] = [
  ["Two devices disagree", "The phone is in a call, the desktop says meeting", (now) => [
    { ...newDevice("desktop", now - 6 * MINUTE), activity: "meeting", priority: 800, note: "Budget review until 15:00" },
    { ...newDevice("phone", now - MINUTE), activity: "on-the-phone", priority: 900 },
    { ...newDevice("web", now - 15 * MINUTE), priority: 200, idle: true },
  ]],
  ["A desk left behind", "The desktop says busy but nobody sits there; the phone is in use", (now) => [
    { ...newDevice("desktop", now - 2 * MINUTE), activity: "busy", priority: 800, idle: true },
    { ...newDevice("phone", now - 10 * MINUTE), activity: "in-transit", priority: 600, note: "On the train, text me" },
    { ...newDevice("web", now - 40 * MINUTE), priority: 200, on: false },
  ]],
  ["All is off", "What Bob sees when nobody publishes", (now) => [
    { ...newDevice("desktop", now), on: false, priority: 800 },
    { ...newDevice("phone", now), on: false },
    { ...newDevice("web", now), on: false, priority: 200 },
  ]],
];

export function caseButtons(cards: Cards): HTMLElement {
  return h("p", { class: "cases" }, h("span", { class: "hint" }, "Try"), ...CASES.map(([name, hint, make]) =>
    h("button", { type: "button", class: "quiet small", title: hint, onclick: () => cards.replace(make(Date.now())) }, name)));
}
