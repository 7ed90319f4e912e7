//! The reader: one pass, no recursion, no allocation but the arena's own.
//!
//! It reads XML 1.0 with namespaces, without a document type. What it accepts, every XML parser accepts and
//! understands the same way; what it refuses, it refuses with a place and a reason.

mod names;
mod namespaces;
mod prolog;
mod tags;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chars::{CLASS, SPACE, SUSPECT, TEXT_STOP, find, skip};
use super::error::{XmlError, XmlErrorKind};
use super::limits::Limits;
use super::text;
use super::tree::{Attribute, Cut, CutKind, Declaration, Node, Text, Tree};

impl Tree {
    /// Reads a document under the default limits.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(bytes: &[u8]) -> Result<Tree, XmlError> {
        Tree::read_with(bytes, &Limits::DEFAULT)
    }

    /// Reads a document under limits of the caller's own.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read_with(bytes: &[u8], limits: &Limits) -> Result<Tree, XmlError> {
        let limits = limits.capped();
        let located = |fault: Box<Fault>, skipped: usize| {
            XmlError::at(fault.kind, bytes, skipped + fault.at, fault.message)
        };
        if bytes.len() > limits.bytes {
            let message = format!("the document has {} bytes, {} are allowed", bytes.len(), limits.bytes);
            return Err(located(fault(XmlErrorKind::Limit("bytes"), limits.bytes, message), 0));
        }
        let text = utf8(bytes).map_err(|fault| located(fault, 0))?;
        // A byte order mark is no part of the text.
        let source = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let skipped = text.len() - source.len();
        Reader::new(source, limits).document().map_err(|fault| located(fault, skipped))
    }
}

/// An error before line and column were counted. In a box, so that a step that succeeds hands on one word.
struct Fault {
    kind: XmlErrorKind,
    at: usize,
    message: String,
}

#[cold]
fn fault(kind: XmlErrorKind, at: usize, message: String) -> Box<Fault> {
    Box::new(Fault { kind, at, message })
}

#[cold]
fn malformed(at: usize, message: &str) -> Box<Fault> {
    fault(XmlErrorKind::Malformed, at, message.to_owned())
}

fn utf8(bytes: &[u8]) -> Result<&str, Box<Fault>> {
    if matches!(bytes, [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, b'<', ..] | [b'<', 0, ..]) {
        let message = "the document is UTF-16; send it as UTF-8".to_owned();
        return Err(fault(XmlErrorKind::Encoding, 0, message));
    }
    core::str::from_utf8(bytes).map_err(|error| {
        let message = "the bytes here are not UTF-8; send the document as UTF-8".to_owned();
        fault(XmlErrorKind::Encoding, error.valid_up_to(), message)
    })
}

struct Reader<'s> {
    source: &'s str,
    bytes: &'s [u8],
    at: usize,
    limits: Limits,
    /// The open element; meaningless at depth 0.
    current: u16,
    depth: usize,
    /// 1 + the innermost declaration in scope.
    scope: u16,
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    declarations: Vec<Declaration>,
    namespaces: Vec<Text>,
    cuts: Vec<Cut>,
    decoded: String,
    /// Elements that have an attribute called `id`.
    with_id: Vec<u16>,
    /// An element in no namespace was seen.
    unqualified: bool,
    /// An `xml:lang` was seen.
    has_lang: bool,
}

