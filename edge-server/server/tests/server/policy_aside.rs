//! A policy that takes long is asked beside the shards, and watchers are told as by any other.

use crate::harness::{Client, call, entity_tag, server, wait_for_metric};
use crate::policies::{assign, upload};
use serde_json::json;

/// Takes a fifth of its fuel, and has no opinion.
fn takes_long() -> Vec<u8> {
    wat::parse_str(
        r#"(module (memory (export "memory") 2 2)
            (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8192))
            (func (export "pp_merge") (param i32 i32) (result i64) (local i32)
                (loop (br_if 0 (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const 60000))))
                (i64.const 0)))"#,
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_takes_long_is_asked_beside_the_shards_and_each_change_is_told() {
    let server = server(|_| {}).await;
    let mut alice = Client::connect(server.address, "alice").await;
    let mut tag = entity_tag(&alice.publish(200, "first words").await);
    let mut bob = Client::connect(server.address, "bob").await;
    assert!(bob.subscribe("sip:alice@example.com").await.contains("first words"));
    let policy = upload(server.address, "long", &takes_long()).await;
    assign(server.address, "domain:example.com", json!({"policy": policy["id"]})).await;
    // The first call, by the change of policy, is the one that tells how long they are.
    wait_for_metric(&server, "tributary_policy_calls_total{outcome=\"no_opinion\"} 1").await;
    for words in ["second words", "third words", "fourth words"] {
        tag = alice.republish(&tag, words).await;
        assert!(bob.notified().await.contains(words));
    }
    wait_for_metric(&server, "tributary_policy_calls_aside_total 3").await;
    // Who looks by the API is answered at once.
    let shown = call(server.address, "GET", "/api/v1/presentities/sip:alice@example.com", None).await;
    assert!(String::from_utf8_lossy(&shown.body).contains("fourth words"));
    let list = call(server.address, "GET", "/api/v1/policies", None).await.json();
    let long = list["policies"].as_array().unwrap().iter().find(|one| one["name"] == "long").unwrap();
    assert_eq!((&long["figures"]["takes_long"], &long["figures"]["no_opinion"]), (&json!(true), &json!(5)));
    server.stop().await;
}
