//! What a class of watchers sees: less than was merged, and never more.

use merge_core::compose::{Composition, compose};
use merge_core::json::{self, Value};
use merge_core::model::Document;
use merge_core::policy::{
    COARSE, Level, Seen, View, ViewCall, ViewDrop, Watcher, WatcherClass, check_view, read_view,
    write_view_input,
};
use merge_core::presence_json;
use proptest::prelude::*;

use crate::privacy::{marks, publications};
use crate::published::{NOW, document, minutes, publication, set};

fn watcher(class: WatcherClass) -> Watcher {
    Watcher { class, groups: vec!["sales".into()], aor: None }
}

/// A phone that is on a call and says a good deal besides.
fn phone() -> Document {
    let text = document(
        "<tuple id='t1'><status><basic>open</basic></status><dm:deviceID>urn:d1</dm:deviceID>\
         <rpid:activities><rpid:working/></rpid:activities><rpid:user-input>active</rpid:user-input>\
         <contact priority='0.8'>sip:alice@example.com;gr=urn:uuid:f81d</contact><note>desk 4</note>\
         <timestamp>2026-11-21T12:00:00Z</timestamp></tuple>\
         <tuple id='t2'><status><basic>closed</basic></status><contact>sip:alice@192.0.2.1</contact></tuple>\
         <note xml:lang='en'>till five</note>\
         <dm:person id='p'><rpid:activities><rpid:on-the-phone/><rpid:appointment/></rpid:activities>\
         <rpid:mood><rpid:happy/></rpid:mood></dm:person>\
         <dm:device id='d'><dm:deviceID>urn:d1</dm:deviceID></dm:device>",
    );
    Document::read(text.as_bytes()).unwrap()
}

/// The part of a written view between the root's tags.
fn shown(output: &str) -> String {
    let merged = phone();
    let view = read_view(output.as_bytes(), &Seen::in_document(&merged)).unwrap();
    let text = String::from_utf8(view.apply(&merged)).unwrap();
    Document::read(text.as_bytes()).unwrap();
    let text: String = text.lines().map(str::trim).collect();
    match text.split_once("sip:alice@example.com\">") {
        Some((_, rest)) => rest.trim_end_matches("</presence>").to_owned(),
        None => String::new(),
    }
}

