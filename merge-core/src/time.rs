//! Instants: the dates and times of documents, comparable whatever offset they were written with.

use alloc::string::String;
use core::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

const DAY: i64 = 86_400_000;

impl Millis {
    /// The instant of an RFC 3339 date-time, or of an `xs:dateTime`, which differs in corners: `T` and `Z` may be
    /// small or a space stand for `T`; a missing offset counts as UTC; `24:00:00` is the end of its day; a leap
    /// second `hh:59:60` is the second after `:59`. Fractions are cut to milliseconds.
    ///
    /// ```
    /// # use merge_core::time::Millis;
    /// assert_eq!(Millis::parse_rfc3339("1970-01-01T01:00:00.5+01:00"), Some(Millis(500)));
    /// assert_eq!(Millis::parse_rfc3339("yesterday"), None);
    /// ```
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Millis> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_at_checked(19)?;
        let separators = [(4, b"-"), (7, b"-"), (13, b":"), (16, b":")];
        if separators.iter().any(|(at, byte)| head[*at] != byte[0]) || !matches!(head[10], b'T' | b't' | b' ')
        {
            return None;
        }
        let (year, month, day) = (number(&head[0..4])?, number(&head[5..7])?, number(&head[8..10])?);
        let (hour, minute, second) = (number(&head[11..13])?, number(&head[14..16])?, number(&head[17..19])?);
        let (fraction, offset) = fraction(rest)?;
        let offset = offset_minutes(offset)?;
        let end_of_day = hour == 24 && minute == 0 && second == 0 && fraction == 0;
        let leap_second = minute == 59 && second == 60;
        if !(1..=12).contains(&month)
            || !(1..=days_in_month(year, month)).contains(&day)
            || !(hour < 24 || end_of_day)
            || minute > 59
            || !(second < 60 || leap_second)
        {
            return None;
        }
        let seconds = (hour * 60 + minute - offset) * 60 + second;
        Some(Millis(days_from_epoch(year, month, day) * DAY + seconds * 1000 + fraction))
    }

    /// The instant as RFC 3339 text in UTC, with a fraction only where there is one: also a canonical
    /// `xs:dateTime`. Years outside 0000 to 9999 are brought to the nearest end.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        String::from(self.rfc3339().as_str())
    }
}

/// The text of [`Millis::to_rfc3339`], allocated nowhere.
pub(crate) struct Rfc3339 {
    text: [u8; 24],
    length: usize,
}

impl Rfc3339 {
    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.rfc3339().as_str())
    }
}

impl Millis {
    /// [`Millis::to_rfc3339`] without a `String`.
    pub(crate) fn rfc3339(self) -> Rfc3339 {
        // 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z.
        let millis = self.0.clamp(-62_167_219_200_000, 253_402_300_799_999);
        let (day, time) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        let (year, month, day_of_month) = date_of(day);
        let (seconds, fraction) = (time / 1000, time % 1000);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let numbers = [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day_of_month),
            (11, 2, seconds / 3600),
            (14, 2, seconds / 60 % 60),
            (17, 2, seconds % 60),
            (20, 3, fraction),
        ];
        for (at, width, mut number) in numbers {
            for digit in text[at..at + width].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        // No more digits of the fraction than needed, and no point without any.
        let length = match fraction {
            0 => 19,
            tenths if tenths % 100 == 0 => 21,
            hundredths if hundredths % 10 == 0 => 22,
            _ => 23,
        };
        text[length] = b'Z';
        Rfc3339 { text, length: length + 1 }
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// Milliseconds of `.123`, if there is one, and what follows.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let millis = (0..3).fold(0, |sum, at| {
        sum * 10 + digits.get(at).filter(|_| at < count).map_or(0, |digit| i64::from(digit - b'0'))
    });
    Some((millis, &digits[count..]))
}

