//! The one person: field by field, a source at which the user is idle yielding to the others, newest first.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

use super::fields::Fields;
use super::{Class, Composed, Composition, PartCandidate, PartOut, Source, classify, duplicates};
use crate::live::Dialog;
use crate::model::{Person, UserInput};
use crate::time::Millis;
use crate::xml::{Element, Known};

/// Composes the person (each person for itself, where nothing is to be resolved).
pub(super) fn compose<'a>(composed: &mut Composed<'a>) {
    let mut candidates = core::mem::take(&mut composed.person_candidates);
    if composed.how == Composition::Union {
        one_by_one(composed, &mut candidates);
        composed.person_candidates = candidates;
        return;
    }
    crate::order::sort_by(&mut candidates, order);
    let call = call(composed);
    if !candidates.is_empty() || call.is_some() {
        let activities = if composed.how == Composition::MostAvailable {
            // The person is as free as the best device says, be it by silence.
            Chosen::Published(0)
        } else {
            choose_activities(&candidates, call)
        };
        composed.talking = match activities {
            Chosen::Call(dialog) => Some(dialog),
            Chosen::Published(_) => None,
        };
        let group = 0..candidates.len();
        let part = merge(composed, &candidates, group, activities);
        composed.persons.push(part);
    }
    composed.person_candidates = candidates;
}

/// Whose word counts most: reached best (where that decides), not idle, newest.
fn order(a: &PartCandidate<'_>, b: &PartCandidate<'_>) -> Ordering {
    a.reach.cmp(&b.reach).then_with(|| a.idle.cmp(&b.idle)).then_with(|| newest_first(a, b))
}

pub(super) fn newest_first(a: &PartCandidate<'_>, b: &PartCandidate<'_>) -> Ordering {
    b.at.cmp(&a.at)
        .then_with(|| a.steady.cmp(&b.steady))
        .then_with(|| a.source.cmp(&b.source))
        .then_with(|| a.element.id().cmp(&b.element.id()))
}

/// Newest first, and where nothing is resolved, repetitions beside each other.
pub(super) fn alike_together(a: &PartCandidate<'_>, b: &PartCandidate<'_>) -> Ordering {
    b.at.cmp(&a.at)
        .then_with(|| a.id.cmp(&b.id))
        .then_with(|| duplicates::compare(a.element, b.element))
        .then_with(|| newest_first(a, b))
}

fn one_by_one<'a>(composed: &mut Composed<'a>, candidates: &mut [PartCandidate<'a>]) {
    crate::order::sort_by(candidates, alike_together);
    for group in repeated(candidates, |_, _| false) {
        let part = merge(composed, candidates, group, Chosen::Published(0));
        composed.persons.push(part);
    }
}

/// Ranges of candidates that are one: neighbours that `same` says so of, or the very same statement made
/// by two sources at the same stated instant.
pub(super) fn repeated<'a>(
    candidates: &[PartCandidate<'a>],
    same: impl Fn(&PartCandidate<'a>, &PartCandidate<'a>) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let lengths: alloc::vec::Vec<usize> = candidates
        .chunk_by(|a, b| {
            same(a, b)
                || (a.source != b.source
                    && a.stamp.is_some()
                    && b.stamp.is_some()
                    && a.at == b.at
                    && a.id == b.id
                    && duplicates::compare(a.element, b.element) == Ordering::Equal)
        })
        .map(<[_]>::len)
        .collect();
    lengths.into_iter().scan(0, |start, length| {
        let range = *start..*start + length;
        *start += length;
        Some(range)
    })
}

/// Where the person's activities come from.
#[derive(Clone, Copy)]
pub(super) enum Chosen<'a> {
    /// The candidate of this index, whether it has any or not.
    Published(usize),
    /// A call that is newer than every explicit word.
    Call(&'a Dialog),
}

/// The latest confirmed call of the presentity.
fn call<'a>(composed: &Composed<'a>) -> Option<&'a Dialog> {
    let confirmed = composed.set.dialogs.iter().filter(|dialog| dialog.is_confirmed());
    confirmed.max_by(|a, b| a.since.cmp(&b.since).then_with(|| b.id.cmp(&a.id)))
}

