// A headless Chromium with a blank page of our own that holds lib/page.mjs.

import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const CANDIDATES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Chromium and a page in it. */
export class Browser {
  static async open() {
    const path = CANDIDATES.find((candidate) => candidate && existsSync(candidate));
    if (!path) throw new Error("no Chromium: `apt-get install chromium`, or set CHROMIUM to its path");
    const browser = new Browser();
    const bundle = await build({
      entryPoints: [fileURLToPath(new URL("page.mjs", import.meta.url))],
      bundle: true,
      write: false,
      format: "iife",
      platform: "browser",
      logLevel: "error",
    });
    const script = bundle.outputFiles[0].text;
    // A page of a loopback origin: what a server's Origin list sees of a page served by itself.
    browser.http = createServer((request, response) => {
      const isScript = request.url === "/page.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? script : '<!doctype html><title>clients</title><script src="/page.js"></script>');
    });
    await new Promise((resolve) => browser.http.listen(0, "127.0.0.1", resolve));
    const args = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
    browser.chromium = await chromium.launch({ executablePath: path, args });
    browser.page = await browser.chromium.newPage();
    browser.errors = [];
    browser.page.on("pageerror", (error) => browser.errors.push(String(error)));
    await browser.page.goto(`http://127.0.0.1:${browser.http.address().port}/`);
    return browser;
  }

  async close() {
    await this.chromium.close();
    await new Promise((resolve) => this.http.close(resolve));
  }
}
