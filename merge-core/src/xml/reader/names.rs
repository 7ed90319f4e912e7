//! Names: which bytes one takes, and where its parts are.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;

use super::{Fault, Reader, fault, malformed};
use crate::xml::chars::{CLASS, NAME, NAME_START, is_name, is_name_start, skip};
use crate::xml::error::XmlErrorKind;
use crate::xml::tree::Spelling;

/// A name as read.
#[derive(Clone, Copy)]
pub(super) struct QName {
    pub(super) start: u32,
    pub(super) spelling: Spelling,
}

impl<'s> Reader<'s> {
    /// `NCName` or `NCName:NCName`.
    pub(super) fn qname(&mut self) -> Result<QName, Box<Fault>> {
        let start = self.at;
        let (mut local, mut end) = (start, self.ncname(start)?);
        if self.bytes.get(end) == Some(&b':') {
            local = end + 1;
            end = self.ncname(local)?;
            if self.bytes.get(end) == Some(&b':') {
                let message = "a name has at most one colon".to_owned();
                return Err(fault(XmlErrorKind::Namespace, end, message));
            }
        }
        if end - start > self.limits.name {
            return Err(self.over("name", start, "bytes in a name"));
        }
        self.at = end;
        Ok(QName { start: start as u32, spelling: Spelling::new(local - start, end - start) })
    }

    /// Where the `NCName` that begins here ends.
    #[inline(always)]
    fn ncname(&self, start: usize) -> Result<usize, Box<Fault>> {
        let mut at = match self.bytes.get(start) {
            Some(byte) if CLASS[usize::from(*byte)] & NAME_START != 0 => start + 1,
            _ => self.name_start(start)?,
        };
        loop {
            at = skip(self.bytes, at, NAME);
            if self.bytes.get(at).is_none_or(|byte| *byte < 0x80) {
                return Ok(at);
            }
            at = self.name_beyond_ascii(at)?;
        }
    }

    /// Behind a character of a name that is beyond ASCII.
    #[cold]
    fn name_beyond_ascii(&self, at: usize) -> Result<usize, Box<Fault>> {
        match self.character(at) {
            Some(c) if is_name(c) => Ok(at + c.len_utf8()),
            _ => Err(malformed(at, "this character cannot be part of a name")),
        }
    }

    /// Behind the first character of a name, which is beyond ASCII or wrong.
    #[cold]
    fn name_start(&self, at: usize) -> Result<usize, Box<Fault>> {
        match self.character(at) {
            Some(c) if !c.is_ascii() && is_name_start(c) => Ok(at + c.len_utf8()),
            Some(c) if !c.is_ascii() => Err(malformed(at, "a name cannot start with this character")),
            Some(':') => {
                let message = "a name cannot start with a colon".to_owned();
                Err(fault(XmlErrorKind::Namespace, at, message))
            }
            Some(_) => Err(malformed(at, "a name is expected here; write &lt; for a < in text")),
            None => Err(malformed(at, "the document ends where a name is expected")),
        }
    }
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte >= 0x80 || byte == b':' || CLASS[usize::from(byte)] & NAME != 0
}

/// The end of the name-like bytes from `at` on.
pub(super) fn skip_name(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| is_name_byte(*byte)) {
        at += 1;
    }
    at
}
