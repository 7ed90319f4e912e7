//! Bearer tokens (RFC 8898).

use crate::auth::{ask, with_password};
use crate::scene::*;
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_engine::tokens::{Bearer, TokenFault, Tokens};
use tributary_engine::{Config, Event};
use tributary_sip::{Message, Name};

/// Reads tokens such as `alice/60`: alice's, for 60 s from the start.
#[derive(Debug)]
struct Plain;

impl Tokens for Plain {
    fn read(&self, token: &str, now: Millis) -> Result<Bearer, TokenFault> {
        let (user, seconds) = token.split_once('/').ok_or(TokenFault::Invalid)?;
        let expires = Millis(START + seconds.parse::<i64>().map_err(|_| TokenFault::Scope)? * 1_000);
        if expires <= now {
            return Err(TokenFault::Expired);
        }
        Ok(Bearer { aor: format!("sip:{user}@example.com").into(), expires })
    }

    fn challenge(&self) -> &str {
        "Bearer realm=\"example.com\", authz_server=\"https://as.example.com\""
    }
}

fn scene() -> Scene {
    Scene::with(Config { tokens: Some(Arc::new(Plain)), ..with_password() })
}

fn register(scene: &mut Scene, client: &mut Client, token: &str) -> Message {
    let text = client.register_text(scene, ";expires=600");
    let text = text.replacen("Max-Forwards", &format!("Authorization: bearer {token}\r\nMax-Forwards"), 1);
    scene.ask(client.flow, &text)
}

#[test]
fn a_token_lets_its_user_in_and_the_connection_stands_until_it_ends() {
    let mut scene = scene();
    let mut alice = Client::new(&mut scene, "alice", None);
    assert_eq!(code(&register(&mut scene, &mut alice, "alice/60")), 200);
    scene.pass(59_999);
    assert_eq!(code(&alice.register(&mut scene)), 200);
    scene.pass(1);
    assert_eq!(code(&alice.register(&mut scene)), 401);
    let late = register(&mut scene, &mut alice, "alice/60");
    let challenge = late.headers(Name::WwwAuthenticate).next().unwrap();
    assert!(
        challenge.starts_with("Bearer ") && challenge.ends_with(", error=\"invalid_token\""),
        "{challenge}"
    );
    assert_eq!(code(&register(&mut scene, &mut alice, "alice/120")), 200, "and with a new one it goes on");
    let bob = alice.register_text(&mut scene, "").replace("sip:alice@", "sip:bob@");
    assert_eq!(code(&scene.ask(alice.flow, &bob)), 401, "for its user alone");
}

#[test]
fn what_is_wrong_with_a_token_is_said_in_the_challenge_and_a_password_is_taken_beside_it() {
    let mut scene = scene();
    let mut alice = Client::new(&mut scene, "alice", None);
    for (token, error, why) in [
        ("nonsense", "invalid_token", "token"),
        ("alice/0", "invalid_token", "token_expired"),
        ("alice/x", "invalid_scope", "token_scope"),
        ("nobody/60", "invalid_token", "token"),
    ] {
        let refused = register(&mut scene, &mut alice, token);
        assert_eq!(code(&refused), 401, "{token}");
        let challenges: Vec<_> = refused.headers(Name::WwwAuthenticate).collect();
        assert!(challenges[0].ends_with(&format!("error=\"{error}\"")), "{challenges:?}");
        assert!(
            challenges.last().unwrap().contains("algorithm=MD5"),
            "browsers look at the last: {challenges:?}"
        );
        let is_why =
            |event: &Event| matches!(event, Event::AuthenticationFailed { why: told } if told.name() == why);
        assert!(scene.events.iter().any(is_why), "{why}: {:?}", scene.events);
    }
    let text = alice.register_text(&mut scene, ";expires=600");
    assert_eq!(code(&ask(&mut scene, &alice, &text, "alice's secret")), 200);
}

#[test]
fn with_somebody_elses_token_nobody_registers() {
    let mut scene = scene();
    let mut alice = Client::new(&mut scene, "alice", None);
    assert_eq!(code(&register(&mut scene, &mut alice, "bob/60")), 403);
    assert_eq!(scene.counts().bindings, 0);
}
