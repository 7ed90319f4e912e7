//! The composition: many publications in, one presence document out. A pure function of the live set and
//! a clock value; it never fails.
//!
//! ```text
//!  LiveSet ── sources.rs ──► candidates ── tuples / person / devices ──► Composed ── write.rs ──► PIDF
//!             live only,      one per         grouped, ranked,           references     one pass,
//!             one a device    element         field by field             only           one buffer
//! ```
//! A [`Composed`] borrows everything: it holds, for each part of the result, the ranked contributors and
//! the elements that won. So the explanation (the module [`explain`](crate::explain)) can be worked out
//! afterwards from what is there, and costs nothing where nobody asks.
//!
//! # Contacts
//! A watcher takes the contact of a tuple to reach the device that speaks there. So a device that has registered is
//! shown with its GRUU (RFC 5627) where it published no contact, its user's address, the contact that it has
//! registered or one that leads nowhere; any other contact stays as it was published. Tuples with equal contacts are
//! one service, but what leads to one device is never one with what leads to another, or to the user.
//!
//! # The order of things
//! Sources are ranked newest first; a tie is decided by the device's key and then by the document's text,
//! never by the entity-tag, so the same set gives the same bytes whatever order it arrived in. Every
//! tuple, person and device of a result says its instant (its own `timestamp`, or else when it was
//! received), so that a result can be merged again, by another node or a page, without losing who was
//! newest.
//!
//! # Ids
//! `tuple`, `person` and `device` share one space of ids with the `id` attributes of RPID. A merged part is
//! called by the smallest id of its contributors. Where two parts claim one id, the tuple keeps it before
//! the person, the person before the device, and among equals the smaller device key; the others are
//! called `id-xxxxxxxx`, eight digits that depend on the device's key, the kind and the occurrence only.
//! A refresh or a changed value changes none of these, so a thing keeps its id.

mod absent;
mod activities;
pub(crate) mod candidates;
mod devices;
mod duplicates;
mod fields;
mod hidden;
pub(crate) mod ids;
mod person;
mod sources;
pub(crate) mod tuples;
mod whole;
pub(crate) mod write;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use crate::live::{Dialog, LiveSet, Registration};
use crate::model::{Activities, Basic, Document, Note};
use crate::policy::Output;
use crate::presence_json;
use crate::time::Millis;
use crate::xml::{Element, IdAttribute};

pub use activities::hindrance;
pub(crate) use activities::{Class, classify};
pub(crate) use candidates::{PartCandidate, TupleCandidate};
pub(crate) use hidden::Hidden;
pub(crate) use sources::{Source, current};

/// Which of the built-in compositions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Composition {
    /// Conflicts resolved field by field: the default.
    #[default]
    Compose,
    /// Everything that was said, nothing resolved; ids made unique.
    Union,
    /// What the newest device says, alone.
    Newest,
    /// Conflicts resolved in favour of the device at which the user can best be reached.
    MostAvailable,
}

impl Composition {
    /// All of them.
    pub const ALL: [Composition; 4] =
        [Composition::Compose, Composition::Union, Composition::Newest, Composition::MostAvailable];

    /// The name in configuration and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Composition::Compose => "compose",
            Composition::Union => "union",
            Composition::Newest => "newest",
            Composition::MostAvailable => "most-available",
        }
    }
}

/// The name is none of [`Composition::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownComposition;

impl fmt::Display for UnknownComposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of compose, union, newest, most-available")
    }
}

impl core::error::Error for UnknownComposition {}

impl FromStr for Composition {
    type Err = UnknownComposition;

    fn from_str(name: &str) -> Result<Composition, UnknownComposition> {
        Composition::ALL.into_iter().find(|how| how.as_str() == name).ok_or(UnknownComposition)
    }
}

/// What a result rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// At least one live publication.
    Published,
    /// Nothing is published; the registered contacts are shown as open.
    Registered,
    /// Nothing is published; the user is shown as closed.
    Closed,
    /// Nothing is published and nothing is to be made up: a subscription is answered with 480.
    Nothing,
}

/// The composed state of one presentity. It borrows from the [`LiveSet`] and copies nothing.
#[derive(Clone, Debug)]
pub struct Composed<'a> {
    pub(crate) set: &'a LiveSet,
    pub(crate) now: Millis,
    pub(crate) how: Composition,
    pub(crate) basis: Basis,
    pub(crate) sources: Vec<Source<'a>>,
    /// Ranked within each group; groups are ranges.
    pub(crate) tuple_candidates: Vec<TupleCandidate<'a>>,
    pub(crate) person_candidates: Vec<PartCandidate<'a>>,
    pub(crate) device_candidates: Vec<PartCandidate<'a>>,
    pub(crate) tuples: Vec<TupleOut<'a>>,
    pub(crate) persons: Vec<PartOut<'a>>,
    pub(crate) devices: Vec<PartOut<'a>>,
    pub(crate) notes: Vec<Element<'a>>,
    pub(crate) extensions: Vec<Element<'a>>,
    /// The fields and notes of all parts, each part's in a range of its own.
    pub(crate) pieces: Vec<Element<'a>>,
    /// `xs:ID` attributes inside copied elements that clash, and their new values, sorted by [`ids::place`].
    pub(crate) renames: Vec<(IdAttribute<'a>, Cow<'a, str>)>,
    /// The call that the person is in, where that won over what was published as activities.
    pub(crate) talking: Option<&'a Dialog>,
    /// The source by which the person is active, where a source with more to say only had an idle one.
    pub(crate) active: Option<u16>,
    /// What a policy hides.
    pub(crate) hidden: Vec<Hidden<'a>>,
    /// What a policy said, where one was applied.
    pub(crate) verdict: Option<Output>,
}

