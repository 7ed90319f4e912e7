//! What was learnt from real browser clients, point by point: each test carries the number of the
//! point that it holds. Points that are the transport's or the calls' are tested there.

use crate::scene::*;
use tributary_engine::{Lifetime, SubscriptionEnd};
use tributary_sip::{Name, SubState};

#[test]
fn point_05_the_top_via_comes_back_untouched_and_alone() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    let text = alice.register_text(&mut scene, ";expires=600");
    let sent = text.lines().find(|line| line.starts_with("Via:")).unwrap().to_owned();
    let answer = scene.ask(alice.flow, &text);
    let vias: Vec<_> = answer.headers(Name::Via).collect();
    assert_eq!(vias, [sent.strip_prefix("Via: ").unwrap()]);
}

#[test]
fn point_06_a_repeated_request_is_answered_alike_and_acted_on_once() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let text = alice.publish_text(&mut scene, &pidf("alice", "open"), "");
    let first = scene.ask(alice.flow, &text);
    scene.pass(31_000);
    let again = scene.ask(alice.flow, &text);
    assert_eq!((first.raw(), scene.counts().publications), (again.raw(), 1));
}

#[test]
fn point_06_one_branch_on_two_connections_or_with_two_methods_is_two_transactions() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let other = Client::new(&mut scene, "alice", None);
    let text = alice.publish_text(&mut scene, &pidf("alice", "open"), "");
    let first = scene.ask(alice.flow, &text);
    let second = scene.ask(other.flow, &text);
    assert_ne!(etag(&first), etag(&second));
    let options = text.replace("PUBLISH sip:alice@", "PUBLISH sip:").replace("PUBLISH", "OPTIONS");
    let head = options.split("\r\n\r\n").next().unwrap();
    let head: String =
        head.lines().filter(|l| !l.starts_with("Content-")).map(|l| format!("{l}\r\n")).collect();
    assert_eq!(code(&scene.ask(alice.flow, &format!("{head}Content-Length: 0\r\n\r\n"))), 200);
}

#[test]
fn point_07_tags_are_random_even_for_one_sent_by_host() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let mut tags = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let (_, watch) = bob.subscribe(&mut scene, "alice", "");
        scene.notified(bob.flow);
        assert!(tags.insert(watch.to.clone()));
    }
    // Ending one ends that one.
    assert_eq!(scene.counts().subscriptions, 50);
    let (_, mut watch) = bob.subscribe(&mut scene, "alice", "");
    scene.notified(bob.flow);
    bob.refresh(&mut scene, &mut watch, "Expires: 0\r\n");
    scene.notified(bob.flow);
    assert_eq!(scene.counts().subscriptions, 50);
}

#[test]
fn point_08_every_request_but_ack_is_answered_at_once_and_cancel_and_ack_are_never_challenged() {
    let mut scene = Scene::with(crate::auth::with_password());
    let bob = Client::new(&mut scene, "bob", None);
    for (method, expect) in [
        ("OPTIONS", 200),
        ("CANCEL", 481),
        ("BYE", 481),
        ("INFO", 405),
        ("MESSAGE", 405),
        ("INVITE", 405),
        ("NOTIFY", 405),
        ("FROB", 501),
    ] {
        let us = "sip:example.com";
        let text = bob.head(&mut scene, method, us, us) + "Content-Length: 0\r\n\r\n";
        let answer = scene.ask(bob.flow, &text);
        assert_eq!(code(&answer), expect, "{method}");
        assert_eq!(answer.header(Name::Allow).is_some(), matches!(expect, 200 | 405 | 501), "{method}");
    }
    let ack = bob.head(&mut scene, "ACK", "sip:alice@example.com", "sip:alice@example.com");
    scene.send(bob.flow, &format!("{ack}Content-Length: 0\r\n\r\n"));
    assert!(scene.inbox(bob.flow).is_empty());
}

