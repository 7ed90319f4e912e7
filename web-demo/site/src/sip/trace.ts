/** One SIP message as it crossed a WebSocket. */
export interface TraceEntry {
  readonly serial: number;
  readonly at: number;
  /** Whose connection: a device's name, or "Bob". */
  readonly who: string;
  readonly direction: "sent" | "received";
  readonly text: string;
}

const KEPT = 200;

/** The newest messages of every connection of the page, oldest first. */
export class Trace {
  #entries: TraceEntry[] = [];
  #serial = 0;
  #listener: () => void = () => {};

  get entries(): readonly TraceEntry[] {
    return this.#entries;
  }

  listen(listener: () => void): void {
    this.#listener = listener;
  }

  add(who: string, direction: TraceEntry["direction"], text: string): void {
    if (text.trim() === "") return; // keep-alive
    this.#entries.push({ serial: ++this.#serial, at: Date.now(), who, direction, text });
    if (this.#entries.length > KEPT) this.#entries.splice(0, this.#entries.length - KEPT);
    this.#listener();
  }

  clear(): void {
    this.#entries = [];
    this.#listener();
  }
}

/** The start line of a SIP message and, for a response, the method it answers. */
export function headline(text: string): string {
  const start = text.slice(0, text.indexOf("\r\n"));
  if (!start.startsWith("SIP/2.0 ")) return start.replace(/ SIP\/2\.0$/, "");
  const method = /^CSeq:\s*\d+\s+(\S+)/im.exec(text)?.[1];
  return start.slice("SIP/2.0 ".length) + (method === undefined ? "" : ` to ${method}`);
}
