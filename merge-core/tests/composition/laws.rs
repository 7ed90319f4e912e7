//! The invariants, as laws over generated live sets.

use std::collections::BTreeMap;

use merge_core::compose::{Composition, compose};
use merge_core::live::{LiveSet, Publication, Registration, Switches};
use merge_core::model::Document;
use merge_core::time::Millis;
use proptest::prelude::*;

use crate::published::{NOW, document, minutes, pidf, publication, set};

// The last two look like names to a letter counter, but `ª` cannot begin one and `²` cannot stand in one.
const IDS: &[&str] = &["t1", "t2", "p1", "x", "0815", "t1-2", "", "ªa", "a²"];
const CONTACTS: &[&str] = &[
    "sip:alice@a.example.com",
    "sip:alice@A.EXAMPLE.com",
    "sip:alice@a.example.com;transport=tcp",
    "sip:alice@a.example.com;a=1",
    "sip:alice@a.example.com;a=2",
    "tel:+31201234567",
    "sip:%61lice@a.example.com",
];
const ACTIVITIES: &[&str] = &["away", "busy", "on-the-phone", "meeting", "unknown", "vacation"];

fn timestamp() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![
        None,
        None,
        Some("2026-11-21T12:00:00Z"),
        Some("2026-11-21T13:00:00+01:00"),
        Some("2026-11-21T12:00:00.5Z"),
        Some("2026-11-21T12:03:00Z"),
    ])
}

fn wrapped(name: &str, text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!("<{name}>{text}</{name}>"))
}

prop_compose! {
    fn tuple()(
        id in prop::sample::select(IDS),
        basic in prop::sample::select(vec![None, Some("open"), Some("closed")]),
        contact in prop::option::weighted(0.7, prop::sample::select(CONTACTS)),
        priority in prop::option::of(0..=1000_u32),
        class in prop::option::of("[a-c]"),
        foreign in prop::option::of(0..3_u32),
        note in prop::option::of(("(en|EN|nl)", "[ab]")),
        input in prop::sample::select(vec![None, None, Some("active"), Some("idle")]),
        at in timestamp(),
    ) -> String {
        // A second id of the tuple, and one of its status, now and then.
        let (second, inner) = match foreign {
            Some(0) => (" xml:id='i'", ""),
            Some(1) => ("", " xml:id='t1'"),
            _ => ("", ""),
        };
        let mut text = format!("<tuple{second} id='{id}'><status{inner}>{}", wrapped("basic", basic));
        if let Some(number) = foreign {
            text.push_str(&format!("<e:f xmlns:e='urn:example:{}' e:n='{number}'>x<e:g/>y</e:f>", number % 2));
        }
        text.push_str("</status>");
        if foreign == Some(2) {
            text.push_str("<rpid:place-is id='i' xml:id='x'><rpid:audio id='i'><rpid:ok id='i-2'/></rpid:audio></rpid:place-is>");
        }
        text.push_str(&wrapped("rpid:class", class.as_deref()));
        if let Some(input) = input {
            text.push_str(&format!("<rpid:user-input id='i'>{input}</rpid:user-input>"));
        }
        if let Some(contact) = contact {
            let priority = priority.map(|p| format!(" priority='{}.{:03}'", p / 1000, p % 1000));
            text.push_str(&format!("<contact{}>{contact}</contact>", priority.unwrap_or_default()));
        }
        if let Some((lang, note)) = note {
            text.push_str(&format!("<note xml:lang='{lang}'>{note}</note>"));
        }
        text + &wrapped("timestamp", at) + "</tuple>"
    }
}

