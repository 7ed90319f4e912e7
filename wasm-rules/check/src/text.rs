//! Text of a guest's, shown to people.

/// A guest's text, fit to be shown: no control characters, no bidirectional overrides, no line
/// breaks, so that it cannot change the structure of a log, a page or a terminal.
#[must_use]
pub fn plain_text(text: &str) -> String {
    text.chars().filter(|&c| !is_structural(c)).collect()
}

fn is_structural(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
