//! The devices: one for each deviceID, field by field, newest first; in the order of their deviceIDs.

use core::ops::Range;

use super::fields::Fields;
use super::{Composed, Composition, PartCandidate, PartOut, duplicates, person, whole};
use crate::model::Device;
use crate::xml::Known;

/// Composes the devices (each by itself, where nothing is to be resolved).
pub(super) fn compose(composed: &mut Composed<'_>) {
    if composed.device_candidates.is_empty() {
        return;
    }
    let mut candidates = core::mem::take(&mut composed.device_candidates);
    let resolve = composed.how != Composition::Union;
    crate::order::sort_by(&mut candidates, |a, b| {
        a.device_id.cmp(&b.device_id).then_with(|| {
            if resolve {
                a.reach.cmp(&b.reach).then_with(|| person::newest_first(a, b))
            } else {
                person::alike_together(a, b)
            }
        })
    });
    for group in person::repeated(&candidates, |a, b| resolve && a.device_id == b.device_id) {
        let part = merge(composed, &candidates, group);
        composed.devices.push(part);
    }
    composed.device_candidates = candidates;
}

/// Where nothing was resolved: by deviceID, then newest, then id.
pub(super) fn order(composed: &mut Composed<'_>) {
    let candidates = &composed.device_candidates;
    let urn = |part: &PartOut<'_>| candidates.get(part.group.start).map(|candidate| &candidate.device_id);
    crate::order::sort_by(&mut composed.devices, |a, b| {
        urn(a).cmp(&urn(b)).then_with(|| b.at.cmp(&a.at)).then_with(|| a.id.cmp(&b.id))
    });
}

fn merge<'a>(
    composed: &mut Composed<'a>,
    candidates: &[PartCandidate<'a>],
    group: Range<usize>,
) -> PartOut<'a> {
    let ranked = &candidates[group.clone()];
    let pieces = &mut composed.pieces;
    let start = pieces.len();
    if let [only] = ranked {
        pieces.extend(Device { element: only.element }.fields());
    } else {
        let mut fields = Fields::default();
        for candidate in ranked {
            fields.next_contributor();
            for field in (Device { element: candidate.element }).fields() {
                fields.push(field);
            }
        }
        fields.drain_into(pieces);
    }
    let notes_start = pieces.len();
    for candidate in ranked {
        pieces.extend(candidate.element.children_known(Known::PART_NOTE));
    }
    duplicates::drop_notes(pieces, notes_start);
    let notes = notes_start..pieces.len();
    let mut part = person::finish(ranked, group, start..notes_start, notes, None);
    part.whole = whole::device(&part, ranked, &composed.pieces[start..]);
    part
}
