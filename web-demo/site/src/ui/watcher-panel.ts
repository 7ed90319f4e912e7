import type { App, AppState, Tab } from "../state/app.ts";
import type { Trace } from "../sip/trace.ts";
import type { Captures } from "../app/captures.ts";
import { CardView } from "./card-view.ts";
import { h, setText } from "./dom.ts";
import { HistoryView } from "./history-view.ts";
import { JsonView } from "./json-view.ts";
import { PidfView } from "./pidf-view.ts";
import { TraceView } from "./trace-view.ts";
import { clock } from "./time.ts";
import { WhyView } from "./why-view.ts";
import { asAnother, shown, type Shown } from "./shown.ts";
import type { MergeEngine } from "../engine/merge.ts";
import { otherClock, wallText, zoneOf } from "../model/wall-clock.ts";
import { CLASS_WORDS } from "../model/watcher.ts";

interface View {
  readonly element: HTMLElement;
  update(state: AppState, what: Shown): void;
}

const TABS: readonly (readonly [Tab, string])[] = [["card", "Card"], ["why", "Why"], ["history", "History"], ["pidf", "PIDF"], ["json", "JSON"], ["sip", "SIP"]];

/** Region 3: what Bob, who watches Alice, is sent. */
export class WatcherPanel {
  readonly element: HTMLElement;
  /** Where the river ends. */
  readonly mouth: HTMLElement;
  readonly #title = h("h2", { id: "watcher-title" }, "What Bob sees");
  readonly #source = h("p", { class: "hint source", role: "status" });
  readonly #tabs = new Map<Tab, HTMLButtonElement>();
  readonly #views: Map<Tab, View>;

  constructor(private readonly app: App, trace: Trace, captures: Captures, private readonly engine: () => MergeEngine | null) {
    const card = new CardView(app);
    this.mouth = card.face;
    this.#views = new Map<Tab, View>([["card", card], ["why", new WhyView(app)], ["history", new HistoryView(captures)], ["pidf", new PidfView()], ["json", new JsonView()], ["sip", new TraceView(trace)]]);
    const list = h("div", { class: "tabs", role: "tablist", "aria-label": "What Bob is sent, as", onkeydown: (e: KeyboardEvent) => this.#arrow(e) });
    for (const [tab, words] of TABS) {
      const button = h("button", { type: "button", role: "tab", id: `tab-${tab}`, "aria-controls": `view-${tab}`, onclick: () => app.set({ tab }) }, words);
      this.#tabs.set(tab, button);
      list.append(button);
    }
    const bodies = [...this.#views].map(([tab, view]) => {
      view.element.id = `view-${tab}`;
      view.element.setAttribute("role", "tabpanel");
      view.element.setAttribute("aria-labelledby", `tab-${tab}`);
      view.element.classList.add("view");
      return view.element;
    });
    this.element = h("section", { class: "region watcher", "aria-labelledby": "watcher-title" }, this.#title, h("div", { class: "panel" }, card.head, list, ...bodies, this.#source));
  }

  update(state: AppState): void {
    for (const [tab, button] of this.#tabs) {
      const on = tab === state.tab;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
    }
    const what = shown(state, this.engine());
    setText(this.#title, asAnother(state) && state.seenBy !== null ? `Seen by: ${CLASS_WORDS[state.seenBy]}` : "What Bob sees");
    setText(this.#source, sourceWords(state, what));
    for (const [tab, view] of this.#views) {
      view.element.hidden = tab !== state.tab;
      if (tab === state.tab || tab === "card") view.update(state, what);
    }
  }

  #arrow(e: KeyboardEvent): void {
    const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const at = TABS.findIndex(([tab]) => tab === this.app.value.tab);
    const next = TABS[(at + step + TABS.length) % TABS.length];
    if (next === undefined) return;
    e.preventDefault();
    this.app.set({ tab: next[0] });
    this.#tabs.get(next[0])?.focus();
  }
}

function sourceWords(state: AppState, what: Shown): string {
  return [standIn(state), madeWhere(state, what)].filter((words) => words !== "").join(" ");
}

/** That the policy in force has failed on this case, and what stands in for it. */
function standIn({ active, inForce }: AppState): string {
  if (inForce.kind !== "failed") return "";
  const instead = inForce.minimal ? "It hides things, so whether Alice is there is all that is shown." : "The built-in merge stands in for it.";
  return `${active?.name ?? "The policy"} gave no answer to this (${inForce.code}). ${instead}`;
}

function madeWhere(state: AppState, what: Shown): string {
  if (asAnother(state)) return "Made in this page, by the policy in force. Bob is sent what Bob sees.";
  if (what.from === "notify" && state.notified !== null) return `Sent to Bob in NOTIFY at ${clock(state.notified.at)}, subscription ${state.notified.state.replace(/;.*/, "")}.`;
  if (otherClock(state)) return `Merged in this page for ${wallText(state.pinned ?? Date.now(), zoneOf(state)).replace("T", " ")} in ${zoneOf(state)}${state.moved ? ", with what is live now" : ""}. Bob is not asked.`;
  if (state.server.closed) return "This server is no demo, and for your own apps; `tributary demo` starts one for this page. This is merged in the page alone: what Bob would be sent where the operator takes nothing away.";
  if (state.server.phase === "gone") return "The server is away. This is merged in this page: what Bob would be sent.";
  return "Merged in this page while Bob’s subscription is being set up.";
}
