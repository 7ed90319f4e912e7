//! What becomes of a policy's answer: the built-in composition, or nothing, with its words carried out.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::Call;
use super::output::{Base, Drop, Output, Select, Set};
use crate::compose::tuples;
use crate::compose::write::enumeration;
use crate::compose::{
    BARE_TUPLE, Basis, Composed, Hidden, PartOut, TupleCandidate, TupleOut, candidates, ids,
};
use crate::xml::{Element, Namespace, Writer};

/// Where extension tokens (`x-lunch`) live in a document: no schema knows them, and RPID's own namespace
/// must not be added to.
const TOKENS: Namespace<'static> = Namespace::Other("urn:tributary:tokens");
/// RFC 4589's place types.
const PLACES: Namespace<'static> = Namespace::Other("urn:ietf:params:xml:ns:location-type");

/// Carries out what a policy answered.
///
/// Dropped tuples first, then the selection, then what else is dropped (out of what was selected too), then what
/// the policy sets. The result is written by the host like any
/// other, so it is well formed and its ids are unique whatever the policy said.
#[must_use]
pub fn apply<'a>(call: &Call<'_>, builtin: &Composed<'a>, output: &Output) -> Composed<'a> {
    debug_assert!(core::ptr::eq(call.set, builtin.set), "a policy is applied to what it was shown");
    let mut composed = builtin.clone();
    if output.base == Base::Empty {
        composed.tuples.clear();
        composed.persons.clear();
        composed.devices.clear();
        composed.notes.clear();
        composed.extensions.clear();
        composed.talking = None;
        composed.active = None;
    }
    for drop in &output.drop {
        if let Drop::Tuple(etag, id) = drop {
            drop_tuple(&mut composed, etag, id);
        }
    }
    if let Some(select) = &output.select {
        choose(&mut composed, select, output);
    }
    hide(&mut composed, &output.drop);
    set(&mut composed, output);
    if composed.basis == Basis::Nothing && (!composed.tuples.is_empty() || !composed.persons.is_empty()) {
        composed.basis = Basis::Published;
    }
    ids::make_unique(&mut composed);
    composed.verdict = Some(output.clone());
    composed
}

/// What stands in for a policy that hides things and could not answer: open or closed, and nothing else of what was
/// published (contract, "When a policy fails": `minimal`). For a view that is [`View::minimal`](super::View::minimal).
#[must_use]
pub fn minimal<'a>(call: &Call<'_>, builtin: &Composed<'a>) -> Composed<'a> {
    let set = Set { basic: builtin.basic(), ..Set::default() };
    apply(call, builtin, &Output { base: Base::Empty, set, ..Output::default() })
}

fn is_tuple(composed: &Composed<'_>, candidate: &TupleCandidate<'_>, etag: &str, id: &str) -> bool {
    candidate.id == id && composed.source_of(candidate.source).is_some_and(|s| s.publication.etag == etag)
}

/// Takes away all that is dropped by its kind. What stands inside something that stays is left out when that is
/// written.
fn hide<'a>(composed: &mut Composed<'a>, drops: &[Drop]) {
    let document = |etag: &str| {
        let set = composed.set;
        let publication = set.publications.iter().find(|publication| publication.etag == etag)?;
        Some(publication.document.tree())
    };
    let kind = |drop: &Drop| match drop {
        Drop::Devices => Some(Hidden::Devices),
        Drop::Person => Some(Hidden::Persons),
        Drop::Geo => Some(Hidden::Geo),
        Drop::Notes => Some(Hidden::Notes),
        Drop::NotesOf(etag) => document(etag).map(Hidden::NotesOf),
        Drop::Field(local) => Some(Hidden::Rpid(local)),
        Drop::Tuple(..) => None,
    };
    let hidden: Vec<Hidden<'a>> = drops.iter().filter_map(kind).collect();
    let keep = |element: &Element<'a>| !hidden.iter().any(|kind| kind.covers(*element));
    composed.notes.retain(keep);
    composed.extensions.retain(keep);
    retain(composed, keep);
    if drops.contains(&Drop::Devices) {
        // A GRUU that the device did not publish itself would tell which one it is.
        for tuple in &mut composed.tuples {
            tuple.contact = tuple.contact.without_gruu();
        }
        composed.devices.clear();
    }
    if drops.contains(&Drop::Person) {
        composed.persons.clear();
        composed.active = None;
    }
    if drops.contains(&Drop::Person) || drops.contains(&Drop::Field("activities")) {
        composed.talking = None;
    }
    composed.hidden = hidden;
}

/// Takes one contributor out of the tuple that it is in, and the tuple away when it was the only one.
fn drop_tuple(composed: &mut Composed<'_>, etag: &str, id: &str) {
    // Nothing keeps a document from having two tuples of one id.
    while let Some(at) = composed.tuples.iter().position(|tuple| {
        let group = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
        group.iter().any(|candidate| is_tuple(composed, candidate, etag, id))
    }) {
        let group = composed.tuple_candidates.get(composed.tuples[at].group.clone()).unwrap_or_default();
        let rest: Vec<_> =
            group.iter().filter(|candidate| !is_tuple(composed, candidate, etag, id)).cloned().collect();
        if rest.is_empty() {
            composed.tuples.remove(at);
        } else {
            composed.tuples[at] = tuples::add(composed, rest);
        }
    }
}

/// Copies the range without what `keep` refuses to the end of the pieces. Whether nothing was refused.
fn sift<'a>(
    pieces: &mut Vec<Element<'a>>,
    range: &mut Range<usize>,
    keep: &impl Fn(&Element<'a>) -> bool,
) -> bool {
    if pieces.get(range.clone()).unwrap_or_default().iter().all(keep) {
        return true;
    }
    let start = pieces.len();
    for at in range.clone() {
        let element = pieces[at];
        if keep(&element) {
            pieces.push(element);
        }
    }
    *range = start..pieces.len();
    false
}

