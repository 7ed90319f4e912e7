//! The rules of the composition, one table a rule.

use merge_core::compose::{Basis, Composition, compose};
use merge_core::live::{Dialog, LiveSet, Publication, Registration, Snapshot, Switches};
use merge_core::model::Document;
use merge_core::time::Millis;

use crate::published::{NOW, document, minutes, pidf, publication, set};

fn person(inside: &str) -> String {
    document(&format!("<dm:person id=\"p\">{inside}</dm:person>"))
}

fn activity(token: &str) -> String {
    format!("<rpid:activities><rpid:{token}/></rpid:activities>")
}

fn input(word: &str) -> String {
    format!("<rpid:user-input>{word}</rpid:user-input>")
}

/// A day of one device each: at -10, -9, ... minutes.
fn devices(texts: &[String]) -> LiveSet {
    let names = ["a", "b", "c", "d"];
    set(texts
        .iter()
        .zip(-10..)
        .zip(names)
        .map(|((text, at), name)| publication(name, minutes(at), text))
        .collect())
}

fn composed(set: &LiveSet, how: Composition) -> Document {
    Document::read(pidf(set, how).as_bytes()).unwrap()
}

fn tokens(document: &Document) -> Vec<String> {
    let person = document.persons().next();
    let list = person.and_then(|person| person.activities());
    list.into_iter().flat_map(|list| list.values().map(|v| v.token.to_owned()).collect::<Vec<_>>()).collect()
}

#[test]
fn extensions_are_one_only_when_text_and_elements_stand_in_the_same_places() {
    let check = |one: &str, other: &str, expect: usize| {
        let extension = |inside: &str| document(&format!("<e:x xmlns:e='urn:example'>{inside}</e:x>"));
        let result = composed(&devices(&[extension(one), extension(other)]), Composition::Compose);
        assert_eq!(result.extensions().count(), expect, "{one} and {other}");
    };
    check("a<e:b/>c", "a<e:b/>c", 1);
    check("a<e:b/>c", "ac<e:b/>", 2);
    check("a<e:b/>c", "a <e:b/>c", 2);
    check("a<e:b/><e:b/>c", "a<e:b/>c<e:b/>", 2);
    check("<e:b>x</e:b><e:b/>", "<e:b/><e:b>x</e:b>", 2);
    check(" <e:b/>\n<e:b/>", "<e:b/><e:b/>", 1);
    check(" a ", "<![CDATA[a]]>", 1);
    check(" ", "", 1);
}

#[test]
fn the_newest_explicit_activity_wins_over_newer_plain_ones() {
    let check = |newest_last: &[&str], expect: &str| {
        let texts: Vec<String> = newest_last.iter().map(|inside| person(inside)).collect();
        assert_eq!(tokens(&composed(&devices(&texts), Composition::Compose)), [expect], "{newest_last:?}");
    };
    let phone = activity("on-the-phone");
    let meeting = activity("meeting");
    let unknown = activity("unknown");
    let away = activity("away");
    let vacation = activity("vacation");
    check(&[&phone, &meeting], "meeting");
    check(&[&meeting, &phone], "on-the-phone");
    check(&[&phone, &unknown], "on-the-phone");
    check(&[&phone, "<rpid:activities/>"], "on-the-phone");
    let available = "<rpid:activities><a:available xmlns:a=\"urn:example:a\"/></rpid:activities>";
    check(&[&phone, available], "on-the-phone");
    check(&[&phone, &away], "away");
    // Idleness noticed is no word of its own; a vacation is, wherever it was said.
    let idle_away = format!("{away}{}", input("idle"));
    check(&[&phone, &idle_away], "on-the-phone");
    check(&[&unknown, &idle_away], "unknown");
    let idle_vacation = format!("{vacation}{}", input("idle"));
    check(&[&unknown, &idle_vacation], "vacation");
    // An idle device yields to one in use, though it spoke last.
    check(&[&phone, &format!("{meeting}{}", input("idle"))], "on-the-phone");
}

