//! Looking at a tree: elements, attributes, text, bindings. Nothing here allocates, except text that has to
//! be decoded.

use alloc::borrow::Cow;
use alloc::string::String;

use super::known::Known;
use super::names::Namespace;
use super::text;
use super::tree::{Attribute, AttributeView, Binding, Declaration, Element, Name, Node, NodeId, Tree};

impl Tree {
    /// The document as it was read, byte order mark excepted.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The root element.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        Element { tree: self, id: NodeId(0) }
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never true: a tree has a root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The element with that id, which must come from this tree.
    #[must_use]
    pub fn element(&self, id: NodeId) -> Option<Element<'_>> {
        ((id.0 as usize) < self.nodes.len()).then_some(Element { tree: self, id })
    }

    /// Bytes of memory that the tree holds, its own size included.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Tree>()
            + self.source.len()
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.attributes)
            + size_of_val(&*self.declarations)
            + size_of_val(&*self.namespaces)
            + size_of_val(&*self.cuts)
            + size_of_val(&*self.with_id)
            + self.decoded.len()
    }

    /// The bindings of a scope, innermost first; a prefix that was bound anew comes once.
    pub(crate) fn bindings(&self, scope: u16) -> impl Iterator<Item = Binding<'_>> {
        let chain = Chain { tree: self, at: scope };
        let declared = move |(index, declaration): &(u16, &Declaration)| {
            let prefix = self.declared_prefix(declaration);
            let mut inner = chain.take_while(|(inner, _)| inner != index);
            !inner.any(|(_, inner)| self.declared_prefix(inner) == prefix)
        };
        chain.filter(declared).map(|(_, declaration)| self.binding(declaration))
    }

    fn binding(&self, declaration: &Declaration) -> Binding<'_> {
        let end = declaration.prefix_start + u32::from(declaration.prefix);
        Binding {
            prefix: self.slice(declaration.prefix_start, end),
            namespace: self.namespace(declaration.ns),
        }
    }

    fn declared_prefix(&self, declaration: &Declaration) -> &[u8] {
        self.bytes(declaration.prefix_start, declaration.prefix_start + u32::from(declaration.prefix))
    }

    pub(crate) fn slice(&self, start: u32, end: u32) -> &str {
        // Offsets in the arena are written by the reader at boundaries of ASCII markup.
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(crate) fn bytes(&self, start: u32, end: u32) -> &[u8] {
        self.source.as_bytes().get(start as usize..end as usize).unwrap_or_default()
    }

    /// Whether a namespace by its number is that one; for a known one no text is looked at.
    #[inline]
    pub(crate) fn is_namespace(&self, id: u8, namespace: Namespace<'_>) -> bool {
        match namespace.number() {
            Some(number) => number == id,
            None => self.namespace(id) == namespace,
        }
    }

    pub(crate) fn namespace(&self, id: u8) -> Namespace<'_> {
        let id = usize::from(id);
        match Namespace::KNOWN.get(id) {
            Some(known) => *known,
            None => match self.namespaces.get(id - Namespace::KNOWN.len()) {
                Some(text) if text.decoded => Namespace::Other(
                    self.decoded.get(text.start as usize..text.end as usize).unwrap_or_default(),
                ),
                Some(text) => Namespace::Other(self.slice(text.start, text.end)),
                None => Namespace::None,
            },
        }
    }
}

