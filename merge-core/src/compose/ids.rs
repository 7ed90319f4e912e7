//! Every `id` of the result is an xs:ID, and none is there twice.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::Composed;
use crate::xml::Element;

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
    let mut inside: Vec<(Element<'a>, Cow<'a, str>)> = Vec::new();
    let mut claims = claims(composed, &mut inside);
    crate::order::sort_by(&mut claims, |a, b| {
        a.id.cmp(&b.id)
            .then_with(|| a.claimant.kind_rank().cmp(&b.claimant.kind_rank()))
            .then_with(|| a.steady.cmp(&b.steady))
            .then_with(|| a.source.cmp(&b.source))
            .then_with(|| a.claimant.cmp(&b.claimant))
    });
    if claims.windows(2).all(|pair| pair[0].id != pair[1].id) {
        claims.into_iter().for_each(|claim| give(composed, claim.claimant, claim.id, &inside));
        return;
    }
    let mut made: BTreeSet<String> = BTreeSet::new();
    let mut at = 0;
    while at < claims.len() {
        let length = claims[at..].iter().take_while(|claim| claim.id == claims[at].id).count();
        let mut occurrence = 0_u32;
        for place in at..at + length {
            let claim = &claims[place];
            let same_owner = place > at && {
                let before = &claims[place - 1];
                before.source == claim.source && before.claimant.kind() == claim.claimant.kind()
            };
            occurrence = if same_owner { occurrence + 1 } else { 0 };
            let id = if place == at {
                claim.id.clone()
            } else {
                Cow::Owned(rename(composed, claim, occurrence, &claims, &mut made))
            };
            give(composed, claim.claimant, id, &inside);
        }
        at += length;
    }
    // Sorted for the writer's look-ups only; the addresses decide nothing that is seen.
    crate::order::sort_by_key(&mut composed.renames, |(element, _)| {
        (core::ptr::from_ref(element.tree()).addr(), element.id())
    });
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

fn claims<'a>(composed: &Composed<'a>, inside: &mut Vec<(Element<'a>, Cow<'a, str>)>) -> Vec<Claim<'a>> {
    let count = composed.tuples.len() + composed.persons.len() + composed.devices.len();
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
    let copied = composed.pieces.iter().chain(&composed.extensions);
    for (element, id) in copied.flat_map(|piece| piece.ids()) {
        // Only copies of known sources get here; the search is short and seldom.
        let tree: *const _ = element.tree();
        let owner = composed
            .sources
            .iter()
            .enumerate()
            .find(|(_, source)| core::ptr::eq(source.publication.document.tree(), tree));
        claims.push(Claim {
            id: valid(&id, "i"),
            claimant: Claimant::Inside(inside.len()),
            steady: owner.map_or(0, |(_, source)| source.steady),
            source: owner.map_or(0, |(index, _)| u16::try_from(index).unwrap_or(u16::MAX)),
        });
        inside.push((element, id));
    }
    claims
}

fn give<'a>(
    composed: &mut Composed<'a>,
    claimant: Claimant,
    id: Cow<'a, str>,
    inside: &[(Element<'a>, Cow<'a, str>)],
) {
    let at = claimant.index();
    match claimant {
        Claimant::Tuple(_) => composed.tuples[at].id = id,
        Claimant::Person(_) => composed.persons[at].id = id,
        Claimant::Device(_) => composed.devices[at].id = id,
        Claimant::Inside(_) => {
            let (element, old) = &inside[at];
            if *old != id {
                composed.renames.push((*element, id));
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
        out.extend(char::from_digit((number >> (place * 4)) & 15, 16));
    }
}

/// The id as an NCName: what may not stand in one becomes `_`, and what may not begin one gets a `_` in
/// front. A missing id becomes `fallback`.
fn valid<'a>(id: &Cow<'a, str>, fallback: &'static str) -> Cow<'a, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = id.as_bytes();
    if bytes.first().is_some_and(|first| first.is_ascii_alphabetic()) && bytes.iter().all(|byte| plain(*byte))
    {
        return id.clone();
    }
    let begins = |c: char| c == '_' || c.is_ascii_alphabetic() || (!c.is_ascii() && c.is_alphabetic());
    let continues = |c: char| begins(c) || c == '-' || c == '.' || c.is_ascii_digit();
    let trimmed = id.trim();
    let Some(first) = trimmed.chars().next() else { return Cow::Borrowed(fallback) };
    if trimmed.len() == id.len() && begins(first) && trimmed.chars().all(continues) {
        return id.clone();
    }
    let mut name = String::with_capacity(trimmed.len() + 1);
    if !begins(first) {
        name.push('_');
    }
    name.extend(trimmed.chars().map(|c| if continues(c) { c } else { '_' }));
    Cow::Owned(name)
}
