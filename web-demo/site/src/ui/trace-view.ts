import { headline, type Trace, type TraceEntry } from "../sip/trace.ts";
import type { AppState } from "../state/app.ts";
import { h } from "./dom.ts";
import { clock } from "./time.ts";

/** Every SIP message of this page's connections, newest first. */
export class TraceView {
  readonly element: HTMLElement;
  readonly #list = h("ol", { class: "trace", reversed: true });
  readonly #who: HTMLSelectElement;
  readonly #empty = h("p", { class: "empty" });
  #newest = 0;
  #dirty = true;

  constructor(private readonly trace: Trace) {
    this.#who = h("select", { id: "trace-who", onchange: () => this.#render(true) }, h("option", { value: "" }, "Everyone"));
    this.element = h("div", {},
      h("div", { class: "row tools" }, h("label", { for: "trace-who", class: "hint" }, "Connection"), this.#who,
        h("button", { type: "button", class: "quiet small", onclick: () => { trace.clear(); this.#render(true); } }, "Clear")),
      this.#empty, this.#list);
    trace.listen(() => {
      this.#dirty = true;
      if (!this.element.hidden) this.#render(false);
    });
  }

  update(state: AppState): void {
    this.#empty.textContent = state.server.phase === "gone" ? "The server is away: nothing is sent." : "Nothing was sent yet.";
    if (this.#dirty) this.#render(false);
  }

  #render(all: boolean): void {
    this.#dirty = false;
    const names = [...new Set(this.trace.entries.map((e) => e.who))].sort();
    for (const name of names) if (![...this.#who.options].some((o) => o.value === name)) this.#who.append(h("option", { value: name }, name));
    const wanted = this.trace.entries.filter((e) => this.#who.value === "" || e.who === this.#who.value);
    if (all || this.trace.entries.length === 0) {
      this.#list.replaceChildren();
      this.#newest = 0;
    }
    for (const entry of wanted) {
      if (entry.serial <= this.#newest) continue;
      this.#list.prepend(row(entry));
      this.#newest = entry.serial;
    }
    while (this.#list.children.length > 200) this.#list.lastElementChild?.remove();
    this.#empty.hidden = wanted.length > 0;
  }
}

function row(entry: TraceEntry): HTMLElement {
  const line = headline(entry.text);
  const bad = /^[4-6]\d\d /.test(line);
  return h("li", {}, h("details", {},
    h("summary", {},
      h("span", { class: "number hint" }, clock(entry.at)),
      h("span", { class: `arrow is-${entry.direction}`, "aria-label": entry.direction }, entry.direction === "sent" ? "→" : "←"),
      h("span", { class: "trace-who" }, entry.who),
      h("span", { class: bad ? "trace-line is-bad" : "trace-line" }, line)),
    h("pre", { class: "wire" }, entry.text)));
}
