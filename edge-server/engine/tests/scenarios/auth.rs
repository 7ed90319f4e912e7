//! Passwords.

use crate::scene::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tributary_engine::{Account, Auth, AuthFailure, Config, Event, Users};
use tributary_sip::digest::{self, Asked};
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
    let asked = Asked { method, uri, body: rest.split_once("\r\n\r\n").unwrap().1.as_bytes() };
    let proof = digest::answer(challenge.digest().unwrap(), user, password, asked, "abc", 1);
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
    assert!(scene.events.contains(&Event::AuthenticationFailed { why: AuthFailure::Password }));
    assert_eq!(scene.counts().bindings, 1);
}

#[test]
fn the_operator_learns_what_is_wrong_with_credentials_and_the_client_does_not() {
    let mut scene = Scene::with(with_password());
    let mut answers = Vec::new();
    for (user, domain, username, why) in [
        ("alice", REALM, "alice", "password"),
        ("mallory", REALM, "mallory", "no_such_user"),
        ("mallory", REALM, "mallory@example.com", "no_such_user"),
        ("mallory", "example.org", "mallory", "domain"),
        ("mallory", REALM, "alice@example.org", "domain"),
    ] {
        let mut client = Client::new(&mut scene, user, None);
        let text = client.register_text(&mut scene, ";expires=600");
        let text = text.replace(&format!("<sip:{user}@{REALM}>"), &format!("<sip:{user}@{domain}>"));
        let challenge = scene.ask(client.flow, &text);
        scene.events.clear();
        let refused = scene.ask(client.flow, &answered(&text, &challenge, username, "a guess"));
        let is_why =
            |event: &Event| matches!(event, Event::AuthenticationFailed { why: told } if told.name() == why);
        assert!(scene.events.iter().any(is_why), "{why}: {:?}", scene.events);
        let names = |message: &Message| message.headers(Name::WwwAuthenticate).count();
        answers.push((code(&refused), names(&refused), refused.header(Name::Warning).is_some()));
    }
    answers.dedup();
    assert_eq!(answers, [(401, 2, false)]);
}

/// Whether every challenge of an answer says that only the nonce is at fault.
fn is_stale(answer: &Message) -> bool {
    assert_eq!(code(answer), 401);
    answer.headers(Name::WwwAuthenticate).all(|line| line.contains("stale=true"))
}

/// Registers with the password, and gives the challenge that was answered.
pub(crate) fn log_in(scene: &mut Scene, client: &mut Client) -> Message {
    let text = client.register_text(scene, ";expires=3600");
    let challenge = scene.ask(client.flow, &text);
    assert!(!is_stale(&challenge));
    let text = answered(&text, &challenge, client.user, &format!("{}'s secret", client.user));
    assert_eq!(code(&scene.ask(client.flow, &text)), 200);
    challenge
}

#[test]
fn r20_the_first_request_is_challenged_and_later_ones_on_its_connection_are_not_until_the_time_is_over() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    let challenge = log_in(&mut scene, &mut alice);
    // JsSIP sends none, and SIP.js the old ones: neither matters, however old.
    for hours in [0, 3, 4] {
        scene.pass(hours * 3_600_000);
        let text = alice.register_text(&mut scene, ";expires=3600");
        assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
        let text = alice.register_text(&mut scene, ";expires=3600");
        let text = answered(&text, &challenge, "alice", "alice's secret");
        assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
        let text = alice.subscribe_text(&mut scene, "alice", "Expires: 0\r\n");
        assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
        scene.notified(alice.flow);
    }
    scene.pass(3_600_000 - 1);
    let text = alice.register_text(&mut scene, ";expires=3600");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200, "the last millisecond of 28,800 s");
    scene.pass(1);
    let text = alice.register_text(&mut scene, ";expires=3600");
    let challenged = scene.ask(alice.flow, &text);
    assert!(!is_stale(&challenged), "no credentials, so no nonce that could be old");
    let text = alice.register_text(&mut scene, ";expires=3600");
    let old = answered(&text, &challenge, "alice", "alice's secret");
    assert!(is_stale(&scene.ask(alice.flow, &old)), "only the nonce is old");
    let text = alice.register_text(&mut scene, ";expires=3600");
    let wrong = answered(&text, &challenge, "alice", "a guess");
    assert!(!is_stale(&scene.ask(alice.flow, &wrong)), "more is wrong than the nonce");
    log_in_again(&mut scene, &mut alice, &challenged);
}

