//! Texts of others, made fit to be shown.

use alloc::string::String;

/// A text without what could change the structure of a page, a terminal or a log: control characters
/// become nothing (line ends and tabs a space), bidirectional overrides and isolates become nothing.
#[must_use]
pub fn safe_text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => safe.push(' '),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{61C}' => {}
            '\u{FFFE}' | '\u{FFFF}' | '\u{FEFF}' => {}
            other if other.is_control() => {}
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_bidirectional_overrides_are_removed() {
        assert_eq!(safe_text("a\u{202e}b\u{0}c\r\nd\u{7f}\u{85}é"), "abc dé");
    }
}
