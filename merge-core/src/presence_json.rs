//! The one JSON form of a presence document: what the API, a policy's input, the page and the log show.
//!
//! ```json
//! {"entity":"sip:alice@example.com",
//!  "tuples":[{"id":"t1","basic":"open","contact":"sip:..","priority_milli":800,"timestamp_ms":0,"device_id":"urn:..",
//!    "activities":["on-the-phone"],"note":[{"lang":"en","text":".."}],"caps":{"audio":true},"user_input":"idle",
//!    "idle_since_ms":0}],
//!  "person":{"id":"p1","activities":[],"mood":[],"place":[],"sphere":"work","note":[],
//!    "geo":{"lat_e6":0,"lon_e6":0,"acc_m":30},"user_input":"active","timestamp_ms":0},
//!  "devices":[{"id":"d1","device_id":"urn:..","note":[]}],"note":[],"unknown_xml":2}
//! ```
//! A member is left out where the document says nothing; lists are always there. `schema/presence.schema.json`
//! describes it and a test holds the two together. Integers only: milliseconds, thousandths, millionths of a
//! degree. Texts are cleaned of what could change the structure of what shows them.

use alloc::string::String;

use crate::json::Writer;
use crate::model::{Activities, Device, Document, Note, Person, Tuple, UserInput};
use crate::policy::safe_text;
use crate::xml::{Element, Namespace};

/// The JSON form of a document.
#[must_use]
pub fn write(document: &Document) -> String {
    let mut out = Writer::with_capacity(document.source().len());
    out.begin_object();
    out.key("entity").string(document.entity().map_or("", crate::uri::Entity::as_str));
    write_members(&mut out, document);
    out.end_object();
    out.into_string()
}

/// The members of the form without `entity`, into an object that the caller has begun.
pub fn write_members(out: &mut Writer, document: &Document) {
    let mut unknown = document.extensions().count();
    out.key("tuples").begin_array();
    for tuple in document.tuples() {
        unknown += write_tuple(out, tuple);
    }
    out.end_array();
    if let Some(person) = document.persons().next() {
        unknown += write_person(out, person);
    }
    out.key("devices").begin_array();
    for device in document.devices() {
        unknown += write_device(out, device);
    }
    out.end_array();
    write_notes(out, document.notes());
    out.key("unknown_xml").int(i64::try_from(unknown).unwrap_or(i64::MAX));
}

/// Writes a tuple; the number of its elements that have no place in the form.
fn write_tuple(out: &mut Writer, tuple: Tuple<'_>) -> usize {
    out.begin_object();
    out.key("id").string(&tuple.id());
    out.string_member("basic", tuple.basic().map(|basic| basic.as_str()));
    if let Some(contact) = tuple.contact() {
        out.key("contact").string(&contact.uri());
        out.int_member("priority_milli", contact.priority_milli().map(i64::from));
    }
    out.int_member("timestamp_ms", tuple.timestamp().map(|at| at.0));
    out.string_member("device_id", tuple.device_id().as_deref());
    if let Some(activities) = tuple.activities() {
        write_tokens(out, "activities", activities);
    }
    write_notes(out, tuple.notes());
    if let Some(caps) = tuple.caps() {
        out.key("caps").begin_object();
        for name in CAPS {
            if let Some(flag) = caps.flag(name) {
                out.key(name).bool(flag);
            }
        }
        out.end_object();
    }
    write_user_input(out, tuple.user_input());
    out.end_object();
    let known = |element: &Element<'_>| match element.namespace() {
        Namespace::Rpid => matches!(element.local(), "activities" | "user-input"),
        Namespace::Caps => element.local() == "servcaps",
        Namespace::DataModel => element.local() == "deviceID",
        _ => false,
    };
    tuple.fields().chain(tuple.status_fields()).filter(|element| !known(element)).count()
}

/// The boolean capabilities of RFC 5196, in the order they are written.
const CAPS: [&str; 8] = ["audio", "application", "control", "data", "isfocus", "message", "text", "video"];

