// The service worker: the page without its server, once it was loaded with one.
//
// The page itself is asked of the server first, so that page and server are of one build whenever there is a
// server. All else carries the build's id in its address (`app.js?b=ID`) or a hash in its name, so a copy of it
// never goes stale: it is taken from this build's cache, and a page is never put together from two builds.
import { CACHE_PREFIX } from "./keep.ts";

/** What a worker that takes over tells the pages on show. */
export interface Build {
  readonly build: string;
}

/** What the last step of the build writes before this script: the id is a hash of the files' content. */
declare const BUILD: { readonly id: string; readonly files: readonly string[] };
/** TypeScript's `webworker` library cannot stand beside `dom` in one project; this is as much of it as is used. */
interface WorkerScope {
  readonly clients: { claim(): Promise<void>; matchAll(): Promise<readonly { postMessage(message: Build): void }[]> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Phase) => void): void;
  addEventListener(type: "fetch", listener: (event: Asked) => void): void;
}
interface Phase extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Asked extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

/** How long the server has for the first byte of the page before the copy is shown. */
const PAGE_WAIT_MS = 4000;
const CACHE = CACHE_PREFIX + BUILD.id;

const scope = self as unknown as WorkerScope;
const at = (file: string) => new URL(file, location.href).href;
const page = at("./");
const hashed = new Set(BUILD.files.filter((file) => file.startsWith("chunks/")).map(at));

scope.addEventListener("install", (event) => event.waitUntil(keep().then(() => scope.skipWaiting())));
scope.addEventListener("activate", (event) => event.waitUntil(takeOver()));
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  const plain = url.origin + url.pathname;
  if (request.mode === "navigate") {
    if (plain === page || plain === at("index.html")) event.respondWith(newestPage(request));
  } else if (hashed.has(plain) || url.searchParams.get("b") === BUILD.id) event.respondWith(copy(request));
});

/** Fetches every file of this build. One that is missing ends the installation; the next visit tries again. */
async function keep(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(["./", ...BUILD.files].map((file) => new Request(at(file), { cache: "no-cache" })));
}

/** Other builds' copies go: a page of theirs that is on show has loaded all it needs before it registered a worker. */
async function takeOver(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
  await scope.clients.claim();
  for (const client of await scope.clients.matchAll()) client.postMessage({ build: BUILD.id });
}

/** The server's page; the copy where no server answers, or only a proxy in front of it with a 5xx. */
async function newestPage(request: Request): Promise<Response> {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(PAGE_WAIT_MS) });
    if (response.status < 500) return response;
    return (await kept(page)) ?? response;
  } catch (error) {
    const response = await kept(page);
    if (response === undefined) throw error;
    return response;
  }
}

async function copy(request: Request): Promise<Response> {
  return (await kept(request.url)) ?? fetch(request);
}

async function kept(url: string): Promise<Response | undefined> {
  const cache = await caches.open(CACHE);
  return cache.match(url, { ignoreSearch: true, ignoreVary: true });
}
