//! SIP dates (RFC 3261 20.17): `Sat, 13 Nov 2010 23:29:00 GMT`, never another zone.

use core::fmt;

/// A point in time, in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SipDate(pub i64);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl SipDate {
    /// Reads the only form there is. The day of the week is checked for being one, not for being right.
    pub fn parse(text: &str) -> Option<SipDate> {
        let (weekday, rest) = text.split_once(", ")?;
        if !DAYS.iter().any(|day| day.eq_ignore_ascii_case(weekday)) {
            return None;
        }
        let mut words = rest.split(' ');
        let day = number(words.next()?, 2)?;
        let month = words.next()?;
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
        let year = number(words.next()?, 4)?;
        let mut clock = words.next()?.split(':');
        let (hour, minute, second) =
            (number(clock.next()?, 2)?, number(clock.next()?, 2)?, number(clock.next()?, 2)?);
        let zone = words.next()?;
        let over = clock.next().is_some() || words.next().is_some() || !zone.eq_ignore_ascii_case("GMT");
        let in_range = hour < 24 && minute < 60 && second <= 60 && (1..=days_in(year, month)).contains(&day);
        if over || !in_range {
            return None;
        }
        Some(SipDate(days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second))
    }
}

impl fmt::Display for SipDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let weekday = DAYS.get(days.rem_euclid(7) as usize).unwrap_or(&"Thu");
        let name = MONTHS.get(month as usize - 1).unwrap_or(&"Jan");
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{weekday}, {day:02} {name} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

fn number(text: &str, width: usize) -> Option<i64> {
    (text.len() == width && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. The year is taken to begin in
/// March, so that the leap day is its last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<i64>) {
        assert_eq!(SipDate::parse(text), expect.map(SipDate), "{text}");
    }

    #[test]
    fn dates_are_read_and_only_in_gmt() {
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Sat, 13 Nov 2010 23:29:00 GMT", Some(1_289_690_940));
        check("Tue, 29 Feb 2000 12:00:00 GMT", Some(951_825_600));
        for bad in [
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Fri, 1 Jan 2010 16:00:00 GMT",
            "Fri, 29 Feb 2001 16:00:00 GMT",
            "Fri, 01 Foo 2010 16:00:00 GMT",
            "Fri, 01 Jan 2010 24:00:00 GMT",
            "Fri, 01 Jan 2010 16:00:00 GMT x",
            "Xxx, 01 Jan 2010 16:00:00 GMT",
            "",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut at = -62_135_596_800i64;
        while at < 253_402_300_799 {
            let text = SipDate(at).to_string();
            assert_eq!(SipDate::parse(&text), Some(SipDate(at)), "{text}");
            at += 86_400 * 97 + 12_345;
        }
        assert_eq!(SipDate(1_289_690_940).to_string(), "Sat, 13 Nov 2010 23:29:00 GMT");
    }
}
