//! A policy's input, output and effect.

use merge_core::compose::{Basis, Composition, compose};
use merge_core::live::{Dialog, LiveSet, Registration};
use merge_core::model::Document;
use merge_core::policy::{
    Call, LocalTime, Output, Reason, apply, check_output, limits, read_output, write_input,
};
use proptest::prelude::*;

use crate::published::{NOW, document, four_phones, lines, minutes, publication, set};
use crate::xsd;

fn call<'a>(set: &'a LiveSet, params: &'a str) -> Call<'a> {
    Call {
        set,
        now: NOW,
        reason: Reason::Publish,
        changed_etag: Some("e-web"),
        params,
        local_time: Some(LocalTime {
            tz: "Europe/Amsterdam".into(),
            minutes: 790,
            weekday: 6,
            date: "2026-11-21".into(),
        }),
    }
}

fn full() -> LiveSet {
    let mut set = set(four_phones());
    set.presentity.tenant = "acme".into();
    set.presentity.groups = vec!["sales".into()];
    set.presentity.locale = Some("nl".into());
    set.registrations = vec![Registration {
        contact: "sip:alice@df7jal23ls0d.invalid;transport=ws".into(),
        instance: Some("urn:uuid:3e9a0c52-7d1b-4a06-8b7e-2f7c7a7f0b4d".into()),
        q_milli: 800,
        expires: minutes(10),
        user_agent: Some("JsSIP 3.10".into()),
        transport: "ws".into(),
    }];
    set.dialogs = vec![Dialog {
        id: "d-1".into(),
        state: "early".into(),
        direction: "recipient".into(),
        since: minutes(-1),
        device: Some("desk".into()),
    }];
    set
}

#[test]
fn the_input_is_as_the_contract_has_it_to_the_byte() {
    let set = full();
    let builtin = compose(&set, NOW, Composition::Compose);
    let input = write_input(&call(&set, " { \"hours\" : [ 540, 1020 ] } "), &builtin);
    let text = String::from_utf8(input.clone()).unwrap();
    assert!(input.len() <= limits::INPUT_BYTES);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("policy-input", text.replace("},{", "},\n{").replace(":[{", ":[\n{"));
    });
    // Equal states give equal bytes, in whatever order they are held.
    let mut other = set.clone();
    other.publications.reverse();
    let builtin = compose(&other, NOW, Composition::Compose);
    assert_eq!(write_input(&call(&other, "{\"hours\":[540,1020]}"), &builtin), input);
}

#[test]
fn params_that_are_no_object_count_as_none() {
    let set = full();
    let builtin = compose(&set, NOW, Composition::Compose);
    for params in ["", "[]", "{\"a\":1.5}", "{\"a\":1,\"a\":2}"] {
        let text = String::from_utf8(write_input(&call(&set, params), &builtin)).unwrap();
        assert!(text.ends_with("\"params\":{}}"), "{params}");
    }
}

