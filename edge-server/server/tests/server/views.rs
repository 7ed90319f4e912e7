//! What watchers see of a user whose policy tells them apart: classes by contacts and groups, and why.

use crate::harness::{Answer, Client, call, server};
use crate::policies::{assign, upload};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tributary::config::Config;

const ALICE: &str = "/api/v1/presentities/sip:alice@example.com";

/// Shows all to family, and open or closed to everybody else.
pub(crate) fn family_only() -> Vec<u8> {
    let output = r#"{"abi":1,"level":"basic","explain":["not of the family"]}"#;
    // The class stands at byte 52: now_ms has 13 digits.
    wat::parse_str(format!(
        r#"(module
            (memory (export "memory") 2 2)
            (data (i32.const 1024) "{}")
            (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8192))
            (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
            (func (export "pp_view") (param $at i32) (param $length i32) (result i64)
                (if (result i64) (i32.eq (i32.load8_u offset=52 (local.get $at)) (i32.const 102))
                    (then (i64.const 0))
                    (else (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const {}))))))"#,
        output.replace('"', "\\\""),
        output.len(),
    ))
    .unwrap()
}

async fn contact(address: SocketAddr, who: &str, body: &Value) -> Answer {
    let (path, body) = (format!("{ALICE}/contacts/{who}"), body.to_string());
    call(address, "PUT", &path, Some(("application/json", body.as_bytes()))).await
}

async fn contacts(address: SocketAddr) -> Value {
    call(address, "GET", &format!("{ALICE}/contacts"), None).await.json()["contacts"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_decide_what_is_seen_at_once_and_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let start = || server(|config: &mut Config| config.store.data = Some(data.path().display().to_string()));
    let running = start().await;
    let address = running.address;
    let id = upload(address, "family-only", &family_only()).await["id"].clone();
    assign(address, "operator", json!({"policy": id})).await;
    let mut alice = Client::connect(address, "alice").await;
    alice.publish(200, "at the doctor's").await;
    let mut bob = Client::connect(address, "bob").await;
    let first = bob.subscribe("sip:alice@example.com").await;
    assert!(first.contains("<basic>open</basic>") && !first.contains("doctor"), "{first}");

    let added =
        contact(address, "sip:bob@example.com", &json!({"class": "family", "groups": ["b", "a"]})).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert!(bob.notified().await.contains("doctor"));
    assert_eq!(contact(address, "example.org", &json!({"class": "colleague"})).await.status, 201);
    let all = json!([
        {"contact": "sip:bob@example.com", "class": "family", "groups": ["a", "b"]},
        {"contact": "example.org", "class": "colleague", "groups": []},
    ]);
    assert_eq!(contacts(address).await, all);
    let path = format!("{ALICE}?watcher=sip:bob@example.com");
    let seen = call(address, "GET", &path, None).await.json()["seen"].take();
    assert_eq!((&seen["class"], &seen["groups"]), (&json!("family"), &json!(["a", "b"])), "{seen}");
    running.stop().await;

    let running = start().await;
    let address = running.address;
    assert_eq!(contacts(address).await, all, "they are stored");
    let gone = call(address, "DELETE", &format!("{ALICE}/contacts/bob@example.com"), None).await;
    assert_eq!(gone.status, 204);
    let seen = call(address, "GET", &path, None).await.json()["seen"].take();
    assert_eq!((&seen["class"], &seen["why"]), (&json!("same-domain"), &json!("is of the same domain")));
    assert_eq!(seen["output"]["explain"], json!(["not of the family"]), "{seen}");
    assert!(!seen["pidf"].as_str().unwrap().contains("doctor") && seen["document"]["tuples"].is_array());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_contact_is_refused_with_what_would_be() {
    let running = server(|config| config.store.max_contacts_per_user = 1).await;
    let address = running.address;
    let told = async |who: &str, body: Value| {
        let answer = contact(address, who, &body).await;
        (answer.status, if answer.status < 300 { String::new() } else { answer.error() })
    };
    let refused = |status, code: &str| (status, code.to_owned());
    assert_eq!(told("bob@example.com", json!({"class": "stranger"})).await, refused(422, "bad_body"));
    assert_eq!(told("bob@example.com", json!({"class": "family", "x": 1})).await, refused(422, "bad_body"));
    let many: Vec<String> = (0..17).map(|number| format!("g{number}")).collect();
    assert_eq!(
        told("b@example.com", json!({"class": "family", "groups": many})).await,
        refused(422, "bad_body")
    );
    assert_eq!(told("a%20b", json!({"class": "family"})).await, refused(400, "bad_contact"));
    assert_eq!(told("bob@example.com", json!({"class": "family"})).await, refused(201, ""));
    assert_eq!(told("bob@example.com", json!({"class": "contact"})).await, refused(200, ""));
    assert_eq!(told("eve@example.com", json!({"class": "contact"})).await, refused(507, "full"));
    let path = "/api/v1/presentities/sip:x@elsewhere.example/contacts";
    let elsewhere = call(address, "GET", path, None).await;
    assert_eq!((elsewhere.status, elsewhere.error().as_str()), (422, "unknown_domain"));
    let unknown = call(address, "DELETE", &format!("{ALICE}/contacts/eve@example.com"), None).await;
    assert_eq!((unknown.status, unknown.error().as_str()), (404, "unknown_contact"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_with_a_group_in_common_are_colleagues_within_a_tenant() {
    let data = tempfile::tempdir().unwrap();
    let running = server(|config: &mut Config| {
        config.server.open = false;
        config.store.data = Some(data.path().display().to_string());
        let user = |name: &str, groups: &[&str]| tributary::config::User {
            name: name.to_owned(),
            password: Some("of the file".to_owned()),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Default::default()
        };
        config.users = vec![user("alice", &["sales"]), user("bob", &["sales", "choir"]), user("carol", &[])];
    })
    .await;
    let address = running.address;
    let class = async |watcher: &str| {
        let path = format!("{ALICE}?watcher={watcher}");
        call(address, "GET", &path, None).await.json()["seen"]["class"].take()
    };
    assert_eq!(class("bob@example.com").await, "colleague");
    assert_eq!(class("carol@example.com").await, "same-domain");
    assert_eq!(class("mallory@elsewhere.example").await, "stranger");
    assert_eq!(class("alice@example.com").await, Value::Null);
    let dave = json!({"password": "hunter two", "groups": ["sales"]}).to_string();
    let path = "/api/v1/users/sip:dave@example.com";
    let added = call(address, "PUT", path, Some(("application/json", dave.as_bytes()))).await;
    assert_eq!(added.json()["groups"], json!(["sales"]), "{added:?}");
    assert_eq!(class("dave@example.com").await, "colleague");
    running.stop().await;
}
