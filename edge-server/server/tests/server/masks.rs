//! The operator's mask: nobody is sent what it takes away, and whoever asks why is told.

use crate::harness::{Client, call, server};
use crate::policies::{assign, policy, upload};
use crate::policy_capture::capture;
use crate::policy_command::ask;
use serde_json::{Value, json};
use tributary::config::Mask;

const ALICE: &str = "sip:alice@example.com";

fn mask(drop: &[&str], level: &str) -> Mask {
    Mask { drop: drop.iter().map(|name| (*name).to_owned()).collect(), level: level.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_is_sent_to_nobody_and_explain_says_so_now_and_later() {
    let running = server(|config| {
        config.policies.capture = true;
        config.policies.mask = mask(&["geo", "note"], "full");
    })
    .await;
    let (address, url) = (running.address, format!("http://{}", running.address));
    let of_its_own = upload(address, "of-its-own", &policy("from the policy")).await;
    assign(address, "operator", json!({"policy": of_its_own["id"]})).await;
    assert_eq!(capture(address, ALICE, 600).await.0, 201);
    let mut alice = Client::connect(address, "alice").await;
    alice.publish(200, "on a journey").await;
    let mut bob = Client::connect(address, "bob").await;
    let shown = bob.subscribe(ALICE).await;
    assert!(shown.contains("<basic>open</basic>") && !shown.contains("note"), "{shown}");

    let get = async |more: &str| {
        call(address, "GET", &format!("/api/v1/presentities/{ALICE}{more}"), None).await.json()
    };
    let now = get("?watcher=sip:bob@example.com").await;
    assert_eq!(now["masked"], json!({"drop": ["note"], "level": "full"}), "no location was there: {now}");
    for document in [&now["merged"], &now["pidf"], &now["seen"]["document"], &now["seen"]["pidf"]] {
        let document = document.to_string();
        assert!(document.contains("open") && !document.contains("from the policy"), "{document}");
    }
    assert_eq!(get("/live").await["mask"], json!({"drop": ["geo", "note"], "level": "full"}));
    let then = get("/history").await["entries"][0].take();
    assert_eq!(then["masked"], now["masked"], "{then}");
    assert_eq!(then["document"]["tuples"][0]["note"], json!([]), "{then}");

    let folder = tempfile::tempdir().unwrap();
    for more in [&["--as", "bob@example.com"][..], &["--last-hour"][..]] {
        let args: Vec<&str> = ["explain", "alice@example.com"].iter().chain(more).copied().collect();
        let told = ask(folder.path(), &url, &args).await;
        assert_eq!(told.code, 0, "{}{}", told.out, told.said);
        assert!(told.out.contains("  the operator's mask took away: note\n"), "{}", told.out);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_masked_by_its_own_mask_besides_and_where_there_is_none_nothing_is_said() {
    let running = server(|config| {
        config.server.domains = vec!["example.com".to_owned(), "example.org".to_owned()];
        config.policies.masks = [("Example.org".to_owned(), mask(&[], "basic"))].into();
    })
    .await;
    let (address, url) = (running.address, format!("http://{}", running.address));
    let masked = async |user: &str| {
        let path = format!("/api/v1/presentities/{user}");
        (
            call(address, "GET", &path, None).await.json()["masked"].take(),
            call(address, "GET", &format!("{path}/live"), None).await.json()["mask"].take(),
        )
    };
    assert_eq!(masked(ALICE).await, (Value::Null, Value::Null));
    let basic = json!({"drop": [], "level": "basic"});
    assert_eq!(masked("sip:alice@example.org").await, (basic.clone(), basic));
    let folder = tempfile::tempdir().unwrap();
    let explain = async |user: &str| ask(folder.path(), &url, &["explain", user]).await.out;
    let told = explain("alice@example.org").await;
    assert!(told.contains("  the operator's mask left: open or closed\n"), "{told}");
    let told = explain("alice@example.com").await;
    assert!(!told.contains("mask"), "{told}");
    running.stop().await;
}
