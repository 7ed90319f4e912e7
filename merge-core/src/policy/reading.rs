//! Reading what a policy answers: every word checked against the contract and the input.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::Call;
use super::faults::{ACTIVITY, Faults, MOOD, PLACE, join, object};
use super::limits;
use super::output::{Base, Drop, Finding, NoteText, Output, OutputError, Select, Set};
use super::text::safe_text;
use crate::compose;
use crate::json::Value;
use crate::live::Publication;
use crate::time::Millis;
use crate::tokens::is_language;

/// Reads an output as a policy that runs is read: unknown members are passed over.
///
/// # Errors
/// E202, E203, E207 or E208 with all their findings, or E209: the failure that the policy reports itself.
pub fn read_output(bytes: &[u8], call: &Call<'_>) -> Result<Output, OutputError> {
    read_output_for(bytes, &Shown::to(call))
}

/// What an output may name: what the policy was shown of the live set, or an input that was recorded as JSON.
pub trait Known {
    /// The moment of the call.
    fn now(&self) -> Millis;
    /// Whether the input has this publication.
    fn has_publication(&self, etag: &str) -> bool;
    /// Whether this publication of the input has this tuple.
    fn has_tuple(&self, etag: &str, tuple: &str) -> bool;
}

/// The publications of a call's input: neither expired ones nor superseded ones.
struct Shown<'a> {
    now: Millis,
    publications: Vec<&'a Publication>,
}

impl<'a> Shown<'a> {
    fn to(call: &Call<'a>) -> Shown<'a> {
        Shown { now: call.now, publications: compose::current(call.set, call.now).collect() }
    }
}

impl Known for Shown<'_> {
    fn now(&self) -> Millis {
        self.now
    }

    fn has_publication(&self, etag: &str) -> bool {
        self.publications.iter().any(|publication| publication.etag == etag)
    }

    fn has_tuple(&self, etag: &str, tuple: &str) -> bool {
        let mut named = self.publications.iter().filter(|publication| publication.etag == etag);
        named.any(|publication| publication.document.tuples().any(|other| other.id() == tuple))
    }
}

/// Reads an output to an input of which only the names are known, as [`read_output`] does.
///
/// # Errors
/// As [`read_output`].
pub fn read_output_for(bytes: &[u8], known: &dyn Known) -> Result<Output, OutputError> {
    let value = object(bytes)?;
    let mut reading = Reading { call: known, faults: Faults::default() };
    let output = reading.output(&value);
    let (output, unknown) = reading.faults.end(output)?;
    Ok(Output { unknown, ..output })
}

/// Everything that is wrong with an output, unknown members (E206) included.
#[must_use]
pub fn check_output(bytes: &[u8], call: &Call<'_>) -> Vec<Finding> {
    check_output_for(bytes, &Shown::to(call))
}

/// Everything that is wrong with an output to an input of which only the names are known.
#[must_use]
pub fn check_output_for(bytes: &[u8], known: &dyn Known) -> Vec<Finding> {
    match read_output_for(bytes, known) {
        Ok(output) => output.unknown,
        Err(error) => error.findings,
    }
}

const MEMBERS: &[&str] = &["abi", "base", "select", "set", "drop", "reevaluate_at_ms", "explain", "error"];
const SELECT_MEMBERS: &[&str] = &["etag", "tuple", "priority_milli", "basic"];
const SET_MEMBERS: &[&str] = &["basic", "activities", "mood", "place", "note"];
/// What to do about a name that is not in the input.
const CHOOSE: &str = "choose among the publications and tuples of the input";
const NOTE_MEMBERS: &[&str] = &["lang", "text"];

struct Reading<'c> {
    call: &'c dyn Known,
    faults: Faults,
}

