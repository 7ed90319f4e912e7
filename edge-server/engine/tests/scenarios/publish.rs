//! PUBLISH.

use crate::scene::*;
use tributary_engine::{Event, PublicationEnd};
use tributary_sip::Name;

const ALICE: &str = "sip:alice@example.com";

#[test]
fn three_devices_are_merged_into_one_person_and_each_change_is_told_once() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    for (instance, basic) in [("urn:uuid:1", "open"), ("urn:uuid:2", "closed"), ("urn:uuid:3", "open")] {
        let mut device = Client::new(&mut scene, "alice", Some(instance));
        device.register(&mut scene);
        while scene.next(bob.flow).is_some_and(|notify| {
            scene.answer(bob.flow, &notify, 200);
            true
        }) {}
        let contact = format!("sip:alice@{}.example.com", instance.replace(':', "-"));
        assert_eq!(code(&device.publish(&mut scene, &pidf_of("alice", "t", basic, &contact), "")), 200);
        let notify = scene.notified(bob.flow);
        assert_eq!(body(&notify), scene.state(ALICE));
        assert!(body(&notify).contains(&contact));
        assert!(scene.inbox(bob.flow).is_empty());
    }
    let last = scene.state(ALICE);
    assert_eq!(last.matches("<tuple").count(), 3, "{last}");
}

#[test]
fn a_publish_that_changes_nothing_is_not_told() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    let alice = Client::new(&mut scene, "alice", None);
    let tag = alice.announce(&mut scene, "open");
    scene.notified(bob.flow);
    let tag = etag(&alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n")));
    alice.publish(&mut scene, &pidf("alice", "open"), &format!("SIP-If-Match: {tag}\r\n"));
    assert!(scene.inbox(bob.flow).is_empty());
}

#[test]
fn an_old_entity_tag_is_refused_and_harms_nothing() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let old = alice.announce(&mut scene, "open");
    let new = etag(&alice.publish(&mut scene, "", &format!("SIP-If-Match: {old}\r\n")));
    let answer = alice.publish(&mut scene, &pidf("alice", "closed"), &format!("SIP-If-Match: {old}\r\n"));
    assert_eq!(code(&answer), 412);
    assert!(scene.state(ALICE).contains("open"));
    assert_eq!(code(&alice.publish(&mut scene, "", &format!("SIP-If-Match: {new}\r\n"))), 200);
}

