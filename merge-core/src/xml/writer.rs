//! Writing a document out of parts of other documents, with every name bound as it was.
//!
//! Why the result is right by construction: before the bytes of an element are copied, every binding that was in
//! scope there is compared with what its prefix means at the place of the copy, and declared on the copy where it
//! differs. The bytes themselves need no change then, whatever prefixes they use, in names or in values. The root
//! declares what the parts have in common, and a tag of our own what its children have in common, so that most copies
//! need nothing; for them copying is one `memcpy`. What has to be declared again is counted, up to [`REPEATED_MAX`].

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use super::edit::{Edits, REPEATED_MAX};
use super::element::IdAttribute;
use super::names::Namespace;
use super::text;
use super::tree::{Attribute, Binding, Element, Tree};

/// Writes one document. See the module's page for how namespaces stay true.
///
/// ```
/// # use merge_core::xml::{Namespace, Tree, Writer};
/// let phone = Tree::read(b"<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns:x='urn:x'>\
///     <p:tuple id='t1'><p:status/><x:colour>red</x:colour></p:tuple></p:presence>")?;
/// let tuple = phone.root().children().next().ok_or("no tuple")?;
///
/// let mut writer = Writer::new();
/// writer.declare(Namespace::Pidf);
/// for field in tuple.children() {
///     writer.declare_scope_of(field);
/// }
/// writer.start(Namespace::Pidf, "presence");
/// writer.attribute("entity", "sip:alice@example.com");
/// writer.start(Namespace::Pidf, "tuple");
/// writer.attributes_of(tuple, &[]);
/// for field in tuple.children() {
///     writer.copy(field);
/// }
/// let written = Tree::read(&writer.finish())?;
/// # let tuple = written.root().children().next().ok_or("no tuple")?;
/// assert!(tuple.is(Namespace::Pidf, "tuple"));
/// assert!(tuple.child(Namespace::Other("urn:x"), "colour").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Writer<'a> {
    out: Vec<u8>,
    /// Bindings in scope, the innermost last.
    scope: Vec<Bound<'a>>,
    frames: Vec<Frame<'a>>,
    /// The innermost start tag still lacks its `>`.
    open: bool,
    /// The attributes of that tag: namespace and local name.
    attributes: Vec<(Namespace<'a>, &'a str)>,
    /// Scopes of source trees that were offered to the root already.
    offered: Vec<(&'a Tree, u16)>,
    /// Scopes of source trees that were compared with the present one, or with one around it.
    compared: Vec<Compared<'a>>,
    /// What they differ in.
    differences: Vec<Binding<'a>>,
    /// What was spent of [`REPEATED_MAX`], by source tree.
    repeated: Vec<(&'a Tree, usize)>,
    /// The changes to the copy that is being made.
    edits: Edits,
}

/// Up to how many comparisons are remembered. More are seldom made, and looking for them costs time.
const COMPARED_MAX: usize = 32;

/// A comparison of the bindings in scope somewhere in a source tree with those here.
#[derive(Debug)]
struct Compared<'a> {
    tree: &'a Tree,
    scope: u16,
    /// How many bindings were in scope here.
    depth: usize,
    differences: Range<usize>,
}

#[derive(Debug)]
struct Bound<'a> {
    prefix: Cow<'a, str>,
    namespace: Namespace<'a>,
}

#[derive(Debug)]
struct Frame<'a> {
    /// Where its name stands in the output.
    name: Range<usize>,
    /// How long the prefix in that is.
    prefix: usize,
    /// The bindings around it.
    outer_scope: usize,
    /// It holds text, so that no white space may be put between its children.
    inline: bool,
    children: bool,
    lang: Option<Cow<'a, str>>,
}

