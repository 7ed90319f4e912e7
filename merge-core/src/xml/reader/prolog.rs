//! What stands before, between and after elements: the XML declaration, comments, instructions.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;

use super::{Fault, Reader, fault, malformed};
use crate::xml::chars::{CLASS, NAME};
use crate::xml::error::XmlErrorKind;
use crate::xml::tree::CutKind;

impl<'s> Reader<'s> {
    /// `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`, if there is one.
    pub(super) fn declaration(&mut self) -> Result<(), Box<Fault>> {
        if !self.rest_starts_with("<?xml")
            || self.bytes.get(5).is_some_and(|b| CLASS[usize::from(*b)] & NAME != 0)
        {
            return Ok(());
        }
        self.at = 5;
        let version = self
            .pseudo_attribute("version")?
            .ok_or_else(|| malformed(self.at, "the XML declaration must start with version=\"1.0\""))?;
        let minor = version.strip_prefix("1.").unwrap_or_default();
        if minor.is_empty() || !minor.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed(self.at, "the XML version must be 1.0"));
        }
        if let Some(encoding) = self.pseudo_attribute("encoding")? {
            let ascii = encoding.eq_ignore_ascii_case("us-ascii");
            if !ascii && !encoding.eq_ignore_ascii_case("utf-8") {
                let message = format!("the declared encoding is {encoding:?}; send the document as UTF-8");
                return Err(fault(XmlErrorKind::Encoding, self.at, message));
            }
            if let Some(other) = self.bytes.iter().position(|byte| ascii && !byte.is_ascii()) {
                let message =
                    "a character that the declared encoding, US-ASCII, does not have; declare UTF-8";
                return Err(fault(XmlErrorKind::Encoding, other, message.to_owned()));
            }
        }
        if let Some(standalone) = self.pseudo_attribute("standalone")?
            && standalone != "yes"
            && standalone != "no"
        {
            return Err(malformed(self.at, "standalone must be \"yes\" or \"no\""));
        }
        self.space();
        if !self.rest_starts_with("?>") {
            return Err(malformed(self.at, "the XML declaration must end with ?>"));
        }
        self.at += 2;
        Ok(())
    }

    /// `S name S? = S? "value"`, if that name comes next.
    pub(super) fn pseudo_attribute(&mut self, name: &str) -> Result<Option<&'s str>, Box<Fault>> {
        let before = self.at;
        let spaced = self.space();
        if !self.rest_starts_with(name) {
            self.at = before;
            return Ok(None);
        }
        if !spaced {
            return Err(malformed(self.at, "white space is missing in the XML declaration"));
        }
        self.at += name.len();
        self.equals()?;
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            return Err(malformed(self.at, "a value in quotes is expected here"));
        };
        self.at += 1;
        let start = self.at;
        while self.peek().is_some_and(|b| b != quote && b.is_ascii_graphic()) {
            self.at += 1;
        }
        if self.peek() != Some(quote) {
            return Err(malformed(self.at, "the value in the XML declaration is not closed"));
        }
        self.at += 1;
        Ok(self.source.get(start..self.at - 1))
    }

    /// White space, comments and instructions up to the root element's `<`.
    pub(super) fn outside_root(&mut self, missing: &str) -> Result<(), Box<Fault>> {
        loop {
            self.space();
            match self.peek() {
                None => return Err(malformed(self.at, missing)),
                Some(b'<') => {}
                Some(_) => return Err(malformed(self.at, "text before the root element")),
            }
            if !self.comment_or_instruction()? {
                self.at += 1;
                return Ok(());
            }
        }
    }

    /// Skips a comment or a processing instruction if one starts here.
    pub(super) fn comment_or_instruction(&mut self) -> Result<bool, Box<Fault>> {
        if self.rest_starts_with("<!--") {
            self.comment()?;
        } else if self.rest_starts_with("<?") {
            self.instruction()?;
        } else if self.rest_starts_with("<!") {
            return Err(self.declaration_refused());
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) fn declaration_refused(&self) -> Box<Fault> {
        if self.rest_starts_with("<!DOCTYPE") {
            let message = "a document type declaration is not allowed; leave the <!DOCTYPE> out".to_owned();
            return fault(XmlErrorKind::Doctype, self.at, message);
        }
        malformed(self.at, "<! must begin a comment <!-- or, inside an element, <![CDATA[")
    }

    pub(super) fn comment(&mut self) -> Result<(), Box<Fault>> {
        let start = self.at;
        self.at += 4;
        let end = self.find_text("--", start, "the comment is not closed with -->")?;
        if self.bytes.get(end + 2) != Some(&b'>') {
            return Err(malformed(end, "-- must not stand inside a comment"));
        }
        self.cut(start, end + 3, CutKind::Dropped);
        Ok(())
    }

    pub(super) fn instruction(&mut self) -> Result<(), Box<Fault>> {
        let start = self.at;
        self.at += 2;
        let name = self.qname()?;
        let target = self.source.get(start + 2..self.at).unwrap_or_default();
        if name.spelling.prefix() != 0 {
            return Err(fault(
                XmlErrorKind::Namespace,
                start,
                "the name of an instruction has no colon".to_owned(),
            ));
        }
        if target.eq_ignore_ascii_case("xml") {
            return Err(malformed(start, "<?xml ...?> may only stand at the very start of the document"));
        }
        if !self.rest_starts_with("?>") && !self.space() {
            return Err(malformed(self.at, "white space is missing after the instruction's name"));
        }
        let end = self.find_text("?>", start, "the instruction is not closed with ?>")?;
        self.cut(start, end + 2, CutKind::Dropped);
        Ok(())
    }
}
