//! What each document has that could stand in the result.

use alloc::borrow::Cow;
use alloc::string::String;

use super::{Composed, Source, ids};
use crate::live::{DeviceIdentity, LiveSet};
use crate::model::Basic;
use crate::model::parts::{self, Part, PartKind, Place};
use crate::time::Millis;
use crate::uri::{Entity, is_gruu, leads_nowhere, same_contact};
use crate::xml::Element;

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
    /// What is shown in its place.
    pub(crate) gruu: Option<&'a str>,
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
    let set = composed.set;
    for (index, source) in composed.sources.iter_mut().enumerate() {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let document = &source.publication.document;
        let idle = parts::idle(document.parts());
        source.idle = idle == Some(true);
        source.active = idle == Some(false);
        for found in document.parts() {
            match found.kind {
                PartKind::Tuple => composed.tuple_candidates.push(tuple_of(set, source, index, found)),
                PartKind::Note => composed.notes.push(found.element.within(document.tree())),
                PartKind::Person => {
                    let mut person = part(source, index, found);
                    person.idle = source.idle;
                    composed.person_candidates.push(person);
                }
                PartKind::Device => {
                    let mut device = part(source, index, found);
                    if device.device_id.is_empty() {
                        device.device_id = stand_in(source, &device.id);
                    }
                    composed.device_candidates.push(device);
                }
                PartKind::Extension => composed.extensions.push(found.element.within(document.tree())),
            }
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

/// The first tuple of that id in a source's document.
pub(crate) fn tuple<'a>(
    set: &LiveSet,
    source: &Source<'a>,
    index: u16,
    id: &str,
) -> Option<TupleCandidate<'a>> {
    let tuples = source.publication.document.parts().iter().filter(|part| part.kind == PartKind::Tuple);
    tuples.map(|found| tuple_of(set, source, index, found)).find(|tuple| tuple.id == id)
}

fn tuple_of<'a>(set: &LiveSet, source: &Source<'a>, index: u16, found: &Part) -> TupleCandidate<'a> {
    let tree = source.publication.document.tree();
    let there = |place: Place| place.within(tree);
    let element = there(found.element);
    let contact = found.contact.map(there);
    let uri = contact.map(Element::value).unwrap_or_default();
    let gruu = source.publication.device.gruu.as_deref();
    TupleCandidate {
        source: index,
        element,
        status: found.status.map(there),
        basic: found.basic,
        contact,
        gruu: gruu.filter(|_| contact.is_none() || is_no_better(set, &source.publication.device, &uri)),
        uri,
        host_sum: found.host_sum,
        priority: found.priority,
        stamp: found.stamp.map(there),
        at: if found.stamp.is_some() { found.at } else { source.publication.received },
        id: found.id.map(|place| place.value(tree)).unwrap_or_default(),
        reach: source.reach,
        steady: source.steady,
        group: 0,
    }
}

/// Whether a contact says less than the GRUU of the device that published it: its user's address, which leads to
/// all of the user's devices, the one that it has registered, which is for the server alone, or one that leads
/// nowhere.
fn is_no_better(set: &LiveSet, device: &DeviceIdentity, uri: &str) -> bool {
    let names_user = || Entity::parse(uri).is_ok_and(|entity| entity.as_str() == set.presentity.aor);
    let is_registered = || {
        let mut own = set.registrations.iter().filter(|own| own.instance == device.instance);
        own.any(|own| same_contact(&own.contact, uri))
    };
    !is_gruu(uri) && (leads_nowhere(uri) || names_user() || is_registered())
}

fn part<'a>(source: &Source<'a>, index: u16, found: &Part) -> PartCandidate<'a> {
    let tree = source.publication.document.tree();
    let there = |place: Place| place.within(tree);
    let element = there(found.element);
    PartCandidate {
        source: index,
        element,
        stamp: found.stamp.map(there),
        at: if found.stamp.is_some() { found.at } else { source.publication.received },
        id: found.id.map(|place| place.value(tree)).unwrap_or_default(),
        device_id: found.device_id.map(|place| there(place).value()).unwrap_or_default(),
        idle: false,
        reach: source.reach,
        steady: source.steady,
    }
}
