//! SUBSCRIBE and NOTIFY.

use crate::scene::*;
use merge_core::live::Switches;
use tributary_engine::{Answer, Event, Query, SubscriptionEnd};
use tributary_sip::{Name, SubState};

const ALICE: &str = "sip:alice@example.com";

#[test]
fn what_cannot_be_subscribed_to_is_refused_with_what_could() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let mut check = |edit: &dyn Fn(String) -> String, status: u16, header: Option<(Name, &str)>| {
        let text = edit(bob.subscribe_text(&mut scene, "alice", ""));
        let answer = scene.ask(bob.flow, &text);
        assert_eq!(code(&answer), status, "{text}");
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), Some(value), "{status}");
        }
        if code(&answer) == 200 {
            scene.notified(bob.flow);
        }
    };
    let with = |line: &'static str| {
        move |t: String| t.replace("Event: presence", &format!("Event: presence\r\n{line}"))
    };
    check(
        &|t| t.replace("Event: presence", "Event: dialog"),
        489,
        Some((Name::AllowEvents, "presence, reg")),
    );
    check(
        &|t| t.replace("Event: presence", "Event: presence.winfo"),
        489,
        Some((Name::AllowEvents, "presence, reg")),
    );
    check(&|t| t.replace("Event: presence\r\n", ""), 489, Some((Name::AllowEvents, "presence, reg")));
    check(&with("Accept: text/html"), 406, Some((Name::Accept, "application/pidf+xml")));
    check(&with("Accept: application/*"), 200, None);
    check(&with("Accept: text/html, application/PIDF+xml"), 200, None);
    check(&with("Accept: application/pidf+xml;q=0"), 406, None);
    check(&with("Require: eventlist"), 420, Some((Name::Unsupported, "eventlist")));
    check(&with("Supported: eventlist"), 200, None);
    check(&|t| t.replace("SUBSCRIBE sip:alice@example.com", "SUBSCRIBE sip:alice@example.org"), 404, None);
    check(&|t| t.replace("Contact: ", "X-Contact: "), 400, None);
    check(&|t| t.replace("To: <sip:alice@example.com>", "To: <sip:alice@example.com>;tag=none"), 481, None);
    let to = |other: &'static str| move |t: String| t.replace("To: <sip:alice@example.com>", other);
    check(&to("To: <sip:carol@example.com>"), 400, None);
    check(&to("To: <sip:alice@EXAMPLE.com:5060;gr=urn:uuid:1>"), 200, None);
    check(&to("To: <tel:+15551234>"), 200, None);
    assert_eq!(scene.counts().subscriptions, 5);
}

#[test]
fn a_user_with_nothing_to_show_is_480_or_closed_or_open_as_the_switches_say() {
    for (registration, closed, registered, expect) in [
        (false, false, true, None),
        (true, false, false, None),
        (true, false, true, Some("open")),
        (false, true, true, Some("closed")),
        (true, true, false, Some("closed")),
        (true, true, true, Some("open")),
    ] {
        let mut config = config();
        config.switches = Switches {
            presence_uses_registration_state: registration,
            notify_closed_state_for_non_published_users: closed,
        };
        let mut scene = Scene::with(config);
        let mut alice = Client::new(&mut scene, "alice", None);
        if registered {
            alice.register(&mut scene);
        }
        let bob = Client::new(&mut scene, "bob", None);
        let text = bob.subscribe_text(&mut scene, "alice", "");
        let answer = scene.ask(bob.flow, &text);
        let Some(basic) = expect else {
            assert_eq!(code(&answer), 480);
            continue;
        };
        assert_eq!(code(&answer), 200);
        let notify = scene.notified(bob.flow);
        assert!(body(&notify).contains(&format!("<basic>{basic}</basic>")), "{}", body(&notify));
    }
}

#[test]
fn where_presence_is_switched_off_there_is_no_such_event() {
    let mut scene = Scene::with(tributary_engine::Config { presence_enabled: false, ..config() });
    let mut alice = Client::new(&mut scene, "alice", None);
    assert_eq!(code(&alice.register(&mut scene)), 200);
    let text = alice.subscribe_text(&mut scene, "alice", "");
    for answer in [scene.ask(alice.flow, &text), alice.publish(&mut scene, &pidf("alice", "open"), "")] {
        assert_eq!((code(&answer), answer.header(Name::AllowEvents)), (489, Some("reg")));
    }
}

#[test]
fn with_both_switches_off_a_watcher_is_told_of_the_end_of_the_last_publication_with_an_empty_body() {
    let mut config = config();
    config.switches = Switches::default();
    let mut scene = Scene::with(config);
    let alice = Client::new(&mut scene, "alice", None);
    let tag = alice.announce(&mut scene, "open");
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    alice.publish(&mut scene, "", &format!("Expires: 0\r\nSIP-If-Match: {tag}\r\n"));
    let notify = scene.notified(bob.flow);
    assert_eq!((body(&notify), notify.header(Name::ContentType)), ("", None));
}

