//! Writing a document out of parts of other documents, with every name bound as it was.
//!
//! Why the result is right by construction: before the bytes of an element are copied, every binding that was in
//! scope there is compared with what its prefix means at the place of the copy, and declared on the copy where it
//! differs. The bytes themselves need no change then, whatever prefixes they use, in names or in values. The root
//! declares what the parts have in common, so that most copies need nothing; for them copying is one `memcpy`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use super::edit::Edits;
use super::names::Namespace;
use super::text;
use super::tree::{Binding, Element, Tree};

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
    /// How many of the bindings are the root's.
    root_scope: usize,
    /// Scopes of source trees that say nothing else than the root's.
    agreed: Vec<(&'a Tree, u16)>,
    /// Scopes of source trees that were offered to the root already.
    offered: Vec<(&'a Tree, u16)>,
}

#[derive(Debug)]
struct Bound<'a> {
    prefix: Cow<'a, str>,
    namespace: Namespace<'a>,
}

#[derive(Debug)]
struct Frame<'a> {
    /// Where its name stands in the output.
    name: core::ops::Range<usize>,
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
        Writer { out, scope: Vec::with_capacity(16), frames: Vec::with_capacity(8), ..Writer::default() }
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
        let name = name..self.out.len();
        for bound in self.scope.iter().skip(outer_scope) {
            write_declaration(&bound.prefix, bound.namespace, &mut self.out);
        }
        let lang = self.frames.last().and_then(|frame| frame.lang.clone());
        self.frames.push(Frame { name, outer_scope, inline: false, children: false, lang });
        self.open = true;
        self.attributes.clear();
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
        let tree = element.tree;
        for attribute in element.raw_attributes() {
            let local = tree.attribute_local(attribute);
            let namespace = tree.namespace(attribute.ns);
            if namespace == Namespace::None && except.contains(&local) || !self.open {
                continue;
            }
            let value = tree.attribute_value(attribute);
            match namespace {
                Namespace::None => self.attribute(local, &value),
                Namespace::Xml if local == "lang" => self.lang(&value),
                Namespace::Xml => {
                    self.put_attribute(namespace, "xml", local, &value);
                }
                _ => {
                    if !self.attributes.contains(&(namespace, local)) {
                        let prefix = self.attribute_prefix(namespace, tree.attribute_prefix(attribute));
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
    /// already written changes its meaning.
    fn attribute_prefix(&mut self, namespace: Namespace<'a>, wanted: &'a str) -> Cow<'a, str> {
        if let Some(prefix) = self.prefix_of(namespace, false) {
            return prefix;
        }
        let taken = |prefix: &str| self.scope.iter().any(|bound| bound.prefix == prefix);
        let mut prefix = Cow::Borrowed(wanted);
        let mut number = 1u32;
        while taken(&prefix) {
            prefix = Cow::Owned(format!("n{number}"));
            number += 1;
        }
        write_declaration(&prefix, namespace, &mut self.out);
        self.scope.push(Bound { prefix: prefix.clone(), namespace });
        prefix
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
    /// explicit.
    pub fn copy(&mut self, element: Element<'a>) {
        self.copy_edited(element, Edits::default());
    }

    /// [`Writer::copy`] with the `xs:ID` attributes (see [`Element::ids`]) in it renamed: pairs of old and new.
    pub fn copy_renamed(&mut self, element: Element<'a>, renames: &[(&str, &str)]) {
        let new_id =
            |_: Element<'_>, id: &str| renames.iter().find(|(old, _)| *old == id).map(|(_, new)| *new);
        self.copy_with_ids(element, &new_id);
    }

    /// [`Writer::copy`] with new values for the `xs:ID` attributes of those elements in it for which there is one.
    pub fn copy_with_ids<'n>(
        &mut self,
        element: Element<'a>,
        new_id: &dyn Fn(Element<'_>, &str) -> Option<&'n str>,
    ) {
        let mut edits = Edits::default();
        edits.rename_ids(element, new_id);
        self.copy_edited(element, edits);
    }

    fn copy_edited(&mut self, element: Element<'a>, mut edits: Edits) {
        self.before_child();
        self.bind(element, &mut edits);
        let lang = self.frames.last().and_then(|frame| frame.lang.as_deref());
        if element.tree.inherits_lang || lang.is_some() {
            edits.keep_lang(element, lang);
        }
        edits.write(element, &mut self.out);
    }

    /// Asks for a declaration of each binding in scope at the element that means something else here.
    fn bind(&mut self, element: Element<'a>, edits: &mut Edits) {
        let scope = element.parent().map_or(0, |parent| parent.node().scope);
        let at_root = self.scope.len() == self.root_scope;
        let known = |(tree, at): &(&'a Tree, u16)| core::ptr::eq(*tree, element.tree) && *at == scope;
        if at_root && !element.tree.unqualified && self.agreed.iter().any(known) {
            return;
        }
        let mut agrees = true;
        let mut default = false;
        if let Some(parent) = element.parent() {
            for Binding { prefix, namespace } in parent.bindings() {
                default |= prefix.is_empty();
                let same = prefix == "xml" || self.meaning(prefix) == namespace;
                // A default that was taken back matters to elements without a prefix only.
                let idle = namespace == Namespace::None && !element.tree.unqualified;
                if !same && !idle {
                    agrees = false;
                    if !element.declared().any(|own| own.prefix == prefix) {
                        edits.declare(element, prefix, namespace);
                    }
                }
            }
        }
        let own_default = element.declared().any(|own| own.prefix.is_empty());
        let bare = element.tree.unqualified && !default && !own_default;
        if bare && self.meaning("") != Namespace::None {
            let needs =
                |inner: Element<'_>| inner.namespace() == Namespace::None && inner.prefix().is_empty();
            if element.subtree().any(needs) {
                edits.declare(element, "", Namespace::None);
            }
        }
        if agrees && at_root {
            self.agreed.push((element.tree, scope));
        }
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
        self.scope.truncate(frame.outer_scope);
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
            if self.frames.len() == 1 {
                self.root_scope = self.scope.len();
            }
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
        self.out.push(b'\n');
        self.out.extend(core::iter::repeat_n(b' ', 2 * depth));
    }
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
