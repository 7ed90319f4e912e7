//! Writing a document out of parts of other documents, with every name bound as it was.
//!
//! Why the result is right by construction: before the bytes of an element are copied, every binding that was in
//! scope there is compared with what its prefix means at the place of the copy, and declared on the copy where it
//! differs. The bytes themselves need no change then, whatever prefixes they use, in names or in values. The root
//! declares what the parts have in common, and a tag of our own what its children have in common, so that most copies
//! need nothing; for them copying is one `memcpy`. What has to be declared again is counted, up to [`REPEATED_MAX`](super::REPEATED_MAX).

mod bindings;
mod copy;

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use self::bindings::{Bound, COMPARED_MAX, Compared};
use super::edit::Edits;
use super::element::IdAttribute;
use super::names::Namespace;
use super::text;
use super::tree::{Binding, Element, Tree};

pub(super) use self::bindings::write_declaration;

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
    /// What was spent of [`REPEATED_MAX`](super::REPEATED_MAX), by source tree.
    repeated: Vec<(&'a Tree, usize)>,
    /// The changes to the copy that is being made.
    edits: Edits,
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
        // All of a line of a length that is known beforehand, and what is too much taken back: two stores, no call.
        const DEEP: &[u8; 16] = b"\n               ";
        let end = self.out.len() + 1 + 2 * depth;
        self.out.extend_from_slice(DEEP);
        self.out.resize(end, b' ');
    }
}
