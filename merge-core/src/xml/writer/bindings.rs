//! What prefixes mean at the place that is written, and which of them have to be declared there.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use super::Writer;
use crate::xml::names::Namespace;
use crate::xml::text;
use crate::xml::tree::{Attribute, Binding, Element, Tree};

/// Up to how many comparisons are remembered. More are seldom made, and looking for them costs time.
pub(super) const COMPARED_MAX: usize = 32;

/// A comparison of the bindings in scope somewhere in a source tree with those here.
#[derive(Debug)]
pub(super) struct Compared<'a> {
    tree: &'a Tree,
    scope: u16,
    /// How many bindings were in scope here.
    pub(super) depth: usize,
    differences: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Bound<'a> {
    pub(super) prefix: Cow<'a, str>,
    pub(super) namespace: Namespace<'a>,
}

impl<'a> Writer<'a> {
    /// Before the root is started: asks for the usual prefix of a namespace on the root.
    pub fn declare(&mut self, namespace: Namespace<'a>) {
        self.offer(Cow::Borrowed(namespace.usual_prefix()), namespace);
    }

    /// Before the root is started: offers the bindings in scope at an element that will be copied, so that
    /// they stand on the root once instead of on every copy. The first offer of a prefix wins. Cheap when
    /// repeated for elements of one document.
    pub fn declare_scope_of(&mut self, element: Element<'a>) {
        let scope = element.node().scope;
        if scope == 0
            || self.offered.iter().any(|(tree, at)| core::ptr::eq(*tree, element.tree) && *at == scope)
        {
            return;
        }
        self.offered.push((element.tree, scope));
        for Binding { prefix, namespace } in element.bindings() {
            // The default namespace is ours: PIDF, or none.
            if !prefix.is_empty() || namespace == Namespace::Pidf {
                self.offer(Cow::Borrowed(prefix), namespace);
            }
        }
    }

    fn offer(&mut self, prefix: Cow<'a, str>, namespace: Namespace<'a>) {
        let bindable = !matches!(namespace, Namespace::None | Namespace::Xml) && prefix != "xml";
        if self.frames.is_empty() && bindable && !self.scope.iter().any(|bound| bound.prefix == prefix) {
            self.scope.push(Bound { prefix, namespace });
        }
    }

    /// Binds on the element just started, which has no attributes yet, what is bound at elements whose children
    /// will be copied into it, so that not each copy has to. The first of them is followed in all that it says
    /// otherwise; the rest in prefixes that mean nothing here yet.
    pub fn bind_as(&mut self, elements: impl IntoIterator<Item = Element<'a>>) {
        let Some((name, prefix)) = self.frames.last().map(|frame| (frame.name.start, frame.prefix)) else {
            return;
        };
        let first_new = self.scope.len();
        for (rank, element) in elements.into_iter().enumerate() {
            for at in self.compare(element.tree, element.node().scope) {
                let Some(binding) = self.differences.get(at).copied() else { continue };
                // The tag's own prefix has its meaning already.
                let own = self.out.get(name..name + prefix) == Some(binding.prefix.as_bytes());
                let bound = |bound: &Bound<'_>| bound.prefix == binding.prefix;
                let follow = rank == 0 || !(binding.prefix.is_empty() || self.scope.iter().any(bound));
                if follow && !own && self.afford(element.tree, declaration_len(binding)) {
                    self.scope
                        .push(Bound { prefix: Cow::Borrowed(binding.prefix), namespace: binding.namespace });
                }
            }
        }
        let new = self.scope.get_mut(first_new..).unwrap_or_default();
        crate::order::sort_by(new, |a, b| a.prefix.cmp(&b.prefix));
        for bound in new {
            write_declaration(&bound.prefix, bound.namespace, &mut self.out);
        }
    }

