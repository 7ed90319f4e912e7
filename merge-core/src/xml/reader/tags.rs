//! Start tags with their attributes, and end tags.

use alloc::boxed::Box;
use alloc::format;

use super::names::{is_name_byte, skip_name};
use super::{Fault, Reader, fault, malformed, shown};
use crate::xml::chars::{VALUE_STOP, find};
use crate::xml::error::XmlErrorKind;
use crate::xml::known::{Known, Marks};
use crate::xml::tree::{Attribute, Node, Text};

impl<'s> Reader<'s> {
    /// A start tag or empty-element tag; `at` is after its `<`.
    pub(super) fn start_tag(&mut self) -> Result<(), Box<Fault>> {
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
    pub(super) fn end_tag(&mut self) -> Result<(), Box<Fault>> {
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

    pub(super) fn qname_of(&self, node: &Node) -> &'s [u8] {
        let start = node.start + 1;
        self.slice(start, start + node.name.end())
    }

    /// One attribute or namespace declaration; `at` is at its name.
    pub(super) fn attribute(&mut self, first: usize, outer_scope: u16) -> Result<(), Box<Fault>> {
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

    pub(super) fn equals(&mut self) -> Result<(), Box<Fault>> {
        self.space();
        if self.peek() != Some(b'=') {
            return Err(malformed(self.at, "= is expected after an attribute's name"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }
}
