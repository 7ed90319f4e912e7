//! The result as a presence document, written once.

use alloc::vec::Vec;

use super::{Composed, ContactOut, PartOut, TupleOut, hidden, ids};
use crate::policy::Output;
use crate::xml::{Element, IdAttribute, Namespace, Writer};

const PIDF: Namespace<'static> = Namespace::Pidf;
const DATA_MODEL: Namespace<'static> = Namespace::DataModel;
const RPID: Namespace<'static> = Namespace::Rpid;

/// tuple*, note*, then person, device and whatever else, as RFC 3863's schema wants it.
pub(super) fn pidf(composed: &Composed<'_>) -> Vec<u8> {
    let size: usize = composed.sources.iter().map(|source| source.publication.document.source().len()).sum();
    let mut out = Writer::with_capacity(size + 512);
    let verdict = composed.verdict.as_ref();
    if !composed.persons.is_empty() || !composed.devices.is_empty() {
        out.declare(DATA_MODEL);
    }
    if composed.talking.is_some() || composed.active.is_some() || verdict.is_some_and(Output::sets_person) {
        out.declare(DATA_MODEL);
        out.declare(RPID);
    }
    for source in &composed.sources {
        out.declare_scope_of(source.publication.document.root());
    }
    out.start(PIDF, "presence");
    out.attribute("entity", &composed.set.presentity.aor);
    for tuple in &composed.tuples {
        write_tuple(composed, tuple, &mut out);
    }
    match verdict.and_then(|verdict| verdict.set.note.as_ref()) {
        Some(notes) => {
            for note in notes {
                out.start(PIDF, "note");
                if let Some(lang) = &note.lang {
                    out.lang(lang);
                }
                out.text(&note.text);
                out.end();
            }
        }
        None => composed.notes.iter().for_each(|note| copy(composed, *note, &mut out)),
    }
    for person in &composed.persons {
        write_person(composed, person, &mut out);
    }
    for device in &composed.devices {
        write_device(composed, device, &mut out);
    }
    for extension in &composed.extensions {
        copy(composed, *extension, &mut out);
    }
    out.end();
    out.finish()
}

fn write_tuple<'a>(composed: &'a Composed<'_>, tuple: &'a TupleOut<'_>, out: &mut Writer<'a>) {
    let group = composed.tuple_candidates.get(tuple.group.clone()).unwrap_or_default();
    if tuple.whole
        && let Some(first) = group.first().filter(|first| first.id == tuple.id)
    {
        return copy(composed, first.element, out);
    }
    out.start(PIDF, "tuple");
    out.bind_as(group.iter().map(|candidate| candidate.element));
    out.attribute("id", &tuple.id);
    for candidate in group {
        attributes_of(composed, candidate.element, &["id"], out);
    }
    out.start(PIDF, "status");
    out.bind_as(group.iter().filter_map(|candidate| candidate.status));
    for status in group.iter().filter_map(|candidate| candidate.status) {
        attributes_of(composed, status, &[], out);
    }
    if let Some(basic) = tuple.basic {
        out.leaf(PIDF, "basic", basic.as_str());
    }
    copy_all(composed, &tuple.status_fields, out);
    out.end();
    copy_all(composed, &tuple.fields, out);
    match &tuple.contact {
        ContactOut::None => {}
        ContactOut::Copy(contact) => copy(composed, *contact, out),
        ContactOut::Reranked(contact, priority) => {
            out.start(PIDF, "contact");
            out.attribute("priority", thousandths(*priority, &mut [0; 5]));
            attributes_of(composed, *contact, &[], out);
            out.text(&contact.value());
            out.end();
        }
        ContactOut::Gruu { uri, published, priority } => {
            out.start(PIDF, "contact");
            if let Some(priority) = priority {
                out.attribute("priority", thousandths(*priority, &mut [0; 5]));
            }
            if let Some(contact) = published {
                attributes_of(composed, *contact, &[], out);
            }
            out.text(uri);
            out.end();
        }
        ContactOut::Registered(registration) => {
            out.start(PIDF, "contact");
            out.attribute("priority", thousandths(registration.q_milli, &mut [0; 5]));
            out.text(&registration.shown_contact(&composed.set.presentity.aor));
            out.end();
        }
    }
    copy_all(composed, &tuple.notes, out);
    match (tuple.stamp, tuple.at) {
        (Some(stamp), _) => copy(composed, stamp, out),
        (None, Some(at)) => out.leaf(PIDF, "timestamp", at.rfc3339().as_str()),
        (None, None) => {}
    }
    out.end();
}

