//! A user who is taken out of the directory.

use crate::scene::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tributary_engine::{Account, Event, Input, PublicationEnd, SubscriptionEnd, Users};
use tributary_sip::{Message, Name, SubState};

const ALICE: &str = "sip:alice@example.com";

/// Everybody but these.
#[derive(Clone, Debug, Default)]
struct Without(Arc<Mutex<BTreeSet<String>>>);

impl Users for Without {
    fn account(&self, _username: &str) -> Option<Account> {
        None
    }

    fn exists(&self, aor: &str) -> bool {
        !self.0.lock().unwrap().contains(aor)
    }
}

fn scene() -> (Scene, Without) {
    let users = Without::default();
    let mut config = config();
    config.users = Arc::new(users.clone());
    (Scene::with(config), users)
}

fn remove(scene: &mut Scene, users: &Without, aor: &str) {
    users.0.lock().unwrap().insert(aor.to_owned());
    scene.everyone(|| Input::UserRemoved { aor: aor.to_owned() });
}

fn terminated(notify: &Message) -> Option<&str> {
    let state = notify.subscription_state().unwrap().unwrap();
    assert_eq!(state.state, SubState::Terminated);
    notify.header(Name::SubscriptionState)
}

#[test]
fn watchers_of_a_removed_user_are_told_that_there_is_no_such_resource_and_nothing_is_left() {
    let (mut scene, users) = scene();
    let mut alice = Client::new(&mut scene, "alice", Some("urn:uuid:a"));
    alice.register(&mut scene);
    let tag = alice.announce(&mut scene, "open");
    let (bob, carol) = (Client::new(&mut scene, "bob", None), Client::new(&mut scene, "carol", None));
    let dave = Client::new(&mut scene, "dave", None);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    carol.subscribe(&mut scene, "alice", "");
    let slow = scene.next(carol.flow).unwrap();
    dave.watch(&mut scene, "alice");
    scene.disconnect(dave.flow);

    remove(&mut scene, &users, ALICE);
    let last = scene.notified(bob.flow);
    assert_eq!(terminated(&last), Some("terminated;reason=noresource"));
    assert!(!body(&last).contains("open"), "{}", body(&last));
    assert!(scene.inbox(carol.flow).is_empty(), "one in flight");
    scene.answer(carol.flow, &slow, 200);
    assert_eq!(terminated(&scene.notified(carol.flow)), Some("terminated;reason=noresource"));
    let ended = |why| {
        scene
            .events
            .iter()
            .filter(|e| matches!(e, Event::SubscriptionEnded { why: w, .. } if *w == why))
            .count()
    };
    assert_eq!(ended(SubscriptionEnd::NoResource), 3);
    let why = PublicationEnd::UserRemoved;
    assert!(scene.events.contains(&Event::PublicationEnded { aor: ALICE.into(), why }));
    let counts = scene.counts();
    assert_eq!(
        (counts.presentities, counts.publications, counts.bindings, counts.subscriptions),
        (0, 0, 0, 0)
    );
    assert!(scene.store.is_empty());
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 481);
    assert_eq!(code(&alice.publish(&mut scene, "", &format!("SIP-If-Match: {tag}\r\n"))), 404);
}

#[test]
fn a_removed_user_watches_nobody_any_more_and_is_shown_no_last_state() {
    let (mut scene, users) = scene();
    let alice = Client::new(&mut scene, "alice", None);
    alice.announce(&mut scene, "open");
    let bob = Client::new(&mut scene, "bob", None);
    let watched = ["alice", "carol", "dave", "erin"];
    for user in watched {
        bob.watch(&mut scene, user);
    }
    remove(&mut scene, &users, "sip:bob@example.com");
    for _ in watched {
        let last = scene.notified(bob.flow);
        assert_eq!((terminated(&last), body(&last)), (Some("terminated;reason=rejected"), ""));
    }
    assert_eq!(scene.counts().subscriptions, 0);
    assert_eq!(scene.counts().publications, 1, "others keep theirs");
}

#[test]
fn a_user_who_went_while_the_server_was_down_is_missed_at_the_next_refresh() {
    let (mut scene, users) = scene();
    let mut bob = Client::new(&mut scene, "bob", None);
    let (mut watch, _) = bob.watch(&mut scene, "alice");
    users.0.lock().unwrap().insert(ALICE.to_owned());
    scene.restart(1_000);
    bob.reconnect(&mut scene);
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 404);
    assert_eq!((scene.counts().subscriptions, scene.store.len()), (0, 0));
}
