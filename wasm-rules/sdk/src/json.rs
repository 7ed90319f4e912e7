//! JSON where it lies: a value is a place in the input, and is read when it is asked for.
//!
//! Most policies look at a few members of a few publications. To build a tree of all the others took
//! nine tenths of a call, so nothing is built: looking for a member passes over those before it, eight
//! bytes at a time, and stops. The host wrote the input and keeps the strict grammar of the contract;
//! where the bytes are no JSON after all, values read as missing and nothing else happens.

use alloc::string::String;
use core::fmt;

/// A value of the input.
#[derive(Clone, Copy)]
pub struct Json<'j> {
    bytes: &'j [u8],
    /// Where the value begins.
    at: usize,
}

impl<'j> Json<'j> {
    /// What a missing member is.
    pub const NULL: Json<'static> = Json { bytes: b"null", at: 0 };

    /// The value that this text is.
    #[must_use]
    pub fn new(bytes: &'j [u8]) -> Self {
        Json { bytes, at: after_space(bytes, 0) }
    }

    fn first(self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The value as it is written.
    #[must_use]
    pub fn source(self) -> &'j [u8] {
        self.bytes.get(self.at..value_end(self.bytes, self.at)).unwrap_or_default()
    }

    /// The member of an object, or `None` where there is no such member or this is no object.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Json<'j>> {
        let mut members = self.members();
        loop {
            let quote = members.0.advance()?;
            if is_string(members.0.bytes, quote, name) {
                let colon = after_space(members.0.bytes, quote + name.len() + 2);
                return Some(Json { bytes: members.0.bytes, at: after_space(members.0.bytes, colon + 1) });
            }
            let (escaped, value) = members.value_of(quote)?;
            if escaped && (Json { bytes: self.bytes, at: quote }).as_str() == Some(name) {
                return Some(value);
            }
        }
    }

    /// The members of an object with their names; nothing for any other value.
    #[must_use]
    pub fn members(self) -> Members<'j> {
        Members(Places::inside(self, b'{'))
    }

    /// Whether this is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.first() == Some(b'{')
    }

    /// The items of an array; nothing for any other value.
    #[must_use]
    pub fn items(self) -> Items<'j> {
        Items(Places::inside(self, b'['))
    }

    /// Whether this is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.first() == Some(b'[')
    }

    /// The text of a string.
    ///
    /// Borrowed from the input, but for a string with escapes: that one is written anew, and stays until
    /// the call ends, as everything does that a policy allocates.
    #[must_use]
    pub fn as_str(self) -> Option<&'j str> {
        if self.first() != Some(b'"') {
            return None;
        }
        let (end, escaped) = string_end(self.bytes, self.at + 1);
        self.bytes.get(end)?;
        let text = core::str::from_utf8(self.bytes.get(self.at + 1..end)?).ok()?;
        if escaped { unescaped(text).map(|text| &*text.leak()) } else { Some(text) }
    }

    /// Whether this is the string `word`: what comparing [`as_str`](Self::as_str) says, in less time.
    #[must_use]
    pub fn is(self, word: &str) -> bool {
        is_string(self.bytes, self.at, word) || self.as_str() == Some(word)
    }

    /// The value of an integer.
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        let digits = self.bytes.get(self.at..)?;
        let (negative, digits) = match digits {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, digits),
        };
        let mut number: i64 = 0;
        for (at, &byte) in digits.iter().enumerate() {
            match byte {
                b'0'..=b'9' => number = number.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?,
                b'.' | b'e' | b'E' => return None,
                _ if at == 0 => return None,
                _ => break,
            }
        }
        (!digits.is_empty()).then_some(if negative { -number } else { number })
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.first()? {
            b't' => Some(true),
            b'f' => Some(false),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.first() == Some(b'n')
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.source()).unwrap_or("not UTF-8"))
    }
}

/// Places between two brackets, one after each comma.
#[derive(Clone, Copy, Debug)]
struct Places<'j> {
    bytes: &'j [u8],
    at: usize,
    /// Whether `at` is a value that was given out: it is passed over when the next one is wanted.
    given: bool,
}

impl<'j> Places<'j> {
    fn inside(value: Json<'j>, bracket: u8) -> Self {
        if value.first() == Some(bracket) {
            Self { bytes: value.bytes, at: value.at + 1, given: false }
        } else {
            Self { bytes: &[], at: 0, given: false }
        }
    }

    /// Where the next value, or the next member's name, begins.
    fn advance(&mut self) -> Option<usize> {
        if self.given {
            self.at = after_space(self.bytes, value_end(self.bytes, self.at));
            if self.bytes.get(self.at) != Some(&b',') {
                *self = Self { bytes: &[], at: 0, given: false };
                return None;
            }
            self.at += 1;
        }
        self.at = after_space(self.bytes, self.at);
        match self.bytes.get(self.at) {
            None | Some(b']' | b'}') => {
                *self = Self { bytes: &[], at: 0, given: false };
                None
            }
            Some(_) => {
                self.given = true;
                Some(self.at)
            }
        }
    }
}

/// The items of an array, each read when it is asked for.
#[derive(Clone, Debug)]
pub struct Items<'j>(Places<'j>);

impl<'j> Iterator for Items<'j> {
    type Item = Json<'j>;

