// Three devices of Alice's and two watchers, through everything that happens to them. It runs in
// Node and in a page; what only the outside can do (pulling a cable) is handed in.

import { equal, ok } from "./check.mjs";
import { document, look } from "./pidf.mjs";

const ALICE = "sip:alice@example.com";

/**
 * @param {{
 *   classes: Record<"desktop"|"phone"|"web"|"bob"|"carol", {open: Function}>,
 *   url(name: string): string, passwords: Record<string, string>, pull(name: string): Promise<void>,
 *   step(name: string): void,
 * }} world
 */
export async function flow({ classes, url, passwords, pull, step }) {
  const open = (name, user) =>
    classes[name].open({ url: url(name), aor: `sip:${user}@example.com`, password: passwords[user], name });

  step("three devices and two watchers register");
  const [desktop, phone, web, bob, carol] = [
    await open("desktop", "alice"),
    await open("phone", "alice"),
    await open("web", "alice"),
    await open("bob", "bob"),
    await open("carol", "carol"),
  ];
  let contacts;
  for (const device of [desktop, phone, web]) {
    const answer = await device.register();
    equal(answer.code, 200, `${device.name} registers`);
    contacts = answer.contacts;
  }
  equal(contacts.length, 3, "bindings in the last 200");
  for (const contact of contacts) ok(/;expires=\d+/.test(contact), `an expires in ${contact}`);
  for (const watcher of [bob, carol]) equal((await watcher.register()).code, 200, `${watcher.name} registers`);

  step("watchers subscribe and get full state at once");
  const watches = [bob.subscribe(ALICE), carol.subscribe(ALICE)];
  for (const watch of watches) {
    const first = await watch.notifies.next();
    ok(/^active;expires=\d+/.test(first.state), `active with its time in ${first.state}`);
    if (first.body) equal(look(first.body).entity, ALICE, "entity of the first document");
  }

  /** Every watcher comes to see a document that `wanted` accepts; gives Bob's. */
  const seen = async (what, wanted) => {
    const all = await Promise.all(
      watches.map((watch) => watch.notifies.next((notify) => notify.body && wanted(look(notify.body)), what)),
    );
    const [first] = all;
    for (const other of all) equal(other.body, first.body, `both watchers' documents when ${what}`);
    return look(first.body);
  };

  step("a publication reaches both watchers");
  const atDesk = await desktop.publish(document(ALICE, { device: "desktop", note: "At my desk", priority: "0.4" }));
  equal(atDesk.code, 200, "PUBLISH");
  ok(atDesk.etag, "an entity-tag");
  ok(atDesk.expires > 0 && atDesk.expires <= 600, `an Expires of at most 600, not ${atDesk.expires}`);
  await seen("the desktop's note", (doc) => doc.notes.includes("At my desk") && doc.basics.includes("open"));

  step("three devices are merged into one person");
  const talking = await phone.publish(
    document(ALICE, { device: "phone", activity: "on-the-phone", priority: "0.9" }),
  );
  await web.publish(document(ALICE, { device: "web", basic: "closed", note: "The page is hidden" }));
  const merged = await seen("all three devices", (doc) => doc.notes.includes("The page is hidden") && doc.activities.length > 0);
  equal(merged.entity, ALICE, "entity");
  equal(merged.persons, 1, "persons in the merged document");
  equal(merged.activities, ["on-the-phone"], "activities");
  equal(merged.basics, ["open", "open", "closed"], "open before closed");
  equal(merged.contacts[0], "sip:phone@192.0.2.1", "the highest priority first");

  step("a refresh gets a new entity-tag, and the old one is stale");
  const refreshed = await phone.publish(null, { etag: talking.etag });
  equal(refreshed.code, 200, "refresh");
  ok(refreshed.etag && refreshed.etag !== talking.etag, "a new entity-tag");
  const stale = await phone.publish(null, { etag: talking.etag });
  equal(stale.code, 412, "a stale entity-tag");

  step("a modification replaces the device's state");
  const meeting = await phone.publish(document(ALICE, { device: "phone", activity: "meeting", priority: "0.9" }), {
    etag: refreshed.etag,
  });
  equal(meeting.code, 200, "modification");
  await seen("the meeting", (doc) => doc.activities.join() === "meeting");

  step("a malformed body is refused with 400 and changes nothing");
  const broken = await phone.publish("<presence", { etag: meeting.etag });
  equal(broken.code, 400, "malformed body");

  step("a removal takes the device out");
  const gone = await phone.publish(null, { etag: meeting.etag, expires: 0 });
  equal(gone.code, 200, "removal");
  equal(gone.expires, 0, "Expires of a removal");
  await seen("the phone is gone", (doc) => !doc.contacts.includes("sip:phone@192.0.2.1") && !doc.activities.length);

  step("a device whose cable is pulled ends after the grace time");
  await pull("web");
  await web.events.next((event) => event === "disconnected", "end of the web device's connection");
  await seen("the page is gone", (doc) => !doc.notes.includes("The page is hidden"));

  step("it reconnects and is seen again");
  await reconnected(web);
  equal((await web.publish(document(ALICE, { device: "web", note: "Back again" }))).code, 200, "PUBLISH after reconnection");
  await seen("the page is back", (doc) => doc.notes.includes("Back again"));

  step("a watcher that reconnects carries on with the newest state");
  await pull("carol");
  await carol.events.next((event) => event === "disconnected", "end of Carol's connection");
  const away = await desktop.publish(document(ALICE, { device: "desktop", note: "Carol missed this", priority: "0.4" }), {
    etag: atDesk.etag,
  });
  equal(away.code, 200, "PUBLISH while a watcher is away");
  await watches[0].notifies.next((notify) => look(notify.body).notes.includes("Carol missed this"), "Bob sees it at once");
  await reconnected(carol);
  await watches[1].refresh();
  await watches[1].notifies.next((notify) => look(notify.body).notes.includes("Carol missed this"), "Carol sees it after all");

  step("who unregisters first can unsubscribe afterwards (point 20)");
  await bob.unregister();
  await watches[0].unsubscribe();
  await watches[0].notifies.next((notify) => /^(terminated|ended)/.test(notify.state), "Bob's final NOTIFY");

  step("the end");
  for (const client of [desktop, phone, web, bob, carol]) await client.stop();
}

/** JsSIP comes back by itself; SIP.js when it is told to. */
async function reconnected(client) {
  if (client.ua.reconnect) {
    await client.ua.reconnect();
  } else {
    await client.events.next((event) => event === "connected", `${client.name}'s new connection`);
  }
}