fn write_person<'a>(composed: &'a Composed<'_>, person: &'a PartOut<'_>, out: &mut Writer<'a>) {
    let group = composed.person_candidates.get(person.group.clone()).unwrap_or_default();
    out.start(DATA_MODEL, "person");
    if person.fields.len() + person.notes.len() > 1 {
        out.bind_as(group.iter().map(|candidate| candidate.element));
    }
    out.attribute("id", &person.id);
    for candidate in group {
        attributes_of(composed, candidate.element, &["id"], out);
    }
    if composed.talking.is_some() {
        enumeration("activities", [(RPID, "on-the-phone")].into_iter(), out);
    }
    if composed.active.is_some() {
        out.leaf(RPID, "user-input", "active");
    }
    if let Some(verdict) = &composed.verdict {
        // Only the first person speaks for the policy, where nothing was resolved.
        if composed.persons.first().is_some_and(|first| core::ptr::eq(first, person)) {
            verdict.write_person_fields(out);
        }
    }
    copy_all(composed, &person.fields, out);
    copy_all(composed, &person.notes, out);
    write_instant(composed, person, out);
    out.end();
}

fn write_device<'a>(composed: &'a Composed<'_>, device: &'a PartOut<'_>, out: &mut Writer<'a>) {
    let group = composed.device_candidates.get(device.group.clone()).unwrap_or_default();
    if device.whole
        && let Some(first) = group.first().filter(|first| first.id == device.id)
    {
        return copy(composed, first.element, out);
    }
    out.start(DATA_MODEL, "device");
    if device.fields.len() + device.notes.len() > 1 {
        out.bind_as(group.iter().map(|candidate| candidate.element));
    }
    out.attribute("id", &device.id);
    for candidate in group {
        attributes_of(composed, candidate.element, &["id"], out);
    }
    copy_all(composed, &device.fields, out);
    out.leaf(DATA_MODEL, "deviceID", group.first().map_or("", |candidate| &candidate.device_id));
    copy_all(composed, &device.notes, out);
    write_instant(composed, device, out);
    out.end();
}

fn write_instant<'a>(composed: &'a Composed<'_>, part: &'a PartOut<'_>, out: &mut Writer<'a>) {
    match (part.stamp, part.at) {
        (Some(stamp), _) => copy(composed, stamp, out),
        (None, Some(at)) => out.leaf(DATA_MODEL, "timestamp", at.rfc3339().as_str()),
        (None, None) => {}
    }
}

/// An RPID element whose values are elements: `activities`, `mood`.
pub(crate) fn enumeration<'a>(
    local: &'a str,
    values: impl Iterator<Item = (Namespace<'a>, &'a str)>,
    out: &mut Writer<'a>,
) {
    out.start(RPID, local);
    for (namespace, value) in values {
        out.start(namespace, value);
        out.end();
    }
    out.end();
}

fn copy_all<'a>(composed: &'a Composed<'_>, range: &core::ops::Range<usize>, out: &mut Writer<'a>) {
    for element in composed.pieces.get(range.clone()).unwrap_or_default() {
        copy(composed, *element, out);
    }
}

fn copy<'a>(composed: &'a Composed<'_>, element: Element<'a>, out: &mut Writer<'a>) {
    if composed.hides_inside(element) {
        hidden::copy_shown(composed, element, out, &|shown, out| copy_renamed(composed, shown, out));
    } else {
        copy_renamed(composed, element, out);
    }
}

fn copy_renamed<'a>(composed: &'a Composed<'_>, element: Element<'a>, out: &mut Writer<'a>) {
    if composed.renames.is_empty() {
        out.copy(element);
        return;
    }
    out.copy_with_ids(element, &|id| new_id(composed, id));
}

fn attributes_of<'a>(
    composed: &'a Composed<'_>,
    element: Element<'a>,
    except: &[&str],
    out: &mut Writer<'a>,
) {
    out.attributes_with_ids(element, except, &|id| new_id(composed, id));
}

/// The new id that stands there. By place, not by value: of two that were called alike one may keep its name.
fn new_id<'c>(composed: &'c Composed<'_>, id: IdAttribute<'_>) -> Option<&'c str> {
    let all = composed.renames.as_slice();
    let at = all.binary_search_by(|(each, _)| ids::place(*each).cmp(&ids::place(id))).ok()?;
    all.get(at).map(|(_, new)| &**new)
}

/// A priority as RFC 3863 writes it: `0.8`, `1`, `0`.
fn thousandths(milli: u16, buffer: &mut [u8; 5]) -> &str {
    let milli = milli.min(1000);
    let digits = [milli / 1000, 10, milli / 100 % 10, milli / 10 % 10, milli % 10];
    for (place, digit) in buffer.iter_mut().zip(digits) {
        *place = if digit == 10 { b'.' } else { b'0' + digit as u8 };
    }
    let text = core::str::from_utf8(buffer).unwrap_or("0");
    if milli.is_multiple_of(1000) { &text[..1] } else { text.trim_end_matches('0') }
}
