import { CLASS_WORDS, CLASSES, type WatcherClass } from "../model/watcher.ts";
import type { App, AppState } from "../state/app.ts";
import { h } from "./dom.ts";

/** As whom to look at Alice; there where a policy makes different watchers see different things. */
export class SeenBy {
  readonly element: HTMLElement;
  readonly #choices = new Map<WatcherClass | null, HTMLInputElement>();

  constructor(app: App) {
    const choice = (seenBy: WatcherClass | null, words: string) => {
      const input = h("input", { type: "radio", name: "seen-by", id: `seen-by-${seenBy ?? "bob"}`, class: "unseen", onchange: () => app.set({ seenBy }) });
      this.#choices.set(seenBy, input);
      return h("span", { class: "chip" }, input, h("label", { for: input.id }, words));
    };
    this.element = h(
      "fieldset", { class: "seen-by", hidden: true }, h("legend", { class: "label" }, "Seen by"),
      choice(null, "Bob"), ...CLASSES.map((name) => choice(name, CLASS_WORDS[name])),
    );
  }

  update({ seenBy, preview, inForce }: AppState): void {
    const views = [preview, inForce].some((outcome) => "views" in outcome && outcome.views);
    this.element.hidden = !views && seenBy === null;
    for (const [of, input] of this.#choices) input.checked = of === seenBy;
  }
}
