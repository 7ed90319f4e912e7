//! The strict reader.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::value::{Member, Value};

/// The largest magnitude of an integer: 2^53 - 1, what every reader of JSON can hold.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

/// Why a text was refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// The byte at which it was noticed, from 0.
    pub offset: usize,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The text begins with a byte order mark.
    ByteOrderMark,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text ends inside a value.
    UnexpectedEnd,
    /// A byte that cannot stand here.
    UnexpectedByte,
    /// Something follows the value.
    TrailingData,
    /// A number with a fraction or an exponent.
    NotAnInteger,
    /// An integer of more than 53 bits.
    IntegerTooLarge,
    /// An integer with a zero in front.
    LeadingZero,
    /// A control character that is not escaped.
    ControlCharacter,
    /// A backslash before something that needs none.
    BadEscape,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// A member given twice.
    RepeatedMember,
    /// More than [`MAX_DEPTH`] arrays and objects inside each other.
    TooDeep,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            JsonErrorKind::ByteOrderMark => "a byte order mark",
            JsonErrorKind::NotUtf8 => "bytes that are not UTF-8",
            JsonErrorKind::UnexpectedEnd => "the text ends too early",
            JsonErrorKind::UnexpectedByte => "a character that cannot stand here",
            JsonErrorKind::TrailingData => "more text after the value",
            JsonErrorKind::NotAnInteger => "a number that is not written as an integer",
            JsonErrorKind::IntegerTooLarge => "an integer of more than 53 bits",
            JsonErrorKind::LeadingZero => "an integer with a zero in front",
            JsonErrorKind::ControlCharacter => "a control character that is not escaped",
            JsonErrorKind::BadEscape => "an unknown escape",
            JsonErrorKind::LoneSurrogate => "half of a surrogate pair",
            JsonErrorKind::RepeatedMember => "a member given twice",
            JsonErrorKind::TooDeep => "values nested too deeply",
        };
        write!(f, "{what} (byte {})", self.offset)
    }
}

impl core::error::Error for JsonError {}

/// Reads one value.
///
/// # Errors
/// The first thing that the strict grammar refuses, with its place.
pub fn read(bytes: &[u8]) -> Result<Value<'_>, JsonError> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(JsonError { kind: JsonErrorKind::ByteOrderMark, offset: 0 });
    }
    let text = core::str::from_utf8(bytes)
        .map_err(|error| JsonError { kind: JsonErrorKind::NotUtf8, offset: error.valid_up_to() })?;
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.error(JsonErrorKind::TrailingData));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { kind, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What cannot be here: the end of the text, or the byte that stands here.
    fn unexpected(&self) -> JsonError {
        self.error(match self.peek() {
            None => JsonErrorKind::UnexpectedEnd,
            Some(_) => JsonErrorKind::UnexpectedByte,
        })
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.integer().map(Value::Int),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn integer(&mut self) -> Result<i64, JsonError> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let digits = self.at;
        let mut number: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number * 10 + i64::from(digit - b'0');
            if number > MAX_INTEGER {
                return Err(JsonError { kind: JsonErrorKind::IntegerTooLarge, offset: start });
            }
            self.at += 1;
            if self.at - digits == 2 && self.text.as_bytes().get(digits) == Some(&b'0') {
                return Err(JsonError { kind: JsonErrorKind::LeadingZero, offset: start });
            }
        }
        if self.at == digits {
            return Err(self.unexpected());
        }
        if let Some(b'.' | b'e' | b'E') = self.peek() {
            return Err(JsonError { kind: JsonErrorKind::NotAnInteger, offset: start });
        }
        Ok(if negative { -number } else { number })
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut copied = start;
        loop {
            match self.peek() {
                None => return Err(self.error(JsonErrorKind::UnexpectedEnd)),
                Some(b'"') => {
                    let rest = self.text.get(copied..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(rest),
                        Some(mut text) => {
                            text.push_str(rest);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(self.text.get(copied..self.at).unwrap_or_default());
                    let escaped = self.escape()?;
                    if let Some(text) = owned.as_mut() {
                        text.push(escaped);
                    }
                    copied = self.at;
                }
                Some(0..=0x1F) => return Err(self.error(JsonErrorKind::ControlCharacter)),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.at += 1;
        let Some(kind) = self.peek() else { return Err(self.error(JsonErrorKind::UnexpectedEnd)) };
        self.at += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let lone = JsonError { kind: JsonErrorKind::LoneSurrogate, offset: start };
                let first = self.hex4()?;
                match first {
                    0xD800..=0xDBFF => {
                        if self.text.as_bytes().get(self.at..self.at + 2) != Some(b"\\u") {
                            return Err(lone);
                        }
                        self.at += 2;
                        let second = self.hex4()?;
                        if !(0xDC00..=0xDFFF).contains(&second) {
                            return Err(lone);
                        }
                        let scalar = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                        char::from_u32(scalar).ok_or(lone)?
                    }
                    _ => char::from_u32(first).ok_or(lone)?,
                }
            }
            _ => return Err(JsonError { kind: JsonErrorKind::BadEscape, offset: start }),
        })
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut number = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(match self.peek() {
                    None => self.error(JsonErrorKind::UnexpectedEnd),
                    Some(_) => self.error(JsonErrorKind::BadEscape),
                });
            };
            number = number * 16 + digit;
            self.at += 1;
        }
        Ok(number)
    }

    fn enter(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(JsonErrorKind::TooDeep));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.unexpected()),
            }
            self.skip_space();
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        self.enter(depth)?;
        let mut members: Vec<Member<'a>> = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let offset = self.at;
            let name = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected());
            }
            self.at += 1;
            self.skip_space();
            let value = self.value(depth + 1)?;
            members.push(Member { name, value, offset });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return match repeated(&members) {
                        Some(offset) => Err(JsonError { kind: JsonErrorKind::RepeatedMember, offset }),
                        None => Ok(Value::Object(members)),
                    };
                }
                _ => return Err(self.unexpected()),
            }
            self.skip_space();
        }
    }
}

