#![no_std]
use policy_sdk::{Input, Output};

fn merge(input: &Input<'_>, out: &mut Output) {
    // No opinion: the built-in merge stands.
    let Some(newest) = input.publications().next() else { return };
    out.base_empty();
    for tuple in newest.tuples() {
        out.select(newest, tuple);
    }
    if let Some(person) = newest.person() {
        out.activities(person.activities());
    }
}

policy_sdk::policy! {
    name: "newest",
    summary: "The newest device speaks",
    license: "MIT",
    merge: merge,
}
