//! The document as a whole, and the person and devices in it.

use alloc::borrow::Cow;
use alloc::boxed::Box;

use super::extensions::{Caps, Cipid};
use super::fields::Note;
use super::parts::{self, Part};
use super::read_error::ReadError;
use super::rpid::{Activities, Rpid, UserInput};
use super::shape;
use super::tuple::Tuple;
use crate::time::Millis;
use crate::uri::Entity;
use crate::xml::{Element, Known, Limits, Namespace, Tree};

/// A presence document that was read and checked, once, when it was published.
#[derive(Clone, Debug)]
pub struct Document {
    tree: Tree,
    entity: Option<Entity>,
    parts: Box<[Part]>,
    ids_inside: bool,
}

impl Document {
    /// Reads and checks a PIDF document under the default limits.
    ///
    /// # Errors
    /// What is wrong with it, with the SIP status it deserves.
    pub fn read(bytes: &[u8]) -> Result<Document, ReadError> {
        Document::read_with(bytes, &Limits::DEFAULT)
    }

    /// Reads a document that a merge or a view has written: of many devices, it may be larger than what one may
    /// publish.
    ///
    /// # Errors
    /// It is none.
    pub fn read_written(bytes: &[u8]) -> Result<Document, ReadError> {
        Document::read_with(bytes, &Limits::WRITTEN)
    }

    /// Reads and checks a PIDF document under limits of the caller's own.
    ///
    /// Refused is what cannot be repaired without guessing: XML that is none, another root, an entity that is no URI, a `basic`
    /// that is neither open nor closed, elements of PIDF's own namespace where RFC 3863 has none. Missing, doubled
    /// or ill-formed ids, a missing `status` and an odd order of elements are not: the writer puts them right.
    ///
    /// # Errors
    /// What is wrong with it, with the SIP status it deserves.
    pub fn read_with(bytes: &[u8], limits: &Limits) -> Result<Document, ReadError> {
        let tree = Tree::read_with(bytes, limits).map_err(ReadError::xml)?;
        let entity = shape::check(tree.root())?;
        let parts = parts::read(tree.root())?;
        let ids_inside = ids_inside(&tree, &parts);
        Ok(Document { tree, entity, parts, ids_inside })
    }

    /// What stands directly under the root, with what composing asks of it.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether there are ids besides those of tuples, persons and devices. Seldom, and then all that is copied has
    /// to be looked through for them.
    pub(crate) fn has_ids_inside(&self) -> bool {
        self.ids_inside
    }

    /// Bytes of memory that it holds, its own size included.
    #[must_use]
    pub fn memory(&self) -> usize {
        let entity = self.entity.as_ref().map_or(0, |entity| entity.as_str().len());
        let own = size_of::<Document>() - size_of::<Tree>();
        self.tree.memory() + own + size_of_val(&*self.parts) + entity
    }

    /// The tree under the views.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The `presence` element.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        self.tree.root()
    }

    /// The presentity that the document names, canonical. None when it names none, as RFC 4479's own example does:
    /// it is about whoever publishes it then.
    #[must_use]
    pub fn entity(&self) -> Option<&Entity> {
        self.entity.as_ref()
    }

    /// The text that was read.
    #[must_use]
    pub fn source(&self) -> &str {
        self.tree.source()
    }

    /// The services, in document order.
    pub fn tuples(&self) -> impl Iterator<Item = Tuple<'_>> {
        self.root().children_known(Known::TUPLE).map(|element| Tuple { element })
    }

    /// The persons; RFC 4479 means one, but does not forbid more.
    pub fn persons(&self) -> impl Iterator<Item = Person<'_>> {
        self.root().children_known(Known::PERSON).map(|element| Person { element })
    }

    /// The devices.
    pub fn devices(&self) -> impl Iterator<Item = Device<'_>> {
        self.root().children_known(Known::DEVICE).map(|element| Device { element })
    }

    /// The notes on the presentity as a whole.
    pub fn notes(&self) -> impl Iterator<Item = Note<'_>> {
        self.root().children_known(Known::NOTE).map(|element| Note { element })
    }

    /// Everything else that stands directly under the root, of whatever namespace.
    pub fn extensions(&self) -> impl Iterator<Item = Element<'_>> {
        self.root()
            .children()
            .filter(|e| !matches!(e.known(), Known::TUPLE | Known::NOTE | Known::PERSON | Known::DEVICE))
    }
}

