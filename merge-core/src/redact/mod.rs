//! What policies were asked and answered, without what people have written in it: for records that somebody else
//! looks at.
//!
//! What rules go by stays: who the user is, entity-tags, ids, times, orders, statuses, activities and the other
//! tokens, whether there is a note, how long it is and which notes are equal, where devices are registered and which of
//! these places are the same. Texts become letters, positions zeros, and addresses are numbered:
//!
//! ```text
//!   {"lang":"en","text":"At the doctor's"}     {"lang":"en","text":"xxxxxxxxxxxxxxx"}
//!   "geo":{"lat_e6":52370216,...}              "geo":{"lat_e6":0,...}
//!   "contact":"sip:alice@10.1.2.3:5060"        "contact":"sip:contact-1@anonymous.invalid"
//! ```
//! Of a live set the same becomes of the published documents, in which nothing is left either of what is not presence's.
//! An input stays one that a policy can be called with, and a document one that can be compared. The operator's
//! parameters stay as they are: without them a recorded input would say nothing.

mod document;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::json::{self, JsonError, Value, Writer};

/// What texts become: all of the first one the first letter, all of the next other one the next.
const LETTERS: [char; 26] = [
    'x', 'y', 'z', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r',
    's', 't', 'u', 'v', 'w',
];

/// Schemes of addresses that are kept: they say what an address is good for.
const SCHEMES: [&str; 9] = ["sip", "sips", "tel", "pres", "im", "xmpp", "mailto", "http", "https"];

/// The spheres of RFC 4480; older clients write what they like there.
const SPHERES: [&str; 3] = ["home", "work", "unknown"];

/// The shortest text that is looked for in what a policy says of its reasons; what is shorter stands in every word.
const QUOTED_CHARS: usize = 3;

/// Members of an answer that are kept, however deep they stand; a policy may write others as it likes.
const ANSWER: [&str; 18] = [
    "abi",
    "base",
    "select",
    "etag",
    "tuple",
    "priority_milli",
    "basic",
    "set",
    "activities",
    "mood",
    "place",
    "note",
    "lang",
    "text",
    "drop",
    "reevaluate_at_ms",
    "explain",
    "level",
];

/// Takes out what is personal, the same in all that belongs together: equal texts and addresses stay equal, and
/// others stay others (texts up to 26 of them).
#[derive(Clone, Debug)]
pub struct Redactor {
    aor: String,
    texts: BTreeMap<String, Text>,
    addresses: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Text {
    number: usize,
    /// Whether a policy was told it, and may quote it.
    told: bool,
}

impl Redactor {
    /// For what belongs to one record of this user, `sip:alice@example.com`: whose that is, stays.
    #[must_use]
    pub fn new(aor: &str) -> Self {
        Self { aor: aor.to_owned(), texts: BTreeMap::new(), addresses: BTreeMap::new() }
    }

    /// An input of `pp_merge` or `pp_view`.
    ///
    /// # Errors
    /// It is no JSON of the strict grammar.
    pub fn input(&mut self, input: &[u8]) -> Result<String, JsonError> {
        let redacted = self.rewritten(input, None);
        self.texts.values_mut().for_each(|text| text.told = true);
        redacted
    }

    /// A presence document in its JSON form, after the input that it belongs to.
    ///
    /// # Errors
    /// It is no JSON of the strict grammar.
    pub fn document(&mut self, document: &[u8]) -> Result<String, JsonError> {
        self.rewritten(document, None)
    }

    /// An answer to the input, as far as a host has a use for it.
    ///
    /// # Errors
    /// It is no JSON of the strict grammar.
    pub fn answer(&mut self, answer: &[u8]) -> Result<String, JsonError> {
        self.rewritten(answer, Some(&ANSWER))
    }

    /// What a policy says of its reasons, or of its failure: texts and addresses of the input that it quotes are
    /// taken out.
    #[must_use]
    pub fn words(&self, text: &str) -> String {
        let mut known: Vec<(&String, String)> = (self.texts.iter())
            .filter(|(text, known)| known.told && text.chars().count() >= QUOTED_CHARS)
            .map(|(text, known)| (text, letters(text, known.number)))
            .chain(self.addresses.iter().map(|(address, number)| (address, numbered(address, *number))))
            .filter(|(quoted, _)| text.contains(quoted.as_str()))
            .collect();
        // What is part of another comes after it.
        known.sort_by_key(|(quoted, _)| core::cmp::Reverse(quoted.len()));
        known.into_iter().fold(text.to_owned(), |text, (quoted, instead)| text.replace(quoted, &instead))
    }

