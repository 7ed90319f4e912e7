//! Clients that use datagrams, which get lost, come twice, and carry any sender's address.

use crate::auth::{answered, ask, with_password};
use crate::scene::*;
use tributary_engine::{Answer, Effect, Effects, Event, Limits, Query, SubscriptionEnd};
use tributary_sip::{Message, Name, SubState};

/// Alice publishes and Bob watches her, both in datagrams; the first NOTIFY is not answered.
fn watched() -> (Scene, Client, Client, Watch, Message) {
    let mut scene = Scene::new();
    let alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    alice.announce(&mut scene, "open");
    let bob = Client::in_datagrams(&mut scene, "bob", 5_002);
    let (_, watch) = bob.subscribe(&mut scene, "alice", "Expires: 3600\r\n");
    let notify = scene.next(bob.flow).expect("a NOTIFY");
    (scene, alice, bob, watch, notify)
}

/// Bob, in datagrams or over a connection.
fn bob(scene: &mut Scene, datagrams: bool) -> Client {
    if datagrams { Client::in_datagrams(scene, "bob", 5_002) } else { Client::new(scene, "bob", None) }
}

fn ended(scene: &Scene) -> Vec<SubscriptionEnd> {
    let why = |event: &Event| match event {
        Event::SubscriptionEnded { why, .. } => Some(*why),
        _ => None,
    };
    scene.events.iter().filter_map(why).collect()
}

#[test]
fn a_notify_comes_again_until_it_is_answered() {
    let (mut scene, _, bob, _, notify) = watched();
    assert!(notify.via().unwrap().params.has("rport"), "the answer is to get through his NAT");
    for pause in [500, 1_000, 2_000] {
        scene.pass(pause);
        assert_eq!(scene.next(bob.flow).expect("it again").raw(), notify.raw());
        assert_eq!(scene.inbox(bob.flow).len(), 0);
    }
    scene.answer(bob.flow, &notify, 200);
    scene.pass(60_000);
    assert_eq!(scene.inbox(bob.flow).len(), 0);
    assert_eq!((scene.counts().subscriptions, scene.counts().transactions), (1, 0));
}

#[test]
fn over_a_connection_a_notify_is_sent_once() {
    let mut scene = Scene::new();
    let bob = bob(&mut scene, false);
    bob.subscribe(&mut scene, "alice", "Expires: 3600\r\n");
    let notify = scene.next(bob.flow).expect("a NOTIFY");
    assert!(!notify.via().unwrap().params.has("rport"));
    scene.pass(31_000);
    assert_eq!(scene.inbox(bob.flow).len(), 0);
}

#[test]
fn a_watcher_that_answers_none_is_given_up_after_32_seconds_however_it_is_reached() {
    for datagrams in [true, false] {
        let mut scene = Scene::new();
        let bob = bob(&mut scene, datagrams);
        bob.subscribe(&mut scene, "alice", "Expires: 3600\r\n");
        scene.pass(31_900);
        assert_eq!(ended(&scene), []);
        scene.pass(200);
        assert_eq!(ended(&scene), [SubscriptionEnd::Unanswered]);
        assert!(scene.events.contains(&Event::NotifyAnswered { status: 408 }));
        assert!(scene.store.is_empty());
        scene.pass(60_000);
        let counts = scene.counts();
        assert_eq!((counts.subscriptions, counts.transactions, counts.timers, counts.flows), (0, 0, 0, 0));
    }
}

#[test]
fn an_answer_that_knows_no_such_dialog_ends_the_subscription() {
    let (mut scene, _, bob, _, notify) = watched();
    scene.answer(bob.flow, &notify, 481);
    assert_eq!(ended(&scene), [SubscriptionEnd::Refused]);
}

