/** A value that is replaced, never changed in place; listeners run once per turn of the event loop. */
export class Store<T extends object> {
  #value: T;
  #listeners = new Set<(value: T, before: T) => void>();
  #before: T | null = null;

  constructor(initial: T) {
    this.#value = initial;
  }

  get value(): T {
    return this.#value;
  }

  /** Merges `patch` into the value. Equal members tell nobody. */
  set(patch: Partial<T>): void {
    let same = true;
    for (const key of Object.keys(patch) as (keyof T)[]) if (patch[key] !== this.#value[key]) same = false;
    if (same) return;
    if (this.#before === null) {
      this.#before = this.#value;
      queueMicrotask(() => this.#tell());
    }
    this.#value = { ...this.#value, ...patch };
  }

  /** Calls `listener` after each turn in which the value changed. */
  listen(listener: (value: T, before: T) => void): void {
    this.#listeners.add(listener);
  }

  #tell(): void {
    const before = this.#before;
    this.#before = null;
    if (before === null) return;
    for (const listener of this.#listeners) listener(this.#value, before);
  }
}
