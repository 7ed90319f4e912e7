import { s } from "./dom.ts";

/** Drawn on a 24 by 24 grid with one stroke width; colour is the text's. */
const PATHS = {
  desktop: "M3 5h18v11H3zM9 20h6M12 16v4",
  phone: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
  web: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  "desk-phone": "M4 4h4v16H4zM8 7h12v13H8M12 11h.01M16 11h.01M12 15h.01M16 15h.01",
  room: "M4 20V5l10-2v18M14 6h6v14M2 20h20M10.5 12v1",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4",
  remove: "M6 6l12 12M18 6L6 18",
  add: "M12 5v14M5 12h14",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  auto: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18M12 7l6 0M12 11l8.5 0M12 15l8 0",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1.2 1.2M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1.2-1.2",
  check: "M5 12.5l4.5 4.5L19 7.5",
  differ: "M5 9h14M5 15h14M16 5L8 19",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
  cloudOff: "M4 4l16 16M8 8a6 6 0 0 0-1 11h10M11 6.2A6 6 0 0 1 17.7 11 4 4 0 0 1 20.5 17.5",
  server: "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01",
  file: "M6 3h8l4 4v14H6zM14 3v4h4M12 17v-6M9.5 13.5L12 11l2.5 2.5",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  merge: "M4 5c6 0 5 7 10 7M4 12h10M4 19c6 0 5-7 10-7M14 12h6",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
  bolt: "M13 3L5 14h6l-1 7 8-11h-6z",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 21c0-4 3.5-6.5 8-6.5s8 2.5 8 6.5",
} as const;

export type IconName = keyof typeof PATHS;

/** An icon that says nothing by itself: what it stands beside carries the words. */
export function icon(name: IconName): SVGSVGElement {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: PATHS[name] }));
}
