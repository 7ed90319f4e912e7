import type { App, AppState, Theme } from "../state/app.ts";
import { AgreementBadge } from "./agreement.ts";
import { h, setText } from "./dom.ts";
import { icon, type IconName } from "./icons.ts";
import { TimeSlider } from "./time-slider.ts";

const THEMES: readonly (readonly [Theme, IconName, string])[] = [
  ["system", "auto", "Colours: as the system"],
  ["light", "sun", "Colours: light"],
  ["dark", "moon", "Colours: dark"],
];

/** The bar on top: server, agreement, time, colours, link. */
export class TopBar {
  readonly #server = h("span", { class: "pill", role: "status" });
  readonly #serverWords = h("span");
  readonly #agreement: AgreementBadge;
  readonly #time: TimeSlider;
  readonly #theme: HTMLButtonElement;
  readonly #share: HTMLButtonElement;
  readonly #newer: HTMLButtonElement;

  constructor(bar: Element, app: App, start: () => number | null) {
    this.#server.append(icon("server"), this.#serverWords);
    this.#agreement = new AgreementBadge();
    this.#time = new TimeSlider(app, start);
    this.#theme = h("button", { type: "button", class: "bare", onclick: () => app.set({ theme: next(app.value.theme) }) });
    this.#share = h("button", { type: "button", class: "bare", title: "Copy a link to this case", "aria-label": "Copy a link to this case", onclick: () => void this.#copyLink() }, icon("link"));
    this.#newer = h("button", { type: "button", class: "primary small", hidden: true, onclick: () => location.reload() }, "Reload for the newer page");
    bar.append(this.#server, this.#agreement.element, this.#time.element, h("span", { role: "status" }, this.#newer), h("span", { class: "bar-end" }, this.#share, this.#theme));
  }

  update(state: AppState): void {
    const { phase, closed } = state.server;
    this.#server.dataset["phase"] = phase;
    setText(this.#serverWords, phase === "up" ? "Server connected" : phase === "gone" ? (closed ? "Server is no demo" : "Server away") : "Looking for the server");
    this.#newer.hidden = !state.newer;
    this.#agreement.update(state);
    this.#time.update(state);
    const [, name, words] = THEMES.find(([theme]) => theme === state.theme) ?? THEMES[0]!;
    if (this.#theme.title !== words) {
      this.#theme.title = words;
      this.#theme.setAttribute("aria-label", words);
      this.#theme.replaceChildren(icon(name));
    }
    document.documentElement.dataset["theme"] = state.theme;
  }

  async #copyLink(): Promise<void> {
    try {
      await navigator.clipboard.writeText(location.href);
      this.#share.title = "Copied";
    } catch {
      this.#share.title = "The address bar holds the link to this case";
    }
    this.#share.setAttribute("aria-label", this.#share.title);
    this.#share.replaceChildren(icon("check"));
    setTimeout(() => this.#share.replaceChildren(icon("link")), 1500);
  }
}

function next(theme: Theme): Theme {
  const at = THEMES.findIndex(([t]) => t === theme);
  return THEMES[(at + 1) % THEMES.length]![0];
}
