import { h } from "./dom.ts";
import { icon } from "./icons.ts";

/** Takes policies and tests: dropped anywhere on the page, or picked. */
export class DropZone {
  readonly element: HTMLElement;

  constructor(onFiles: (files: readonly File[]) => void) {
    const input = h("input", {
      type: "file", id: "policy-file", class: "unseen", multiple: true, accept: ".wasm,application/wasm,.js,.mjs,text/javascript,.json,application/json",
      onchange: () => {
        onFiles([...(input.files ?? [])]);
        input.value = "";
      },
    });
    this.element = h("div", { class: "drop" }, input, h("label", { for: "policy-file" }, icon("file"), h("span", {}, "Drop a .wasm, a .js or tests here, or ", h("u", {}, "choose a file"))));
    let depth = 0;
    const carriesFile = (e: DragEvent) => e.dataTransfer?.types.includes("Files") === true;
    const over = (on: boolean) => this.element.classList.toggle("is-over", on);
    document.addEventListener("dragenter", (e) => {
      if (carriesFile(e)) over(++depth > 0);
    });
    document.addEventListener("dragleave", (e) => {
      if (carriesFile(e)) over((depth = Math.max(0, depth - 1)) > 0);
    });
    document.addEventListener("dragover", (e) => {
      if (carriesFile(e)) e.preventDefault();
    });
    document.addEventListener("drop", (e) => {
      if (!carriesFile(e)) return;
      e.preventDefault();
      depth = 0;
      over(false);
      onFiles([...(e.dataTransfer?.files ?? [])]);
    });
  }
}
