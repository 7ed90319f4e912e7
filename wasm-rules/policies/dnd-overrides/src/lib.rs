//! "Do not disturb" on one device holds for the person.
#![no_std]

use policy_sdk::{Contained, Input, Output, Params};

/// What devices say when their button is pressed; `activities` among the parameters replaces it.
const QUIET: [&str; 3] = ["busy", "x-dnd", "x-do-not-disturb"];

fn merge(input: &Input<'_>, out: &mut Output) {
    let params = input.params();
    let quiet = |activity: &str| {
        if params.has("activities") {
            params.texts("activities").has(activity)
        } else {
            QUIET.contains(&activity)
        }
    };
    let pressed = input.publications().find_map(|publication| {
        let said = publication
            .person()
            .and_then(|person| person.activities().find(|activity| quiet(activity)))
            .or_else(|| {
                publication.tuples().find_map(|tuple| tuple.activities().find(|activity| quiet(activity)))
            })?;
        Some((publication, said))
    });
    let Some((publication, said)) = pressed else { return };

    out.activities(["busy"]);
    if params.flag_or("close", true) {
        out.basic("closed");
    }
    out.explain(publication.device()).explain(said);
}

fn check(params: Params<'_>) -> Result<(), &'static str> {
    let json = params.json();
    if json.get("close").is_some_and(|close| close.as_bool().is_none()) {
        return Err("close has to be true or false");
    }
    match json.get("activities") {
        None => Ok(()),
        Some(list) if list.is_array() && list.items().all(|item| item.as_str().is_some()) => Ok(()),
        Some(_) => Err("activities has to be a list of words"),
    }
}

policy_sdk::policy! {
    name: "dnd-overrides",
    summary: "Do not disturb on one device holds for the person",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    needs: ["publications", "params"],
    params_schema: r#"{"type":"object","properties":{"close":{"type":"boolean"},"activities":{"type":"array","items":{"type":"string"}}}}"#,
    merge: merge,
    params: check,
}
