import { localTime, serverZone, wallText, zoneOf } from "../model/wall-clock.ts";
import type { App, AppState } from "../state/app.ts";
import { h, setText } from "./dom.ts";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** The clock that a policy is told of: where Alice is, and what it shows there. */
export class ZonePicker {
  readonly element: HTMLElement;
  readonly #zones: HTMLSelectElement;
  /** The server's, which may be another one when it is there again. */
  readonly #servers: HTMLOptionElement = h("option", { value: "" });
  readonly #shows = h("p", { class: "hint number" });

  constructor(app: App) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const option = (zone: string, words = zone) => h("option", { value: zone }, words);
    this.#zones = h("select", { id: "zone", "aria-describedby": "zone-shows", onchange: () => app.set({ zone: this.#zones.value === "" ? null : this.#zones.value }) },
      this.#servers,
      option(own, `${own}, where you are`),
      h("optgroup", { label: "Everywhere" }, ...[...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])].filter((zone) => zone !== own).map((zone) => option(zone))));
    this.#shows.id = "zone-shows";
    this.element = h("div", { class: "zone" }, h("label", { for: "zone", class: "label" }, "Alice’s clock"), this.#zones, this.#shows);
  }

  /** It is of use where a policy may ask for the time. */
  update(state: AppState): void {
    this.element.hidden = state.choice.bytes === null && state.active?.held == null && state.zone === null;
    const zone = zoneOf(state);
    setText(this.#servers, `${serverZone(state)}, as on the server`);
    if (this.#zones.value !== (state.zone ?? "")) this.#zones.value = state.zone ?? "";
    const at = state.pinned ?? Date.now();
    const { weekday } = localTime(at, zone);
    setText(this.#shows, `The policy is told that it is ${DAYS[weekday - 1]}, ${wallText(at, zone).replace("T", " ")}.`);
  }
}
