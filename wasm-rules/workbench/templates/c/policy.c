// Somebody who is in a call is on the phone, whatever the other devices say.
// The parameter `note` is shown during a call: {"note": "Back at 16:30"}.
#include "presence.h"

static int call_is_up(cursor in) {
  if (!member(&in, "dialogs")) return 0;
  for (each(&in); more(&in); skip(&in)) {
    cursor state = in;
    if (member(&state, "state") && is(string(&state), "confirmed")) return 1;
  }
  return 0;
}

static int device_says_so(cursor in) {
  if (!member(&in, "publications")) return 0;
  for (each(&in); more(&in); skip(&in)) {
    cursor person = in;
    if (member(&person, "person") && lists(person, "activities", "on-the-phone")) return 1;
  }
  return 0;
}

static void merge(cursor in, answer *out) {
  int call = call_is_up(in);
  if (!call && !device_says_so(in)) return;

  put(out, "{\"abi\":1,\"base\":\"builtin\",\"set\":{\"activities\":[\"on-the-phone\"]");
  cursor note = in;
  if (member(&note, "params") && member(&note, "note") && peek(&note) == '"') {
    put(out, ",\"note\":[{\"text\":");
    quote(out, string(&note));
    put(out, "}]");
  }
  put(out, call ? "},\"explain\":[\"a call is up\"]}" : "},\"explain\":[\"a device says so\"]}");
}
