import type { DeviceKind } from "./device.ts";

/**
 * Instance ids (RFC 5626) of this tab's devices: they outlive a reload, so that a reloaded card is the
 * same device to the server, and differ between tabs, so that two tabs are six devices.
 */
export function instanceOf(kind: DeviceKind): string {
  const key = `tributary.instance.${kind}`;
  try {
    const kept = sessionStorage.getItem(key);
    if (kept !== null) return kept;
    const made = crypto.randomUUID();
    sessionStorage.setItem(key, made);
    return made;
  } catch {
    return (fallback[kind] ??= crypto.randomUUID()); // storage is switched off
  }
}

const fallback: Partial<Record<DeviceKind, string>> = {};
