import type { PolicyRunner, Run } from "../policy/run.ts";
import { judgeVector, readVector, vectorFiles, vectorOf, type VectorFile } from "../policy/vectors.ts";
import type { App, PolicyTest, Verdict } from "../state/app.ts";
import type { Confluence } from "./confluence.ts";

/** More are not kept: a page is no test runner, `tributary policy test` is. */
const TESTS_MAX = 200;

/** The largest vector file that is read: four times the largest input. */
const FILE_MAX = 256 * 1024;

/** The author's tests: vectors and captures that were dropped, or kept from the case on show, run on the chosen policy. */
export class Tests {
  #turn = 0;

  constructor(
    private readonly app: App,
    private readonly runner: PolicyRunner,
    private readonly confluence: Confluence,
    private readonly chosenParams: () => unknown,
  ) {
    app.listen((state, before) => {
      if (state.choice !== before.choice || state.report !== before.report) void this.run();
    });
  }

  /** Takes vectors; those that others of them take their input from are none themselves. */
  async take(files: readonly File[]): Promise<void> {
    const small = files.filter((file) => file.size <= FILE_MAX);
    const read = await Promise.all(small.map(async (file) => ({ file: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })));
    const tests = vectorFiles(read).map((vector): PolicyTest => ({ name: vector.file, vector, verdict: { kind: "waiting" } }));
    const skipped = files.length - small.length;
    if (skipped > 0) this.app.set({ policyWord: { ok: false, text: `${skipped} of the files ${skipped === 1 ? "is" : "are"} over 256 KiB: no test is so large.` } });
    this.#add(tests);
    await this.run();
  }

  /** Runs all on the chosen policy, in turn. */
  async run(): Promise<void> {
    const turn = ++this.#turn;
    for (const { vector } of this.app.value.tests) {
      const { name, verdict } = await this.#one(vector);
      if (turn !== this.#turn) return; // another policy, or other tests
      this.app.set({ tests: this.app.value.tests.map((test) => (test.vector === vector ? { ...test, name, verdict } : test)) });
    }
  }

  /** Keeps the case on show, with what the chosen policy makes of it, and gives its text to be saved. */
  async keep(name: string): Promise<VectorFile | null> {
    const { choice: { bytes }, seenBy, preview } = this.app.value;
    // As somebody is chosen to look, what they are shown is the case.
    const view = seenBy !== null && preview.kind === "done" ? preview.calls.find(({ hook }) => hook === "pp_view") : undefined;
    const hook = view === undefined ? "pp_merge" : "pp_view";
    const input = view === undefined ? this.confluence.input(this.chosenParams()) : new TextEncoder().encode(view.input);
    if (bytes === null || input === null) return null;
    const text = vectorOf(name, hook, input, await this.runner.run(bytes, input, hook));
    const file = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "case"}.json`;
    const vector = { file, bytes: new TextEncoder().encode(text), base: undefined };
    this.#add([{ name, vector, verdict: { kind: "waiting" } }]);
    await this.run();
    return vector;
  }

  forget(test: PolicyTest): void {
    this.app.set({ tests: this.app.value.tests.filter(({ vector }) => vector !== test.vector) });
  }

  /** A file of the same name replaces the one before. */
  #add(tests: readonly PolicyTest[]): void {
    const names = new Set(tests.map(({ vector }) => vector.file));
    this.app.set({ tests: [...this.app.value.tests.filter(({ vector }) => !names.has(vector.file)), ...tests].slice(-TESTS_MAX) });
  }

  async #one(file: VectorFile): Promise<{ name: string; verdict: Verdict }> {
    const vector = await readVector(file);
    if ("error" in vector) return { name: file.file, verdict: { kind: "fails", message: vector.error } };
    const { choice, report } = this.app.value;
    const { name, hook, input } = vector;
    if (choice.bytes === null || report === null || report.errors.length > 0) return { name, verdict: { kind: "waiting" } };
    if (hook !== "pp_merge" && hook !== "pp_view") return { name, verdict: { kind: "fails", message: `the page does not call ${hook}; tributary policy test does` } };
    const run: Run = await this.runner.run(choice.bytes, input, hook);
    const differs = await judgeVector(file, run);
    return { name, verdict: differs === null ? { kind: "holds" } : { kind: "fails", message: differs } };
  }
}
