//! What documents say, and which are refused.

use merge_core::model::{Activity, Basic, Document, Note, ReadErrorKind};
use merge_core::time::Millis;
use merge_core::xml::{Element, Limits, Namespace};

use crate::fixtures;

#[track_caller]
fn read(text: &str) -> Document {
    Document::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn fixture(name: &str) -> Document {
    read(fixtures::ALL.iter().find(|(each, _)| *each == name).expect("a fixture of that name").1)
}

fn tokens<'a>(values: impl Iterator<Item = Activity<'a>>) -> Vec<&'a str> {
    values.map(|value| value.token).collect()
}

fn notes<'a>(notes: impl Iterator<Item = Note<'a>>) -> Vec<(Option<String>, String)> {
    notes.map(|note| (note.lang().map(|l| l.into_owned()), note.text().into_owned())).collect()
}

fn note(lang: &str, text: &str) -> (Option<String>, String) {
    ((!lang.is_empty()).then(|| lang.to_owned()), text.to_owned())
}

fn locals<'a>(elements: impl Iterator<Item = Element<'a>>) -> Vec<&'a str> {
    elements.map(Element::local).collect()
}

#[track_caller]
fn at(text: &str) -> Option<Millis> {
    Some(Millis::parse_rfc3339(text).expect("a date and time"))
}

#[test]
fn every_fixture_is_read_by_name_and_by_count() {
    let counts = |name: &str| {
        let document = fixture(name);
        let entity = document.entity().map(|e| e.as_str().to_owned()).unwrap_or_default();
        (
            entity,
            document.tuples().count(),
            document.persons().count(),
            document.devices().count(),
            document.notes().count(),
            document.extensions().count(),
        )
    };
    let alice = "sip:alice@example.com".to_owned();
    let someone = "sip:someone@example.com".to_owned();
    assert_eq!(counts("x-lite"), (alice.clone(), 1, 1, 0, 0, 0));
    assert_eq!(counts("jitsi"), (alice.clone(), 1, 1, 0, 0, 0));
    assert_eq!(counts("snom"), (alice.clone(), 1, 0, 0, 0, 0));
    assert_eq!(counts("microsip"), (alice.clone(), 1, 1, 0, 0, 0));
    assert_eq!(counts("linphone"), (alice.clone(), 1, 1, 0, 0, 0));
    assert_eq!(counts("baresip"), (alice.clone(), 1, 1, 0, 0, 0));
    assert_eq!(counts("desk-phone"), (alice, 1, 1, 1, 0, 0));
    assert_eq!(counts("rfc3863-prefixed"), (someone.clone(), 1, 0, 0, 0, 0));
    assert_eq!(counts("rfc3863-notes-and-times"), (someone.clone(), 2, 0, 0, 1, 0));
    assert_eq!(counts("rfc3863-tuple-extension"), (someone.clone(), 2, 0, 0, 0, 1));
    assert_eq!(counts("rfc3863-must-understand"), (someone.clone(), 1, 0, 0, 0, 1));
    assert_eq!(counts("rfc4479-data-model"), (String::new(), 1, 1, 1, 0, 0));
    assert_eq!(counts("rfc4480-rpid"), (someone.clone(), 3, 1, 1, 1, 0));
    assert_eq!(counts("rfc4481-timed-status"), (someone.clone(), 1, 0, 0, 1, 0));
    assert_eq!(counts("rfc4482-cipid"), (someone.clone(), 2, 1, 0, 0, 0));
    assert_eq!(counts("rfc5196-caps"), (someone.clone(), 1, 0, 1, 0, 0));
    assert_eq!(counts("rfc4827-hard-state"), (someone, 2, 1, 0, 0, 0));
}