#[test]
fn a_slow_watcher_gets_the_newest_state_and_none_of_those_between() {
    let (mut scene, alice, bob, _, notify) = watched();
    for basic in ["closed", "open", "closed"] {
        alice.publish(&mut scene, &pidf("alice", basic), "");
    }
    assert_eq!(scene.inbox(bob.flow).len(), 0);
    scene.answer(bob.flow, &notify, 200);
    let newest = scene.notified(bob.flow);
    assert_eq!(body(&newest), scene.state("sip:alice@example.com"));
    // The answer comes again: it is nothing new.
    scene.answer(bob.flow, &notify, 200);
    assert_eq!(scene.inbox(bob.flow).len(), 0);
}

#[test]
fn the_last_notify_comes_again_although_the_subscription_is_over() {
    let (mut scene, _, bob, mut watch, notify) = watched();
    scene.answer(bob.flow, &notify, 200);
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "Expires: 0\r\n")), 200);
    let last = scene.next(bob.flow).expect("the last NOTIFY");
    assert_eq!(last.subscription_state().unwrap().unwrap().state, SubState::Terminated);
    assert_eq!(scene.counts().subscriptions, 0);
    scene.pass(500);
    assert_eq!(scene.notified(bob.flow).raw(), last.raw());
    scene.pass(60_000);
    assert_eq!((scene.inbox(bob.flow).len(), scene.counts().transactions), (0, 0));
}

#[test]
fn a_repeated_request_gets_its_answer_again_and_does_nothing_else() {
    let mut scene = Scene::new();
    let alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    let text = alice.publish_text(&mut scene, &pidf("alice", "open"), "");
    let answer = scene.ask(alice.flow, &text);
    let stored = scene.store.clone();
    for _ in 0..3 {
        scene.pass(8_000);
        assert_eq!(scene.ask(alice.flow, &text).raw(), answer.raw());
        assert_eq!((scene.counts().publications, &scene.store), (1, &stored));
    }
    scene.pass(8_000);
    assert_eq!(scene.counts().transactions, 0, "Timer J");
}

#[test]
fn a_copy_that_came_over_another_path_gets_482() {
    let mut scene = Scene::new();
    let alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    let text = alice.publish_text(&mut scene, &pidf("alice", "open"), "");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
    let copy = text.replacen("branch=z9hG4bK", "branch=z9hG4bKother", 1);
    assert_eq!(code(&scene.ask(alice.flow, &copy)), 482);
    assert_eq!(scene.counts().publications, 1);
}

#[test]
fn a_refusal_that_the_request_alone_decides_leaves_nothing_and_is_repeated_word_for_word() {
    let mut scene = Scene::new();
    let alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    let text = alice.publish_text(&mut scene, "", "");
    let answer = scene.ask(alice.flow, &text);
    assert_eq!((code(&answer), scene.counts().transactions), (400, 0));
    assert_eq!(scene.ask(alice.flow, &text).raw(), answer.raw());
}

#[test]
fn a_call_to_the_server_itself_is_refused_and_its_ack_and_cancel_leave_nothing_behind() {
    for datagrams in [true, false] {
        let mut scene = Scene::new();
        let bob = bob(&mut scene, datagrams);
        let us = "sip:example.com";
        let invite = bob.head(&mut scene, "INVITE", us, us) + "Content-Length: 0\r\n\r\n";
        let refusal = scene.ask(bob.flow, &invite);
        assert_eq!(code(&refusal), 405);
        assert!(refusal.header(Name::Allow).is_some());
        assert_eq!(scene.ask(bob.flow, &invite).raw(), refusal.raw());
        let to = format!("To: {}", refusal.header(Name::To).unwrap());
        let ack = invite.replace("INVITE", "ACK").replace("To: <sip:example.com>", &to);
        scene.send(bob.flow, &ack);
        assert_eq!(scene.inbox(bob.flow).len(), 0);
        assert_eq!(code(&scene.ask(bob.flow, &invite.replace("INVITE", "CANCEL"))), 481);
        assert_eq!(code(&scene.ask(bob.flow, &invite.replace("INVITE", "WINK"))), 501);
        scene.pass(60_000);
        let counts = scene.counts();
        assert_eq!((counts.transactions, counts.transaction_bytes, counts.timers), (0, 0, 0));
    }
}

