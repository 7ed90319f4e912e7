//! A secretary sees everything, the board sees that one is busy, and others see it without the details.
#![no_std]

use policy_sdk::{Contained, Input, Output, Params, View, ViewInput};

/// The groups that see all; `all` among the parameters replaces it.
const ALL: [&str; 1] = ["secretaries"];
/// The groups of equals; `peers` among the parameters replaces it.
const PEERS: [&str; 1] = ["board"];

/// The merge is the server's.
fn merge(_: &Input<'_>, _: &mut Output) {}

fn view(input: &ViewInput<'_>, out: &mut View) {
    let (watcher, params) = (input.watcher(), input.params());
    let is_in = |name: &str, usual: &[&str]| {
        if params.has(name) {
            params.texts(name).any(|group| watcher.groups().has(group))
        } else {
            watcher.groups().any(|group| usual.contains(&group))
        }
    };
    if watcher.class() == "family" || is_in("all", &ALL) {
        return;
    }
    if !is_in("peers", &PEERS) {
        out.busy_free().explain("not of her groups");
        return;
    }
    // Where to, with whom and what about is between her and her secretary; the note is for her equals.
    out.drop("geo").drop("place").drop("devices").drop("user_input");
    let busy = input.merged().keeps_from_answering();
    out.activities(busy.then_some("busy")).explain("an equal");
}

fn check(params: Params<'_>) -> Result<(), &'static str> {
    let list = |name: &str| match params.json().get(name) {
        None => true,
        Some(list) => list.is_array() && list.items().all(|item| item.as_str().is_some()),
    };
    if list("all") && list("peers") { Ok(()) } else { Err("all and peers are lists of groups") }
}

policy_sdk::policy! {
    name: "boss-secretary",
    summary: "My secretary sees everything, my equals that I am busy, and others as little as they need",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    privacy: true,
    needs: ["params"],
    params_schema: r#"{"type":"object","properties":{"all":{"type":"array","items":{"type":"string"}},"peers":{"type":"array","items":{"type":"string"}}}}"#,
    merge: merge,
    view: view,
    params: check,
}
