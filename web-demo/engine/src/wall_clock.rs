//! The wall clock a policy is told: UTC, as the server's default.

use merge_core::policy::LocalTime;
use merge_core::time::Millis;

const DAY_MS: i64 = 86_400_000;

/// The moment as a UTC wall clock.
pub(crate) fn utc(now: Millis) -> LocalTime {
    let days = now.0.div_euclid(DAY_MS);
    let minutes = now.0.rem_euclid(DAY_MS) / 60_000;
    let date = now.to_rfc3339();
    LocalTime {
        tz: "UTC".to_owned(),
        minutes: u16::try_from(minutes).unwrap_or_default(),
        // 1970-01-01 was a Thursday, the fourth day of the week of ISO 8601.
        weekday: u8::try_from((days + 3).rem_euclid(7) + 1).unwrap_or(1),
        date: date.split('T').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::utc;
    use merge_core::time::Millis;

    #[test]
    fn a_moment_has_its_minute_weekday_and_date() {
        let check = |at: &str, minutes: u16, weekday: u8, date: &str| {
            let time = utc(Millis::parse_rfc3339(at).expect("a timestamp"));
            assert_eq!((time.minutes, time.weekday, time.date.as_str()), (minutes, weekday, date), "{at}");
        };
        check("1970-01-01T00:00:00Z", 0, 4, "1970-01-01");
        check("2026-11-21T16:50:59.999Z", 1010, 6, "2026-11-21");
        check("2024-02-29T23:59:00Z", 1439, 4, "2024-02-29");
        check("1969-12-31T23:59:00Z", 1439, 3, "1969-12-31");
    }
}
