//! Passwords.

use crate::scene::*;
use std::sync::Arc;
use tributary_engine::{Account, Auth, Config, Event, Users};
use tributary_sip::{Algorithm, Challenge, DigestServer, Ha1, Message, Name};

const REALM: &str = "example.com";

#[derive(Debug)]
struct Two;

impl Users for Two {
    fn account(&self, username: &str) -> Option<Account> {
        let known = ["alice", "bob"].contains(&username);
        known.then(|| Account {
            aor: format!("sip:{username}@example.com").into(),
            ha1: Ha1::new(username, REALM, &format!("{username}'s secret")),
        })
    }

    fn exists(&self, aor: &str) -> bool {
        ["sip:alice@example.com", "sip:bob@example.com"].contains(&aor)
    }
}

/// Alice and Bob, whose passwords are "alice's secret" and "bob's secret".
pub(crate) fn with_password() -> Config {
    let server = DigestServer::new(REALM, [9; 32], 300);
    Config { auth: Auth::Digest(Arc::new(server)), users: Arc::new(Two), ..config() }
}

/// The request again, with the answer to the challenge that a browser's library would pick: the last.
pub(crate) fn answered(text: &str, challenge: &Message, user: &str, password: &str) -> String {
    let line = challenge.headers(Name::WwwAuthenticate).last().unwrap();
    let challenge = Challenge::parse(line).unwrap();
    let (start, rest) = text.split_once("\r\n").unwrap();
    let mut words = start.split(' ');
    let (method, uri) = (words.next().unwrap(), words.next().unwrap());
    let proof =
        tributary_sip::digest::answer(challenge.digest().unwrap(), user, password, method, uri, "abc", 1);
    let rest = rest.replacen("branch=z9hG4bK", "branch=z9hG4bKa", 1);
    format!("{start}\r\nAuthorization: {}\r\n{rest}", proof.unwrap())
}

/// Sends a request, and once more with the password when it is asked for.
pub(crate) fn ask(scene: &mut Scene, client: &Client, text: &str, password: &str) -> Message {
    let challenge = scene.ask(client.flow, text);
    assert_eq!(code(&challenge), 401);
    let text = answered(text, &challenge, client.user, password);
    scene.ask(client.flow, &text)
}

#[test]
fn a_challenge_offers_sha_256_first_and_md5_last_one_header_line_each() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    let answer = alice.register(&mut scene);
    assert_eq!(code(&answer), 401);
    let algorithms: Vec<_> = answer
        .headers(Name::WwwAuthenticate)
        .map(|line| Algorithm::parse(Challenge::parse(line).unwrap().digest().unwrap().algorithm).unwrap())
        .collect();
    assert_eq!(algorithms, [Algorithm::Sha256, Algorithm::Md5]);
}

#[test]
fn the_right_password_is_let_in_and_a_wrong_one_or_an_unknown_user_is_challenged_again() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    for (password, status) in [("guess", 401), ("bob's secret", 401), ("alice's secret", 200)] {
        let text = alice.register_text(&mut scene, ";expires=600");
        assert_eq!(code(&ask(&mut scene, &alice, &text, password)), status, "{password}");
    }
    let mut mallory = Client::new(&mut scene, "mallory", None);
    let text = mallory.register_text(&mut scene, ";expires=600");
    assert_eq!(code(&ask(&mut scene, &mallory, &text, "x")), 401);
    assert!(scene.events.contains(&Event::AuthenticationFailed { why: "password" }));
    assert_eq!(scene.counts().bindings, 1);
}

#[test]
fn an_old_nonce_is_stale_and_a_young_one_may_be_used_again_with_the_same_count() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    let text = alice.register_text(&mut scene, ";expires=3600");
    let challenge = scene.ask(alice.flow, &text);
    let first = answered(&text, &challenge, "alice", "alice's secret");
    assert_eq!(code(&scene.ask(alice.flow, &first)), 200);
    // As SIP.js refreshes: the old credentials, all of them.
    scene.pass(200_000);
    let again =
        answered(&alice.register_text(&mut scene, ";expires=3600"), &challenge, "alice", "alice's secret");
    assert_eq!(code(&scene.ask(alice.flow, &again)), 200);
    scene.pass(200_000);
    let late =
        answered(&alice.register_text(&mut scene, ";expires=3600"), &challenge, "alice", "alice's secret");
    let answer = scene.ask(alice.flow, &late);
    assert_eq!(code(&answer), 401);
    assert!(answer.headers(Name::WwwAuthenticate).all(|line| line.contains("stale=true")));
}

#[test]
fn nobody_registers_publishes_or_subscribes_as_somebody_else() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    let bob = Client::new(&mut scene, "bob", None);
    let text = alice.register_text(&mut scene, "").replace("To: <sip:alice", "To: <sip:bob");
    assert_eq!(code(&ask(&mut scene, &alice, &text, "alice's secret")), 403);
    let text = bob.publish_text(&mut scene, &pidf("alice", "open"), "").replace("sip:bob@", "sip:alice@");
    assert_eq!(code(&ask(&mut scene, &bob, &text, "bob's secret")), 403);
    let text = bob.subscribe_text(&mut scene, "alice", "").replace("From: <sip:bob@", "From: <sip:alice@");
    assert_eq!(code(&ask(&mut scene, &bob, &text, "bob's secret")), 403);
    let counts = scene.counts();
    assert_eq!((counts.bindings, counts.publications, counts.subscriptions), (0, 0, 0));
}

#[test]
fn an_unknown_user_cannot_be_watched() {
    let mut scene = Scene::with(with_password());
    let bob = Client::new(&mut scene, "bob", None);
    let text = bob.subscribe_text(&mut scene, "carol", "");
    assert_eq!(code(&scene.ask(bob.flow, &text)), 401, "strangers do not learn who exists");
    let text = bob.subscribe_text(&mut scene, "carol", "");
    assert_eq!(code(&ask(&mut scene, &bob, &text, "bob's secret")), 404);
}

#[test]
fn a_refresh_in_the_dialog_is_not_challenged_on_the_connection_where_it_began_but_is_on_another() {
    let mut scene = Scene::with(with_password());
    let mut bob = Client::new(&mut scene, "bob", None);
    let text = bob.subscribe_text(&mut scene, "alice", "");
    let answer = ask(&mut scene, &bob, &text, "bob's secret");
    assert_eq!(code(&answer), 200);
    scene.notified(bob.flow);
    let mut watch = Watch {
        call_id: answer.call_id().to_owned(),
        from_tag: answer.from().unwrap().tag().unwrap().to_owned(),
        to: answer.header(Name::To).unwrap().to_owned(),
        target: answer.contact().unwrap().unwrap().uri.to_owned(),
        cseq: 1,
    };
    assert_eq!(code(&bob.refresh(&mut scene, &mut watch, "")), 200);
    scene.notified(bob.flow);
    bob.reconnect(&mut scene);
    let text = bob.refresh_text(&mut scene, &mut watch, "");
    assert_eq!(code(&ask(&mut scene, &bob, &text, "bob's secret")), 200);
    scene.notified(bob.flow);
    let mallory = Client { flow: scene.connect(), user: "alice", ..bob.clone() };
    let text = bob.refresh_text(&mut scene, &mut watch, "Expires: 0\r\n");
    assert_eq!(code(&ask(&mut scene, &mallory, &text, "alice's secret")), 403);
    assert_eq!(scene.counts().subscriptions, 1);
}