#[test]
fn a_tuple_gives_each_of_its_values() {
    let document = fixture("all-values");
    let tuple = document.tuples().next().expect("a tuple");
    assert_eq!(tuple.id(), "t1");
    assert_eq!(tuple.basic(), Some(Basic::Open));
    let contact = tuple.contact().expect("a contact");
    assert_eq!((&*contact.uri(), contact.priority_milli()), ("sip:alice@example.com", Some(125)));
    assert_eq!(tuple.timestamp(), at("2026-11-21T04:00:00Z"));
    assert_eq!(tuple.device_id().as_deref(), Some("urn:device:1"));
    assert_eq!(notes(tuple.notes()), [note("en", "At <home> & happy"), note("nl", "Thuis")]);
    let rpid = tuple.rpid();
    assert_eq!(rpid.class().as_deref(), Some("business"));
    assert_eq!(tokens(rpid.privacy().expect("privacy").values()), ["audio", "video"]);
    let relationship = rpid.relationship().expect("relationship");
    assert_eq!(tokens(relationship.values()), ["assistant"]);
    assert_eq!(notes(relationship.notes()), [note("", "my right hand")]);
    assert_eq!(tokens(rpid.service_class().expect("service class").values()), ["electronic"]);
    assert_eq!(rpid.status_icon().as_deref(), Some("http://example.com/t.png"));
    let input = tuple.user_input().expect("user input");
    assert!(input.is_idle());
    assert_eq!((input.idle_threshold(), input.last_input()), (Some(600), at("2026-11-21T04:00:00.25Z")));
    let timed = tuple.timed_status().next().expect("a timed status");
    assert_eq!(timed.basic(), Some(Basic::Closed));
    assert_eq!((timed.from(), timed.until()), (at("2026-11-22T00:00:00Z"), at("2026-11-22T23:00:00Z")));
    assert_eq!(notes(timed.note().into_iter()), [note("en", "away")]);
    assert_eq!(locals(timed.fields()), ["why"]);
    let caps = tuple.caps().expect("capabilities");
    assert_eq!(
        (caps.flag("audio"), caps.flag("video"), caps.flag("message")),
        (Some(true), Some(false), None)
    );
    assert_eq!(locals(caps.supported("methods")), ["INVITE", "MESSAGE"]);
    assert_eq!(locals(caps.not_supported("methods")), ["REFER"]);
    assert_eq!(notes(caps.descriptions()), [note("en", "Example service")]);
    assert_eq!(locals(tuple.status_fields()), ["colour"]);
    assert_eq!(
        locals(tuple.fields()),
        [
            "deviceID",
            "class",
            "privacy",
            "relationship",
            "service-class",
            "status-icon",
            "user-input",
            "timed-status",
            "servcaps"
        ]
    );
}

#[test]
fn a_person_and_a_device_give_each_of_their_values() {
    let document = fixture("all-values");
    let person = document.persons().next().expect("a person");
    assert_eq!((&*person.id(), person.timestamp()), ("p1", at("2026-11-21T04:00:00Z")));
    assert_eq!(notes(person.notes()), [note("", "Person")]);
    let activities = person.activities().expect("activities");
    assert_eq!(tokens(activities.values()), ["meeting", "other", "yodelling"]);
    assert_eq!(activities.values().nth(1).and_then(|v| v.text).as_deref(), Some("chess"));
    assert_eq!((activities.has("meeting"), activities.has("yodelling")), (true, false));
    assert_eq!((activities.from(), activities.until()), (at("2026-11-21T00:00:00Z"), None));
    assert_eq!(notes(activities.notes()), [note("", "first")]);
    let rpid = person.rpid();
    assert_eq!(tokens(person.mood().expect("mood").values()), ["in_love"]);
    let place = rpid.place_is().expect("place-is");
    assert_eq!((place.of("audio"), place.of("video"), place.of("text")), (Some("noisy"), Some("dark"), None));
    let place = rpid.place_type().expect("place-type");
    let office = place.values().next().expect("a value").element;
    assert!(office.is(Namespace::Other("urn:ietf:params:xml:ns:location-type"), "office"));
    assert_eq!(tokens(rpid.sphere().expect("sphere").values()), ["work"]);
    assert_eq!(rpid.time_offset(), Some(60));
    assert!(!person.user_input().expect("user input").is_idle());
    let cipid = person.cipid();
    assert_eq!(cipid.card().as_deref(), Some("http://example.com/card"));
    assert_eq!(cipid.display_name().as_deref(), Some("Alice Ädams"));
    assert_eq!(cipid.homepage().as_deref(), Some("http://example.com/home"));
    assert_eq!(cipid.icon().as_deref(), Some("http://example.com/icon"));
    assert_eq!(cipid.map().as_deref(), Some("http://example.com/map"));
    assert_eq!(cipid.sound().as_deref(), Some("http://example.com/sound"));
    let device = document.devices().next().expect("a device");
    assert_eq!((&*device.id(), &*device.device_id()), ("d1", "urn:device:1"));
    assert_eq!(device.timestamp(), at("2026-11-21T04:00:01Z"));
    assert_eq!(locals(device.caps().expect("capabilities").supported("mobility")), ["mobile"]);
    assert_eq!(locals(device.fields()), ["devcaps", "user-input"]);
}

