//! The parts of a document: whether each is as RFC 3863 and RFC 4479 have it, and what composing asks of it. Both are
//! looked up once, when the document is read: it is merged many times more often than it is published.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use super::fields::{Basic, Contact};
use super::read_error::{ReadError, ReadErrorKind};
use super::rpid::UserInput;
use super::shape::{Singles, misplaced, text_only};
use crate::time::Millis;
use crate::uri::host_and_port;
use crate::xml::{Element, Known, Namespace, NodeId, Tree};

/// A child of the root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) kind: PartKind,
    /// `status/basic` of a tuple.
    pub(crate) basic: Option<Basic>,
    /// What its `user-input`s say: idle, if all of them are.
    pub(crate) idle: Option<bool>,
    /// `priority` of the contact.
    pub(crate) priority: Option<u16>,
    pub(crate) element: Place,
    /// `id` of a tuple, person or device.
    pub(crate) id: Option<AttributePlace>,
    pub(crate) status: Option<Place>,
    /// A `contact` that is not empty.
    pub(crate) contact: Option<Place>,
    /// `deviceID` of a device, when it is not empty.
    pub(crate) device_id: Option<Place>,
    /// A `timestamp` that could be read, and its instant.
    pub(crate) stamp: Option<Place>,
    /// A sum of the contact's host, equal for hosts that differ in case only.
    pub(crate) host_sum: u32,
    pub(crate) at: Millis,
}

/// What kind of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    Tuple,
    Note,
    Person,
    Device,
    Extension,
}

/// An element other than the root, by its place in the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(NonZeroU16);

impl Place {
    fn of(element: Element<'_>) -> Option<Place> {
        u16::try_from(element.id().0).ok().and_then(NonZeroU16::new).map(Place)
    }

    /// The element there; the tree must be the one that it was found in.
    pub(crate) fn within(self, tree: &Tree) -> Element<'_> {
        Element { tree, id: NodeId(u32::from(self.0.get())) }
    }
}

/// An attribute, by its place in the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributePlace(NonZeroU16);

impl AttributePlace {
    fn of_id(element: Element<'_>) -> Option<AttributePlace> {
        let place = element.attribute_place(Namespace::None, "id")?;
        NonZeroU16::new(place.checked_add(1)?).map(AttributePlace)
    }

    /// Its value; the tree must be the one that it was found in.
    pub(crate) fn value(self, tree: &Tree) -> Cow<'_, str> {
        tree.attribute_at(self.0.get() - 1)
    }
}

/// The parts of a document, in its order.
///
/// # Errors
/// An element of a namespace that RFC 3863 or RFC 4479 owns stands where they have none of its name, or twice where they
/// have one.
pub(super) fn read(root: Element<'_>) -> Result<Box<[Part]>, ReadError> {
    // Most documents have fewer; a list that grows step by step costs as much as what is put in it.
    let mut parts = Vec::with_capacity(8);
    for child in root.children() {
        let Some(element) = Place::of(child) else { continue };
        let part = Part::new(element);
        parts.push(match child.known() {
            Known::TUPLE => part.tuple(child)?,
            Known::NOTE => {
                text_only(child)?;
                Part { kind: PartKind::Note, ..part }
            }
            Known::PERSON => part.person_or_device(child, PartKind::Person)?,
            Known::DEVICE => part.person_or_device(child, PartKind::Device)?,
            _ if child.is_in(Namespace::Pidf) => return Err(misplaced(child, "presence")),
            _ => part,
        });
    }
    Ok(parts.into_boxed_slice())
}

impl Part {
    /// One of which nothing is known.
    fn new(element: Place) -> Part {
        Part {
            kind: PartKind::Extension,
            basic: None,
            idle: None,
            priority: None,
            element,
            id: None,
            status: None,
            contact: None,
            device_id: None,
            stamp: None,
            host_sum: 0,
            at: Millis(0),
        }
    }

