//! What was done with policies stands in a log, and whoever changes that log is found.

use crate::harness::{Client, ask, call, entity_tag, server, within};
use crate::policies::{assign, policy, upload};
use crate::policy_command;
use bytes::Bytes;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use tributary::config::{Config, Durability};
use tributary::store::{Op, RedbStore, Store as _, Table};

fn at(data: &Path) -> impl FnOnce(&mut Config) {
    let (data, ann) = (data.join("data").display().to_string(), data.join("ann.token").display().to_string());
    move |config| {
        config.store.data = Some(data);
        config.api.tokens = [("ann".to_owned(), ann)].into();
    }
}

async fn lines(address: SocketAddr) -> Vec<Value> {
    let page = call(address, "GET", "/api/v1/audit", None).await.json();
    let lines = page["lines"].as_array().unwrap().iter();
    lines.map(|line| serde_json::from_str(line.as_str().unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_a_line_that_says_who_did_what_and_outlives_a_restart_and_a_touched_line_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ann.token"), "anns-token\n").unwrap();
    let running = server(at(folder.path())).await;
    let address = running.address;
    let mut alice = Client::connect(address, "alice").await;
    let mut tag = entity_tag(&alice.publish(200, "calm").await);
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;

    let refused = Some(("application/wasm", &b"no module"[..]));
    assert_eq!(call(address, "POST", "/api/v1/policies?name=x", refused).await.status, 422);
    let rule = upload(address, "rule", &policy("rule")).await;
    let id = rule["id"].as_str().unwrap();
    let scope = "domain:example.com";
    assign(address, scope, json!({"policy": id, "params": {"pin": 4711}, "locked": true})).await;
    assert!(bob.notified().await.contains(">rule<"));
    let user = "/api/v1/assignments/user:sip:alice@example.com";
    let body = json!({"policy": id}).to_string();
    let body = Some(("application/json", body.as_bytes()));
    assert_eq!(call(address, "PUT", user, body).await.status, 409);
    let ann = [("Authorization", "Bearer anns-token")];
    let newest = Some(("application/json", &br#"{"built_in":"newest"}"#[..]));
    let path = format!("/api/v1/assignments/{scope}");
    assert_eq!(ask(address, "PUT", &path, &ann, newest).await.status, 200);
    call(address, "POST", &format!("{path}/rollback"), None).await;
    // Its breaker opens: what the server does by itself stands there too.
    for note in ["~ one ~", "~ two ~", "~ three ~"] {
        tag = alice.republish(&tag, note).await;
        bob.notified().await;
    }
    within("the line of the breaker", async { while lines(address).await.len() < 7 {} }).await;
    call(address, "DELETE", &path, None).await;
    assert_eq!(call(address, "DELETE", &format!("/api/v1/policies/{id}"), None).await.status, 204);

    let steps = lines(address).await;
    let told: Vec<String> = steps
        .iter()
        .map(|line| {
            let word = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {} {}", word("who"), word("action"), word("name"), word("scope"), word("why"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "operator upload_refused x - E101",
            "operator upload rule - -",
            "operator assign rule domain:example.com -",
            "operator assign_refused - user:sip:alice@example.com locked",
            "ann assign newest domain:example.com -",
            "operator rollback rule domain:example.com -",
            "server open rule domain:example.com E201",
            "operator unassign - domain:example.com -",
            "operator remove rule - -",
        ]
    );
    assert_eq!((&steps[2]["locked"], &steps[2]["policy"]), (&json!(true), &json!(id)));
    assert_eq!(steps[2]["params_sha256"].as_str().unwrap().len(), 64);
    assert!(!serde_json::to_string(&steps).unwrap().contains("4711"), "parameters may be personal");
    let page = call(address, "GET", "/api/v1/audit?after=2&limit=3", None).await.json();
    assert_eq!((page["lines"].as_array().unwrap().len(), &page["next"]), (3, &json!(5)));
    running.stop().await;

    // After a restart it is all there and goes on; then somebody takes a line out of the file.
    let running = server(at(folder.path())).await;
    assert_eq!(lines(running.address).await, steps);
    let verify = async |address: SocketAddr, more: &[&str]| {
        let url = format!("http://{address}");
        policy_command::ask(folder.path(), &url, &[&["audit", "--verify"], more].concat()).await
    };
    let good = verify(running.address, &[]).await;
    assert!(good.code == 0 && good.out.starts_with("good: lines 1 to 9, "), "{}{}", good.out, good.said);
    let noted = good.out.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    upload(running.address, "again", &policy("again")).await;
    assert_eq!(verify(running.address, &["--noted", &noted]).await.code, 0, "{noted}");
    let other = noted.replace(":", ":0").get(..noted.len()).unwrap().to_owned();
    assert_eq!(verify(running.address, &["--noted", &other]).await.code, 1);
    let shown = policy_command::ask(folder.path(), &format!("http://{}", running.address), &["audit"]).await;
    assert!(shown.out.contains("ann assign newest for domain:example.com, generation 2"), "{}", shown.out);
    running.stop().await;

    let mut store = RedbStore::open(&folder.path().join("data"), Durability::Process).unwrap();
    let key = Bytes::copy_from_slice(&5_u64.to_be_bytes());
    store.commit(&[Op::Delete { table: Table::Audit, key }]).unwrap();
    drop(store);
    let running = server(at(folder.path())).await;
    let found = verify(running.address, &["--json"]).await;
    let said = found.json();
    assert_eq!((found.code, &said["broken"]), (1, &json!("line 5: it is missing, or not in its place")));
    let metrics = ask(running.address, "GET", "/metrics", &[], None).await;
    assert!(String::from_utf8(metrics.body).unwrap().contains("tributary_policy_audit_broken 1"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_as_many_lines_as_it_may_and_the_rest_can_be_verified() {
    let running = server(|config| config.policies.audit_lines = 3).await;
    for number in 0..5 {
        upload(running.address, &format!("p{number}"), &policy(&format!("note {number}"))).await;
    }
    let page = call(running.address, "GET", "/api/v1/audit", None).await.json();
    assert_eq!((page["lines"].as_array().unwrap().len(), &page["head"]["first"]), (3, &json!(3)));
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", running.address);
    let good = policy_command::ask(folder.path(), &url, &["audit", "--verify"]).await;
    assert!(good.code == 0 && good.out.starts_with("good: lines 3 to 5, "), "{}{}", good.out, good.said);
    running.stop().await;
}