impl<'a> Writer<'a> {
    /// An empty document.
    #[must_use]
    pub fn new() -> Writer<'a> {
        Writer::with_capacity(1024)
    }

    /// An empty document with room for `bytes` of output.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Writer<'a> {
        let mut out = Vec::with_capacity(bytes);
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        Writer {
            out,
            scope: Vec::with_capacity(16),
            frames: Vec::with_capacity(8),
            compared: Vec::with_capacity(COMPARED_MAX / 2),
            differences: Vec::with_capacity(16),
            ..Writer::default()
        }
    }

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

    /// Starts `{namespace}local` with a prefix that is bound to it here, declaring one if none is.
    pub fn start(&mut self, namespace: Namespace<'a>, local: &str) {
        self.before_child();
        let root = self.frames.is_empty();
        if root {
            crate::order::sort_by(&mut self.scope, |a, b| a.prefix.cmp(&b.prefix));
        }
        let outer_scope = if root { 0 } else { self.scope.len() };
        let prefix = match self.prefix_of(namespace, true) {
            Some(prefix) => prefix,
            None => {
                let prefix = Cow::Borrowed(namespace.usual_prefix());
                self.scope.push(Bound { prefix: prefix.clone(), namespace });
                prefix
            }
        };
        self.out.push(b'<');
        let name = self.out.len();
        if !prefix.is_empty() {
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
        self.out.extend_from_slice(local.as_bytes());
        let (name, prefix) = (name..self.out.len(), prefix.len());
        for bound in self.scope.iter().skip(outer_scope) {
            write_declaration(&bound.prefix, bound.namespace, &mut self.out);
        }
        let lang = self.frames.last().and_then(|frame| frame.lang.clone());
        self.frames.push(Frame { name, prefix, outer_scope, inline: false, children: false, lang });
        self.open = true;
        self.attributes.clear();
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

    /// An attribute in no namespace of the element just started. Given twice, the first stays.
    pub fn attribute(&mut self, local: &'a str, value: &str) {
        self.put_attribute(Namespace::None, "", local, value);
    }

    /// `xml:lang` of the element just started.
    pub fn lang(&mut self, lang: &str) {
        if self.put_attribute(Namespace::Xml, "xml", "lang", lang)
            && let Some(frame) = self.frames.last_mut()
        {
            frame.lang = Some(Cow::Owned(lang.into()));
        }
    }

    /// All attributes of `element` on the element just started, but for those that it already has and the
    /// names in `except` (in no namespace).
    pub fn attributes_of(&mut self, element: Element<'a>, except: &[&str]) {
        self.attributes_with_ids(element, except, &|_| None);
    }

    /// [`Writer::attributes_of`] with new values for those `xs:ID` attributes for which there is one.
    pub(crate) fn attributes_with_ids<'n>(
        &mut self,
        element: Element<'a>,
        except: &[&str],
        new_id: &dyn Fn(IdAttribute<'_>) -> Option<&'n str>,
    ) {
        let tree = element.tree;
        for attribute in element.raw_attributes() {
            let local = tree.attribute_local(attribute);
            let namespace = tree.namespace(attribute.ns);
            if namespace == Namespace::None && except.contains(&local) || !self.open {
                continue;
            }
            let value = match element.own_ids().find(|id| local == "id" && core::ptr::eq(id.raw(), attribute))
            {
                Some(id) => new_id(id).map_or_else(|| id.value(), Cow::Borrowed),
                None => tree.attribute_value(attribute),
            };
            match namespace {
                Namespace::None => self.attribute(local, &value),
                Namespace::Xml if local == "lang" => self.lang(&value),
                Namespace::Xml => {
                    self.put_attribute(namespace, "xml", local, &value);
                }
                _ => {
                    if !self.attributes.contains(&(namespace, local))
                        && let Some(prefix) = self.attribute_prefix(tree, attribute, namespace)
                    {
                        self.put_attribute(namespace, &prefix, local, &value);
                    }
                }
            }
        }
    }

    /// Whether it was not there yet.
    fn put_attribute(&mut self, namespace: Namespace<'a>, prefix: &str, local: &'a str, value: &str) -> bool {
        if !self.open || self.attributes.contains(&(namespace, local)) {
            return false;
        }
        self.attributes.push((namespace, local));
        self.out.push(b' ');
        if !prefix.is_empty() {
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
        self.out.extend_from_slice(local.as_bytes());
        self.out.extend_from_slice(b"=\"");
        text::escape_attribute(value, &mut self.out);
        self.out.push(b'"');
        true
    }

    /// A prefix for an attribute of the open tag. A new one is one that means nothing here, so that no name
    /// already written changes its meaning. None where that would be repeated too often.
    fn attribute_prefix(
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
    fn prefix_of(&self, namespace: Namespace<'a>, default_too: bool) -> Option<Cow<'a, str>> {
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
    fn meaning(&self, prefix: &str) -> Namespace<'a> {
        let innermost = self.scope.iter().rev().find(|bound| bound.prefix == prefix);
        innermost.map_or(Namespace::None, |bound| bound.namespace)
    }

    /// Character data inside the element just started.
    pub fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.close_tag();
        if let Some(frame) = self.frames.last_mut() {
            frame.inline = true;
        }
        text::escape(text, &mut self.out);
    }

    /// `start`, `text`, `end`.
    pub fn leaf(&mut self, namespace: Namespace<'a>, local: &str, text: &str) {
        self.start(namespace, local);
        self.text(text);
        self.end();
    }

    /// A whole element of another document: text, attributes and extensions as they were, comments and
    /// processing instructions left out, every prefix bound as it was there, an inherited `xml:lang` made
    /// explicit. Left out where its document has used up [`REPEATED_MAX`].
    pub fn copy(&mut self, element: Element<'a>) {
        self.edits.clear();
        self.copy_edited(element);
    }

    /// [`Writer::copy`] with the `xs:ID` attributes (see [`Element::ids`]) in it renamed: pairs of old and new.
    pub fn copy_renamed(&mut self, element: Element<'a>, renames: &[(&str, &str)]) {
        self.copy_with_ids(element, &|id| {
            let old = id.value();
            renames.iter().find(|(each, _)| *each == old).map(|(_, new)| *new)
        });
    }

    /// [`Writer::copy`] with new values for those `xs:ID` attributes in it for which there is one.
    pub(crate) fn copy_with_ids<'n>(
        &mut self,
        element: Element<'a>,
        new_id: &dyn Fn(IdAttribute<'_>) -> Option<&'n str>,
    ) {
        self.edits.clear();
        self.edits.rename_ids(element, new_id);
        self.copy_edited(element);
    }

    fn copy_edited(&mut self, element: Element<'a>) {
        self.bind(element);
        let lang = self.frames.last().and_then(|frame| frame.lang.as_deref());
        if element.tree.inherits_lang || lang.is_some() {
            self.edits.keep_lang(element, lang);
        }
        if self.afford(element.tree, self.edits.repeated()) {
            self.before_child();
            self.edits.write(element, &mut self.out);
        }
    }

    /// Whether the parts of a document may repeat that many bytes more.
    fn afford(&mut self, tree: &'a Tree, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let known = self.repeated.iter().position(|(each, _)| core::ptr::eq(*each, tree));
        let at = known.unwrap_or_else(|| {
            self.repeated.push((tree, 0));
            self.repeated.len() - 1
        });
        let spent = &mut self.repeated[at].1;
        let enough = *spent + bytes <= REPEATED_MAX;
        if enough {
            *spent += bytes;
        }
        enough
    }

    /// Asks for a declaration of each binding in scope at the element that means something else here.
    fn bind(&mut self, element: Element<'a>) {
        let tree = element.tree;
        let parent = element.parent();
        for at in self.compare(tree, parent.map_or(0, |parent| parent.node().scope)) {
            let Some(binding) = self.differences.get(at) else { continue };
            if !element.declared().any(|own| own.prefix == binding.prefix) {
                self.edits.declare(element, binding.prefix, binding.namespace);
            }
        }
        // No default at all means no namespace, which is a difference to those only that stand in none.
        if tree.unqualified && self.meaning("") != Namespace::None {
            let default = parent.is_some_and(|parent| parent.bindings().any(|each| each.prefix.is_empty()));
            let own_default = element.declared().any(|own| own.prefix.is_empty());
            let needs =
                |inner: Element<'_>| inner.namespace() == Namespace::None && inner.prefix().is_empty();
            if !default && !own_default && element.subtree().any(needs) {
                self.edits.declare(element, "", Namespace::None);
            }
        }
    }

    /// The bindings of a scope of a source tree that mean something else here, as a range of `differences`.
    fn compare(&mut self, tree: &'a Tree, scope: u16) -> Range<usize> {
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

    /// Ends the innermost element that was started.
    pub fn end(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if self.open {
            self.open = false;
            self.out.extend_from_slice(b"/>");
        } else {
            if frame.children && !frame.inline {
                self.indent(self.frames.len());
            }
            self.out.extend_from_slice(b"</");
            self.out.extend_from_within(frame.name);
            self.out.push(b'>');
        }
        if self.scope.len() > frame.outer_scope {
            self.scope.truncate(frame.outer_scope);
            self.compared.retain(|each| each.depth <= frame.outer_scope);
        }
        if self.frames.is_empty() {
            self.out.push(b'\n');
        }
    }

    /// The document. Elements still open are ended.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        while !self.frames.is_empty() {
            self.end();
        }
        self.out
    }

    fn close_tag(&mut self) {
        if self.open {
            self.open = false;
            self.out.push(b'>');
        }
    }

    fn before_child(&mut self) {
        self.close_tag();
        let depth = self.frames.len();
        match self.frames.last_mut() {
            Some(frame) if frame.inline => {}
            Some(frame) => {
                frame.children = true;
                self.indent(depth);
            }
            None => self.out.push(b'\n'),
        }
    }

    fn indent(&mut self, depth: usize) {
        const DEEP: &[u8] = b"\n                ";
        let (few, more) = (depth.min(DEEP.len() / 2), depth.saturating_sub(DEEP.len() / 2));
        self.out.extend_from_slice(&DEEP[..1 + 2 * few]);
        if more > 0 {
            self.out.extend(core::iter::repeat_n(b' ', 2 * more));
        }
    }
}

/// How long a declaration is, escapes not counted.
fn declaration_len(binding: Binding<'_>) -> usize {
    b" xmlns:=\"\"".len() + binding.prefix.len() + binding.namespace.uri().len()
}

/// ` xmlns:prefix="uri"`.
pub(super) fn write_declaration(prefix: &str, namespace: Namespace<'_>, out: &mut Vec<u8>) {
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
