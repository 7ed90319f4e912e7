//! What is wrong with an output, collected as it is read: the part that is the same for every hook.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::limits;
use super::output::{Finding, OutputError};
use super::text::safe_text;
use crate::json::{self, Member, Value};
use crate::model::Basic;
use crate::tokens::{ACTIVITIES, MOODS, TOKEN_CHARS, is_activity, is_mood, is_place};

/// The characters that are told of a policy's own code for a failure.
const OWN_CODE_CHARS: usize = 64;

/// Words that are named to whoever wrote one that is none of them.
const WORDS_TOLD: usize = 30;

/// Words of one kind that a policy may use.
pub(super) struct Vocabulary {
    /// Whether a word is one of them.
    pub(super) has: fn(&str) -> bool,
    /// Those that can be listed.
    pub(super) words: &'static [&'static str],
    /// What each of them is, but for its length.
    pub(super) is: &'static str,
}

pub(super) const ACTIVITY: Vocabulary =
    Vocabulary { has: is_activity, words: ACTIVITIES, is: "an RFC 4480 activity or an x- token" };

pub(super) const MOOD: Vocabulary =
    Vocabulary { has: is_mood, words: MOODS, is: "an RFC 4480 mood or an x- token" };

pub(super) const PLACE: Vocabulary = Vocabulary {
    has: is_place,
    words: &[],
    is: "a place as RFC 4589 writes it, in lower-case words with hyphens,",
};

/// The findings of one output.
#[derive(Default)]
pub(super) struct Faults {
    /// What makes it unusable, in the order of the output's members.
    pub(super) findings: Vec<Finding>,
    /// Members that the contract does not know (E206).
    pub(super) unknown: Vec<Finding>,
}

/// A finding that stands for itself.
pub(super) fn finding(code: &'static str, place: String, message: String, fix: &str) -> Finding {
    Finding { code, place, message, fix: fix.to_owned() }
}

/// An output as JSON: an object within the limits that is not the policy's own word for a failure.
pub(super) fn object(bytes: &[u8]) -> Result<Value<'_>, OutputError> {
    let refuse = |code, place: &str, message: String, fix: &str| OutputError {
        code,
        place: place.to_owned(),
        message: message.clone(),
        findings: alloc::vec![finding(code, place.to_owned(), message, fix)],
    };
    if bytes.len() > limits::OUTPUT_BYTES {
        let message = format!("{} bytes, at most {} are taken", bytes.len(), limits::OUTPUT_BYTES);
        return Err(refuse("E208", "", message, "answer with less"));
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
        let code: String = code.chars().take(OWN_CODE_CHARS).collect();
        let message = message.chars().take(limits::NOTE_CHARS).collect();
        return Err(refuse("E209", &code, message, "mend the policy there: the words are its own"));
    }
    Ok(value)
}

impl Faults {
    /// `output` with the unknown members, unless something makes it unusable.
    pub(super) fn end<T>(self, output: T) -> Result<(T, Vec<Finding>), OutputError> {
        match self.findings.first() {
            None => Ok((output, self.unknown)),
            Some(first) => Err(OutputError {
                code: first.code,
                place: first.place.clone(),
                message: first.message.clone(),
                findings: self.findings,
            }),
        }
    }

    /// E207.
    pub(super) fn fault(&mut self, place: &str, message: &str, fix: &str) {
        self.findings.push(finding("E207", place.to_owned(), message.to_owned(), fix));
    }

    /// E203.
    pub(super) fn missing(&mut self, place: &str, message: String, fix: &str) {
        self.findings.push(finding("E203", place.to_owned(), message, fix));
    }

    /// `abi` must be there, and 1.
    pub(super) fn abi(&mut self, value: &Value<'_>) {
        if value.get("abi").and_then(Value::as_int) != Some(1) {
            self.fault("abi", "must be 1", "write \"abi\":1");
        }
    }

    /// E206 for each member that is not in `known`.
    pub(super) fn known(&mut self, value: &Value<'_>, place: &str, known: &[&str]) {
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

    /// The items of a list that may be left out.
    pub(super) fn list<'v>(
        &mut self,
        value: &'v Value<'v>,
        name: &str,
        most: usize,
    ) -> Option<&'v [Value<'v>]> {
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

    /// `open` or `closed`, where something is said.
    pub(super) fn basic(&mut self, value: &Value<'_>, place: &str) -> Option<Basic> {
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

    /// A list of tokens under `set`, each once.
    pub(super) fn tokens(
        &mut self,
        value: &Value<'_>,
        name: &str,
        vocabulary: &Vocabulary,
    ) -> Option<Vec<String>> {
        let before = self.findings.len();
        let items = self.list(value, name, limits::OUTPUT_ACTIVITIES);
        self.place_faults_under("set", before);
        let mut tokens: Vec<String> = Vec::new();
        for (at, item) in items?.iter().enumerate() {
            match item.as_str().filter(|token| (vocabulary.has)(token)) {
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
                        &format!("{what} is not {} of at most {} characters", vocabulary.is, TOKEN_CHARS),
                        &instead(item.as_str().unwrap_or_default(), vocabulary),
                    );
                }
            }
        }
        Some(tokens)
    }

    /// Puts `parent.` before the places of the findings from the one with this number on.
    pub(super) fn place_faults_under(&mut self, parent: &str, from: usize) {
        for finding in self.findings.iter_mut().skip(from) {
            finding.place = join(parent, &finding.place);
        }
    }

    /// The lines of `explain`, cleaned.
    pub(super) fn explain(&mut self, value: &Value<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, line) in
            self.list(value, "explain", limits::OUTPUT_EXPLAIN).unwrap_or_default().iter().enumerate()
        {
            match line.as_str() {
                Some(line) => lines.push(safe_text(line).chars().take(limits::NOTE_CHARS).collect()),
                None => self.fault(&format!("explain[{at}]"), "is not a string", "explain in plain lines"),
            }
        }
        lines
    }
}

pub(super) fn join(place: &str, member: &str) -> String {
    if place.is_empty() { member.to_owned() } else { format!("{place}.{member}") }
}

/// What to write in the place of a word that is none.
fn instead(word: &str, vocabulary: &Vocabulary) -> String {
    match (nearest(word, vocabulary.words), vocabulary.words.len()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, 1..=WORDS_TOLD) => format!("take one of {}", vocabulary.words.join(", ")),
        _ => "write it in lower case, as the RFC does".to_owned(),
    }
}

/// The known name that is at most two edits away.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_a_word_that_is_none_is_told_the_nearest_or_all() {
        let check = |word: &str, vocabulary: &Vocabulary, expect: &str| {
            let said = instead(word, vocabulary);
            assert!(said.contains(expect), "{word}: {said}");
        };
        check("bussy", &ACTIVITY, "did you mean busy?");
        check("on_the_phone", &ACTIVITY, "did you mean on-the-phone?");
        check("lunching", &ACTIVITY, "take one of appointment, away, ");
        check("lunching", &ACTIVITY, ", meal, ");
        check("hapy", &MOOD, "did you mean happy?");
        check("Contemplative", &MOOD, "lower case");
        check("Office", &PLACE, "lower case");
    }
}