    fn next(&mut self) -> Option<Json<'j>> {
        let at = self.0.advance()?;
        Some(Json { bytes: self.0.bytes, at })
    }
}

/// The members of an object, each read when it is asked for.
#[derive(Clone, Debug)]
pub struct Members<'j>(Places<'j>);

impl<'j> Members<'j> {
    /// Whether the name at this place has escapes, and the value behind it.
    fn value_of(&mut self, quote: usize) -> Option<(bool, Json<'j>)> {
        let bytes = self.0.bytes;
        if bytes.get(quote) != Some(&b'"') {
            return None;
        }
        let (end, escaped) = string_end(bytes, quote + 1);
        let colon = after_space(bytes, end + 1);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        self.0.at = after_space(bytes, colon + 1);
        Some((escaped, Json { bytes, at: self.0.at }))
    }
}

impl<'j> Iterator for Members<'j> {
    type Item = (&'j str, Json<'j>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.0.advance()?;
        let name = Json { bytes: self.0.bytes, at }.as_str()?;
        Some((name, self.value_of(at)?.1))
    }
}

/// The host writes no spaces; an input that somebody else wrote may have them.
fn after_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(0..=b' ') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Whether this very string, without escapes, stands at a place.
fn is_string(bytes: &[u8], at: usize, word: &str) -> bool {
    let inside = at + 1;
    bytes.get(at) == Some(&b'"')
        && bytes.get(inside + word.len()) == Some(&b'"')
        && bytes.get(inside..inside + word.len()) == Some(word.as_bytes())
        && !word.contains('\\')
}

/// Behind the value that begins at a place, or the end of the input.
fn value_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => string_end(bytes, at + 1).0 + 1,
        Some(b'{' | b'[') => container_end(bytes, at),
        _ => scalar_end(bytes, at),
    }
}

/// Behind a number or a word.
fn scalar_end(bytes: &[u8], mut at: usize) -> usize {
    // Eight digits at once: most numbers are instants, of thirteen.
    while let Some(word) = eight(bytes, at)
        && word & each(0xF0) == each(b'0')
    {
        at += 8;
    }
    while let Some(byte) = bytes.get(at)
        && !matches!(byte, b',' | b']' | b'}' | 0..=b' ')
    {
        at += 1;
    }
    at
}

/// The quote that ends a string whose inside begins at a place, and whether a backslash came before it.
fn string_end(bytes: &[u8], mut at: usize) -> (usize, bool) {
    let mut escaped = false;
    loop {
        if let Some(word) = eight(bytes, at) {
            let found = equal(word, b'"') | equal(word, b'\\');
            if found == 0 {
                at += 8;
                continue;
            }
            at += (found.trailing_zeros() / 8) as usize;
        }
        match bytes.get(at) {
            None => return (bytes.len(), escaped),
            Some(b'"') => return (at, escaped),
            Some(b'\\') => {
                escaped = true;
                at += 2;
            }
            Some(_) => at += 1,
        }
    }
}

/// Behind the object or array that begins at a place: brackets are counted outside of strings, eight
/// bytes at a time.
fn container_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_u32;
    let mut in_string = false;
    loop {
        if let Some(word) = eight(bytes, at)
            && equal(word, b'\\') == 0
        {
            // Of each byte its highest bit: set inside a string, the opening quote included.
            let mut inside = equal(word, b'"');
            inside ^= inside << 8;
            inside ^= inside << 16;
            inside ^= inside << 32;
            if in_string {
                inside ^= each(0x80);
            }
            // One bit tells the square brackets from the curly ones.
            let bracket = word | each(0x20);
            let closing = equal(bracket, b'}') & !inside;
            let opening = equal(bracket, b'{') & !inside;
            // With as many closing as are open, the end may be among these eight.
            if closing.count_ones() < depth {
                depth = depth + opening.count_ones() - closing.count_ones();
                in_string = inside >> 63 != 0;
                at += 8;
                continue;
            }
        }
        let stop = at + 8;
        while at < stop {
            match bytes.get(at) {
                None => return bytes.len(),
                Some(b'"') => in_string = !in_string,
                Some(b'\\') => at += 1,
                Some(b'{' | b'[') if !in_string => depth += 1,
                Some(b'}' | b']') if !in_string => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                Some(_) => {}
            }
            at += 1;
        }
    }
}

/// Eight bytes, the first one lowest.
fn eight(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk))
}

/// The same byte eight times.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The highest bit of each byte that equals this one, and no other bit.
const fn equal(word: u64, byte: u8) -> u64 {
    let differs = word ^ each(byte);
    // The sum reaches the highest bit unless the lower seven are 0, and never the next byte.
    !(((differs & each(0x7F)) + each(0x7F)) | differs | each(0x7F))
}

/// A text with its escapes carried out; `None` where one is none.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at)?);
        let kind = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        out.push(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = hex(rest)?;
                rest = rest.get(4..)?;
                let scalar = match first {
                    0xD800..=0xDBFF => {
                        let second = hex(rest.strip_prefix("\\u")?)?;
                        rest = rest.get(6..)?;
                        0x1_0000 + ((first - 0xD800) << 10) + second.checked_sub(0xDC00)?
                    }
                    other => other,
                };
                char::from_u32(scalar)?
            }
            _ => return None,
        });
    }
    out.push_str(rest);
    Some(out)
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests;
