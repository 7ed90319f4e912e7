//! Who watches registrations (RFC 3680, RFC 5628).

use crate::scene::*;
use tributary_engine::{Config, Effect, Effects, Registrar};
use tributary_sip::{Message, Name, SealingKeys};

#[path = "../../../../merge-core/tests/support/xmllint.rs"]
mod xmllint;

/// What a document says, a line for the registration and for each contact: state, event, and what is in the URI.
#[track_caller]
fn read(notify: &Message) -> Vec<String> {
    assert_eq!(notify.header(Name::ContentType), Some("application/reginfo+xml"));
    let verdict = xmllint::judge("registrations.xsd", notify.body());
    assert_eq!(verdict, "", "{}", body(notify));
    let tree = merge_core::xml::Tree::read(notify.body()).unwrap();
    let attribute = |element: merge_core::xml::Element<'_>, name: &str| {
        element.attribute(name).map(|value| value.into_owned()).unwrap_or_default()
    };
    let root = tree.root();
    let mut lines = Vec::new();
    for registration in root.children() {
        let (state, version) = (attribute(root, "state"), attribute(root, "version"));
        assert_eq!(attribute(registration, "aor"), "sip:alice@example.com");
        lines.push(format!("{state} {version} {}", attribute(registration, "state")));
        for contact in registration.children() {
            let uri = contact.children().next().unwrap().value().into_owned();
            let gruus: Vec<_> = contact
                .children()
                .filter(|child| child.local().ends_with("-gruu"))
                .map(|child| child.local())
                .collect();
            let (state, event) = (attribute(contact, "state"), attribute(contact, "event"));
            lines.push(format!("{state} {event} {uri} {}", gruus.join(" ")).trim_end().to_owned());
        }
    }
    lines
}

fn subscribe_text(scene: &mut Scene, client: &Client, more: &str) -> String {
    client.subscribe_text(scene, "alice", more).replace("Event: presence", "Event: reg")
}

#[track_caller]
fn watch(scene: &mut Scene, client: &Client) -> (Watch, Vec<String>) {
    let text = subscribe_text(scene, client, "Accept: application/reginfo+xml\r\nExpires: 3600\r\n");
    let answer = scene.ask(client.flow, &text);
    assert_eq!(code(&answer), 200);
    let watch = Watch::of(&answer);
    (watch, read(&scene.notified(client.flow)))
}

#[test]
fn a_user_watches_devices_come_and_go_and_is_told_why() {
    let mut scene = Scene::new();
    scene.keys = Some(SealingKeys::new([9; 32], &[]));
    scene.restart(0);
    let watcher = Client::new(&mut scene, "alice", None);
    let (_, first) = watch(&mut scene, &watcher);
    assert_eq!(first, ["full 0 init"]);
    let mut phone = Client::new(&mut scene, "alice", Some("urn:uuid:phone"));
    let mut page = Client::new(&mut scene, "alice", None);
    let told = |scene: &mut Scene, expect: &[String]| {
        let notify = scene.notified(watcher.flow);
        assert_eq!(read(&notify), expect);
        assert!(scene.inbox(watcher.flow).is_empty());
    };
    phone.register(&mut scene);
    let phone_is = |what: &str| format!("{what} {}", phone.contact);
    let with_gruus = phone_is("active registered") + " pub-gruu temp-gruu";
    told(&mut scene, &["partial 1 active".into(), with_gruus.clone()]);
    page.register(&mut scene);
    told(&mut scene, &["partial 2 active".into(), format!("active registered {}", page.contact)]);
    // That it lives on is no news.
    page.register(&mut scene);
    assert!(scene.inbox(watcher.flow).is_empty());
    // Who begins now gets all there is.
    let other = Client::new(&mut scene, "alice", None);
    let (_, all) = watch(&mut scene, &other);
    assert_eq!(all, ["full 0 active".into(), with_gruus, format!("active registered {}", page.contact)]);
    // The device restarts, and has the same contact.
    let restarted = phone.clone();
    phone.register_call = scene.number();
    phone.register(&mut scene);
    let expect = format!("active refreshed {} pub-gruu temp-gruu", restarted.contact);
    told(&mut scene, &["partial 3 active".into(), expect.clone()]);
    assert_eq!(read(&scene.notified(other.flow)), ["partial 1 active".into(), expect]);
    // It has another one.
    let old = std::mem::replace(&mut phone.contact, "sip:alice@new.invalid;transport=ws".to_owned());
    phone.register(&mut scene);
    let expect = [
        "partial 4 active".into(),
        format!("terminated unregistered {old}"),
        "active registered sip:alice@new.invalid;transport=ws pub-gruu temp-gruu".into(),
    ];
    told(&mut scene, &expect);
    scene.disconnect(phone.flow);
    let expect = format!("terminated deactivated {}", phone.contact);
    told(&mut scene, &["partial 5 active".into(), expect]);
    page.unregister(&mut scene);
    let expect = format!("terminated unregistered {}", page.contact);
    told(&mut scene, &["partial 6 terminated".into(), expect]);
    page.register(&mut scene);
    told(&mut scene, &["partial 7 active".into(), format!("active registered {}", page.contact)]);
    scene.pass(601_000);
    told(&mut scene, &["partial 8 terminated".into(), format!("terminated expired {}", page.contact)]);
}