/// `Z`, `+hh:mm`, `-hh:mm` or nothing, in minutes east of UTC.
fn offset_minutes(offset: &[u8]) -> Option<i64> {
    match offset {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let offset = hours * 60 + minutes;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days between the epoch and a date of the Gregorian calendar. Years are counted from March, so that the leap day
/// is the last of its year; 400 years have 146,097 days.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a number of days since the epoch: the way back.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expect: Option<i64>) {
        assert_eq!(Millis::parse_rfc3339(text), expect.map(Millis), "{text}");
    }

    #[test]
    fn instants_are_read_with_offsets_and_fractions() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("1970-01-01T01:00:00+01:00", Some(0));
        check("1969-12-31T19:00:00-05:00", Some(0));
        check("2000-02-29T12:00:00Z", Some(951_825_600_000));
        check("2026-11-21T04:48:00Z", Some(1_795_236_480_000));
        check("2026-11-21T04:48:00.5Z", Some(1_795_236_480_500));
        check("2026-11-21T04:48:00.123456789Z", Some(1_795_236_480_123));
        check("2026-11-21T12:00:00+05:00", Some(1_795_244_400_000));
        check("0000-01-01T00:00:00Z", Some(-62_167_219_200_000));
    }

    #[test]
    fn odd_forms_that_clients_and_schemas_know_are_read() {
        check("2026-11-21t04:48:00z", Some(1_795_236_480_000));
        check("2026-11-21 04:48:00Z", Some(1_795_236_480_000));
        check("2026-11-21T04:48:00", Some(1_795_236_480_000));
        check("2026-11-21T04:48:00-00:00", Some(1_795_236_480_000));
        check("2026-11-20T24:00:00Z", Some(1_795_219_200_000));
        check("2016-12-31T23:59:60Z", Some(1_483_228_800_000));
        check("2017-01-01T00:59:60+01:00", Some(1_483_228_800_000));
    }

    #[test]
    fn what_is_no_date_and_time_is_refused() {
        for text in [
            "",
            "now",
            "2026-11-21",
            "2026-11-21T04:48Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-11-21T24:00:01Z",
            "2026-11-21T24:00:00.1Z",
            "2026-11-21T04:60:00Z",
            "2026-11-21T04:48:60Z",
            "2026-11-21T04:48:61Z",
            "2026-11-21T04:48:00.Z",
            "2026-11-21T04:48:00,5Z",
            "2026-11-21T04:48:00+0100",
            "2026-11-21T04:48:00+24:00",
            "2026-11-21T04:48:00+01:60",
            "2026-11-21T04:48:00ZZ",
            "2026-11-21T04:48:00 Z",
            "-026-11-21T04:48:00Z",
            "+2026-11-21T04:48:00Z",
            "2026-11-21T04:48:+1Z",
            "\u{662}026-11-21T04:48:00Z",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn instants_are_written_in_utc_with_no_more_digits_than_needed() {
        assert_eq!(Millis(0).to_rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Millis(1_795_236_480_500).to_rfc3339(), "2026-11-21T04:48:00.5Z");
        assert_eq!(Millis(1_795_236_480_050).to_rfc3339(), "2026-11-21T04:48:00.05Z");
        assert_eq!(Millis(1_795_236_480_005).to_rfc3339(), "2026-11-21T04:48:00.005Z");
        assert_eq!(Millis(i64::MIN).to_rfc3339(), "0000-01-01T00:00:00Z");
        assert_eq!(Millis(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_instant(millis in -62_167_219_200_000i64..=253_402_300_799_999) {
            prop_assert_eq!(Millis::parse_rfc3339(&Millis(millis).to_rfc3339()), Some(Millis(millis)));
        }

        #[test]
        fn an_offset_moves_an_instant_by_just_that_much(
            millis in 0i64..253_300_000_000_000, hours in 0i64..24, minutes in 0i64..60, east in any::<bool>(),
        ) {
            let text = Millis(millis).to_rfc3339();
            let sign = if east { '+' } else { '-' };
            let moved = alloc::format!("{}{sign}{hours:02}:{minutes:02}", text.trim_end_matches('Z'));
            let shift = (hours * 60 + minutes) * 60_000;
            let expect = if east { millis - shift } else { millis + shift };
            prop_assert_eq!(Millis::parse_rfc3339(&moved), Some(Millis(expect)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = Millis::parse_rfc3339(&text);
        }
    }
}
