import { h } from "./dom.ts";
import { icon } from "./icons.ts";

/** A button that copies what `text` gives. */
export function copyButton(what: string, text: () => string): HTMLButtonElement {
  const words = h("span", {}, "Copy");
  const button = h("button", {
    type: "button", class: "quiet small", "aria-label": `Copy ${what}`,
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(text());
        words.textContent = "Copied";
      } catch {
        words.textContent = "Not allowed";
      }
      setTimeout(() => (words.textContent = "Copy"), 1500);
    },
  }, icon("copy"), words);
  return button;
}
