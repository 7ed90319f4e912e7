//! More than can be done.

use crate::auth::with_password;
use crate::scene::*;
use tributary_engine::{Config, Event, Rate};
use tributary_sip::{Message, Name};

fn retry_after(answer: &Message) -> u32 {
    answer.header(Name::RetryAfter).unwrap().parse().unwrap()
}

#[test]
fn a_user_who_asks_too_much_has_to_wait_and_others_do_not() {
    let user_rate = Rate { per_second: 2, burst: 3 };
    let mut scene = Scene::with(Config { user_rate, ..config() });
    let mut alice = Client::new(&mut scene, "alice", None);
    let mut bob = Client::new(&mut scene, "bob", None);
    let codes: Vec<_> = (0..5).map(|_| code(&alice.register(&mut scene))).collect();
    assert_eq!(codes, [200, 200, 200, 503, 503]);
    assert_eq!(retry_after(&alice.register(&mut scene)), 1);
    assert!(scene.events.contains(&Event::TurnedAway { why: "user_rate" }));
    assert_eq!(code(&bob.register(&mut scene)), 200);
    scene.pass(1_000);
    let codes: Vec<_> = (0..3).map(|_| code(&alice.register(&mut scene))).collect();
    assert_eq!(codes, [200, 200, 503]);
    let counts = scene.counts();
    scene.pass(40_000);
    let kept = counts.transactions - scene.counts().transactions;
    assert_eq!(kept, 6, "of what is refused over a connection nothing is kept");
}

#[test]
fn in_somebody_elses_name_nobody_uses_up_what_a_user_may_do() {
    let user_rate = Rate { per_second: 1, burst: 1 };
    let mut scene = Scene::with(Config { user_rate, ..with_password() });
    let mut mallory = Client::new(&mut scene, "alice", None);
    for _ in 0..10 {
        assert_eq!(code(&mallory.register(&mut scene)), 401);
    }
    let alice = Client::new(&mut scene, "alice", None);
    let text = alice.publish_text(&mut scene, &pidf("alice", "open"), "");
    assert_eq!(code(&crate::auth::ask(&mut scene, &alice, &text, "alice's secret")), 200);
}

#[test]
fn while_a_shard_lags_what_is_under_way_goes_on_and_what_is_new_comes_again_at_different_times() {
    let mut scene = Scene::with(config());
    let mut alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    assert_eq!(code(&alice.register(&mut scene)), 200);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    scene.lag(4_000);
    let etag = alice.announce(&mut scene, "open");
    scene.notified(bob.flow);
    scene.lag(4_001);
    let mut when = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let refused = alice.register(&mut scene);
        assert_eq!(code(&refused), 503);
        when.insert(retry_after(&refused));
    }
    assert!(when.len() > 5 && when.iter().all(|seconds| (5..=15).contains(seconds)), "{when:?}");
    assert!(scene.events.contains(&Event::TurnedAway { why: "lag" }));
    let publish = alice.publish(&mut scene, "", &format!("SIP-If-Match: {etag}\r\n"));
    assert_eq!(code(&publish), 503);
    let subscribe = bob.subscribe_text(&mut scene, "alice", "");
    assert_eq!(code(&scene.ask(bob.flow, &subscribe)), 503);
    for method in ["INVITE", "MESSAGE"] {
        let head = bob.head(&mut scene, method, "sip:alice@example.com", "sip:alice@example.com");
        let text = format!("{head}Contact: <{}>\r\nContent-Length: 0\r\n\r\n", bob.contact);
        assert_eq!(code(&scene.ask(bob.flow, &text)), 503, "{method}");
    }
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 200, "in a dialog");
    scene.notified(bob.flow);
    scene.lag(0);
    assert_eq!(code(&alice.register(&mut scene)), 200);
}