    fn rewritten(&mut self, json: &[u8], kept: Option<&[&str]>) -> Result<String, JsonError> {
        let value = json::read(json)?;
        let mut out = Writer::with_capacity(json.len());
        self.write("", &value, kept, &mut out);
        Ok(out.into_string())
    }

    /// Writes a value; `name` is that of the member that it is, or is in. No deeper than the reader goes.
    fn write(&mut self, name: &str, value: &Value<'_>, kept: Option<&[&str]>, out: &mut Writer) {
        match (name, value) {
            ("params", _) => out.value(value),
            ("text" | "note", Value::String(text)) => out.string(&self.text(text)),
            ("sphere", Value::String(text)) if !SPHERES.contains(&&**text) => out.string(&self.text(text)),
            ("explain" | "message", Value::String(text)) => out.string(&self.words(text)),
            ("contact", Value::String(address)) => out.string(&self.address(address)),
            ("device", Value::String(key)) => out.string(&self.device(key)),
            ("lat_e6" | "lon_e6", _) => out.int(0),
            (_, Value::Array(items)) => {
                out.begin_array();
                items.iter().for_each(|item| self.write(name, item, kept, out));
                out.end_array();
            }
            (_, Value::Object(members)) => {
                out.begin_object();
                for member in members {
                    if kept.is_none_or(|kept| kept.contains(&&*member.name)) {
                        self.write(&member.name, &member.value, kept, out.key(&member.name));
                    }
                }
                out.end_object();
            }
            _ => out.value(value),
        }
    }

    fn text(&mut self, text: &str) -> String {
        if text.trim().is_empty() {
            return text.to_owned();
        }
        let next = Text { number: self.texts.len(), told: false };
        letters(text, self.texts.entry(text.to_owned()).or_insert(next).number)
    }

    /// What has no better name is known by its address.
    fn device(&mut self, key: &str) -> String {
        if scheme(key).is_some() { self.address(key) } else { key.to_owned() }
    }

