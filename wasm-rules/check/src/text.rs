//! Text of a guest's, shown to people.

/// A guest's text, fit to be shown: no control characters, no bidirectional overrides, no line
/// breaks, so that it cannot change the structure of a log, a page or a terminal.
#[must_use]
pub fn plain_text(text: &str) -> String {
    text.chars().filter(|&c| !is_structural(c)).collect()
}

/// Characters of a name out of a file, of which there may be several in one line.
const NAME_CHARS: usize = 80;

/// A name out of a file, fit for a place in one line.
#[must_use]
pub fn short_name(name: &str) -> String {
    plain_text(name).chars().take(NAME_CHARS).collect()
}

fn is_structural(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_guests_text_changes_the_structure_of_what_shows_it() {
        let check = |text: &str, expect: &str| assert_eq!(plain_text(text), expect, "{text:?}");
        check("plain \u{e9} \u{1f4de}", "plain \u{e9} \u{1f4de}");
        check("a\nb\r\tc\u{0}d\u{1b}[31me\u{7f}\u{85}", "abcd[31me");
        check("\u{202e}a\u{2066}b\u{200f}c\u{61c}d\u{2028}e", "abcde");
        assert_eq!(short_name(&"\u{202e}n".repeat(100)), "n".repeat(NAME_CHARS));
    }
}
