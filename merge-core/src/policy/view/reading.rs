//! Reading what `pp_view` answers: only what takes away passes.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{COARSE, Level, NAMED_DROPS, View, ViewDrop};
use crate::activity::keeps_from_answering;
use crate::json::Value;
use crate::model::{Basic, Document};
use crate::policy::faults::{ACTIVITY, Faults, object};
use crate::policy::limits;
use crate::policy::output::{Finding, OutputError};
use crate::policy::text::safe_text;

/// What a view may name of the document that it is made of: that document, or an input that was recorded as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    tuples: Vec<String>,
    activities: Vec<String>,
}

impl Seen {
    /// The names in a document.
    #[must_use]
    pub fn in_document(merged: &Document) -> Seen {
        let persons = merged.persons().take(1).filter_map(|person| person.activities());
        let services = merged.tuples().filter_map(|tuple| tuple.activities());
        Seen {
            tuples: merged.tuples().map(|tuple| tuple.id().into_owned()).collect(),
            activities: persons
                .chain(services)
                .flat_map(|activities| activities.values().map(|value| value.token.to_owned()))
                .collect(),
        }
    }

    /// The names in an input of `pp_view`.
    #[must_use]
    pub fn in_input(input: &Value<'_>) -> Seen {
        let merged = input.get("merged");
        let tuples = merged.and_then(|merged| merged.get("tuples")).and_then(Value::as_array);
        let tuples = tuples.unwrap_or_default();
        let person = merged.and_then(|merged| merged.get("person"));
        let activities = |part: &Value<'_>| {
            let list = part.get("activities").and_then(Value::as_array).unwrap_or_default();
            list.iter().filter_map(|token| token.as_str().map(ToOwned::to_owned)).collect::<Vec<_>>()
        };
        let id = |tuple: &Value<'_>| tuple.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        Seen {
            tuples: tuples.iter().map(id).collect(),
            activities: person.into_iter().chain(tuples).flat_map(activities).collect(),
        }
    }

    /// Whether this activity says no more than what is there.
    fn allows(&self, token: &str) -> bool {
        let coarse = COARSE.iter().find(|coarse| coarse.token == token);
        self.activities.iter().any(|shown| {
            shown == token || coarse.is_some_and(|coarse| !coarse.hinders || keeps_from_answering(shown))
        })
    }
}

impl View {
    /// Whether it could have been said of a document with these names: one that was read for another may not.
    #[must_use]
    pub fn fits(&self, seen: &Seen) -> bool {
        let there = |drop: &ViewDrop| match drop {
            ViewDrop::Tuple(id) => seen.tuples.contains(id),
            _ => true,
        };
        self.drop.iter().all(there) && self.activities.iter().flatten().all(|token| seen.allows(token))
    }
}

/// Reads an output as a policy that runs is read: unknown members are passed over.
///
/// # Errors
/// E202, E203, E207 or E208 with all their findings, or E209: the failure that the policy reports itself.
pub fn read_view(bytes: &[u8], seen: &Seen) -> Result<View, OutputError> {
    let value = object(bytes)?;
    let mut reading = Reading { seen, faults: Faults::default() };
    let view = reading.view(&value);
    let (view, unknown) = reading.faults.end(view)?;
    Ok(View { unknown, ..view })
}

/// Everything that is wrong with an output, unknown members (E206) included.
#[must_use]
pub fn check_view(bytes: &[u8], seen: &Seen) -> Vec<Finding> {
    match read_view(bytes, seen) {
        Ok(view) => view.unknown,
        Err(error) => error.findings,
    }
}

const MEMBERS: &[&str] = &["abi", "drop", "set", "level", "explain", "error"];
const SET_MEMBERS: &[&str] = &["basic", "activities", "mood", "place", "note"];

struct Reading<'s> {
    seen: &'s Seen,
    faults: Faults,
}

impl Reading<'_> {
    fn view(&mut self, value: &Value<'_>) -> View {
        self.faults.known(value, "", MEMBERS);
        self.faults.abi(value);
        let mut view = View { level: self.level(value), drop: self.drop(value), ..View::default() };
        match value.get("set") {
            None => {}
            Some(set @ Value::Object(_)) => self.set(set, &mut view),
            Some(other) => {
                self.faults.fault("set", &format!("is {} and no object", other.kind()), "write an object");
            }
        }
        view.explain = self.faults.explain(value);
        view
    }

    fn level(&mut self, value: &Value<'_>) -> Level {
        match value.get("level").map(|level| level.as_str().and_then(Level::of)) {
            None => Level::Full,
            Some(Some(level)) => level,
            Some(None) => {
                self.faults.fault("level", "is not one of full, busy_free, basic", "leave it out for full");
                Level::Basic
            }
        }
    }

    fn set(&mut self, set: &Value<'_>, view: &mut View) {
        self.faults.known(set, "set", SET_MEMBERS);
        match self.faults.basic(set, "set") {
            Some(Basic::Open) => {
                let fix = "leave it out: a service that is open stays open";
                self.faults.fault("set.basic", "can only be closed, for a view adds nothing", fix);
            }
            closed => view.closed = closed.is_some(),
        }
        let activities = self.faults.tokens(set, "activities", &ACTIVITY);
        for (at, token) in activities.iter().flatten().enumerate() {
            if !self.seen.allows(token) {
                self.faults.fault(
                    &format!("set.activities[{at}]"),
                    &format!("{:?} says more than the activities that are merged", safe_text(token)),
                    "one of those; busy or away, where one of them keeps from answering; unknown, where there is any",
                );
            }
        }
        view.activities = activities;
        // Written as in an output of pp_merge, where an empty list removes.
        for (name, what) in [
            ("mood", ViewDrop::Field("mood")),
            ("place", ViewDrop::Field("place-type")),
            ("note", ViewDrop::Notes),
        ] {
            match set.get(name).map(Value::as_array) {
                None => {}
                Some(Some([])) => view.drop.push(what),
                Some(_) => {
                    let fix = "[] takes it out; a view has no words of its own";
                    self.faults.fault(&format!("set.{name}"), "can only be an empty list", fix);
                }
            }
        }
    }

    fn drop(&mut self, value: &Value<'_>) -> Vec<ViewDrop> {
        let mut dropped = Vec::new();
        let items = self.faults.list(value, "drop", limits::OUTPUT_DROPS);
        for (at, item) in items.unwrap_or_default().iter().enumerate() {
            let place = format!("drop[{at}]");
            let word = item.as_str().unwrap_or_default();
            let drop = match (ViewDrop::of(word), word.strip_prefix("tuple:")) {
                (Some(drop), _) => drop,
                (None, Some(id)) => {
                    if !self.seen.tuples.iter().any(|tuple| tuple == id) {
                        let message = format!("what is merged has no tuple {:?}", safe_text(id));
                        self.faults.missing(&place, message, "choose among the tuples of the input");
                    }
                    ViewDrop::Tuple(id.to_string())
                }
                (None, None) => {
                    let words: Vec<&str> = NAMED_DROPS.iter().map(|(name, _)| *name).collect();
                    let words = format!("{}, tuple:ID", words.join(", "));
                    self.faults.fault(&place, "is not something that can be dropped", &words);
                    continue;
                }
            };
            dropped.push(drop);
        }
        dropped
    }
}
