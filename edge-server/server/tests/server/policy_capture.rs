//! Captures: who is captured, what is kept of them, and what other policies make of that.

use crate::harness::{Client, call, entity_tag, server, wait_for_metric};
use crate::policies::{assign, policy, upload};
use crate::policy_command::{ask, policy_in};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

const ALICE: &str = "sip:alice@example.com";

pub(crate) async fn capture(address: SocketAddr, aor: &str, seconds: u32) -> (u16, Value) {
    let body = json!({"seconds": seconds}).to_string();
    let path = format!("/api/v1/captures/{aor}");
    let answer = call(address, "PUT", &path, Some(("application/json", body.as_bytes()))).await;
    (answer.status, answer.json())
}

async fn history(address: SocketAddr, more: &str) -> Value {
    call(address, "GET", &format!("/api/v1/presentities/{ALICE}/history?{more}"), None).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_captured_unless_the_configuration_allows_it_and_somebody_asks_for_a_time() {
    let refused = |told: (u16, Value)| (told.0, told.1["error"]["code"].as_str().unwrap_or("").to_owned());
    let running = server(|_| {}).await;
    let told = capture(running.address, ALICE, 60).await;
    assert_eq!(refused(told), (403, "capture_not_allowed".to_owned()));
    let list = call(running.address, "GET", "/api/v1/captures", None).await.json();
    assert_eq!(list, json!({"allowed": false, "captures": []}));
    wait_for_metric(&running, "tributary_policy_captures_refused_total{code=\"capture_not_allowed\"} 1")
        .await;
    running.stop().await;

    let running = server(|config| config.policies.capture = true).await;
    let address = running.address;
    let empty = history(address, "").await;
    assert_eq!(
        (&empty["capture"], &empty["entries"], &empty["allowed"]),
        (&Value::Null, &json!([]), &json!(true))
    );
    for seconds in [0, 86_401] {
        assert_eq!(refused(capture(address, ALICE, seconds).await), (422, "bad_time".to_owned()));
    }
    let elsewhere = capture(address, "sip:x@elsewhere.example", 60).await;
    assert_eq!(refused(elsewhere), (422, "unknown_domain".to_owned()));
    let none = call(address, "DELETE", &format!("/api/v1/captures/{ALICE}"), None).await;
    assert_eq!((none.status, none.error().as_str()), (404, "unknown_capture"));
    let (status, begun) = capture(address, ALICE, 86_400).await;
    assert_eq!((status, &begun["aor"], &begun["by"]), (201, &json!(ALICE), &json!("operator")));
    assert_eq!(capture(address, "alice@example.com", 60).await.0, 200, "it lasts until then now");
    for number in 1..32 {
        assert_eq!(capture(address, &format!("sip:u{number}@example.com"), 60).await.0, 201);
    }
    assert_eq!(refused(capture(address, "sip:u32@example.com", 60).await), (507, "full".to_owned()));
    wait_for_metric(&running, "tributary_policy_captures 32").await;
    let gone = call(address, "DELETE", &format!("/api/v1/captures/{ALICE}"), None).await;
    assert_eq!(gone.status, 204);
    let audit = call(address, "GET", "/api/v1/audit", None).await.json()["lines"].to_string();
    for words in ["\\\"action\\\":\\\"capture\\\"", "user:sip:alice@example.com", "until_ms", "end_capture"] {
        assert!(audit.contains(words), "no {words} in {audit}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_merge_of_who_is_captured_is_kept_with_what_was_asked_answered_and_seen_but_not_what_was_written()
 {
    let running = server(|config| config.policies.capture = true).await;
    let address = running.address;
    let mut alice = Client::connect(address, "alice").await;
    let tag = entity_tag(&alice.publish(200, "in secret").await);
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe(ALICE).await;
    let one = upload(address, "one", &policy("shown rule")).await;
    assert_eq!(capture(address, ALICE, 600).await.0, 201);
    assign(address, "domain:example.com", json!({"policy": one["id"], "params": {"level": 3}})).await;
    assert!(bob.notified().await.contains("shown rule"));
    let tag = alice.republish(&tag, "at the doctor").await;
    bob.notified().await;
    // This one makes the policy trap.
    alice.republish(&tag, "doctor ~").await;
    bob.notified().await;

    let told = history(address, "inputs=true").await;
    assert!(!told.to_string().contains("doctor") && !told.to_string().contains("secret"), "{told}");
    let entries = told["entries"].as_array().unwrap();
    let reasons: Vec<&str> = entries.iter().map(|entry| entry["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["policy", "publish", "publish"], "{told}");
    assert_eq!(told["capture"]["entries"], 3);
    let [first, second, third] = entries.as_slice() else { panic!("{told}") };
    assert_eq!(
        (&first["seq"], &first["generation"], &first["policy"]),
        (&json!(1), &json!(1), &json!({"name": "one", "id": one["id"]}))
    );
    assert_eq!(first["output"]["explain"], json!(["by shown rule"]));
    assert!(first["changed"] == true && first["what"].to_string().contains("note"), "{first}");
    assert!(first["fuel"].as_u64().unwrap() > 0 && first["failure"].is_null());
    let input = &second["input"];
    let publication = &input["publications"][0];
    assert_eq!((&input["reason"], &input["params"]), (&json!("publish"), &json!({"level": 3})));
    assert_eq!((&publication["etag"], &publication["device"]), (&second["etag"], &second["device"]["key"]));
    assert!(input["publications"].to_string().contains("xxxxxxxxxxxxx"), "a note of that length: {input}");
    assert_eq!(second["document"]["entity"], ALICE);
    assert_eq!(third["failure"]["code"], "E201", "{third}");
    assert_eq!((&third["failure"]["served"], &third["output"]), (&json!("builtin"), &Value::Null));

    let later = history(address, "after=1&limit=1").await;
    assert_eq!((&later["entries"][0]["seq"], &later["next"]), (&json!(2), &json!(2)), "{later}");
    assert!(later["entries"][0].get("input").is_none());
    let since = format!("since={}", third["at_ms"]);
    assert_eq!(history(address, &since).await["entries"].as_array().unwrap().last().unwrap()["seq"], 3);
    let bad = call(address, "GET", &format!("/api/v1/presentities/{ALICE}/history?sinse=1"), None).await;
    assert_eq!(bad.status, 400);

    let gone = call(address, "DELETE", &format!("/api/v1/captures/{ALICE}"), None).await;
    assert_eq!(gone.status, 204);
    let told = history(address, "").await;
    assert_eq!(
        (&told["capture"], &told["entries"]),
        (&Value::Null, &json!([])),
        "what was kept is forgotten"
    );
    wait_for_metric(&running, "tributary_policy_captured_total{result=\"forgotten\"} 3").await;
    wait_for_metric(&running, "tributary_policy_capture_bytes 0").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_classes_of_watchers_saw_is_kept_and_can_be_asked_for_by_one_watcher() {
    let running = server(|config| config.policies.capture = true).await;
    let address = running.address;
    let views = upload(address, "family-only", &crate::views::family_only()).await;
    assign(address, "operator", json!({"policy": views["id"]})).await;
    assert_eq!(capture(address, ALICE, 600).await.0, 201);
    let mut alice = Client::connect(address, "alice").await;
    alice.publish(200, "on a journey").await;
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe(ALICE).await;
    let mut eve = Client::connect(address, "eve").await;
    eve.subscribe(ALICE).await;
    let told = history(address, "inputs=true").await;
    let views = told["entries"].as_array().unwrap().last().unwrap()["views"].clone();
    assert_eq!(views.as_array().unwrap().len(), 1, "both are of one class: {told}");
    assert_eq!(views[0]["watcher"], json!({"class": "same-domain", "groups": []}));
    assert_eq!(views[0]["output"]["explain"], json!(["not of the family"]));
    assert_eq!(views[0]["input"]["watcher"]["class"], "same-domain");
    assert!(!told.to_string().contains("journey"), "{told}");
    let bobs = history(address, "watcher=sip:bob@example.com").await;
    assert_eq!(bobs["seen"]["class"], "same-domain");
    assert_eq!(bobs["entries"][0]["views"].as_array().unwrap().len(), 1, "{bobs}");
    let strangers = history(address, "watcher=sip:x@elsewhere.example").await;
    assert_eq!(strangers["entries"][0]["views"], json!([]), "nobody watched as one: {strangers}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_tried_with_what_was_captured_in_the_scope_that_it_is_held_against() {
    let running = server(|config| config.policies.capture = true).await;
    let address = running.address;
    let mut alice = Client::connect(address, "alice").await;
    let mut tag = entity_tag(&alice.publish(200, "here").await);
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe(ALICE).await;
    assert_eq!(capture(address, ALICE, 600).await.0, 201);
    for number in 0..3 {
        tag = alice.republish(&tag, &format!("here {number}")).await;
        bob.notified().await;
    }
    let check = async |file: &[u8], against: &str| {
        let path = format!("/api/v1/policies/check?against={against}");
        call(address, "POST", &path, Some(("application/wasm", file))).await.json()
    };
    let report = check(&policy("new rule"), "domain:example.com").await;
    let captured = &report["tried"]["captured"];
    assert_eq!(
        (&report["ok"], &captured["inputs"], &captured["changed"]),
        (&json!(true), &json!(3), &json!(3)),
        "{report}"
    );
    assert_eq!(captured["sample"][0]["aor"], ALICE);
    assert!(captured["sample"][0]["what"].to_string().contains("note"), "{captured}");
    assert_eq!(
        check(&policy("new rule"), "tenant:acme").await["tried"]["captured"]["inputs"],
        0,
        "not of it"
    );

    // It traps where a `~` is in the input, as it is in this parameter.
    let id = upload(address, "one", &policy("old rule")).await["id"].clone();
    assign(address, "domain:example.com", json!({"policy": id, "params": {"sign": "~"}})).await;
    let report = check(&policy("new rule"), "domain:example.com").await;
    assert_eq!((&report["ok"], &report["errors"][0]["code"]), (&json!(false), &json!("E211")), "{report}");
    let place = report["errors"][0]["place"].as_str().unwrap();
    assert!(place.starts_with("captured sip:alice@example.com at 20"), "{place}");
    let path = "/api/v1/policies?name=two&against=domain:example.com";
    let refused = call(address, "POST", path, Some(("application/wasm", &policy("new rule")))).await;
    assert_eq!((refused.status, refused.error().as_str()), (422, "policy_refused"));
    wait_for_metric(&running, "tributary_policy_uploads_refused_total{code=\"E211\"} 1").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_reads_what_was_captured_in_words_and_writes_it_down_to_be_run_again() {
    let running = server(|config| config.policies.capture = true).await;
    let address = running.address;
    let url = format!("http://{address}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("new.wasm"), policy("new rule")).unwrap();
    let ask = async |args: &[&str]| {
        let done = ask(folder.path(), &url, args).await;
        (done.code, format!("{}{}", done.out, done.said))
    };
    let says = |told: &(i32, String), code: i32, words: &[&str]| {
        assert_eq!(told.0, code, "{}", told.1);
        for words in words {
            assert!(told.1.contains(words), "no {words:?} in {}", told.1);
        }
    };
    says(&ask(&["capture"]).await, 0, &["nobody is captured"]);
    let lately = ["explain", "alice@example.com", "--last-hour"];
    says(
        &ask(&lately).await,
        1,
        &["is not captured", "tributary policy capture sip:alice@example.com --for 8h"],
    );
    says(&ask(&["capture", "alice@example.com", "--for", "2d"]).await, 1, &["from 1 to 86400 seconds"]);
    says(&ask(&["capture", "alice@example.com", "--for", "10m"]).await, 0, &["is captured until 20"]);
    says(&ask(&["capture"]).await, 0, &["sip:alice@example.com: captured by operator from 20", ", 0 merges"]);

    let one = upload(address, "one", &policy("old rule")).await;
    assign(address, "domain:example.com", json!({"policy": one["id"]})).await;
    let mut alice = Client::connect(address, "alice").await;
    let tag = entity_tag(&alice.publish(200, "at home").await);
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe(ALICE).await;
    let tag = alice.republish(&tag, "at the doctor").await;
    bob.notified().await;
    alice.republish(&tag, "doctor ~").await;
    bob.notified().await;
    let told = ask(&lately).await;
    let id = one["id"].as_str().unwrap().get(..12).unwrap();
    let decided = format!("  one {id} (generation 1): by old rule, ");
    says(
        &told,
        0,
        &[
            &decided,
            "Z  publish by ",
            "watchers saw open",
            " → ",
            ": E201 pp_merge",
            "; the built-in merge stood in",
        ],
    );
    assert!(!told.1.contains("doctor") && !told.1.contains("at home"), "{}", told.1);
    let seen = ask(&["explain", "alice@example.com", "--since", "20m", "--as", "bob@example.com"]).await;
    says(&seen, 0, &["sip:bob@example.com: same-domain, who is of the same domain", "watchers saw open"]);

    says(&ask(&["capture", "alice@example.com", "--last-hour"]).await, 2, &["name a folder with --out"]);
    let out = ["capture", "alice@example.com", "--last-hour", "--out", "captured"];
    says(&ask(&out).await, 0, &["3 inputs were written into captured"]);
    let file = folder.path().join("captured/0002-publish.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    let local = |args: &[&str]| {
        let done = policy_in(folder.path(), args, &[]);
        (done.code, format!("{}{}", done.out, done.said))
    };
    says(&local(&["test", "new.wasm", "captured"]), 0, &["3 hold, 0 fail"]);
    says(&local(&["replay", "new.wasm", "captured"]), 0, &["would change 3 of 3"]);
    let push = ["push", "new.wasm", "--dry-run", "--against", "domain:example.com"];
    says(
        &ask(&push).await,
        0,
        &[
            "would be taken",
            "answers 3 of 3 captured inputs otherwise than one",
            "    sip:alice@example.com at 20",
        ],
    );
    says(&ask(&["audit"]).await, 0, &["operator capture for user:sip:alice@example.com, until 20"]);
    for (more, written) in [(&["--whole"][..], true), (&[], false)] {
        let now = ask(&[&["capture", "alice@example.com"], more].concat()).await;
        assert_eq!((now.0, now.1.contains("doctor")), (0, written), "{}", now.1);
        std::fs::write(folder.path().join("live.json"), &now.1).unwrap();
        let ran = local(&["run", "new.wasm", "live.json"]);
        assert!(ran.1.contains("what watchers get") || written && ran.0 == 1, "{}", ran.1);
    }
    says(&ask(&["capture", "alice@example.com", "--off"]).await, 0, &["is captured no more"]);
    says(&ask(&["capture", "alice@example.com", "--off"]).await, 1, &["is not captured"]);
    running.stop().await;
}
