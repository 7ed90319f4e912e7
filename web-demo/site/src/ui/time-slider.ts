import type { App, AppState } from "../state/app.ts";
import { h, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { instantOf, wallText, zoneOf } from "../model/wall-clock.ts";
import { clock, distance } from "./time.ts";

const AHEAD_MS = 60 * 60_000;
const BACK_MS = 5 * 60_000;
const STEP_MS = 5000;

/**
 * Pins the in-page merge to a moment of this visit, or of the hour to come (what is live then is what has not expired), or
 * to any date and time (what is live now, moved there); or lets it follow the clock.
 */
export class TimeSlider {
  readonly element: HTMLElement;
  readonly #range: HTMLInputElement;
  readonly #words = h("output", { for: "time", class: "time-words" });
  readonly #moment: HTMLInputElement;
  readonly #now: HTMLButtonElement;
  #anchor = Date.now();

  constructor(private readonly app: App, private readonly start: () => number | null) {
    this.#range = h("input", { id: "time", type: "range", min: -BACK_MS, max: AHEAD_MS, step: STEP_MS, ".value": "0", oninput: () => this.#pin() });
    this.#now = h("button", { type: "button", class: "quiet small", onclick: () => this.app.set({ pinned: null, moved: false }) }, "Back to now");
    this.#moment = h("input", {
      id: "moment", type: "datetime-local", "aria-label": "Date and time on Alice’s clock", title: "The case as it is now, at any date and time on Alice’s clock",
      onchange: () => {
        const pinned = instantOf(this.#moment.value, zoneOf(this.app.value));
        this.app.set({ pinned, moved: pinned !== null });
      },
    });
    this.element = h(
      "div", { class: "time" },
      h("label", { for: "time", title: "Merge in the page as of another moment: earlier in this visit, or in the hour to come, when publications expire" }, icon("clock"), h("span", {}, "As of"), h("span", { class: "unseen" }, " the moment that the page merges for")),
      this.#range, this.#moment,
      this.#words,
      this.#now,
    );
  }

  update(state: AppState): void {
    const { pinned, moved } = state;
    if (document.activeElement !== this.#moment) this.#moment.value = pinned === null ? "" : wallText(pinned, zoneOf(state));
    this.element.classList.toggle("is-pinned", pinned !== null);
    this.#now.hidden = pinned === null;
    if (pinned === null) {
      this.#range.value = "0";
      setText(this.#words, "Now");
      this.#range.setAttribute("aria-valuetext", "now");
      return;
    }
    const words = moved ? "" : `${clock(pinned)}, ${distance(pinned, Date.now())}`;
    if (moved) this.#range.value = "0";
    else if (document.activeElement !== this.#range) {
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
    this.app.set({ pinned: Number(this.#range.value) === 0 ? null : Math.max(at, earliest), moved: false });
  }
}
