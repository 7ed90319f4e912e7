//! Whom one does not know learns whether one is there, and nothing else.
#![no_std]

use policy_sdk::{Contained, Input, Output, Params, View, ViewInput};

/// Who sees all; `all` among the parameters replaces it.
const ALL: [&str; 4] = ["family", "colleague", "contact", "service"];
/// Who also sees whether one is busy; `busy_free` among the parameters replaces it.
const BUSY_FREE: [&str; 1] = ["same-domain"];
/// What a class can be called.
const CLASSES: [&str; 7] =
    ["family", "colleague", "contact", "same-domain", "service", "stranger", "anonymous"];

/// The merge is the server's.
fn merge(_: &Input<'_>, _: &mut Output) {}

fn view(input: &ViewInput<'_>, out: &mut View) {
    let (class, params) = (input.watcher().class(), input.params());
    let is_in = |name: &str, usual: &[&str]| {
        if params.has(name) { params.texts(name).has(class) } else { usual.contains(&class) }
    };
    if is_in("all", &ALL) {
        return;
    }
    if is_in("busy_free", &BUSY_FREE) {
        out.busy_free();
    } else {
        out.basic();
        if params.flag_or("closed", false) {
            out.closed();
        }
    }
    out.explain(class);
}

fn check(params: Params<'_>) -> Result<(), &'static str> {
    let known = |name: &str| params.texts(name).all(|class| CLASSES.contains(&class));
    if known("all") && known("busy_free") {
        Ok(())
    } else {
        Err("all and busy_free are lists of family, colleague, contact, same-domain, service, stranger, anonymous")
    }
}

policy_sdk::policy! {
    name: "hide-from-strangers",
    summary: "Whom I do not know learns whether I am there, and nothing else",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    privacy: true,
    needs: ["params"],
    params_schema: r#"{"type":"object","properties":{"all":{"type":"array","items":{"type":"string"}},"busy_free":{"type":"array","items":{"type":"string"}},"closed":{"type":"boolean"}}}"#,
    merge: merge,
    view: view,
    params: check,
}
