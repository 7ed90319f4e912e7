import { KIND_ORDER, type Device, type DeviceKind } from "../model/device.ts";
import type { AppState } from "../state/app.ts";
import { Across, Down, type Blend, type Box } from "./courses.ts";
import { s } from "./dom.ts";

interface Strand {
  readonly kind: DeviceKind;
  readonly device: Device;
  readonly card: Box;
  readonly live: boolean;
  /** Whether a value of the result is this device's. */
  readonly supplies: boolean;
  readonly width: number;
}

/** Where the drawing finds its places: cards by kind, the confluence's bed, Bob's face. */
export interface Landmarks {
  readonly map: HTMLElement;
  card(kind: DeviceKind): HTMLElement | null;
  readonly bed: HTMLElement;
  readonly mouth: HTMLElement;
}

const MIN_WIDTH = 3;
const MAX_WIDTH = 11;
const DRY_WIDTH = 2;
const RIVER_PAD = 14;
/** In the river a device that supplies a value shows as a thread. */
const THREAD_WIDTH = 2.5;

/**
 * The picture of the page: from each card a stream in its device's colour, wide by contact priority,
 * dashed when closed, thin and grey when dry. In the bed each gives up its colour to the one river that runs on
 * to Bob, and in the river runs a thread for each device that supplies at least one value of the result.
 */
export class Streams {
  readonly element = s("svg", { class: "streams", "aria-hidden": "true" });
  #frame = 0;
  #state: AppState | null = null;
  #winners = "";

  constructor(private readonly land: Landmarks) {
    const watch = new ResizeObserver(() => this.#schedule());
    watch.observe(land.map);
    watch.observe(land.bed);
  }

  update(state: AppState): void {
    this.#state = state;
    this.#schedule();
  }

  #schedule(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#state !== null) this.#draw(this.#state);
    });
  }

  #draw(state: AppState): void {
    const origin = this.land.map.getBoundingClientRect();
    this.element.setAttribute("viewBox", `0 0 ${origin.width} ${origin.height}`);
    const box = (element: Element): Box => {
      const r = element.getBoundingClientRect();
      return { left: r.left - origin.left, right: r.right - origin.left, top: r.top - origin.top, mid: r.top - origin.top + r.height / 2, height: r.height };
    };
    const bed = box(this.land.bed);
    const mouth = box(this.land.mouth);
    const beside = mouth.left > bed.right; // regions side by side
    const scale = beside ? 1 : 0.6;

    const strands: Strand[] = KIND_ORDER.flatMap((kind) => {
      const device = state.devices.find((d) => d.kind === kind);
      const card = this.land.card(kind);
      if (device === undefined || card === null) return [];
      const live = isLive(state, device);
      return [{ kind, device, card: box(card), live, supplies: live && supplies(state, kind), width: live ? width(device) * scale : DRY_WIDTH }];
    });
    strands.sort((a, b) => a.card.top - b.card.top);
    const flowing = strands.filter((x) => x.live);
    const total = flowing.reduce((sum, x) => sum + x.width, 0);
    const carried = strands.filter((x) => x.supplies);
    const lit = state.lit === null ? null : (strands.find((x) => state.published[x.kind]?.etag === state.lit)?.kind ?? null);
    const course = beside ? new Across(bed, mouth, strands.length) : new Down(bed, mouth, strands.length, total);

    const river = [path(flowing.length > 0 ? "river" : "river is-dry", course.river(0), flowing.length > 0 ? total + RIVER_PAD * scale : DRY_WIDTH)];
    const apart = Math.min(9 * scale, (total + RIVER_PAD * scale) / (carried.length + 1));
    const threads = carried.map((strand, i) => stream("thread", strand, course.river((i - (carried.length - 1) / 2) * apart), lit, THREAD_WIDTH * scale));
    let offset = -total / 2;
    const streams = strands.map((strand, i) => {
      const end = strand.live ? offset + strand.width / 2 : 0;
      if (strand.live) offset += strand.width;
      return stream("stream", strand, course.stream(strand.card, i, end), lit, strand.width);
    });
    const blends = strands.filter((x) => x.live).map((x) => blend(x.kind, course.blend));
    this.element.replaceChildren(s("defs", {}, ...blends), ...river, ...streams, ...threads);
    this.#glow(state, carried.map((x) => x.kind));
  }

  /** The stream that won a value anew glows once. */
  #glow(state: AppState, carried: readonly DeviceKind[]): void {
    const winners = (state.merged?.explanation ?? []).map((e) => `${e.path}=${e.value}<${e.etag}`).join("\n");
    const before = new Set(this.#winners.split("\n"));
    const fresh = this.#winners === "" ? [] : winners.split("\n").filter((line) => !before.has(line));
    this.#winners = winners;
    for (const kind of carried) {
      const etag = state.published[kind]?.etag;
      if (etag === undefined || !fresh.some((line) => line.endsWith(`<${etag}`))) continue;
      for (const path of this.element.querySelectorAll(`.dev-${kind}`)) path.classList.add("glow");
    }
  }
}

const isLive = (state: AppState, device: Device): boolean => {
  const published = state.published[device.kind];
  if (published === undefined) return false;
  return published.expires > (state.moved ? Date.now() : (state.pinned ?? Date.now()));
};

const supplies = (state: AppState, kind: DeviceKind): boolean => {
  const etag = state.published[kind]?.etag;
  return etag !== undefined && (state.merged?.explanation ?? []).some((e) => e.etag === etag);
};

const width = (device: Device) => MIN_WIDTH + (device.priority / 1000) * (MAX_WIDTH - MIN_WIDTH);

function path(name: string, d: string, width: number): SVGElement {
  return s("path", { class: name, d, "stroke-width": width.toFixed(1) });
}

/** From the device's colour to the river's. */
function blend(kind: DeviceKind, { x1, y1, x2, y2 }: Blend): SVGElement {
  return s("linearGradient", { id: `blend-${kind}`, class: `dev-${kind}`, gradientUnits: "userSpaceOnUse", x1, y1, x2, y2 },
    s("stop", { offset: 0, class: "blend-stream" }), s("stop", { offset: 1, class: "blend-river" }));
}

function stream(name: "stream" | "thread", strand: Strand, d: string, lit: DeviceKind | null, width: number): SVGElement {
  const closed = strand.live && !strand.device.open;
  const dim = lit !== null && lit !== strand.kind;
  const classes = [name, `dev-${strand.kind}`, strand.live ? "" : "is-dry", closed ? "is-closed" : "", dim ? "is-dim" : ""].filter(Boolean).join(" ");
  const element = path(classes, d, width);
  if (name === "stream" && strand.live) element.setAttribute("stroke", `url(#blend-${strand.kind})`);
  if (closed) element.setAttribute("stroke-dasharray", `${6 + width / 2} ${6 + width * 1.5}`);
  return element;
}
