//! Which bytes may stand where.

/// May continue a name (ASCII, the colon excepted).
pub(crate) const NAME: u8 = 1;
/// May start a name (ASCII, the colon excepted).
pub(crate) const NAME_START: u8 = 2;
/// White space.
pub(crate) const SPACE: u8 = 4;
/// Ends a stretch of plain character data, or needs a look.
pub(crate) const TEXT_STOP: u8 = 8;
/// Ends a stretch of plain attribute value, or needs a look.
pub(crate) const VALUE_STOP: u8 = 16;
/// Not a character of XML at all, or perhaps the first byte of one that is not (U+FFFE, U+FFFF).
pub(crate) const SUSPECT: u8 = 32;

/// Must be escaped in character data.
pub(crate) const ESCAPE_TEXT: u8 = 64;
/// Must be escaped in an attribute's value.
pub(crate) const ESCAPE_VALUE: u8 = 128;

/// What each byte is, as bits.
pub(crate) static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let b = byte as u8;
        let mut class = 0;
        if b.is_ascii_alphabetic() || b == b'_' {
            class |= NAME | NAME_START;
        }
        if b.is_ascii_digit() || b == b'-' || b == b'.' {
            class |= NAME;
        }
        if matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
            class |= SPACE;
        } else if b < b' ' || b == 0xEF {
            class |= SUSPECT | TEXT_STOP | VALUE_STOP;
        }
        if matches!(b, b'<' | b'&' | b'>' | b'\r') {
            class |= TEXT_STOP | ESCAPE_TEXT;
        }
        if matches!(b, b'<' | b'&' | b'>' | b'"' | b'\'' | b'\t' | b'\r' | b'\n') {
            class |= ESCAPE_VALUE;
        }
        if matches!(b, b'<' | b'&' | b'"' | b'\'' | b'\t' | b'\r' | b'\n') {
            class |= VALUE_STOP;
        }
        table[byte] = class;
        byte += 1;
    }
    table
}

/// The first place at or after `at` whose byte has one of the bits, which are those of text and values, or the end.
#[inline]
pub(crate) fn find(bytes: &[u8], at: usize, bits: u8) -> usize {
    let mut found = at;
    // Eight at a time while none of them can be meant: that is most of what is read and written.
    while let Some(eight) = bytes.get(found..).and_then(|rest| rest.first_chunk::<8>())
        && !any_marked(*eight)
    {
        found += 8;
    }
    while bytes.get(found).is_some_and(|byte| CLASS[usize::from(*byte)] & bits == 0) {
        found += 1;
    }
    found
}

/// Whether one of eight bytes is below a space, one of `"`, `&`, `'`, `<`, `>` or above 0x7F: in all at once.
#[inline]
fn any_marked(eight: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES * 0x80;
    let word = u64::from_ne_bytes(eight);
    // A byte below the one taken from it borrows its top bit; bytes above 0x7F have it already.
    let below = |word: u64, byte: u64| word.wrapping_sub(ONES * byte);
    let control = below(word, 0x20);
    let and_or_apostrophe = below((word & (ONES * 0xFE)) ^ (ONES * 0x26), 1);
    let quote = below(word ^ (ONES * 0x22), 1);
    let angle = below((word & (ONES * 0xFD)) ^ (ONES * 0x3C), 1);
    (word | control | and_or_apostrophe | quote | angle) & TOPS != 0
}

/// The first place at or after `at` whose byte has none of the bits, or the end.
#[inline]
pub(crate) fn skip(bytes: &[u8], at: usize, bits: u8) -> usize {
    let mut found = at;
    while bytes.get(found).is_some_and(|byte| CLASS[usize::from(*byte)] & bits != 0) {
        found += 1;
    }
    found
}

/// `NameStartChar` of XML 1.0 (fifth edition) beyond ASCII.
pub(crate) fn is_name_start(c: char) -> bool {
    matches!(c, '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar` of XML 1.0 (fifth edition) beyond ASCII.
pub(crate) fn is_name(c: char) -> bool {
    is_name_start(c) || matches!(c, '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether an `NCName` may begin with it.
pub(crate) fn starts_ncname(c: char) -> bool {
    if c.is_ascii() { CLASS[c as usize] & NAME_START != 0 } else { is_name_start(c) }
}

/// Whether an `NCName` may go on with it.
pub(crate) fn continues_ncname(c: char) -> bool {
    if c.is_ascii() { CLASS[c as usize] & NAME != 0 } else { is_name(c) }
}

/// Whether a text is an `NCName`, hence a possible `xs:ID`.
#[must_use]
pub fn is_ncname(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(starts_ncname) && characters.all(continues_ncname)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_stretch_of_text_is_found_wherever_it_stands() {
        for bits in [TEXT_STOP, VALUE_STOP, ESCAPE_TEXT, ESCAPE_VALUE] {
            for byte in 0..=255u8 {
                for (place, around) in (0..20).zip(b"x ~}!%(;=?\x7F#".iter().cycle()) {
                    let mut text = [*around; 20];
                    text[place] = byte;
                    let found = if CLASS[usize::from(byte)] & bits == 0 { 20 } else { place };
                    assert_eq!(find(&text, 0, bits), found, "{byte:#x} at {place}");
                }
            }
        }
    }
}