/// Answers a challenge, and is let in without one afterwards.
fn log_in_again(scene: &mut Scene, client: &mut Client, challenge: &Message) {
    let text = client.register_text(scene, ";expires=3600");
    let text = answered(&text, challenge, client.user, &format!("{}'s secret", client.user));
    assert_eq!(code(&scene.ask(client.flow, &text)), 200);
    let text = client.register_text(scene, ";expires=3600");
    assert_eq!(code(&scene.ask(client.flow, &text)), 200);
}

#[test]
fn r20_the_time_is_the_configured_one_and_counts_from_the_password_and_not_from_the_last_request() {
    let mut config = with_password();
    config.timing.auth_lifetime_ms = 10_000;
    let mut scene = Scene::with(config);
    let mut alice = Client::new(&mut scene, "alice", None);
    log_in(&mut scene, &mut alice);
    for expect in [200, 401] {
        scene.pass(5_000);
        let text = alice.register_text(&mut scene, ";expires=600");
        assert_eq!(code(&scene.ask(alice.flow, &text)), expect);
    }
}

#[test]
fn r20_another_address_on_the_same_connection_is_challenged_and_so_is_the_first_one_after_it() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    log_in(&mut scene, &mut alice);
    let mut bob = Client { user: "bob", register_call: scene.number(), ..alice.clone() };
    log_in(&mut scene, &mut bob);
    // A connection is known for one user: the newest.
    assert_eq!(code(&bob.register(&mut scene)), 200);
    assert_eq!(code(&alice.register(&mut scene)), 401);
}

#[test]
fn r20_a_repeated_nonce_count_gets_a_fresh_nonce_and_stale_and_never_a_refusal() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    let challenge = log_in(&mut scene, &mut alice);
    // As SIP.js comes back: the old credentials over a new connection.
    alice.reconnect(&mut scene);
    let text = alice.register_text(&mut scene, ";expires=3600");
    let again = scene.ask(alice.flow, &answered(&text, &challenge, "alice", "alice's secret"));
    assert!(is_stale(&again));
    assert!(scene.events.contains(&Event::AuthenticationFailed { why: AuthFailure::Repeated }));
    let nonce = |answer: &Message| {
        let line = answer.headers(Name::WwwAuthenticate).last().unwrap();
        Challenge::parse(line).unwrap().digest().unwrap().nonce.to_owned()
    };
    assert_ne!(nonce(&challenge), nonce(&again));
    log_in_again(&mut scene, &mut alice, &again);
}

#[test]
fn r20_who_uses_datagrams_is_asked_each_time_and_may_count_on_with_one_nonce() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::in_datagrams(&mut scene, "alice", 5062);
    let text = alice.register_text(&mut scene, ";expires=600");
    let challenge = scene.ask(alice.flow, &text);
    for (nc, expect) in [(1, 200), (2, 200), (2, 401), (3, 200)] {
        let line = challenge.headers(Name::WwwAuthenticate).last().unwrap();
        let challenge = Challenge::parse(line).unwrap();
        let asked = Asked::new("REGISTER", "sip:example.com");
        let proof = digest::answer(challenge.digest().unwrap(), "alice", "alice's secret", asked, "abc", nc);
        let text = alice.register_text(&mut scene, ";expires=600");
        let text =
            text.replace("Max-Forwards", &format!("Authorization: {}\r\nMax-Forwards", proof.unwrap()));
        assert_eq!(code(&scene.ask(alice.flow, &text)), expect, "nc={nc}");
    }
    assert_eq!(code(&alice.register(&mut scene)), 401);
}

#[test]
fn r20_over_the_connection_of_another_proxy_everybody_is_asked() {
    let mut scene = Scene::with(with_password());
    let mut alice = Client::new(&mut scene, "alice", None);
    let through = |text: &str| {
        text.replacen("\r\nVia", "\r\nVia: SIP/2.0/TCP proxy.example.com;branch=z9hG4bKproxy\r\nVia", 1)
            .replacen("Supported: path,gruu,outbound", "Supported: path,gruu", 1)
    };
    let text = through(&alice.register_text(&mut scene, ";expires=600"));
    let challenge = scene.ask(alice.flow, &text);
    let text = answered(&text, &challenge, "alice", "alice's secret").replacen("z9hG4bKproxy", "z9hG4bKq", 1);
    assert_eq!(code(&scene.ask(alice.flow, &text)), 200);
    // Who says to be alice there need not be.
    let text = through(&alice.register_text(&mut scene, ";expires=600")).replace("z9hG4bKproxy", "z9hG4bKr");
    assert_eq!(code(&scene.ask(alice.flow, &text)), 401);
}

