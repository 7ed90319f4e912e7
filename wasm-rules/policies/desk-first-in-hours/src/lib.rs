//! The desk phone comes first during working hours.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use policy_sdk::{Input, LocalTime, MOST_TUPLES, Output, Params, Publication, Selected, Tuple};

const DAY: i64 = 24 * 60;
const MINUTE_MS: i64 = 60_000;
/// Three in the morning, when clocks that are changed that night have been: minutes counted across the
/// change are an hour off, so the question is asked anew after it.
const NIGHT: i64 = 3 * 60;

/// Working hours: minutes since midnight, and days with Monday as 1.
struct Hours<'a> {
    from: i64,
    to: i64,
    params: Params<'a>,
}

impl<'a> Hours<'a> {
    fn of(params: Params<'a>) -> Self {
        Self { from: params.int_or("from", 9 * 60), to: params.int_or("to", 17 * 60 + 30), params }
    }

    fn is_working_day(&self, weekday: i64) -> bool {
        if self.params.has("days") {
            self.params.ints("days").any(|day| day % 7 == weekday % 7)
        } else {
            (1..=5).contains(&weekday)
        }
    }

    fn contain(&self, time: LocalTime<'_>) -> bool {
        self.is_working_day(time.weekday()) && (self.from..self.to).contains(&time.minutes())
    }

    /// Minutes until the hours begin or end next, or until the night.
    fn minutes_to_change(&self, minutes: i64) -> i64 {
        [self.from, self.to, NIGHT, self.from + DAY, NIGHT + DAY]
            .into_iter()
            .filter(|edge| *edge > minutes)
            .min()
            .map_or(DAY, |edge| edge - minutes)
            .clamp(1, DAY)
    }
}

fn merge(input: &Input<'_>, out: &mut Output) {
    let Some(time) = input.local_time() else { return };
    let hours = Hours::of(input.params());
    let this_minute = input.now_ms() - input.now_ms().rem_euclid(MINUTE_MS);
    let change = this_minute + hours.minutes_to_change(time.minutes()) * MINUTE_MS;
    // Nobody has to poll: the host asks again when the hours begin or end.
    out.reevaluate_at_ms(change.max(input.now_ms() + 1000));
    if !hours.contain(time) {
        return;
    }

    // Found once: to look for each service's publication anew is to read the input once a service.
    let publications: Vec<(&str, Publication<'_>)> =
        input.publications().map(|publication| (publication.etag(), publication)).collect();
    // Each service that is shown, whether it is at a desk, and the priority it gave itself.
    let shown: Vec<(Selected<'_>, bool, Option<i64>)> = input
        .builtin()
        .select()
        .map(|chosen| {
            let publication = publications
                .iter()
                .find(|(etag, _)| *etag == chosen.etag)
                .map(|(_, publication)| *publication);
            let tuple = publication.and_then(|p| p.tuples().find(|tuple| tuple.id() == chosen.tuple));
            let is_desk = publication.is_some_and(|p| p.device_kind() == "desk");
            (chosen, is_desk, tuple.and_then(Tuple::priority_milli))
        })
        .collect();
    if !shown.iter().any(|(_, is_desk, _)| *is_desk) {
        return;
    }
    let desks = shown.iter().filter(|(_, is_desk, _)| *is_desk);
    let others = shown.iter().filter(|(_, is_desk, _)| !*is_desk);
    for (chosen, is_desk, said) in desks.chain(others).take(MOST_TUPLES) {
        let priority = if *is_desk { 1000 } else { said.map_or(500, |said| said.min(900)) };
        out.select_named(chosen.etag, chosen.tuple).priority_milli(priority);
    }
    out.explain("working hours: the desk phone first");
}

fn check(params: Params<'_>) -> Result<(), &'static str> {
    let json = params.json();
    for name in ["from", "to"] {
        match json.get(name) {
            None => {}
            Some(value) => match value.as_int() {
                Some(minutes) if (0..=DAY).contains(&minutes) => {}
                _ => return Err("from and to are minutes since midnight, 0 to 1440"),
            },
        }
    }
    let hours = Hours::of(params);
    if hours.from >= hours.to {
        return Err("from has to come before to");
    }
    match json.get("days") {
        None => Ok(()),
        Some(days)
            if days.is_array()
                && days.items().all(|day| day.as_int().is_some_and(|day| (1..=7).contains(&day))) =>
        {
            Ok(())
        }
        Some(_) => Err("days is a list of days, 1 for Monday to 7 for Sunday"),
    }
}

policy_sdk::policy! {
    name: "desk-first-in-hours",
    summary: "The desk phone comes first during working hours",
    version: "1.0.0",
    license: "MIT OR Apache-2.0",
    needs: ["now_ms", "publications", "local_time", "builtin", "params"],
    params_schema: r#"{"type":"object","properties":{"from":{"type":"integer","minimum":0,"maximum":1440},"to":{"type":"integer","minimum":0,"maximum":1440},"days":{"type":"array","items":{"type":"integer","minimum":1,"maximum":7}}}}"#,
    merge: merge,
    params: check,
}