fn retain<'a>(composed: &mut Composed<'a>, keep: impl Fn(&Element<'a>) -> bool) {
    let pieces = &mut composed.pieces;
    for tuple in &mut composed.tuples {
        tuple.whole &= sift(pieces, &mut tuple.status_fields, &keep);
        tuple.whole &= sift(pieces, &mut tuple.fields, &keep);
        tuple.whole &= sift(pieces, &mut tuple.notes, &keep);
    }
    for part in composed.persons.iter_mut().chain(&mut composed.devices) {
        part.whole &= sift(pieces, &mut part.fields, &keep);
        part.whole &= sift(pieces, &mut part.notes, &keep);
    }
}

fn remove_field(composed: &mut Composed<'_>, local: &str) {
    let pieces = &mut composed.pieces;
    for person in &mut composed.persons {
        person.whole &= sift(pieces, &mut person.fields, &|element| !element.is(Namespace::Rpid, local));
    }
}

/// The selected tuples in the order they were selected, each at most once.
fn choose<'a>(composed: &mut Composed<'a>, select: &[Select], output: &Output) {
    let mut base: Vec<Option<TupleOut<'a>>> =
        core::mem::take(&mut composed.tuples).into_iter().map(Some).collect();
    let mut singles: Vec<(usize, &str)> = Vec::new();
    for choice in select {
        let dropped = output
            .drop
            .iter()
            .any(|drop| matches!(drop, Drop::Tuple(etag, id) if *etag == choice.etag && *id == choice.tuple));
        if dropped {
            continue;
        }
        let held = base.iter().position(|tuple| {
            tuple.as_ref().is_some_and(|tuple| {
                let group = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
                group.iter().any(|candidate| is_tuple(composed, candidate, &choice.etag, &choice.tuple))
            })
        });
        let mut tuple = match held.and_then(|at| base[at].take()) {
            Some(tuple) => tuple,
            None => {
                let Some(source) = composed.source_with(&choice.etag) else { continue };
                let shown = composed.tuples.iter().any(|tuple| {
                    let group = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
                    group.iter().any(|candidate| is_tuple(composed, candidate, &choice.etag, &choice.tuple))
                });
                if shown || singles.contains(&(source, &choice.tuple)) {
                    continue;
                }
                let found = composed.sources.get(source).and_then(|source_| {
                    let index = u16::try_from(source).unwrap_or(u16::MAX);
                    candidates::tuple(composed.set, source_, index, &choice.tuple)
                });
                let Some(candidate) = found else { continue };
                singles.push((source, &choice.tuple));
                tuples::add(composed, alloc::vec![candidate])
            }
        };
        tuple.whole &= choice.basic.is_none() && choice.priority_milli.is_none();
        tuple.basic = choice.basic.or(tuple.basic);
        if let Some(priority) = choice.priority_milli {
            tuple.priority = priority;
            tuple.contact = tuple.contact.reranked(priority);
        }
        composed.tuples.push(tuple);
    }
}

fn set(composed: &mut Composed<'_>, output: &Output) {
    let set = &output.set;
    if let Some(basic) = set.basic {
        let chosen = |tuple: &TupleOut<'_>, composed: &Composed<'_>| {
            let group = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
            output.select.iter().flatten().filter(|choice| choice.basic.is_some()).any(|choice| {
                group.iter().any(|candidate| is_tuple(composed, candidate, &choice.etag, &choice.tuple))
            })
        };
        let mine: Vec<bool> = composed.tuples.iter().map(|tuple| chosen(tuple, composed)).collect();
        for (tuple, mine) in composed.tuples.iter_mut().zip(mine) {
            if !mine {
                tuple.whole &= tuple.basic == Some(basic);
                tuple.basic = Some(basic);
            }
        }
        if composed.tuples.is_empty() {
            composed.tuples.push(TupleOut::bare(Cow::Borrowed(BARE_TUPLE), basic));
        }
    }
    if set.activities.is_some() {
        composed.talking = None;
        remove_field(composed, "activities");
    }
    if set.mood.is_some() {
        remove_field(composed, "mood");
    }
    if set.place.is_some() {
        remove_field(composed, "place-type");
    }
    if set.note.is_some() {
        composed.notes.clear();
        for person in &mut composed.persons {
            person.notes = 0..0;
        }
    }
    if composed.persons.is_empty() && output.sets_person() {
        composed.persons.push(PartOut {
            id: Cow::Borrowed("p"),
            group: 0..0,
            at: None,
            stamp: None,
            whole: false,
            fields: 0..0,
            notes: 0..0,
        });
    }
}

impl Output {
    /// Writes what the policy says of the person, inside the person.
    pub(crate) fn write_person_fields<'a>(&'a self, out: &mut Writer<'a>) {
        let lists = [
            ("activities", &self.set.activities, Namespace::Rpid),
            ("mood", &self.set.mood, Namespace::Rpid),
            ("place-type", &self.set.place, PLACES),
        ];
        for (local, list, usual) in lists {
            write_tokens(local, usual, list.as_deref().unwrap_or_default(), out);
        }
    }
}

/// Writes an RPID element of tokens, unless there are none: those of the RFC in the namespace that is usual there.
pub(super) fn write_tokens<'a>(
    local: &'a str,
    usual: Namespace<'static>,
    tokens: &'a [String],
    out: &mut Writer<'a>,
) {
    if !tokens.is_empty() {
        let named = |token: &'a String| {
            let namespace = if token.starts_with("x-") { TOKENS } else { usual };
            (namespace, token.as_str())
        };
        enumeration(local, tokens.iter().map(named), out);
    }
}