#[test]
fn a_poll_gets_the_state_once_and_leaves_nothing() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    alice.announce(&mut scene, "open");
    let bob = Client::new(&mut scene, "bob", None);
    let (answer, _) = bob.subscribe(&mut scene, "alice", "Expires: 0\r\n");
    assert_eq!(answer.expires(), Ok(Some(0)));
    let notify = scene.notified(bob.flow);
    assert_eq!(notify.subscription_state().unwrap().unwrap().state, SubState::Terminated);
    assert_eq!(body(&notify), scene.state(ALICE));
    assert_eq!(scene.counts().subscriptions, 0);
    assert!(!scene.store.keys().any(|(table, _)| *table == tributary_engine::Table::Subscriptions));
}

#[test]
fn a_slow_watcher_gets_the_newest_state_and_no_queue() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    let mut tag = alice.announce(&mut scene, "open");
    let unanswered = scene.next(bob.flow).unwrap();
    for round in 0..10 {
        let contact = format!("sip:alice@host{round}.invalid");
        let document = pidf_of("alice", "t", "open", &contact);
        tag = etag(&alice.publish(&mut scene, &document, &format!("SIP-If-Match: {tag}\r\n")));
    }
    assert!(scene.inbox(bob.flow).is_empty(), "one in flight");
    scene.answer(bob.flow, &unanswered, 200);
    let newest = scene.notified(bob.flow);
    assert!(body(&newest).contains("host9"));
    assert!(scene.inbox(bob.flow).is_empty());
}

#[test]
fn a_watcher_that_went_back_to_what_it_has_is_not_told_again() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    alice.announce(&mut scene, "open");
    let notify = scene.next(bob.flow).unwrap();
    scene.answer(bob.flow, &notify, 200);
    // The same answer once more is the answer to nothing.
    scene.answer(bob.flow, &notify, 481);
    assert_eq!(scene.counts().subscriptions, 1);
}

#[test]
fn a_notify_without_an_answer_ends_the_subscription_after_32_seconds() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    bob.subscribe(&mut scene, "alice", "");
    scene.pass(31_900);
    assert_eq!(scene.counts().subscriptions, 1);
    scene.pass(200);
    assert_eq!(scene.counts().subscriptions, 0);
    let ended = Event::SubscriptionEnded { aor: ALICE.into(), why: SubscriptionEnd::Unanswered };
    assert!(scene.events.contains(&ended));
}

#[test]
fn a_provisional_answer_to_a_notify_is_no_answer() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    bob.subscribe(&mut scene, "alice", "");
    let notify = scene.next(bob.flow).unwrap();
    scene.answer(bob.flow, &notify, 100);
    scene.pass(33_000);
    assert_eq!(scene.counts().subscriptions, 0);
}

#[test]
fn a_subscription_that_is_not_refreshed_ends_with_timeout_and_all_its_state_goes() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let (_, mut watch) = bob.subscribe(&mut scene, "alice", "Expires: 60\r\n");
    scene.notified(bob.flow);
    scene.pass(50_000);
    bob.refresh(&mut scene, &mut watch, "Expires: 60\r\n");
    assert_eq!(scene.notified(bob.flow).header(Name::SubscriptionState), Some("active;expires=60"));
    scene.pass(60_200);
    let last = scene.notified(bob.flow);
    assert_eq!(last.header(Name::SubscriptionState), Some("terminated;reason=timeout"));
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 481);
    scene.pass(40_000);
    let counts = scene.counts();
    assert_eq!(
        (counts.presentities, counts.subscriptions, counts.flows, counts.timers, counts.transactions),
        (0, 0, 0, 0, 0)
    );
    assert!(scene.store.is_empty());
}

#[test]
fn a_lower_cseq_in_the_dialog_is_refused_and_an_equal_one_under_a_new_branch_is_not() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    watch.cseq = 5;
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 200);
    scene.notified(bob.flow);
    watch.cseq = 5;
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 200);
    scene.notified(bob.flow);
    watch.cseq = 3;
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 500);
}

#[test]
fn a_dialog_is_known_by_all_its_parts() {
    let mut scene = Scene::new();
    let bob = Client::new(&mut scene, "bob", None);
    let (watch, _) = bob.watch(&mut scene, "alice");
    for wrong in [
        Watch { call_id: "other".to_owned(), ..watch.clone() },
        Watch { from_tag: "other".to_owned(), ..watch.clone() },
        Watch { to: "<sip:alice@example.com>;tag=0123456789abcdef".to_owned(), ..watch.clone() },
    ] {
        let mut wrong = wrong;
        assert_eq!(code(&bob.refresh(&mut scene, &mut wrong, "")), 481);
    }
}

#[test]
fn a_refresh_may_move_the_target_of_the_dialog() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", None);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    bob.contact = "sip:elsewhere@new.invalid;transport=ws".to_owned();
    bob.refresh(&mut scene, &mut watch, "");
    assert_eq!(scene.notified(bob.flow).uri(), bob.contact);
}

