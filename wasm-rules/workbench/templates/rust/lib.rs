//! Somebody who is in a call is on the phone, whatever the other devices say.
//! The parameter `note` is shown during a call: {"note": "Back at 16:30"}.
#![no_std]

use policy_sdk::{Input, Output};

fn merge(input: &Input<'_>, out: &mut Output) {
    let call = input.dialogs().any(|dialog| dialog.state() == "confirmed");
    let says_so = input.publications().any(|device| {
        device.person().is_some_and(|person| person.activities().any(|activity| activity == "on-the-phone"))
    });
    if !call && !says_so {
        // No opinion: the built-in merge stands.
        return;
    }
    out.activities(["on-the-phone"]);
    if let Some(note) = input.params().text("note") {
        out.note(None, note);
    }
    out.explain(if call { "a call is up" } else { "a device says so" });
}

policy_sdk::policy! {
    name: "NAME",
    summary: "Who is in a call is on the phone, whatever the other devices say",
    version: "0.1.0",
    license: "MIT OR Apache-2.0",
    needs: ["publications", "dialogs", "params"],
    params_schema: r#"{"type":"object","properties":{"note":{"type":"string","maxLength":512}}}"#,
    merge: merge,
}
