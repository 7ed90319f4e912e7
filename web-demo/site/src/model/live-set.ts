import type { LivePublication, LiveSet } from "../engine/types.ts";
import type { AppState, Published } from "../state/app.ts";
import { KINDS, type DeviceKind } from "./device.ts";
import { instanceOf } from "./instances.ts";

/**
 * The live set the page merges.
 *
 * The documents of this page's cards are the page's own bytes, never read back from the server: only
 * so does agreement between page and server prove anything. From the server comes what a page cannot
 * know: receipt times and expiry as the server's clock saw them, registrations, and publications of
 * devices that are not on this page.
 */
export function assemble(state: AppState, now: number): LiveSet {
  const { live, server } = state;
  const theirs = server.phase === "up" && live !== null ? live.publications : [];
  const byEtag = new Map(theirs.map((p) => [p.etag, p]));
  const own: LivePublication[] = [];
  for (const [kind, published] of Object.entries(state.published) as [DeviceKind, Published][])
    own.push(ownPublication(kind, published, byEtag.get(published.etag)));
  const ownEtags = new Set(own.map((p) => p.etag));
  const ownInstances = new Set(own.map((p) => p.instance));
  const others = theirs.filter((p) => !ownEtags.has(p.etag) && !(p.instance !== null && ownInstances.has(p.instance)));
  const publications = [...own, ...others].filter((p) => p.expires_ms > now);
  const aor = aorOf(server.domain);
  const known = server.phase === "up" ? live : null;
  return {
    ...(known ?? {}),
    aor: known?.aor ?? aor,
    domain: known?.domain ?? server.domain,
    tenant: known?.tenant ?? "",
    groups: known?.groups ?? [],
    locale: known?.locale ?? null,
    now_ms: now,
    composition: known?.composition ?? "compose",
    switches: known?.switches ?? { presence_uses_registration_state: false, notify_closed_state_for_non_published_users: true },
    registrations: known?.registrations ?? [],
    dialogs: known?.dialogs ?? [],
    publications,
  };
}

/** A case at another time: all that is live as it is now, each part as old then as it is now. */
export function movedTo(set: LiveSet, at: number): LiveSet {
  const by = at - set.now_ms;
  const move = <T extends object>(items: readonly T[]): T[] =>
    items.map((item) => Object.fromEntries(Object.entries(item).map(([name, value]) => [name, MOMENTS.has(name) && typeof value === "number" ? value + by : value])) as T);
  return { ...set, now_ms: at, publications: move(set.publications), registrations: move(set.registrations as object[]), dialogs: move(set.dialogs as object[]) };
}

const MOMENTS = new Set(["received_ms", "first_ms", "expires_ms", "since_ms"]);

export const aorOf = (domain: string) => `sip:alice@${domain}`;

function ownPublication(kind: DeviceKind, published: Published, server: LivePublication | undefined): LivePublication {
  const instance = `urn:uuid:${instanceOf(kind)}`;
  const guess: LivePublication = {
    etag: published.etag,
    source: "publish",
    device: instance,
    device_kind: KINDS[kind].contract,
    instance,
    user_agent: null,
    received_ms: published.at,
    first_ms: published.first,
    expires_ms: published.expires,
    pidf: "",
  };
  // The label is for the words of explanations; no byte of the document depends on it.
  return { ...guess, ...server, label: KINDS[kind].name, pidf: published.pidf };
}

/** Which card an entity-tag belongs to, if it is one of this page's. */
export function kindOfEtag(state: AppState, etag: string): DeviceKind | null {
  for (const [kind, published] of Object.entries(state.published) as [DeviceKind, Published][]) if (published.etag === etag) return kind;
  return null;
}