    /// A prefix for an attribute of the open tag. A new one is one that means nothing here, so that no name
    /// already written changes its meaning. None where that would be repeated too often.
    pub(super) fn attribute_prefix(
        &mut self,
        tree: &'a Tree,
        attribute: &'a Attribute,
        namespace: Namespace<'a>,
    ) -> Option<Cow<'a, str>> {
        if let Some(prefix) = self.prefix_of(namespace, false) {
            return Some(prefix);
        }
        let taken = |prefix: &str| self.scope.iter().any(|bound| bound.prefix == prefix);
        let mut prefix = Cow::Borrowed(tree.attribute_prefix(attribute));
        let mut number = 1u32;
        while taken(&prefix) {
            prefix = Cow::Owned(format!("n{number}"));
            number += 1;
        }
        if !self.afford(tree, declaration_len(Binding { prefix: &prefix, namespace })) {
            return None;
        }
        write_declaration(&prefix, namespace, &mut self.out);
        self.scope.push(Bound { prefix: prefix.clone(), namespace });
        Some(prefix)
    }

    /// A prefix that means this namespace here.
    pub(super) fn prefix_of(&self, namespace: Namespace<'a>, default_too: bool) -> Option<Cow<'a, str>> {
        match namespace {
            Namespace::Xml => return Some(Cow::Borrowed("xml")),
            Namespace::None => return (self.meaning("") == Namespace::None).then_some(Cow::Borrowed("")),
            _ => {}
        }
        // The usual prefix if it is there: output looks the same whatever order bindings came in.
        let usual = namespace.usual_prefix();
        if (default_too || !usual.is_empty()) && self.meaning(usual) == namespace {
            return Some(Cow::Borrowed(usual));
        }
        let found = self.scope.iter().rev().find(|bound| {
            bound.namespace == namespace
                && (default_too || !bound.prefix.is_empty())
                && self.meaning(&bound.prefix) == namespace
        })?;
        Some(found.prefix.clone())
    }

    /// What a prefix means here. An unbound one means no namespace.
    pub(super) fn meaning(&self, prefix: &str) -> Namespace<'a> {
        let innermost = self.scope.iter().rev().find(|bound| bound.prefix == prefix);
        innermost.map_or(Namespace::None, |bound| bound.namespace)
    }

    /// The bindings of a scope of a source tree that mean something else here, as a range of `differences`.
    pub(super) fn compare(&mut self, tree: &'a Tree, scope: u16) -> Range<usize> {
        let depth = self.scope.len();
        let same = |each: &Compared<'a>| {
            core::ptr::eq(each.tree, tree) && each.scope == scope && each.depth == depth
        };
        if let Some(known) = self.compared.iter().rposition(same) {
            // The last is looked at first: the next copy is mostly from the same place to the same place.
            let last = self.compared.len() - 1;
            if known != last {
                self.compared.swap(known, last);
            }
            return self.compared[last].differences.clone();
        }
        if self.compared.len() == COMPARED_MAX {
            self.compared.clear();
            self.differences.clear();
        }
        let from = self.differences.len();
        for binding in tree.bindings(scope) {
            // A default that was taken back matters to elements without a prefix only.
            let idle = binding.namespace == Namespace::None && !tree.unqualified;
            if binding.prefix != "xml" && !idle && self.meaning(binding.prefix) != binding.namespace {
                self.differences.push(binding);
            }
        }
        let differences = from..self.differences.len();
        self.compared.push(Compared { tree, scope, depth, differences: differences.clone() });
        differences
    }
}

/// How long a declaration is, escapes not counted.
pub(super) fn declaration_len(binding: Binding<'_>) -> usize {
    b" xmlns:=\"\"".len() + binding.prefix.len() + binding.namespace.uri().len()
}

/// ` xmlns:prefix="uri"`.
pub(in crate::xml) fn write_declaration(prefix: &str, namespace: Namespace<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" xmlns");
    if !prefix.is_empty() {
        out.push(b':');
        out.extend_from_slice(prefix.as_bytes());
    }
    out.extend_from_slice(b"=\"");
    match namespace {
        Namespace::Other(uri) => text::escape_attribute(uri, out),
        known => out.extend_from_slice(known.uri().as_bytes()),
    }
    out.push(b'"');
}