#[test]
fn fields_of_the_person_come_newest_first_and_from_all() {
    let texts = [
        person(
            "<rpid:mood><rpid:happy/></rpid:mood><rpid:sphere><rpid:work/></rpid:sphere><dm:note>old</dm:note>",
        ),
        person("<rpid:mood><rpid:sad/></rpid:mood><dm:note>new</dm:note><dm:note>old</dm:note>"),
    ];
    let result = composed(&devices(&texts), Composition::Compose);
    assert_eq!(result.persons().count(), 1);
    let person = result.persons().next().unwrap();
    assert!(person.mood().unwrap().has("sad"));
    assert!(person.fields().any(|field| field.local() == "sphere"));
    assert_eq!(person.notes().map(|note| note.text().into_owned()).collect::<Vec<_>>(), ["new", "old"]);
    assert_eq!(person.timestamp(), Some(minutes(-9)));
}

#[test]
fn a_person_idle_here_and_active_there_is_active() {
    let check = |a: String, b: String, expect: Option<bool>| {
        let result = composed(&devices(&[a, b]), Composition::Compose);
        let idle =
            result.persons().next().and_then(|person| person.user_input()).map(|input| input.is_idle());
        assert_eq!(idle, expect);
    };
    let device = |word| {
        document(&format!("<dm:device id=\"d\">{}<dm:deviceID>urn:d</dm:deviceID></dm:device>", input(word)))
    };
    check(person(&input("active")), person(&input("idle")), Some(false));
    check(device("active"), person(&input("idle")), Some(false));
    check(device("idle"), person(&input("idle")), Some(true));
    check(device("active"), person(""), None);
}

#[test]
fn a_timestamp_says_who_is_newest_not_the_time_of_receipt() {
    let dated = |at: &str, mood: &str| {
        person(&format!("<rpid:mood><rpid:{mood}/></rpid:mood><dm:timestamp>{at}</dm:timestamp>"))
    };
    let texts = [dated("2026-11-21T12:05:00Z", "happy"), dated("2026-11-21T17:04:59+05:00", "sad")];
    let result = composed(&devices(&texts), Composition::Compose);
    assert!(result.persons().next().unwrap().mood().unwrap().has("happy"));
}

#[test]
fn a_call_is_a_word_on_the_phone_as_new_as_the_call() {
    let check = |published: &str, at: i64, since: i64, state: &str, expect: &[&str]| {
        let mut set = devices(&[]);
        set.publications.push(publication("a", minutes(at), &person(&activity(published))));
        set.dialogs.push(Dialog {
            id: "d".into(),
            state: state.into(),
            since: minutes(since),
            ..Dialog::default()
        });
        assert_eq!(tokens(&composed(&set, Composition::Compose)), expect, "{published} {at} {since} {state}");
    };
    check("meeting", -5, -4, "confirmed", &["on-the-phone"]);
    check("meeting", -4, -5, "confirmed", &["meeting"]);
    check("unknown", -4, -5, "confirmed", &["on-the-phone"]);
    check("meeting", -5, -4, "early", &["meeting"]);
}

fn tuple(id: &str, basic: &str, contact: &str, more: &str) -> String {
    format!(
        "<tuple id=\"{id}\"><status><basic>{basic}</basic></status><contact{more}>{contact}</contact></tuple>"
    )
}

fn ids(set: &LiveSet, how: Composition) -> Vec<String> {
    composed(set, how).tuples().map(|tuple| tuple.id().into_owned()).collect()
}

#[test]
fn tuples_come_open_first_then_by_priority_then_newest_then_by_id() {
    let a = tuple("a", "closed", "sip:a@a", " priority=\"1\"")
        + &tuple("b", "open", "sip:b@a", " priority=\"0.2\"");
    let b = tuple("c", "open", "sip:c@a", " priority=\"0.9\"") + &tuple("d", "open", "sip:d@a", "");
    let c = tuple("z", "open", "sip:z@a", " priority=\"0.2\"")
        + &tuple("e", "open", "sip:e@a", " priority=\"0.2\"");
    let set = devices(&[document(&a), document(&b), document(&c)]);
    assert_eq!(ids(&set, Composition::Compose), ["c", "e", "z", "b", "d", "a"]);
}

