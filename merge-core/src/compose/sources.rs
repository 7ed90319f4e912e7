//! Which publications take part, and in which order.

use alloc::vec::Vec;

use super::{Composition, activities};
use crate::live::{LiveSet, Publication};
use crate::model::{Basic, Document, UserInput};
use crate::time::Millis;
use crate::xml::{Element, Namespace};

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

/// What a document says of whether the user is at the device. A person's `user-input` outweighs those of
/// services and devices, and one that is active outweighs one that is idle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Input {
    person: Option<bool>,
    others: Option<bool>,
}

impl Input {
    /// Takes note of a child of a tuple or a device, and of one of its status.
    pub(super) fn see(&mut self, child: Element<'_>) {
        if let Some(idle) = idle(child) {
            self.others = Some(self.others.unwrap_or(true) && idle);
        }
    }

    /// Takes note of a child of a person.
    pub(super) fn see_person(&mut self, child: Element<'_>) {
        if let Some(idle) = idle(child) {
            self.person = Some(self.person.unwrap_or(true) && idle);
        }
    }

    /// Idle, if anything is said.
    pub(super) fn idle(self) -> Option<bool> {
        self.person.or(self.others)
    }
}

fn idle(child: Element<'_>) -> Option<bool> {
    child.is(Namespace::Rpid, "user-input").then(|| UserInput { element: child }.is_idle())
}

/// The same from the document's views, where that is needed before it is looked through.
fn is_idle(document: &Document) -> bool {
    let mut input = Input::default();
    for person in document.persons() {
        person.element.children().for_each(|child| input.see_person(child));
    }
    for tuple in document.tuples() {
        tuple.fields().chain(tuple.status_fields()).for_each(|child| input.see(child));
    }
    for device in document.devices() {
        device.element.children().for_each(|child| input.see(child));
    }
    input.idle() == Some(true)
}

/// 0: open and free, 1: open and busy, 2: open and away or idle, 3: no word on it, 4: closed.
fn reach(document: &Document) -> u8 {
    let basic = document.tuples().filter_map(|tuple| tuple.basic()).min();
    match basic {
        Some(Basic::Closed) => return 4,
        None => return 3,
        Some(Basic::Open) => {}
    }
    if is_idle(document) {
        return 2;
    }
    document.persons().filter_map(|person| person.activities()).map(activities::hindrance).max().unwrap_or(0)
}
