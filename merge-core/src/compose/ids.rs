//! Every `id` of the result is an xs:ID, and none is there twice.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::Composed;
use crate::xml::{Element, IdAttribute, Namespace, continues_ncname, starts_ncname};

/// What claims an id; among equal claims the one named first here keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claimant {
    Tuple(usize),
    Person(usize),
    Device(usize),
    /// An `id` inside a copied element.
    Inside(usize),
}

impl Claimant {
    fn kind(self) -> u8 {
        match self {
            Claimant::Tuple(_) => b't',
            Claimant::Person(_) => b'p',
            Claimant::Device(_) => b'd',
            Claimant::Inside(_) => b'i',
        }
    }

    fn index(self) -> usize {
        match self {
            Claimant::Tuple(at) | Claimant::Person(at) | Claimant::Device(at) | Claimant::Inside(at) => at,
        }
    }
}

struct Claim<'a> {
    id: Cow<'a, str>,
    claimant: Claimant,
    /// The steady number of the source that the id is from.
    steady: u16,
    /// The index of that source.
    source: u16,
}

/// Renames what clashes, by the rule in the page of [`compose`](super).
pub(crate) fn make_unique<'a>(composed: &mut Composed<'a>) {
    composed.renames.clear();
    let inside = ids_inside(composed);
    let mut claims = claims(composed, &inside);
    crate::order::sort_by(&mut claims, |a, b| {
        a.id.cmp(&b.id)
            .then_with(|| a.claimant.kind_rank().cmp(&b.claimant.kind_rank()))
            .then_with(|| a.steady.cmp(&b.steady))
            .then_with(|| a.source.cmp(&b.source))
            .then_with(|| a.claimant.cmp(&b.claimant))
    });
    let mut made: BTreeSet<String> = BTreeSet::new();
    let mut occurrence = 0_u32;
    for place in 0..claims.len() {
        let claim = &claims[place];
        let before =
            place.checked_sub(1).map(|before| &claims[before]).filter(|before| before.id == claim.id);
        let id = match before {
            None => claim.id.clone(),
            Some(before) => {
                let same_owner =
                    before.source == claim.source && before.claimant.kind() == claim.claimant.kind();
                occurrence = if same_owner { occurrence + 1 } else { 0 };
                Cow::Owned(rename(composed, claim, occurrence, &claims, &mut made))
            }
        };
        if before.is_none() {
            occurrence = 0;
        }
        give(composed, claim.claimant, id, &inside);
    }
    // Sorted for the writer's look-ups only; the addresses decide nothing that is seen.
    crate::order::sort_by_key(&mut composed.renames, |(id, _)| place(*id));
}

/// Where an id stands, among those of all documents.
pub(super) fn place(id: IdAttribute<'_>) -> (usize, u16) {
    (core::ptr::from_ref(id.tree()).addr(), id.place())
}

impl Claimant {
    fn kind_rank(self) -> u8 {
        match self {
            Claimant::Tuple(_) => 0,
            Claimant::Person(_) => 1,
            Claimant::Device(_) => 2,
            Claimant::Inside(_) => 3,
        }
    }
}

fn claims<'a>(composed: &Composed<'a>, inside: &[IdAttribute<'a>]) -> Vec<Claim<'a>> {
    let count = composed.tuples.len() + composed.persons.len() + composed.devices.len() + inside.len();
    let mut claims = Vec::with_capacity(count);
    for (at, tuple) in composed.tuples.iter().enumerate() {
        let owners = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
        let owner = match owners {
            [only] => Some(only),
            many => many.iter().filter(|owner| owner.id == tuple.id).min_by_key(|owner| owner.steady),
        };
        claims.push(Claim {
            id: valid(&tuple.id, "t"),
            claimant: Claimant::Tuple(at),
            steady: owner.map_or(0, |owner| owner.steady),
            source: owner.map_or(0, |owner| owner.source),
        });
    }
    let persons = composed.persons.iter().enumerate();
    let persons = persons.map(|(at, part)| (Claimant::Person(at), "p", part, &composed.person_candidates));
    let devices = composed.devices.iter().enumerate();
    let devices = devices.map(|(at, part)| (Claimant::Device(at), "d", part, &composed.device_candidates));
    for (claimant, fallback, part, candidates) in persons.chain(devices) {
        let owners = candidates.get(part.group.clone()).unwrap_or_default();
        let owner = match owners {
            [only] => Some(only),
            many => many.iter().filter(|owner| owner.id == part.id).min_by_key(|owner| owner.steady),
        };
        claims.push(Claim {
            id: valid(&part.id, fallback),
            claimant,
            steady: owner.map_or(0, |owner| owner.steady),
            source: owner.map_or(0, |owner| owner.source),
        });
    }
    for (at, id) in inside.iter().enumerate() {
        // Only copies of known sources get here; the search is short and seldom.
        let owner = composed
            .sources
            .iter()
            .enumerate()
            .find(|(_, source)| core::ptr::eq(source.publication.document.tree(), id.tree()));
        claims.push(Claim {
            id: valid(&id.value(), "i"),
            claimant: Claimant::Inside(at),
            steady: owner.map_or(0, |(_, source)| source.steady),
            source: owner.map_or(0, |(index, _)| u16::try_from(index).unwrap_or(u16::MAX)),
        });
    }
    claims
}

/// The ids that are written besides those of tuples, persons and devices, each document's in its order.
fn ids_inside<'a>(composed: &Composed<'a>) -> Vec<IdAttribute<'a>> {
    let mut found = Vec::new();
    if !composed.sources.iter().any(|source| source.publication.document.has_ids_inside()) {
        return found;
    }
    let mut copied = |elements: &[Element<'a>]| {
        elements.iter().for_each(|element| found.extend(element.id_attributes()));
    };
    copied(&composed.notes);
    copied(&composed.extensions);
    for tuple in &composed.tuples {
        for range in [&tuple.status_fields, &tuple.fields, &tuple.notes] {
            copied(composed.pieces.get(range.clone()).unwrap_or_default());
        }
        copied(tuple.stamp.as_slice());
        copied(tuple.contact.published().as_slice());
    }
    for part in composed.persons.iter().chain(&composed.devices) {
        for range in [&part.fields, &part.notes] {
            copied(composed.pieces.get(range.clone()).unwrap_or_default());
        }
        copied(part.stamp.as_slice());
    }
    // Tags of our own have the attributes of their contributors', but for the `id`.
    for tuple in &composed.tuples {
        for candidate in composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default() {
            found.extend(candidate.element.own_ids().filter(|id| id.is_xml_id()));
            found.extend(candidate.status.into_iter().flat_map(Element::own_ids));
        }
    }
    let parts =
        [(&composed.persons, &composed.person_candidates), (&composed.devices, &composed.device_candidates)];
    for (part, candidates) in
        parts.into_iter().flat_map(|(parts, candidates)| parts.iter().map(move |part| (part, candidates)))
    {
        for candidate in candidates.get(part.group.clone()).unwrap_or_default() {
            found.extend(candidate.element.own_ids().filter(|id| id.is_xml_id()));
            if part.whole {
                let named = candidate.element.child(Namespace::DataModel, "deviceID");
                found.extend(named.into_iter().flat_map(Element::own_ids));
            }
        }
    }
    crate::order::sort_by_key(&mut found, |id| place(*id));
    found.dedup_by_key(|id| place(*id));
    found
}

