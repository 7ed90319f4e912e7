// The SIP half of the page, loaded after the first paint: SIP.js is the largest part of the script.
export { DeviceLink } from "./device-link.ts";
export { Watcher } from "./watcher.ts";
