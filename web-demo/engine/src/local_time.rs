//! What a wall clock shows, as the page says it.

use merge_core::json::{self, Value};
use merge_core::policy::LocalTime;

/// Reads `{"tz","minutes","weekday","date"}`.
///
/// # Errors
/// What is not understood, for the page's author.
pub(crate) fn read(text: &str) -> Result<LocalTime, String> {
    let value = json::read(text.as_bytes()).map_err(|error| error.to_string())?;
    let wrong = |name| format!("local_time has no {name}: {text}");
    let string = |name| value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| wrong(name));
    let int = |name| value.get(name).and_then(Value::as_int);
    Ok(LocalTime {
        tz: string("tz")?,
        minutes: int("minutes").and_then(|n| u16::try_from(n).ok()).ok_or_else(|| wrong("minutes"))?,
        weekday: int("weekday").and_then(|n| u8::try_from(n).ok()).ok_or_else(|| wrong("weekday"))?,
        date: string("date")?,
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_wall_clock_has_all_four_members() {
        let time = read(r#"{"tz":"Asia/Tokyo","minutes":510,"weekday":1,"date":"2026-11-23"}"#);
        let time = time.expect("a wall clock");
        assert_eq!((time.tz.as_str(), time.minutes, time.weekday), ("Asia/Tokyo", 510, 1));
        assert_eq!(time.date, "2026-11-23");
        let error = read(r#"{"tz":"UTC","minutes":-1,"weekday":1,"date":""}"#).expect_err("no minute");
        assert!(error.starts_with("local_time has no minutes"), "{error}");
    }
}
