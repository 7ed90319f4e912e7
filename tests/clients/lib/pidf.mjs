// Presence documents for tests: written as devices write them, and looked at with few words.

/**
 * A document of one device.
 * @param {string} entity the user, `sip:alice@example.com`
 * @param {{device: string, basic?: "open"|"closed", activity?: string, note?: string, contact?: string,
 *   priority?: string, at?: string}} state
 */
export function document(entity, { device, basic = "open", activity, note, contact, priority = "0.5", at }) {
  const time = at ?? new Date().toISOString();
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"`,
    `  xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="${entity}">`,
    `  <tuple id="t-${device}"><status><basic>${basic}</basic></status>`,
    `    <dm:deviceID>urn:x-device:${device}</dm:deviceID>`,
    `    <contact priority="${priority}">${contact ?? `sip:${device}@192.0.2.1`}</contact>`,
    note ? `    <note>${note}</note>` : "",
    `    <timestamp>${time}</timestamp></tuple>`,
    activity
      ? `  <dm:person id="p-${device}"><rpid:activities><rpid:${activity}/></rpid:activities><dm:timestamp>${time}</dm:timestamp></dm:person>`
      : "",
    `</presence>`,
  ].filter(Boolean).join("\n");
}

/** What a document says, for comparing: not a parser, and enough for well-formed ones. */
export function look(xml) {
  const all = (pattern) => [...xml.matchAll(pattern)].map((match) => match[1].trim());
  const activities = all(/<(?:\w+:)?activities\b[^>]*>([\s\S]*?)<\/(?:\w+:)?activities>/g).join(" ");
  return {
    entity: /\bentity="([^"]*)"/.exec(xml)?.[1],
    basics: all(/<(?:\w+:)?basic\b[^>]*>([^<]*)</g),
    contacts: all(/<(?:\w+:)?contact\b[^>]*>([^<]*)</g),
    notes: all(/<(?:\w+:)?note\b[^>]*>([^<]*)</g),
    persons: all(/<(?:\w+:)?person\b([^>]*)>/g).length,
    activities: [...activities.matchAll(/<(?:\w+:)?([\w-]+)\b[^>]*\/?>/g)]
      .filter((match) => !match[0].startsWith("</"))
      .map((match) => match[1]),
  };
}
