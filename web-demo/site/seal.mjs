// The last step of the build: gives what is in dist/ an id, a hash of its content, and writes the id where it is
// needed. index.html then asks for `app.js?b=ID`; sw.js knows the id and every file, and keeps them.
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";

const WORKER = "sw.js";
const PACKED = /\.(html|js|css|svg|json|wasm|engine)$/;
/** Fetched by whoever asks for it: not kept for everybody. */
const SELDOM = /\.(d\.ts|engine|LICENSE)$/;

/** Seals the files in `dist`; may be called again after a change. Returns the build's id. */
export async function seal(dist) {
  const all = (await readdir(dist, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dist, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .sort();
  for (const file of all) if (file.endsWith(".gz")) await rm(join(dist, file));
  const files = all.filter((file) => !file.endsWith(".gz"));

  const index = (await readFile(join(dist, "index.html"), "utf8")).replaceAll(/\?b=\w*|( data-build=")\w*/g, (_, attribute) => attribute ?? "?b=");
  const worker = (await readFile(join(dist, WORKER), "utf8")).replace(/^const BUILD=.*\n/, "");
  const digest = createHash("sha256");
  for (const file of files) {
    const content = file === "index.html" ? index : file === WORKER ? worker : await readFile(join(dist, file));
    digest.update(`${file}\0${content.length}\0`).update(content);
  }
  const id = digest.digest("hex").slice(0, 16);

  const kept = files.filter((file) => file !== "index.html" && file !== WORKER && !SELDOM.test(file));
  await writeFile(join(dist, "index.html"), index.replaceAll("?b=", `?b=${id}`).replace(' data-build="', `$&${id}`));
  await writeFile(join(dist, WORKER), `const BUILD=${JSON.stringify({ id, files: kept })};\n${worker}`);
  // The server sends a packed copy that lies beside a file as it is.
  for (const file of files) {
    if (!PACKED.test(file)) continue;
    const content = await readFile(join(dist, file));
    if (content.length > 1024) await writeFile(join(dist, `${file}.gz`), gzipSync(content, { level: 9 }));
  }
  return id;
}