#[test]
fn a_publication_ends_when_it_is_not_refreshed() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    let alice = Client::new(&mut scene, "alice", None);
    let tag = etag(&alice.publish(&mut scene, &pidf("alice", "open"), "Expires: 60\r\n"));
    scene.notified(bob.flow);
    scene.pass(59_900);
    assert!(scene.inbox(bob.flow).is_empty());
    scene.pass(200);
    assert!(body(&scene.notified(bob.flow)).contains("closed"));
    assert_eq!(code(&alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n"))), 412);
    assert!(
        scene.events.contains(&Event::PublicationEnded { aor: ALICE.into(), why: PublicationEnd::Expired })
    );
    assert_eq!(
        scene.store.keys().filter(|(table, _)| *table == tributary_engine::Table::Publications).count(),
        0
    );
}

#[test]
fn a_publication_whose_connection_died_ends_after_the_grace_time_unless_its_device_came_back() {
    enum Back {
        No,
        Registered,
        Refreshed,
        OtherDevice,
    }
    for (back, lives) in
        [(Back::No, false), (Back::Registered, true), (Back::Refreshed, true), (Back::OtherDevice, false)]
    {
        let mut scene = Scene::new();
        let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
        alice.register(&mut scene);
        let tag = alice.announce(&mut scene, "open");
        scene.disconnect(alice.flow);
        scene.pass(9_900);
        assert_eq!(scene.counts().publications, 1, "within the grace time");
        alice.reconnect(&mut scene);
        match back {
            Back::No => {}
            Back::Registered => drop(alice.register(&mut scene)),
            Back::Refreshed => {
                drop(alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n")));
            }
            Back::OtherDevice => {
                drop(Client { instance: Some("urn:uuid:2"), ..alice.clone() }.register(&mut scene));
            }
        }
        scene.pass(10_000);
        assert_eq!(scene.counts().publications, usize::from(lives));
        let gone = Event::PublicationEnded { aor: ALICE.into(), why: PublicationEnd::NotBack };
        assert_eq!(scene.events.contains(&gone), !lives);
    }
}

#[test]
fn a_device_that_comes_back_before_its_old_connection_is_missed_keeps_its_publication() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
    alice.register(&mut scene);
    alice.announce(&mut scene, "open");
    let old = alice.flow;
    alice.reconnect(&mut scene);
    alice.register(&mut scene);
    scene.disconnect(old);
    scene.pass(60_000);
    assert_eq!(scene.counts().publications, 1);
    scene.disconnect(alice.flow);
    scene.pass(60_000);
    assert_eq!(scene.counts().publications, 0);
}

#[test]
fn a_device_that_publishes_anew_after_a_reboot_leaves_no_ghost() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
    alice.register(&mut scene);
    alice.announce(&mut scene, "open");
    scene.disconnect(alice.flow);
    alice.reconnect(&mut scene);
    alice.register(&mut scene);
    let tag = alice.announce(&mut scene, "closed");
    assert_eq!(scene.counts().publications, 1);
    alice.publish(&mut scene, "", &format!("Expires: 0\r\nSIP-If-Match: {tag}\r\n"));
    assert_eq!(scene.counts().publications, 0);
}

#[test]
fn two_simple_clients_that_write_the_users_own_address_into_their_tuples_are_two_devices() {
    let mut scene = Scene::new();
    for (id, basic) in [("a", "open"), ("b", "closed")] {
        let alice = Client::new(&mut scene, "alice", None);
        alice.publish(&mut scene, &pidf_of("alice", id, basic, ALICE), "");
    }
    match scene.query(ALICE, tributary_engine::Query::Presentity { aor: ALICE.to_owned(), watcher: None }) {
        tributary_engine::Answer::Presentity(Some(alice)) => {
            assert_eq!(alice.devices.len(), 2);
            assert_ne!(alice.devices[0].device, alice.devices[1].device);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_document_about_somebody_else_is_refused_and_another_spelling_of_the_user_is_not() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let mut check = |entity: &str, status: u16| {
        let body = pidf("alice", "open")
            .replace("entity=\"sip:alice@example.com\"", &format!("entity=\"{entity}\""));
        assert_eq!(code(&alice.publish(&mut scene, &body, "")), status, "{entity}");
    };
    check("pres:alice@EXAMPLE.com", 200);
    check("sips:alice@example.com", 200);
    check("sip:bob@example.com", 400);
    check("sip:alice@example.org", 400);
    check("not a uri", 400);
}

#[test]
fn a_publish_that_ends_at_once_is_checked_and_leaves_nothing() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let answer = alice.publish(&mut scene, &pidf("alice", "open"), "Expires: 0\r\n");
    assert_eq!((code(&answer), answer.expires()), (200, Ok(Some(0))));
    assert_eq!(code(&alice.publish(&mut scene, "<presence", "Expires: 0\r\n")), 400);
    let counts = scene.counts();
    assert_eq!((counts.publications, counts.presentities, scene.store.len()), (0, 0, 0));
}

#[test]
fn what_is_wrong_with_a_body_is_said_in_one_line_without_quotes_inside() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let answer = alice.publish(&mut scene, "<presence a=\"1\" a=\"2\">\r\n\r\n", "");
    assert_eq!(code(&answer), 400);
    let warning = answer.header(Name::Warning).unwrap();
    let text = warning.strip_prefix("399 example.com \"").unwrap().strip_suffix('"').unwrap();
    assert!(!text.is_empty() && !text.contains('"'), "{warning}");
}