#[test]
fn contacts_that_are_equal_make_one_service_chains_included() {
    let one = |id: &str, contact: &str| document(&tuple(id, "open", contact, ""));
    let check = |contacts: &[&str], expect: usize| {
        let texts: Vec<String> = contacts.iter().zip(["a", "b", "c"]).map(|(c, id)| one(id, c)).collect();
        assert_eq!(ids(&devices(&texts), Composition::Compose).len(), expect, "{contacts:?}");
    };
    check(&["sip:alice@example.com", "sip:alice@EXAMPLE.com", "SIP:%61lice@example.com"], 1);
    check(&["sip:alice@example.com", "sip:Alice@example.com"], 2);
    check(&["sip:alice@example.com;a=1", "sip:alice@example.com;a=2"], 2);
    check(&["sip:alice@example.com;a=1", "sip:alice@example.com", "sip:alice@example.com;a=2"], 1);
    check(&["sip:alice@example.com", "sip:alice@example.com:5060"], 2);
    check(&["tel:+31201234567", "tel:+31201234567"], 1);
    check(&["sip:a;b@example.com", "sip:a;b@Example.com", "sip:a?b@example.com"], 2);
    // Of two devices, and of the user.
    check(&["sip:alice@example.com;gr=1", "sip:alice@example.com", "sip:alice@example.com;gr=2"], 3);
}

#[test]
fn r24_a_registered_device_is_shown_with_its_gruu_where_it_names_no_better_contact() {
    let gruu = "sip:alice@example.com;gr=urn:uuid:1";
    let desk =
        "<tuple id='d'><status><basic>open</basic></status><contact>sip:alice@example.com</contact></tuple>";
    let check = |contact: &str, expect: &str| {
        let text = document(&format!("<tuple id='t'><status><basic>open</basic></status>{contact}</tuple>"));
        let mut set = devices(&[text, document(desk)]);
        set.publications[0].device.instance = Some("urn:uuid:1".into());
        set.publications[0].device.gruu = Some(gruu.into());
        set.registrations.push(Registration {
            contact: "sip:alice@192.0.2.7:5071;transport=tcp".into(),
            instance: Some("urn:uuid:1".into()),
            expires: minutes(5),
            ..Registration::default()
        });
        for how in [Composition::Compose, Composition::Union, Composition::MostAvailable] {
            let composed = compose(&set, NOW, how);
            let written = String::from_utf8(composed.write_pidf()).unwrap();
            assert!(written.contains(&format!("{expect}</contact>")), "{contact} {how:?}: {written}");
            assert_eq!(written.matches("<tuple ").count(), 2, "{written}");
            let contact = composed.explain().get("tuple/t/contact").cloned().unwrap();
            assert!(expect.ends_with(&contact.value), "{contact:?}");
            let again = set.clone();
            let json = Snapshot { set: again, now: NOW, composition: how }.write_json();
            let read = Snapshot::read_json(json.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(compose(&read.set, NOW, how).write_pidf()).unwrap(), written);
        }
    };
    check("", &format!("<contact>{gruu}"));
    check("<contact/>", &format!("<contact>{gruu}"));
    check(
        "<contact priority='0.8'>sip:alice@Example.com</contact>",
        &format!("<contact priority=\"0.8\">{gruu}"),
    );
    for no_better in [
        "sips:alice@example.com",
        "pres:alice@example.com",
        "sip:alice@192.0.2.7:5071;transport=TCP",
        "sip:k3@q.Invalid;transport=ws",
    ] {
        check(&format!("<contact>{no_better}</contact>"), &format!("<contact>{gruu}"));
    }
    for better in [
        "sip:alice@example.com;gr=urn:uuid:1",
        "sip:alice@192.0.2.7:5060;transport=tcp",
        "sip:alice@invalid.example.com",
        "tel:+31201234567",
        "mailto:alice@example.com",
    ] {
        check(&format!("<contact>{better}</contact>"), &format!("<contact>{better}"));
    }
}

