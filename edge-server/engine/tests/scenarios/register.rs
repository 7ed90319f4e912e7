//! REGISTER.

use crate::scene::*;
use std::sync::Arc;
use tributary_engine::{BindingEnd, Event, FlowDevice, Hop, Input, Lifetime, Notice, Transport};
use tributary_sip::Name;

#[test]
fn a_dead_connection_ends_its_bindings_at_once() {
    let mut scene = Scene::new();
    let mut one = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
    let mut two = Client::new(&mut scene, "alice", Some("urn:uuid:2"));
    one.register(&mut scene);
    two.register(&mut scene);
    scene.disconnect(one.flow);
    assert_eq!(two.register(&mut scene).headers(Name::Contact).count(), 1);
    assert!(
        scene.events.iter().any(|e| matches!(e, Event::BindingEnded { why: BindingEnd::FlowClosed, .. }))
    );
    assert_eq!(scene.store.len(), 1);
}

#[test]
fn a_binding_ends_when_its_time_is_over_and_nothing_of_it_is_left() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    alice.register(&mut scene);
    scene.pass(599_000);
    assert_eq!(scene.counts().bindings, 1);
    scene.pass(1_200);
    let counts = scene.counts();
    assert_eq!((counts.bindings, counts.presentities, counts.flows, counts.timers), (0, 0, 0, 0));
    assert!(scene.store.is_empty());
}

#[test]
fn a_lifetime_is_held_between_its_bounds() {
    let mut config = config();
    config.timing.register = Lifetime { min: 60, max: 600, default: 300 };
    let mut scene = Scene::with(config);
    let mut alice = Client::new(&mut scene, "alice", None);
    let mut check = |extra: &str, status: u16, expires: Option<&str>| {
        let text = alice.register_text(&mut scene, extra);
        let answer = scene.ask(alice.flow, &text);
        assert_eq!(code(&answer), status, "{extra}");
        let contact =
            answer.header(Name::Contact).map(|contact| contact.rsplit_once("expires=").unwrap().1.to_owned());
        assert_eq!(contact.as_deref(), expires, "{extra}");
    };
    check(";expires=30", 423, None);
    check(";expires=60", 200, Some("60"));
    check(";expires=4000000000", 200, Some("600"));
    check("", 200, Some("300"));
    check("\r\nExpires: 90", 200, Some("90"));
    check(";expires=80\r\nExpires: 90", 200, Some("80"));
    check(";expires=0", 200, None);
}

#[test]
fn a_register_for_the_registrar_of_another_domain_is_answered_404_and_for_an_address_it_is_ours() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    for (uri, status) in [
        ("sip:elsewhere.example", 404),
        ("sip:sub.example.com", 404),
        ("tel:123", 416),
        ("sip:EXAMPLE.com.", 200),
        ("sip:example.com:5070;transport=tcp", 200),
        ("sip:192.0.2.1:5060", 200),
        ("sip:[2001:db8::1]", 200),
    ] {
        let text = alice.register_text(&mut scene, ";expires=600");
        let text = text.replacen("REGISTER sip:example.com ", &format!("REGISTER {uri} "), 1);
        assert_eq!(code(&scene.ask(alice.flow, &text)), status, "{uri}");
    }
}

#[test]
fn a_register_without_contact_asks_for_the_list() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    alice.register(&mut scene);
    let text = alice.register_text(&mut scene, "");
    let contact = text.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned() + "\r\n";
    scene.pass(100_000);
    let answer = scene.ask(alice.flow, &text.replace(&contact, ""));
    assert_eq!(answer.header(Name::Contact), Some(format!("<{}>;expires=500", alice.contact).as_str()));
}

#[test]
fn a_register_for_another_user_domain_or_scheme_is_refused() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let mut check = |to: &str, status: u16| {
        let text = alice
            .register_text(&mut scene, "")
            .replace("To: <sip:alice@example.com>", &format!("To: <{to}>"));
        assert_eq!(code(&scene.ask(alice.flow, &text)), status, "{to}");
    };
    check("sip:bob@example.com", 403);
    check("sip:alice@example.org", 404);
    check("sip:example.com", 404);
    check("tel:+31201234567", 416);
    check("sips:ALICE@example.com", 403);
    check("sips:alice@EXAMPLE.com", 200);
}

#[test]
fn a_register_with_a_lower_cseq_of_the_same_call_changes_nothing() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let late = alice.register_text(&mut scene, ";expires=0");
    alice.register(&mut scene);
    assert_eq!(code(&scene.ask(alice.flow, &late)), 500);
    assert_eq!(scene.counts().bindings, 1);
}

#[test]
fn one_bad_contact_refuses_the_whole_register() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let text = alice.register_text(&mut scene, ";expires=600, <mailto:alice@example.com>");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 416);
    assert_eq!(scene.counts().bindings, 0);
}

#[test]
fn a_registered_user_who_published_nothing_is_open_and_closed_again_when_gone() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let (_, first) = bob.watch(&mut scene, "alice");
    assert!(body(&first).contains("<basic>closed</basic>"), "{}", body(&first));
    let mut alice = Client::new(&mut scene, "alice", None);
    alice.register(&mut scene);
    assert!(body(&scene.notified(bob.flow)).contains("<basic>open</basic>"));
    scene.pass(300_000);
    alice.register(&mut scene);
    assert!(scene.inbox(bob.flow).is_empty(), "a refresh is no news");
    scene.disconnect(alice.flow);
    assert!(body(&scene.notified(bob.flow)).contains("<basic>closed</basic>"));
}

#[test]
fn what_comes_after_the_end_of_its_connection_is_dropped() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
    let text = alice.register_text(&mut scene, ";expires=600");
    scene.disconnect(alice.flow);
    scene.send(alice.flow, &text);
    assert_eq!(scene.counts().bindings, 0);
    assert!(scene.events.contains(&Event::Dropped { why: "connection closed" }));
}

#[test]
fn news_from_another_shard_about_a_connection_that_has_ended_moves_nothing_there() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    bob.watch(&mut scene, "alice");
    let old = bob.flow;
    scene.disconnect(old);
    bob.reconnect(&mut scene);
    let dead = bob.flow;
    scene.disconnect(dead);
    let device = Arc::new(FlowDevice { aor: "sip:bob@example.com".into(), key: "urn:uuid:b".into() });
    let hop = Hop { flow: dead, transport: Transport::Ws, peer: ([127, 0, 0, 1], 9).into() };
    let replaces = Some(old);
    scene.everyone(|| Input::Notice(Notice::DeviceOnFlow { hop, device: device.clone(), replaces }));
    assert_eq!(scene.counts().waiting_subscriptions, 1);
}

#[test]
fn a_contact_with_a_nul_is_refused_and_later_answers_are_as_ever() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let text = alice.register_text(&mut scene, ";x=\"a\\\0b\"");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 400);
    let answer = alice.register(&mut scene);
    assert_eq!((code(&answer), answer.headers(tributary_sip::Name::Contact).count()), (200, 1));
}
