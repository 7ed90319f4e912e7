type Child = Node | string | null | undefined | false;
type Props = Readonly<Record<string, string | number | boolean | null | undefined | ((event: never) => void)>>;

/** Makes an element. `on…` members are listeners, `.name` members are properties, the rest attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, props);
  append(element, children);
  return element;
}

/** The same for SVG. */
export function s<K extends keyof SVGElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, props);
  append(element, children);
  return element;
}

/** Replaces what `parent` holds, but touches nothing if it holds the same already: focus and selection stay. */
export function fill(parent: Element, ...children: Child[]): void {
  const next = children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false);
  const holder = document.createElement("div");
  holder.append(...next);
  if (holder.childNodes.length === parent.childNodes.length && [...holder.childNodes].every((n, i) => n.isEqualNode(parent.childNodes[i] ?? null))) return;
  const at = focusable(parent).indexOf(document.activeElement as HTMLElement);
  parent.replaceChildren(...holder.childNodes);
  if (at >= 0) focusable(parent)[at]?.focus();
}

const focusable = (parent: Element): HTMLElement[] => [...parent.querySelectorAll<HTMLElement>("button, input, select, [tabindex], summary")];

/** Sets text only where it differs: a live region speaks only when something changed. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function apply(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (name.startsWith(".")) Object.assign(element, { [name.slice(1)]: value });
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

function append(element: Element, children: Child[]): void {
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
}
