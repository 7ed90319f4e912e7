//! Wall-clock time for policies.

use merge_core::policy::LocalTime;
use merge_core::time::Millis;

const DAY: i64 = 86_400_000;

/// The wall clock in UTC.
pub(crate) fn utc(now: Millis) -> Option<LocalTime> {
    let days = now.0.div_euclid(DAY);
    let minutes = now.0.rem_euclid(DAY) / 60_000;
    // 1 January 1970 was a Thursday, day 4 of the week that begins with Monday.
    let weekday = (days + 3).rem_euclid(7) + 1;
    let text = now.to_rfc3339();
    Some(LocalTime {
        tz: "UTC".to_owned(),
        minutes: u16::try_from(minutes).ok()?,
        weekday: u8::try_from(weekday).ok()?,
        date: text.get(..10)?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_knows_day_minute_and_date() {
        for (text, weekday, minutes, date) in [
            ("1970-01-01T00:00:00Z", 4, 0, "1970-01-01"),
            ("2026-11-21T16:50:00Z", 6, 1010, "2026-11-21"),
            ("2026-11-22T23:59:59Z", 7, 1439, "2026-11-22"),
            ("2026-11-23T00:00:00Z", 1, 0, "2026-11-23"),
            ("2028-02-29T12:00:00Z", 2, 720, "2028-02-29"),
        ] {
            let time = utc(Millis::parse_rfc3339(text).unwrap()).unwrap();
            assert_eq!((time.weekday, time.minutes, time.date.as_str()), (weekday, minutes, date), "{text}");
        }
    }
}
