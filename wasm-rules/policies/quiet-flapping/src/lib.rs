//! A device that comes and goes is shown once it has stayed for a while.
#![no_std]

use policy_sdk::{Input, Output, Publication};

/// Seconds that a device has to stay.
const SETTLE_S: i64 = 30;
/// New ones that are named to whoever asks why.
const MOST_NAMED: usize = 4;

fn merge(input: &Input<'_>, out: &mut Output) {
    let now = input.now_ms();
    let settle = input.params().int_or("settle_s", SETTLE_S) * 1000;
    let settles_at = |publication: Publication<'_>| publication.first_ms() + settle;
    let is_settled = |publication: Publication<'_>| settles_at(publication) <= now;

    // Somebody who has just this one device is shown at once: late is worse than restless.
    if !input.publications().any(is_settled) {
        return;
    }
    let next = input.publications().filter(|publication| !is_settled(*publication)).map(settles_at).min();
    let Some(next) = next else { return };
    out.show_only(input, is_settled);
    out.reevaluate_at_ms(next.max(now + 1000));
    out.explain("has just come");
    let new = input.publications().filter(|publication| !is_settled(*publication));
    new.take(MOST_NAMED).for_each(|publication| _ = out.explain(publication.device()));
}

policy_sdk::policy! {
    name: "quiet-flapping",
    summary: "A device that comes and goes is shown once it has stayed for half a minute",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    needs: ["now_ms", "publications", "builtin", "params"],
    params_schema: r#"{"type":"object","properties":{"settle_s":{"type":"integer","minimum":1,"maximum":600}}}"#,
    merge: merge,
}
