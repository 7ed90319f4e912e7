//! Reading the reasons off the ranked contributors.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::sentence::{clock, is_rpid, origin, short, value};
use super::{Beaten, Entry, Rule};
use crate::compose::{
    Basis, Class, Composed, Composition, ContactOut, PartCandidate, TupleCandidate, TupleOut, classify,
};
use crate::model::{Activities, Note};
use crate::time::Millis;
use crate::xml::{Element, Namespace};

/// One contributor's say in one field.
struct Say {
    source: u16,
    at: Millis,
    idle: bool,
    value: String,
}

/// All entries but those of a policy.
pub(super) fn explain(composed: &Composed<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for tuple in &composed.tuples {
        explain_tuple(composed, tuple, &mut entries);
    }
    loose(composed, &composed.notes, "note", &mut entries);
    for (at, person) in composed.persons.iter().enumerate() {
        let path = if at == 0 { "person".to_string() } else { format!("person[{at}]") };
        let group = composed.person_candidates.get(person.group.clone()).unwrap_or_default();
        if let (0, Some(dialog)) = (at, composed.talking) {
            let says = group.iter().flat_map(|candidate| says_of(candidate, &["activities"]));
            entries.push(Entry {
                path: format!("{path}/activities"),
                value: "on-the-phone".to_string(),
                etag: None,
                device: dialog.device.clone(),
                rule: Rule::Call,
                reason: String::new(),
                beat: says.map(|say| beaten(composed, say)).collect(),
            });
        }
        if let (0, Some(active)) = (at, composed.active) {
            let says = group.iter().flat_map(|candidate| says_of(candidate, &["user-input"]));
            let path = format!("{path}/user-input");
            let mut entry = entry(composed, path, "active".to_string(), Some(active), Rule::IdleYields);
            entry.beat = says.filter(|say| say.value != "active").map(|say| beaten(composed, say)).collect();
            entries.push(entry);
        }
        let pieces = composed.pieces.get(person.fields.clone()).unwrap_or_default();
        explain_part(composed, &path, pieces, group, &mut entries);
        let notes = composed.pieces.get(person.notes.clone()).unwrap_or_default();
        loose(composed, notes, &format!("{path}/note"), &mut entries);
    }
    for device in &composed.devices {
        let group = composed.device_candidates.get(device.group.clone()).unwrap_or_default();
        let path = format!("device/{}", device.id);
        if let Some(first) = group.first() {
            let rule = if group.len() == 1 { Rule::OnlySource } else { Rule::Agreed };
            let value = short(&first.device_id);
            entries.push(entry(composed, format!("{path}/deviceID"), value, Some(first.source), rule));
        }
        let pieces = composed.pieces.get(device.fields.clone()).unwrap_or_default();
        explain_part(composed, &path, pieces, group, &mut entries);
        let notes = composed.pieces.get(device.notes.clone()).unwrap_or_default();
        loose(composed, notes, &format!("{path}/note"), &mut entries);
    }
    loose(composed, &composed.extensions, "extension", &mut entries);
    superseded(composed, &mut entries);
    entries
}

fn entry(composed: &Composed<'_>, path: String, value: String, source: Option<u16>, rule: Rule) -> Entry {
    let publication = source.and_then(|source| composed.source_of(source)).map(|source| source.publication);
    Entry {
        path,
        value,
        etag: publication.map(|publication| publication.etag.clone()),
        device: publication.map(|publication| publication.device.key.clone()),
        rule,
        reason: String::new(),
        beat: Vec::new(),
    }
}

fn beaten(composed: &Composed<'_>, say: Say) -> Beaten {
    let publication = composed.source_of(say.source).map(|source| source.publication);
    Beaten {
        origin: origin(composed, say.source, say.at),
        value: say.value,
        etag: publication.map(|publication| publication.etag.clone()),
        device: publication.map(|publication| publication.device.key.clone()),
    }
}

/// An entry from what the contributors say, the one that won first.
fn decided(composed: &Composed<'_>, path: String, says: Vec<Say>, explicit: bool) -> Option<Entry> {
    let mut says = says.into_iter();
    let winner = says.next()?;
    let others: Vec<Say> = says.collect();
    let rule = if composed.how == Composition::Union {
        Rule::Union
    } else if others.is_empty() {
        Rule::OnlySource
    } else if others.iter().all(|other| other.value == winner.value) {
        Rule::Agreed
    } else if composed.how == Composition::MostAvailable {
        Rule::MostAvailable
    } else if explicit {
        Rule::NewestExplicit
    } else if !winner.idle && others.iter().any(|other| other.idle && other.at > winner.at) {
        Rule::IdleYields
    } else {
        Rule::Newest
    };
    let mut entry = entry(composed, path, winner.value, Some(winner.source), rule);
    let lost = others.into_iter().filter(|other| other.value != entry.value);
    entry.beat = lost.map(|say| beaten(composed, say)).collect();
    Some(entry)
}

