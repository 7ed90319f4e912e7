// Somebody who is in a call is on the phone, whatever the other devices say.
// The parameter `note` is shown during a call: {"note": "Back at 16:30"}.
export const manifest = {
  name: "NAME",
  version: "0.1.0",
  summary: "Who is in a call is on the phone, whatever the other devices say",
  license: "MIT OR Apache-2.0",
  needs: ["publications", "dialogs", "params"],
  params_schema: { type: "object", properties: { note: { type: "string", maxLength: 512 } } },
};

export function merge({ publications = [], dialogs = [], params = {} }) {
  const call = dialogs.some((dialog) => dialog.state === "confirmed");
  const saysSo = publications.some((device) => device.person?.activities?.includes("on-the-phone"));
  if (!call && !saysSo) return null; // No opinion: the built-in merge stands.

  const set = { activities: ["on-the-phone"] };
  if (params.note !== undefined) set.note = [{ text: params.note }];
  return { base: "builtin", set, explain: [call ? "a call is up" : "a device says so"] };
}