fn give<'a>(composed: &mut Composed<'a>, claimant: Claimant, id: Cow<'a, str>, inside: &[IdAttribute<'a>]) {
    let at = claimant.index();
    match claimant {
        Claimant::Tuple(_) => composed.tuples[at].id = id,
        Claimant::Person(_) => composed.persons[at].id = id,
        Claimant::Device(_) => composed.devices[at].id = id,
        Claimant::Inside(_) => {
            if inside[at].value() != id {
                composed.renames.push((inside[at], id));
            }
        }
    }
}

/// `id-` and eight digits from the device's key, the kind and the occurrence; again with a number behind it
/// in the unlikely case that somebody else is called just so.
fn rename(
    composed: &Composed<'_>,
    claim: &Claim<'_>,
    occurrence: u32,
    claims: &[Claim<'_>],
    made: &mut BTreeSet<String>,
) -> String {
    let key = composed.source_of(claim.source).map_or("", |source| &source.publication.device.key);
    let digits = digest(&[key.as_bytes(), &[claim.claimant.kind()], &occurrence.to_be_bytes()]);
    let mut id = String::with_capacity(claim.id.len() + 12);
    id.push_str(&claim.id);
    id.push('-');
    push_digits(&mut id, digits);
    let plain = id.len();
    let mut number = 2_u32;
    let claimed = |id: &String| claims.binary_search_by(|claim| (*claim.id).cmp(id)).is_ok();
    while claimed(&id) || !made.insert(id.clone()) {
        id.truncate(plain);
        id.push('-');
        push_digits(&mut id, number);
        number += 1;
    }
    id
}

/// FNV-1a over the parts, each ended, folded to 32 bits. Not a secret: it only has to differ.
pub(crate) fn digest(parts: &[&[u8]]) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0xFF]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    (hash ^ (hash >> 32)) as u32
}

/// Eight hexadecimal digits.
pub(crate) fn push_digits(out: &mut String, number: u32) {
    for place in (0..8).rev() {
        let digit = b"0123456789abcdef"[(number >> (place * 4)) as usize & 15];
        out.push(char::from(digit));
    }
}

/// The id as an NCName, which an xs:ID is: what may not stand in one becomes `_`, and what may not begin one gets a `_` in
/// front. A missing id becomes `fallback`.
fn valid<'a>(id: &Cow<'a, str>, fallback: &'static str) -> Cow<'a, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = id.as_bytes();
    if bytes.first().is_some_and(|first| first.is_ascii_alphabetic()) && bytes.iter().all(|byte| plain(*byte))
    {
        return id.clone();
    }
    let trimmed = id.trim_matches([' ', '\t', '\r', '\n']);
    let Some(first) = trimmed.chars().next() else { return Cow::Borrowed(fallback) };
    if trimmed.len() == id.len() && starts_ncname(first) && trimmed.chars().all(continues_ncname) {
        return id.clone();
    }
    let mut name = String::with_capacity(trimmed.len() + 1);
    if !starts_ncname(first) {
        name.push('_');
    }
    name.extend(trimmed.chars().map(|c| if continues_ncname(c) { c } else { '_' }));
    Cow::Owned(name)
}
