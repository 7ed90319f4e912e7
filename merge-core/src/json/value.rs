//! A JSON value that was read; strings without escapes are borrowed from the input.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer; its magnitude is at most [`MAX_INTEGER`](super::MAX_INTEGER).
    Int(i64),
    /// A string of Unicode scalar values.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object: its members as written, no name twice.
    Object(Vec<Member<'a>>),
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The member's name.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: Value<'a>,
    /// Where the name begins in the input, in bytes.
    pub offset: usize,
}

impl<'a> Value<'a> {
    /// The member of an object, or `None` where there is no such member or this is no object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.members().iter().find(|member| member.name == name).map(|member| &member.value)
    }

    /// The members of an object; nothing for any other value.
    #[must_use]
    pub fn members(&self) -> &[Member<'a>] {
        match self {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    /// The items of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of an integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// What kind of value this is, as an error message names it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}
