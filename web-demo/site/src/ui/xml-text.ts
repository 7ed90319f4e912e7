import { h } from "./dom.ts";

const TOKEN = /<\?[^]*?\?>|<!--[^]*?-->|<\/?[^\s>/]+|\/?>|[^\s=<>"']+(?==)|"[^"]*"|'[^']*'|[^<>"'\s=]+|[\s=]+|[<>"']/g;

/** XML with its tags, attribute names and values told apart; made of text nodes, never parsed as HTML. */
export function colourXml(xml: string): (Node | string)[] {
  const out: (Node | string)[] = [];
  let inTag = false;
  for (const [token] of xml.matchAll(TOKEN)) {
    if (token.startsWith("<?") || token.startsWith("<!--")) out.push(h("span", { class: "x-aside" }, token));
    else if (token.startsWith("<") && token.length > 1) {
      inTag = true;
      out.push(h("span", { class: "x-tag" }, token));
    } else if (token === ">" || token === "/>") {
      inTag = false;
      out.push(h("span", { class: "x-tag" }, token));
    } else if (inTag && /^["']/.test(token)) out.push(h("span", { class: "x-value" }, token));
    else if (inTag && /^[^\s=]/.test(token)) out.push(h("span", { class: "x-name" }, token));
    else out.push(token);
  }
  return out;
}

/** Sets a document out for reading: one element a line, namespace declarations on lines of their own. White space between tags is not significant in PIDF. */
export function indentXml(xml: string): string {
  const parts = xml.match(/<[^>]+>|[^<]+/g) ?? [];
  const lines: string[] = [];
  let depth = 0;
  let inline = false;
  for (const part of parts) {
    if (!part.startsWith("<")) {
      if (part.trim() === "") continue;
      lines[lines.length - 1] += part.trim();
      inline = true;
    } else if (part.startsWith("</")) {
      depth--;
      if (inline || lines.at(-1)?.trimStart().startsWith(part.replace("</", "<").replace(/>$/, "")) === true && isOpening(lines.at(-1) ?? "")) lines[lines.length - 1] += part;
      else lines.push(pad(depth) + part);
      inline = false;
    } else {
      lines.push(pad(depth) + wrap(part, depth));
      if (!part.endsWith("/>") && !part.startsWith("<?")) depth++;
      inline = false;
    }
  }
  return lines.join("\n");
}

const pad = (depth: number) => "  ".repeat(Math.max(0, depth));
const isOpening = (line: string) => !line.includes("</") && !line.endsWith("/>");
const wrap = (tag: string, depth: number) => (tag.length < 90 ? tag : tag.replaceAll(/\s+(?=[\w:.-]+=)/g, `\n${pad(depth + 2)}`));
