// Things that arrive, in order, and waiting for the one that matters: with a deadline, never by sleeping.

/** How long a test waits for what must come, in milliseconds. */
export const PATIENCE = 15_000;

/** A promise that fails with a sentence when it takes longer than `patience`. */
export function within(promise, what, patience = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${patience} ms`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A promise with its handles outside. */
export function deferred() {
  const handles = {};
  handles.promise = new Promise((resolve, reject) => Object.assign(handles, { resolve, reject }));
  handles.promise.catch(() => {});
  return handles;
}

/** What arrived and was not yet taken. */
export class Queue {
  #items = [];
  #waiting = [];
  #ended = null;

  /** @param {string} name what is queued, for error messages */
  constructor(name) {
    this.name = name;
    /** Everything that ever arrived, taken or not. */
    this.history = [];
  }

  push(item) {
    this.history.push(item);
    this.#items.push(item);
    for (const look of [...this.#waiting]) look();
  }

  /** Nothing more will come: whoever waits is told why. */
  end(reason) {
    this.#ended = reason;
    for (const look of [...this.#waiting]) look();
  }

  /** The first item that `wanted` accepts, now or later; what came before it is passed over. */
  next(wanted = () => true, what = this.name, patience = PATIENCE) {
    const found = deferred();
    const look = () => {
      while (this.#items.length > 0) {
        const item = this.#items.shift();
        if (wanted(item)) {
          this.#waiting.splice(this.#waiting.indexOf(look), 1);
          return found.resolve(item);
        }
      }
      if (this.#ended) found.reject(new Error(`${what}: ${this.#ended}`));
    };
    this.#waiting.push(look);
    look();
    return within(found.promise, `${what} (${this.name})`, patience).catch((error) => {
      const at = this.#waiting.indexOf(look);
      if (at >= 0) this.#waiting.splice(at, 1);
      error.message += `; it has had ${this.history.length}, the last: ${JSON.stringify(this.history.at(-1))?.slice(0, 1500)}`;
      throw error;
    });
  }
}
