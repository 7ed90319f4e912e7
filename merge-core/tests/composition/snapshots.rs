//! The JSON form of a live set.

use merge_core::compose::{Composition, compose};
use merge_core::live::{Dialog, Registration, Snapshot, Switches};

use crate::published::{NOW, four_phones, set};

fn full() -> Snapshot {
    let mut set = set(four_phones());
    set.presentity.tenant = "acme".into();
    set.presentity.groups = vec!["sales".into()];
    set.presentity.locale = Some("nl".into());
    set.switches = Switches {
        presence_uses_registration_state: true,
        notify_closed_state_for_non_published_users: false,
    };
    set.registrations.push(Registration {
        contact: "sip:alice@192.0.2.1".into(),
        instance: Some("urn:uuid:1".into()),
        q_milli: 700,
        expires: NOW,
        user_agent: None,
        transport: "ws".into(),
    });
    set.dialogs.push(Dialog {
        id: "d-1".into(),
        state: "early".into(),
        direction: "recipient".into(),
        since: NOW,
        device: Some("desk".into()),
    });
    Snapshot { set, now: NOW, composition: Composition::MostAvailable }
}

#[test]
fn a_live_set_survives_its_json_form() {
    let snapshot = full();
    let text = snapshot.write_json();
    let read = Snapshot::read_json(text.as_bytes()).unwrap();
    assert_eq!(read.write_json(), text);
    assert_eq!(read.set.registrations, snapshot.set.registrations);
    assert_eq!(read.set.dialogs, snapshot.set.dialogs);
    assert_eq!(read.set.presentity, snapshot.set.presentity);
    let bytes = |snapshot: &Snapshot| compose(&snapshot.set, snapshot.now, snapshot.composition).write_pidf();
    assert_eq!(bytes(&read), bytes(&snapshot));
}

#[test]
fn little_is_needed_and_what_is_wrong_is_named() {
    let check = |text: &str, expect: Result<usize, &str>| {
        let got = Snapshot::read_json(text.as_bytes()).map(|read| read.set.publications.len());
        assert_eq!(got.map_err(|error| error.to_string()), expect.map_err(str::to_owned), "{text}");
    };
    check(r#"{"aor":"sip:alice@example.com"}"#, Ok(0));
    let good = r#"{"aor":"sip:a@b","publications":[{"pidf":"<presence xmlns='urn:ietf:params:xml:ns:pidf'/>"}],"more":[1]}"#;
    check(good, Ok(1));
    check("{}", Err("aor: is missing"));
    check(r#"{"aor":1}"#, Err("aor: is not a string"));
    check(r#"{"aor":"sip:a@b","publications":[{}]}"#, Err("publications[0].pidf: is missing"));
    check(
        r#"{"aor":"sip:a@b","composition":"best"}"#,
        Err("composition: is not one of compose, union, newest, most-available"),
    );
    check(
        r#"{"aor":"sip:a@b","registrations":[{"contact":"sip:x","q_milli":1001}]}"#,
        Err("registrations[0].q_milli: is not between 0 and 1000"),
    );
    check(r#"{"aor":"sip:a@b","now_ms":1.5}"#, Err("a number that is not written as an integer (byte 26)"));
}