#[test]
fn nobody_is_believed_for_the_address_that_a_datagram_names() {
    let mut scene = Scene::with(with_password());
    let alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    let text = alice.publish_text(&mut scene, &pidf("alice", "open"), "");
    assert_eq!(code(&ask(&mut scene, &alice, &text, "alice's secret")), 200);
    let bob = Client::in_datagrams(&mut scene, "bob", 5_002);
    let text = bob.subscribe_text(&mut scene, "alice", "Expires: 3600\r\n");
    let answer = ask(&mut scene, &bob, &text, "bob's secret");
    assert_eq!(code(&answer), 200);
    scene.notified(bob.flow);
    let mut watch = Watch::of(&answer);
    // Over a connection this dialog would need no password again.
    let text = bob.refresh_text(&mut scene, &mut watch, "Expires: 0\r\n");
    let challenge = scene.ask(bob.flow, &text);
    assert_eq!(code(&challenge), 401);
    assert_eq!(scene.counts().subscriptions, 1);
    let text = answered(&text, &challenge, "bob", "bob's secret");
    assert_eq!(code(&scene.ask(bob.flow, &text)), 200);
}

#[test]
fn two_phones_at_one_socket_are_two_devices() {
    let mut scene = Scene::new();
    for port in [5_001, 5_002] {
        let mut alice = Client::in_datagrams(&mut scene, "alice", port);
        alice.register(&mut scene);
        let document = pidf_of("alice", &format!("t{port}"), "open", "sip:alice@example.com");
        alice.publish(&mut scene, &document, "");
    }
    let aor = "sip:alice@example.com";
    let Answer::Presentity(Some(alice)) =
        scene.query(aor, Query::Presentity { aor: aor.to_owned(), watcher: None })
    else {
        panic!("no answer");
    };
    let devices: Vec<_> = alice.devices.iter().map(|device| device.device.as_str()).collect();
    assert_eq!(devices, ["sip:alice@127.0.0.1:5001", "sip:alice@127.0.0.1:5002"]);
    assert_eq!((scene.counts().bindings, scene.counts().publications), (2, 2));
}

#[test]
fn after_a_restart_the_way_of_datagrams_is_as_it_was_and_the_watcher_is_told_the_state() {
    let (mut scene, mut alice, bob, _, notify) = watched();
    scene.answer(bob.flow, &notify, 200);
    alice.register(&mut scene);
    scene.restart(1_000);
    let told = scene.notified(bob.flow);
    assert_eq!(body(&told), scene.state("sip:alice@example.com"));
    assert!(told.cseq().unwrap().number > notify.cseq().unwrap().number);
    let counts = scene.counts();
    assert_eq!((counts.bindings, counts.publications, counts.waiting_subscriptions), (1, 1, 0));
    // Far beyond the grace of those that came over connections, and short of their own ends.
    scene.pass(500_000);
    let counts = scene.counts();
    assert_eq!((counts.bindings, counts.publications, counts.subscriptions), (1, 1, 1));
    assert_eq!(code(&alice.publish(&mut scene, &pidf("alice", "closed"), "")), 200);
    assert!(body(&scene.notified(bob.flow)).contains("closed"));
}

#[test]
fn a_refresh_is_stored_when_what_is_stored_would_end_before_it_and_a_crash_between_loses_nothing() {
    let mut scene = Scene::new();
    let mut alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    assert_eq!(code(&alice.register(&mut scene)), 200);
    let (first, mut written) = (scene.store.clone(), 0);
    // 600 s are granted, so what is stored holds for 1,200.
    for _ in 0..6 {
        scene.pass(100_000);
        assert_eq!(code(&alice.register(&mut scene)), 200);
    }
    assert_eq!(scene.store, first);
    for _ in 0..12 {
        let before = scene.store.clone();
        scene.pass(100_000);
        alice.register(&mut scene);
        written += usize::from(scene.store != before);
    }
    assert_eq!(written, 2);
    // Told to live for 600 s from now, it does, and ends by itself soon after.
    scene.restart(1_000);
    scene.pass(598_000);
    assert_eq!(scene.counts().bindings, 1);
    scene.pass(601_000);
    assert_eq!((scene.counts().bindings, scene.store.len()), (0, 0));
}

