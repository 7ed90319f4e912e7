//! What is redacted: nothing that people wrote is left of an input, and all that rules go by is.

use merge_core::compose::{Composition, compose};
use merge_core::json::{self, Value};
use merge_core::live::{Registration, Snapshot};
use merge_core::policy::{Call, Reason, apply, read_output, write_input};
use merge_core::redact::Redactor;
use proptest::prelude::*;

use crate::published::{NOW, document, minutes, publication, set};

const AOR: &str = "sip:alice@example.com";

/// What somebody tells of themselves.
#[derive(Clone, Debug)]
struct Told {
    notes: [String; 5],
    /// In millionths of a degree.
    place: (i64, i64),
    host: String,
}

impl Told {
    fn document(&self, number: usize) -> String {
        let ([tuple, activity, person, device, root], (lat, lon)) = (&self.notes, self.place);
        let degrees = |e6: i64| format!("{}.{:06}", e6 / 1_000_000, e6 % 1_000_000);
        document(&format!(
            "<tuple id='t{number}'><status><basic>open</basic></status><contact>sip:alice@{}</contact>\
             <note>{tuple}</note></tuple><note xml:lang='en'>{root}</note>\
             <dm:person id='p{number}'><rpid:activities><rpid:note>{activity}</rpid:note><rpid:busy/></rpid:activities>\
             <rpid:sphere>{activity} {person}</rpid:sphere>\
             <g:geopriv xmlns:g='urn:ietf:params:xml:ns:pidf:geopriv10'><m:pos xmlns:m='urn:m'>{} {}</m:pos></g:geopriv>\
             <dm:note>{person}</dm:note></dm:person>\
             <dm:device id='d{number}'><dm:deviceID>urn:d{number}</dm:deviceID><dm:note>{device}</dm:note></dm:device>",
            self.host,
            degrees(lat),
            degrees(lon)
        ))
    }

    fn personal(&self) -> impl Iterator<Item = String> {
        let (lat, lon) = self.place;
        self.notes.iter().chain([&self.host]).cloned().chain([lat.to_string(), lon.to_string()])
    }
}

fn told() -> impl Strategy<Value = Told> {
    let note = "[а-я]{3,12}";
    let notes = [note, note, note, note, note];
    let place = (11_111_111..80_000_000_i64, 11_111_111..80_000_000_i64);
    (notes, place, "[k-m]{9,15}").prop_map(|(notes, place, host)| Told { notes, place, host })
}

/// The same members with values of the same kinds, and lists and texts as long.
fn same_shape(before: &Value<'_>, after: &Value<'_>) -> bool {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            old.len() == new.len()
                && old.iter().zip(new).all(|(old, new)| {
                    let address = old.name == "contact";
                    old.name == new.name && (address || same_shape(&old.value, &new.value))
                })
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same_shape(old, new))
        }
        (Value::String(old), Value::String(new)) => old.chars().count() == new.chars().count(),
        (old, new) => old.kind() == new.kind(),
    }
}

proptest! {
    #[test]
    fn of_an_input_nothing_is_left_that_people_wrote_and_all_that_rules_go_by(
        all in prop::collection::vec(told(), 1..4),
    ) {
        let devices = ["desk", "web", "room"];
        let publications = devices.iter().zip(&all).enumerate().map(|(number, (device, told))| {
            publication(device, minutes(-1), &told.document(number))
        });
        let mut set = set(publications.collect());
        set.registrations = all.iter().map(|told| Registration {
            contact: format!("sip:alice@{}:5060;transport=tcp", told.host),
            expires: minutes(60),
            ..Registration::default()
        }).collect();
        let builtin = compose(&set, NOW, Composition::Compose);
        let call = Call {
            set: &set, now: NOW, reason: Reason::Publish, changed_etag: Some("e-desk"), params: "{\"limit\":3}", local_time: None,
        };
        let input = write_input(&call, &builtin);
        let mut redactor = Redactor::new(AOR);
        let redacted = redactor.input(&input).unwrap();
        for personal in all.iter().flat_map(Told::personal) {
            prop_assert!(!redacted.contains(&personal), "{} in {}", personal, redacted);
        }
        prop_assert!(same_shape(&json::read(&input).unwrap(), &json::read(redacted.as_bytes()).unwrap()));
        prop_assert_eq!(Redactor::new(AOR).input(redacted.as_bytes()), Ok(redacted.clone()));
        for kept in ["\"etag\":\"e-desk\"", "\"id\":\"t0\"", "\"busy\"", "\"reason\":\"publish\"", "urn:d0", "{\"limit\":3}"] {
            prop_assert!(redacted.contains(kept), "no {} in {}", kept, redacted);
        }

        // The published documents, and what the same merge makes of them.
        let mut live = set.clone();
        Redactor::new(AOR).live_set(&mut live);
        let snapshot = Snapshot { set: live, now: NOW, composition: Composition::Compose };
        let written = snapshot.write_json();
        let read = Snapshot::read_json(written.as_bytes()).unwrap();
        let pidf = String::from_utf8(compose(&read.set, NOW, Composition::Compose).write_pidf()).unwrap();
        for personal in all.iter().flat_map(Told::personal) {
            prop_assert!(!written.contains(&personal) && !pidf.contains(&personal), "{} in {}", personal, written);
        }
        let (lat, lon) = all[0].place;
        let degrees = |e6: i64| format!("{}.{:06}", e6 / 1_000_000, e6 % 1_000_000);
        prop_assert!(!written.contains(&degrees(lat)) && !written.contains(&degrees(lon)), "{}", written);
        prop_assert_eq!(read.set.publications.len(), set.publications.len());

        // What comes of an answer that tells it all again, and says why.
        let note = &all[0].notes[2];
        let answer = format!(
            "{{\"abi\":1,\"set\":{{\"note\":[{{\"text\":\"{note}\"}}]}},\"explain\":[\"because {note}\"],\"more\":\"{note}\"}}"
        );
        let merged = apply(&call, &builtin, &read_output(answer.as_bytes(), &call).unwrap()).write_json();
        let (merged, answer) =
            (redactor.document(merged.as_bytes()).unwrap(), redactor.answer(answer.as_bytes()).unwrap());
        prop_assert!(read_output(answer.as_bytes(), &call).is_ok(), "{}", answer);
        for personal in all.iter().flat_map(Told::personal) {
            prop_assert!(!merged.contains(&personal) && !answer.contains(&personal), "{} {}", merged, answer);
        }
    }
}