prop_compose! {
    fn person()(
        id in prop::sample::select(IDS),
        activities in prop::option::of(prop::collection::vec(prop::sample::select(ACTIVITIES), 0..3)),
        mood in prop::option::of(prop::sample::select(vec!["happy", "sad"])),
        input in prop::sample::select(vec![None, Some("active"), Some("idle")]),
        note in prop::option::of("[ab]"),
        at in timestamp(),
    ) -> String {
        let mut text = format!("<dm:person id='{id}'>");
        if let Some(list) = activities {
            let inside: String = list.iter().map(|token| format!("<rpid:{token}/>")).collect();
            text.push_str(&format!("<rpid:activities>{inside}</rpid:activities>"));
        }
        if let Some(mood) = mood {
            text.push_str(&format!("<rpid:mood id='{id}'><rpid:{mood}/></rpid:mood>"));
        }
        text.push_str(&wrapped("rpid:user-input", input));
        text + &wrapped("dm:note", note.as_deref()) + &wrapped("dm:timestamp", at) + "</dm:person>"
    }
}

prop_compose! {
    fn device()(
        id in prop::sample::select(IDS),
        urn in prop::option::weighted(0.8, prop::sample::select(vec!["urn:d:1", "urn:d:2", "", " "])),
        input in prop::sample::select(vec![None, Some("active"), Some("idle")]),
        at in timestamp(),
    ) -> String {
        format!(
            "<dm:device id='{id}'>{}{}{}</dm:device>",
            wrapped("rpid:user-input", input), wrapped("dm:deviceID", urn), wrapped("dm:timestamp", at)
        )
    }
}

prop_compose! {
    fn inside()(
        tuples in prop::collection::vec(tuple(), 0..3),
        notes in prop::collection::vec("[ab]", 0..2),
        persons in prop::collection::vec(person(), 0..3),
        devices in prop::collection::vec(device(), 0..2),
        extensions in prop::collection::vec("[ab]", 0..2),
    ) -> String {
        let mut text = tuples.concat();
        for note in notes { text.push_str(&wrapped("note", Some(&note))); }
        text.push_str(&persons.concat());
        text.push_str(&devices.concat());
        for value in extensions {
            text.push_str(&format!("<e:more xmlns:e='urn:example:more' e:v='{value}'/>"));
        }
        document(&text)
    }
}

/// Up to five publications of four devices, at four moments.
fn publications() -> impl Strategy<Value = Vec<Publication>> {
    prop::collection::vec((0..5_usize, -4..0_i64, inside(), -1..3_i64), 1..6).prop_map(|list| {
        list.into_iter()
            .enumerate()
            .map(|(number, (device, at, text, ends))| {
                let mut made =
                    publication(["desk", "mobile", "web", "room", "x"][device], minutes(at), &text);
                if device == 4 {
                    // A device that nobody can tell from others: it supersedes nothing.
                    made.device.key.clear();
                }
                if device % 2 == 0 {
                    made.device.gruu = Some(format!("sip:alice@example.com;gr=urn:uuid:{device}"));
                }
                made.etag = format!("e{number}");
                made.expires = minutes(ends);
                made
            })
            .collect()
    })
}

fn how() -> impl Strategy<Value = Composition> {
    prop::sample::select(Composition::ALL.to_vec())
}

/// A result as what a node that received it would publish.
fn republished(result: &str, device: &str) -> Publication {
    publication(device, minutes(5), result)
}