#[test]
fn point_09_the_200_lists_every_binding_as_it_was_given() {
    let mut scene = Scene::new();
    let mut jssip = Client::new(&mut scene, "alice", Some("urn:uuid:AbC-1"));
    let mut sipjs = Client::new(&mut scene, "alice", None);
    jssip.register(&mut scene);
    let answer = sipjs.register(&mut scene);
    let contacts: Vec<_> = answer.headers(Name::Contact).collect();
    let expect = [
        format!(
            "<{}>;expires=600;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:AbC-1>\";\
             pub-gruu=\"sip:alice@example.com;gr=urn:uuid:AbC-1\"",
            jssip.contact
        ),
        format!("<{}>;expires=600", sipjs.contact),
    ];
    assert_eq!(contacts, expect);
}

#[test]
fn point_09_a_star_is_never_sent_back() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", None);
    alice.register(&mut scene);
    let text = alice.register_text(&mut scene, "");
    let contact = text.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned();
    let answer = scene.ask(alice.flow, &text.replace(&contact, "Contact: *\r\nExpires: 0"));
    assert_eq!((code(&answer), answer.header(Name::Contact)), (200, None));
    assert_eq!(scene.counts().bindings, 0);
}

#[test]
fn point_10_an_instance_on_a_new_connection_replaces_its_old_binding() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
    alice.register(&mut scene);
    let old = alice.flow;
    alice.reconnect(&mut scene);
    alice.contact = "sip:new@new.invalid;transport=ws".to_owned();
    let answer = alice.register(&mut scene);
    assert_eq!(answer.headers(Name::Contact).count(), 1);
    assert!(answer.header(Name::Contact).unwrap().starts_with("<sip:new@new.invalid;transport=ws>"));
    // The old connection takes nothing with it when it dies at last.
    scene.disconnect(old);
    assert_eq!(scene.counts().bindings, 1);
}

#[test]
fn point_10_plain_contacts_without_an_instance_live_side_by_side() {
    let mut scene = Scene::new();
    let mut one = Client::new(&mut scene, "alice", None);
    let mut two = Client::new(&mut scene, "alice", None);
    one.register(&mut scene);
    two.register(&mut scene);
    assert_eq!(one.register(&mut scene).headers(Name::Contact).count(), 2);
}

#[test]
fn point_11_notify_goes_to_the_contact_of_the_dialog_with_sip_uris_only() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let text = bob.subscribe_text(&mut scene, "alice", "");
    let answer = scene.ask(bob.flow, &text.replace("To: <sip:alice@", "To: \"Alice\" <pres:alice@"));
    assert_eq!(code(&answer), 200);
    let notify = scene.notified(bob.flow);
    assert_eq!(notify.uri(), bob.contact);
    assert_eq!(notify.from().unwrap().uri, "sip:alice@example.com");
    assert_eq!(notify.to().unwrap().uri, "sip:bob@example.com");
    let text = bob.subscribe_text(&mut scene, "alice", "").replace("To: <sip:alice@", "To: <sips:alice@");
    assert_eq!(code(&scene.ask(bob.flow, &text)), 200);
    assert_eq!(scene.notified(bob.flow).from().unwrap().uri, "sip:alice@example.com");
    let scheme = bob.subscribe_text(&mut scene, "alice", "").replace("SUBSCRIBE sip:", "SUBSCRIBE tel:");
    assert_eq!(code(&scene.ask(bob.flow, &scheme)), 416);
}

#[test]
fn point_12_an_invalid_host_or_a_gruu_in_contact_is_reached_by_its_connection() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", None);
    bob.contact = "sip:bob@example.com;gr=urn:uuid:7".to_owned();
    bob.watch(&mut scene, "alice");
    let alice = Client::new(&mut scene, "alice", None);
    alice.announce(&mut scene, "open");
    let notify = scene.notified(bob.flow);
    assert_eq!(notify.uri(), bob.contact);
}

#[test]
fn point_14_the_answer_comes_before_the_first_notify_on_the_same_connection() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let text = bob.subscribe_text(&mut scene, "alice", "");
    scene.send(bob.flow, &text);
    let inbox = scene.inbox(bob.flow);
    let kinds: Vec<_> = inbox.iter().map(|message| message.is_request()).collect();
    assert_eq!(kinds, [false, true]);
}

