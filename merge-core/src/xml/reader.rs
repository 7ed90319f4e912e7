//! The reader: one pass, no recursion, no allocation but the arena's own.
//!
//! It reads XML 1.0 with namespaces, without a document type. What it accepts, every XML parser accepts and
//! understands the same way; what it refuses, it refuses with a place and a reason.

mod prolog;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chars::{CLASS, NAME, NAME_START, SPACE, SUSPECT, TEXT_STOP, VALUE_STOP};
use super::chars::{find, is_name, is_name_start, skip};
use super::error::{XmlError, XmlErrorKind};
use super::known::{Known, Marks};
use super::limits::Limits;
use super::names::{Namespace, XMLNS_URI};
use super::text;
use super::tree::{Attribute, Cut, CutKind, Declaration, Node, Spelling, Text, Tree};

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

/// The number of the XML namespace among the known ones.
const XML: u8 = 1;

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

/// A name as read.
#[derive(Clone, Copy)]
struct QName {
    start: u32,
    spelling: Spelling,
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

    // --- before and after the root ---

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

    fn cut(&mut self, start: usize, end: usize, kind: CutKind) {
        if self.depth > 0 {
            self.not_plain();
            self.cuts.push(Cut { start: start as u32, end: end as u32, kind });
        }
        self.at = end;
    }

    // --- inside the root ---

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

    /// A start tag or empty-element tag; `at` is after its `<`.
    fn start_tag(&mut self) -> Result<(), Box<Fault>> {
        let start = self.at - 1;
        if self.nodes.len() == self.limits.nodes {
            return Err(self.over("nodes", start, "elements"));
        }
        if self.depth == self.limits.depth {
            return Err(self.over("depth", start, "levels of elements"));
        }
        let name = self.qname()?;
        let first_attribute = self.attributes.len();
        let outer_scope = self.scope;
        let empty = loop {
            let spaced = self.space();
            match self.peek() {
                Some(b'>') => {
                    self.at += 1;
                    break false;
                }
                Some(b'/') => {
                    if self.bytes.get(self.at + 1) != Some(&b'>') {
                        return Err(malformed(self.at, "/ in a tag must be followed by >"));
                    }
                    self.at += 2;
                    break true;
                }
                None => return Err(malformed(start, "the tag is not closed with >")),
                Some(_) if !spaced => {
                    return Err(malformed(self.at, "white space, > or /> is expected here"));
                }
                Some(_) => self.attribute(first_attribute, outer_scope)?,
            }
        };
        let ns = self.resolve(name, start)?;
        self.unqualified |= ns == 0;
        let known =
            Known::of(ns, self.slice(name.start + name.spelling.local(), name.start + name.spelling.end()));
        if self.attributes.len() > first_attribute {
            self.resolve_attributes(first_attribute)?;
        }
        let id = self.nodes.len() as u16;
        self.nodes.push(Node {
            start: start as u32,
            content: self.at as u32,
            end: self.at as u32,
            name: name.spelling,
            ns,
            marks: Marks::of(known),
            scope: self.scope,
            parent: self.current,
            next: id + 1,
            attributes: first_attribute as u16,
        });
        if empty {
            self.scope = outer_scope;
        } else {
            self.current = id;
            self.depth += 1;
        }
        Ok(())
    }

