//! How a section of the configuration is defined: once, with its documentation.
//!
//! The [`section!`] macro turns one block into the struct that serde fills, its defaults, and the
//! rows of `docs/configuration.md`, so the three cannot drift apart.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// One key of the configuration, as the documentation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key's name inside its section.
    pub name: &'static str,
    /// What values it takes, in words.
    pub kind: &'static str,
    /// The default, written as TOML.
    pub default: String,
    /// What it does.
    pub text: String,
}

/// One section (a TOML table) of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The table's name.
    pub name: &'static str,
    /// Whether the table may be given several times (`[[name]]`).
    pub repeated: bool,
    /// What the section is about.
    pub text: String,
    /// Its keys, in the order of the definition.
    pub keys: Vec<Key>,
}

/// A type that a key may have: it can say what it takes and show its default.
pub(crate) trait KeyType {
    /// What values the key takes, in words.
    const KIND: &'static str;
    /// The value as it would be written in the file.
    fn show(&self) -> String;
}

impl KeyType for bool {
    const KIND: &'static str = "true or false";
    fn show(&self) -> String {
        self.to_string()
    }
}

impl KeyType for u32 {
    const KIND: &'static str = "whole number from 0";
    fn show(&self) -> String {
        self.to_string()
    }
}

impl KeyType for usize {
    const KIND: &'static str = "whole number from 0";
    fn show(&self) -> String {
        self.to_string()
    }
}

impl KeyType for String {
    const KIND: &'static str = "text";
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl KeyType for SocketAddr {
    const KIND: &'static str = "address:port";
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl<T: KeyType> KeyType for Option<T> {
    const KIND: &'static str = T::KIND;
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "(not set)".to_owned(), T::show)
    }
}

impl KeyType for Vec<String> {
    const KIND: &'static str = "list of texts";
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl KeyType for Vec<SocketAddr> {
    const KIND: &'static str = "list of address:port";
    fn show(&self) -> String {
        format!("{:?}", self.iter().map(SocketAddr::to_string).collect::<Vec<_>>())
    }
}

impl KeyType for BTreeMap<String, String> {
    const KIND: &'static str = "table of texts";
    fn show(&self) -> String {
        let pairs: Vec<String> = self.iter().map(|(name, value)| format!("{name:?} = {value:?}")).collect();
        format!("{{{}}}", pairs.join(", "))
    }
}

/// Joins the lines of a doc comment into one paragraph.
pub(crate) fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Defines one section: struct, defaults and documentation from one text.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $(#[repeated = $repeated:literal])?
        $section:literal $name:ident {
            $( $(#[doc = $doc:literal])+ $key:ident : $type:ty = $default:expr, )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $key: $type, )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )+ }
            }
        }

        impl $name {
            /// This section as the documentation shows it.
            pub fn section() -> $crate::config::Section {
                use $crate::config::definition::{KeyType, paragraph};
                let defaults = Self::default();
                $crate::config::Section {
                    name: $section,
                    repeated: false $( || $repeated )?,
                    text: paragraph(&[$($about),+]),
                    keys: vec![
                        $( $crate::config::Key {
                            name: stringify!($key),
                            kind: <$type as KeyType>::KIND,
                            default: defaults.$key.show(),
                            text: paragraph(&[$($doc),+]),
                        }, )+
                    ],
                }
            }
        }
    };
}
pub(crate) use section;

/// Defines a key that takes one of a few words.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $name:ident ($kind:literal) { $( $(#[doc = $doc:literal])+ $word:literal => $variant:ident, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $doc])+ #[serde(rename = $word)] $variant, )+
        }

        impl $crate::config::definition::KeyType for $name {
            const KIND: &'static str = $kind;
            fn show(&self) -> String {
                match self { $( Self::$variant => format!("{:?}", $word), )+ }
            }
        }
    };
}
pub(crate) use words;