#[test]
fn outputs_are_checked_word_by_word() {
    let set = full();
    let check = |output: &str, expect: &[&str]| {
        let found: Vec<String> = check_output(output.as_bytes(), &call(&set, "{}"))
            .iter()
            .map(|f| format!("{} {}", f.code, f.place))
            .collect();
        assert_eq!(found, expect, "{output}");
    };
    check(r#"{"abi":1}"#, &[]);
    check(r#"{"abi":1,"base":"empty","select":[],"set":{},"drop":[],"explain":["x"]}"#, &[]);
    check("", &["E202 byte 0"]);
    check(r#"{"abi":1,"abi":1}"#, &["E202 byte 9"]);
    check(r#"{"abi":1,"set":{"x":900.0}}"#, &["E202 byte 20"]);
    check("[]", &["E207 "]);
    check("{}", &["E207 abi"]);
    check(r#"{"abi":2,"base":"full"}"#, &["E207 abi", "E207 base"]);
    check(r#"{"abi":1,"select":[{"etag":"e-no","tuple":"t"}]}"#, &["E203 select[0].etag"]);
    check(r#"{"abi":1,"select":[{"etag":"e-web","tuple":"t"}]}"#, &["E203 select[0].tuple"]);
    check(r#"{"abi":1,"select":[{"etag":"e-web"}]}"#, &["E207 select[0]"]);
    check(
        r#"{"abi":1,"select":[{"etag":"e-web","tuple":"w1","priority_milli":1001,"basic":"shut"}]}"#,
        &["E207 select[0].priority_milli", "E207 select[0].basic"],
    );
    check(
        r#"{"abi":1,"set":{"activities":["on-the-phone","x-lunch","Busy",""]}}"#,
        &["E207 set.activities[2]", "E207 set.activities[3]"],
    );
    check(
        r#"{"abi":1,"set":{"activities":["a","a","a","a","a","a","a","a","a"]}}"#,
        &["E207 set.activities"],
    );
    check(
        r#"{"abi":1,"set":{"note":[{"text":"x","lang":"en"},{"text":"y","lang":"e n"},{}]}}"#,
        &["E207 set.note[1].lang", "E207 set.note[2]"],
    );
    check(&format!(r#"{{"abi":1,"set":{{"note":[{{"text":"{}"}}]}}}}"#, "é".repeat(512)), &[]);
    check(
        &format!(r#"{{"abi":1,"set":{{"note":[{{"text":"{}"}}]}}}}"#, "é".repeat(513)),
        &["E207 set.note[0]"],
    );
    check(r#"{"abi":1,"drop":["geo","note","note:e-web","tuple:e-web/w1","devices","activities"]}"#, &[]);
    check(
        r#"{"abi":1,"drop":["note:e-no","tuple:e-web/t","tuple:w1","everything",1]}"#,
        &["E203 drop[0].etag", "E203 drop[1].tuple", "E207 drop[2]", "E207 drop[3]", "E207 drop[4]"],
    );
    check(&format!(r#"{{"abi":1,"reevaluate_at_ms":{}}}"#, NOW.0 + 1000), &[]);
    check(&format!(r#"{{"abi":1,"reevaluate_at_ms":{}}}"#, NOW.0 + 999), &["E207 reevaluate_at_ms"]);
    check(&format!(r#"{{"abi":1,"reevaluate_at_ms":{}}}"#, NOW.0 + 86_400_001), &["E207 reevaluate_at_ms"]);
    check(r#"{"abi":1,"selct":[],"set":{"activites":[]}}"#, &["E206 selct", "E206 set.activites"]);
    check(r#"{"abi":1,"error":{"code":"oops","message":"no roster"}}"#, &["E209 oops"]);
    check(&format!("{{\"abi\":1,\"x\":\"{}\"}}", "y".repeat(limits::OUTPUT_BYTES)), &["E208 "]);
}

#[test]
fn a_policy_can_name_only_what_it_was_shown() {
    // The phone was rebooted: its old publication lives on, superseded. The web page's has expired.
    let tuple = |id: &str| document(&format!("<tuple id=\"{id}\"><status/></tuple>"));
    let mut ghost = publication("phone", minutes(-9), &tuple("old"));
    ghost.etag = "e-ghost".into();
    let mut gone = publication("web", minutes(-1), &tuple("w"));
    gone.expires = NOW;
    let set = set(vec![ghost, publication("phone", minutes(-2), &tuple("new")), gone]);
    let say = |etag: &str, tuple: &str| {
        format!(
            r#"{{"abi":1,"base":"empty","select":[{{"etag":"{etag}","tuple":"{tuple}"}}],"drop":["note:{etag}"]}}"#
        )
    };
    for how in Composition::ALL {
        let builtin = compose(&set, NOW, how);
        let input = String::from_utf8(write_input(&call(&set, "{}"), &builtin)).unwrap();
        assert!(input.contains("e-phone") && !input.contains("e-ghost"), "{input}");
        // Not even as what changed: a refresh of the phone before its reboot may still come in.
        let told_of = |etag| Call { changed_etag: Some(etag), ..call(&set, "{}") };
        for (etag, told) in [("e-phone", true), ("e-ghost", false), ("e-web", false), ("e-no", false)] {
            let input = String::from_utf8(write_input(&told_of(etag), &builtin)).unwrap();
            assert_eq!(input.contains(&format!(r#""changed_etag":"{etag}""#)), told, "{input}");
            assert_eq!(input.contains(etag), told, "{input}");
        }
        for (etag, tuple) in [("e-ghost", "old"), ("e-web", "w")] {
            let error = read_output(say(etag, tuple).as_bytes(), &call(&set, "{}")).unwrap_err();
            let found: Vec<_> = error.findings.iter().map(|f| (f.code, f.place.as_str())).collect();
            assert_eq!(found, [("E203", "select[0].etag"), ("E203", "drop[0].etag")]);
        }
        let output = read_output(say("e-phone", "new").as_bytes(), &call(&set, "{}")).unwrap();
        assert!(apply(&call(&set, "{}"), &builtin, &output).write_json().contains("\"new\""));
        // Not even an output that was made up gets it.
        let mut ghostly = output;
        ghostly.select.as_mut().unwrap()[0].etag = "e-ghost".into();
        ghostly.select.as_mut().unwrap()[0].tuple = "old".into();
        assert!(!apply(&call(&set, "{}"), &builtin, &ghostly).write_json().contains("\"old\""));
    }
}

#[test]
fn the_language_of_a_note_is_a_tag_that_a_document_may_hold() {
    let set = full();
    let check = |lang: &str, good: bool| {
        let output = format!(r#"{{"abi":1,"set":{{"note":[{{"text":"x","lang":"{lang}"}}]}}}}"#);
        assert_eq!(check_output(output.as_bytes(), &call(&set, "{}")).is_empty(), good, "{lang}");
    };
    for good in ["en", "pt-BR", "zh-Hans-CN", "de-1996", "x-own", "abcdefgh"] {
        check(good, true);
    }
    for bad in ["", "e1", "1", "en-", "-en", "en--x", "abcdefghi", "en-abcdefghi", "e n"] {
        check(bad, false);
    }
}

#[test]
fn unknown_members_are_named_with_the_nearest_known_one_and_passed_over() {
    let set = full();
    let output = read_output(br#"{"abi":1,"selct":[]}"#, &call(&set, "{}")).unwrap();
    assert_eq!(output.unknown[0].fix, "did you mean select?");
    assert_eq!(output.select, None);
}

fn applied(set: &LiveSet, output: &str) -> String {
    let call = call(set, "{}");
    let builtin = compose(set, NOW, Composition::Compose);
    let output = read_output(output.as_bytes(), &call).unwrap();
    String::from_utf8(apply(&call, &builtin, &output).write_pidf()).unwrap()
}

#[test]
fn where_devices_are_dropped_no_gruu_tells_which_one_it_is() {
    let text = document(
        "<tuple id='t'><status/><contact>sip:alice@x.invalid</contact></tuple><tuple id='u'><status/></tuple>",
    );
    let mut set = set(vec![publication("web", minutes(-1), &text)]);
    set.publications[0].device.gruu = Some("sip:alice@example.com;gr=urn:uuid:1".into());
    let shown = applied(&set, r#"{"abi":1,"select":[{"etag":"e-web","tuple":"t","priority_milli":300}]}"#);
    assert!(
        shown.contains("<contact priority=\"0.3\">sip:alice@example.com;gr=urn:uuid:1</contact>"),
        "{shown}"
    );
    let shown = applied(&set, r#"{"abi":1,"drop":["devices"]}"#);
    assert!(!shown.contains("urn:uuid:1"), "{shown}");
    assert!(shown.contains("<contact>sip:alice@x.invalid</contact>"), "{shown}");
}

#[test]
fn no_opinion_is_the_builtin_result() {
    let set = full();
    let builtin = compose(&set, NOW, Composition::Compose);
    let result = apply(&call(&set, "{}"), &builtin, &Output::no_opinion());
    let text =
        |composed: &merge_core::compose::Composed<'_>| String::from_utf8(composed.write_pidf()).unwrap();
    assert_eq!(text(&result), text(&builtin));
}

#[test]
fn what_a_policy_says_is_carried_out() {
    let set = full();
    let check = |name: &str, output: &str| {
        let result = applied(&set, output);
        xsd::check(name, &result);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("policy-{name}"), lines(&result));
        });
    };
    check(
        "contract",
        &format!(
            r#"{{"abi":1,"base":"builtin","select":[{{"etag":"e-web","tuple":"w1","priority_milli":900,"basic":"open"}},
               {{"etag":"e-desk","tuple":"desk"}}],
               "set":{{"activities":["on-the-phone","x-deep-work"],"mood":[],"place":["office"],"note":[{{"lang":"en","text":"Back at 16:30"}}]}},
               "drop":["geo","note:e-web","tuple:e-mobile/m7a3","devices"],"reevaluate_at_ms":{},"explain":["dialog d-1"]}}"#,
            NOW.0 + 5000
        ),
    );
    check(
        "from-nothing",
        r#"{"abi":1,"base":"empty","select":[{"etag":"e-laptop","tuple":"desk"}],"set":{"basic":"closed"}}"#,
    );
    check(
        "closed-and-nothing-else",
        r#"{"abi":1,"base":"empty","set":{"basic":"closed","activities":["vacation"]}}"#,
    );
    check("nothing-at-all", r#"{"abi":1,"base":"empty"}"#);
    check(
        "all-dropped",
        r#"{"abi":1,"drop":["person","devices","note","geo","tuple:e-web/w1","tuple:e-desk/desk"]}"#,
    );
}

#[test]
fn one_contributor_of_a_merged_tuple_can_be_taken_out() {
    let tuple = |basic: &str, note: &str| {
        document(&format!(
            "<tuple id=\"t\"><status><basic>{basic}</basic></status><contact>sip:alice@h</contact><note>{note}</note></tuple>"
        ))
    };
    let set = set(vec![
        publication("a", minutes(-2), &tuple("open", "old")),
        publication("b", minutes(-1), &tuple("closed", "new")),
    ]);
    let tuples = |output: &str| {
        let document = Document::read(applied(&set, output).as_bytes()).unwrap();
        document
            .tuples()
            .map(|t| {
                format!(
                    "{} {}",
                    t.basic().unwrap().as_str(),
                    t.notes().map(|n| n.text().into_owned()).collect::<String>()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(tuples(r#"{"abi":1}"#), ["closed newold"]);
    assert_eq!(tuples(r#"{"abi":1,"drop":["tuple:e-b/t"]}"#), ["open old"]);
    assert_eq!(tuples(r#"{"abi":1,"drop":["tuple:e-b/t","tuple:e-a/t"]}"#), [""; 0]);
    // Both names of the merged tuple mean it, once; from nothing they are two.
    let both =
        r#""select":[{"etag":"e-a","tuple":"t"},{"etag":"e-b","tuple":"t"},{"etag":"e-a","tuple":"t"}]}"#;
    assert_eq!(tuples(&format!("{{\"abi\":1,{both}")), ["closed newold"]);
    assert_eq!(tuples(&format!("{{\"abi\":1,\"base\":\"empty\",{both}")), ["open old", "closed new"]);
}

#[test]
fn the_policys_part_is_explained_too() {
    let set = full();
    let call = call(&set, "{}");
    let builtin = compose(&set, NOW, Composition::Compose);
    let output = r#"{"abi":1,"select":[{"etag":"e-desk","tuple":"desk","priority_milli":1000}],
        "set":{"activities":["busy"],"note":[{"text":"Later"}]},"explain":["because\nI say so"]}"#;
    let result = apply(&call, &builtin, &read_output(output.as_bytes(), &call).unwrap());
    let explanation = result.explain();
    let reason = |path: &str| explanation.get(path).unwrap_or_else(|| panic!("{path}")).reason.as_str();
    assert_eq!(reason("person/activities"), "busy, beats 'on the phone' from Desk 12:04 (policy)");
    assert_eq!(reason("note[0]"), "Later, beats 'Reviewing the release' from Web 12:09 (policy)");
    assert_eq!(reason("tuple/desk/priority"), "1, beats '0.8' from Desk 12:04 (policy)");
    assert_eq!(reason("tuple/w1/basic"), "'closed' is not shown (policy)");
    assert_eq!(reason("policy"), "because I say so");
    assert_eq!(reason("person/mood"), "contented, from Laptop 11:58 (the only source)");
}

#[test]
fn a_policy_can_speak_where_nothing_is_published() {
    let set = set(Vec::new());
    let call = call(&set, "{}");
    let builtin = compose(&set, NOW, Composition::Compose);
    assert!(builtin.is_empty());
    let output = read_output(br#"{"abi":1,"set":{"basic":"closed"}}"#, &call).unwrap();
    let result = apply(&call, &builtin, &output);
    assert_eq!(result.basis(), Basis::Published);
    assert_eq!(Document::read(&result.write_pidf()).unwrap().tuples().count(), 1);
}

fn any_output() -> impl Strategy<Value = String> {
    let tuple = prop::sample::select(vec![
        r#""etag":"e-desk","tuple":"desk""#,
        r#""etag":"e-laptop","tuple":"desk""#,
        r#""etag":"e-mobile","tuple":"m7a3""#,
        r#""etag":"e-web","tuple":"w1""#,
    ]);
    let choice = (
        tuple,
        prop::option::of(0..=1000_u16),
        prop::option::of(prop::sample::select(vec!["open", "closed"])),
    )
        .prop_map(|(tuple, priority, basic)| {
            let priority = priority.map_or(String::new(), |p| format!(",\"priority_milli\":{p}"));
            let basic = basic.map_or(String::new(), |b| format!(",\"basic\":\"{b}\""));
            format!("{{{tuple}{priority}{basic}}}")
        });
    let drop = prop::sample::select(vec![
        "geo",
        "note",
        "note:e-web",
        "tuple:e-web/w1",
        "tuple:e-desk/desk",
        "devices",
        "person",
        "activities",
        "mood",
        "place",
        "sphere",
    ]);
    let set = prop::sample::subsequence(
        vec![
            r#""basic":"open""#,
            r#""activities":["busy","x-a"]"#,
            r#""mood":[]"#,
            r#""place":["cafe"]"#,
            r#""note":[{"lang":"nl","text":"<b>&\u202e"}]"#,
        ],
        0..5,
    );
    (
        prop::sample::select(vec!["builtin", "empty"]),
        prop::option::of(prop::collection::vec(choice, 0..6)),
        prop::collection::vec(drop, 0..4),
        set,
    )
        .prop_map(|(base, select, drop, set)| {
            let select = select.map_or(String::new(), |list| format!(",\"select\":[{}]", list.join(",")));
            let drop: Vec<String> = drop.iter().map(|word| format!("\"{word}\"")).collect();
            format!(
                "{{\"abi\":1,\"base\":\"{base}\"{select},\"drop\":[{}],\"set\":{{{}}}}}",
                drop.join(","),
                set.join(",")
            )
        })
}

proptest! {
    #[test]
    fn whatever_a_policy_says_the_document_is_well_formed_with_unique_ids(output in any_output()) {
        let set = full();
        let text = applied(&set, &output);
        let document = Document::read(text.as_bytes()).unwrap();
        let mut ids: Vec<String> = document.root().ids().map(|(_, id)| id.into_owned()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), count, "{}", text);
        // Contacts are chosen and ordered, never invented.
        let published: Vec<String> = set.publications.iter()
            .flat_map(|p| p.document.tuples().filter_map(|t| t.contact()).map(|c| c.uri().into_owned()).collect::<Vec<_>>())
            .collect();
        for contact in document.tuples().filter_map(|tuple| tuple.contact()) {
            prop_assert!(published.contains(&contact.uri().into_owned()));
        }
    }

    #[test]
    fn no_bytes_of_an_output_make_the_host_panic(text in "[{}\\[\\]\":,a-z0-9 ]{0,80}") {
        let set = full();
        let call = call(&set, "{}");
        if let Ok(output) = read_output(text.as_bytes(), &call) {
            let builtin = compose(&set, NOW, Composition::Compose);
            let _ = apply(&call, &builtin, &output).write_pidf();
        }
    }
}