#[test]
fn point_15_answer_and_notify_carry_what_the_libraries_need() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let (answer, _) =
        bob.subscribe(&mut scene, "alice", "Expires: 300\r\nRecord-Route: <sip:edge.example.com;lr>\r\n");
    assert!(answer.contact().unwrap().is_some());
    assert_eq!(answer.expires(), Ok(Some(300)));
    assert_eq!(answer.header(Name::RecordRoute), Some("<sip:edge.example.com;lr>"));
    let notify = scene.notified(bob.flow);
    assert!(notify.contact().unwrap().is_some());
    assert_eq!(notify.header(Name::Event), Some("presence"));
    assert_eq!(notify.header(Name::SubscriptionState), Some("active;expires=300"));
    assert_eq!(notify.header(Name::MaxForwards), Some("70"));
    assert_eq!(notify.header(Name::Route), Some("<sip:edge.example.com;lr>"));
}

#[test]
fn point_16_the_cseq_of_notify_rises_strictly() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    let (_, first) = bob.watch(&mut scene, "alice");
    let mut last = first.cseq().unwrap().number;
    let mut tag = alice.announce(&mut scene, "open");
    for round in 0..600 {
        let number = scene.notified(bob.flow).cseq().unwrap().number;
        assert!(number > last);
        last = number;
        let body = pidf("alice", if round % 2 == 0 { "closed" } else { "open" });
        tag = etag(&alice.publish(&mut scene, &body, &format!("SIP-If-Match: {tag}\r\n")));
    }
}

#[test]
fn point_17_every_subscribe_is_followed_by_full_state_and_the_last_one_by_terminated() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    alice.announce(&mut scene, "open");
    let bob = Client::new(&mut scene, "bob", None);
    let (mut watch, first) = bob.watch(&mut scene, "alice");
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "Expires: 600\r\n")), 200);
    let second = scene.notified(bob.flow);
    assert_eq!(body(&first), body(&second));
    let answer = bob.refresh(&mut scene, &mut watch, "Expires: 0\r\n");
    assert_eq!((code(&answer), answer.expires()), (200, Ok(Some(0))));
    let last = scene.notified(bob.flow);
    assert_eq!(last.subscription_state().unwrap().unwrap().state, SubState::Terminated);
    assert_eq!(scene.counts().subscriptions, 0);
}

#[test]
fn point_18_no_reason_that_starts_a_stampede_is_ever_sent() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    bob.subscribe(&mut scene, "alice", "Expires: 20\r\n");
    scene.notified(bob.flow);
    scene.pass(20_100);
    let last = scene.notified(bob.flow);
    assert_eq!(last.header(Name::SubscriptionState), Some("terminated;reason=timeout"));
}

#[test]
fn point_19_the_minimum_for_subscribe_is_low_and_a_long_lifetime_is_shortened_not_refused() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let (answer, _) = bob.subscribe(&mut scene, "alice", "Expires: 10\r\n");
    assert_eq!(answer.expires(), Ok(Some(10)));
    scene.notified(bob.flow);
    let (answer, _) = bob.subscribe(&mut scene, "alice", "Expires: 999999\r\n");
    assert_eq!(answer.expires(), Ok(Some(3600)));
}

#[test]
fn point_20_a_subscription_does_not_need_the_registration_of_its_watcher() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    // SIP.js `UserAgent.stop()` unregisters first and unsubscribes afterwards.
    bob.unregister(&mut scene);
    bob.refresh(&mut scene, &mut watch, "Expires: 0\r\n");
    let last = scene.notified(bob.flow);
    assert_eq!(last.subscription_state().unwrap().unwrap().state, SubState::Terminated);
}

#[test]
fn point_20_a_refresh_over_a_new_connection_carries_a_dialog_on() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", None);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    scene.disconnect(bob.flow);
    scene.pass(30_000);
    let alice = Client::new(&mut scene, "alice", None);
    alice.announce(&mut scene, "open");
    bob.reconnect(&mut scene);
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 200);
    let notify = scene.notified(bob.flow);
    assert_eq!(body(&notify), scene.state("sip:alice@example.com"));
}

#[test]
fn point_21_nothing_shorter_than_ten_seconds_is_granted() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let text = bob.subscribe_text(&mut scene, "alice", "Expires: 9\r\n");
    let answer = scene.ask(bob.flow, &text);
    assert_eq!((code(&answer), answer.min_expires()), (423, Ok(Some(10))));
}