impl Reading<'_> {
    fn output(&mut self, value: &Value<'_>) -> Output {
        self.faults.known(value, "", MEMBERS);
        self.faults.abi(value);
        let mut output = Output {
            base: match value.get("base").map(|base| base.as_str()) {
                None | Some(Some("builtin")) => Base::Builtin,
                Some(Some("empty")) => Base::Empty,
                Some(_) => {
                    self.faults.fault("base", "is not one of builtin, empty", "leave it out for builtin");
                    Base::Builtin
                }
            },
            ..Output::default()
        };
        output.select = self.select(value);
        if let Some(set) = value.get("set") {
            output.set = self.set(set);
        }
        output.drop = self.drop(value);
        output.reevaluate_at = self.reevaluate_at(value);
        output.explain = self.faults.explain(value);
        output
    }

    /// Says where an etag or a tuple's id is not in the input.
    fn look_up(&mut self, place: &str, etag: &str, tuple: Option<&str>) {
        if !self.call.has_publication(etag) {
            let message = format!("no publication of the input has the etag {:?}", safe_text(etag));
            self.faults.missing(&join(place, "etag"), message, CHOOSE);
        } else if let Some(id) = tuple.filter(|id| !self.call.has_tuple(etag, id)) {
            let message = format!("publication {etag} has no tuple {:?}", safe_text(id));
            self.faults.missing(&join(place, "tuple"), message, CHOOSE);
        }
    }

    fn select(&mut self, value: &Value<'_>) -> Option<Vec<Select>> {
        let items = self.faults.list(value, "select", limits::OUTPUT_TUPLES)?;
        let mut chosen = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let place = format!("select[{at}]");
            self.faults.known(item, &place, SELECT_MEMBERS);
            let text = |name| item.get(name).and_then(Value::as_str);
            let (Some(etag), Some(tuple)) = (text("etag"), text("tuple")) else {
                self.faults.fault(&place, "needs etag and tuple, both strings", "copy them from the input");
                continue;
            };
            self.look_up(&place, etag, Some(tuple));
            let priority_milli = match item.get("priority_milli") {
                None => None,
                Some(value) => {
                    let milli = value.as_int().filter(|milli| (0..=limits::PRIORITY_MILLI).contains(milli));
                    if milli.is_none() {
                        self.faults.fault(
                            &format!("{place}.priority_milli"),
                            &format!("is not an integer from 0 to {}", limits::PRIORITY_MILLI),
                            "a priority of 0.9 is 900",
                        );
                    }
                    milli.and_then(|milli| u16::try_from(milli).ok())
                }
            };
            let basic = self.faults.basic(item, &place);
            chosen.push(Select { etag: etag.to_owned(), tuple: tuple.to_owned(), priority_milli, basic });
        }
        Some(chosen)
    }

    fn set(&mut self, value: &Value<'_>) -> Set {
        if !matches!(value, Value::Object(_)) {
            self.faults.fault("set", &format!("is {} and no object", value.kind()), "write an object");
            return Set::default();
        }
        self.faults.known(value, "set", SET_MEMBERS);
        Set {
            basic: self.faults.basic(value, "set"),
            activities: self.faults.tokens(value, "activities", &ACTIVITY),
            mood: self.faults.tokens(value, "mood", &MOOD),
            place: self.faults.tokens(value, "place", &PLACE),
            note: self.notes(value),
        }
    }

    fn notes(&mut self, value: &Value<'_>) -> Option<Vec<NoteText>> {
        let before = self.faults.findings.len();
        let items = self.faults.list(value, "note", limits::OUTPUT_NOTES);
        self.faults.place_faults_under("set", before);
        let mut notes = Vec::new();
        for (at, item) in items?.iter().enumerate() {
            let place = format!("set.note[{at}]");
            self.faults.known(item, &place, NOTE_MEMBERS);
            let Some(text) = item.get("text").and_then(Value::as_str) else {
                self.faults.fault(&place, "needs text, a string", "write {\"lang\":\"en\",\"text\":\"..\"}");
                continue;
            };
            if text.chars().count() > limits::NOTE_CHARS {
                let message = format!("has more than {} characters", limits::NOTE_CHARS);
                self.faults.fault(&place, &message, "shorten it");
                continue;
            }
            let lang = match item.get("lang") {
                None | Some(Value::Null) => None,
                Some(lang) => {
                    let tag = lang.as_str().filter(|tag| is_language(tag));
                    if tag.is_none() {
                        self.faults.fault(&format!("{place}.lang"), "is not a language tag", "en, nl, pt-BR");
                    }
                    tag.map(ToOwned::to_owned)
                }
            };
            notes.push(NoteText { lang, text: safe_text(text) });
        }
        Some(notes)
    }

    fn drop(&mut self, value: &Value<'_>) -> Vec<Drop> {
        let mut dropped = Vec::new();
        let items = self.faults.list(value, "drop", limits::OUTPUT_DROPS);
        for (at, item) in items.unwrap_or_default().iter().enumerate() {
            let place = format!("drop[{at}]");
            let word = item.as_str().unwrap_or_default();
            let parsed = match word {
                "geo" => Some(Drop::Geo),
                "note" => Some(Drop::Notes),
                "devices" => Some(Drop::Devices),
                "person" => Some(Drop::Person),
                "activities" => Some(Drop::Field("activities")),
                "mood" => Some(Drop::Field("mood")),
                "place" => Some(Drop::Field("place-type")),
                "sphere" => Some(Drop::Field("sphere")),
                _ => match word.split_once(':') {
                    Some(("note", etag)) => {
                        self.look_up(&place, etag, None);
                        Some(Drop::NotesOf(etag.to_owned()))
                    }
                    Some(("tuple", what)) => what.split_once('/').map(|(etag, id)| {
                        self.look_up(&place, etag, Some(id));
                        Drop::Tuple(etag.to_owned(), id.to_owned())
                    }),
                    _ => None,
                },
            };
            match parsed {
                Some(parsed) => dropped.push(parsed),
                None => self.faults.fault(
                    &place,
                    "is not something that can be dropped",
                    "geo, note, note:ETAG, tuple:ETAG/ID, devices, person, activities, mood, place, sphere",
                ),
            }
        }
        dropped
    }

    fn reevaluate_at(&mut self, value: &Value<'_>) -> Option<Millis> {
        let member = value.get("reevaluate_at_ms").filter(|member| !member.is_null())?;
        let now = self.call.now().0;
        let earliest = now.saturating_add(limits::REEVALUATE_MIN_MS);
        let latest = now.saturating_add(limits::REEVALUATE_MAX_MS);
        let at = member.as_int().filter(|at| (earliest..=latest).contains(at));
        if at.is_none() {
            self.faults.fault(
                "reevaluate_at_ms",
                &format!("is not an integer from {earliest} to {latest} (now + 1 s to now + 24 h)"),
                "add to now_ms",
            );
        }
        at.map(Millis)
    }
}