fn explain_tuple(composed: &Composed<'_>, tuple: &TupleOut<'_>, entries: &mut Vec<Entry>) {
    let path = format!("tuple/{}", tuple.id);
    let group = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
    if group.is_empty() {
        return made_up(composed, tuple, &path, entries);
    }
    let say = |candidate: &TupleCandidate<'_>, value: String| Say {
        source: candidate.source,
        at: candidate.at,
        idle: false,
        value,
    };
    let basic = group.iter().filter_map(|c| Some(say(c, c.basic?.as_str().to_string()))).collect();
    entries.extend(decided(composed, format!("{path}/basic"), basic, false));
    let contacts = group.iter().filter(|candidate| candidate.contact.is_some());
    let contacts = contacts.map(|candidate| say(candidate, short(&candidate.uri))).collect();
    if let (ContactOut::Gruu { uri, .. }, Some(first)) = (&tuple.contact, group.first()) {
        let path = format!("{path}/contact");
        entries.push(entry(composed, path, short(uri), Some(first.source), Rule::Gruu));
    } else if let Some(mut contact) = decided(composed, format!("{path}/contact"), contacts, false) {
        // Equal by the rules of SIP however they are written: nobody was beaten.
        contact.beat.clear();
        if contact.rule == Rule::Newest {
            contact.rule = Rule::Agreed;
        }
        entries.push(contact);
    }
    let priorities = group.iter().filter_map(|c| Some(say(c, priority(c.priority?)))).collect();
    entries.extend(decided(composed, format!("{path}/priority"), priorities, false));
    let status = composed.pieces.get(tuple.status_fields.clone()).unwrap_or_default();
    let fields = composed.pieces.get(tuple.fields.clone()).unwrap_or_default();
    let mut named: Vec<Element<'_>> = Vec::new();
    for field in status.iter().chain(fields) {
        if named.iter().any(|other| other.name() == field.name()) || named.len() > 64 {
            continue;
        }
        named.push(*field);
        let mut says: Vec<Say> = group
            .iter()
            .filter_map(|candidate| {
                let inside =
                    |element: Element<'_>| element.child(field.namespace(), field.local()).map(value);
                let found = inside(candidate.element).or_else(|| candidate.status.and_then(inside));
                Some(say(candidate, found?))
            })
            .collect();
        put_first(composed, &mut says, *field);
        entries.extend(decided(composed, format!("{path}/{}", field.local()), says, false));
    }
    let notes = composed.pieces.get(tuple.notes.clone()).unwrap_or_default();
    loose(composed, notes, &format!("{path}/note"), entries);
}

/// A tuple that no publication has: of a registration, of a switch, or of the policy.
fn made_up(composed: &Composed<'_>, tuple: &TupleOut<'_>, path: &str, entries: &mut Vec<Entry>) {
    let rule = match composed.basis {
        Basis::Registered => Rule::Registered,
        Basis::Closed => Rule::NothingPublished,
        _ => Rule::Policy,
    };
    let basic = tuple.basic.map_or("", |basic| basic.as_str()).to_string();
    entries.push(entry(composed, format!("{path}/basic"), basic, None, rule));
    if let ContactOut::Registered(registration) = &tuple.contact {
        let contact = short(&registration.shown_contact(&composed.set.presentity.aor));
        entries.push(entry(composed, format!("{path}/contact"), contact, None, rule));
        entries.push(entry(composed, format!("{path}/priority"), priority(tuple.priority), None, rule));
    }
}

pub(super) fn priority(milli: u16) -> String {
    let milli = milli.min(1000);
    format!("{}.{:03}", milli / 1000, milli % 1000).trim_end_matches('0').trim_end_matches('.').to_string()
}