#[test]
fn r20_a_removed_users_connection_loses_its_standing() {
    let gone = Arc::new(AtomicBool::new(false));
    let config = with_password();
    let mut scene = Scene::with(Config { users: Arc::new(Leaving(Arc::clone(&gone))), ..config });
    let mut alice = Client::new(&mut scene, "alice", None);
    log_in(&mut scene, &mut alice);
    assert_eq!(code(&alice.register(&mut scene)), 200);
    gone.store(true, Ordering::Relaxed);
    assert_eq!(code(&alice.register(&mut scene)), 401);
}

/// The two, until they are gone.
#[derive(Debug)]
struct Leaving(Arc<AtomicBool>);

impl Users for Leaving {
    fn account(&self, username: &str) -> Option<Account> {
        Two.account(username).filter(|_| !self.0.load(Ordering::Relaxed))
    }

    fn exists(&self, aor: &str) -> bool {
        Two.exists(aor) && !self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn auth_int_is_understood_where_it_is_configured() {
    let server = DigestServer::new(REALM, [9; 32], 300).with_integrity(true);
    let mut scene = Scene::with(Config { auth: Auth::Digest(Arc::new(server)), ..with_password() });
    let alice = Client::new(&mut scene, "alice", None);
    let text = alice.publish_text(&mut scene, &pidf("alice", "open"), "");
    let challenge = scene.ask(alice.flow, &text);
    let line = challenge.headers(Name::WwwAuthenticate).last().unwrap();
    assert!(line.contains("qop=\"auth,auth-int\""), "{line}");
    // As JsSIP chooses.
    let only = line.replace("auth,auth-int", "auth-int");
    let only = Challenge::parse(&only).unwrap();
    let body = pidf("alice", "open");
    let asked = Asked { method: "PUBLISH", uri: "sip:alice@example.com", body: body.as_bytes() };
    let proof = digest::answer(only.digest().unwrap(), "alice", "alice's secret", asked, "abc", 1).unwrap();
    let said = |text: &str| text.replace("Max-Forwards", &format!("Authorization: {proof}\r\nMax-Forwards"));
    let forged = said(&text).replace("open", "shut").replacen("z9hG4bK", "z9hG4bKf", 1);
    assert_eq!(code(&scene.ask(alice.flow, &forged)), 401, "the body is another");
    assert_eq!(code(&scene.ask(alice.flow, &said(&text).replacen("z9hG4bK", "z9hG4bKg", 1))), 200);
}

#[test]
fn r22_where_it_is_required_only_who_is_registered_publishes_and_subscribes() {
    for required in [false, true] {
        let mut scene = Scene::with(Config { require_registration: required, ..config() });
        let mut alice = Client::new(&mut scene, "alice", None);
        let mut bob = Client::in_datagrams(&mut scene, "bob", 5062);
        let expect = if required { 403 } else { 200 };
        assert_eq!(code(&alice.publish(&mut scene, &pidf("alice", "open"), "")), expect);
        let text = bob.subscribe_text(&mut scene, "alice", "Expires: 0\r\n");
        assert_eq!(code(&scene.ask(bob.flow, &text)), expect);
        while scene.next(bob.flow).is_some() {}
        assert_eq!(code(&alice.register(&mut scene)), 200);
        assert_eq!(code(&bob.register(&mut scene)), 200);
        for user in ["alice", "bob", "carol"] {
            for client in [&alice, &bob] {
                let text = client.subscribe_text(&mut scene, user, "Expires: 0\r\n");
                assert_eq!(code(&scene.ask(client.flow, &text)), 200, "{} watches {user}", client.user);
                while scene.next(client.flow).is_some() {}
            }
        }
        assert_eq!(code(&alice.publish(&mut scene, &pidf("alice", "open"), "")), 200);
        assert_eq!(code(&alice.unregister(&mut scene)), 200);
        assert_eq!(code(&alice.publish(&mut scene, &pidf("alice", "open"), "")), expect);
    }
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
    let mut watch = Watch::of(&answer);
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