#[test]
fn names_count_not_prefixes() {
    let document = fixture("linphone");
    let person = document.persons().next().expect("a person by its default namespace");
    assert_eq!(tokens(person.activities().expect("activities").values()), ["meal"]);
    let text = r#"<rpid:presence xmlns:rpid="urn:ietf:params:xml:ns:pidf" xmlns="urn:ietf:params:xml:ns:pidf:rpid"
        xmlns:tuple="urn:x" entity="sip:a@b"><rpid:tuple id="a"><activities><busy/></activities></rpid:tuple>
        <tuple id="b"/><tuple:tuple id="c"/></rpid:presence>"#;
    let document = read(text);
    let ids: Vec<_> = document.tuples().map(|tuple| tuple.id().into_owned()).collect();
    assert_eq!(ids, ["a"]);
    assert_eq!(document.extensions().count(), 2);
    assert!(document.tuples().next().and_then(|t| t.activities()).is_some_and(|a| a.has("busy")));
}

#[test]
fn priorities_are_read_in_thousandths() {
    let check = |priority: &str, expect: Option<u16>| {
        let document = read(&format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:a@b'><tuple id='t'>\
             <contact priority='{priority}'>sip:a@b</contact></tuple></presence>"
        ));
        let contact = document.tuples().next().and_then(|t| t.contact()).expect("a contact");
        assert_eq!(contact.priority_milli(), expect, "{priority}");
    };
    check("0", Some(0));
    check("0.", Some(0));
    check("0.8", Some(800));
    check("0.65", Some(650));
    check("0.725", Some(725));
    check(" 1.000 ", Some(1000));
    check("1", Some(1000));
    for bad in ["", "1.001", "2", "0.1234", "-0.1", ".5", "0,5", "high", "00", "0.+1"] {
        check(bad, None);
    }
}

#[test]
fn a_language_is_inherited() {
    let document = read(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:a@b' xml:lang='de'><note>Guten Tag</note>\
         <note xml:lang='en'>Hello</note></presence>",
    );
    assert_eq!(notes(document.notes()), [note("de", "Guten Tag"), note("en", "Hello")]);
}

const PIDF: &str = "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' entity='sip:a@b'>";

#[test]
fn what_clients_get_wrong_without_harm_is_read() {
    for inside in [
        "",
        "<tuple/>",
        "<tuple id=''/>",
        "<tuple id='1 2'><status/></tuple>",
        "<tuple id='a'/><tuple id='a'/><d:person id='a'/>",
        "<note>x</note><tuple id='a'/>",
        "<tuple id='a'><timestamp>soon</timestamp><status><basic> open\n</basic></status></tuple>",
        "<d:person><d:note>x</d:note></d:person>",
        "<d:device id='d'/>",
        "<x xmlns=''/>",
    ] {
        read(&format!("{PIDF}{inside}</presence>"));
    }
    assert_eq!(read("<presence xmlns='urn:ietf:params:xml:ns:pidf'/>").entity(), None);
}

