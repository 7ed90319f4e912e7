//! Guessed passwords.

use crate::auth::{answered, ask, with_password};
use crate::scene::*;
use std::sync::Arc;
use tributary_engine::lockout::{Locked, Rules};
use tributary_engine::{AuthFailure, Config, Event, Lockout};
use tributary_sip::{Message, Name};

const RULES: Rules =
    Rules { per_address: 3, per_account: 5, lock_ms: 900_000, known_ms: 86_400_000, entries: 64 };

fn scene() -> Scene {
    let lockout = Some(Arc::new(Lockout::new(RULES, [1, 2])));
    Scene::with(Config { lockout, ..with_password() })
}

/// Tries to register, and says what came of it.
fn attempt(scene: &mut Scene, client: &mut Client, password: &str) -> Message {
    let text = client.register_text(scene, ";expires=600");
    ask(scene, client, &text, password)
}

fn locks(scene: &Scene) -> Vec<(&str, Locked)> {
    let lock = |event| match event {
        &Event::LockedOut { ref account, what, .. } => Some((&**account, what)),
        _ => None,
    };
    scene.events.iter().filter_map(lock).collect()
}

#[test]
fn who_guesses_too_often_has_to_wait_even_with_the_right_password_and_is_told_how_long() {
    let mut scene = scene();
    let mut mallory = Client::new(&mut scene, "alice", None);
    for _ in 0..3 {
        assert_eq!(code(&attempt(&mut scene, &mut mallory, "a guess")), 401);
    }
    assert_eq!(locks(&scene), [("sip:alice@example.com", Locked::Here)]);
    scene.pass(100_000);
    let refused = attempt(&mut scene, &mut mallory, "alice's secret");
    assert_eq!((code(&refused), refused.header(Name::RetryAfter)), (403, Some("800")));
    assert!(scene.events.contains(&Event::AuthenticationFailed { why: AuthFailure::LockedOut }));
    scene.pass(800_000);
    assert_eq!(code(&attempt(&mut scene, &mut mallory, "alice's secret")), 200);
}

#[test]
fn a_name_that_is_nobodys_is_locked_alike_so_that_nobody_learns_who_exists() {
    let mut scene = scene();
    let mut mallory = Client::new(&mut scene, "mallory", None);
    let codes: Vec<_> = (0..4).map(|_| code(&attempt(&mut scene, &mut mallory, "x"))).collect();
    assert_eq!(codes, [401, 401, 401, 403]);
    assert_eq!(locks(&scene), [("mallory", Locked::Here)]);
}

#[test]
fn nobody_locks_the_owner_out_of_a_live_connection_nor_of_an_address_where_the_owner_was_let_in_lately() {
    let mut scene = scene();
    let mut alice = Client::new(&mut scene, "alice", None);
    assert_eq!(code(&attempt(&mut scene, &mut alice, "alice's secret")), 200);
    let mut mallory = Client { register_call: scene.number(), ..alice.clone() };
    mallory.reconnect(&mut scene);
    for _ in 0..20 {
        assert_eq!(code(&attempt(&mut scene, &mut mallory, "a guess")), 401);
    }
    assert_eq!(locks(&scene), [("sip:alice@example.com", Locked::Everywhere)]);
    // The connection that she has.
    assert_eq!(code(&alice.register(&mut scene)), 200);
    // A new one, from the same address.
    alice.reconnect(&mut scene);
    assert_eq!(code(&attempt(&mut scene, &mut alice, "alice's secret")), 200);
}

#[test]
fn an_old_nonce_is_no_guess() {
    let mut scene = scene();
    let mut alice = Client::new(&mut scene, "alice", None);
    let text = alice.register_text(&mut scene, ";expires=600");
    let challenge = scene.ask(alice.flow, &text);
    scene.pass(400_000);
    for _ in 0..10 {
        let text = alice.register_text(&mut scene, ";expires=600");
        let stale = scene.ask(alice.flow, &answered(&text, &challenge, "alice", "alice's secret"));
        assert_eq!(code(&stale), 401);
    }
    assert_eq!(code(&attempt(&mut scene, &mut alice, "alice's secret")), 200);
    assert_eq!(locks(&scene), []);
}
