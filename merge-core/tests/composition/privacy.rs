//! What a policy drops leaves no trace in the result, wherever it stood; what it does not drop stays.

use merge_core::compose::{Composition, compose};
use merge_core::live::Publication;
use merge_core::model::Document;
use merge_core::policy::{Call, Reason, apply, read_output};
use proptest::prelude::*;

use crate::published::{NOW, document, minutes, publication, set};

/// What a policy may drop by its kind.
const WORDS: [&str; 8] = ["geo", "note", "devices", "person", "activities", "mood", "place", "sphere"];

/// Elements by what drops them; `MARK` is in each.
const PLANTS: &[(&str, &str)] = &[
    (
        "geo",
        "<g:geopriv xmlns:g='urn:ietf:params:xml:ns:pidf:geopriv10'><g:location-info>MARK</g:location-info></g:geopriv>",
    ),
    ("geo", "<c:A1 xmlns:c='urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr' at='MARK'/>"),
    ("geo", "<m:pos xmlns:m='http://www.opengis.net/gml'><![CDATA[MARK]]></m:pos>"),
    ("note", "<dm:note xml:lang='en'>MARK</dm:note>"),
    ("note", "<rpid:note>MARK</rpid:note>"),
    ("note", "<t:note xmlns:t='urn:ietf:params:xml:ns:pidf:timed-status'>MARK</t:note>"),
    ("devices", "<dm:deviceID>MARK</dm:deviceID>"),
    ("person", "<dm:person id='MARK'><e:x>MARK</e:x></dm:person>"),
    ("activities", "<rpid:activities><rpid:other>MARK</rpid:other></rpid:activities>"),
    ("mood", "<rpid:mood from='MARK'><rpid:happy/></rpid:mood>"),
    ("place", "<rpid:place-type><rpid:other>MARK</rpid:other></rpid:place-type>"),
    ("sphere", "<rpid:sphere><e:MARK/></rpid:sphere>"),
    // What only a view takes out.
    ("user_input", "<rpid:user-input last-input='2026-11-21T12:00:00Z' at='MARK'>idle</rpid:user-input>"),
    ("", "<e:plain>MARK</e:plain>"),
];

/// What may stand around one, and what drops that.
const AROUND: &[(&str, &str)] = &[
    ("", "IN"),
    ("", "<e:box e:a='1'>text IN more <e:y/></e:box>"),
    ("", "<e:box><e:box>IN</e:box><e:z>z</e:z></e:box>"),
    (
        "",
        "<t:timed-status xmlns:t='urn:ietf:params:xml:ns:pidf:timed-status' from='2026-11-21T12:00:00Z'>IN</t:timed-status>",
    ),
    ("activities", "<rpid:activities>IN<rpid:away/></rpid:activities>"),
];

/// Where it stands: tuple, status, a second tuple of the same id, person, device, root.
const PLACES: usize = 6;

/// One plant: which, in what, where.
type Plant = (usize, usize, usize);

/// A device's document. A mark says all that drops it: `MK3.geo.person.z`.
fn planted(etag: &str, number: usize, plants: &[Plant]) -> String {
    let mut at: [String; PLACES] = std::array::from_fn(|_| String::new());
    for (index, &(plant, around, place)) in plants.iter().enumerate() {
        let ((word, plant), (wrapped_by, around)) = (PLANTS[plant], AROUND[around]);
        let mut kinds = vec![word, wrapped_by];
        let (note_of, tuple_of) = (format!("note_{etag}"), format!("tuple_{etag}"));
        if word == "note" {
            kinds.extend(["note", note_of.as_str()]);
        }
        match place {
            0..=2 => kinds.push(tuple_of.as_str()),
            3 => kinds.push("person"),
            4 => kinds.push("devices"),
            _ => {}
        }
        kinds.retain(|kind| !kind.is_empty());
        let mark = format!("MK{number}{index}.{}.z", kinds.join("."));
        at[place].push_str(&around.replace("IN", &plant.replace("MARK", &mark)));
    }
    let [tuple, status, twin, person, device, root] = at;
    let twin = match twin.as_str() {
        "" => String::new(),
        _ => format!("<tuple xmlns:e='urn:example' id='t{number}'><status/>{twin}</tuple>"),
    };
    document(&format!(
        "<tuple xmlns:e='urn:example' id='t{number}'><status><basic>open</basic>{status}</status>{tuple}\
         <contact>sip:alice@h{}</contact></tuple>{twin}<note>n{number}</note>\
         <dm:person xmlns:e='urn:example' id='p'>{person}</dm:person>\
         <dm:device xmlns:e='urn:example' id='d'>{device}<dm:deviceID>urn:d{number}</dm:deviceID></dm:device>\
         <e:root xmlns:e='urn:example'>{root}</e:root>",
        number / 2
    ))
}

