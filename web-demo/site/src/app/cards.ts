import { KIND_ORDER, newDevice, type Device, type DeviceKind } from "../model/device.ts";
import { instanceOf } from "../model/instances.ts";
import { aorOf } from "../model/live-set.ts";
import { writePidf } from "../model/pidf.ts";
import type { DeviceLink, Link } from "../sip/device-link.ts";
import type { Accepted } from "../sip/publication.ts";
import type { App, Published } from "../state/app.ts";

/** How long the server keeps the state of a device whose connection died; the page alone does the same. */
export const GRACE_MS = 10_000;
const EXPIRES_MS = 1_800_000;
/** The contract's device id in page-alone entity-tags. */
const LOCAL_TAG = "page";

type LinkMaker = (kind: DeviceKind, onLink: (link: Link) => void, onAccepted: (accepted: Accepted | null) => void) => DeviceLink;

/**
 * Alice's devices: what a person does to a card goes to that card's SIP client, or, while the server is
 * away, straight into the page's live set.
 */
export class Cards {
  #links = new Map<DeviceKind, DeviceLink>();
  #makeLink: LinkMaker | null = null;
  #grace = new Map<DeviceKind, ReturnType<typeof setTimeout>>();
  #serial = 0;

  constructor(private readonly app: App) {
    app.listen((state, before) => {
      if (state.devices !== before.devices || state.server !== before.server) this.#publishAll();
    });
  }

  /** From now on cards connect. Called once the SIP code is loaded and a server is there. */
  connect(make: LinkMaker): void {
    this.#makeLink = make;
    for (const device of this.app.value.devices) if (device.on) this.#link(device.kind)?.start();
    this.#publishAll();
  }

  /** Changes a card. The change is stamped with the present time: it is what the owner did now. */
  change(kind: DeviceKind, patch: Partial<Omit<Device, "kind" | "changed">>): void {
    const devices = this.app.value.devices.map((d) => (d.kind === kind ? { ...d, ...patch, changed: Date.now() } : d));
    this.app.set({ devices });
  }

  switchOn(kind: DeviceKind): void {
    this.change(kind, { on: true });
    this.#link(kind)?.start();
    this.#publishAll();
  }

  /** Off in good order: the device un-publishes and un-registers. */
  switchOff(kind: DeviceKind): void {
    this.change(kind, { on: false });
    void this.#links.get(kind)?.stop();
    this.#forget(kind);
  }

  /** The cable is out: nobody tells the server, it has to find out. */
  pull(kind: DeviceKind): void {
    this.#links.get(kind)?.pull();
    if (!this.#links.has(kind)) this.#setLink(kind, { phase: "pulled", last: "" });
    clearTimeout(this.#grace.get(kind));
    this.#grace.set(kind, setTimeout(() => this.#graceOver(kind), GRACE_MS));
  }

  plugIn(kind: DeviceKind): void {
    clearTimeout(this.#grace.get(kind));
    this.#setLink(kind, { phase: "off", last: "" });
    this.#link(kind)?.start();
    this.#publishAll();
  }

  /** Adds the first kind that has no card; at most five, one of each. */
  add(): void {
    const devices = this.app.value.devices;
    const kind = KIND_ORDER.find((k) => !devices.some((d) => d.kind === k));
    if (kind === undefined) return;
    this.app.set({ devices: [...devices, newDevice(kind, Date.now())] });
    this.#link(kind)?.start();
  }

  remove(kind: DeviceKind): void {
    this.switchOff(kind);
    this.app.set({ devices: this.app.value.devices.filter((d) => d.kind !== kind) });
  }

  /** Puts other devices in place of all: a case that a link or a button names. */
  replace(devices: readonly Device[]): void {
    const wanted = new Map(devices.map((d) => [d.kind, d]));
    for (const { kind } of this.app.value.devices) if (wanted.get(kind)?.on !== true) this.switchOff(kind);
    this.app.set({ devices });
    for (const { kind, on } of devices) {
      if (!on) continue;
      if (this.app.value.links[kind]?.phase === "pulled") this.plugIn(kind);
      else this.#link(kind)?.start();
    }
    this.#publishAll();
  }

  /** Drops what the server no longer lists of devices that cannot speak for themselves. */
  endedOnServer(isLive: (etag: string) => boolean): void {
    for (const [kind, published] of Object.entries(this.app.value.published) as [DeviceKind, Published][])
      if (this.app.value.links[kind]?.phase === "pulled" && published.by === "server" && !isLive(published.etag)) this.#forget(kind);
  }

  #link(kind: DeviceKind): DeviceLink | null {
    const known = this.#links.get(kind);
    if (known !== undefined || this.#makeLink === null) return known ?? null;
    const made = this.#makeLink(
      kind,
      (link) => this.#setLink(kind, link),
      (accepted) => this.#accepted(kind, accepted),
    );
    this.#links.set(kind, made);
    return made;
  }

  #setLink(kind: DeviceKind, link: Link): void {
    this.app.set({ links: { ...this.app.value.links, [kind]: link } });
    if (link.phase === "lost") this.#publishAll();
  }

  #publishAll(): void {
    const { devices, links, server } = this.app.value;
    for (const device of devices) {
      if (!device.on) continue;
      const phase = links[device.kind]?.phase ?? "off";
      if (phase === "pulled") continue;
      const pidf = writePidf(device, aorOf(server.domain), instanceOf(device.kind));
      this.#links.get(device.kind)?.publish(pidf);
      if (phase !== "registered" && server.phase === "gone") this.#publishHere(device.kind, pidf);
    }
  }

  /** The page is alone: the document counts at once, under an entity-tag of the page's own. */
  #publishHere(kind: DeviceKind, pidf: string): void {
    const before = this.app.value.published[kind];
    if (before?.pidf === pidf) return;
    const at = Date.now();
    this.#put(kind, { pidf, etag: `${LOCAL_TAG}-${++this.#serial}`, at, first: before?.first ?? at, expires: at + EXPIRES_MS, by: "page" });
  }

  #accepted(kind: DeviceKind, accepted: Accepted | null): void {
    if (accepted === null) return this.#forget(kind);
    if (!this.app.value.devices.some((d) => d.kind === kind && d.on)) return;
    const before = this.app.value.published[kind];
    this.#put(kind, {
      pidf: accepted.pidf,
      etag: accepted.etag,
      at: accepted.at,
      first: before?.first ?? accepted.at,
      expires: accepted.at + accepted.expires * 1000,
      by: "server",
    });
  }

  #graceOver(kind: DeviceKind): void {
    const { links, server } = this.app.value;
    if (links[kind]?.phase === "pulled" && server.phase !== "up") this.#forget(kind);
  }

  #put(kind: DeviceKind, published: Published): void {
    this.app.set({ published: { ...this.app.value.published, [kind]: published } });
  }

  #forget(kind: DeviceKind): void {
    const { [kind]: _gone, ...rest } = this.app.value.published;
    this.app.set({ published: rest });
  }
}
