//! The sentence: "on the phone, from Desk phone 12:04, beats 'available' from Laptop 11:58 (newest explicit
//! activity)".

use alloc::format;
use alloc::string::String;

use super::{Entry, Rule};
use crate::compose::Composed;
use crate::policy::safe_text;
use crate::time::Millis;
use crate::xml::{Element, Namespace};

/// How many characters of a value are shown.
const SHOWN: usize = 80;

/// A field's value: the names of the elements in it, or its text.
pub(super) fn value(element: Element<'_>) -> String {
    let mut text = String::new();
    for child in element.children() {
        if child.local() == "note" && child.namespace() == element.namespace() {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(child.local());
        let inside = child.value();
        if !inside.is_empty() {
            text.push('=');
            text.push_str(&short(&inside));
        }
    }
    if text.is_empty() { short(&element.value()) } else { text }
}

/// A text, cleaned and cut off where it gets long.
pub(super) fn short(text: &str) -> String {
    let mut safe = safe_text(text);
    if let Some((at, _)) = safe.char_indices().nth(SHOWN) {
        safe.truncate(at);
        safe.push('…');
    }
    safe
}

/// `Desk phone 12:04`: the device by its label, and the time in UTC, with the date where it is not today's.
pub(super) fn origin(composed: &Composed<'_>, source: u16, at: Millis) -> String {
    let name = composed.source_of(source).map_or("nobody", |source| source.publication.device.name());
    format!("{} {}", short(name), clock(at, composed.now))
}

/// `12:04`, or `2026-11-20 12:04` where `now` is another day.
pub(super) fn clock(at: Millis, now: Millis) -> String {
    let text = at.to_rfc3339();
    let (date, time) = text.split_once('T').unwrap_or(("", &text));
    let minutes = time.get(..5).unwrap_or(time);
    match now.to_rfc3339().split_once('T') {
        Some((today, _)) if today == date => String::from(minutes),
        _ => format!("{date} {minutes}"),
    }
}

/// Tokens in a person's words.
fn words(path: &str, value: &str) -> String {
    let field = path.rsplit('/').next().unwrap_or(path);
    match field {
        "activities" | "mood" | "place-type" | "sphere" | "place-is" | "privacy" => {
            if value.is_empty() {
                return String::from("nothing in particular");
            }
            value.replace(' ', ", ").replace(['-', '_'], " ")
        }
        _ if value.is_empty() => String::from("nothing"),
        _ => String::from(value),
    }
}

/// The whole sentence. Its origin part was left in `entry.reason` by nobody, so it is built here.
pub(super) fn of(composed: &Composed<'_>, entry: &Entry) -> String {
    let activity = entry.path == "person/activities";
    let mut sentence = words(&entry.path, &entry.value);
    if let Some(origin) = origin_of(composed, entry) {
        sentence.push_str(", from ");
        sentence.push_str(&origin);
    }
    for (at, beaten) in entry.beat.iter().enumerate() {
        sentence.push_str(if at == 0 { ", beats '" } else { " and '" });
        sentence.push_str(&words(&entry.path, &beaten.value));
        sentence.push_str("' from ");
        sentence.push_str(&beaten.origin);
    }
    sentence.push_str(" (");
    sentence.push_str(entry.rule.words(activity));
    sentence.push(')');
    sentence
}

fn origin_of(composed: &Composed<'_>, entry: &Entry) -> Option<String> {
    if let Rule::Call = entry.rule {
        let dialog = composed.talking?;
        let device = dialog.device.as_deref().unwrap_or("a call");
        return Some(format!("{} {}", short(device), clock(dialog.since, composed.now)));
    }
    let etag = entry.etag.as_deref()?;
    let index = composed.sources.iter().position(|source| source.publication.etag == etag)?;
    let at = super::parts::instant(composed, index, &entry.path);
    Some(origin(composed, u16::try_from(index).unwrap_or(u16::MAX), at))
}

/// Whether an element is of a kind whose value is its children's names.
pub(super) fn is_rpid(element: Element<'_>, local: &str) -> bool {
    element.is(Namespace::Rpid, local)
}