#[test]
fn a_device_that_speaks_of_two_services_is_shown_with_both() {
    let text = document(
        "<tuple id='a'><status><basic>open</basic></status></tuple>\
         <tuple id='b'><status><basic>closed</basic></status></tuple>",
    );
    let mut set = devices(&[text]);
    set.publications[0].device.gruu = Some("sip:alice@example.com;gr=1".into());
    let once = pidf(&set, Composition::Compose);
    assert_eq!(once.matches(";gr=1</contact>").count(), 2);
    assert_eq!(pidf(&devices(std::slice::from_ref(&once)), Composition::Compose), once);
}

#[test]
fn many_contacts_are_grouped_as_few_are() {
    // The same 30 contacts by the way for few, in three sets, and by the way for many, in one.
    let contacts: Vec<String> = (0..30)
        .map(|n| format!("sip:u{}@{};p{}={n}", n % 5, ["h.example", "H.Example"][n % 2], n % 3))
        .collect();
    let texts: Vec<String> = contacts.iter().map(|c| document(&tuple("t", "open", c, ""))).collect();
    let publish = |texts: &[String]| {
        let list = texts.iter().enumerate().map(|(n, text)| {
            let mut made = publication("d", minutes(-1), text);
            made.device.key = format!("device {n:02}");
            made
        });
        set(list.collect::<Vec<Publication>>())
    };
    let groups = ids(&publish(&texts), Composition::Compose).len();
    let mut parent: Vec<usize> = (0..30).collect();
    for a in 0..30 {
        for b in 0..30 {
            if merge_core::uri::same_contact(&contacts[a], &contacts[b]) {
                let (from, to) = (parent[a], parent[b]);
                parent.iter_mut().filter(|p| **p == from).for_each(|p| *p = to);
            }
        }
    }
    parent.sort_unstable();
    parent.dedup();
    assert_eq!(groups, parent.len());
}

#[test]
fn of_two_publications_of_one_device_the_newer_counts() {
    let mut set = devices(&[
        document(&tuple("old", "open", "sip:a@a", "")),
        document(&tuple("new", "closed", "sip:b@b", "")),
    ]);
    set.publications.iter_mut().for_each(|publication| publication.device.key = "desk".into());
    for how in Composition::ALL {
        assert_eq!(ids(&set, how), ["new"], "{}", how.as_str());
    }
    // When the newer ends, the older is there again.
    set.publications[1].expires = NOW;
    assert_eq!(ids(&set, Composition::Compose), ["old"]);
    // Without a name nobody knows that it was the same.
    set.publications[1].expires = minutes(1);
    set.publications.iter_mut().for_each(|publication| publication.device.key.clear());
    assert_eq!(ids(&set, Composition::Compose), ["old", "new"]);
}

#[test]
fn devices_merge_by_their_device_id() {
    let device = |id: &str, urn: &str, more: &str| {
        format!("<dm:device id=\"{id}\">{more}<dm:deviceID>{urn}</dm:deviceID></dm:device>")
    };
    let set = devices(&[
        document(
            &(device("x", "urn:d:1", "<rpid:class>a</rpid:class><dm:deviceID/>")
                .replace("<dm:deviceID/>", "")
                + &device("y", "urn:d:2", "")),
        ),
        document(&device("z", "urn:d:1", &input("idle"))),
    ]);
    let result = composed(&set, Composition::Compose);
    let list: Vec<_> = result
        .devices()
        .map(|d| (d.id().into_owned(), d.device_id().into_owned(), d.fields().count()))
        .collect();
    assert_eq!(list, [("x".into(), "urn:d:1".into(), 2), ("y".into(), "urn:d:2".to_owned(), 0)]);
    assert_eq!(composed(&set, Composition::Union).devices().count(), 3);
}