impl<'s> Reader<'s> {
    fn new(source: &'s str, limits: Limits) -> Reader<'s> {
        let bytes = source.as_bytes();
        // Presence documents have an element in about 40 bytes and an attribute in about 80. Counting first would
        // be exact, and cost as much as reading.
        let nodes = bytes.len() / 32 + 4;
        Reader {
            source,
            bytes,
            at: 0,
            limits,
            current: 0,
            depth: 0,
            scope: 0,
            nodes: Vec::with_capacity(nodes.min(limits.nodes)),
            attributes: Vec::with_capacity(nodes / 2),
            declarations: Vec::with_capacity(16),
            namespaces: Vec::new(),
            cuts: Vec::new(),
            decoded: String::new(),
            with_id: Vec::with_capacity(8),
            unqualified: false,
            has_lang: false,
        }
    }

    fn document(mut self) -> Result<Tree, Box<Fault>> {
        self.declaration()?;
        self.outside_root("the document has no element")?;
        self.start_tag()?;
        while self.depth > 0 {
            self.content()?;
        }
        while self.at < self.bytes.len() {
            self.at = skip(self.bytes, self.at, SPACE);
            if self.at == self.bytes.len() {
                break;
            }
            if !self.comment_or_instruction()? {
                return Err(malformed(self.at, "only comments may follow the end of the root element"));
            }
        }
        let inherits_lang = self.has_lang && self.lang_is_inherited();
        Ok(Tree {
            with_id: self.with_id.into_boxed_slice(),
            unqualified: self.unqualified,
            inherits_lang,
            source: Box::from(self.source),
            nodes: self.nodes.into_boxed_slice(),
            attributes: self.attributes.into_boxed_slice(),
            declarations: self.declarations.into_boxed_slice(),
            namespaces: self.namespaces.into_boxed_slice(),
            cuts: self.cuts.into_boxed_slice(),
            decoded: self.decoded.into_boxed_str(),
        })
    }

    /// Character data up to the next markup, and that markup.
    fn content(&mut self) -> Result<(), Box<Fault>> {
        let start = self.at;
        loop {
            self.at = find(self.bytes, self.at, TEXT_STOP);
            match self.peek() {
                Some(b'<') => break,
                Some(b'&') => {
                    self.not_plain();
                    self.reference()?;
                }
                Some(b'\r') => {
                    self.not_plain();
                    self.at += 1;
                }
                Some(b'>') => {
                    let before = self.bytes.get(start..self.at).unwrap_or_default();
                    if before.ends_with(b"]]") {
                        return Err(malformed(self.at - 2, "]]> must not stand in text; write ]]&gt;"));
                    }
                    let behind_cut = self.cuts.last().is_some_and(|cut| cut.end as usize == start);
                    if behind_cut && matches!(before, b"" | b"]") {
                        let at = self.at as u32;
                        self.cuts.push(Cut { start: at, end: at + 1, kind: CutKind::Greater });
                    }
                    self.at += 1;
                }
                Some(_) => {
                    self.check_character(self.at)?;
                    self.at += 1;
                }
                None => {
                    let open = self.nodes.get(usize::from(self.current)).copied();
                    let name = shown(open.map_or(b"", |node| self.qname_of(&node)));
                    return Err(fault(
                        XmlErrorKind::Malformed,
                        self.at,
                        format!("the document ends inside <{name}>; </{name}> is missing"),
                    ));
                }
            }
        }
        match self.bytes.get(self.at + 1) {
            Some(b'/') => self.end_tag(),
            Some(b'!') if self.rest_starts_with("<!--") => self.comment(),
            Some(b'!') if self.rest_starts_with("<![CDATA[") => {
                let start = self.at;
                self.at += 9;
                let end = self.find_text("]]>", start, "the CDATA section is not closed with ]]>")?;
                self.cut(start, end + 3, CutKind::Cdata);
                Ok(())
            }
            Some(b'!') => Err(self.declaration_refused()),
            Some(b'?') => self.instruction(),
            _ => {
                self.not_plain();
                self.at += 1;
                self.start_tag()
            }
        }
    }

    /// The open element holds more than text that means itself.
    fn not_plain(&mut self) {
        if let Some(node) = self.nodes.get_mut(usize::from(self.current)) {
            node.marks.set_not_plain();
        }
    }

    /// A reference; `at` is at its `&`.
    fn reference(&mut self) -> Result<(), Box<Fault>> {
        let start = self.at;
        let rest = &self.bytes[start + 1..];
        let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
        if rest.get(length) != Some(&b';') {
            return Err(malformed(
                start,
                "& must begin a reference such as &amp; - write &amp; for the character itself",
            ));
        }
        let name = &self.source[start + 1..start + 1 + length];
        if text::reference(name).is_none() {
            let message = format!("&{name}; is neither one of lt gt amp quot apos nor a character's number");
            return Err(fault(XmlErrorKind::Malformed, start, message));
        }
        self.at += length + 2;
        Ok(())
    }

    fn cut(&mut self, start: usize, end: usize, kind: CutKind) {
        if self.depth > 0 {
            self.not_plain();
            self.cuts.push(Cut { start: start as u32, end: end as u32, kind });
        }
        self.at = end;
    }

    /// The next `what`; every character before it is checked.
    fn find_text(&self, what: &str, start: usize, unclosed: &str) -> Result<usize, Box<Fault>> {
        let mut at = self.at;
        let first = what.as_bytes()[0];
        while let Some(byte) = self.bytes.get(at) {
            if *byte == first && self.bytes[at..].starts_with(what.as_bytes()) {
                return Ok(at);
            }
            if CLASS[usize::from(*byte)] & SUSPECT != 0 {
                self.check_character(at)?;
            }
            at += 1;
        }
        Err(malformed(start, unclosed))
    }

    fn character(&self, at: usize) -> Option<char> {
        self.source.get(at..)?.chars().next()
    }

    /// Refuses control characters, U+FFFE and U+FFFF.
    fn check_character(&self, at: usize) -> Result<(), Box<Fault>> {
        match self.character(at) {
            Some(c) if !text::is_char(c) => {
                let message = format!("the character U+{:04X} is not allowed in XML", c as u32);
                Err(fault(XmlErrorKind::Malformed, at, message))
            }
            _ => Ok(()),
        }
    }

    #[cold]
    fn over(&self, limit: &'static str, at: usize, what: &str) -> Box<Fault> {
        let allowed = match limit {
            "nodes" => self.limits.nodes,
            "depth" => self.limits.depth,
            "attributes" => self.limits.attributes,
            "name" => self.limits.name,
            _ => self.limits.namespaces,
        };
        fault(XmlErrorKind::Limit(limit), at, format!("more than {allowed} {what}"))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest_starts_with(&self, what: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(what.as_bytes()))
    }

    fn space(&mut self) -> bool {
        let before = self.at;
        self.at = skip(self.bytes, self.at, SPACE);
        self.at > before
    }

    fn slice(&self, start: u32, end: u32) -> &'s [u8] {
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// A name, for a message.
fn shown(name: &[u8]) -> &str {
    core::str::from_utf8(name).unwrap_or_default()
}
