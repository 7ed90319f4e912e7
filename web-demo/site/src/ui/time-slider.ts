import type { App, AppState } from "../state/app.ts";
import { h, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { clock, distance } from "./time.ts";

const AHEAD_MS = 60 * 60_000;
const BACK_MS = 5 * 60_000;
const STEP_MS = 5000;

/** Pins the in-page merge to a moment of this visit, or of the hour to come; or lets it follow the clock. */
export class TimeSlider {
  readonly element: HTMLElement;
  readonly #range: HTMLInputElement;
  readonly #words = h("output", { for: "time", class: "time-words" });
  readonly #now: HTMLButtonElement;
  #anchor = Date.now();

  constructor(private readonly app: App, private readonly start: () => number | null) {
    this.#range = h("input", { id: "time", type: "range", min: -BACK_MS, max: AHEAD_MS, step: STEP_MS, ".value": "0", oninput: () => this.#pin() });
    this.#now = h("button", { type: "button", class: "quiet small", onclick: () => this.app.set({ pinned: null }) }, "Back to now");
    this.element = h(
      "div", { class: "time", title: "Merge in the page as of another moment: earlier in this visit, or in the hour to come, when publications expire" },
      h("label", { for: "time" }, icon("clock"), h("span", {}, "As of"), h("span", { class: "unseen" }, " the moment that the page merges for")),
      this.#range,
      this.#words,
      this.#now,
    );
  }

  update(state: AppState): void {
    const { pinned } = state;
    this.element.classList.toggle("is-pinned", pinned !== null);
    this.#now.hidden = pinned === null;
    if (pinned === null) {
      this.#range.value = "0";
      setText(this.#words, "Now");
      this.#range.setAttribute("aria-valuetext", "now");
      return;
    }
    const words = `${clock(pinned)}, ${distance(pinned, Date.now())}`;
    if (document.activeElement !== this.#range) {
      this.#anchor = Date.now();
      this.#range.value = String(pinned - this.#anchor);
    }
    setText(this.#words, words);
    this.#range.setAttribute("aria-valuetext", words);
  }

  #pin(): void {
    if (this.app.value.pinned === null) this.#anchor = Date.now();
    const at = this.#anchor + Number(this.#range.value);
    const earliest = this.start() ?? at;
    this.app.set({ pinned: Number(this.#range.value) === 0 ? null : Math.max(at, earliest) });
  }
}