#[test]
fn the_input_is_as_the_contract_has_it_to_the_byte() {
    let merged = phone();
    let mut watcher = watcher(WatcherClass::SameDomain);
    let write = |watcher: &Watcher| {
        let call = ViewCall { merged: &merged, watcher, now: NOW, params: " {\"a\" : 1} " };
        String::from_utf8(write_view_input(&call)).unwrap()
    };
    let (now, form) = (NOW.0, presence_json::write(&merged));
    let expected = |aor: &str| {
        format!(
            r#"{{"abi":1,"now_ms":{now},"watcher":{{"class":"same-domain","groups":["sales"]{aor}}},"merged":{form},"params":{{"a":1}}}}"#
        )
    };
    assert_eq!(write(&watcher), expected(""));
    watcher.aor = Some("sip:bob@example.com".into());
    assert_eq!(write(&watcher), expected(r#","aor":"sip:bob@example.com""#));
    let input = write(&watcher);
    assert_eq!(Seen::in_input(&json::read(input.as_bytes()).unwrap()), Seen::in_document(&merged));
}

#[test]
fn only_what_takes_away_passes() {
    let seen = Seen::in_document(&phone());
    let check = |output: &str, expect: &[&str]| {
        let found: Vec<String> =
            check_view(output.as_bytes(), &seen).iter().map(|f| format!("{} {}", f.code, f.place)).collect();
        assert_eq!(found, expect, "{output}");
    };
    check(r#"{"abi":1}"#, &[]);
    check(r#"{"abi":1,"level":"basic","explain":["a stranger"]}"#, &[]);
    check(r#"{"abi":1,"level":"none"}"#, &["E207 level"]);
    check(r#"{"abi":1,"drop":["geo","note","devices","person","contact","activities"]}"#, &[]);
    check(r#"{"abi":1,"drop":["mood","place","sphere","user_input","tuple:t2"]}"#, &[]);
    check(
        r#"{"abi":1,"drop":["tuple:t3","tuple","note:e-1",7]}"#,
        &["E203 drop[0]", "E207 drop[1]", "E207 drop[2]", "E207 drop[3]"],
    );
    // What is said must be there, or say less than something that is there.
    check(r#"{"abi":1,"set":{"activities":["on-the-phone","working"]}}"#, &[]);
    check(r#"{"abi":1,"set":{"activities":["busy"]}}"#, &[]);
    check(r#"{"abi":1,"set":{"activities":["away","unknown"]}}"#, &[]);
    check(r#"{"abi":1,"set":{"activities":["meeting"]}}"#, &["E207 set.activities[0]"]);
    check(
        r#"{"abi":1,"set":{"activities":["x-lunch","Busy"]}}"#,
        &["E207 set.activities[1]", "E207 set.activities[0]"],
    );
    check(r#"{"abi":1,"set":{"basic":"closed"}}"#, &[]);
    check(r#"{"abi":1,"set":{"basic":"open"}}"#, &["E207 set.basic"]);
    check(r#"{"abi":1,"set":{"mood":[],"place":[],"note":[]}}"#, &[]);
    check(
        r#"{"abi":1,"set":{"note":[{"text":"hello"}],"mood":["happy"]}}"#,
        &["E207 set.mood", "E207 set.note"],
    );
    check(r#"{"abi":1,"lvel":"basic","set":{"basics":"closed"}}"#, &["E206 lvel", "E206 set.basics"]);
    check("[]", &["E207 "]);
    check(r#"{"abi":1,"error":{"code":"x","message":"no"}}"#, &["E209 x"]);
    // With nobody busy there is no coarser word for it.
    let idle =
        Seen::in_document(&Document::read(document("<tuple id='t'><status/></tuple>").as_bytes()).unwrap());
    for coarse in COARSE {
        let output = format!(r#"{{"abi":1,"set":{{"activities":["{}"]}}}}"#, coarse.token);
        assert_eq!(check_view(output.as_bytes(), &idle).len(), 1, "{output}");
    }
}

#[test]
fn an_answer_that_hides_nothing_leaves_the_document_as_it_is_to_the_byte() {
    let merged = phone();
    let view = read_view(br#"{"abi":1,"level":"full","drop":[]}"#, &Seen::in_document(&merged)).unwrap();
    assert!(view.is_full());
    assert_eq!(view.apply(&merged), merged.source().as_bytes());
}

#[test]
fn each_level_leaves_what_the_contract_says() {
    let status =
        |basic: &str| format!("<tuple id=\"policy\"><status><basic>{basic}</basic></status></tuple>");
    let person = |activity: &str| {
        format!("<dm:person id=\"p\"><rpid:activities><rpid:{activity}/></rpid:activities></dm:person>")
    };
    let check = |output: &str, expect: String| assert_eq!(shown(output), expect, "{output}");
    check(r#"{"abi":1,"level":"basic"}"#, status("open"));
    check(r#"{"abi":1,"level":"busy_free"}"#, status("open") + &person("busy"));
    // What is dropped or coarsened is gone before the level is looked at.
    check(r#"{"abi":1,"level":"busy_free","drop":["activities"]}"#, status("open"));
    check(r#"{"abi":1,"level":"busy_free","drop":["person"]}"#, status("open"));
    check(r#"{"abi":1,"level":"busy_free","set":{"activities":["away"]}}"#, status("open") + &person("away"));
    check(r#"{"abi":1,"level":"busy_free","set":{"activities":["unknown"]}}"#, status("open"));
    check(r#"{"abi":1,"level":"basic","drop":["tuple:t1"]}"#, status("closed"));
    check(r#"{"abi":1,"level":"basic","drop":["tuple:t1","tuple:t2"]}"#, String::new());
    check(r#"{"abi":1,"level":"basic","set":{"basic":"closed"}}"#, status("closed"));
}

#[test]
fn what_is_dropped_is_gone_and_the_rest_stays() {
    let check = |output: &str, gone: &[&str], stays: &[&str]| {
        let text = shown(output);
        gone.iter().for_each(|word| assert!(!text.contains(word), "{word} in {text}"));
        stays.iter().for_each(|word| assert!(text.contains(word), "no {word} in {text}"));
    };
    check(r#"{"abi":1,"drop":["note"]}"#, &["desk 4", "till five"], &["gr=urn", "on-the-phone", "happy"]);
    check(r#"{"abi":1,"drop":["devices"]}"#, &["urn:d1", "gr=urn"], &["sip:alice@192.0.2.1", "desk 4"]);
    check(r#"{"abi":1,"drop":["contact"]}"#, &["<contact"], &["id=\"t1\"", "urn:d1"]);
    check(r#"{"abi":1,"drop":["tuple:t1"]}"#, &["desk 4"], &["192.0.2.1", "till five"]);
    check(r#"{"abi":1,"drop":["user_input"]}"#, &["user-input"], &["desk 4"]);
    check(r#"{"abi":1,"set":{"basic":"closed"}}"#, &["open"], &["desk 4", "happy"]);
    let busy = "<rpid:activities><rpid:busy/></rpid:activities>";
    check(r#"{"abi":1,"set":{"activities":["busy"]}}"#, &["working", "on-the-phone"], &[busy, "happy"]);
    check(r#"{"abi":1,"set":{"activities":[]}}"#, &["activities"], &["happy"]);
    // Nobody is left to say it of, so somebody is written who says only that.
    check(
        r#"{"abi":1,"drop":["person"],"set":{"activities":["busy"]}}"#,
        &["happy", "working"],
        &["<dm:person id=\"pp\"><rpid:activities><rpid:busy/></rpid:activities></dm:person>"],
    );
}

/// Every text and number of a JSON form with the names that lead there, list places left out.
fn leaves(value: &Value<'_>, path: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|member| leaves(&member.value, &format!("{path}.{}", member.name), out));
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, path, out)),
        other => out.push((path.to_owned(), format!("{other:?}"))),
    }
}

pub(crate) fn all_leaves(document: &Document) -> Vec<(String, String)> {
    let form = presence_json::write(document);
    let mut found = Vec::new();
    leaves(&json::read(form.as_bytes()).unwrap(), "", &mut found);
    found
}

pub(crate) fn views() -> impl Strategy<Value = View> {
    let drops = prop::sample::subsequence(
        vec![
            ViewDrop::Geo,
            ViewDrop::Notes,
            ViewDrop::Devices,
            ViewDrop::Person,
            ViewDrop::Contacts,
            ViewDrop::Field("activities"),
            ViewDrop::Field("mood"),
            ViewDrop::Field("place-type"),
            ViewDrop::Field("sphere"),
            ViewDrop::Field("user-input"),
            ViewDrop::Tuple("t0".into()),
            ViewDrop::Tuple("t1".into()),
        ],
        0..=4,
    );
    let coarse = prop::sample::subsequence(COARSE.map(|coarse| coarse.token.to_owned()).to_vec(), 0..=2);
    (prop::sample::select(Level::ALL.to_vec()), drops, any::<bool>(), prop::option::of(coarse)).prop_map(
        |(level, drop, closed, activities)| View { level, drop, closed, activities, ..View::default() },
    )
}

/// What drops a mark of that kind.
fn dropped(view: &View, kind: &str) -> bool {
    let has = |drop: &ViewDrop| view.drop.contains(drop);
    match kind {
        "geo" => has(&ViewDrop::Geo),
        "note" => has(&ViewDrop::Notes),
        "devices" => has(&ViewDrop::Devices),
        "person" => has(&ViewDrop::Person),
        "activities" => has(&ViewDrop::Field("activities")) || view.activities.is_some(),
        "mood" => has(&ViewDrop::Field("mood")),
        "place" => has(&ViewDrop::Field("place-type")),
        "sphere" => has(&ViewDrop::Field("sphere")),
        "user_input" => has(&ViewDrop::Field("user-input")),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn whatever_a_view_says_it_shows_nothing_that_was_not_merged(
        list in publications(),
        view in views(),
        how in prop::sample::select(Composition::ALL.to_vec()),
    ) {
        let set = set(list);
        let merged = Document::read(&compose(&set, NOW, how).write_pidf()).unwrap();
        let bytes = view.apply(&merged);
        let text = String::from_utf8(bytes.clone()).unwrap();
        let viewed = Document::read(&bytes).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let there = marks(merged.source());
        for mark in marks(&text) {
            prop_assert!(there.contains(&mark), "{mark} is new\n{text}");
            let gone = mark.split('.').any(|kind| dropped(&view, kind));
            prop_assert!(!gone && view.level == Level::Full, "{mark} is there: {view:?}\n{text}");
        }
        if view.level == Level::Full {
            // And nothing more is taken out than was said.
            let shown = marks(&text);
            let tuples = view.drop.iter().any(|drop| matches!(drop, ViewDrop::Tuple(_)));
            for mark in there.iter().filter(|_| !tuples) {
                let gone = mark.split('.').any(|kind| dropped(&view, kind));
                prop_assert!(gone || shown.contains(mark), "{mark} is lost: {view:?}\n{text}");
            }
        }
        let before = all_leaves(&merged);
        let coarse = ["id", "basic", "activities"];
        for (path, value) in all_leaves(&viewed) {
            let own = coarse.contains(&path.rsplit('.').next().unwrap_or_default());
            let counted = path == ".unknown_xml";
            prop_assert!(own || counted || before.contains(&(path.clone(), value.clone())), "{path} {value}\n{text}");
        }
        // A view of a view by the same words says the same, unless it writes a person anew.
        if view.level == Level::Full && (view.activities.is_none() || !view.drop.contains(&ViewDrop::Person)) {
            prop_assert_eq!(view.apply(&viewed), bytes);
        }
    }

    #[test]
    fn no_words_make_a_view_that_shows_more(words in "\\PC{0,200}") {
        let merged = phone();
        let seen = Seen::in_document(&merged);
        let _ = read_view(words.as_bytes(), &seen);
        let output = format!(r#"{{"abi":1,"set":{{"activities":[{words:?}]}},"drop":[{words:?}]}}"#);
        if let Ok(view) = read_view(output.as_bytes(), &seen) {
            Document::read(&view.apply(&merged)).unwrap();
        }
    }
}

#[test]
fn a_view_of_nothing_is_nothing() {
    let set = set(vec![publication("desk", minutes(-1), &document(""))]);
    let merged = Document::read(&compose(&set, NOW, Composition::Compose).write_pidf()).unwrap();
    for level in Level::ALL {
        let view = View { level, ..View::default() };
        let viewed = Document::read(&view.apply(&merged)).unwrap();
        assert_eq!((viewed.tuples().count(), viewed.persons().count()), (0, 0));
    }
}