fn ids(document: &Document) -> Vec<String> {
    document.root().ids().map(|(_, id)| id.into_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn neither_order_nor_etags_decide(
        list in publications(), how in how(), order in any::<[u8; 8]>(), salt in any::<u32>()
    ) {
        let expect = pidf(&set(list.clone()), how);
        let mut shuffled: Vec<(u8, Publication)> = order.into_iter().zip(list).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let mut other: Vec<Publication> = shuffled.into_iter().map(|(_, publication)| publication).collect();
        for (at, publication) in other.iter_mut().enumerate() {
            publication.etag = format!("{:x}", salt.wrapping_mul(at as u32 * 2 + 1));
        }
        prop_assert_eq!(pidf(&set(other), how), expect);
    }

    #[test]
    fn merging_a_result_changes_nothing_and_with_itself_neither(list in publications(), how in how()) {
        let result = pidf(&set(list), how);
        let alone = pidf(&set(vec![republished(&result, "a")]), how);
        prop_assert_eq!(&alone, &result);
        let twice = pidf(&set(vec![republished(&result, "a"), republished(&result, "b")]), how);
        prop_assert_eq!(&twice, &result);
    }

    #[test]
    fn every_id_is_an_id_and_there_once(list in publications(), how in how()) {
        let document = Document::read(pidf(&set(list), how).as_bytes()).unwrap();
        let all = ids(&document);
        let mut once = all.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), all.len(), "{:?}", all);
        for id in all {
            prop_assert!(merge_core::xml::is_ncname(&id), "{}", id);
        }
    }

    #[test]
    fn elements_stand_in_the_order_of_the_schema(list in publications(), how in how()) {
        let text = pidf(&set(list), how);
        let document = Document::read(text.as_bytes()).unwrap();
        let rank = |local: &str| match local { "tuple" => 0, "note" => 1, "person" => 2, "device" => 3, _ => 4 };
        let ranks: Vec<u8> = document.root().children().map(|child| rank(child.local())).collect();
        prop_assert!(ranks.is_sorted(), "{}", text);
        for tuple in document.tuples() {
            let rank = |local: &str| match local {
                "status" => 0, "contact" => 2, "note" => 3, "timestamp" => 4, _ => 1,
            };
            let ranks: Vec<u8> = tuple.element.children().map(|child| rank(child.local())).collect();
            prop_assert!(ranks.is_sorted() && ranks.first() == Some(&0), "{}", text);
        }
        prop_assert!(how == Composition::Union || document.persons().count() <= 1);
    }

    #[test]
    fn a_refresh_and_a_new_value_rename_nothing(list in publications(), at in any::<prop::sample::Index>()) {
        // The ids of the result by what they stand for, before and after one device publishes anew.
        let named = |set: &LiveSet| -> BTreeMap<String, String> {
            let document = Document::read(&compose(set, NOW, Composition::Union).write_pidf()).unwrap();
            document
                .tuples()
                .filter_map(|tuple| {
                    let mark = tuple.element.children().find(|child| child.local() == "mark")?;
                    Some((mark.value().into_owned(), tuple.id().into_owned()))
                })
                .collect()
        };
        let marked: Vec<Publication> = list
            .iter()
            .enumerate()
            .map(|(number, old)| {
                let mut tuple = 0;
                let text: String = old.document.source().split_inclusive("</status>").map(|part| {
                    tuple += 1;
                    let mark = format!("<e:mark xmlns:e='urn:example:mark'>{number}/{tuple}</e:mark>");
                    if part.ends_with("</status>") { format!("{part}{mark}") } else { part.to_owned() }
                }).collect();
                let mut new = publication("desk", old.received, &text);
                new.device.key = format!("device {number}");
                new.etag = old.etag.clone();
                new
            })
            .collect();
        let before = named(&set(marked.clone()));
        let mut after = marked;
        let changed = at.index(after.len());
        let text = after[changed].document.source().replace(">open<", ">closed<");
        let key = after[changed].device.key.clone();
        after[changed] = publication("desk", minutes(0), &text);
        after[changed].device.key = key;
        after[changed].etag = "another".into();
        prop_assert_eq!(named(&set(after)), before);
    }

    #[test]
    fn nothing_that_was_said_is_lost_in_a_union(list in publications()) {
        let set = set(list);
        let composed = compose(&set, NOW, Composition::Union);
        let result = Document::read(&composed.write_pidf()).unwrap();
        let tuples: usize = composed.publications().map(|p| p.document.tuples().count()).sum();
        let fields = |document: &Document| {
            let mut all: Vec<String> = document
                .root()
                .subtree()
                .filter(|element| !matches!(element.local(), "presence" | "timestamp" | "note" | "deviceID" | "more"))
                .map(|element| format!("{:?}={}", element.name(), element.value()))
                .collect();
            all.sort();
            all.dedup();
            all
        };
        let said: Vec<String> = composed.publications().flat_map(|p| fields(&p.document)).collect();
        let kept = fields(&result);
        for one in said {
            prop_assert!(kept.contains(&one), "{one} is lost");
        }
        prop_assert!(result.tuples().count() <= tuples);
    }

    #[test]
    fn an_explanation_names_only_what_is_live(list in publications(), how in how()) {
        let set = set(list);
        let composed = compose(&set, NOW, how);
        let live: Vec<&str> = composed.publications().map(|p| p.etag.as_str()).collect();
        for entry in composed.explain().entries {
            for etag in entry.etag.iter().chain(entry.beat.iter().filter_map(|beaten| beaten.etag.as_ref())) {
                prop_assert!(live.contains(&etag.as_str()), "{:?}", entry);
            }
            prop_assert!(!entry.reason.is_empty());
        }
    }

    #[test]
    fn registrations_alone_compose_in_any_order(
        list in prop::collection::vec(("sip:[ab]@[cd]", prop::option::of("[ef]"), 0..=1000_u16, -1..2_i64), 0..6),
        uses in any::<bool>(), closed in any::<bool>(),
    ) {
        let mut set = set(Vec::new());
        set.switches = Switches {
            presence_uses_registration_state: uses,
            notify_closed_state_for_non_published_users: closed,
        };
        let mut seen = std::collections::BTreeSet::new();
        set.registrations = list
            .into_iter()
            .filter(|(contact, ..)| seen.insert(contact.clone()))
            .map(|(contact, instance, q_milli, ends)| Registration {
                contact, instance, q_milli, expires: minutes(ends), ..Registration::default()
            })
            .collect();
        let expect = pidf(&set, Composition::Compose);
        Document::read(expect.as_bytes()).unwrap();
        set.registrations.reverse();
        prop_assert_eq!(pidf(&set, Composition::Compose), expect);
    }
}

