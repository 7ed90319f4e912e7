//! Why a document is refused, ready to be answered with.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use crate::xml::{Element, XmlError, XmlErrorKind};

/// What kind of fault a refused document has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The XML itself.
    Xml(XmlError),
    /// Another root element than PIDF's `presence`.
    WrongRoot,
    /// `entity` is empty or no URI.
    Entity,
    /// Something in the namespace of PIDF or of the data model that RFC 3863 or 4479 does not have there.
    Shape,
}

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What kind of fault.
    pub kind: ReadErrorKind,
    /// What is wrong and where, in one sentence, for people.
    pub message: String,
}

impl ReadError {
    pub(super) fn xml(error: XmlError) -> ReadError {
        ReadError { message: error.to_string(), kind: ReadErrorKind::Xml(error) }
    }

    pub(super) fn at(kind: ReadErrorKind, element: Element<'_>, message: &str) -> ReadError {
        let (line, column) = element.position();
        ReadError { kind, message: format!("line {line}, column {column}: {message}") }
    }

    /// The SIP status to answer a PUBLISH with: 413 when it is too large, 415 when it is not UTF-8,
    /// otherwise 400.
    #[must_use]
    pub fn status(&self) -> u16 {
        match &self.kind {
            ReadErrorKind::Xml(XmlError { kind: XmlErrorKind::Limit("bytes"), .. }) => 413,
            ReadErrorKind::Xml(XmlError { kind: XmlErrorKind::Encoding, .. }) => 415,
            _ => 400,
        }
    }

    /// The message as the text of a Warning header with code 399 (RFC 3261 section 20.43), to stand between
    /// quotes: what would end them is replaced, and so is all that is not printable ASCII; at most 200 bytes.
    #[must_use]
    pub fn warning_text(&self) -> String {
        let safe = |c| match c {
            '"' => '\'',
            ' '..='~' if c != '\\' => c,
            _ => '?',
        };
        self.message.chars().map(safe).take(200).collect()
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for ReadError {}
