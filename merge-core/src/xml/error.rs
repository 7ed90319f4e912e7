//! What is wrong with a document, where, and what to do about it.

use alloc::string::String;
use core::fmt;

/// Why a document cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum XmlErrorKind {
    /// Not UTF-8, or declared to be something else. SIP: 415.
    Encoding,
    /// A limit of [`Limits`](super::Limits) was exceeded, by its name. SIP: 413 for `bytes`, otherwise 400.
    Limit(&'static str),
    /// A document type declaration, which presence never needs and attackers do.
    Doctype,
    /// Not well-formed XML 1.0.
    Malformed,
    /// Well-formed, but a prefix is unbound, badly bound, or an attribute is given twice.
    Namespace,
}

/// A refusal of the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError {
    /// The kind of fault.
    pub kind: XmlErrorKind,
    /// Bytes before the place of the fault.
    pub offset: usize,
    /// Line of the fault, from 1.
    pub line: usize,
    /// Column of the fault in characters, from 1.
    pub column: usize,
    /// One sentence: what was found and what was expected.
    pub message: String,
}

impl XmlError {
    pub(crate) fn at(kind: XmlErrorKind, bytes: &[u8], offset: usize, message: String) -> XmlError {
        let (line, column) = position(bytes, offset);
        XmlError { kind, offset, line, column, message }
    }
}

/// Line and column, from 1. Columns are counted in characters.
pub(super) fn position(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // Continuation bytes of UTF-8 do not start a character.
    let column = 1 + before.iter().skip(line_start).filter(|byte| **byte & 0xC0 != 0x80).count();
    (line, column)
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl core::error::Error for XmlError {}
