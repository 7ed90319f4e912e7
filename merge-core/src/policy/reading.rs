//! Reading what a policy answers: every word checked against the contract and the input.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Call;
use super::limits;
use super::output::{Base, Drop, Finding, NoteText, Output, OutputError, Select, Set};
use super::tokens::{is_activity, is_mood, is_place, safe_text};
use crate::compose;
use crate::json::{self, Member, Value};
use crate::live::Publication;
use crate::model::Basic;
use crate::time::Millis;

/// Reads an output as a policy that runs is read: unknown members are passed over.
///
/// # Errors
/// E202, E203 or E207 with all their findings, or the failure that the policy reports itself.
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
    let mut reading = Reading { call: known, findings: Vec::new(), unknown: Vec::new() };
    let output = reading.output(bytes)?;
    match reading.findings.first() {
        None => Ok(Output { unknown: reading.unknown, ..output }),
        Some(first) => Err(OutputError {
            code: first.code,
            place: first.place.clone(),
            message: first.message.clone(),
            findings: reading.findings,
        }),
    }
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
        Err(error) if error.findings.is_empty() => {
            alloc::vec![finding(error.code, error.place, error.message, "")]
        }
        Err(error) => error.findings,
    }
}

fn finding(code: &'static str, place: String, message: String, fix: &str) -> Finding {
    Finding { code, place, message, fix: fix.to_owned() }
}

const MEMBERS: &[&str] = &["abi", "base", "select", "set", "drop", "reevaluate_at_ms", "explain", "error"];
const SELECT_MEMBERS: &[&str] = &["etag", "tuple", "priority_milli", "basic"];
const SET_MEMBERS: &[&str] = &["basic", "activities", "mood", "place", "note"];
const NOTE_MEMBERS: &[&str] = &["lang", "text"];

struct Reading<'c> {
    call: &'c dyn Known,
    findings: Vec<Finding>,
    unknown: Vec<Finding>,
}