/// Where the first member stands whose name was there before. Objects of thousands of members are
/// sorted, so that hostile input costs no more than honest input.
fn repeated(members: &[Member<'_>]) -> Option<usize> {
    if members.len() <= 16 {
        return members.iter().enumerate().find_map(|(at, member)| {
            let before = members.get(..at).unwrap_or_default();
            before.iter().any(|other| other.name == member.name).then_some(member.offset)
        });
    }
    let mut order: Vec<&Member<'_>> = members.iter().collect();
    crate::order::sort_by(&mut order, |a, b| a.name.cmp(&b.name).then(a.offset.cmp(&b.offset)));
    order.windows(2).filter(|pair| pair[0].name == pair[1].name).map(|pair| pair[1].offset).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use JsonErrorKind::*;

    fn check(input: &[u8], expect: Result<&str, (JsonErrorKind, usize)>) {
        let got = read(input).map(|value| alloc::format!("{value:?}"));
        match expect {
            Ok(text) => assert_eq!(got.as_deref(), Ok(text), "{input:?}"),
            Err((kind, offset)) => assert_eq!(got, Err(JsonError { kind, offset }), "{input:?}"),
        }
    }

    #[test]
    fn values_of_every_kind_are_read() {
        check(b" null ", Ok("Null"));
        check(b"true", Ok("Bool(true)"));
        check(b"-0", Ok("Int(0)"));
        check(b"9007199254740991", Ok("Int(9007199254740991)"));
        check(b"-9007199254740991", Ok("Int(-9007199254740991)"));
        check(b"[1, -2]", Ok("Array([Int(1), Int(-2)])"));
        check(br#""a\u00e9\ud83d\ude00\n\/""#, Ok("String(\"a\u{e9}\u{1F600}\\n/\")"));
        check(b"{ }", Ok("Object([])"));
    }

    #[test]
    fn what_two_readers_could_see_differently_is_refused_with_its_place() {
        check(b"\xEF\xBB\xBF{}", Err((ByteOrderMark, 0)));
        check(b"\"\xff\"", Err((NotUtf8, 1)));
        check(b"900.0", Err((NotAnInteger, 0)));
        check(b"[1e3]", Err((NotAnInteger, 1)));
        check(b"9e2", Err((NotAnInteger, 0)));
        check(b"9007199254740992", Err((IntegerTooLarge, 0)));
        check(b"-9007199254740992", Err((IntegerTooLarge, 0)));
        check(b"01", Err((LeadingZero, 0)));
        check(b"-", Err((UnexpectedEnd, 1)));
        check(br#""\ud83d""#, Err((LoneSurrogate, 1)));
        check(br#""\ud83d\u0041""#, Err((LoneSurrogate, 1)));
        check(br#""\ude00""#, Err((LoneSurrogate, 1)));
        check(br#""\x""#, Err((BadEscape, 1)));
        check(b"\"a\nb\"", Err((ControlCharacter, 2)));
        check(br#"{"a":1,"a":2}"#, Err((RepeatedMember, 7)));
        check(br#"{"a":1,"\u0061":2}"#, Err((RepeatedMember, 7)));
        check(b"{} x", Err((TrailingData, 3)));
        check(b"[1,]", Err((UnexpectedByte, 3)));
        check(b"{\"a\"", Err((UnexpectedEnd, 4)));
        check(b"tru", Err((UnexpectedEnd, 3)));
        check(b"", Err((UnexpectedEnd, 0)));
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let deep = |n: usize| [alloc::vec![b'['; n], alloc::vec![b']'; n]].concat();
        assert!(read(&deep(MAX_DEPTH)).is_ok());
        check(&deep(MAX_DEPTH + 1), Err((TooDeep, MAX_DEPTH)));
        check(&alloc::vec![b'['; 1_000_000], Err((TooDeep, MAX_DEPTH)));
    }

    #[test]
    fn a_repeated_member_among_thousands_is_found() {
        let mut text = String::from("{");
        for n in 0..5000 {
            text.push_str(&alloc::format!("\"m{n}\":0,"));
        }
        let offset = text.len();
        text.push_str("\"m17\":1}");
        check(text.as_bytes(), Err((RepeatedMember, offset)));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_a_lenient_reader_reads_too(text in "[\\[\\]{}\",:0-9a-e\\\\. -]{0,24}") {
            if read(text.as_bytes()).is_ok() {
                proptest::prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = read(&bytes);
        }
    }
}
