import type { Device } from "./device.ts";
import { KINDS } from "./device.ts";

/** Minutes after which an idle device counts as idle, as the document says it. */
const IDLE_THRESHOLD_S = 300;

const escapeText = (s: string) => s.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const escapeAttribute = (s: string) => escapeText(s).replaceAll('"', "&quot;");

/** Characters XML 1.0 cannot hold are left out of what a person typed. */
const xmlOnly = (s: string) => s.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "");

/**
 * The document that a device publishes: PIDF (RFC 3863) with the data model's person and device
 * (RFC 4479) and RPID (RFC 4480).
 *
 * @param instance the device's instance id, a bare UUID: its contact is the public GRUU of RFC 5627
 */
export function writePidf(device: Device, aor: string, instance: string): string {
  const at = new Date(device.changed).toISOString();
  const entity = escapeAttribute(aor);
  const id = KINDS[device.kind].letter.toLowerCase();
  const contact = escapeText(`${aor};gr=urn:uuid:${instance}`);
  const note = xmlOnly(device.note).trim();
  const lines = [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<presence xmlns="urn:ietf:params:xml:ns:pidf"`,
    `    xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"`,
    `    xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"`,
    `    entity="${entity}">`,
    `  <tuple id="${id}-service">`,
    `    <status><basic>${device.open ? "open" : "closed"}</basic></status>`,
    `    <dm:deviceID>urn:uuid:${instance}</dm:deviceID>`,
    `    <contact priority="${priorityText(device.priority)}">${contact}</contact>`,
    `    <timestamp>${at}</timestamp>`,
    `  </tuple>`,
    `  <dm:person id="${id}-person">`,
  ];
  if (device.activity !== "") lines.push(`    <rpid:activities><rpid:${device.activity}/></rpid:activities>`);
  lines.push(
    device.idle
      ? `    <rpid:user-input idle-threshold="${IDLE_THRESHOLD_S}">idle</rpid:user-input>`
      : `    <rpid:user-input>active</rpid:user-input>`,
  );
  if (note !== "") lines.push(`    <dm:note xml:lang="en">${escapeText(note)}</dm:note>`);
  lines.push(
    `    <dm:timestamp>${at}</dm:timestamp>`,
    `  </dm:person>`,
    `  <dm:device id="${id}-device">`,
    `    <dm:deviceID>urn:uuid:${instance}</dm:deviceID>`,
    `    <dm:timestamp>${at}</dm:timestamp>`,
    `  </dm:device>`,
    `</presence>`,
    ``,
  );
  return lines.join("\n");
}

/** A priority in thousandths as RFC 3863 writes it: 0 to 1 with at most three decimals. */
export function priorityText(milli: number): string {
  return String(Math.min(1000, Math.max(0, Math.round(milli))) / 1000);
}