/// Whether there are more ids than tuples, persons and devices that have one.
fn ids_inside(tree: &Tree, parts: &[Part]) -> bool {
    tree.root().id_attributes().count() > parts.iter().filter(|part| part.id.is_some()).count()
}

/// A person (RFC 4479 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person<'a> {
    /// The `person` element.
    pub element: Element<'a>,
}

/// A device (RFC 4479 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device<'a> {
    /// The `device` element.
    pub element: Element<'a>,
}

impl<'a> Person<'a> {
    /// Its `id`; empty when missing.
    #[must_use]
    pub fn id(self) -> Cow<'a, str> {
        self.element.attribute("id").unwrap_or_default()
    }

    /// Its `timestamp`, when there is one that can be read.
    #[must_use]
    pub fn timestamp(self) -> Option<Millis> {
        timestamp(self.element, Namespace::DataModel)
    }

    /// Its notes (data-model namespace).
    pub fn notes(self) -> impl Iterator<Item = Note<'a>> {
        self.element.children_known(Known::PART_NOTE).map(|element| Note { element })
    }

    /// Its RFC 4480 elements.
    #[must_use]
    pub fn rpid(self) -> Rpid<'a> {
        Rpid { around: self.element, status: None }
    }

    /// Its RFC 4482 elements.
    #[must_use]
    pub fn cipid(self) -> Cipid<'a> {
        Cipid { around: self.element }
    }

    /// `activities` (RFC 4480), the first.
    #[must_use]
    pub fn activities(self) -> Option<Activities<'a>> {
        self.rpid().activities()
    }

    /// `mood` (RFC 4480), the first: the same shape as activities.
    #[must_use]
    pub fn mood(self) -> Option<Activities<'a>> {
        self.rpid().mood()
    }

    /// `user-input` (RFC 4480).
    #[must_use]
    pub fn user_input(self) -> Option<UserInput<'a>> {
        self.rpid().user_input()
    }

    /// All children but `note` and `timestamp`: what is composed field by field, in document order.
    pub fn fields(self) -> impl Iterator<Item = Element<'a>> {
        self.element.children().filter(|e| !matches!(e.known(), Known::PART_NOTE | Known::PART_TIMESTAMP))
    }
}

impl<'a> Device<'a> {
    /// Its `id`; empty when missing.
    #[must_use]
    pub fn id(self) -> Cow<'a, str> {
        self.element.attribute("id").unwrap_or_default()
    }

    /// Its `deviceID`; empty when missing.
    #[must_use]
    pub fn device_id(self) -> Cow<'a, str> {
        self.element.child(Namespace::DataModel, "deviceID").map(Element::value).unwrap_or_default()
    }

    /// Its `timestamp`, when there is one that can be read.
    #[must_use]
    pub fn timestamp(self) -> Option<Millis> {
        timestamp(self.element, Namespace::DataModel)
    }

    /// Its notes (data-model namespace).
    pub fn notes(self) -> impl Iterator<Item = Note<'a>> {
        self.element.children_known(Known::PART_NOTE).map(|element| Note { element })
    }

    /// Its RFC 4480 elements.
    #[must_use]
    pub fn rpid(self) -> Rpid<'a> {
        Rpid { around: self.element, status: None }
    }

    /// `user-input` (RFC 4480).
    #[must_use]
    pub fn user_input(self) -> Option<UserInput<'a>> {
        self.rpid().user_input()
    }

    /// `devcaps` (RFC 5196).
    #[must_use]
    pub fn caps(self) -> Option<Caps<'a>> {
        self.element.child(Namespace::Caps, "devcaps").map(|element| Caps { element })
    }

    /// All children but `deviceID`, `note` and `timestamp`, in document order.
    pub fn fields(self) -> impl Iterator<Item = Element<'a>> {
        self.element
            .children()
            .filter(|e| !matches!(e.known(), Known::DEVICE_ID | Known::PART_NOTE | Known::PART_TIMESTAMP))
    }
}

pub(super) fn timestamp(element: Element<'_>, namespace: Namespace<'_>) -> Option<Millis> {
    Millis::parse_rfc3339(&element.child(namespace, "timestamp")?.value())
}