#[test]
fn the_registrations_of_another_are_for_those_whom_the_operator_names() {
    let registrar = Registrar { watchers: vec!["sip:pbx@example.com".to_owned()], ..Registrar::default() };
    let mut scene = Scene::with(Config { registrar, ..config() });
    let bob = Client::new(&mut scene, "bob", None);
    let text = subscribe_text(&mut scene, &bob, "");
    assert_eq!(code(&scene.ask(bob.flow, &text)), 403);
    let pbx = Client::new(&mut scene, "pbx", None);
    assert_eq!(watch(&mut scene, &pbx).1, ["full 0 init"]);
    let text = subscribe_text(&mut scene, &pbx, "Accept: application/pidf+xml\r\n");
    let answer = scene.ask(pbx.flow, &text);
    assert_eq!((code(&answer), answer.header(Name::Accept)), (406, Some("application/reginfo+xml")));
    assert_eq!(scene.counts().subscriptions, 1);
}

#[test]
fn a_refresh_and_a_poll_get_all_there_is_and_nothing_is_left_of_them() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    alice.register(&mut scene);
    let registered = format!("active registered {}", alice.contact);
    let (mut one, _) = watch(&mut scene, &alice);
    for (expires, version) in [("Expires: 3600\r\n", 1), ("Expires: 0\r\n", 2)] {
        let text = alice.refresh_text(&mut scene, &mut one, expires).replace("Event: presence", "Event: reg");
        assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
        let notify = scene.notified(alice.flow);
        assert_eq!(read(&notify), [format!("full {version} active"), registered.clone()]);
    }
    let text = subscribe_text(&mut scene, &alice, "Expires: 0\r\n");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
    let notify = scene.notified(alice.flow);
    assert_eq!(read(&notify), ["full 0 active".to_owned(), registered]);
    assert!(notify.header(Name::SubscriptionState).unwrap().starts_with("terminated"));
    assert_eq!(scene.counts().subscriptions, 0);
    // A dialog is about one event.
    let (mut one, _) = watch(&mut scene, &alice);
    assert_eq!(code(&alice.refresh(&mut scene, &mut one, "")), 481);
    // Nobody is told any more, and presence is as it was.
    alice.unregister(&mut scene);
}

#[test]
fn who_watches_presence_and_who_watches_registrations_get_each_their_own() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    watch(&mut scene, &alice);
    alice.announce(&mut scene, "open");
    assert_eq!(scene.notified(bob.flow).header(Name::ContentType), Some("application/pidf+xml"));
    assert!(scene.inbox(alice.flow).is_empty());
    let text = alice.register_text(&mut scene, ";expires=600");
    scene.send(alice.flow, &text);
    assert_eq!(code(&scene.next(alice.flow).unwrap()), 200, "the answer comes first");
    assert_eq!(read(&scene.notified(alice.flow)).len(), 2);
    assert!(scene.inbox(bob.flow).is_empty());
}

#[test]
fn a_document_is_written_once_for_all_who_get_it() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let others: Vec<_> = (0..3).map(|_| Client::new(&mut scene, "alice", None)).collect();
    for other in &others {
        watch(&mut scene, other);
    }
    let mut effects = Effects::new();
    let text = alice.register_text(&mut scene, ";expires=600");
    scene.collect(alice.flow, &text, &mut effects);
    let mut bodies = Vec::new();
    for effect in effects.drain() {
        if let Effect::Send { packet, .. } = effect
            && !packet.body.is_empty()
        {
            bodies.push(packet.body);
        }
    }
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| body.as_ptr() == bodies[0].as_ptr()));
}

#[test]
fn after_a_restart_the_watcher_gets_all_there_is_with_a_higher_version() {
    let mut scene = Scene::new();
    let mut phone = Client::in_datagrams(&mut scene, "alice", 5062);
    phone.register(&mut scene);
    let (mut dialog, first) = watch(&mut scene, &phone);
    let registered = format!("active registered {}", phone.contact);
    assert_eq!(first, ["full 0 active".to_owned(), registered.clone()]);
    scene.restart(1_000);
    let lines = read(&scene.notified(phone.flow));
    let version: u32 = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    assert!(version > 0);
    assert_eq!(lines, [format!("full {version} active"), registered.clone()]);
    let text = phone.refresh_text(&mut scene, &mut dialog, "").replace("Event: presence", "Event: reg");
    assert_eq!(code(&scene.ask(phone.flow, &text)), 200);
    assert_eq!(read(&scene.notified(phone.flow)), [format!("full {} active", version + 1), registered]);
    let mut page = Client::new(&mut scene, "alice", None);
    page.register(&mut scene);
    let lines = read(&scene.notified(phone.flow));
    assert_eq!(lines[0], format!("partial {} active", version + 2));
}

#[test]
fn who_is_slow_gets_all_there_is_when_it_has_answered() {
    let mut scene = Scene::new();
    let watcher = Client::new(&mut scene, "alice", None);
    watch(&mut scene, &watcher);
    let mut devices: Vec<_> = (0..3).map(|_| Client::new(&mut scene, "alice", None)).collect();
    for device in &mut devices {
        device.register(&mut scene);
    }
    let notify = scene.next(watcher.flow).unwrap();
    assert_eq!(read(&notify)[0], "partial 1 active");
    assert!(scene.inbox(watcher.flow).is_empty());
    scene.answer(watcher.flow, &notify, 200);
    let lines = read(&scene.notified(watcher.flow));
    assert_eq!((lines[0].as_str(), lines.len()), ("full 2 active", 4));
}
