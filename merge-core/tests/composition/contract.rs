//! The contract of policies, `wasm-rules/CONTRACT.md`, held against the code: its samples are what is written, to the
//! byte, and each limit of an output lies where its table says.

use merge_core::compose::{Composition, compose};
use merge_core::json::{self, Writer};
use merge_core::live::{Dialog, LiveSet, Registration};
use merge_core::model::Document;
use merge_core::policy::{
    Call, LocalTime, Reason, Seen, ViewCall, Watcher, WatcherClass, check_output, check_view, limits,
    write_input, write_view_input,
};
use merge_core::time::Millis;
use std::path::Path;

use crate::published::{document, minutes, publication};

/// 2026-11-20T09:30:00Z, a Friday.
const NOW: Millis = Millis(1_795_167_000_000);

/// The first JSON sample of a section, without the line breaks that stand in it for its readers.
fn sample(section: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wasm-rules/CONTRACT.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let section = text.split_once(section).unwrap_or_else(|| panic!("no section {section}")).1;
    let (_, sample) = section.split_once("```json\n").unwrap();
    let (sample, _) = sample.split_once("```").unwrap();
    let mut out = Writer::new();
    out.value(&json::read(sample.as_bytes()).unwrap_or_else(|error| panic!("{section}: {error}")));
    out.into_string()
}

/// A web page of Alice's that says all that a document can say.
fn web() -> LiveSet {
    let note = |prefix: &str, text: &str| format!("<{prefix}note xml:lang='en'>{text}</{prefix}note>");
    let idle = "<rpid:user-input last-input='2026-11-20T09:00:00Z'>idle</rpid:user-input>";
    let flags = ["audio", "application", "control", "data", "isfocus", "message", "text", "video"];
    let flags: String = flags
        .iter()
        .map(|flag| format!("<c:{flag}>{}</c:{flag}>", matches!(*flag, "audio" | "message" | "text")))
        .collect();
    let text = document(&format!(
        "<tuple id='w1'><status><basic>open</basic></status><dm:deviceID>urn:uuid:3e9a0c52</dm:deviceID>\
         <rpid:activities><rpid:working/></rpid:activities>{idle}\
         <c:servcaps xmlns:c='urn:ietf:params:xml:ns:pidf:caps'>{flags}</c:servcaps><e:box xmlns:e='urn:example'/>\
         <contact priority='0.6'>sip:alice@df7jal23ls0d.invalid</contact>{}\
         <timestamp>2026-11-20T09:29:00Z</timestamp></tuple>\
         <tuple id='w2'><status/></tuple>{}\
         <dm:person id='p1'><rpid:activities><rpid:working/></rpid:activities><rpid:mood><rpid:calm/></rpid:mood>\
         <rpid:place-type><rpid:office/></rpid:place-type><rpid:sphere><rpid:work/></rpid:sphere>{idle}\
         <g:geopriv xmlns:g='urn:ietf:params:xml:ns:pidf:geopriv10' xmlns:gml='http://www.opengis.net/gml'>\
         <g:location-info><gml:pos>52.0907 5.1214</gml:pos><gml:radius>30</gml:radius></g:location-info></g:geopriv>\
         {}<dm:timestamp>2026-11-20T09:29:00Z</dm:timestamp></dm:person>\
         <dm:device id='d1'><dm:deviceID>urn:uuid:3e9a0c52</dm:deviceID>{idle}{}\
         <dm:timestamp>2026-11-20T09:29:00Z</dm:timestamp></dm:device><e:box xmlns:e='urn:example'/>",
        note("", "Chat is best"),
        note("", "Writing"),
        note("dm:", "Writing"),
        note("dm:", "Browser"),
    ));
    let mut web = publication("web-3f2b", NOW, &text);
    web.etag = "e-7f3a".to_owned();
    web.device.kind = merge_core::live::DeviceKind::Web;
    web.device.instance = Some("urn:uuid:3e9a0c52".to_owned());
    web.user_agent = Some("JsSIP 3.10".to_owned());
    (web.received, web.first, web.expires) =
        (Millis(NOW.0 - 60_000), Millis(NOW.0 - 3_600_000), Millis(NOW.0 + 3_600_000));
    let mut set = crate::published::set(vec![web]);
    set.presentity.tenant = "acme".to_owned();
    set.presentity.groups = vec!["sales".to_owned()];
    set.presentity.locale = Some("nl".to_owned());
    set.registrations = vec![Registration {
        contact: "sip:alice@df7jal23ls0d.invalid".to_owned(),
        instance: Some("urn:uuid:3e9a0c52".to_owned()),
        q_milli: 600,
        expires: Millis(NOW.0 + 600_000),
        user_agent: Some("JsSIP 3.10".to_owned()),
        transport: "ws".to_owned(),
    }];
    set.dialogs = vec![Dialog {
        id: "d-1".to_owned(),
        state: "confirmed".to_owned(),
        direction: "recipient".to_owned(),
        since: Millis(NOW.0 - 30_000),
        device: Some("desk-t46".to_owned()),
    }];
    set
}

fn call(set: &LiveSet) -> Call<'_> {
    Call {
        set,
        now: NOW,
        reason: Reason::Publish,
        changed_etag: Some("e-7f3a"),
        params: "{}",
        local_time: Some(LocalTime {
            tz: "Europe/Amsterdam".to_owned(),
            minutes: 630,
            weekday: 5,
            date: "2026-11-20".to_owned(),
        }),
    }
}