#[track_caller]
fn refuse(text: &str, kind: &ReadErrorKind, status: u16, word: &str) {
    let error = Document::read(text.as_bytes()).expect_err(text);
    assert_eq!((&error.kind, error.status()), (kind, status), "{text}: {error}");
    assert!(error.message.contains(word), "{text}: {error} does not say {word:?}");
    assert!(error.message.starts_with("line "), "{error} has no place");
}

#[test]
fn what_is_no_presence_document_is_refused_with_the_reason() {
    use ReadErrorKind::{Entity, Shape, WrongRoot};
    refuse("<presence entity='sip:a@b'/>", &WrongRoot, 400, "no namespace");
    refuse("<html/>", &WrongRoot, 400, "html");
    refuse("<tuple xmlns='urn:ietf:params:xml:ns:pidf'/>", &WrongRoot, 400, "tuple");
    refuse("<presence xmlns='urn:ietf:params:xml:ns:pidf:'/>", &WrongRoot, 400, "pidf:");
    let entity = |entity: &str| format!("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{entity}'/>");
    refuse(&entity(""), &Entity, 400, "empty");
    refuse(&entity("alice"), &Entity, 400, "scheme");
    refuse(&entity("sip:"), &Entity, 400, "host");
    refuse(&entity("sip:a b@c"), &Entity, 400, "character");
    let inside = |inside: &str| format!("{PIDF}\n {inside}</presence>");
    refuse(
        &inside("<tuple id='a'><status><basic>busy</basic></status></tuple>"),
        &Shape,
        400,
        "line 2, column 24: basic is",
    );
    refuse(&inside("<tuple id='a'><status><basic/></status></tuple>"), &Shape, 400, "open or closed");
    refuse(
        &inside("<tuple id='a'><status><away/></status></tuple>"),
        &Shape,
        400,
        "status has no element away",
    );
    refuse(&inside("<tuple id='a'><status/><status/></tuple>"), &Shape, 400, "status is given twice");
    refuse(&inside("<tuple id='a'><contact/><contact/></tuple>"), &Shape, 400, "contact is given twice");
    refuse(&inside("<tuple id='a'><busy/></tuple>"), &Shape, 400, "tuple has no element busy");
    refuse(&inside("<person id='a'/>"), &Shape, 400, "presence has no element person");
    refuse(&inside("<note>a <b/></note>"), &Shape, 400, "note holds text");
    refuse(&inside("<d:person id='a'><d:busy/></d:person>"), &Shape, 400, "person has no element busy");
    refuse(&inside("<d:person id='a'><d:deviceID>x</d:deviceID></d:person>"), &Shape, 400, "deviceID");
    refuse(&inside("<d:device id='a'><d:timestamp/><d:timestamp/></d:device>"), &Shape, 400, "given twice");
}

#[test]
fn a_fault_of_the_xml_decides_the_status() {
    let status = |bytes: &[u8]| Document::read(bytes).expect_err("it is refused").status();
    assert_eq!(status(b""), 400);
    assert_eq!(status(b"<presence>"), 400);
    assert_eq!(status(b"<!DOCTYPE x><x/>"), 400);
    assert_eq!(status(b"<?xml version='1.0' encoding='ISO-8859-1'?><x/>"), 415);
    assert_eq!(status(b"\xFF\xFE<\0"), 415);
    assert_eq!(status(&[b' '; 65_537]), 413);
    assert_eq!(
        Document::read_with(b"<a/>", &Limits { bytes: 3, ..Limits::DEFAULT })
            .expect_err("too large")
            .status(),
        413
    );
    assert_eq!(status(fixtures::MISPRINTED.as_bytes()), 400);
}

#[test]
fn the_warning_can_stand_between_quotes() {
    let document =
        format!("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='\u{e9}\\&quot;{}'/>", "x".repeat(300));
    let warning = Document::read(document.as_bytes()).expect_err("no URI").warning_text();
    assert!(warning.starts_with("line 1, column 1: the entity '??'xxx"), "{warning}");
    assert_eq!(warning.len(), 200);
    assert!(warning.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\'), "{warning}");
}