impl<'a> Element<'a> {
    /// Its place in the tree.
    #[must_use]
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The tree that it is in.
    #[must_use]
    pub fn tree(self) -> &'a Tree {
        self.tree
    }

    pub(crate) fn node(self) -> &'a Node {
        &self.tree.nodes[self.id.0 as usize]
    }

    /// Namespace and local name.
    #[must_use]
    pub fn name(self) -> Name<'a> {
        Name { namespace: self.namespace(), local: self.local() }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(self) -> Namespace<'a> {
        self.tree.namespace(self.node().ns)
    }

    /// The local name.
    #[must_use]
    pub fn local(self) -> &'a str {
        let node = self.node();
        let name = node.start + 1;
        self.tree.slice(name + node.name.local(), name + node.name.end())
    }

    /// The prefix as written; empty for none.
    #[must_use]
    pub fn prefix(self) -> &'a str {
        let node = self.node();
        self.tree.slice(node.start + 1, node.start + 1 + node.name.prefix())
    }

    /// Whether it is `{namespace}local`.
    #[must_use]
    pub fn is(self, namespace: Namespace<'_>, local: &str) -> bool {
        let node = self.node();
        // Bytes, not text: nothing has to be checked of where they begin and end then.
        let name = self.tree.bytes(node.start + 1 + node.name.local(), node.start + 1 + node.name.end());
        self.is_in(namespace) && name == local.as_bytes()
    }

    /// Whether its namespace is that one.
    pub(crate) fn is_in(self, namespace: Namespace<'_>) -> bool {
        self.tree.is_namespace(self.node().ns, namespace)
    }

    /// Which of the elements that are often asked for it is.
    pub(crate) fn known(self) -> Known {
        self.node().marks.known()
    }

    /// The children that are this element.
    pub(crate) fn children_known(self, known: Known) -> impl Iterator<Item = Element<'a>> {
        self.children().filter(move |child| child.known() == known)
    }

    /// The element around it; none for the root.
    #[must_use]
    pub fn parent(self) -> Option<Element<'a>> {
        (self.id.0 != 0).then(|| Element { tree: self.tree, id: NodeId(u32::from(self.node().parent)) })
    }

    /// Its child elements, in document order.
    #[must_use]
    pub fn children(self) -> Children<'a> {
        Children { tree: self.tree, at: self.id.0 + 1, end: u32::from(self.node().next) }
    }

    /// The first child that is `{namespace}local`.
    #[must_use]
    pub fn child(self, namespace: Namespace<'_>, local: &str) -> Option<Element<'a>> {
        self.children().find(|child| child.is(namespace, local))
    }

    /// Itself and all elements inside it, in document order.
    pub fn subtree(self) -> impl Iterator<Item = Element<'a>> + 'a {
        let tree = self.tree;
        (self.id.0..u32::from(self.node().next)).map(move |id| Element { tree, id: NodeId(id) })
    }

    /// The value of the attribute of that name in no namespace.
    #[must_use]
    pub fn attribute(self, local: &str) -> Option<Cow<'a, str>> {
        self.attribute_in(Namespace::None, local)
    }

    /// The value of the attribute `{namespace}local`.
    #[must_use]
    pub fn attribute_in(self, namespace: Namespace<'_>, local: &str) -> Option<Cow<'a, str>> {
        self.attribute_place(namespace, local).map(|place| self.tree.attribute_at(place))
    }

    /// The place of the attribute `{namespace}local` among the attributes of the tree.
    pub(crate) fn attribute_place(self, namespace: Namespace<'_>, local: &str) -> Option<u16> {
        let mut places = self.raw_attributes().iter().zip(self.node().attributes..);
        let found = places.find(|(attribute, _)| {
            let (from, to) = (attribute.spelling.local(), attribute.spelling.end());
            self.tree.is_namespace(attribute.ns, namespace)
                && self.tree.bytes(attribute.name + from, attribute.name + to) == local.as_bytes()
        });
        found.map(|(_, place)| place)
    }

    /// All attributes, as written. Namespace declarations are [`Element::bindings`].
    pub fn attributes(self) -> impl Iterator<Item = AttributeView<'a>> + 'a {
        let tree = self.tree;
        self.raw_attributes().iter().map(move |attribute| AttributeView {
            name: Name { namespace: tree.namespace(attribute.ns), local: tree.attribute_local(attribute) },
            prefix: tree.attribute_prefix(attribute),
            value: tree.attribute_value(attribute),
        })
    }

    pub(crate) fn raw_attributes(self) -> &'a [Attribute] {
        let next = self.tree.nodes.get(self.id.0 as usize + 1);
        let end = next.map_or(self.tree.attributes.len(), |next| usize::from(next.attributes));
        self.tree.attributes.get(usize::from(self.node().attributes)..end).unwrap_or_default()
    }

    /// The text directly inside it (not inside its children), references resolved, CDATA as text, comments out.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        text::direct(self)
    }

    /// What is directly inside it, in order: child elements, and the text between them where there is any.
    pub fn content(self) -> impl Iterator<Item = Content<'a>> + 'a {
        let mut children = self.children();
        let mut at = self.node().content;
        let mut waiting: Option<Element<'a>> = None;
        let mut done = false;
        core::iter::from_fn(move || {
            loop {
                if let Some(child) = waiting.take() {
                    at = child.node().end;
                    return Some(Content::Element(child));
                }
                if done {
                    return None;
                }
                let from = at;
                let to = match children.next() {
                    Some(child) => {
                        waiting = Some(child);
                        child.node().start
                    }
                    None => {
                        done = true;
                        self.close()
                    }
                };
                let text = text::between(self.tree, from, to);
                if !text.is_empty() {
                    return Some(Content::Text(text));
                }
            }
        })
    }

    /// [`Element::text`] without white space around it: the value of a URI, token or number.
    #[must_use]
    pub fn value(self) -> Cow<'a, str> {
        match self.text() {
            Cow::Borrowed(text) => Cow::Borrowed(text::trim(text)),
            Cow::Owned(text) => Cow::Owned(String::from(text::trim(&text))),
        }
    }

    /// The bindings in scope, innermost first; a prefix that was bound anew comes once.
    pub fn bindings(self) -> impl Iterator<Item = Binding<'a>> + 'a {
        self.tree.bindings(self.node().scope)
    }

    /// The bindings that this element's own start tag declares.
    pub fn declared(self) -> impl Iterator<Item = Binding<'a>> + 'a {
        let outer = self.parent().map_or(0, |parent| parent.node().scope);
        Chain { tree: self.tree, at: self.node().scope }
            .take_while(move |(index, _)| *index != outer)
            .map(|(_, declaration)| self.tree.binding(declaration))
    }

    /// The language that applies to it: `xml:lang` here or on the nearest element around it.
    #[must_use]
    pub fn lang(self) -> Option<Cow<'a, str>> {
        let mut at = Some(self);
        while let Some(element) = at {
            if let Some(lang) = element.attribute_in(Namespace::Xml, "lang") {
                return Some(lang);
            }
            at = element.parent();
        }
        None
    }

    /// The element as it stands in the source, tags included.
    #[must_use]
    pub fn source(self) -> &'a str {
        let node = self.node();
        self.tree.slice(node.start, node.end)
    }

    /// Line and column, from 1, at which it starts.
    #[must_use]
    pub fn position(self) -> (usize, usize) {
        super::error::position(self.tree.source.as_bytes(), self.offset())
    }

    /// The byte at which it starts.
    #[must_use]
    pub fn offset(self) -> usize {
        self.node().start as usize
    }
}