#[test]
fn the_contracts_samples_are_what_the_host_writes_and_takes_to_the_byte() {
    let set = web();
    let call = call(&set);
    let input = write_input(&call, &compose(&set, NOW, Composition::Compose));
    assert_eq!(sample("## 4. "), String::from_utf8(input).unwrap());
    assert_eq!(check_output(sample("## 5. ").as_bytes(), &call), []);

    let merged = document(
        "<tuple id='t1'><status><basic>open</basic></status></tuple>\
         <dm:person id='p1'><rpid:activities><rpid:meeting/></rpid:activities></dm:person>",
    );
    let merged = Document::read(merged.as_bytes()).unwrap();
    let aor = Some("sip:bob@example.com".to_owned());
    let watcher = Watcher { class: WatcherClass::Contact, groups: vec!["board".to_owned()], aor };
    let input = write_view_input(&ViewCall { merged: &merged, watcher: &watcher, now: NOW, params: "{}" });
    assert_eq!(sample("## 13. "), String::from_utf8(input).unwrap());
    let answer = sample("The answer takes away");
    assert_eq!(check_view(answer.as_bytes(), &Seen::in_document(&merged)), []);
}

/// An output to [`web`] that has so much of what this limit bounds.
fn output(limit: &str, much: u64) -> String {
    let times = |one: &str| vec![one; much as usize].join(",");
    let members = match limit {
        "output" => {
            let rest = much as usize - r#"{"abi":1,"x":""}"#.len();
            format!(r#""x":"{}""#, "y".repeat(rest))
        }
        "output-tuples" => format!(r#""select":[{}]"#, times(r#"{"etag":"e-7f3a","tuple":"w1"}"#)),
        "output-drops" => format!(r#""drop":[{}]"#, times(r#""geo""#)),
        "output-explain" => format!(r#""explain":[{}]"#, times(r#""a line""#)),
        "output-activities" => format!(r#""set":{{"activities":[{}]}}"#, times(r#""busy""#)),
        "output-notes" => format!(r#""set":{{"note":[{}]}}"#, times(r#"{"text":"x"}"#)),
        "token" => format!(r#""set":{{"activities":["x-{}"]}}"#, "y".repeat(much as usize - 2)),
        // Characters are counted, not bytes.
        "note" => format!(r#""set":{{"note":[{{"text":"{}"}}]}}"#, "\u{1f4de}".repeat(much as usize)),
        "priority" => {
            format!(r#""select":[{{"etag":"e-7f3a","tuple":"w1","priority_milli":{much}}}]"#)
        }
        "reevaluate-min" | "reevaluate-max" => format!(r#""reevaluate_at_ms":{}"#, NOW.0 + much as i64),
        other => panic!("{other} bounds an output, and none here meets it"),
    };
    format!(r#"{{"abi":1,{members}}}"#)
}

#[test]
fn each_limit_of_an_output_may_be_met_and_not_passed() {
    let set = web();
    let call = call(&set);
    let of_outputs = |limit: &&limits::Limit| limit.code == "E207" || limit.name == "output";
    let rows: Vec<_> = limits::TABLE.iter().filter(of_outputs).collect();
    assert!(rows.len() >= 11, "{rows:?}");
    for limit in rows {
        let found = |much: u64| {
            let found = check_output(output(limit.name, much).as_bytes(), &call);
            // A member that pads an output is not known, and passed over.
            found.into_iter().map(|finding| finding.code).filter(|code| *code != "E206").collect::<Vec<_>>()
        };
        // This one is the smallest that is allowed.
        let beyond = if limit.name == "reevaluate-min" { limit.value - 1 } else { limit.value + 1 };
        assert_eq!(found(limit.value), [""; 0], "{} at its limit", limit.name);
        assert_eq!(found(beyond), [limit.code], "{} one beyond", limit.name);
    }
    // Moods and places have the limit of activities, and views those of outputs.
    for list in ["mood", "place"] {
        let words =
            |many| output("output-activities", many).replace("activities", list).replace("busy", "x-a");
        assert_eq!(check_output(words(8).as_bytes(), &call), [], "{list}");
        assert_eq!(check_output(words(9).as_bytes(), &call).len(), 1, "{list}");
    }
    let seen = Seen::in_document(&set.publications[0].document);
    for name in ["output", "output-drops", "output-explain"] {
        let limit = limits::TABLE.iter().find(|limit| limit.name == name).unwrap();
        let found = |much| {
            let found = check_view(output(name, much).as_bytes(), &seen);
            found.into_iter().map(|finding| finding.code).filter(|code| *code != "E206").collect::<Vec<_>>()
        };
        assert_eq!(found(limit.value), [""; 0], "{name} of a view");
        assert_eq!(found(limit.value + 1), [limit.code], "{name} of a view, one beyond");
    }
}

#[test]
fn publications_of_one_moment_stand_in_the_order_of_their_etags() {
    let text = document("<tuple id='t'><status/></tuple>");
    let at = |device: &str, received: i64| publication(device, minutes(received), &text);
    let set = crate::published::set(vec![at("b", -1), at("old", -2), at("c", -1), at("a", -1)]);
    let now = crate::published::NOW;
    let call = Call { now, changed_etag: None, local_time: None, ..call(&set) };
    let input = write_input(&call, &compose(&set, now, Composition::Compose));
    let input = json::read(&input).unwrap();
    let list = input.get("publications").and_then(|list| list.as_array()).unwrap();
    let etags: Vec<_> = list.iter().filter_map(|one| one.get("etag")?.as_str()).collect();
    assert_eq!(etags, ["e-a", "e-b", "e-c", "e-old"]);
}
