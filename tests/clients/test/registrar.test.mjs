// Registrations as clients see them: points 9 to 12, and 11 in NOTIFYs.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Raw } from "../lib/raw.mjs";
import { Server } from "../lib/server.mjs";

const instance = (n) => `"<urn:uuid:00000000-0000-4000-8000-00000000000${n}>"`;

describe("registrar", () => {
  let server;
  before(async () => {
    server = await Server.start();
  });
  after(() => server.stop());

  it("9: the 200 lists every binding with expires, and instance and reg-id as given", async () => {
    const user = "nine";
    const [one, two] = [await Raw.open(server.ws, { user }), await Raw.open(server.ws, { user })];
    await one.register({ Contact: `${one.contact};+sip.ice;reg-id=1;+sip.instance=${instance(1)};expires=600` });
    const answer = await two.register({ Contact: `${two.contact};expires=300`, Supported: "path,gruu,outbound" });
    assert.equal(answer.code, 200);
    const contacts = answer.all("Contact");
    assert.equal(contacts.length, 2);
    const mine = contacts.find((line) => line.includes(one.host));
    assert.ok(mine.includes(`+sip.instance=${instance(1)}`), mine);
    assert.match(mine, /;reg-id=1\b/);
    for (const line of contacts) assert.match(line, /;expires=\d+/);
    assert.ok(!contacts.some((line) => line.includes("*")));
    one.close();
    two.close();
  });

  it("9: `Contact: *` with Expires 0 removes all, and is never in the answer", async () => {
    const raw = await Raw.open(server.ws, { user: "star" });
    await raw.register();
    const answer = await raw.register({ Contact: "*", Expires: "0" });
    assert.equal(answer.code, 200);
    assert.deepEqual(answer.all("Contact"), []);
    raw.close();
  });

  it("10: the same instance and reg-id on a new connection replaces the old binding", async () => {
    const user = "ten";
    const [old, young] = [await Raw.open(server.ws, { user }), await Raw.open(server.ws, { user })];
    const params = `;reg-id=1;+sip.instance=${instance(2)};expires=600`;
    await old.register({ Contact: `${old.contact}${params}` });
    const answer = await young.register({ Contact: `${young.contact}${params}` });
    assert.equal(answer.all("Contact").length, 1);
    assert.ok(answer.get("Contact").includes(young.host));
    old.close();
    young.close();
  });

  it("10: a plain contact without an instance works, and a dead connection ends its binding", async () => {
    const user = "plain";
    const [one, two] = [await Raw.open(server.ws, { user }), await Raw.open(server.ws, { user })];
    assert.equal((await one.register()).all("Contact").length, 1);
    assert.equal((await two.register()).all("Contact").length, 2);
    one.drop();
    await one.closed;
    // The server sees the end of the connection a moment after us: ask until it does, by its own answers.
    let contacts;
    for (let turn = 0; turn < 500; turn += 1) {
      contacts = (await two.register()).all("Contact");
      if (contacts.length === 1) break;
    }
    assert.equal(contacts.length, 1);
    assert.ok(contacts[0].includes(two.host));
    two.close();
  });

  it("11, 12: a NOTIFY's Request-URI is the Contact as given, `.invalid` and all; From and To are sip:", async () => {
    const raw = await Raw.open(server.ws, { user: "eleven" });
    await raw.subscribe("sip:eleven-target@example.com");
    const notify = await raw.notify();
    assert.equal(notify.first, `NOTIFY sip:eleven@${raw.host};transport=ws SIP/2.0`);
    for (const name of ["From", "To", "Contact"]) assert.match(notify.get(name), /<sip:/, name);
    raw.close();
  });

  it("a registration that is too short is refused with 423 and Min-Expires", async () => {
    const raw = await Raw.open(server.ws, { user: "short" });
    const answer = await raw.register({ Contact: `${raw.contact};expires=5` });
    assert.equal(answer.code, 423);
    assert.ok(Number(answer.get("Min-Expires")) > 5);
    raw.close();
  });
});
