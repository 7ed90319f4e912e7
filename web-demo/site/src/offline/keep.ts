/** The caches of the page's builds are called this and the build's id. */
export const CACHE_PREFIX = "tributary-";

/**
 * Fetches a file that most visits do without, so that the service worker does not fetch it for everybody; once it was
 * needed it is kept with the others of this build.
 */
export async function fetchAndKeep(url: URL): Promise<Response> {
  const response = await fetch(url);
  if (response.ok && "caches" in window) {
    const copy = response.clone();
    const cache = caches.open(`${CACHE_PREFIX}${document.documentElement.dataset["build"]}`);
    cache.then((cache) => cache.put(url, copy)).catch((error: unknown) => console.warn("a file cannot be kept for when the server is away:", error));
  }
  return response;
}