#[test]
fn point_22_a_200_to_publish_has_a_new_tag_and_an_expiry_that_was_not_lengthened() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let mut tags = std::collections::BTreeSet::new();
    let answer = alice.publish(&mut scene, &pidf("alice", "open"), "Expires: 60\r\n");
    assert_eq!(answer.expires(), Ok(Some(60)));
    let mut tag = etag(&answer);
    for _ in 0..20 {
        assert!(tags.insert(tag.clone()));
        // Each over a connection of its own: tags live with the user.
        let other = Client::new(&mut scene, "alice", None);
        let answer = other.publish(&mut scene, "", &format!("Expires: 30\r\nSIP-If-Match: {tag}\r\n"));
        assert_eq!((code(&answer), answer.expires()), (200, Ok(Some(30))));
        tag = etag(&answer);
    }
    let answer = alice.publish(&mut scene, "", &format!("Expires: 0\r\nSIP-If-Match: {tag}\r\n"));
    assert_eq!((code(&answer), answer.expires()), (200, Ok(Some(0))));
    assert!(tags.insert(etag(&answer)));
    assert_eq!(scene.counts().publications, 0);
}

#[test]
fn point_23_each_refusal_of_publish_says_what_would_have_been_right() {
    let mut config = config();
    config.timing.publish = Lifetime { min: 30, max: 3600, default: 3600 };
    let mut scene = Scene::with(config);
    let alice = Client::new(&mut scene, "alice", None);
    let document = pidf("alice", "open");
    let mut check = |edit: &dyn Fn(String) -> String, status: u16, header: Name, value: Option<&str>| {
        let text = edit(alice.publish_text(&mut scene, &document, "Expires: 60\r\n"));
        let answer = scene.ask(alice.flow, &text);
        assert_eq!(code(&answer), status, "{text}");
        match value {
            Some(value) => assert_eq!(answer.header(header), Some(value), "{status}"),
            None => assert!(answer.header(header).is_some(), "{status} has no {header}"),
        }
    };
    check(&|t| t.replace("Event: presence", "Event: dialog"), 489, Name::AllowEvents, Some("presence, reg"));
    check(&|t| t.replace("Event: presence\r\n", ""), 489, Name::AllowEvents, Some("presence, reg"));
    check(
        &|t| t.replace("application/pidf+xml", "text/plain"),
        415,
        Name::Accept,
        Some("application/pidf+xml"),
    );
    check(&|t| t.replace("<tuple id", "<tupel id"), 400, Name::Warning, None);
    check(&|t| t.replace("Expires: 60", "Expires: 29"), 423, Name::MinExpires, Some("30"));
    check(
        &|t| t.replace("Event: presence", "Event: presence\r\nRequire: foo"),
        420,
        Name::Unsupported,
        Some("foo"),
    );
    check(&|t| t.replace("Event: presence", "Event: presence\r\nSIP-If-Match: gone"), 412, Name::To, None);
    check(
        &|t| {
            t.replace("sip:alice@example.com;tag", "sip:x@example.com;tag")
                .replace("From: <sip:alice", "From: <sip:mallory")
        },
        403,
        Name::To,
        None,
    );
    let text = alice.publish_text(&mut scene, "", "Expires: 60\r\n");
    let answer = scene.ask(alice.flow, &text);
    assert_eq!(code(&answer), 400);
    assert!(answer.header(Name::Warning).unwrap().contains("needs a body"));
    assert_eq!(scene.counts().publications, 0);
}

#[test]
fn a_482_or_500_from_a_client_does_not_end_what_a_481_ends() {
    for (status, left, why) in
        [(481, 0, Some(SubscriptionEnd::Refused)), (500, 1, None), (404, 0, Some(SubscriptionEnd::Refused))]
    {
        let mut scene = Scene::new();
        let bob = Client::new(&mut scene, "bob", None);
        bob.subscribe(&mut scene, "alice", "");
        let notify = scene.next(bob.flow).unwrap();
        scene.answer(bob.flow, &notify, status);
        assert_eq!(scene.counts().subscriptions, left, "{status}");
        let ended = scene.events.iter().find_map(|event| match event {
            tributary_engine::Event::SubscriptionEnded { why, .. } => Some(*why),
            _ => None,
        });
        assert_eq!(ended, why);
    }
}
