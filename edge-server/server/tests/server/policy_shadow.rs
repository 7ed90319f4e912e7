//! A policy beside the one in force: it changes nothing, and what it would change is told.

use crate::harness::{Client, call, entity_tag, server, wait_for_metric};
use crate::policies::{assign, policy, upload};
use crate::policy_command;
use serde_json::{Value, json};
use std::net::SocketAddr;

const SCOPE: &str = "domain:example.com";

async fn candidate(address: SocketAddr) -> Value {
    call(address, "GET", "/api/v1/assignments", None).await.json()["assignments"][0]["candidate"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_effect_says_what_it_would_change_and_touches_nothing_when_it_fails() {
    let running = server(|_| {}).await;
    let address = running.address;
    let mut alice = Client::connect(address, "alice").await;
    let mut tag = entity_tag(&alice.publish(200, "calm").await);
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;
    let old = upload(address, "old", &policy("old rule")).await;
    let new = upload(address, "new", &policy("new rule")).await;
    assign(address, SCOPE, json!({"policy": old["id"]})).await;
    assert!(bob.notified().await.contains(">old rule<"));
    let put = assign(address, SCOPE, json!({"policy": new["id"], "shadow": true})).await;
    assert_eq!(
        (&put["candidate"]["percent"], &put["in_force"]["policy"]["name"]),
        (&json!(0), &json!("old"))
    );

    for number in 0..4 {
        let note = format!("calm {number}");
        tag = alice.republish(&tag, &note).await;
        let notify = bob.notified().await;
        assert!(notify.contains(&note) && notify.contains(">old rule<"), "{notify}");
        assert!(!notify.contains("new rule"), "{notify}");
    }
    let told = candidate(address).await["shadow"].clone();
    assert!(told["compared"].as_u64().unwrap() >= 4 && told["compared"] == told["changed"], "{told}");
    assert_eq!((&told["failures"], told["sample"].as_array().unwrap().len()), (&json!(0), 1), "{told}");
    let sample = &told["sample"][0];
    let what = sample["what"].to_string();
    assert_eq!(sample["aor"], "sip:alice@example.com");
    assert!(what.contains("note") && what.contains("old rule") && what.contains("new rule"), "{what}");
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{address}");
    let status = policy_command::ask(folder.path(), &url, &["status"]).await.out;
    let words = format!("would change {} of {}\n", told["changed"], told["compared"]);
    assert!(status.contains(&words) && status.contains("    sip:alice@example.com: "), "{status}");

    // One that has the same effect changes nothing, however it writes its answer.
    let same = policy("old rule").into_iter().chain(*b"\0\x04\x03odd").collect::<Vec<u8>>();
    let same = upload(address, "same", &same).await;
    assign(address, SCOPE, json!({"policy": same["id"], "shadow": true})).await;
    for number in 0..3 {
        tag = alice.republish(&tag, &format!("again {number}")).await;
        bob.notified().await;
    }
    let told = candidate(address).await["shadow"].clone();
    assert!(told["compared"].as_u64().unwrap() >= 3 && told["changed"] == 0, "{told}");

    // In force is now what never fails; beside it, what traps. Nobody but its figures knows.
    assign(address, SCOPE, json!({"built_in": "compose"})).await;
    while bob.notified().await.contains(">old rule<") {}
    assign(address, SCOPE, json!({"policy": new["id"], "shadow": true})).await;
    for note in ["~ one ~", "~ two ~", "~ three ~", "~ four ~"] {
        tag = alice.republish(&tag, note).await;
        assert!(bob.notified().await.contains(note));
    }
    let on_trial = candidate(address).await;
    let told = &on_trial["shadow"];
    assert_eq!((&told["failures"], &told["last_failure"]["code"]), (&json!(3), &json!("E201")), "{told}");
    assert!(told["skipped"].as_u64().unwrap() >= 1, "three failures in a row are enough: {told}");
    assert_eq!(on_trial["generation"]["breaker"]["state"], "closed");
    let one = call(address, "GET", &format!("/api/v1/policies/{}", new["id"].as_str().unwrap()), None).await;
    assert_eq!(one.json()["figures"]["calls"], 0, "it is charged apart");
    wait_for_metric(&running, "tributary_policy_shadow_calls_total{outcome=\"failed\"} 3").await;
    running.stop().await;
}