/// 32 publications of 400 tuples each that all claim one id and all but one contact: linear, or this test
/// does not come back.
#[test]
fn hostile_sets_are_composed_in_time() {
    let hostile = |what: &dyn Fn(usize, usize) -> String| {
        let list = (0..32_usize).map(|device| {
            let inside: String = (0..400).map(|number| what(device, number)).collect();
            let mut made = publication("device", Millis(NOW.0 - 1), &document(&inside));
            made.device.key = format!("device {device}");
            made.etag = made.device.key.clone();
            made
        });
        set(list.collect())
    };
    let tuple = |device: usize, number: usize| {
        format!("<tuple id='t'><status/><contact>sip:a@h;p{number}={device}</contact></tuple>")
    };
    // Contacts of one host that would have to be taken apart parameter by parameter, or searched for their host.
    let parameters = |device: usize, number: usize| match (device, number) {
        (0..12, 0) => {
            let all: String = (device..8000).map(|at| format!(";p{at}")).collect();
            format!("<tuple id='t'><status/><contact>sip:a@h{all}</contact></tuple>")
        }
        (12..24, 0) => {
            let user = ";".repeat(60_000 + device);
            format!("<tuple id='t'><status/><contact>sip:{user}@h</contact></tuple>")
        }
        _ => String::new(),
    };
    let notes = |device: usize, number: usize| format!("<note>{device} {number}</note>");
    let fields =
        |device: usize, number: usize| format!("<e:f{number} xmlns:e='urn:e'>{device}</e:f{number}>");
    for how in Composition::ALL {
        for set in [hostile(&tuple), hostile(&parameters), hostile(&notes), hostile(&fields)] {
            Document::read_with(
                &compose(&set, NOW, how).write_pidf(),
                &merge_core::xml::Limits {
                    bytes: 16 << 20,
                    nodes: 60_000,
                    ..merge_core::xml::Limits::DEFAULT
                },
            )
            .unwrap();
        }
    }
    let person = |device: usize| {
        let inside: String = (0..400).map(|number| fields(device, number)).collect();
        let mut made =
            publication("device", NOW, &document(&format!("<dm:person id='p'>{inside}</dm:person>")));
        made.device.key = format!("device {device}");
        made
    };
    let set = set((0..32).map(person).collect());
    assert_eq!(pidf(&set, Composition::Compose).matches("</e:f").count(), 400);
}