impl core::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "<{{{}}}{}>", self.namespace().uri(), self.local())
    }
}

impl PartialEq for Element<'_> {
    /// The same element of the same tree.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.tree, other.tree) && self.id == other.id
    }
}

impl Eq for Element<'_> {}

/// A piece of what is inside an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Text, references resolved; never empty, and never next to other text.
    Text(Cow<'a, str>),
    /// A child element.
    Element(Element<'a>),
}

/// The child elements of one element.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    tree: &'a Tree,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.at >= self.end {
            return None;
        }
        let element = Element { tree: self.tree, id: NodeId(self.at) };
        self.at = u32::from(element.node().next);
        Some(element)
    }
}

/// Declarations from the innermost outwards, shadowed ones included, each with its own mark.
#[derive(Clone, Copy)]
struct Chain<'a> {
    tree: &'a Tree,
    at: u16,
}

impl<'a> Iterator for Chain<'a> {
    type Item = (u16, &'a Declaration);

    fn next(&mut self) -> Option<(u16, &'a Declaration)> {
        let index = self.at;
        let declaration = self.tree.declarations.get(usize::from(index.checked_sub(1)?))?;
        self.at = declaration.outer;
        Some((index, declaration))
    }
}

impl Tree {
    pub(crate) fn attribute_prefix(&self, attribute: &Attribute) -> &str {
        self.slice(attribute.name, attribute.name + attribute.spelling.prefix())
    }

    pub(crate) fn attribute_local(&self, attribute: &Attribute) -> &str {
        self.slice(attribute.name + attribute.spelling.local(), attribute.name + attribute.spelling.end())
    }

