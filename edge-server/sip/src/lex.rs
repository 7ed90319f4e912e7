//! Character classes of RFC 3261 25.1 and a cursor over one header value.
//!
//! The cursor only ever stops at ASCII bytes or at the end, so every slice it cuts lies on
//! character boundaries; `get` with an empty default keeps that from becoming a panic.

const TOKEN: u16 = 1;
const UNRESERVED: u16 = 4;
const USER: u16 = 8;
const PARAM: u16 = 16;
const HEADER: u16 = 32;
const HOST: u16 = 64;
const VALUE: u16 = 128;
const ADDRESS: u16 = 256;
const WORDS: u16 = 512;

static CLASS: [u16; 256] = classes();

#[inline]
pub(crate) fn is_token(b: u8) -> bool {
    CLASS[b as usize] & TOKEN != 0
}
#[inline]
pub(crate) fn is_unreserved(b: u8) -> bool {
    CLASS[b as usize] & UNRESERVED != 0
}
/// unreserved / user-unreserved
#[inline]
pub(crate) fn is_user(b: u8) -> bool {
    CLASS[b as usize] & (USER | UNRESERVED) != 0
}
/// password: unreserved / "&" / "=" / "+" / "$" / ","
#[inline]
pub(crate) fn is_password(b: u8) -> bool {
    is_unreserved(b) || matches!(b, b'&' | b'=' | b'+' | b'$' | b',')
}
#[inline]
pub(crate) fn is_uri_param(b: u8) -> bool {
    CLASS[b as usize] & (PARAM | UNRESERVED) != 0
}
#[inline]
pub(crate) fn is_uri_header(b: u8) -> bool {
    CLASS[b as usize] & (HEADER | UNRESERVED) != 0
}
/// Letters, digits, `-`, `.` and, since real host names have it, `_`.
#[inline]
pub(crate) fn is_host(b: u8) -> bool {
    CLASS[b as usize] & HOST != 0
}
/// An unquoted parameter value: any visible ASCII but the separators that end it. Wider than
/// gen-value so that `received=2001:db8::1` (RFC 5118 4.5) and base64 are read.
#[inline]
pub(crate) fn is_value(b: u8) -> bool {
    CLASS[b as usize] & VALUE != 0
}
/// What may stand between `<` and `>`: anything visible, non-ASCII too, but those and `"`.
#[inline]
pub(crate) fn is_address(b: u8) -> bool {
    CLASS[b as usize] & ADDRESS != 0
}
/// What may stand in a display name without quotes: tokens and white space. Non-ASCII letters are
/// outside the grammar, but clear.
#[inline]
pub(crate) fn is_words(b: u8) -> bool {
    CLASS[b as usize] & WORDS != 0
}
#[inline]
pub(crate) fn is_ws(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

#[inline]
pub(crate) fn is_token_str(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token)
}

/// Decimal digits only; `None` when empty or not digits; saturates at `u64::MAX`.
pub(crate) fn digits(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut n = 0u64;
    for b in text.bytes() {
        if !b.is_ascii_digit() {
            return None;
        }
        n = n.saturating_mul(10).saturating_add(u64::from(b - b'0'));
    }
    Some(n)
}

/// A cursor over one header value, from which folds have been removed.
#[derive(Clone, Copy)]
pub(crate) struct Lex<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lex<'a> {
    #[inline]
    pub(crate) fn new(text: &'a str) -> Lex<'a> {
        Lex { text, at: 0 }
    }

    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.text.len()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(crate) fn bump(&mut self) {
        self.at += 1;
    }

    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    #[inline]
    pub(crate) fn skip_ws(&mut self) {
        while self.peek().is_some_and(is_ws) {
            self.at += 1;
        }
    }

    /// A separator with white space around it; nothing moves when it is not there.
    #[inline]
    pub(crate) fn separator(&mut self, byte: u8) -> bool {
        let back = self.at;
        self.skip_ws();
        if self.eat(byte) {
            self.skip_ws();
            true
        } else {
            self.at = back;
            false
        }
    }

    #[inline]
    pub(crate) fn take_while(&mut self, mut accept: impl FnMut(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or(&[]);
        self.at = start + rest.iter().position(|b| !accept(*b)).unwrap_or(rest.len());
        self.since(start)
    }

    #[inline]
    pub(crate) fn token(&mut self) -> Option<&'a str> {
        let token = self.take_while(is_token);
        (!token.is_empty()).then_some(token)
    }

    /// A quoted string, quotes included. A NUL stands in one behind a backslash only (RFC 3261 25.1).
    #[inline]
    pub(crate) fn quoted(&mut self) -> Option<&'a str> {
        let start = self.at;
        if !self.eat(b'"') {
            return None;
        }
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let found = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0))?;
            self.at += found + 1;
            match rest.get(found) {
                Some(b'"') => return Some(self.since(start)),
                Some(b'\\') => self.at += 1,
                _ => return None,
            }
        }
    }
}

const fn classes() -> [u16; 256] {
    let mut table = [0u16; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        let alnum = b.is_ascii_alphanumeric();
        let mut class = 0;
        if alnum {
            class |= TOKEN | UNRESERVED | HOST;
        }
        if matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~') {
            class |= TOKEN;
        }
        if matches!(b, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')') {
            class |= UNRESERVED;
        }
        if matches!(b, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/') {
            class |= USER;
        }
        if matches!(b, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$') {
            class |= PARAM;
        }
        if matches!(b, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$') {
            class |= HEADER;
        }
        if matches!(b, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        if b > b' ' && b < 127 && !matches!(b, b';' | b',' | b'"' | b'<' | b'>') {
            class |= VALUE;
        }
        if b > b' ' && b != 127 && !matches!(b, b'<' | b'>' | b'"') {
            class |= ADDRESS;
        }
        if class & TOKEN != 0 || matches!(b, b' ' | b'\t') || b >= 0x80 {
            class |= WORDS;
        }
        table[i] = class;
        i += 1;
    }
    table
}