#[test]
fn a_refresh_that_says_something_new_is_stored_at_once() {
    let mut scene = Scene::new();
    let mut alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    alice.register(&mut scene);
    let before = scene.store.clone();
    let text = alice.register_text(&mut scene, ";q=0.4;expires=600");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
    assert_ne!(scene.store, before);
    assert_eq!(code(&alice.unregister(&mut scene)), 200);
    assert!(scene.store.is_empty());
}

#[test]
fn where_the_table_is_full_a_notify_waits_for_a_second() {
    let mut config = config();
    config.limits = Limits { requests_per_shard: 1, ..Limits::default() };
    let mut scene = Scene::with(config);
    let alice = Client::new(&mut scene, "alice", None);
    let watchers = [5_001, 5_002, 5_003].map(|port| {
        let bob = Client::in_datagrams(&mut scene, "bob", port);
        bob.subscribe(&mut scene, "alice", "Expires: 3600\r\n");
        scene.notified(bob.flow);
        // Until Timer K has run out the transaction of this NOTIFY is there.
        scene.pass(5_000);
        bob
    });
    alice.announce(&mut scene, "open");
    let told = watchers.iter().filter(|bob| !scene.inbox(bob.flow).is_empty()).count();
    assert_eq!(told, 1);
    assert!(scene.events.contains(&Event::LimitReached { limit: "requests_per_shard" }));
    let state = scene.state("sip:alice@example.com");
    let mut done = 0;
    for _ in 0..20 {
        for bob in &watchers {
            if !scene.inbox(bob.flow).is_empty() {
                assert_eq!(body(&scene.notified(bob.flow)), state);
                done += 1;
            }
        }
        scene.pass(1_000);
    }
    assert_eq!((done, scene.counts().subscriptions), (3, 3));
}

#[test]
fn at_the_limit_a_new_request_in_a_datagram_gets_503_and_retry_after() {
    let mut config = config();
    config.limits = Limits { transactions_per_shard: 2, ..Limits::default() };
    let mut scene = Scene::with(config);
    let alice = Client::in_datagrams(&mut scene, "alice", 5_001);
    let answers = [(); 3].map(|()| alice.publish(&mut scene, "", "SIP-If-Match: gone\r\n"));
    assert_eq!(answers.each_ref().map(code), [412, 412, 503]);
    assert_eq!(answers[2].header(Name::RetryAfter), Some("32"));
    assert!(scene.events.contains(&Event::LimitReached { limit: "transactions_per_shard" }));
    scene.pass(33_000);
    assert_eq!(code(&alice.publish(&mut scene, "", "SIP-If-Match: gone\r\n")), 412);
}

#[test]
fn a_notify_that_could_not_be_sent_is_tried_again_at_the_next_change() {
    let (mut scene, alice, bob, _, _) = watched();
    let last = *scene.sent.last().expect("a transaction");
    scene.send_failed(last);
    scene.pass(10_000);
    assert_eq!((scene.inbox(bob.flow).len(), scene.counts().subscriptions), (0, 1));
    alice.announce(&mut scene, "closed");
    scene.notified(bob.flow);
}

#[test]
fn what_is_promised_is_stored_before_the_answer_leaves_and_before_any_repetition_of_it() {
    for datagrams in [true, false] {
        let mut scene = Scene::new();
        let bob = bob(&mut scene, datagrams);
        let text = bob.publish_text(&mut scene, &pidf("bob", "open"), "");
        // Both are taken before anything is carried out, as by a shard that is busy.
        let mut effects = Effects::new();
        scene.collect(bob.flow, &text, &mut effects);
        scene.collect(bob.flow, &text, &mut effects);
        let done: Vec<_> = effects
            .as_slice()
            .iter()
            .filter_map(|effect| match effect {
                Effect::Store(_) => Some("stores"),
                Effect::Send { .. } => Some("answers"),
                _ => None,
            })
            .collect();
        assert_eq!(done, ["stores", "answers", "answers"]);
    }
}
