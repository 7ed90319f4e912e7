//! A policy on trial: for some, then for all, or for nobody any more.

use crate::harness::{Client, call, server, wait_for_metric, within};
use crate::policies::{assign, policy, upload};
use serde_json::{Value, json};
use std::net::SocketAddr;

const SCOPE: &str = "domain:example.com";

async fn post(address: SocketAddr, verb: &str, body: Option<Value>) -> (u16, Value) {
    let body = body.map(|body| body.to_string());
    let body = body.as_ref().map(|body| ("application/json", body.as_bytes()));
    let answer = call(address, "POST", &format!("/api/v1/assignments/{SCOPE}/{verb}"), body).await;
    (answer.status, answer.json())
}

async fn assigned(address: SocketAddr) -> Value {
    call(address, "GET", "/api/v1/assignments", None).await.json()["assignments"][0].clone()
}

/// Of `users`, those whose document has the note.
async fn with_note(address: SocketAddr, users: &[String], note: &str) -> Vec<String> {
    let mut found = Vec::new();
    for user in users {
        let path = format!("/api/v1/presentities/sip:{user}@example.com");
        let shown = call(address, "GET", &path, None).await.json();
        if shown["pidf"].as_str().unwrap().contains(&format!(">{note}<")) {
            found.push(user.clone());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_tried_with_some_then_more_then_put_in_force_or_withdrawn() {
    let server = server(|_| {}).await;
    let address = server.address;
    let users: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    for user in &users {
        Client::connect(address, user).await.publish(200, "own").await;
    }
    let ids = [upload(address, "old", &policy("old")).await, upload(address, "new", &policy("new")).await];
    let [old, new] = ids.map(|policy| policy["id"].clone());
    assert_eq!(post(address, "activate", None).await.1["error"]["code"], "no_candidate");
    assign(address, SCOPE, json!({"policy": old})).await;
    // Stored and not active: nobody's yet.
    let put = assign(address, SCOPE, json!({"policy": new, "canary": 0, "locked": true})).await;
    assert_eq!(
        (&put["in_force"]["policy"]["name"], &put["candidate"]["percent"]),
        (&json!("old"), &json!(0))
    );
    assert_eq!(with_note(address, &users, "new").await, Vec::<String>::new());
    let removed = call(address, "DELETE", &format!("/api/v1/policies/{}", new.as_str().unwrap()), None).await;
    assert_eq!((removed.status, removed.error().as_str()), (409, "in_use"));

    assert_eq!(post(address, "activate", Some(json!({"canary": 30}))).await.0, 200);
    let some = with_note(address, &users, "new").await;
    assert!((3..25).contains(&some.len()), "{some:?}");
    assert_eq!(with_note(address, &users, "old").await.len(), users.len() - some.len());
    // What is on trial locks nothing: a user's own still decides.
    assign(address, "user:sip:user0@example.com", json!({"built_in": "newest"})).await;
    call(address, "DELETE", "/api/v1/assignments/user:sip:user0@example.com", None).await;

    assert_eq!(post(address, "activate", Some(json!({"canary": 60}))).await.0, 200);
    let more = with_note(address, &users, "new").await;
    assert!(more.len() > some.len() && some.iter().all(|user| more.contains(user)), "{some:?} {more:?}");
    let shown = assigned(address).await;
    for place in ["/in_force/figures/outputs", "/candidate/generation/figures/outputs"] {
        assert!(shown.pointer(place).and_then(Value::as_u64).unwrap() > 0, "{place}: {shown}");
    }

    let (_, withdrawn) = post(address, "rollback", None).await;
    assert_eq!(
        (&withdrawn["in_force"]["policy"]["name"], &withdrawn["candidate"]),
        (&json!("old"), &Value::Null)
    );
    assert_eq!(with_note(address, &users, "old").await.len(), users.len());

    assign(address, SCOPE, json!({"policy": new, "canary": 60})).await;
    assert_eq!(with_note(address, &users, "new").await, more, "always the same ones");
    let (_, active) = post(address, "activate", None).await;
    assert_eq!((&active["in_force"]["policy"]["name"], &active["candidate"]), (&json!("new"), &Value::Null));
    assert_eq!(with_note(address, &users, "new").await.len(), users.len());
    let (_, back) = post(address, "rollback", None).await;
    assert_eq!(back["in_force"]["policy"]["name"], "old");

    for body in [json!({"canary": 101}), json!({"canary": -1}), json!({"share": 5})] {
        assert!(matches!(post(address, "activate", Some(body.clone())).await.0, 400 | 422), "{body}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_on_trial_is_withdrawn_for_all_and_what_is_in_force_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let with_data = || {
        let data = data.clone();
        move |config: &mut tributary::config::Config| config.store.data = Some(data)
    };
    let running = server(with_data()).await;
    let address = running.address;
    let mut alice = Client::connect(address, "alice").await;
    let mut tag = crate::harness::entity_tag(&alice.publish(200, "calm").await);
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;
    let quiet = wat::parse_str(
        r#"(module (memory (export "memory") 1 1) (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8))
            (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0)))"#,
    )
    .unwrap();
    let quiet = upload(address, "quiet", &quiet).await;
    let rule = upload(address, "rule", &policy("rule")).await;
    assign(address, SCOPE, json!({"policy": quiet["id"]})).await;
    assign(address, SCOPE, json!({"policy": rule["id"], "canary": 100})).await;
    assert!(bob.notified().await.contains(">rule<"));
    // A trial outlives a restart.
    running.stop().await;
    let running = server(with_data()).await;
    let address = running.address;
    assert_eq!(assigned(address).await["candidate"]["percent"], 100);
    let mut alice = Client::connect(address, "alice").await;
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;
    for note in ["~ one ~", "~ two ~", "~ three ~"] {
        tag = alice.republish(&tag, note).await;
        while !bob.notified().await.contains(note) {}
    }
    within("the end of the trial", async { while !assigned(address).await["candidate"].is_null() {} }).await;
    assert_eq!(assigned(address).await["in_force"]["policy"]["name"], "quiet");
    wait_for_metric(&running, "tributary_policy_trials_withdrawn_total 1").await;
    let log = call(address, "GET", "/api/v1/audit", None).await.json();
    let last: Value =
        serde_json::from_str(log["lines"].as_array().unwrap().last().unwrap().as_str().unwrap()).unwrap();
    assert_eq!(
        (&last["who"], &last["action"], &last["why"]),
        (&json!("server"), &json!("withdraw"), &json!("E201"))
    );
    alice.republish(&tag, "calm again").await;
    let notify = bob.notified().await;
    assert!(notify.contains("calm again") && !notify.contains(">rule<"), "{notify}");
    running.stop().await;
}
