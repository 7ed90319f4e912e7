//! The services: which tuples are one, whose fields stay, and the order of the result.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};
use core::ops::Range;

use super::candidates::TupleCandidate;
use super::fields::Fields;
use super::{Composed, Composition, ContactOut, TupleOut, duplicates, whole};
use crate::model::Basic;
use crate::uri::{host_and_port, is_gruu, same_contact};
use crate::xml::{Element, Known};

/// Up to how many contacts are compared each with each; above, only those at the same host.
const FEW: usize = 12;
/// How many different contacts at one host are compared each with each.
const MANY: usize = 64;

/// Composes the tuples of the result, in no particular order yet.
pub(super) fn compose(composed: &mut Composed<'_>) {
    let mut candidates = core::mem::take(&mut composed.tuple_candidates);
    for (at, candidate) in candidates.iter_mut().enumerate() {
        candidate.group = u32::try_from(at).unwrap_or(u32::MAX);
    }
    if candidates.len() > 1 {
        if composed.how != Composition::Union {
            group_by_contact(&mut candidates);
        }
        group_repeated(&mut candidates, composed.how == Composition::Union);
        for at in 0..candidates.len() {
            candidates[at].group = u32::try_from(root(&mut candidates, at)).unwrap_or(u32::MAX);
        }
        let available = composed.how == Composition::MostAvailable;
        crate::order::sort_by(&mut candidates, |a, b| {
            a.group.cmp(&b.group).then_with(|| if available { by_reach(a, b) } else { newest_first(a, b) })
        });
    }
    let mut fields = Fields::default();
    let mut start = 0;
    while start < candidates.len() {
        let group = candidates[start].group;
        let length = candidates[start..].iter().take_while(|candidate| candidate.group == group).count();
        let range = start..start + length;
        let group = &candidates[range.clone()];
        let pieces_start = composed.pieces.len();
        let mut tuple = merge(group, range, &mut fields, &mut composed.pieces);
        tuple.whole = whole::tuple(&tuple, group, &composed.pieces[pieces_start..]);
        composed.tuples.push(tuple);
        start += length;
    }
    composed.tuple_candidates = candidates;
}

/// Open before closed, then priority, then newest, then id.
pub(super) fn order(tuples: &mut [TupleOut<'_>]) {
    if tuples.len() > 1 {
        crate::order::sort_by(tuples, |a, b| rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id)));
    }
}

fn rank(tuple: &TupleOut<'_>) -> (u8, Reverse<u16>, Reverse<Option<crate::time::Millis>>) {
    let basic = match tuple.basic {
        Some(Basic::Open) => 0,
        Some(Basic::Closed) => 1,
        None => 2,
    };
    (basic, Reverse(tuple.priority), Reverse(tuple.at))
}

fn newest_first(a: &TupleCandidate<'_>, b: &TupleCandidate<'_>) -> Ordering {
    b.at.cmp(&a.at)
        .then_with(|| a.steady.cmp(&b.steady))
        .then_with(|| a.source.cmp(&b.source))
        .then_with(|| a.element.id().cmp(&b.element.id()))
}

fn by_reach(a: &TupleCandidate<'_>, b: &TupleCandidate<'_>) -> Ordering {
    let closed = |candidate: &TupleCandidate<'_>| candidate.basic != Some(Basic::Open);
    closed(a).cmp(&closed(b)).then_with(|| a.reach.cmp(&b.reach)).then_with(|| newest_first(a, b))
}