#[test]
fn newest_is_one_device_alone_and_most_available_the_best_of_them() {
    let open = |id: &str, more: &str| {
        document(
            &(tuple(id, "open", &format!("sip:{id}@h"), "")
                + &format!("<dm:person id=\"p\">{more}</dm:person>")),
        )
    };
    let closed = document(&tuple("c", "closed", "sip:c@h", ""));
    let set = devices(&[
        open("free", ""),
        open("busy", &activity("on-the-phone")),
        open("idle", &(activity("away") + &input("idle"))),
        closed,
    ]);
    assert_eq!(ids(&set, Composition::Newest), ["c"]);
    assert_eq!(tokens(&composed(&set, Composition::Compose)), ["on-the-phone"]);
    assert_eq!(tokens(&composed(&set, Composition::MostAvailable)), [""; 0]);
    let shared = devices(&[
        document(&tuple("a", "open", "sip:alice@h", "")),
        document(&tuple("b", "closed", "sip:alice@h", "")),
    ]);
    let basic = |how| composed(&shared, how).tuples().next().unwrap().basic().unwrap().as_str();
    assert_eq!(basic(Composition::Compose), "closed");
    assert_eq!(basic(Composition::MostAvailable), "open");
}

#[test]
fn with_nothing_published_the_switches_decide() {
    let registered = Registration {
        contact: "sip:alice@192.0.2.7".into(),
        q_milli: 500,
        expires: minutes(1),
        transport: "ws".into(),
        ..Registration::default()
    };
    let check = |registrations: &[Registration], uses: bool, closed: bool, expect: Basis, tuples: usize| {
        let mut set = devices(&[]);
        set.registrations = registrations.to_vec();
        set.switches = Switches {
            presence_uses_registration_state: uses,
            notify_closed_state_for_non_published_users: closed,
        };
        let composed = compose(&set, NOW, Composition::Compose);
        assert_eq!(composed.basis(), expect);
        assert_eq!(composed.is_empty(), expect == Basis::Nothing);
        let document = Document::read(&composed.write_pidf()).unwrap();
        assert_eq!(document.tuples().count(), tuples);
        crate::xsd::check("nothing published", &String::from_utf8(composed.write_pidf()).unwrap());
    };
    let list = [
        registered.clone(),
        Registration { contact: "sip:b@192.0.2.8".into(), q_milli: 900, ..registered.clone() },
    ];
    check(&list, true, false, Basis::Registered, 2);
    check(&list, false, true, Basis::Closed, 1);
    check(&list, false, false, Basis::Nothing, 0);
    check(&[], true, true, Basis::Closed, 1);
    check(&[Registration { expires: NOW, ..registered }], true, false, Basis::Nothing, 0);
    // One device, by two flows, is shown once, and where it is reached.
    let device = |contact: &str, q_milli| Registration {
        contact: contact.into(),
        instance: Some("urn:uuid:1".into()),
        q_milli,
        ..list[0].clone()
    };
    let mut set = devices(&[]);
    set.registrations = [device("sip:alice@x.invalid", 300), device("sip:alice@y.invalid", 400)].into();
    set.switches.presence_uses_registration_state = true;
    let text = pidf(&set, Composition::Compose);
    assert!(
        text.contains("<contact priority=\"0.4\">sip:alice@example.com;gr=urn:uuid:1</contact>"),
        "{text}"
    );
    assert_eq!(text.matches("<tuple ").count(), 1);
    // A publication outweighs both switches: repro called such a user closed.
    let mut set = devices(&[document(&tuple("t", "open", "sip:a@a", ""))]);
    set.switches.notify_closed_state_for_non_published_users = true;
    assert_eq!(compose(&set, NOW, Composition::Compose).basis(), Basis::Published);
}

#[test]
fn the_entity_is_the_presentity_and_escaped() {
    let mut set = devices(&[document("")]);
    set.presentity.aor = "sip:a&\"b\"@example.com".into();
    let text = pidf(&set, Composition::Compose);
    assert!(text.contains("entity=\"sip:a&amp;&quot;b&quot;@example.com\""), "{text}");
}

#[test]
fn a_refresh_changes_nothing_in_the_result() {
    let before = devices(&[person(&activity("away")), document(&tuple("t", "open", "sip:a@a", ""))]);
    let mut after = before.clone();
    after.publications[0].etag = "another".into();
    after.publications[0].expires = Millis(after.publications[0].expires.0 + 1000);
    assert_eq!(pidf(&before, Composition::Compose), pidf(&after, Composition::Compose));
}