/// One tuple of the result.
#[derive(Clone, Debug)]
pub(crate) struct TupleOut<'a> {
    pub(crate) id: Cow<'a, str>,
    /// Its contributors in `tuple_candidates`, first the one whose fields win.
    pub(crate) group: Range<usize>,
    pub(crate) basic: Option<Basic>,
    pub(crate) contact: ContactOut<'a>,
    pub(crate) priority: u16,
    pub(crate) at: Option<Millis>,
    pub(crate) stamp: Option<Element<'a>>,
    /// The first contributor's element has all of this in the schema's order, and nothing else: as long as
    /// nobody changes anything it can be copied as it is.
    pub(crate) whole: bool,
    pub(crate) status_fields: Range<usize>,
    pub(crate) fields: Range<usize>,
    pub(crate) notes: Range<usize>,
}

/// The contact of a tuple of the result.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ContactOut<'a> {
    None,
    /// As published.
    Copy(Element<'a>),
    /// As published, with another priority.
    Reranked(Element<'a>, u16),
    /// A registered contact.
    Registered(&'a Registration),
    /// The GRUU of the device, in the place of what it published, with another priority if there is one.
    Gruu {
        uri: &'a str,
        published: Option<Element<'a>>,
        priority: Option<u16>,
    },
}

impl<'a> ContactOut<'a> {
    /// The contact of whoever says most in a tuple.
    pub(crate) fn of(candidate: &TupleCandidate<'a>) -> ContactOut<'a> {
        match (candidate.gruu, candidate.contact) {
            (Some(uri), published) => ContactOut::Gruu { uri, published, priority: None },
            (None, Some(contact)) => ContactOut::Copy(contact),
            (None, None) => ContactOut::None,
        }
    }

    /// The element that was published, whatever has become of it.
    pub(crate) fn published(&self) -> Option<Element<'a>> {
        match self {
            ContactOut::Copy(contact) | ContactOut::Reranked(contact, _) => Some(*contact),
            ContactOut::Gruu { published, .. } => *published,
            ContactOut::None | ContactOut::Registered(_) => None,
        }
    }

    /// The same with another priority. A contact that is not there, or a registered one, has none to change.
    pub(crate) fn reranked(self, to: u16) -> ContactOut<'a> {
        match self {
            ContactOut::Copy(contact) | ContactOut::Reranked(contact, _) => ContactOut::Reranked(contact, to),
            ContactOut::Gruu { uri, published, .. } => {
                ContactOut::Gruu { uri, published, priority: Some(to) }
            }
            other => other,
        }
    }

    /// The same without a word on the device.
    pub(crate) fn without_gruu(self) -> ContactOut<'a> {
        match self {
            ContactOut::Gruu { published: None, .. } => ContactOut::None,
            ContactOut::Gruu { published: Some(contact), priority: None, .. } => ContactOut::Copy(contact),
            ContactOut::Gruu { published: Some(contact), priority: Some(priority), .. } => {
                ContactOut::Reranked(contact, priority)
            }
            other => other,
        }
    }
}

/// A person or a device of the result.
#[derive(Clone, Debug)]
pub(crate) struct PartOut<'a> {
    pub(crate) id: Cow<'a, str>,
    /// Its contributors in `person_candidates` or `device_candidates`, first the one whose fields win.
    pub(crate) group: Range<usize>,
    pub(crate) at: Option<Millis>,
    pub(crate) stamp: Option<Element<'a>>,
    /// As for a tuple.
    pub(crate) whole: bool,
    pub(crate) fields: Range<usize>,
    pub(crate) notes: Range<usize>,
}

/// The id of a tuple that the host writes for all that it shows of nobody's service in particular.
pub(crate) const BARE_TUPLE: &str = "policy";

