//! A device that is not registered any more does not speak for the person.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use policy_sdk::{Input, Output, Publication, Registration};

/// Seconds that a device which has just published is given to register.
const GRACE_S: i64 = 120;
/// Ghosts that are named to whoever asks why.
const MOST_NAMED: usize = 4;

fn merge(input: &Input<'_>, out: &mut Output) {
    let now = input.now_ms();
    let grace = input.params().int_or("grace_s", GRACE_S) * 1000;
    let registered: Vec<&str> = input.registrations().filter_map(Registration::instance).collect();
    // Only a device that says which one it is can be missed.
    let is_gone = |publication: Publication<'_>| {
        publication.source() == "publish"
            && publication.instance().is_some_and(|instance| !registered.contains(&instance))
    };
    let (mut ghosts, mut grace_over, mut others) = (Vec::new(), None, false);
    for publication in input.publications() {
        let over = publication.first_ms() + grace;
        if is_gone(publication) && over <= now {
            ghosts.push((publication.etag(), publication.device()));
            continue;
        }
        others = true;
        if is_gone(publication) {
            grace_over = Some(grace_over.map_or(over, |earlier: i64| earlier.min(over)));
        }
    }

    if let Some(over) = grace_over {
        // The host asks again when the time to register is over.
        out.reevaluate_at_ms(over.max(now + 1000));
    }
    if ghosts.is_empty() {
        return;
    }
    out.show_only(input, |publication| !ghosts.iter().any(|(etag, _)| *etag == publication.etag()));
    if !others {
        out.basic("closed");
    }
    out.explain("not registered any more");
    ghosts.iter().take(MOST_NAMED).for_each(|(_, device)| _ = out.explain(device));
}

policy_sdk::policy! {
    name: "ghost-buster",
    summary: "What a device published counts only as long as that device is registered",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    needs: ["now_ms", "publications", "registrations", "builtin", "params"],
    params_schema: r#"{"type":"object","properties":{"grace_s":{"type":"integer","minimum":0,"maximum":3600}}}"#,
    merge: merge,
}
