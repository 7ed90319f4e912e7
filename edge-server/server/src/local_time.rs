//! Wall-clock time for policies, in the time zones of the IANA database that is built in.

use crate::config::Server;
use crate::users::Directory;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use merge_core::live::Presentity;
use merge_core::policy::LocalTime;
use merge_core::time::Millis;
use std::collections::HashMap;
use std::sync::Arc;

/// The clock on the wall of each user.
#[derive(Debug)]
pub struct Wall {
    users: Arc<Directory>,
    domains: HashMap<String, TimeZone>,
    /// Of those who have no time zone by themselves nor by their domain.
    default: TimeZone,
}

impl Wall {
    /// By the time zones of `server`, which was checked, and by those that `users` have of their own.
    pub fn new(server: &Server, users: Arc<Directory>) -> Arc<Self> {
        let domains = server.timezones.iter();
        let domains = domains.filter_map(|(domain, name)| Some((domain.to_ascii_lowercase(), zone(name)?)));
        let default = zone(&server.timezone).unwrap_or(TimeZone::UTC);
        Arc::new(Self { users, domains: domains.collect(), default })
    }

    /// What a user's clock shows at `now`.
    pub fn local_time(&self, user: &Presentity, now: Millis) -> Option<LocalTime> {
        match self.users.zone(&user.aor) {
            Some(own) => local(&own, now),
            None => local(self.domains.get(&user.domain).unwrap_or(&self.default), now),
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
    use crate::clock::Clock;
    use crate::config::{Config, User};
    use crate::metrics::Exposition;

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
    fn a_users_own_zone_goes_before_the_domains_and_that_before_the_servers() {
        let user = |name: &str, domain: &str, timezone: Option<&str>| User {
            name: name.to_owned(),
            domain: Some(domain.to_owned()),
            password: Some("secret".to_owned()),
            timezone: timezone.map(str::to_owned),
            ..User::default()
        };
        let mut config = Config::default();
        config.server.domains = vec!["example.com".to_owned(), "example.org".to_owned()];
        config.server.timezone = "Europe/Amsterdam".to_owned();
        config.server.timezones = [("Example.ORG".to_owned(), "Asia/Tokyo".to_owned())].into();
        config.users = vec![
            user("alice", "example.com", None),
            user("bob", "example.org", None),
            user("carol", "example.org", Some("America/New_York")),
        ];
        let metrics = Exposition::default().metrics;
        let users = Directory::open(&config, None, metrics, Clock::default()).unwrap();
        let wall = Wall::new(&config.server, Arc::new(users));
        for (name, domain, zone) in [
            ("alice", "example.com", "Europe/Amsterdam"),
            ("bob", "example.org", "Asia/Tokyo"),
            ("carol", "example.org", "America/New_York"),
            ("whoever", "example.org", "Asia/Tokyo"),
        ] {
            let aor = format!("sip:{name}@{domain}");
            let user = Presentity { aor, domain: domain.to_owned(), ..Presentity::default() };
            assert_eq!(wall.local_time(&user, Millis(0)).unwrap().tz, zone, "{name}");
        }
    }

    #[test]
    fn a_name_that_no_zone_has_is_refused() {
        for wrong in ["", "Europe/Atlantis", "+01:00", "../etc/passwd"] {
            assert!(zone(wrong).is_none(), "{wrong}");
        }
    }
}
