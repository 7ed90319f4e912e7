import type { LiveSet } from "../engine/types.ts";

const KEPT = 400;

/** The live sets of this visit, so that the page can merge as it would have been at an earlier moment. */
export class History {
  #sets: { readonly at: number; readonly set: LiveSet }[] = [];
  #key = "";

  /** Keeps `set` if its publications differ from the last one kept. */
  add(set: LiveSet): void {
    const key = set.publications.map((p) => `${p.etag} ${p.expires_ms}`).join();
    if (key === this.#key) return;
    this.#key = key;
    this.#sets.push({ at: set.now_ms, set });
    if (this.#sets.length > KEPT) this.#sets.shift();
  }

  /** When the visit began, ms since the epoch. */
  get start(): number | null {
    return this.#sets[0]?.at ?? null;
  }

  /** What was live at `at`: the last set known then, without what had expired by that time. */
  at(at: number): LiveSet | null {
    let found = this.#sets[0]?.set ?? null;
    for (const { at: from, set } of this.#sets) if (from <= at) found = set;
    if (found === null) return null;
    return { ...found, now_ms: at, publications: found.publications.filter((p) => p.expires_ms > at) };
  }
}
