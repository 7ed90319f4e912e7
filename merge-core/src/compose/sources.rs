//! Which publications take part, and in which order.

use alloc::vec::Vec;

use super::{Composition, activities};
use crate::live::{LiveSet, Publication};
use crate::model::{Basic, Document, parts};
use crate::time::Millis;

/// A live publication that no newer one of its device supersedes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) publication: &'a Publication,
    /// Its place by device key and text: decides ties, and does not change when a value does.
    pub(crate) steady: u16,
    /// The user is idle at this device, by what it says itself.
    pub(crate) idle: bool,
    /// The user is active at this device, by what it says itself.
    pub(crate) active: bool,
    /// How well the user can be reached there, 0 best; all alike unless that is what decides.
    pub(crate) reach: u8,
}

/// The live publications that no newer one of their device supersedes, newest first.
pub(crate) fn current(set: &LiveSet, now: Millis) -> impl Iterator<Item = &Publication> {
    live(set, now, Composition::Union).into_iter().map(|source| source.publication)
}

/// The live sources, first the one whose word counts most.
pub(super) fn live<'a>(set: &'a LiveSet, now: Millis, how: Composition) -> Vec<Source<'a>> {
    let mut sources: Vec<Source<'a>> = Vec::with_capacity(set.publications.len());
    for publication in set.publications.iter().filter(|publication| publication.expires > now) {
        sources.push(Source { publication, steady: 0, idle: false, active: false, reach: 0 });
    }
    // One a device, the newest; then numbered in an order that no refresh changes.
    crate::order::sort_by(&mut sources, |a, b| {
        let (a, b) = (a.publication, b.publication);
        a.device
            .key
            .cmp(&b.device.key)
            .then_with(|| b.received.cmp(&a.received))
            .then_with(|| text(a).cmp(text(b)))
    });
    sources.dedup_by(|later, kept| {
        let key = &kept.publication.device.key;
        !key.is_empty() && *key == later.publication.device.key
    });
    // More than 65,535 devices of one user are not told apart any more; nothing breaks.
    for (at, source) in sources.iter_mut().enumerate() {
        source.steady = u16::try_from(at).unwrap_or(u16::MAX);
        if how == Composition::MostAvailable {
            source.reach = reach(&source.publication.document);
        }
    }
    crate::order::sort_by(&mut sources, |a, b| {
        a.reach
            .cmp(&b.reach)
            .then_with(|| b.publication.received.cmp(&a.publication.received))
            .then_with(|| a.steady.cmp(&b.steady))
    });
    if how == Composition::Newest {
        sources.truncate(1);
    }
    sources
}

fn text(publication: &Publication) -> &str {
    publication.document.source()
}

/// 0: open and free, 1: open and busy, 2: open and away or idle, 3: no word on it, 4: closed.
fn reach(document: &Document) -> u8 {
    let basic = document.tuples().filter_map(|tuple| tuple.basic()).min();
    match basic {
        Some(Basic::Closed) => return 4,
        None => return 3,
        Some(Basic::Open) => {}
    }
    if parts::idle(document.parts()) == Some(true) {
        return 2;
    }
    document.persons().filter_map(|person| person.activities()).map(activities::hindrance).max().unwrap_or(0)
}