#[test]
fn a_cut_off_subscription_is_silent_and_carried_on_when_its_device_registers_again() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    bob.watch(&mut scene, "alice");
    scene.disconnect(bob.flow);
    let alice = Client::new(&mut scene, "alice", None);
    alice.announce(&mut scene, "open");
    scene.pass(45_000);
    assert_eq!(scene.counts().waiting_subscriptions, 1);
    bob.reconnect(&mut scene);
    assert_eq!(code(&bob.register(&mut scene)), 200);
    let notify = scene.notified(bob.flow);
    assert_eq!(body(&notify), scene.state(ALICE));
    assert_eq!(scene.counts().waiting_subscriptions, 0);
    assert!(scene.events.contains(&Event::SubscriptionResumed { aor: ALICE.into() }));
    scene.pass(60_000);
    assert_eq!(scene.counts().subscriptions, 1);
}

#[test]
fn a_cut_off_subscription_ends_when_nobody_comes_back_and_is_counted() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    bob.register(&mut scene);
    bob.watch(&mut scene, "alice");
    scene.disconnect(bob.flow);
    let mut other = Client::new(&mut scene, "bob", Some("urn:uuid:other"));
    other.register(&mut scene);
    scene.pass(60_100);
    assert_eq!(scene.counts().subscriptions, 0);
    assert!(scene.inbox(other.flow).is_empty());
    let ended = Event::SubscriptionEnded { aor: ALICE.into(), why: SubscriptionEnd::NotBack };
    assert!(scene.events.contains(&ended));
}

#[test]
fn subscriptions_follow_a_device_that_registers_before_its_old_connection_is_missed() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    // Subscribed before it registered: the registration says afterwards which device it was.
    bob.watch(&mut scene, "alice");
    bob.watch(&mut scene, "carol");
    bob.register(&mut scene);
    let old = bob.flow;
    bob.reconnect(&mut scene);
    bob.register(&mut scene);
    for _ in 0..2 {
        scene.notified(bob.flow);
    }
    scene.disconnect(old);
    scene.pass(60_100);
    assert_eq!(scene.counts().subscriptions, 2);
}

#[test]
fn the_body_is_written_once_and_shared_by_all_watchers() {
    let mut scene = Scene::new();
    let alice = Client::new(&mut scene, "alice", None);
    let watchers: Vec<_> = (0..20).map(|_| Client::new(&mut scene, "bob", None)).collect();
    for watcher in &watchers {
        watcher.watch(&mut scene, "alice");
    }
    alice.announce(&mut scene, "open");
    let bodies: Vec<_> =
        watchers.iter().map(|watcher| body(&scene.notified(watcher.flow)).to_owned()).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    let merges = scene
        .events
        .iter()
        .filter(|e| matches!(e, Event::Merged { changed: true, publications: 1, .. }))
        .count();
    assert_eq!(merges, 1);
    assert!(scene.events.contains(&Event::Notified { aor: ALICE.into(), sent: 20, held: 0 }));
}

#[test]
fn the_api_lists_what_there_is() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:1"));
    alice.register(&mut scene);
    alice.announce(&mut scene, "open");
    let bob = Client::new(&mut scene, "bob", None);
    bob.watch(&mut scene, "alice");
    match scene.query(ALICE, Query::Presentities { limit: 10, after: None }) {
        Answer::Presentities(list) => {
            let alice = list.iter().find(|one| &*one.aor == ALICE).unwrap();
            assert_eq!((alice.devices, alice.registrations, alice.watchers), (1, 1, 1));
        }
        other => panic!("{other:?}"),
    }
    match scene.query(ALICE, Query::Presentity { aor: ALICE.to_owned(), watcher: None }) {
        Answer::Presentity(Some(alice)) => {
            assert_eq!(alice.devices[0].device, "urn:uuid:1");
            assert!(alice.merged_json.starts_with('{') && alice.explanation_json.starts_with(['{', '[']));
            assert!(alice.merged_pidf.contains("open"));
        }
        other => panic!("{other:?}"),
    }
    match scene.query(ALICE, Query::Subscriptions { limit: 10 }) {
        Answer::Subscriptions(list) => assert_eq!(&*list[0].watcher, "sip:bob@example.com"),
        other => panic!("{other:?}"),
    }
    match scene.query(
        "sip:nobody@example.org",
        Query::Presentity { aor: "sip:nobody@example.org".to_owned(), watcher: None },
    ) {
        Answer::Presentity(None) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_contact_that_cannot_be_a_request_uri_is_refused_at_first_and_in_the_dialog() {
    let mut scene = Scene::new();
    let mut bob = Client::new(&mut scene, "bob", None);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    for contact in ["sip:bob@h.invalid?Subject=x", "sip:bob@h.invalid?transport=ws"] {
        bob.contact = contact.to_owned();
        assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 400, "{contact}");
        let text = bob.subscribe_text(&mut scene, "alice", "");
        assert_eq!(code(&scene.ask(bob.flow, &text)), 400, "{contact}");
    }
    assert_eq!(scene.counts().subscriptions, 1);
}
