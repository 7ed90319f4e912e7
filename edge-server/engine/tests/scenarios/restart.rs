//! kill -9, and what is there afterwards.

use crate::scene::*;
use tributary_engine::{Event, Table};
use tributary_sip::Name;

const ALICE: &str = "sip:alice@example.com";

#[test]
fn no_publication_that_was_answered_200_is_lost_and_no_tag_is_used_again() {
    let mut scene = Scene::new();
    let mut tags = std::collections::BTreeSet::new();
    let mut last = Vec::new();
    for user in ["alice", "bob", "carol", "dave"] {
        let client = Client::new(&mut scene, user, None);
        let first = client.announce(&mut scene, "closed");
        let second =
            etag(&client.publish(&mut scene, &pidf(user, "open"), &format!("SIP-If-Match: {first}\r\n")));
        assert!(tags.insert(first) && tags.insert(second.clone()));
        last.push((user, second));
    }
    let before: Vec<_> =
        last.iter().map(|(user, _)| scene.state(&format!("sip:{user}@example.com"))).collect();
    scene.restart(2_000);
    for ((user, tag), before) in last.into_iter().zip(before) {
        assert_eq!(scene.state(&format!("sip:{user}@example.com")), before);
        let client = Client::new(&mut scene, user, None);
        let answer = client.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n"));
        assert_eq!(code(&answer), 200);
        assert!(tags.insert(etag(&answer)));
    }
}

#[test]
fn what_nobody_comes_back_for_after_a_restart_ends_after_a_grace_time() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
    alice.register(&mut scene);
    alice.announce(&mut scene, "open");
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    scene.restart(0);
    scene.pass(119_000);
    let counts = scene.counts();
    assert_eq!((counts.bindings, counts.publications, counts.subscriptions), (1, 1, 1));
    scene.pass(2_000);
    let counts = scene.counts();
    assert_eq!((counts.bindings, counts.publications, counts.subscriptions, counts.timers), (0, 0, 0, 0));
    assert!(scene.store.is_empty());
}

#[test]
fn clients_that_come_back_after_a_restart_go_on_where_they_were() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    alice.register(&mut scene);
    bob.register(&mut scene);
    let tag = alice.announce(&mut scene, "open");
    let (mut watch, first) = bob.watch(&mut scene, "alice");
    scene.restart(5_000);
    bob.reconnect(&mut scene);
    assert_eq!(code(&bob.register(&mut scene)), 200);
    let second = scene.notified(bob.flow);
    assert!(second.cseq().unwrap().number > first.cseq().unwrap().number);
    assert_eq!(body(&second), body(&first));
    alice.reconnect(&mut scene);
    alice.register(&mut scene);
    scene.pass(150_000);
    assert_eq!(scene.counts().publications, 1);
    alice.publish(&mut scene, &pidf("alice", "closed"), &format!("SIP-If-Match: {tag}\r\n"));
    assert!(body(&scene.notified(bob.flow)).contains("closed"));
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 200);
}

#[test]
fn the_cseq_of_notify_rises_over_every_restart_without_a_write_for_each() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    bob.watch(&mut scene, "alice");
    let mut tag = alice.announce(&mut scene, "open");
    let mut last = scene.notified(bob.flow).cseq().unwrap().number;
    for round in 0..700 {
        let host = format!("sip:alice@h{round}.invalid");
        tag = etag(&alice.publish(
            &mut scene,
            &pidf_of("alice", "t", "open", &host),
            &format!("SIP-If-Match: {tag}\r\n"),
        ));
        let number = scene.notified(bob.flow).cseq().unwrap().number;
        assert!(number > last, "{number} after {last}");
        last = number;
        if round % 100 == 50 {
            scene.restart(1_000);
            alice.reconnect(&mut scene);
            bob.reconnect(&mut scene);
            bob.register(&mut scene);
            let number = scene.notified(bob.flow).cseq().unwrap().number;
            assert!(number > last, "{number} after {last}");
            last = number;
        }
    }
}

#[test]
fn a_record_whose_document_cannot_be_read_is_reported_and_left_alone() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    alice.announce(&mut scene, "open");
    let ((table, key), value) = scene.store.pop_first().unwrap();
    assert_eq!(table, Table::Publications);
    let record = tributary_engine::Record::decode(table, &value).unwrap();
    let tributary_engine::Record::Publication(mut record) = record else { panic!("{record:?}") };
    record.document = "<presence".into();
    scene.store.insert((table, key), tributary_engine::Record::Publication(record).encode());
    scene.restart(0);
    assert!(scene.events.iter().any(|event| matches!(event, Event::RecordRefused { .. })));
    assert_eq!((scene.counts().publications, scene.store.len()), (0, 1));
}

#[test]
fn a_restored_binding_is_listed_until_its_client_is_missed() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    alice.register(&mut scene);
    scene.restart(1_000);
    let mut other = Client::new(&mut scene, "alice", Some("urn:uuid:o"));
    assert_eq!(other.register(&mut scene).headers(Name::Contact).count(), 2);
    assert!(scene.state(ALICE).contains("open"));
    scene.pass(121_000);
    assert_eq!(other.register(&mut scene).headers(Name::Contact).count(), 1);
}

#[test]
fn a_device_that_published_before_it_registered_is_known_again_after_a_restart() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    alice.announce(&mut scene, "open");
    alice.register(&mut scene);
    scene.restart(1_000);
    alice.reconnect(&mut scene);
    alice.register(&mut scene);
    scene.pass(200_000);
    assert_eq!(scene.counts().publications, 1);
}
