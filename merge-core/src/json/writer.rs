//! The writer: one growing buffer, commas placed by itself, nothing else decided.

use alloc::string::String;
use alloc::vec::Vec;

use super::value::Value;

/// Writes JSON text without spaces, members in the order of the calls.
///
/// Commas follow from what was written last, so a value can be written by code that does not know
/// where it stands. Balanced calls are the caller's business.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty text.
    #[must_use]
    pub fn new() -> Writer {
        Writer::default()
    }

    /// An empty text with room for this many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { out: Vec::with_capacity(bytes) }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// What was written.
    #[must_use]
    pub fn into_string(self) -> String {
        // Only whole `str`s and ASCII are ever appended, so the lossy way never loses anything.
        String::from_utf8(self.out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Begins an object.
    pub fn begin_object(&mut self) {
        self.comma();
        self.out.push(b'{');
    }

    /// Ends the object begun last.
    pub fn end_object(&mut self) {
        self.out.push(b'}');
    }

    /// Begins an array.
    pub fn begin_array(&mut self) {
        self.comma();
        self.out.push(b'[');
    }

    /// Ends the array begun last.
    pub fn end_array(&mut self) {
        self.out.push(b']');
    }

    /// The name of the next member; its value must follow.
    pub fn key(&mut self, name: &str) -> &mut Writer {
        self.comma();
        self.quoted(name);
        self.out.push(b':');
        self
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.comma();
        self.quoted(text);
    }

    /// An integer.
    pub fn int(&mut self, number: i64) {
        self.comma();
        let mut digits = [0_u8; 20];
        let mut rest = number.unsigned_abs();
        let mut length = 0;
        for place in digits.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
            length += 1;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.out.push(b'-');
        }
        self.out.extend_from_slice(&digits[digits.len() - length..]);
    }

    /// A boolean.
    pub fn bool(&mut self, flag: bool) {
        self.comma();
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// `null`.
    pub fn null(&mut self) {
        self.comma();
        self.out.extend_from_slice(b"null");
    }

    /// A value that was read, member by member as it was written.
    pub fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => self.null(),
            Value::Bool(flag) => self.bool(*flag),
            Value::Int(number) => self.int(*number),
            Value::String(text) => self.string(text),
            Value::Array(items) => {
                self.begin_array();
                items.iter().for_each(|item| self.value(item));
                self.end_array();
            }
            Value::Object(members) => {
                self.begin_object();
                members.iter().for_each(|member| self.key(&member.name).value(&member.value));
                self.end_object();
            }
        }
    }

    /// A member that is left out where there is nothing to say.
    pub fn string_member(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.key(name).string(text);
        }
    }

    /// A member that is left out where there is nothing to say.
    pub fn int_member(&mut self, name: &str, number: Option<i64>) {
        if let Some(number) = number {
            self.key(name).int(number);
        }
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }

    fn quoted(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.out.push(b'"');
        let bytes = text.as_bytes();
        let mut copied = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let short = match byte {
                b'"' => b'"',
                b'\\' => b'\\',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0..=0x1F | 0x7F => b'u',
                _ => continue,
            };
            self.out.extend_from_slice(&bytes[copied..at]);
            self.out.extend_from_slice(&[b'\\', short]);
            if short == b'u' {
                let high = HEX[usize::from(byte >> 4)];
                let low = HEX[usize::from(byte & 15)];
                self.out.extend_from_slice(&[b'0', b'0', high, low]);
            }
            copied = at + 1;
        }
        self.out.extend_from_slice(&bytes[copied..]);
        self.out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read;
    use proptest::prelude::*;

    #[test]
    fn members_come_out_in_the_order_they_were_given() {
        let mut out = Writer::new();
        out.begin_object();
        out.key("z").int(i64::MIN);
        out.key("a").begin_array();
        out.bool(true);
        out.null();
        out.begin_object();
        out.end_object();
        out.string("\u{1}\"\\\n\u{7f}é");
        out.end_array();
        out.string_member("left", None);
        out.int_member("n", Some(-10));
        out.end_object();
        assert_eq!(
            out.into_string(),
            "{\"z\":-9223372036854775808,\"a\":[true,null,{},\"\\u0001\\\"\\\\\\n\\u007fé\"],\"n\":-10}"
        );
    }

    fn any_value() -> impl Strategy<Value = Value<'static>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-crate::json::MAX_INTEGER..=crate::json::MAX_INTEGER).prop_map(Value::Int),
            ".{0,8}".prop_map(|text| Value::String(text.into())),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(".{0,4}", inner, 0..6).prop_map(|map| {
                    Value::Object(
                        map.into_iter()
                            .map(|(name, value)| crate::json::Member { name: name.into(), value, offset: 0 })
                            .collect(),
                    )
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_written_alike(value in any_value()) {
            let mut out = Writer::new();
            out.value(&value);
            let bytes = out.into_bytes();
            let read_back = read(&bytes).unwrap();
            let mut again = Writer::new();
            again.value(&read_back);
            prop_assert_eq!(&bytes, &again.into_bytes());
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