fn write_person(out: &mut Writer, person: Person<'_>) -> usize {
    let field = |local| person.element.child(Namespace::Rpid, local);
    out.key("person").begin_object();
    out.key("id").string(&person.id());
    write_list(out, "activities", person.activities());
    write_list(out, "mood", person.mood());
    write_list(out, "place", field("place-type").map(|element| Activities { element }));
    if let Some(sphere) = field("sphere") {
        // RFC 4480 has elements in it; older clients write the word.
        let token = sphere.children().next().map(Element::local);
        let text = sphere.value();
        let word = token.unwrap_or(&text);
        if !word.is_empty() {
            out.key("sphere").string(&safe_text(word));
        }
    }
    write_notes(out, person.notes());
    let geo = person.fields().find_map(location);
    if let Some((lat_e6, lon_e6, acc_m)) = geo {
        out.key("geo").begin_object();
        out.key("lat_e6").int(lat_e6);
        out.key("lon_e6").int(lon_e6);
        out.int_member("acc_m", acc_m);
        out.end_object();
    }
    write_user_input(out, person.user_input());
    out.int_member("timestamp_ms", person.timestamp().map(|at| at.0));
    out.end_object();
    let known = |element: &Element<'_>| match element.namespace() {
        Namespace::Rpid => {
            matches!(element.local(), "activities" | "mood" | "place-type" | "sphere" | "user-input")
        }
        _ => location(*element).is_some(),
    };
    person.fields().filter(|element| !known(element)).count()
}

fn write_device(out: &mut Writer, device: Device<'_>) -> usize {
    out.begin_object();
    out.key("id").string(&device.id());
    let device_id = device.device_id();
    if !device_id.is_empty() {
        out.key("device_id").string(&device_id);
    }
    write_notes(out, device.notes());
    write_user_input(out, device.user_input());
    out.int_member("timestamp_ms", device.timestamp().map(|at| at.0));
    out.end_object();
    device.fields().filter(|element| !element.is(Namespace::Rpid, "user-input")).count()
}

fn write_list(out: &mut Writer, name: &str, list: Option<Activities<'_>>) {
    match list {
        Some(list) => write_tokens(out, name, list),
        None => {
            out.key(name).begin_array();
            out.end_array();
        }
    }
}

fn write_tokens(out: &mut Writer, name: &str, list: Activities<'_>) {
    out.key(name).begin_array();
    list.values().for_each(|value| out.string(value.token));
    out.end_array();
}

fn write_notes<'a>(out: &mut Writer, notes: impl Iterator<Item = Note<'a>>) {
    out.key("note").begin_array();
    notes.for_each(|note| write_note(out, note));
    out.end_array();
}

/// One note: its language, if it has one, and its text, cleaned.
pub(crate) fn write_note(out: &mut Writer, note: Note<'_>) {
    out.begin_object();
    out.string_member("lang", note.lang().as_deref());
    out.key("text").string(&safe_text(&note.text()));
    out.end_object();
}

fn write_user_input(out: &mut Writer, input: Option<UserInput<'_>>) {
    if let Some(input) = input {
        out.key("user_input").string(if input.is_idle() { "idle" } else { "active" });
        let since = input.last_input().filter(|_| input.is_idle());
        out.int_member("idle_since_ms", since.map(|at| at.0));
    }
}

/// The point of an RFC 4119 location: `gml:pos` (or the older `gml:coordinates`), and a circle's radius.
pub(crate) fn location(element: Element<'_>) -> Option<(i64, i64, Option<i64>)> {
    if !element.namespace().uri().starts_with("urn:ietf:params:xml:ns:pidf:geopriv10") {
        return None;
    }
    let point = element.subtree().find(|inside| matches!(inside.local(), "pos" | "coordinates"))?;
    let text = point.value();
    let mut numbers = text.split([' ', ',', '\n', '\t']).filter(|part| !part.is_empty());
    let lat = decimal(numbers.next()?, 6).filter(|lat| lat.abs() <= 90_000_000)?;
    let lon = decimal(numbers.next()?, 6).filter(|lon| lon.abs() <= 180_000_000)?;
    let radius = element.subtree().find(|inside| inside.local() == "radius");
    Some((lat, lon, radius.and_then(|radius| decimal(&radius.value(), 0))))
}

/// A decimal number times ten to the `places`, cut off behind that: exact, without floating point.
fn decimal(text: &str, places: u32) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || whole.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut number: i64 =
        if whole.bytes().all(|byte| byte.is_ascii_digit()) { whole.parse().ok()? } else { return None };
    let mut fraction = fraction.bytes();
    for _ in 0..places {
        number = number * 10 + fraction.next().map_or(0, |byte| i64::from(byte - b'0'));
    }
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let check = |text: &str, expect| assert_eq!(decimal(text, 6), expect, "{text}");
        check("52.370216", Some(52_370_216));
        check("-0.5", Some(-500_000));
        check("4", Some(4_000_000));
        check("4.89516791", Some(4_895_167));
        check("1e3", None);
        check("", None);
        check(".5", None);
        check("+1", None);
    }
}