    fn address(&mut self, address: &str) -> String {
        let own = address.strip_prefix(self.aor.as_str());
        if address.is_empty() || own.is_some_and(|rest| rest.is_empty() || rest.starts_with(";gr=")) {
            return address.to_owned();
        }
        let next = self.addresses.len() + 1;
        numbered(address, *self.addresses.entry(address.to_owned()).or_insert(next))
    }
}

/// A text of the same length.
fn letters(text: &str, number: usize) -> String {
    let letter = LETTERS.get(number % LETTERS.len()).copied().unwrap_or('x');
    text.chars().map(|_| letter).collect()
}

fn numbered(address: &str, number: usize) -> String {
    match scheme(address) {
        Some("tel") => format!("tel:+{number}"),
        Some(scheme) => format!("{scheme}:contact-{number}@anonymous.invalid"),
        None => format!("contact-{number}"),
    }
}

fn scheme(address: &str) -> Option<&'static str> {
    let (scheme, _) = address.split_once(':')?;
    SCHEMES.into_iter().find(|known| known.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Document;
    use crate::presence_json;

    const AOR: &str = "sip:alice@example.com";

    #[test]
    fn what_rules_go_by_stays_and_what_people_wrote_does_not() {
        for (input, expect) in [
            (
                r#"{"note":[{"lang":"en","text":"Out"},{"text":"At home"},{"text":"Out"},{"text":" "}]}"#,
                r#"{"note":[{"lang":"en","text":"xxx"},{"text":"yyyyyyy"},{"text":"xxx"},{"text":" "}]}"#,
            ),
            (r#"{"geo":{"lat_e6":5,"lon_e6":-6,"acc_m":7}}"#, r#"{"geo":{"lat_e6":0,"lon_e6":0,"acc_m":7}}"#),
            (
                r#"{"t":[{"contact":"sip:alice@10.0.0.1"},{"contact":"TEL:+3112"},{"contact":"sip:alice@example.com"}]}"#,
                r#"{"t":[{"contact":"sip:contact-1@anonymous.invalid"},{"contact":"tel:+2"},{"contact":"sip:alice@example.com"}]}"#,
            ),
            (
                r#"{"contact":"sip:alice@example.com;gr=urn:uuid:1","device":"urn:uuid:1"}"#,
                r#"{"contact":"sip:alice@example.com;gr=urn:uuid:1","device":"urn:uuid:1"}"#,
            ),
            (
                r#"{"device":"sip:pc.home","registrations":[{"contact":"sip:pc.home"}]}"#,
                r#"{"device":"sip:contact-1@anonymous.invalid","registrations":[{"contact":"sip:contact-1@anonymous.invalid"}]}"#,
            ),
            (r#"{"a":{"sphere":"work"}}"#, r#"{"a":{"sphere":"work"}}"#),
            (r#"{"a":{"sphere":"at Bob's"}}"#, r#"{"a":{"sphere":"xxxxxxxx"}}"#),
            (r#"{"caps":{"text":true},"unknown_xml":2}"#, r#"{"caps":{"text":true},"unknown_xml":2}"#),
            (r#"{"params":{"note":"In a call"}}"#, r#"{"params":{"note":"In a call"}}"#),
        ] {
            assert_eq!(Redactor::new(AOR).input(input.as_bytes()).as_deref(), Ok(expect), "{input}");
        }
    }

    #[test]
    fn an_answer_keeps_what_a_host_uses_and_quotes_nothing_of_the_input() {
        let mut redactor = Redactor::new(AOR);
        let input = r#"{"note":[{"text":"Lunch with Eve"},{"text":"Eve"}],"contact":"sip:a@10.0.0.1"}"#;
        redactor.input(input.as_bytes()).unwrap();
        let answer = r#"{"abi":1,"set":{"note":[{"text":"Lunch with Eve"},{"text":"Soon"}],"params":"Eve"},
            "explain":["Lunch with Eve beats Eve of sip:a@10.0.0.1, so Soon"],"debug":"Eve"}"#;
        assert_eq!(
            redactor.answer(answer.as_bytes()).as_deref(),
            Ok("{\"abi\":1,\"set\":{\"note\":[{\"text\":\"xxxxxxxxxxxxxx\"},{\"text\":\"zzzz\"}]},\
                \"explain\":[\"xxxxxxxxxxxxxx beats yyy of sip:contact-1@anonymous.invalid, so Soon\"]}")
        );
        assert_eq!(redactor.words("no Eve here"), "no yyy here");
        assert!(redactor.answer(b"{").is_err());
    }

    #[test]
    fn a_document_keeps_its_parts_and_what_is_not_presences_is_left_empty() {
        let document = Document::read(
            b"<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
            xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' xmlns:e='urn:e' entity='sip:alice@example.com'>\
            <tuple id='t1'><status><basic>open</basic><e:s e:a='Eve'>Eve</e:s></status><r:user-input last-input='2026-11-21T12:00:00Z'>idle</r:user-input>\
            <contact priority='0.8'>sip:alice@10.0.0.1</contact><note xml:lang='en'>Eve</note></tuple>\
            <dm:person id='p'><r:activities><r:away/><r:other>Eve</r:other></r:activities><r:sphere>Eve</r:sphere>\
            <g:geopriv xmlns:g='urn:ietf:params:xml:ns:pidf:geopriv10'><g:pos>52.3 4.8</g:pos></g:geopriv></dm:person></presence>",
        )
        .unwrap();
        let mut redactor = Redactor::new(AOR);
        let redacted = Document::read(&redactor.pidf(&document)).unwrap();
        let (before, after) = (presence_json::write(&document), presence_json::write(&redacted));
        assert!(!redacted.source().contains("Eve"), "{}", redacted.source());
        assert_eq!(Redactor::new(AOR).document(before.as_bytes()).as_deref(), Ok(after.as_str()));
        assert!(
            after.contains("\"user_input\":\"idle\",\"idle_since_ms\"") && after.contains("\"lat_e6\":0"),
            "{after}"
        );
    }
}