    /// The value of the attribute in that place; empty if there is none.
    pub(crate) fn attribute_at(&self, place: u16) -> Cow<'_, str> {
        let attribute = self.attributes.get(usize::from(place));
        attribute.map(|attribute| self.attribute_value(attribute)).unwrap_or_default()
    }

    pub(crate) fn attribute_value(&self, attribute: &Attribute) -> Cow<'_, str> {
        let raw = self.slice(attribute.value, attribute.value + attribute.value_len);
        if attribute.escaped { Cow::Owned(text::attribute(raw)) } else { Cow::Borrowed(raw) }
    }
}

/// An attribute of type `xs:ID`, in its tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdAttribute<'a> {
    tree: &'a Tree,
    /// Its place among the attributes of the tree.
    index: u16,
}

impl<'a> IdAttribute<'a> {
    pub(crate) fn tree(self) -> &'a Tree {
        self.tree
    }

    /// Its place in the document: orders the ids of one tree.
    pub(crate) fn place(self) -> u16 {
        self.index
    }

    pub(crate) fn value(self) -> Cow<'a, str> {
        self.tree.attribute_value(self.raw())
    }

    /// An `xml:id`, not the `id` that a schema has.
    pub(crate) fn is_xml_id(self) -> bool {
        self.tree.is_namespace(self.raw().ns, Namespace::Xml)
    }

    pub(super) fn raw(self) -> &'a Attribute {
        &self.tree.attributes[usize::from(self.index)]
    }
}

impl<'a> Element<'a> {
    /// The attributes in it and below it that are of type `xs:ID` by the schemas of the known namespaces
    /// (unprefixed `id` on their elements) or by name (`xml:id`): the element that has one, and its value.
    pub fn ids(self) -> impl Iterator<Item = (Element<'a>, Cow<'a, str>)> + 'a {
        self.with_id().flat_map(|element| element.own_ids().map(move |id| (element, id.value())))
    }

    /// The same as attributes.
    pub(crate) fn id_attributes(self) -> impl Iterator<Item = IdAttribute<'a>> + 'a {
        self.with_id().flat_map(Element::own_ids)
    }

    /// Itself and the elements inside it that have an attribute called `id`.
    fn with_id(self) -> impl Iterator<Item = Element<'a>> + 'a {
        let tree = self.tree;
        let (start, end) = (self.id.0 as u16, self.node().next);
        let first = tree.with_id.partition_point(|id| *id < start);
        let ids = tree.with_id.get(first..).unwrap_or_default();
        let mut last = None;
        ids.iter().take_while(move |id| **id < end).filter_map(move |id| {
            // Twice in a row: an id and an xml:id.
            (last.replace(*id) != Some(*id)).then_some(Element { tree, id: NodeId(u32::from(*id)) })
        })
    }

    /// Its own attributes of type `xs:ID`: an `id`, an `xml:id`, or both.
    pub(crate) fn own_ids(self) -> impl Iterator<Item = IdAttribute<'a>> + 'a {
        let tree = self.tree;
        let known = !matches!(self.namespace(), Namespace::None | Namespace::Xml | Namespace::Other(_));
        let first = self.node().attributes;
        self.raw_attributes().iter().zip(first..).filter_map(move |(attribute, index)| {
            let typed = match tree.namespace(attribute.ns) {
                Namespace::None => known,
                Namespace::Xml => true,
                _ => false,
            };
            (typed && tree.attribute_local(attribute) == "id").then_some(IdAttribute { tree, index })
        })
    }

    /// Where the name in the start tag ends.
    pub(crate) fn name_end(self) -> u32 {
        let node = self.node();
        node.start + 1 + node.name.end()
    }

    /// Where its content ends: the `<` of the end tag, or the end of an empty-element tag.
    pub(crate) fn close(self) -> u32 {
        let node = self.node();
        if node.end == node.content {
            return node.end;
        }
        // An end tag is `</`, the name, white space that is seldom there, and `>`.
        let tag = self.tree.slice(node.content, node.end - 1).trim_ascii_end();
        node.content + tag.len() as u32 - node.name.end() - 2
    }
}