/// Gives tuples with equal contacts one group. Equality of URIs is not transitive (RFC 3261 section 19.1.4:
/// a parameter that only one of them has does not count), so a chain of equal contacts is one service:
/// anything else would depend on the order.
fn group_by_contact(candidates: &mut [TupleCandidate<'_>]) {
    if candidates.len() <= FEW {
        for a in 0..candidates.len() {
            for b in a + 1..candidates.len() {
                // The host's sum first: different hosts are different contacts, and that is the usual case.
                if candidates[a].contact.is_some()
                    && candidates[b].contact.is_some()
                    && candidates[a].host_sum == candidates[b].host_sum
                    && same(&candidates[a], &candidates[b])
                {
                    join(candidates, a, b);
                }
            }
        }
        return;
    }
    let mut with: Vec<usize> = (0..candidates.len()).filter(|at| candidates[*at].contact.is_some()).collect();
    let keys: Vec<Cow<'_, str>> = candidates.iter().map(|candidate| contact_key(&candidate.uri)).collect();
    crate::order::sort_by(&mut with, |a, b| {
        let text = |at: &usize| {
            let candidate = &candidates[*at];
            (candidate.uri.as_ref(), candidate.gruu, candidate.id.as_ref())
        };
        keys[*a].cmp(&keys[*b]).then_with(|| text(a).cmp(&text(b)))
    });
    let hosts: Vec<usize> = with.chunk_by(|a, b| keys[*a] == keys[*b]).map(<[usize]>::len).collect();
    drop(keys);
    let mut rest = with.as_slice();
    for length in hosts {
        let (host, after) = rest.split_at(length);
        rest = after;
        // Identical texts first, so that each with each is tried on different ones only.
        let mut different: Vec<usize> = Vec::new();
        for &at in host {
            match different.last() {
                Some(&last)
                    if candidates[last].uri == candidates[at].uri
                        && same(&candidates[last], &candidates[at]) =>
                {
                    join(candidates, last, at);
                }
                _ => different.push(at),
            }
        }
        // Dozens of spellings at one host are not a person's phones; they stay apart rather than cost time.
        if different.len() <= MANY {
            join_equal(candidates, &different);
        }
    }
}

/// Whether two tuples are one service by their contacts. A GRUU equals the address of its user (RFC 5627 section
/// 3.1.1), but a device is not its user; and it names the device, which may have more than one service.
fn same(one: &TupleCandidate<'_>, other: &TupleCandidate<'_>) -> bool {
    let equal = one.gruu == other.gruu && (one.uri == other.uri || same_contact(&one.uri, &other.uri));
    equal
        && match (is_gruu(&one.uri), is_gruu(&other.uri)) {
            (false, false) => true,
            (true, true) => one.id == other.id,
            _ => false,
        }
}

/// Joins the groups of those among `which` whose contacts are equal.
fn join_equal(candidates: &mut [TupleCandidate<'_>], which: &[usize]) {
    for (place, &a) in which.iter().enumerate() {
        for &b in &which[place + 1..] {
            if same(&candidates[a], &candidates[b]) {
                join(candidates, a, b);
            }
        }
    }
}

/// Until all is joined, `group` is a forest: the index of another member, or of itself at the root.
fn join(candidates: &mut [TupleCandidate<'_>], a: usize, b: usize) {
    let (a, b) = (root(candidates, a), root(candidates, b));
    let (keep, lose) = (a.min(b), a.max(b));
    candidates[lose].group = u32::try_from(keep).unwrap_or(u32::MAX);
}

fn root(candidates: &mut [TupleCandidate<'_>], mut at: usize) -> usize {
    loop {
        let above = candidates[at].group as usize;
        if above == at {
            return at;
        }
        // Halving the path keeps later walks short.
        candidates[at].group = candidates[above].group;
        at = above;
    }
}

/// The host and port as written: the same for all contacts that could be equal, but for case.
fn host(uri: &str) -> &str {
    host_and_port(uri.split_once(':').map_or(uri, |(_, rest)| rest))
}

/// The host and port in lower case.
fn contact_key(uri: &str) -> Cow<'_, str> {
    let host = host(uri);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// The very same statement made twice, at the same stated instant, is one (so merging a result with itself
/// changes nothing). Tuples with contacts are found equal by them, unless nothing is to be resolved.
fn group_repeated(candidates: &mut [TupleCandidate<'_>], with_contacts: bool) {
    let mut order: Vec<usize> = (0..candidates.len())
        .filter(|at| {
            let candidate = &candidates[*at];
            candidate.stamp.is_some() && (with_contacts || candidate.contact.is_none())
        })
        .collect();
    if order.len() < 2 {
        return;
    }
    let compare = |candidates: &[TupleCandidate<'_>], a: usize, b: usize| {
        let (a, b) = (&candidates[a], &candidates[b]);
        a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)).then_with(|| duplicates::compare(a.element, b.element))
    };
    crate::order::sort_by(&mut order, |a, b| compare(candidates, *a, *b).then(a.cmp(b)));
    for at in 1..order.len() {
        let (before, this) = (order[at - 1], order[at]);
        // Within one document a repetition stays: ids are made unique, nothing is lost.
        let other_source = candidates[before].source != candidates[this].source;
        if other_source && compare(candidates, before, this) == Ordering::Equal {
            join(candidates, before, this);
        }
    }
}

/// A tuple out of some candidates that stand nowhere yet.
pub(crate) fn add<'a>(composed: &mut Composed<'a>, group: Vec<TupleCandidate<'a>>) -> TupleOut<'a> {
    let start = composed.tuple_candidates.len();
    let range = start..start + group.len();
    let tuple = merge(&group, range, &mut Fields::default(), &mut composed.pieces);
    composed.tuple_candidates.extend(group);
    tuple
}

fn merge<'a>(
    group: &[TupleCandidate<'a>],
    range: Range<usize>,
    fields: &mut Fields<'a>,
    pieces: &mut Vec<Element<'a>>,
) -> TupleOut<'a> {
    let first = &group[0];
    if group.len() == 1 {
        return alone(first, range, pieces);
    }
    let status_start = pieces.len();
    for candidate in group {
        fields.next_contributor();
        for child in candidate.status.into_iter().flat_map(|status| status.children()) {
            if child.known() != Known::BASIC {
                fields.push(child);
            }
        }
    }
    fields.drain_into(pieces);
    let fields_start = pieces.len();
    for candidate in group {
        fields.next_contributor();
        for child in candidate.element.children() {
            if !matches!(child.known(), Known::STATUS | Known::CONTACT | Known::NOTE | Known::TIMESTAMP) {
                fields.push(child);
            }
        }
    }
    fields.drain_into(pieces);
    let notes_start = pieces.len();
    for candidate in group {
        pieces.extend(candidate.element.children_known(Known::NOTE));
    }
    duplicates::drop_notes(pieces, notes_start);
    // The newest instant is the tuple's own, whatever else decided whose fields stay.
    let mut newest = first;
    for candidate in group {
        if (candidate.at, candidate.stamp.is_some()) > (newest.at, newest.stamp.is_some()) {
            newest = candidate;
        }
    }
    TupleOut {
        id: group.iter().map(|candidate| &candidate.id).min().unwrap_or(&first.id).clone(),
        group: range,
        basic: group.iter().find_map(|candidate| candidate.basic),
        contact: ContactOut::of(first),
        priority: first.priority.unwrap_or(0),
        at: Some(newest.at),
        stamp: newest.stamp,
        whole: false,
        status_fields: status_start..fields_start,
        fields: fields_start..notes_start,
        notes: notes_start..pieces.len(),
    }
}

/// The same for a tuple that nobody else has a say in.
fn alone<'a>(only: &TupleCandidate<'a>, range: Range<usize>, pieces: &mut Vec<Element<'a>>) -> TupleOut<'a> {
    let status_start = pieces.len();
    for child in only.status.into_iter().flat_map(|status| status.children()) {
        if child.known() != Known::BASIC {
            pieces.push(child);
        }
    }
    let fields_start = pieces.len();
    let mut notes = 0;
    for child in only.element.children() {
        match child.known() {
            Known::NOTE => notes += 1,
            Known::STATUS | Known::CONTACT | Known::TIMESTAMP => continue,
            _ => {}
        }
        pieces.push(child);
    }
    // Notes behind the fields; whoever follows the schema wrote them so.
    let all = pieces.len();
    let is_note = |child: &Element<'_>| child.known() == Known::NOTE;
    if notes > 0 && !pieces[all - notes..].iter().all(is_note) {
        crate::order::sort_by_key(&mut pieces[fields_start..], |child| is_note(child));
    }
    let notes_start = all - notes;
    duplicates::drop_notes(pieces, notes_start);
    TupleOut {
        id: only.id.clone(),
        group: range,
        basic: only.basic,
        contact: ContactOut::of(only),
        priority: only.priority.unwrap_or(0),
        at: Some(only.at),
        stamp: only.stamp,
        whole: false,
        status_fields: status_start..fields_start,
        fields: fields_start..notes_start,
        notes: notes_start..pieces.len(),
    }
}
