//! Explanations: which device, which rule, what was beaten, in a sentence.

use merge_core::compose::{Composition, compose};
use merge_core::explain::Rule;
use merge_core::live::{Dialog, LiveSet};

use crate::published::{NOW, document, four_phones, minutes, publication, set};

fn sentence(set: &LiveSet, how: Composition, path: &str) -> String {
    let explanation = compose(set, NOW, how).explain();
    explanation.get(path).unwrap_or_else(|| panic!("{path} in {explanation:#?}")).reason.clone()
}

fn desk_and_laptop() -> LiveSet {
    let says = |inside: &str| document(&format!("<dm:person id=\"p\">{inside}</dm:person>"));
    let phone = "<rpid:activities><rpid:on-the-phone/></rpid:activities>";
    let plain = "<rpid:activities><a:available xmlns:a=\"urn:example:a\"/></rpid:activities>";
    let mut list = vec![
        publication("desk", minutes(-6), &says(phone)),
        publication("laptop", minutes(-12), &says(plain)),
    ];
    list[0].device.label = Some("Desk phone".into());
    set(list)
}

#[test]
fn the_sentence_is_as_the_page_promises() {
    assert_eq!(
        sentence(&desk_and_laptop(), Composition::Compose, "person/activities"),
        "on the phone, from Desk phone 12:04, beats 'available' from Laptop 11:58 (newest explicit activity)"
    );
}

#[test]
fn each_rule_gives_its_name() {
    let says = |inside: &str| document(&format!("<dm:person id=\"p\">{inside}</dm:person>"));
    let mood = |word: &str, more: &str| says(&format!("<rpid:mood><rpid:{word}/></rpid:mood>{more}"));
    let idle = "<rpid:user-input>idle</rpid:user-input>";
    let check = |a: &str, b: &str, how: Composition, expect: &str| {
        let set = set(vec![publication("a", minutes(-2), a), publication("b", minutes(-1), b)]);
        assert_eq!(sentence(&set, how, "person/mood"), expect);
    };
    check(&mood("happy", ""), &document(""), Composition::Compose, "happy, from A 12:08 (the only source)");
    check(&mood("happy", ""), &mood("happy", ""), Composition::Compose, "happy, from B 12:09 (all agree)");
    check(
        &mood("happy", ""),
        &mood("sad", ""),
        Composition::Compose,
        "sad, from B 12:09, beats 'happy' from A 12:08 (newest)",
    );
    check(
        &mood("happy", ""),
        &mood("sad", idle),
        Composition::Compose,
        "happy, from A 12:08, beats 'sad' from B 12:09 (an idle device yields)",
    );
    check(&document(""), &mood("sad", ""), Composition::Newest, "sad, from B 12:09 (the only source)");
}

#[test]
fn a_call_and_a_ghost_are_named() {
    let mut set = desk_and_laptop();
    set.dialogs.push(Dialog {
        id: "d-1".into(),
        state: "confirmed".into(),
        direction: "initiator".into(),
        since: minutes(-1),
        device: Some("Laptop".into()),
    });
    set.publications[0] = publication("desk", minutes(-6), &document("<note>x</note>"));
    let mut ghost = set.publications[0].clone();
    ghost.etag = "e-ghost".into();
    ghost.received = minutes(-60);
    set.publications.push(ghost);
    assert_eq!(
        sentence(&set, Composition::Compose, "person/activities"),
        "on the phone, from Laptop 12:09, beats 'available' from Laptop 11:58 (a call is going on)"
    );
    assert_eq!(
        sentence(&set, Composition::Compose, "publication/e-ghost"),
        "Desk of 11:10 is superseded by the same device's publication of 12:04 (one device speaks once)"
    );
}

#[test]
fn another_day_is_said() {
    let mut set = desk_and_laptop();
    set.publications[1].received = minutes(-60 * 24);
    assert!(sentence(&set, Composition::Compose, "person/activities").contains("Laptop 2026-11-20 12:10"));
}

#[test]
fn every_element_and_field_of_the_four_phones_is_explained() {
    for how in Composition::ALL {
        let set = set(four_phones());
        let composed = compose(&set, NOW, how);
        let explanation = composed.explain();
        let document = merge_core::model::Document::read(&composed.write_pidf()).unwrap();
        let has = |path: String| assert!(explanation.get(&path).is_some(), "{path} of {}", how.as_str());
        for tuple in document.tuples() {
            has(format!("tuple/{}/basic", tuple.id()));
            tuple.fields().for_each(|field| has(format!("tuple/{}/{}", tuple.id(), field.local())));
            (0..tuple.notes().count()).for_each(|at| has(format!("tuple/{}/note[{at}]", tuple.id())));
        }
        for person in document.persons().take(1) {
            person.fields().for_each(|field| has(format!("person/{}", field.local())));
            (0..person.notes().count()).for_each(|at| has(format!("person/note[{at}]")));
        }
        for device in document.devices() {
            has(format!("device/{}/deviceID", device.id()));
            device.fields().for_each(|field| has(format!("device/{}/{}", device.id(), field.local())));
        }
        (0..document.notes().count()).for_each(|at| has(format!("note[{at}]")));
        (0..document.extensions().count()).for_each(|at| has(format!("extension[{at}]")));
        let text: String =
            explanation.entries.iter().map(|e| format!("{}: {}\n", e.path, e.reason)).collect();
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("explained-{}", how.as_str()), text);
        });
    }
}

#[test]
fn the_json_form_is_read_by_others_and_carries_the_machine_fields() {
    let set = desk_and_laptop();
    let explanation = compose(&set, NOW, Composition::Compose).explain();
    let json: serde_json::Value = serde_json::from_str(&explanation.write_json()).unwrap();
    let entry =
        json["entries"].as_array().unwrap().iter().find(|e| e["path"] == "person/activities").unwrap();
    assert_eq!(entry["etag"], "e-desk");
    assert_eq!(entry["device"], "desk");
    assert_eq!(entry["rule"], Rule::NewestExplicit.as_str());
    assert_eq!(entry["value"], "on-the-phone");
    assert_eq!(entry["beat"][0]["value"], "available");
    assert_eq!(entry["beat"][0]["etag"], "e-laptop");
}

#[test]
fn a_note_in_an_explanation_is_only_text() {
    let set = set(vec![publication("a", minutes(-1), &document("<note>x\u{202e}y&#10;z</note>"))]);
    assert_eq!(sentence(&set, Composition::Compose, "note[0]"), "xy z, from A 12:09 (the only source)");
}
