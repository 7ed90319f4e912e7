//! Wall-clock time for policies, in the time zones of the IANA database that is built in.

use crate::users::Directory;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use merge_core::policy::LocalTime;
use merge_core::time::Millis;
use std::sync::Arc;

/// The clock on the wall of each user.
#[derive(Debug)]
pub struct Wall {
    /// Of those who have no time zone of their own.
    default: ArcSwap<TimeZone>,
    users: Arc<Directory>,
}

impl Wall {
    /// `default` is the name of the time zone of users who have none of their own.
    pub fn new(default: &str, users: Arc<Directory>) -> Arc<Self> {
        let wall = Self { default: ArcSwap::from_pointee(TimeZone::UTC), users };
        wall.set_default(default);
        Arc::new(wall)
    }

    /// Replaces the time zone of users who have none of their own. The configuration was checked, so
    /// the name is known.
    pub fn set_default(&self, name: &str) {
        self.default.store(Arc::new(zone(name).unwrap_or(TimeZone::UTC)));
    }

    /// What a user's clock shows at `now`.
    pub fn local_time(&self, aor: &str, now: Millis) -> Option<LocalTime> {
        match self.users.zone(aor) {
            Some(own) => local(&own, now),
            None => local(&self.default.load(), now),
        }
    }
}

/// The time zone of an IANA name, `Europe/Amsterdam`.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The wall clock in `zone` at `now`.
pub(crate) fn local(zone: &TimeZone, now: Millis) -> Option<LocalTime> {
    let there = Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone());
    let minutes = u16::try_from(there.hour()).ok()? * 60 + u16::try_from(there.minute()).ok()?;
    Some(LocalTime {
        tz: zone.iana_name().unwrap_or("UTC").to_owned(),
        minutes,
        weekday: u8::try_from(there.weekday().to_monday_one_offset()).ok()?,
        date: there.date().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `at`, the zone, and the weekday, time of day and date that a clock on the wall shows there.
    fn check(at: &str, name: &str, weekday: u8, time: &str, date: &str) {
        let shown = local(&zone(name).unwrap(), Millis::parse_rfc3339(at).unwrap()).unwrap();
        let clock = format!("{:02}:{:02}", shown.minutes / 60, shown.minutes % 60);
        assert_eq!(
            (shown.weekday, clock.as_str(), shown.date.as_str()),
            (weekday, time, date),
            "{at} {name}"
        );
        assert_eq!(shown.tz, name);
    }

    #[test]
    fn the_wall_clock_knows_day_minute_and_date() {
        check("1970-01-01T00:00:00Z", "UTC", 4, "00:00", "1970-01-01");
        check("2026-11-21T16:50:00Z", "UTC", 6, "16:50", "2026-11-21");
        check("2026-11-22T23:59:59Z", "UTC", 7, "23:59", "2026-11-22");
        check("2026-11-23T00:00:00Z", "UTC", 1, "00:00", "2026-11-23");
        check("2028-02-29T12:00:00Z", "UTC", 2, "12:00", "2028-02-29");
        check("2026-11-22T23:30:00Z", "Asia/Tokyo", 1, "08:30", "2026-11-23");
        check("2026-11-23T02:30:00Z", "America/New_York", 7, "21:30", "2026-11-22");
    }

    #[test]
    fn nine_in_the_morning_stays_nine_across_the_changes_of_summer_time() {
        let amsterdam = "Europe/Amsterdam";
        check("2026-03-27T08:00:00Z", amsterdam, 5, "09:00", "2026-03-27");
        check("2026-03-29T00:59:00Z", amsterdam, 7, "01:59", "2026-03-29");
        check("2026-03-29T01:00:00Z", amsterdam, 7, "03:00", "2026-03-29");
        check("2026-03-30T07:00:00Z", amsterdam, 1, "09:00", "2026-03-30");
        // In autumn the hour from two to three comes twice.
        check("2026-10-25T00:30:00Z", amsterdam, 7, "02:30", "2026-10-25");
        check("2026-10-25T01:30:00Z", amsterdam, 7, "02:30", "2026-10-25");
        check("2026-10-26T08:00:00Z", amsterdam, 1, "09:00", "2026-10-26");
    }

    #[test]
    fn a_name_that_no_zone_has_is_refused() {
        for wrong in ["", "Europe/Atlantis", "+01:00", "../etc/passwd"] {
            assert!(zone(wrong).is_none(), "{wrong}");
        }
    }
}
