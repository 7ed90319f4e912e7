//! What composing asks of the parts of a document, looked up once, when it is read: a document is merged many times
//! more often than it is published, and looking these things up was a third of merging.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU16;

use super::fields::{Basic, Contact};
use super::rpid::UserInput;
use crate::time::Millis;
use crate::uri::host_and_port;
use crate::xml::{Element, Namespace, NodeId, Tree};

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

/// The parts of a document whose shape was checked, in its order.
pub(super) fn of(root: Element<'_>) -> Box<[Part]> {
    // Most documents have fewer; a list that grows step by step costs as much as what is put in it.
    let mut parts = Vec::with_capacity(8);
    parts.extend(root.children().filter_map(Part::of));
    parts.into_boxed_slice()
}

impl Part {
    /// None for the root, which is nobody's child.
    fn of(element: Element<'_>) -> Option<Part> {
        let mut part = Part {
            kind: match (element.namespace(), element.local()) {
                (Namespace::Pidf, "tuple") => PartKind::Tuple,
                (Namespace::Pidf, "note") => PartKind::Note,
                (Namespace::DataModel, "person") => PartKind::Person,
                (Namespace::DataModel, "device") => PartKind::Device,
                _ => PartKind::Extension,
            },
            basic: None,
            idle: None,
            priority: None,
            element: Place::of(element)?,
            status: None,
            contact: None,
            device_id: None,
            stamp: None,
            host_sum: 0,
            at: Millis(0),
        };
        let own = match part.kind {
            PartKind::Tuple => Namespace::Pidf,
            PartKind::Person | PartKind::Device => Namespace::DataModel,
            PartKind::Note | PartKind::Extension => return Some(part),
        };
        for child in element.children() {
            if child.namespace() != own {
                part.see(child);
                continue;
            }
            match child.local() {
                "status" => {
                    part.status = Place::of(child);
                    for inside in child.children() {
                        if inside.is(Namespace::Pidf, "basic") {
                            part.basic = Basic::of(&inside.value());
                        } else {
                            part.see(inside);
                        }
                    }
                }
                "contact" => {
                    let uri = child.value();
                    if !uri.is_empty() {
                        part.contact = Place::of(child);
                        part.host_sum = host_sum(&uri);
                        part.priority = Contact { element: child }.priority_milli();
                    }
                }
                "timestamp" => {
                    if let Some(at) = Millis::parse_rfc3339(&child.value()) {
                        part.stamp = Place::of(child);
                        part.at = at;
                    }
                }
                "deviceID" if !child.value().is_empty() => part.device_id = Place::of(child),
                _ => {}
            }
        }
        Some(part)
    }

    /// Takes note of a child, or a child of the status.
    fn see(&mut self, child: Element<'_>) {
        if child.is(Namespace::Rpid, "user-input") {
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