impl<'a> TupleOut<'a> {
    /// A tuple that no publication has: a status and nothing else.
    pub(crate) fn bare(id: Cow<'a, str>, basic: Basic) -> TupleOut<'a> {
        TupleOut {
            id,
            group: 0..0,
            basic: Some(basic),
            contact: ContactOut::None,
            priority: 0,
            at: None,
            stamp: None,
            whole: false,
            status_fields: 0..0,
            fields: 0..0,
            notes: 0..0,
        }
    }
}

/// Composes what is live at `now`.
///
/// Publications whose expiry is not after `now` are left out, and so is what a newer publication of the
/// same device supersedes. With nothing published the set's switches decide ([`Composed::basis`]).
#[must_use]
pub fn compose(set: &LiveSet, now: Millis, how: Composition) -> Composed<'_> {
    let sources = sources::live(set, now, how);
    // A phone speaks of one service, one person and one device, in some sixteen elements.
    let count = sources.len();
    let mut composed = Composed {
        set,
        now,
        how,
        basis: Basis::Published,
        sources,
        tuple_candidates: Vec::with_capacity(count),
        person_candidates: Vec::with_capacity(count),
        device_candidates: Vec::with_capacity(count),
        tuples: Vec::with_capacity(count),
        persons: Vec::with_capacity(count.min(1)),
        devices: Vec::with_capacity(count),
        notes: Vec::with_capacity(count),
        extensions: Vec::new(),
        pieces: Vec::with_capacity(count * 16),
        renames: Vec::new(),
        talking: None,
        active: None,
        hidden: Vec::new(),
        verdict: None,
    };
    if composed.sources.is_empty() {
        absent::compose(&mut composed);
        return composed;
    }
    candidates::collect(&mut composed);
    tuples::compose(&mut composed);
    person::compose(&mut composed);
    devices::compose(&mut composed);
    duplicates::drop_notes(&mut composed.notes, 0);
    duplicates::drop_equal(&mut composed.extensions);
    ids::make_unique(&mut composed);
    tuples::order(&mut composed.tuples);
    if how == Composition::Union {
        crate::order::sort_by(&mut composed.persons, |a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        devices::order(&mut composed);
    }
    composed
}

impl<'a> Composed<'a> {
    /// What the result rests on.
    #[must_use]
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// Whether there is nothing to show: no publication, and no switch that makes something up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.basis == Basis::Nothing
    }

    /// The presence document, UTF-8, schema-valid.
    #[must_use]
    pub fn write_pidf(&self) -> Vec<u8> {
        write::pidf(self)
    }

    /// When a policy that was applied asked to be heard again.
    #[must_use]
    pub fn reevaluate_at(&self) -> Option<Millis> {
        self.verdict.as_ref().and_then(|verdict| verdict.reevaluate_at)
    }

    /// The overall availability: open when any tuple is, closed when none is, none without any word on it.
    #[must_use]
    pub fn basic(&self) -> Option<Basic> {
        self.tuples.iter().filter_map(|tuple| tuple.basic).min()
    }

    /// The person's activities, as tokens.
    pub(crate) fn activities(&self) -> impl Iterator<Item = &str> {
        let set = self.verdict.as_ref().and_then(|verdict| verdict.set.activities.as_deref());
        let call = self.talking.map(|_| "on-the-phone");
        let said = self.persons.first().map_or(0..0, |person| person.fields.clone());
        let said = self.pieces.get(said).unwrap_or_default().iter();
        let said = said
            .filter(|element| person::is_activities(**element))
            .flat_map(|element| Activities { element: *element }.values().map(|value| value.token));
        set.unwrap_or_default().iter().map(|token| token.as_str()).chain(call).chain(said)
    }

    /// The notes of the presentity, then those of the person, each said once.
    pub(crate) fn shown_notes(&self) -> impl Iterator<Item = Note<'a>> {
        let of_person = self.persons.first().map_or(0..0, |person| person.notes.clone());
        let mut notes = self.notes.clone();
        notes.extend(self.pieces.get(of_person).unwrap_or_default());
        duplicates::drop_notes(&mut notes, 0);
        notes.into_iter().map(|element| Note { element })
    }

    /// The JSON form of the presence document.
    #[must_use]
    pub fn write_json(&self) -> String {
        match Document::read_written(&self.write_pidf()) {
            Ok(document) => presence_json::write(&document),
            // Not reachable: what is written can be read, which a property test holds.
            Err(_) => String::from("{}"),
        }
    }

    /// The publications that took part, newest first.
    pub fn publications(&self) -> impl Iterator<Item = &'a crate::live::Publication> {
        self.sources.iter().map(|source| source.publication)
    }

    /// The index of the source with that entity-tag; a live publication that was passed over (not one that was
    /// superseded) becomes a source, the last one, so that a policy can still choose from it.
    pub(crate) fn source_with(&mut self, etag: &str) -> Option<usize> {
        let known = self.sources.iter().position(|source| source.publication.etag == etag);
        known.or_else(|| {
            let publication = current(self.set, self.now).find(|publication| publication.etag == etag)?;
            let steady = u16::try_from(self.sources.len()).unwrap_or(u16::MAX);
            self.sources.push(Source { publication, steady, idle: false, active: false, reach: 0 });
            Some(self.sources.len() - 1)
        })
    }

    pub(crate) fn source_of(&self, index: u16) -> Option<&Source<'a>> {
        self.sources.get(usize::from(index))
    }
}
