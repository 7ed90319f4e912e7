import type { Cards } from "../app/cards.ts";
import { ACTIVITIES, KINDS, type Device, type DeviceKind } from "../model/device.ts";
import type { AppState } from "../state/app.ts";
import { h, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { mark } from "./mark.ts";

const NOTE_MAX = 140;

/** One of Alice's devices: its controls and how its SIP connection stands. */
export class DeviceCard {
  readonly element: HTMLElement;
  readonly #power: HTMLButtonElement;
  readonly #open: HTMLInputElement;
  readonly #closed: HTMLInputElement;
  readonly #activity: HTMLSelectElement;
  readonly #note: HTMLInputElement;
  readonly #priority: HTMLInputElement;
  readonly #priorityValue: HTMLOutputElement;
  readonly #idle: HTMLInputElement;
  readonly #plug: HTMLButtonElement;
  readonly #plugWords: HTMLElement;
  readonly #link: HTMLElement;
  readonly #fields: HTMLFieldSetElement;

  constructor(
    readonly kind: DeviceKind,
    private readonly cards: Cards,
    onRemove: () => void,
  ) {
    const { name } = KINDS[kind];
    const id = (part: string) => `${kind}-${part}`;
    const change = (patch: Partial<Omit<Device, "kind" | "changed">>) => cards.change(kind, patch);
    this.#power = h("button", { type: "button", role: "switch", class: "switch", "aria-label": `${name} on`, onclick: () => this.#toggle() }, h("span", { class: "switch-knob" }));
    const radio = (value: "open" | "closed", words: string) => {
      const input = h("input", { type: "radio", name: id("basic"), id: id(value), value, onchange: () => change({ open: value === "open" }) });
      return [input, h("label", { for: id(value) }, words)] as const;
    };
    const [open, openLabel] = radio("open", "Open");
    const [closed, closedLabel] = radio("closed", "Closed");
    this.#open = open;
    this.#closed = closed;
    this.#activity = h("select", { id: id("activity"), onchange: () => change({ activity: this.#activity.value }) });
    for (const [token, words] of ACTIVITIES) this.#activity.append(h("option", { value: token }, words));
    let typing: ReturnType<typeof setTimeout>;
    this.#note = h("input", {
      id: id("note"), type: "text", maxlength: NOTE_MAX, placeholder: "Add a note", autocomplete: "off",
      oninput: () => {
        clearTimeout(typing);
        typing = setTimeout(() => change({ note: this.#note.value }), 300);
      },
      onchange: () => {
        clearTimeout(typing);
        change({ note: this.#note.value });
      },
    });
    this.#priorityValue = h("output", { for: id("priority"), class: "number" });
    this.#priority = h("input", {
      id: id("priority"), type: "range", min: 0, max: 1000, step: 100,
      oninput: () => setText(this.#priorityValue, decimal(Number(this.#priority.value))),
      onchange: () => change({ priority: Number(this.#priority.value) }),
    });
    this.#idle = h("input", { id: id("idle"), type: "checkbox", onchange: () => change({ idle: this.#idle.checked }) });
    this.#plugWords = h("span");
    this.#plug = h("button", { type: "button", class: "quiet", onclick: () => this.#togglePlug() }, icon("plug"), this.#plugWords);
    this.#link = h("p", { class: "link", "aria-live": "polite" });
    this.#fields = h(
      "fieldset", { class: "card-fields" },
      h("legend", { class: "unseen" }, `What ${name} publishes`),
      h("div", { class: "segment", role: "radiogroup", "aria-label": `${name}: state` }, open, openLabel, closed, closedLabel),
      h("div", { class: "field" }, h("label", { for: id("activity"), class: "unseen" }, `${name}: activity`), this.#activity),
      h("div", { class: "field wide" }, h("label", { for: id("note"), class: "unseen" }, `${name}: note`), this.#note),
      h("div", { class: "field slider" }, h("label", { for: id("priority") }, "Priority"), this.#priority, this.#priorityValue),
      h("div", { class: "field tick" }, this.#idle, h("label", { for: id("idle") }, "Idle")),
    );
    this.element = h(
      "article", { class: `panel card dev-${kind}`, "aria-labelledby": id("name"), "data-kind": kind },
      h(
        "header", { class: "card-head" },
        h("span", { class: "card-icon" }, icon(kind)),
        h("h3", { id: id("name") }, name, " ", mark(kind)),
        this.#power,
        h("button", { type: "button", class: "bare", "aria-label": `Remove ${name}`, title: "Remove", onclick: onRemove }, icon("remove")),
      ),
      this.#fields,
      h("footer", { class: "card-foot" }, this.#link, this.#plug),
    );
  }

  update(state: AppState): void {
    const device = state.devices.find((d) => d.kind === this.kind);
    if (device === undefined) return;
    const link = state.links[this.kind] ?? { phase: "off" as const, last: "" };
    const pulled = link.phase === "pulled";
    this.#power.setAttribute("aria-checked", String(device.on));
    this.#open.checked = device.open;
    this.#closed.checked = !device.open;
    this.#activity.value = device.activity;
    if (document.activeElement !== this.#note) this.#note.value = device.note;
    if (document.activeElement !== this.#priority) this.#priority.value = String(device.priority);
    setText(this.#priorityValue, decimal(device.priority));
    this.#idle.checked = device.idle;
    this.#fields.disabled = !device.on || pulled;
    this.#plug.disabled = !device.on;
    setText(this.#plugWords, pulled ? "Plug in" : "Pull the plug");
    this.#plug.setAttribute("aria-label", `${pulled ? "Plug in" : "Pull the plug of"} ${KINDS[this.kind].name}`);
    this.element.classList.toggle("is-off", !device.on);
    this.element.classList.toggle("is-pulled", pulled);
    this.element.dataset["link"] = device.on ? link.phase : "off";
    setText(this.#link, linkWords(device, state));
  }

  #toggle(): void {
    if (this.#power.getAttribute("aria-checked") === "true") this.cards.switchOff(this.kind);
    else this.cards.switchOn(this.kind);
  }

  #togglePlug(): void {
    if (this.element.classList.contains("is-pulled")) this.cards.plugIn(this.kind);
    else this.cards.pull(this.kind);
  }
}

const decimal = (milli: number) => (milli / 1000).toFixed(1);

function linkWords(device: Device, state: AppState): string {
  const link = state.links[device.kind];
  if (!device.on) return "Off";
  if (link?.phase === "pulled") return state.published[device.kind] === undefined ? "Cut off. Its state has ended." : "Cut off. Its state stays for 10 s.";
  if (state.server.phase === "gone") return "No server, merged here";
  switch (link?.phase) {
    case "registered":
      return link.last;
    case "lost":
      return link.last === "" ? "Connection lost. Trying again." : `Connection lost after ${link.last}`;
    default:
      return "Connecting";
  }
}
