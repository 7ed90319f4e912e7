import type { Cards } from "../app/cards.ts";
import { KIND_ORDER, type DeviceKind } from "../model/device.ts";
import type { AppState } from "../state/app.ts";
import { DeviceCard } from "./device-card.ts";
import { h } from "./dom.ts";
import { icon } from "./icons.ts";

/** Region 1: Alice's devices. */
export class Devices {
  readonly element: HTMLElement;
  readonly #list = h("div", { class: "cards" });
  readonly #add: HTMLButtonElement;
  readonly #cards = new Map<DeviceKind, DeviceCard>();

  constructor(private readonly cards: Cards) {
    this.#add = h("button", { type: "button", class: "quiet add", onclick: () => cards.add() }, icon("add"), "Add a device");
    this.element = h(
      "section", { class: "region devices", "aria-labelledby": "devices-title" },
      h("h2", { id: "devices-title" }, "Alice’s devices"),
      this.#list,
      this.#add,
    );
  }

  update(state: AppState): void {
    for (const [kind, card] of this.#cards) {
      if (state.devices.some((d) => d.kind === kind)) continue;
      card.element.remove();
      this.#cards.delete(kind);
    }
    for (const { kind } of state.devices) {
      let card = this.#cards.get(kind);
      if (card === undefined) {
        card = new DeviceCard(kind, this.cards, () => {
          this.cards.remove(kind);
          this.#add.focus();
        });
        this.#cards.set(kind, card);
      }
      card.update(state);
    }
    const wanted = state.devices.map((d) => this.#cards.get(d.kind)?.element).filter((e) => e !== undefined);
    wanted.forEach((element, i) => {
      if (this.#list.children[i] !== element) this.#list.insertBefore(element, this.#list.children[i] ?? null);
    });
    this.#add.hidden = state.devices.length >= KIND_ORDER.length;
  }
}