/// The newest explicit value; `unknown` and plain availability only where nobody has anything to say.
fn choose_activities<'a>(candidates: &[PartCandidate<'a>], call: Option<&'a Dialog>) -> Chosen<'a> {
    let mut best: Option<(Class, usize)> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        let Some(activities) = (Person { element: candidate.element }).activities() else { continue };
        let class = classify(activities, candidate.idle);
        // Candidates are ranked: of one class the first stays.
        if best.is_none_or(|(other, _)| class < other) {
            best = Some((class, index));
        }
    }
    match (best, call) {
        (Some((Class::Explicit, index)), Some(call)) => {
            let candidate = &candidates[index];
            let newer = !candidate.idle && candidate.at > call.since;
            if newer { Chosen::Published(index) } else { Chosen::Call(call) }
        }
        (_, Some(call)) => Chosen::Call(call),
        (Some((_, index)), None) => Chosen::Published(index),
        (None, None) => Chosen::Published(0),
    }
}

pub(super) fn is_activities(element: Element<'_>) -> bool {
    element.known() == Known::ACTIVITIES
}

fn merge<'a>(
    composed: &mut Composed<'a>,
    candidates: &[PartCandidate<'a>],
    group: Range<usize>,
    activities: Chosen<'a>,
) -> PartOut<'a> {
    let ranked = &candidates[group.clone()];
    let resolved = composed.how != Composition::Union;
    let pieces = &mut composed.pieces;
    let start = pieces.len();
    let mut fields = Fields::default();
    for (index, candidate) in ranked.iter().enumerate() {
        fields.next_contributor();
        let admitted = match activities {
            Chosen::Published(chosen) => !resolved || chosen == index,
            Chosen::Call(_) => false,
        };
        for child in candidate.element.children() {
            match child.known() {
                Known::PART_NOTE | Known::PART_TIMESTAMP => {}
                Known::ACTIVITIES if !admitted => {}
                _ => fields.push(child),
            }
        }
    }
    fields.drain_into(pieces);
    if resolved {
        composed.active = stay_active(&composed.sources, pieces, start);
    }
    let notes_start = pieces.len();
    for candidate in ranked {
        pieces.extend(candidate.element.children_known(Known::PART_NOTE));
    }
    duplicates::drop_notes(pieces, notes_start);
    let notes = notes_start..pieces.len();
    finish(
        ranked,
        group,
        start..notes_start,
        notes,
        match activities {
            Chosen::Call(dialog) => Some(dialog.since),
            Chosen::Published(_) => None,
        },
    )
}

/// A person who is idle at one device and active at another is active. Takes the idle word away and returns
/// the source that says otherwise, be it of a service or of the device itself.
fn stay_active(sources: &[Source<'_>], pieces: &mut Vec<Element<'_>>, start: usize) -> Option<u16> {
    let active = sources.iter().position(|source| source.active)?;
    let is_idle =
        |field: &Element<'_>| field.known() == Known::USER_INPUT && UserInput { element: *field }.is_idle();
    let at = start + pieces.get(start..)?.iter().position(is_idle)?;
    pieces.remove(at);
    u16::try_from(active).ok()
}

/// Id and instant of a part: the smallest id, the newest instant.
pub(super) fn finish<'a>(
    ranked: &[PartCandidate<'a>],
    group: Range<usize>,
    fields: Range<usize>,
    notes: Range<usize>,
    also: Option<Millis>,
) -> PartOut<'a> {
    let id = ranked.iter().map(|candidate| &candidate.id).min().cloned().unwrap_or_default();
    let stated = |candidate: &PartCandidate<'_>| (candidate.at, candidate.stamp.is_some());
    let mut newest = ranked.first();
    for candidate in ranked {
        if newest.is_none_or(|newest| stated(candidate) > stated(newest)) {
            newest = Some(candidate);
        }
    }
    let at = newest.map(|candidate| candidate.at);
    if also > at {
        return PartOut { id, group, at: also, stamp: None, whole: false, fields, notes };
    }
    PartOut {
        id,
        group,
        at,
        stamp: newest.and_then(|candidate| candidate.stamp),
        whole: false,
        fields,
        notes,
    }
}
