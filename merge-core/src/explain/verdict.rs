//! What a policy changed, in the same words.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::sentence::short;
use super::{Beaten, Entry, Rule, parts};
use crate::compose::{Composed, compose};
use crate::policy::Output;

/// Adds and corrects entries: what the policy set, chose, left out, and what it says itself.
pub(super) fn explain(composed: &Composed<'_>, output: &Output, entries: &mut Vec<Entry>) {
    let builtin = compose(composed.set, composed.now, composed.how);
    let before = parts::explain(&builtin);
    let set = &output.set;
    let lists = [("activities", &set.activities), ("mood", &set.mood), ("place-type", &set.place)];
    for (name, list) in lists {
        if let Some(tokens) = list {
            let path = format!("person/{name}");
            put(composed, entries, &before, path, tokens.join(" "));
        }
    }
    for (at, note) in set.note.iter().flatten().enumerate() {
        put(composed, entries, &before, format!("note[{at}]"), short(&note.text));
    }
    // A tuple whose status or priority is not what its publications say, and those that are gone.
    for tuple in &composed.tuples {
        let basic = tuple.basic.map_or("", |basic| basic.as_str());
        let path = format!("tuple/{}/basic", tuple.id);
        if entries.iter().any(|entry| entry.path == path && entry.value != basic) {
            put(composed, entries, &before, path, basic.to_string());
        }
        let priority = parts::priority(tuple.priority);
        let path = format!("tuple/{}/priority", tuple.id);
        if entries.iter().any(|entry| entry.path == path && entry.value != priority) {
            put(composed, entries, &before, path, priority);
        }
    }
    for gone in &before {
        let kept = entries.iter().any(|entry| entry.path == gone.path);
        if kept || gone.path.starts_with("publication/") {
            continue;
        }
        entries.push(Entry {
            path: gone.path.clone(),
            value: String::new(),
            etag: gone.etag.clone(),
            device: gone.device.clone(),
            rule: Rule::Policy,
            reason: format!("'{}' is not shown (policy)", gone.value),
            beat: alloc::vec![as_beaten(composed, gone)],
        });
    }
    for line in &output.explain {
        entries.push(Entry {
            path: "policy".to_string(),
            value: String::new(),
            etag: None,
            device: None,
            rule: Rule::Policy,
            reason: line.clone(),
            beat: Vec::new(),
        });
    }
}

/// The policy's own value in the place of the built-in one, which it beat.
fn put(composed: &Composed<'_>, entries: &mut Vec<Entry>, before: &[Entry], path: String, value: String) {
    let beat: Vec<Beaten> = before
        .iter()
        .filter(|entry| entry.path == path && entry.value != value)
        .map(|entry| as_beaten(composed, entry))
        .collect();
    let entry =
        Entry { path, value, etag: None, device: None, rule: Rule::Policy, reason: String::new(), beat };
    match entries.iter_mut().find(|old| old.path == entry.path) {
        Some(old) => *old = entry,
        None => entries.push(entry),
    }
}

fn as_beaten(composed: &Composed<'_>, entry: &Entry) -> Beaten {
    let etag = entry.etag.as_deref();
    let index = composed.sources.iter().position(|source| Some(source.publication.etag.as_str()) == etag);
    let origin = match index {
        Some(index) => {
            let at = parts::instant(composed, index, &entry.path);
            super::sentence::origin(composed, u16::try_from(index).unwrap_or(u16::MAX), at)
        }
        None => String::from("the built-in composition"),
    };
    Beaten { value: entry.value.clone(), etag: entry.etag.clone(), device: entry.device.clone(), origin }
}
