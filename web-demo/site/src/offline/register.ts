import type { Build } from "./worker.ts";

/** Keeps the page usable without its server, and tells when the server has another build of it. */
export class OfflineCopy {
  #registration: ServiceWorkerRegistration | null = null;

  constructor(private readonly onNewer: () => void) {}

  /** Called when all the page needs is loaded: the copies are fetched behind it. */
  async start(): Promise<void> {
    if (!("serviceWorker" in navigator)) return; // plain HTTP from another machine: browsers offer none
    navigator.serviceWorker.addEventListener("message", ({ data }: MessageEvent<Build>) => {
      if (data.build !== document.documentElement.dataset["build"]) this.onNewer();
    });
    try {
      this.#registration = await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
    } catch (error) {
      console.warn("the page cannot be kept for when the server is away:", error);
    }
  }

  /** Asks whether the server, which is back, has another build. */
  async look(): Promise<void> {
    await this.#registration?.update().catch(() => {}); // away again; the next return asks anew
  }
}
