//! The calendar knows until when somebody is busy; this says so.
#![no_std]

extern crate alloc;

use alloc::format;

use policy_sdk::{Input, Output, Params, Publication};

const MINUTE_MS: i64 = 60_000;
const DAY: i64 = 24 * 60;
/// What a calendar says while its owner is not to be expected.
const ENTRIES: [&str; 6] = ["appointment", "meeting", "vacation", "holiday", "travel", "performance"];

fn is_calendar(publication: Publication<'_>, params: Params<'_>) -> bool {
    match params.text("device") {
        Some(device) => publication.device() == device,
        None => publication.source() == "gateway" || publication.device_kind() == "service",
    }
}

fn merge(input: &Input<'_>, out: &mut Output) {
    let params = input.params();
    let entry = input.publications().find(|publication| {
        is_calendar(*publication, params) && ENTRIES.iter().any(|entry| publication.has_activity(entry))
    });
    let Some(entry) = entry else { return };

    let left = entry.expires_ms() - input.now_ms();
    match input.local_time() {
        // A clock time says enough only as long as it comes once.
        Some(time) if left > 0 && left < DAY * MINUTE_MS => {
            // A meeting until 15:00 is over at 15:00, although the minute that runs has begun already.
            let at = (time.minutes() + (input.now_ms() % MINUTE_MS + left) / MINUTE_MS) % DAY;
            let text = params.text("text").unwrap_or("Back at");
            out.note(None, &format!("{text} {:02}:{:02}", at / 60, at % 60));
        }
        _ => {}
    }
    out.notes_of(entry);
    out.explain("of the calendar").explain(entry.device());
}

policy_sdk::policy! {
    name: "calendar-note",
    summary: "While the calendar has an entry, a note says until when",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    needs: ["now_ms", "publications", "local_time", "params"],
    params_schema: r#"{"type":"object","properties":{"device":{"type":"string","maxLength":100},"text":{"type":"string","maxLength":100}}}"#,
    merge: merge,
}
