import type { Agreement, AppState } from "../state/app.ts";
import { h, setText } from "./dom.ts";
import { icon, type IconName } from "./icons.ts";
import { clock } from "./time.ts";

/** The badge that says whether page and server made the same bytes of the same documents, and how that is known. */
export class AgreementBadge {
  readonly element: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #words = h("span");
  readonly #icon = h("span", { class: "badge-icon" });
  readonly #detail = h("div", { class: "popover", id: "agreement-detail", hidden: true });
  #shown = "";

  constructor() {
    this.#button = h(
      "button",
      { type: "button", class: "pill badge", "aria-expanded": "false", "aria-controls": "agreement-detail", onclick: () => this.#toggle() },
      this.#icon, this.#words,
    );
    this.element = h("div", { class: "badge-holder", onkeydown: (e: KeyboardEvent) => e.key === "Escape" && this.#toggle(false) }, this.#button, this.#detail, h("span", { class: "unseen", role: "status" }));
    document.addEventListener("click", (e) => {
      if (!this.element.contains(e.target as Node)) this.#toggle(false);
    });
  }

  update(state: AppState): void {
    const { agreement } = state;
    const [words, name] = badge(agreement);
    this.#button.dataset["kind"] = agreement.kind;
    setText(this.#words, words);
    const status = this.element.lastElementChild;
    if (status !== null && agreement.kind !== "checking") setText(status, words);
    if (this.#shown !== name) {
      this.#shown = name;
      this.#icon.replaceChildren(icon(name));
    }
    this.#detail.replaceChildren(...detail(agreement));
  }

  #toggle(open = this.#detail.hidden): void {
    this.#detail.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
  }
}

function badge(agreement: Agreement): [string, IconName] {
  switch (agreement.kind) {
    case "agree":
      return [`Page and server agree: ${agreement.bytes.toLocaleString("en")} bytes`, "check"];
    case "differ":
      return ["Page and server differ", "differ"];
    case "checking":
      return ["Comparing", "clock"];
    case "pinned":
      return ["Another time: not compared", "clock"];
    case "alone":
      return ["Merged in this page alone", "merge"];
    case "waiting":
      return ["Waiting for Bob’s first NOTIFY", "clock"];
  }
}

function detail(agreement: Agreement): Node[] {
  const how = h("p", {}, "The page merges the very documents that its cards published, with the server’s merge core compiled to WebAssembly. The badge compares those bytes with the body of the NOTIFY that Bob got.");
  switch (agreement.kind) {
    case "agree": {
      const others = agreement.others === 0 ? "" : ` and ${agreement.others} from devices that are not on this page`;
      return [how, h("p", {}, `Now: ${agreement.own} ${agreement.own === 1 ? "document" : "documents"} of this page${others}; ${agreement.bytes.toLocaleString("en")} bytes, each the same as in the NOTIFY of ${clock(agreement.at)}.`)];
    }
    case "differ":
      return [how, h("p", {}, `They differ from character ${agreement.offset.toLocaleString("en")} on.`), h("p", { class: "label" }, "This page"), h("pre", {}, agreement.page), h("p", { class: "label" }, "The server"), h("pre", {}, agreement.server)];
    case "alone":
      return [how, h("p", {}, "There is no server to compare with. The cards go on working: what you see is merged in this page.")];
    case "pinned":
      return [how, h("p", {}, "The server only knows now, by its own clock; the page is at another moment, or in another time zone. Go back to now, and to the server’s time zone, to compare.")];
    default:
      return [how];
  }
}
