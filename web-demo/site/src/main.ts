import { Captures } from "./app/captures.ts";
import { Cards } from "./app/cards.ts";
import { Confluence } from "./app/confluence.ts";
import { BUILTIN, isComposition } from "./app/compositions.ts";
import { InForce } from "./app/in-force.ts";
import { composition, Policies } from "./app/policies.ts";
import { ServerLink } from "./app/server-link.ts";
import { Steps } from "./app/steps.ts";
import { Tests } from "./app/tests.ts";
import { MergeEngine } from "./engine/merge.ts";
import { OfflineCopy } from "./offline/register.ts";
import { PolicyRunner } from "./policy/run.ts";
import { Trace } from "./sip/trace.ts";
import { makeApp, type Choice } from "./state/app.ts";
import { IN_FORCE, readFragment, SCRIPT, writeFragment } from "./state/fragment.ts";
import { caseButtons } from "./ui/cases.ts";
import { ConfluencePanel } from "./ui/confluence-panel.ts";
import { Devices } from "./ui/devices.ts";
import { Streams } from "./ui/streams.ts";
import { TopBar } from "./ui/top-bar.ts";
import { WatcherPanel } from "./ui/watcher-panel.ts";

const place = (id: string): HTMLElement => {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element;
};

const start = readFragment(location.hash, Date.now());
const choice: Choice = start.policy === "" || isComposition(start.policy) ? composition(start.policy || BUILTIN) : { ...composition(start.policy), source: start.policy === SCRIPT ? "script" : "shipped" };
const app = makeApp({ devices: start.devices, tab: start.tab, theme: start.theme, pinned: start.pinned, moved: start.moved, zone: start.zone, choice, script: start.script, seenBy: start.seenBy });

const trace = new Trace();
const runner = new PolicyRunner();
const cards = new Cards(app);
const inForce: InForce = new InForce(app, runner, () => server.api, () => confluence, () => steps);
const policies: Policies = new Policies(app, runner, () => server.api, () => confluence, inForce, () => steps);
const confluence = new Confluence(app, runner, () => policies.params);
const server = new ServerLink(app, cards, trace, (answer) => inForce.follow(answer));
const steps = new Steps(app, () => server.ask().then(() => inForce.counters()));

const tests = new Tests(app, runner, confluence, () => policies.params);
const captures = new Captures(app, () => server.api, tests);

const offline = new OfflineCopy(() => app.set({ newer: true }));

const bar = new TopBar(place("bar"), app, () => confluence.history.start);
const devices = new Devices(cards);
const middle = new ConfluencePanel(app, policies, inForce, tests);
const watcher = new WatcherPanel(app, trace, captures, () => confluence.engine);
const map = place("map");
map.replaceChildren(devices.element, middle.element, watcher.element);
const streams = new Streams({
  map,
  card: (kind) => map.querySelector<HTMLElement>(`.card[data-kind="${kind}"]`),
  bed: middle.bed,
  mouth: watcher.mouth,
});
map.prepend(streams.element);
place("cases").replaceChildren(caseButtons(cards));

const render = () => {
  for (const part of [bar, devices, middle, watcher, streams]) part.update(app.value);
};
render();

let fragment: ReturnType<typeof setTimeout>;
app.listen((state, before) => {
  render();
  if (state.server.phase === "up" && before.server.phase === "gone") void offline.look();
  clearTimeout(fragment);
  fragment = setTimeout(() => history.replaceState(null, "", writeFragment(state)), 200);
});
addEventListener("hashchange", () => {
  const next = readFragment(location.hash, Date.now());
  app.set({ tab: next.tab, theme: next.theme, pinned: next.pinned, moved: next.moved, zone: next.zone, seenBy: next.seenBy, script: next.script });
  cards.replace(next.devices);
  void policies.choose(next.policy || IN_FORCE, next.params);
});

// The engine and the server are waited for side by side; what is only needed later comes when all is quiet.
const engine = confluence.load(() => MergeEngine.load());
const list = policies.load(start.params);
const found = server.look();
void Promise.allSettled([engine, list, found]).then(async () => {
  runner.warm();
  await Promise.all([policies.warm(), server.warm()]);
  await offline.start();
  document.documentElement.dataset["ready"] = "true"; // tests and screenshots wait for it
});
setInterval(() => {
  const { active, pinned } = app.value;
  // What is assigned may change without a word to Bob: another watcher sees something else, or nobody does.
  if (document.visibilityState === "visible") {
    void server.ask();
    void captures.look();
    if (active?.where === "server") void inForce.counters();
  }
  if (pinned !== null) bar.update(app.value);
}, 2000);
