/**
 * The address of a file of this build. It carries the build's id, so that a copy of it can be kept for ever and
 * is never taken for another build's.
 */
export function built(file: string): URL {
  const url = new URL(file, document.baseURI);
  const id = document.documentElement.dataset["build"];
  if (id !== undefined) url.searchParams.set("b", id);
  return url;
}
