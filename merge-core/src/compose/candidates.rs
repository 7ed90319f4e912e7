//! One pass over each document: what it has that could stand in the result.

use alloc::borrow::Cow;
use alloc::string::String;

use super::sources::Input;
use super::{Composed, Source, ids, tuples};
use crate::model::{Basic, Contact};
use crate::time::Millis;
use crate::xml::{Element, Namespace};

/// A published tuple.
#[derive(Clone, Debug)]
pub(crate) struct TupleCandidate<'a> {
    /// The index of its source.
    pub(crate) source: u16,
    pub(crate) element: Element<'a>,
    pub(crate) status: Option<Element<'a>>,
    pub(crate) basic: Option<Basic>,
    pub(crate) contact: Option<Element<'a>>,
    /// The contact's URI; empty without one.
    pub(crate) uri: Cow<'a, str>,
    pub(crate) host_sum: u32,
    pub(crate) priority: Option<u16>,
    /// A `timestamp` that could be read.
    pub(crate) stamp: Option<Element<'a>>,
    pub(crate) at: Millis,
    pub(crate) id: Cow<'a, str>,
    pub(crate) reach: u8,
    pub(crate) steady: u16,
    /// Which group it belongs to; decided by `tuples`.
    pub(crate) group: u32,
}

/// A published person or device.
#[derive(Clone, Debug)]
pub(crate) struct PartCandidate<'a> {
    /// The index of its source.
    pub(crate) source: u16,
    pub(crate) element: Element<'a>,
    pub(crate) stamp: Option<Element<'a>>,
    pub(crate) at: Millis,
    pub(crate) id: Cow<'a, str>,
    /// A device's deviceID; empty for a person.
    pub(crate) device_id: Cow<'a, str>,
    pub(crate) idle: bool,
    pub(crate) reach: u8,
    pub(crate) steady: u16,
}

/// Fills the candidate lists, notes and extensions, sources in order, each document in its own order.
pub(super) fn collect(composed: &mut Composed<'_>) {
    let count = composed.sources.len();
    composed.tuple_candidates.reserve(count);
    composed.person_candidates.reserve(count);
    composed.device_candidates.reserve(count);
    composed.tuples.reserve(count);
    composed.devices.reserve(count);
    composed.notes.reserve(count);
    // What four phones of a usual size say.
    composed.pieces.reserve(count * 16);
    for (index, source) in composed.sources.iter_mut().enumerate() {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let mut input = Input::default();
        let persons = composed.person_candidates.len();
        for child in source.publication.document.root().children() {
            match (child.namespace(), child.local()) {
                (Namespace::Pidf, "tuple") => {
                    composed.tuple_candidates.push(tuple_with(source, index, child, &mut input));
                }
                (Namespace::Pidf, "note") => composed.notes.push(child),
                (Namespace::DataModel, "person") => {
                    composed
                        .person_candidates
                        .push(part(source, index, child, |child| input.see_person(child)));
                }
                (Namespace::DataModel, "device") => {
                    let mut device = part(source, index, child, |child| input.see(child));
                    if device.device_id.is_empty() {
                        device.device_id = stand_in(source, &device.id);
                    }
                    composed.device_candidates.push(device);
                }
                _ => composed.extensions.push(child),
            }
        }
        source.idle = input.idle() == Some(true);
        source.active = input.idle() == Some(false);
        for person in composed.person_candidates.iter_mut().skip(persons) {
            person.idle = source.idle;
        }
    }
}

/// A device has to have a deviceID. Without one it is the one that published.
fn stand_in<'a>(source: &Source<'a>, id: &str) -> Cow<'a, str> {
    let key = &source.publication.device.key;
    if !key.is_empty() {
        return Cow::Borrowed(key);
    }
    let mut urn = String::from("urn:tributary:unnamed:");
    ids::push_digits(&mut urn, ids::digest(&[id.as_bytes()]));
    Cow::Owned(urn)
}

/// One tuple.
pub(crate) fn tuple<'a>(source: &Source<'a>, index: u16, element: Element<'a>) -> TupleCandidate<'a> {
    tuple_with(source, index, element, &mut Input::default())
}

fn tuple_with<'a>(
    source: &Source<'a>,
    index: u16,
    element: Element<'a>,
    input: &mut Input,
) -> TupleCandidate<'a> {
    let mut found = TupleCandidate {
        source: index,
        element,
        status: None,
        basic: None,
        contact: None,
        uri: Cow::Borrowed(""),
        host_sum: 0,
        priority: None,
        stamp: None,
        at: source.publication.received,
        id: element.attribute("id").unwrap_or_default(),
        reach: source.reach,
        steady: source.steady,
        group: 0,
    };
    for child in element.children() {
        if child.namespace() != Namespace::Pidf {
            input.see(child);
            continue;
        }
        match child.local() {
            "status" if found.status.is_none() => {
                found.status = Some(child);
                for inside in child.children() {
                    if found.basic.is_none() && inside.is(Namespace::Pidf, "basic") {
                        found.basic = Basic::of(&inside.value());
                    } else {
                        input.see(inside);
                    }
                }
            }
            "contact" if found.contact.is_none() => {
                let uri = child.value();
                if !uri.is_empty() {
                    found.contact = Some(child);
                    found.host_sum = tuples::host_sum(&uri);
                    found.uri = uri;
                    found.priority = Contact { element: child }.priority_milli();
                }
            }
            "timestamp" if found.stamp.is_none() => {
                if let Some(at) = Millis::parse_rfc3339(&child.value()) {
                    found.stamp = Some(child);
                    found.at = at;
                }
            }
            _ => {}
        }
    }
    found
}

fn part<'a>(
    source: &Source<'a>,
    index: u16,
    element: Element<'a>,
    mut see: impl FnMut(Element<'a>),
) -> PartCandidate<'a> {
    let mut found = PartCandidate {
        source: index,
        element,
        stamp: None,
        at: source.publication.received,
        id: element.attribute("id").unwrap_or_default(),
        device_id: Cow::Borrowed(""),
        idle: false,
        reach: source.reach,
        steady: source.steady,
    };
    for child in element.children() {
        if child.namespace() != Namespace::DataModel {
            see(child);
            continue;
        }
        match child.local() {
            "deviceID" if found.device_id.is_empty() => found.device_id = child.value(),
            "timestamp" if found.stamp.is_none() => {
                if let Some(at) = Millis::parse_rfc3339(&child.value()) {
                    found.stamp = Some(child);
                    found.at = at;
                }
            }
            _ => {}
        }
    }
    found
}
