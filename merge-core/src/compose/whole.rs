//! Whether a part of the result is, element for element, what its first contributor published.
//!
//! Most are: one device speaks of its own services. Such a part is copied in one piece instead of being
//! written child by child. What decides is the meaning alone, so a result that is merged again, or with
//! itself, is copied the same way.

use super::{ContactOut, PartCandidate, PartOut, TupleCandidate, TupleOut};
use crate::model::Device;
use crate::xml::{Element, Known, Name};

/// Counts children, as long as they stand in the order of the schema.
struct InOrder {
    rank: u8,
    counts: [usize; 5],
}

impl InOrder {
    fn of<'a>(element: Element<'a>, rank: impl Fn(Element<'a>) -> u8) -> Option<InOrder> {
        let mut seen = InOrder { rank: 0, counts: [0; 5] };
        for child in element.children() {
            let next = rank(child);
            if next < seen.rank {
                return None;
            }
            seen.rank = next;
            *seen.counts.get_mut(usize::from(next))? += 1;
        }
        Some(seen)
    }
}

/// All from one element's tree.
fn all_from(pieces: &[Element<'_>], owner: Element<'_>) -> bool {
    pieces.iter().all(|piece| core::ptr::eq(piece.tree(), owner.tree()))
}

/// Whether an element has no attribute that the first contributor's lacks.
fn adds_no_attribute(first: Element<'_>, other: Element<'_>) -> bool {
    let known = |name: Name<'_>| first.attribute_in(name.namespace, name.local).is_some();
    other.attributes().all(|attribute| known(attribute.name))
}

/// Whether a tuple is its first contributor's. `pieces` are its status fields, fields and notes.
pub(super) fn tuple(out: &TupleOut<'_>, group: &[TupleCandidate<'_>], pieces: &[Element<'_>]) -> bool {
    let Some((first, others)) = group.split_first() else { return false };
    let Some(status) = first.status else { return false };
    if out.stamp.is_none()
        || out.stamp != first.stamp
        || out.id != first.id
        || out.basic != first.basic
        || matches!(out.contact, ContactOut::Gruu { .. })
        || first.element.tree().inherits_lang
        || !(others.is_empty() || all_from(pieces, first.element))
    {
        return false;
    }
    let rank = |child: Element<'_>| match child.known() {
        Known::STATUS => 0,
        Known::CONTACT => 2,
        Known::NOTE => 3,
        Known::TIMESTAMP => 4,
        _ => 1,
    };
    let Some(seen) = InOrder::of(first.element, rank) else { return false };
    let mut basic = 0;
    let mut inside = 0;
    for child in status.children() {
        let is_basic = child.known() == Known::BASIC;
        if is_basic && inside > 0 {
            return false;
        }
        basic += usize::from(is_basic);
        inside += usize::from(!is_basic);
    }
    seen.counts == [1, out.fields.len(), usize::from(first.contact.is_some()), out.notes.len(), 1]
        && basic <= 1
        && inside == out.status_fields.len()
        && others.iter().all(|other| {
            adds_no_attribute(first.element, other.element)
                && other.status.is_none_or(|other| adds_no_attribute(status, other))
        })
}

/// Whether a device is its first contributor's. `pieces` are its fields and notes.
pub(super) fn device(out: &PartOut<'_>, group: &[PartCandidate<'_>], pieces: &[Element<'_>]) -> bool {
    let Some((first, others)) = group.split_first() else { return false };
    if out.stamp.is_none()
        || out.stamp != first.stamp
        || out.id != first.id
        || first.element.tree().inherits_lang
        || !(others.is_empty() || all_from(pieces, first.element))
    {
        return false;
    }
    let rank = |child: Element<'_>| match child.known() {
        Known::DEVICE_ID => 1,
        Known::PART_NOTE => 2,
        Known::PART_TIMESTAMP => 3,
        _ => 0,
    };
    let Some(seen) = InOrder::of(first.element, rank) else { return false };
    // A deviceID that is there and empty is not what the result says: a stand-in takes its place.
    let named = || !Device { element: first.element }.device_id().is_empty();
    seen.counts == [out.fields.len(), 1, out.notes.len(), 1, 0]
        && named()
        && others.iter().all(|other| adds_no_attribute(first.element, other.element))
}
