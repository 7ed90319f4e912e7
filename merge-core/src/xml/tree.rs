//! The tree: one copy of the source text, and a flat list of the elements found in it.
//!
//! Text is not stored; it is what lies between the elements, cut out of the source when asked for.
//!
//! ```text
//!  source  <a x="1"> hi <b/> </a>          nodes (document order)
//!          ^        ^    ^       ^           0  a  start content end  next = 2
//!          start    |    b       end         1  b  ...                next = 2
//!                content
//! ```
//! The children of node `i` are `i + 1`, then each one's `next`, while it is below `next` of `i`.

use alloc::borrow::Cow;
use alloc::boxed::Box;

use super::known::Marks;
use super::names::Namespace;

/// An element of one tree, by its place in document order. Meaningless in any other tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

/// A well-formed, namespace-resolved document that owns its text.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) source: Box<str>,
    pub(crate) nodes: Box<[Node]>,
    pub(crate) attributes: Box<[Attribute]>,
    pub(crate) declarations: Box<[Declaration]>,
    /// Namespaces beyond the known ones, in order of first declaration.
    pub(crate) namespaces: Box<[Text]>,
    /// What a verbatim copy has otherwise, in document order.
    pub(crate) cuts: Box<[Cut]>,
    /// Decoded text that the source does not hold verbatim (namespace names with references in them).
    pub(crate) decoded: Box<str>,
    /// Elements that have an attribute called `id`, in document order.
    pub(crate) with_id: Box<[u16]>,
    /// Some element stands in no namespace.
    pub(crate) unqualified: bool,
    /// Some element with children has an `xml:lang`.
    pub(crate) inherits_lang: bool,
}

/// An element of the arena: 24 bytes, for they are most of what a document weighs besides its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The `<` of the start tag.
    pub(crate) start: u32,
    /// After the `>` of the start tag.
    pub(crate) content: u32,
    /// After the `>` of the end tag; equal to `content` for an empty-element tag.
    pub(crate) end: u32,
    /// Of the name, which follows the `<`.
    pub(crate) name: Spelling,
    pub(crate) ns: u8,
    pub(crate) marks: Marks,
    /// 1 + the innermost declaration in scope; 0 for none.
    pub(crate) scope: u16,
    pub(crate) parent: u16,
    pub(crate) next: u16,
    /// Its first attribute. They end where those of the next element in document order begin.
    pub(crate) attributes: u16,
}

/// Where the parts of a name are, counted from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    /// Where the local part begins: behind the colon, or at once.
    local: u8,
    /// The last byte, not the one behind it: a name may have 256.
    last: u8,
}

impl Spelling {
    /// The most bytes that a name may have.
    pub(crate) const MAX: usize = 256;

    /// A name of `length` bytes, 1 to [`Spelling::MAX`], of which the local part begins at `local`.
    pub(crate) fn new(local: usize, length: usize) -> Spelling {
        Spelling { local: local as u8, last: (length - 1) as u8 }
    }

    /// How long the prefix is; 0 for none.
    pub(crate) fn prefix(self) -> u32 {
        u32::from(self.local.saturating_sub(1))
    }

    /// Where the local part begins.
    pub(crate) fn local(self) -> u32 {
        u32::from(self.local)
    }

    /// Where the name ends.
    pub(crate) fn end(self) -> u32 {
        u32::from(self.last) + 1
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: u32,
    pub(crate) value: u32,
    pub(crate) value_len: u32,
    pub(crate) spelling: Spelling,
    pub(crate) ns: u8,
    /// The value holds a reference, a tab or a line end.
    pub(crate) escaped: bool,
}

/// One `xmlns` or `xmlns:p`, linked to the one declared before it that is still in scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declaration {
    pub(crate) prefix_start: u32,
    pub(crate) prefix: u8,
    pub(crate) ns: u8,
    /// 1 + the declaration before this one; 0 for none.
    pub(crate) outer: u16,
}

/// A stretch of `source`, or of `decoded`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) decoded: bool,
}

/// What is left out of, or rewritten in, a verbatim copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) kind: CutKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CutKind {
    /// A comment or a processing instruction: left out.
    Dropped,
    /// A CDATA section: written as text.
    Cdata,
    /// A `>` that a cut keeps apart from a `]]` before it: written as `&gt;`, for without the cut they would be `]]>`.
    Greater,
}

/// A name as it counts: namespace and local part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a> {
    /// The namespace.
    pub namespace: Namespace<'a>,
    /// The part after the colon.
    pub local: &'a str,
}

/// An attribute of an element; namespace declarations are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeView<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// The prefix as written; empty for none.
    pub prefix: &'a str,
    /// Its value, references resolved and white space normalised (XML 1.0 section 3.3.3).
    pub value: Cow<'a, str>,
}

/// A namespace binding in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The prefix; empty for the default namespace.
    pub prefix: &'a str,
    /// What it stands for; [`Namespace::None`] only where a default was taken back (`xmlns=""`).
    pub namespace: Namespace<'a>,
}

/// One element, seen in its tree. Two words, copied freely.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) id: NodeId,
}