impl Reading<'_> {
    fn output(&mut self, bytes: &[u8]) -> Result<Output, OutputError> {
        let refuse = |code, place: &str, message: String, fix: &str| OutputError {
            code,
            place: place.to_owned(),
            message: message.clone(),
            findings: alloc::vec![finding(code, place.to_owned(), message, fix)],
        };
        if bytes.len() > limits::OUTPUT_BYTES {
            let message = format!("{} bytes, at most {} are taken", bytes.len(), limits::OUTPUT_BYTES);
            return Err(refuse("E207", "", message, "answer with less"));
        }
        let value = json::read(bytes).map_err(|error| {
            refuse(
                "E202",
                &format!("byte {}", error.offset),
                format!("not JSON as the contract has it: {error}"),
                "write integers only, each member once, UTF-8 without a byte order mark",
            )
        })?;
        let Value::Object(_) = &value else {
            let message = format!("{} where an object is wanted", value.kind());
            return Err(refuse("E207", "", message, "answer {\"abi\":1,..} or return 0 for no opinion"));
        };
        if let Some(error) = value.get("error") {
            let part = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
            let (code, message) = (safe_text(part("code")), safe_text(part("message")));
            return Err(OutputError {
                code: "error",
                place: code.chars().take(64).collect(),
                message: message.chars().take(limits::NOTE_CHARS).collect(),
                findings: Vec::new(),
            });
        }
        self.known(&value, "", MEMBERS);
        match value.get("abi").map(Value::as_int) {
            Some(Some(1)) => {}
            _ => self.fault("abi", "must be 1", "write \"abi\":1"),
        }
        let mut output = Output {
            base: match value.get("base").map(|base| base.as_str()) {
                None | Some(Some("builtin")) => Base::Builtin,
                Some(Some("empty")) => Base::Empty,
                Some(_) => {
                    self.fault("base", "is not one of builtin, empty", "leave it out for builtin");
                    Base::Builtin
                }
            },
            ..Output::default()
        };
        output.select = self.select(&value);
        if let Some(set) = value.get("set") {
            output.set = self.set(set);
        }
        output.drop = self.drop(&value);
        output.reevaluate_at = self.reevaluate_at(&value);
        for (at, line) in
            self.list(&value, "explain", limits::LOG_LINES).unwrap_or_default().iter().enumerate()
        {
            match line.as_str() {
                Some(line) => output.explain.push(safe_text(line).chars().take(limits::NOTE_CHARS).collect()),
                None => self.fault(&format!("explain[{at}]"), "is not a string", "explain in plain lines"),
            }
        }
        Ok(output)
    }

    fn fault(&mut self, place: &str, message: &str, fix: &str) {
        self.findings.push(finding("E207", place.to_owned(), message.to_owned(), fix));
    }

    fn missing(&mut self, place: &str, message: String) {
        let fix = "choose among the publications and tuples of the input";
        self.findings.push(finding("E203", place.to_owned(), message, fix));
    }

    /// E206 for each member that is not in `known`.
    fn known(&mut self, value: &Value<'_>, place: &str, known: &[&str]) {
        for Member { name, .. } in value.members() {
            if known.contains(&&**name) {
                continue;
            }
            let name = safe_text(name);
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            let fix = match nearest(&name, known) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known here are {}", known.join(", ")),
            };
            self.unknown.push(Finding {
                code: "E206",
                place,
                message: "is not a member of the contract".to_owned(),
                fix,
            });
        }
    }

    fn list<'v>(&mut self, value: &'v Value<'v>, name: &str, most: usize) -> Option<&'v [Value<'v>]> {
        let member = value.get(name)?;
        let Some(items) = member.as_array() else {
            self.fault(name, &format!("is {} and no array", member.kind()), "write an array");
            return None;
        };
        if items.len() > most {
            self.fault(
                name,
                &format!("has {} items, at most {most} are taken", items.len()),
                "keep the first",
            );
            return None;
        }
        Some(items)
    }

    /// Says where an etag or a tuple's id is not in the input.
    fn look_up(&mut self, place: &str, etag: &str, tuple: Option<&str>) {
        if !self.call.has_publication(etag) {
            let message = format!("no publication of the input has the etag {:?}", safe_text(etag));
            self.missing(&join(place, "etag"), message);
        } else if let Some(id) = tuple.filter(|id| !self.call.has_tuple(etag, id)) {
            let message = format!("publication {etag} has no tuple {:?}", safe_text(id));
            self.missing(&join(place, "tuple"), message);
        }
    }

    fn select(&mut self, value: &Value<'_>) -> Option<Vec<Select>> {
        let items = self.list(value, "select", limits::OUTPUT_TUPLES)?;
        let mut chosen = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let place = format!("select[{at}]");
            self.known(item, &place, SELECT_MEMBERS);
            let text = |name| item.get(name).and_then(Value::as_str);
            let (Some(etag), Some(tuple)) = (text("etag"), text("tuple")) else {
                self.fault(&place, "needs etag and tuple, both strings", "copy them from the input");
                continue;
            };
            self.look_up(&place, etag, Some(tuple));
            let priority_milli = match item.get("priority_milli") {
                None => None,
                Some(value) => {
                    let milli = value.as_int().filter(|milli| (0..=limits::PRIORITY_MILLI).contains(milli));
                    if milli.is_none() {
                        self.fault(
                            &format!("{place}.priority_milli"),
                            "is not an integer from 0 to 1000",
                            "a priority of 0.9 is 900",
                        );
                    }
                    milli.and_then(|milli| u16::try_from(milli).ok())
                }
            };
            let basic = self.basic(item, &place);
            chosen.push(Select { etag: etag.to_owned(), tuple: tuple.to_owned(), priority_milli, basic });
        }
        Some(chosen)
    }

    fn basic(&mut self, value: &Value<'_>, place: &str) -> Option<Basic> {
        let member = value.get("basic")?;
        let basic = member.as_str().and_then(Basic::of);
        if basic.is_none() {
            self.fault(
                &format!("{place}.basic"),
                "is not one of open, closed",
                "write \"open\" or \"closed\"",
            );
        }
        basic
    }

    fn set(&mut self, value: &Value<'_>) -> Set {
        if !matches!(value, Value::Object(_)) {
            self.fault("set", &format!("is {} and no object", value.kind()), "write an object");
            return Set::default();
        }
        self.known(value, "set", SET_MEMBERS);
        Set {
            basic: self.basic(value, "set"),
            activities: self.tokens(value, "activities", is_activity, "an RFC 4480 activity"),
            mood: self.tokens(value, "mood", is_mood, "an RFC 4480 mood"),
            place: self.tokens(value, "place", is_place, "an RFC 4589 place type"),
            note: self.notes(value),
        }
    }

    fn tokens(
        &mut self,
        value: &Value<'_>,
        name: &str,
        good: fn(&str) -> bool,
        wanted: &str,
    ) -> Option<Vec<String>> {
        let before = self.findings.len();
        let items = self.list(value, name, limits::OUTPUT_ACTIVITIES);
        self.place_faults_under("set", before);
        let mut tokens: Vec<String> = Vec::new();
        for (at, item) in items?.iter().enumerate() {
            match item.as_str().filter(|token| good(token)) {
                Some(token) if tokens.iter().any(|other| other == token) => {}
                Some(token) => tokens.push(token.to_owned()),
                None => {
                    let what = item.as_str().map_or_else(
                        || item.kind().to_owned(),
                        |text| {
                            let text: String = safe_text(text).chars().take(64).collect();
                            format!("{text:?}")
                        },
                    );
                    self.fault(
                        &format!("set.{name}[{at}]"),
                        &format!("{what} is not {wanted} or an x- token of at most 32 characters"),
                        "lower case, as the RFC writes it",
                    );
                }
            }
        }
        Some(tokens)
    }

    fn notes(&mut self, value: &Value<'_>) -> Option<Vec<NoteText>> {
        let before = self.findings.len();
        let items = self.list(value, "note", limits::OUTPUT_NOTES);
        self.place_faults_under("set", before);
        let mut notes = Vec::new();
        for (at, item) in items?.iter().enumerate() {
            let place = format!("set.note[{at}]");
            self.known(item, &place, NOTE_MEMBERS);
            let Some(text) = item.get("text").and_then(Value::as_str) else {
                self.fault(&place, "needs text, a string", "write {\"lang\":\"en\",\"text\":\"..\"}");
                continue;
            };
            if text.chars().count() > limits::NOTE_CHARS {
                self.fault(&place, "has more than 512 characters", "shorten it");
                continue;
            }
            let lang = match item.get("lang") {
                None | Some(Value::Null) => None,
                Some(lang) => {
                    let tag = lang.as_str().filter(|tag| is_language(tag));
                    if tag.is_none() {
                        self.fault(&format!("{place}.lang"), "is not a language tag", "en, nl, pt-BR");
                    }
                    tag.map(ToOwned::to_owned)
                }
            };
            notes.push(NoteText { lang, text: safe_text(text) });
        }
        Some(notes)
    }

    fn place_faults_under(&mut self, parent: &str, from: usize) {
        for finding in self.findings.iter_mut().skip(from) {
            finding.place = join(parent, &finding.place);
        }
    }

    fn drop(&mut self, value: &Value<'_>) -> Vec<Drop> {
        let most = limits::OUTPUT_TUPLES * 4;
        let mut dropped = Vec::new();
        for (at, item) in self.list(value, "drop", most).unwrap_or_default().iter().enumerate() {
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
                None => self.fault(
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
            self.fault(
                "reevaluate_at_ms",
                &format!("is not an integer from {earliest} to {latest} (now + 1 s to now + 24 h)"),
                "add to now_ms",
            );
        }
        at.map(Millis)
    }
}

fn join(place: &str, member: &str) -> String {
    if place.is_empty() { member.to_owned() } else { format!("{place}.{member}") }
}

/// A language tag, loosely (RFC 5646 section 2.1): a first subtag of letters and others of letters and digits,
/// each of 1 to 8.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    tag.len() <= 35
        && parts.next().is_some_and(|primary| primary.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|part| part.bytes().all(|b| b.is_ascii_alphanumeric()))
        && tag.split('-').all(|part| (1..=8).contains(&part.len()))
}

/// The known name that is at most two edits away.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    if name.len() > 64 {
        return None;
    }
    let far = |other: &str| {
        let other: Vec<char> = other.chars().collect();
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (i, a) in name.chars().enumerate() {
            let mut diagonal = row[0];
            row[0] = i + 1;
            for (j, b) in other.iter().enumerate() {
                let substituted = diagonal + usize::from(a != *b);
                diagonal = row[j + 1];
                row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
            }
        }
        row[other.len()]
    };
    known
        .iter()
        .map(|other| (far(other), *other))
        .filter(|(edits, _)| *edits <= 2)
        .min()
        .map(|(_, other)| other)
}
