//! The operator's mask, as the API tells it: `{"drop":["geo"],"level":"full"}`.

use merge_core::json::{self, Value};
use merge_core::policy::Mask;

pub(crate) fn read(text: &str) -> Result<Mask, String> {
    let value = json::read(text.as_bytes()).map_err(|error| error.to_string())?;
    let drop = value.get("drop").and_then(Value::as_array).unwrap_or_default();
    let drop: Option<Vec<String>> = drop.iter().map(|name| name.as_str().map(str::to_owned)).collect();
    let level = value.get("level").and_then(Value::as_str);
    let (Some(drop), Some(level)) = (drop, level) else {
        return Err("a mask has `drop`, a list of texts, and `level`, a text".to_owned());
    };
    // One that this page does not know takes away what the page cannot.
    Mask::read(&drop, level).map_err(|findings| {
        findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_read_as_it_is_written_and_one_with_a_word_that_is_unknown_is_refused() {
        let text = r#"{"drop":["geo","note"],"level":"busy_free"}"#;
        assert_eq!(read(text).unwrap().write_json(), text);
        assert_eq!(
            read(r#"{"drop":["smell"],"level":"full"}"#).unwrap_err(),
            "\"smell\" cannot be taken away"
        );
        for text in ["", "[]", r#"{"drop":[1],"level":"full"}"#, r#"{"drop":[]}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