pub(crate) fn publications() -> impl Strategy<Value = Vec<Publication>> {
    let plant = (0..PLANTS.len(), 0..AROUND.len(), 0..PLACES);
    prop::collection::vec(prop::collection::vec(plant, 0..8), 1..4).prop_map(|devices| {
        let each = devices.iter().enumerate().map(|(number, plants)| {
            let name = ["desk", "web", "room"][number];
            // Some stand where the data model has none of their name: such documents are refused.
            let mut good: Vec<Plant> = Vec::new();
            for plant in plants {
                good.push(*plant);
                if Document::read(planted(name, number, &good).as_bytes()).is_err() {
                    good.pop();
                }
            }
            publication(name, minutes(-1), &planted(name, number, &good))
        });
        each.collect()
    })
}

/// The marks of a text.
pub(crate) fn marks(text: &str) -> Vec<String> {
    text.split("MK").skip(1).filter_map(|part| Some(part.split_once(".z")?.0.to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_dropped_leaves_no_trace_and_all_else_stays(
        list in publications(),
        words in prop::sample::subsequence(WORDS.to_vec(), 0..=3),
        note_of in prop::option::of(Just("desk")),
        tuple_of in prop::option::of(Just("desk")),
        select in any::<bool>(),
        how in prop::sample::select(Composition::ALL.to_vec()),
    ) {
        let mut drop: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let mut dropped: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        if let Some(name) = note_of {
            drop.push(format!("\"note:e-{name}\""));
            dropped.push(format!("note_{name}"));
        }
        if let Some(name) = tuple_of {
            drop.push(format!("\"tuple:e-{name}/t0\""));
            dropped.push(format!("tuple_{name}"));
        }
        let chosen: Vec<String> = list.iter().enumerate()
            .map(|(number, each)| format!("{{\"etag\":\"{}\",\"tuple\":\"t{number}\"}}", each.etag))
            .collect();
        let select_all = if select { format!("\"select\":[{}],", chosen.join(",")) } else { String::new() };
        let output = format!("{{\"abi\":1,{select_all}\"drop\":[{}]}}", drop.join(","));
        let set = set(list);
        let call = Call {
            set: &set, now: NOW, reason: Reason::Publish, changed_etag: None, params: "{}", local_time: None,
        };
        let builtin = compose(&set, NOW, how);
        let result = apply(&call, &builtin, &read_output(output.as_bytes(), &call).unwrap());
        let (pidf, json) = (String::from_utf8(result.write_pidf()).unwrap(), result.write_json());
        let is_dropped = |mark: &String| mark.split('.').any(|kind| dropped.iter().any(|each| each == kind));
        let shown = marks(&pidf);
        for mark in shown.iter().chain(&marks(&json)) {
            prop_assert!(!is_dropped(mark), "{mark} is there\n{output}\n{pidf}");
        }
        if !select {
            for mark in marks(&String::from_utf8(builtin.write_pidf()).unwrap()) {
                prop_assert!(is_dropped(&mark) || shown.contains(&mark), "{mark} is lost\n{output}\n{pidf}");
            }
        }
    }
}