    /// An end tag; `at` is at its `<`.
    fn end_tag(&mut self) -> Result<(), Box<Fault>> {
        let close = self.at;
        let next = self.nodes.len() as u16;
        let current = usize::from(self.current);
        let Some(open) = self.nodes.get(current).copied() else {
            return Err(malformed(close, "an end tag without a start tag"));
        };
        let name = self.qname_of(&open);
        self.at += 2;
        let matches = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(name))
            && !self.bytes.get(self.at + name.len()).is_some_and(|b| is_name_byte(*b));
        if !matches {
            let line = 1 + self.bytes[..open.start as usize].iter().filter(|b| **b == b'\n').count();
            let name = shown(name);
            let found = &self.source[self.at..skip_name(self.bytes, self.at)];
            let message = format!("</{found}> does not end <{name}> of line {line}");
            return Err(fault(XmlErrorKind::Malformed, close, message));
        }
        self.at += name.len();
        self.space();
        if self.peek() != Some(b'>') {
            return Err(malformed(self.at, "the end tag must be closed with >"));
        }
        self.at += 1;
        let end = self.at as u32;
        if let Some(node) = self.nodes.get_mut(current) {
            node.end = end;
            node.next = next;
        }
        self.current = open.parent;
        self.depth -= 1;
        self.scope = match self.nodes.get(usize::from(open.parent)) {
            Some(parent) if self.depth > 0 => parent.scope,
            _ => 0,
        };
        Ok(())
    }

    fn qname_of(&self, node: &Node) -> &'s [u8] {
        let start = node.start + 1;
        self.slice(start, start + node.name.end())
    }

    // --- attributes ---

    /// One attribute or namespace declaration; `at` is at its name.
    fn attribute(&mut self, first: usize, outer_scope: u16) -> Result<(), Box<Fault>> {
        let start = self.at;
        let name = self.qname()?;
        self.equals()?;
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            return Err(malformed(self.at, "an attribute's value must stand in quotes"));
        };
        self.at += 1;
        let value = self.at;
        let mut escaped = false;
        loop {
            self.at = find(self.bytes, self.at, VALUE_STOP);
            match self.peek() {
                Some(byte) if byte == quote => break,
                Some(b'&') => {
                    escaped = true;
                    self.reference()?;
                }
                Some(b'\t' | b'\n' | b'\r') => {
                    escaped = true;
                    self.at += 1;
                }
                Some(b'"' | b'\'') => self.at += 1,
                Some(b'<') => return Err(malformed(self.at, "< must not stand in an attribute; write &lt;")),
                Some(_) => {
                    self.check_character(self.at)?;
                    self.at += 1;
                }
                None => return Err(malformed(start, "the attribute's value is not closed")),
            }
        }
        let (from, to) = (value as u32, self.at as u32);
        self.at += 1;
        let (local, end) = (name.start + name.spelling.local(), name.start + name.spelling.end());
        let uri = Text { start: from, end: to, decoded: escaped };
        match self.slice(name.start, name.start + name.spelling.prefix()) {
            b"xmlns" => return self.declare(local, (end - local) as u8, uri, outer_scope),
            b"" if self.slice(local, end) == b"xmlns" => return self.declare(local, 0, uri, outer_scope),
            _ => {}
        }
        if self.attributes.len() - first == self.limits.attributes
            || self.attributes.len() >= usize::from(u16::MAX)
        {
            return Err(self.over("attributes", start, "attributes on one element"));
        }
        self.attributes.push(Attribute {
            name: name.start,
            value: from,
            value_len: to - from,
            spelling: name.spelling,
            ns: 0,
            escaped,
        });
        Ok(())
    }

    fn equals(&mut self) -> Result<(), Box<Fault>> {
        self.space();
        if self.peek() != Some(b'=') {
            return Err(malformed(self.at, "= is expected after an attribute's name"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Takes in `xmlns="value"` or `xmlns:prefix="value"`.
    fn declare(
        &mut self,
        prefix_start: u32,
        prefix: u8,
        value: Text,
        outer_scope: u16,
    ) -> Result<(), Box<Fault>> {
        let at = prefix_start as usize;
        let wrong = |message: &str| Err(fault(XmlErrorKind::Namespace, at, message.to_owned()));
        let source = self.source;
        let name = self.slice(prefix_start, prefix_start + u32::from(prefix));
        let raw = &source[value.start as usize..value.end as usize];
        let decoded;
        let uri = if value.decoded {
            decoded = text::attribute(raw);
            decoded.as_str()
        } else {
            raw
        };
        let namespace = Namespace::from_uri(uri);
        match (name, namespace) {
            (b"xml", Namespace::Xml) => {}
            (b"xml", _) => return wrong("the prefix xml cannot be bound to another namespace"),
            (b"xmlns", _) => return wrong("the prefix xmlns cannot be declared"),
            (_, Namespace::Xml) => return wrong("the XML namespace has no other prefix than xml"),
            (b"", _) => {}
            (_, Namespace::None) => return wrong("a prefix cannot be bound to the empty namespace"),
            _ => {}
        }
        if uri == XMLNS_URI {
            return wrong("the namespace of xmlns itself cannot be bound");
        }
        // Own declarations come first in the chain; the same prefix among them is the same attribute twice.
        let mut link = self.scope;
        let mut in_scope = 0;
        let mut own = true;
        while let Some(declaration) = declared(&self.declarations, link) {
            own &= link != outer_scope;
            if own
                && self
                    .slice(declaration.prefix_start, declaration.prefix_start + u32::from(declaration.prefix))
                    == name
            {
                return wrong("this prefix is declared twice in one tag");
            }
            in_scope += 1;
            link = declaration.outer;
        }
        if in_scope >= self.limits.namespaces || self.declarations.len() >= usize::from(u16::MAX) {
            return Err(self.over("namespaces", at, "namespace declarations in scope"));
        }
        let ns = match namespace {
            Namespace::Other(uri) => self.intern(uri, value, at)?,
            known => known.number().unwrap_or_default(),
        };
        self.declarations.push(Declaration { prefix_start, prefix, ns, outer: self.scope });
        self.scope = self.declarations.len() as u16;
        Ok(())
    }

    /// The number of a namespace beyond the known ones.
    fn intern(&mut self, uri: &str, value: Text, at: usize) -> Result<u8, Box<Fault>> {
        let known = Namespace::KNOWN.len();
        let found = self.namespaces.iter().position(|each| {
            let (start, end) = (each.start as usize, each.end as usize);
            let text = if each.decoded { self.decoded.get(start..end) } else { self.source.get(start..end) };
            text == Some(uri)
        });
        if let Some(index) = found {
            return Ok((known + index) as u8);
        }
        if self.namespaces.len() == self.limits.namespaces {
            return Err(self.over("namespaces", at, "different namespaces"));
        }
        let text = if value.decoded {
            let start = self.decoded.len() as u32;
            self.decoded.push_str(uri);
            Text { start, end: self.decoded.len() as u32, decoded: true }
        } else {
            value
        };
        self.namespaces.push(text);
        Ok((known + self.namespaces.len() - 1) as u8)
    }

    /// The namespace of an element's name.
    fn resolve(&self, name: QName, at: usize) -> Result<u8, Box<Fault>> {
        let prefix = self.slice(name.start, name.start + name.spelling.prefix());
        match self.lookup(prefix) {
            Some(ns) => Ok(ns),
            None if prefix.is_empty() => Ok(0),
            None => Err(self.unbound(prefix, at)),
        }
    }

    fn lookup(&self, prefix: &[u8]) -> Option<u8> {
        let mut link = self.scope;
        while let Some(declaration) = declared(&self.declarations, link) {
            if self.slice(declaration.prefix_start, declaration.prefix_start + u32::from(declaration.prefix))
                == prefix
            {
                return Some(declaration.ns);
            }
            link = declaration.outer;
        }
        (prefix == b"xml").then_some(XML)
    }

    #[cold]
    fn unbound(&self, prefix: &[u8], at: usize) -> Box<Fault> {
        let prefix = shown(prefix);
        let message = if prefix == "xmlns" {
            "the prefix xmlns is for declarations only".to_owned()
        } else {
            format!("the prefix {prefix:?} is not declared; add xmlns:{prefix}=\"...\"")
        };
        fault(XmlErrorKind::Namespace, at, message)
    }

    /// Resolves the prefixes of the attributes from `first` on and looks for doubles.
    fn resolve_attributes(&mut self, first: usize) -> Result<(), Box<Fault>> {
        for index in first..self.attributes.len() {
            let attribute = self.attributes[index];
            if attribute.spelling.prefix() != 0 {
                let prefix = self.slice(attribute.name, attribute.name + attribute.spelling.prefix());
                match self.lookup(prefix) {
                    Some(ns) => self.attributes[index].ns = ns,
                    None => return Err(self.unbound(prefix, attribute.name as usize)),
                }
            }
            let attribute = self.attributes[index];
            let local = self.local_of(&attribute);
            self.has_lang |= attribute.ns == XML && local == b"lang";
            if local == b"id" {
                self.with_id.push(self.nodes.len() as u16);
            }
            let double = self.attributes[first..index]
                .iter()
                .any(|other| other.ns == attribute.ns && self.local_of(other) == local);
            if double {
                let message = format!("the attribute {:?} is given twice", shown(local));
                return Err(fault(XmlErrorKind::Namespace, attribute.name as usize, message));
            }
        }
        Ok(())
    }

    /// Whether some element that has children has an `xml:lang`.
    fn lang_is_inherited(&self) -> bool {
        self.nodes.windows(2).any(|pair| {
            // The next element in document order is inside the first, which holds more than text then.
            let [outer, next] = pair else { return false };
            next.start < outer.end
                && self.attributes[usize::from(outer.attributes)..usize::from(next.attributes)]
                    .iter()
                    .any(|attribute| attribute.ns == XML && self.local_of(attribute) == b"lang")
        })
    }

    fn local_of(&self, attribute: &Attribute) -> &'s [u8] {
        self.slice(attribute.name + attribute.spelling.local(), attribute.name + attribute.spelling.end())
    }

    fn slice(&self, start: u32, end: u32) -> &'s [u8] {
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    // --- small things ---

    /// `NCName` or `NCName:NCName`.
    fn qname(&mut self) -> Result<QName, Box<Fault>> {
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
}

/// A name, for a message.
fn shown(name: &[u8]) -> &str {
    core::str::from_utf8(name).unwrap_or_default()
}

fn declared(declarations: &[Declaration], link: u16) -> Option<Declaration> {
    declarations.get(usize::from(link.checked_sub(1)?)).copied()
}

fn is_name_byte(byte: u8) -> bool {
    byte >= 0x80 || byte == b':' || CLASS[usize::from(byte)] & NAME != 0
}

/// The end of the name-like bytes from `at` on.
fn skip_name(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| is_name_byte(*byte)) {
        at += 1;
    }
    at
}
