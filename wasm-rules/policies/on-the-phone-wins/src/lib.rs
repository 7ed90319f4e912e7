//! Somebody who is in a call is on the phone, whatever the other devices say.
#![no_std]

use policy_sdk::{Input, Output};

fn merge(input: &Input<'_>, out: &mut Output) {
    // What the server itself sees comes before what a device says.
    if let Some(call) = input.dialogs().find(|dialog| dialog.state() == "confirmed") {
        out.activities(["on-the-phone"]).explain("a call is up").explain(call.id());
        return;
    }
    if let Some(publication) = input.publications().find(|p| p.has_activity("on-the-phone")) {
        out.activities(["on-the-phone"]).explain("a device says so").explain(publication.device());
    }
}

policy_sdk::policy! {
    name: "on-the-phone-wins",
    summary: "Who is in a call is on the phone, whatever the other devices say",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    needs: ["publications", "dialogs"],
    merge: merge,
}
