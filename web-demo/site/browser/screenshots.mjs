// Screenshots of the page's states against the real server, to be looked at:
//
//   node browser/screenshots.mjs FOLDER     all states, sizes and colour schemes
//   node browser/screenshots.mjs --docs     those in docs/images
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, open } from "./chromium.mjs";
import { demo } from "./server.mjs";
import { agree, leave, STATES } from "./states.mjs";

const docs = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const onlyDocs = process.argv[2] === "--docs";
const folder = onlyDocs ? docs : (process.argv[2] ?? "screenshots");
await mkdir(folder, { recursive: true });
const shown = new Set(await readdir(docs));

const SIZES = [[1440, 900], [390, 844], [360, 800], [2560, 1300]];

const server = await demo();
const browser = await launch();
try {
  for (const [name, state] of Object.entries(STATES)) {
    for (const [width, height] of SIZES) {
      for (const colorScheme of ["light", "dark"]) {
        const file = `${name}-${width}x${height}-${colorScheme}.png`;
        if (onlyDocs && !shown.has(file)) continue;
        const { page, context } = await open(browser, server.origin + state.hash, { viewport: { width, height }, colorScheme });
        if (name !== "server-gone") await agree(page);
        await state.act(page, server);
        await page.evaluate(() => document.activeElement?.blur());
        await page.waitForTimeout(400);
        if (name !== "server-gone") await agree(page);
        await page.screenshot({ path: join(folder, file), fullPage: width < 1000 });
        await state.undo?.(page, server);
        await leave(page);
        await context.close();
      }
    }
    console.log(name);
  }
} finally {
  await browser.close();
  await server.close();
}
