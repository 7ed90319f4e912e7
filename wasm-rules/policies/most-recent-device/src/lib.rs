//! The device that spoke last speaks for the person.
#![no_std]

use policy_sdk::{Input, Output};

fn merge(input: &Input<'_>, out: &mut Output) {
    // Publications come newest first.
    let Some(newest) = input.publications().find(|p| p.source() == "publish") else { return };
    out.base_empty();
    out.select_all(newest);
    if let Some(person) = newest.person() {
        out.activities_of(person);
    }
    out.notes_of(newest);
    out.explain(newest.device());
}

policy_sdk::policy! {
    name: "most-recent-device",
    summary: "Shows what the device said that spoke last, and nothing of the others",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    needs: ["publications"],
    merge: merge,
}