fn explain_part(
    composed: &Composed<'_>,
    path: &str,
    pieces: &[Element<'_>],
    group: &[PartCandidate<'_>],
    entries: &mut Vec<Entry>,
) {
    let mut named: Vec<Element<'_>> = Vec::new();
    for field in pieces {
        // A person of more than 64 kinds of field is explained as far as that.
        if named.iter().any(|other| other.name() == field.name()) || named.len() > 64 {
            continue;
        }
        named.push(*field);
        let mut says: Vec<Say> = group
            .iter()
            .filter_map(|candidate| {
                let found = candidate.element.child(field.namespace(), field.local())?;
                Some(Say {
                    source: candidate.source,
                    at: candidate.at,
                    idle: candidate.idle,
                    value: value(found),
                })
            })
            .collect();
        put_first(composed, &mut says, *field);
        let explicit = is_rpid(*field, "activities") && beats_plain(*field, group);
        entries.extend(decided(composed, format!("{path}/{}", field.local()), says, explicit));
    }
}

/// Whether the chosen activities say something and another source's do not, or do too.
fn beats_plain(field: Element<'_>, group: &[PartCandidate<'_>]) -> bool {
    let owner = group.iter().find(|candidate| core::ptr::eq(candidate.element.tree(), field.tree()));
    let idle = owner.is_some_and(|candidate| candidate.idle);
    classify(Activities { element: field }, idle) == Class::Explicit
}

fn says_of<'a>(candidate: &'a PartCandidate<'_>, names: &'a [&'a str]) -> impl Iterator<Item = Say> + 'a {
    candidate.element.children().filter(|child| names.iter().any(|name| is_rpid(*child, name))).map(|found| {
        Say { source: candidate.source, at: candidate.at, idle: candidate.idle, value: value(found) }
    })
}

/// Moves the word of the source that `field` is from to the front.
fn put_first(composed: &Composed<'_>, says: &mut [Say], field: Element<'_>) {
    let source = source_of(composed, field);
    if let Some(at) = says.iter().position(|say| Some(say.source) == source) {
        says.get_mut(..=at).unwrap_or_default().rotate_right(1);
    }
}

fn source_of(composed: &Composed<'_>, element: Element<'_>) -> Option<u16> {
    let mut sources = composed.sources.iter();
    let at = sources.position(|s| core::ptr::eq(s.publication.document.tree(), element.tree()))?;
    u16::try_from(at).ok()
}

/// Notes and extensions: all are kept, and what several said is said once.
fn loose(composed: &Composed<'_>, elements: &[Element<'_>], path: &str, entries: &mut Vec<Entry>) {
    for (at, element) in elements.iter().enumerate() {
        let text = match element.namespace() {
            Namespace::Pidf | Namespace::DataModel => short(&Note { element: *element }.text()),
            _ => element.local().to_string(),
        };
        let rule = if elements.len() == 1 { Rule::OnlySource } else { Rule::Union };
        entries.push(entry(composed, format!("{path}[{at}]"), text, source_of(composed, *element), rule));
    }
}

/// The instant that a value of a source carries: its part's, or when the publication was received.
pub(super) fn instant(composed: &Composed<'_>, source: usize, path: &str) -> Millis {
    let received = composed.sources.get(source).map_or(Millis(0), |source| source.publication.received);
    let source = u16::try_from(source).unwrap_or(u16::MAX);
    let (kind, rest) = path.split_once('/').unwrap_or((path, ""));
    let of_parts = |candidates: &[PartCandidate<'_>]| {
        candidates.iter().find(|candidate| candidate.source == source).map(|candidate| candidate.at)
    };
    let found = match kind {
        "tuple" => {
            let id = rest.rsplit_once('/').map_or(rest, |(id, _)| id);
            composed.tuples.iter().find(|tuple| tuple.id == id).and_then(|tuple| {
                let group = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
                group.iter().find(|candidate| candidate.source == source).map(|candidate| candidate.at)
            })
        }
        "device" => of_parts(&composed.device_candidates),
        kind if kind.starts_with("person") => of_parts(&composed.person_candidates),
        _ => None,
    };
    found.unwrap_or(received)
}

/// Live publications that a newer one of their device took the place of.
fn superseded(composed: &Composed<'_>, entries: &mut Vec<Entry>) {
    if composed.how == Composition::Newest {
        return;
    }
    for publication in composed.set.publications.iter().filter(|p| p.expires > composed.now) {
        if composed.sources.iter().any(|source| core::ptr::eq(source.publication, publication)) {
            continue;
        }
        let key = &publication.device.key;
        let Some(newer) = composed.sources.iter().find(|source| source.publication.device.key == *key) else {
            continue;
        };
        let reason = format!(
            "{} of {} is superseded by the same device's publication of {} (one device speaks once)",
            short(publication.device.name()),
            clock(publication.received, composed.now),
            clock(newer.publication.received, composed.now),
        );
        entries.push(Entry {
            path: format!("publication/{}", publication.etag),
            value: String::new(),
            etag: Some(newer.publication.etag.clone()),
            device: Some(key.clone()),
            rule: Rule::Superseded,
            reason,
            beat: Vec::new(),
        });
    }
}
