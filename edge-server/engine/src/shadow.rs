//! A policy that runs beside the one in force, on live traffic and without effect: what watchers would get by it
//! is held against what they get, and the host is told the differences.

use crate::evaluate::{Merged, call, opinion};
use crate::mask;
use crate::policy::{Assignment, Hook, Opinion, PolicyFailure, PolicyHost};
use crate::presentity::Change;
use crate::question::{Ask, NoAnswer};
use merge_core::compose::Composed;
use merge_core::json::{self, Value, Writer};
use merge_core::live::{LiveSet, Presentity};
use merge_core::time::Millis;

/// Differences that are told of one document; the others are as many more.
const DIFFERENCES: usize = 8;
/// Characters of a value that is told.
const VALUE_CHARS: usize = 60;
/// How deep a document is looked into; what is further in is told as a whole.
const DEPTH: usize = 4;

/// Runs it, if there is one for this presentity, and tells what it would change of what is shown.
pub(crate) fn run(
    set: &LiveSet,
    now: Millis,
    change: &Change,
    merged: &Merged<'_>,
    host: &mut dyn PolicyHost,
) {
    let Some(assignment) = host.shadow(&set.presentity) else { return };
    let builtin = &merged.builtin;
    let call = call(set, now, change, &assignment.params, host);
    let would = match opinion(&call, Ask::AtOnce, &mut Beside(host), &assignment, builtin) {
        Ok(would) => Ok(would),
        Err(NoAnswer::Failed(failure)) => Err(failure),
        Err(NoAnswer::Later) => return,
    };
    let outcome = would.map(|would| {
        let would = would.as_ref().map_or(builtin, |(would, _)| would);
        let sent = |composed: &Composed<'_>| mask::json(&mask::write(composed, merged.mask));
        differences(&sent(merged.shown()), &sent(would))
    });
    host.shadowed(&set.presentity, outcome);
}

/// The host, asked for a policy without effect: nothing is counted but by [`PolicyHost::shadowed`].
struct Beside<'h>(&'h mut dyn PolicyHost);

impl PolicyHost for Beside<'_> {
    fn assignment(&mut self, _: &Presentity) -> Option<Assignment> {
        None
    }

    fn run(&mut self, _: &Presentity, assignment: &Assignment, _: Hook, input: &[u8]) -> Opinion {
        self.0.run_shadow(assignment, input)
    }

    fn refused(&mut self, _: &Presentity, _: &Assignment, _: &[u8], _: &PolicyFailure) {}
}

/// What differs between two documents in their JSON form, in words: nothing where they say the same. Bounded.
pub fn differences(before: &str, after: &str) -> Vec<String> {
    let mut found = Vec::new();
    if before != after
        && let (Ok(before), Ok(after)) = (json::read(before.as_bytes()), json::read(after.as_bytes()))
    {
        differing("", Some(&before), Some(&after), DEPTH, &mut found);
    }
    let more = found.len().saturating_sub(DIFFERENCES);
    if more > 0 {
        found.truncate(DIFFERENCES);
        found.push(format!("and {more} more"));
    }
    found
}

fn differing(
    place: &str,
    before: Option<&Value<'_>>,
    after: Option<&Value<'_>>,
    depth: usize,
    found: &mut Vec<String>,
) {
    if before == after {
        return;
    }
    let within = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") };
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if depth > 0 => {
            let added = new.iter().filter(|member| old.iter().all(|known| known.name != member.name));
            for name in old.iter().chain(added).map(|member| &*member.name) {
                let (old, new) = (before.and_then(|v| v.get(name)), after.and_then(|v| v.get(name)));
                differing(&within(name), old, new, depth - 1, found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if depth > 0 && named(old) && named(new) => {
            let with =
                |items: &'_ [Value<'_>], id: &str| items.iter().position(|item| id_of(item) == Some(id));
            let told = found.len();
            let added = new.iter().filter(|item| id_of(item).is_some_and(|id| with(old, id).is_none()));
            for id in old.iter().chain(added).filter_map(id_of) {
                let (old, new) =
                    (with(old, id).and_then(|at| old.get(at)), with(new, id).and_then(|at| new.get(at)));
                differing(&within(id), old, new, depth - 1, found);
            }
            if found.len() == told {
                found.push(format!("{place}: in another order"));
            }
        }
        _ => found.push(format!("{place}: {} → {}", shown(before), shown(after))),
    }
}

fn named(items: &[Value<'_>]) -> bool {
    !items.is_empty() && items.iter().all(|item| id_of(item).is_some())
}

fn id_of<'v>(item: &'v Value<'_>) -> Option<&'v str> {
    item.get("id").and_then(Value::as_str)
}

fn shown(value: Option<&Value<'_>>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let mut out = Writer::new();
    out.value(value);
    let mut text = out.into_string();
    if let Some((end, _)) = text.char_indices().nth(VALUE_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_by_the_place_and_the_two_values_and_equal_documents_have_none() {
        for (before, after, expect) in [
            (r#"{"a":1}"#, r#"{"a":1}"#, vec![]),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, vec![]),
            (r#"{"a":1}"#, r#"{"a":2,"b":true}"#, vec!["a: 1 → 2", "b: nothing → true"]),
            (
                r#"{"person":{"activities":["busy"]}}"#,
                r#"{"person":{"activities":["away"],"mood":[]}}"#,
                vec![r#"person/activities: ["busy"] → ["away"]"#, "person/mood: nothing → []"],
            ),
            (
                r#"{"tuples":[{"id":"t1","basic":"open"},{"id":"t2"}]}"#,
                r#"{"tuples":[{"id":"t1","basic":"closed"}]}"#,
                vec![r#"tuples/t1/basic: "open" → "closed""#, r#"tuples/t2: {"id":"t2"} → nothing"#],
            ),
            (
                r#"{"tuples":[{"id":"t1"},{"id":"t2"}]}"#,
                r#"{"tuples":[{"id":"t2"},{"id":"t1"}]}"#,
                vec!["tuples: in another order"],
            ),
        ] {
            assert_eq!(differences(before, after), expect, "{before} {after}");
        }
    }

    #[test]
    fn what_is_told_is_bounded_whatever_the_documents_hold() {
        let members = |value: &str| {
            let members: Vec<String> =
                (0..50).map(|n| format!("\"m{n}\":\"{}\"", value.repeat(500))).collect();
            format!("{{{}}}", members.join(","))
        };
        let told = differences(&members("ä"), &members("ö"));
        assert_eq!(told.len(), DIFFERENCES + 1);
        assert_eq!(told.last().map(String::as_str), Some("and 42 more"));
        assert!(told.iter().all(|line| line.chars().count() < 2 * VALUE_CHARS + 20), "{told:?}");
        let deep = |leaf: &str| format!("{}{leaf}{}", r#"{"x":"#.repeat(20), "}".repeat(20));
        assert_eq!(differences(&deep("1"), &deep("2")).len(), 1);
    }
}
