//! Namespaces: what declares them, and what the prefixes of elements and attributes mean.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;

use super::names::QName;
use super::{Fault, Reader, fault, shown};
use crate::xml::error::XmlErrorKind;
use crate::xml::names::{Namespace, XMLNS_URI};
use crate::xml::text;
use crate::xml::tree::{Attribute, Declaration, Text};

/// The number of the XML namespace among the known ones.
const XML: u8 = 1;

impl<'s> Reader<'s> {
    /// Takes in `xmlns="value"` or `xmlns:prefix="value"`.
    pub(super) fn declare(
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
    pub(super) fn resolve(&self, name: QName, at: usize) -> Result<u8, Box<Fault>> {
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
    pub(super) fn resolve_attributes(&mut self, first: usize) -> Result<(), Box<Fault>> {
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
    pub(super) fn lang_is_inherited(&self) -> bool {
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
}

fn declared(declarations: &[Declaration], link: u16) -> Option<Declaration> {
    declarations.get(usize::from(link.checked_sub(1)?)).copied()
}
