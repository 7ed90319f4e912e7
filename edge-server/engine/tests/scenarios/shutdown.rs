//! An orderly end: what is stored stays as it is, and nobody hears anything.

use crate::scene::*;
use tributary_engine::{Answer, Event, Input, Query};

#[test]
fn from_the_shutdown_on_nothing_changes_and_a_restart_brings_all_back() {
    let mut scene = Scene::new();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    let mut bob = Client::new(&mut scene, "bob", Some("urn:uuid:b"));
    alice.register(&mut scene);
    bob.register(&mut scene);
    let tag = alice.announce(&mut scene, "open");
    bob.watch(&mut scene, "alice");
    let (before, counts) = (scene.store.clone(), scene.counts());
    scene.everyone(|| Input::Shutdown);
    // What the server ends, what falls due, and what had been on its way.
    scene.disconnect(alice.flow);
    scene.pass(300_000);
    let late = bob.subscribe_text(&mut scene, "alice", "");
    scene.send(bob.flow, &late);
    scene.everyone(|| Input::Tick);
    scene.everyone(|| Input::PolicyChanged { scope: tributary_engine::Scope::All });
    scene.disconnect(bob.flow);
    assert!(scene.inbox(alice.flow).is_empty() && scene.inbox(bob.flow).is_empty());
    assert!(scene.store == before, "the store changed");
    assert_eq!(scene.counts(), counts);
    assert!(scene.events.contains(&Event::Dropped { why: "stopping" }));
    let Answer::Live(Some(live)) =
        scene.query("sip:alice@example.com", Query::Live { aor: "sip:alice@example.com".to_owned() })
    else {
        panic!("queries are answered to the end");
    };
    assert!(live.server_pidf.contains("open"));
    assert!(scene.store == before, "a query changed the store");

    scene.now = START + 1_000;
    scene.restart(0);
    let after = scene.counts();
    assert_eq!((after.bindings, after.publications, after.waiting_subscriptions), (2, 1, 1));
    bob.reconnect(&mut scene);
    bob.register(&mut scene);
    assert!(body(&scene.notified(bob.flow)).contains("open"));
    alice.reconnect(&mut scene);
    alice.register(&mut scene);
    let refresh = alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n"));
    assert_eq!(code(&refresh), 200);
}