    fn tuple(mut self, tuple: Element<'_>) -> Result<Part, ReadError> {
        self.kind = PartKind::Tuple;
        self.id = AttributePlace::of_id(tuple);
        let mut singles = Singles::default();
        for child in tuple.children() {
            match child.known() {
                Known::STATUS => {
                    singles.once(child, 1)?;
                    self.status(child)?;
                }
                Known::CONTACT => {
                    singles.once(child, 2)?;
                    text_only(child)?;
                    self.contact(child);
                }
                Known::TIMESTAMP => {
                    singles.once(child, 4)?;
                    text_only(child)?;
                    self.timestamp(child);
                }
                Known::NOTE => text_only(child)?,
                _ if child.is_in(Namespace::Pidf) => return Err(misplaced(child, "tuple")),
                _ => self.see(child),
            }
        }
        Ok(self)
    }

    fn status(&mut self, status: Element<'_>) -> Result<(), ReadError> {
        self.status = Place::of(status);
        let mut singles = Singles::default();
        for child in status.children() {
            if child.known() == Known::BASIC {
                singles.once(child, 1)?;
                text_only(child)?;
                let value = child.value();
                self.basic = Basic::of(&value);
                if self.basic.is_none() {
                    let message = format!("basic is \"{value}\"; it must be open or closed");
                    return Err(ReadError::at(ReadErrorKind::Shape, child, &message));
                }
            } else if child.is_in(Namespace::Pidf) {
                return Err(misplaced(child, "status"));
            } else {
                self.see(child);
            }
        }
        Ok(())
    }

    /// Elements of the data model's own namespace are as RFC 4479 has them; all others are extensions.
    fn person_or_device(mut self, element: Element<'_>, kind: PartKind) -> Result<Part, ReadError> {
        self.kind = kind;
        self.id = AttributePlace::of_id(element);
        let mut singles = Singles::default();
        for child in element.children() {
            match child.known() {
                Known::DEVICE_ID if kind == PartKind::Device => {
                    singles.once(child, 1)?;
                    text_only(child)?;
                    if !child.value().is_empty() {
                        self.device_id = Place::of(child);
                    }
                }
                Known::PART_TIMESTAMP => {
                    singles.once(child, 2)?;
                    text_only(child)?;
                    self.timestamp(child);
                }
                Known::PART_NOTE => text_only(child)?,
                _ if child.is_in(Namespace::DataModel) => return Err(misplaced(child, element.local())),
                _ => self.see(child),
            }
        }
        Ok(self)
    }

    fn contact(&mut self, contact: Element<'_>) {
        let uri = contact.value();
        if !uri.is_empty() {
            self.contact = Place::of(contact);
            self.host_sum = host_sum(&uri);
            self.priority = Contact { element: contact }.priority_milli();
        }
    }

    fn timestamp(&mut self, timestamp: Element<'_>) {
        if let Some(at) = Millis::parse_rfc3339(&timestamp.value()) {
            self.stamp = Place::of(timestamp);
            self.at = at;
        }
    }

    /// Takes note of a child, or a child of the status.
    fn see(&mut self, child: Element<'_>) {
        if child.known() == Known::USER_INPUT {
            let idle = UserInput { element: child }.is_idle();
            self.idle = Some(self.idle.unwrap_or(true) && idle);
        }
    }
}

/// What a document says of whether the user is at the device: idle, if anything is said. A person's `user-input`
/// outweighs those of services and devices, and one that is active outweighs one that is idle.
pub(crate) fn idle(parts: &[Part]) -> Option<bool> {
    let all = |persons: bool| {
        let said = parts.iter().filter(|part| (part.kind == PartKind::Person) == persons);
        said.filter_map(|part| part.idle).reduce(|one, other| one && other)
    };
    all(true).or_else(|| all(false))
}

fn host_sum(uri: &str) -> u32 {
    let host = host_and_port(uri.split_once(':').map_or(uri, |(_, rest)| rest));
    host.bytes().fold(0x811c_9dc5_u32, |sum, byte| {
        (sum ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}
