//! The HTTP API, metrics, health and the page.

use crate::harness::{Client, TOKEN, ask, call, server, within};
use serde_json::json;
use tributary::config::Config;

#[tokio::test(flavor = "multi_thread")]
async fn a_published_state_is_seen_in_the_list_alone_and_as_a_live_set() {
    let server = server(|_| {}).await;
    let address = server.address;
    let mut alice = Client::connect(address, "alice").await;
    alice.publish(200, "At my desk").await;
    let mut bob = Client::connect(address, "bob").await;
    let notify = bob.subscribe("sip:alice@example.com").await;
    assert!(notify.contains("At my desk"), "{notify}");

    let list = call(address, "GET", "/api/v1/presentities", None).await.json();
    assert_eq!(list["presentities"][0]["aor"], "sip:alice@example.com");
    assert_eq!(list["presentities"][0]["devices"], 1);
    assert_eq!(list["presentities"][0]["watchers"], 1);
    for path in ["sip:alice@example.com", "alice@EXAMPLE.com", "sip%3Aalice%40example.com"] {
        let one = call(address, "GET", &format!("/api/v1/presentities/{path}"), None).await.json();
        assert_eq!(one["devices"].as_array().unwrap().len(), 1, "{one}");
        assert!(one["merged"].is_object(), "{one}");
        assert!(!one["explanation"].is_null(), "{one}");
        assert!(one["pidf"].as_str().unwrap().contains("At my desk"));
        assert!(one["policy"].is_null());
    }
    let live = call(address, "GET", "/api/v1/presentities/sip:alice@example.com/live", None).await;
    let json = live.json();
    assert!(json["publications"][0]["pidf"].as_str().unwrap().contains("At my desk"), "{json}");
    // The same merge elsewhere comes to the same bytes.
    let snapshot = merge_core::live::Snapshot::read_json(&live.body).unwrap();
    let merged = merge_core::compose::compose(&snapshot.set, snapshot.now, snapshot.composition).write_pidf();
    assert_eq!(json["server_pidf"].as_str().unwrap().as_bytes(), merged);
    assert_eq!((&json["time_zone"], &json["mask"]), (&json!("UTC"), &json!(null)));
    let watching = call(address, "GET", "/api/v1/subscriptions", None).await.json();
    assert_eq!(watching["subscriptions"][0]["presentity"], "sip:alice@example.com");
    assert_eq!(watching["subscriptions"][0]["watcher"], "sip:bob@example.com");
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_in_pages_without_gaps() {
    let server = server(|_| {}).await;
    let names = ["ann", "ben", "cem", "dan", "eva"];
    for name in names {
        Client::connect(server.address, name).await.publish(200, "here").await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/presentities?limit=2".to_owned());
    loop {
        let page = call(server.address, "GET", &path, None).await.json();
        let aors = page["presentities"].as_array().unwrap();
        assert!(aors.len() <= 2);
        seen.extend(aors.iter().map(|one| one["aor"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/presentities?limit=2&after={next}");
    }
    assert_eq!(seen, names.map(|name| format!("sip:{name}@example.com")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_closed_without_the_token_and_says_why() {
    let server = server(|_| {}).await;
    let address = server.address;
    for (headers, status, code) in [
        (vec![], 401, "token_missing"),
        (vec![("Authorization", "Bearer wrong")], 401, "wrong_token"),
        (vec![("Authorization", "Basic dXNlcjpwYXNz")], 401, "token_missing"),
    ] {
        for path in ["/api/v1/presentities", "/api/v1/policies", "/api/v1/no-such-path"] {
            let answer = ask(address, "GET", path, &headers, None).await;
            assert_eq!((answer.status, answer.error().as_str()), (status, code), "{path}");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
    }
    server.stop().await;
    let without = crate::harness::server(|config| config.api.token = None).await;
    let answer = call(without.address, "GET", "/api/v1/presentities", None).await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "no_token"));
    without.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_request_has_its_own_error() {
    let server = server(|config: &mut Config| config.api.max_body_bytes = 4_096).await;
    let big = vec![0; 5_000];
    let id = "0".repeat(64);
    let cases: Vec<(&str, String, Option<(&str, &[u8])>, u16, &str)> = vec![
        ("GET", "/api/v1/nothing".into(), None, 404, "no_such_path"),
        ("PATCH", "/api/v1/policies".into(), None, 405, "method"),
        ("GET", "/api/v1/presentities/sip:nobody@other.org".into(), None, 404, "unknown_presentity"),
        ("GET", "/api/v1/presentities/%20".into(), None, 400, "bad_aor"),
        ("GET", "/api/v1/policies/xyz".into(), None, 400, "bad_id"),
        ("GET", format!("/api/v1/policies/{id}"), None, 404, "unknown_policy"),
        ("GET", format!("/api/v1/policies/{id}/wasm"), None, 404, "unknown_policy"),
        ("DELETE", format!("/api/v1/policies/{id}"), None, 404, "unknown_policy"),
        ("POST", "/api/v1/policies".into(), Some(("application/wasm", &big)), 413, "bad_body"),
        ("POST", "/api/v1/policies".into(), Some(("application/wasm", b"no wasm")), 422, "policy_refused"),
        ("PUT", "/api/v1/assignments/everybody".into(), Some(("application/json", b"{}")), 400, "bad_scope"),
        ("PUT", "/api/v1/assignments/domain:x".into(), Some(("application/json", b"{}")), 400, "bad_body"),
        ("PUT", "/api/v1/assignments/domain:x".into(), Some(("application/json", b"{")), 400, "bad_body"),
        ("PUT", "/api/v1/assignments/domain:x".into(), Some(("text/plain", b"{}")), 415, "bad_body"),
        (
            "PUT",
            "/api/v1/assignments/domain:x".into(),
            Some(("application/json", b"{\"colour\":1}")),
            422,
            "bad_body",
        ),
        (
            "PUT",
            "/api/v1/assignments/domain:example.com".into(),
            Some(("application/json", b"{\"built_in\":\"loudest\"}")),
            404,
            "unknown_built_in",
        ),
        (
            "PUT",
            "/api/v1/assignments/domain:exmaple.com".into(),
            Some(("application/json", b"{\"built_in\":\"newest\"}")),
            422,
            "unknown_domain",
        ),
        (
            "PUT",
            "/api/v1/assignments/user:bob@example.org".into(),
            Some(("application/json", b"{\"built_in\":\"newest\"}")),
            422,
            "unknown_domain",
        ),
        ("DELETE", "/api/v1/assignments/domain:x".into(), None, 404, "nothing_assigned"),
        ("POST", "/api/v1/assignments/domain:x/rollback".into(), None, 404, "nothing_assigned"),
        ("GET", "/no-such-file".into(), None, 404, "no_such_file"),
        ("POST", "/".into(), None, 405, "method"),
        ("GET", "/demo.json".into(), None, 404, "no_demo"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = call(server.address, method, &path, body).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{method} {path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_answer_on_loopback() {
    let server = server(|_| {}).await;
    let mut alice = Client::connect(server.address, "alice").await;
    alice.publish(200, "here").await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(server.address, "GET", path, &[], None).await.status, 200, "{path}");
    }
    let metrics = ask(server.address, "GET", "/metrics", &[], None).await;
    let text = String::from_utf8(metrics.body).unwrap();
    for line in
        ["tributary_publications 1", "tributary_websockets 1", "responses_sent_total{status=\"200\"} 1"]
    {
        assert!(text.contains(line), "no {line} in {text}");
    }
    server.stop().await;
    let closed = crate::harness::server(|config| config.api.open_metrics = false).await;
    assert_eq!(ask(closed.address, "GET", "/metrics", &[], None).await.status, 401);
    assert_eq!(call(closed.address, "GET", "/metrics", None).await.status, 200);
    closed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_comes_with_a_strict_policy_and_only_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<!doctype html>page").unwrap();
    let site = folder.path().to_str().unwrap().to_owned();
    let server = server(|config| config.server.site = Some(site)).await;
    let page = ask(server.address, "GET", "/", &[], None).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body, b"<!doctype html>page");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval'"), "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let tag = page.header("etag").unwrap().to_owned();
    assert_eq!(ask(server.address, "GET", "/", &[("If-None-Match", &tag)], None).await.status, 304);
    let head = ask(server.address, "HEAD", "/", &[], None).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_and_token_outlive_an_orderly_stop() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let with_data = |config: &mut Config| {
        config.store.data = Some(data.clone());
        config.api.token = None;
        config.presence.grace_seconds = 600;
    };
    let first = server(with_data).await;
    let token = first.token.clone().unwrap();
    let mut alice = Client::connect(first.address, "alice").await;
    alice.publish(200, "before the stop").await;
    assert!(first.stop().await);
    let said = within("a close frame", alice.frame()).await;
    let Some(tokio_tungstenite::tungstenite::Message::Close(Some(close))) = said else {
        panic!("no close frame but {said:?}");
    };
    assert_eq!(u16::from(close.code), 1001);

    let second = server(with_data).await;
    assert_eq!(second.token, Some(token.clone()));
    assert_ne!(token, TOKEN);
    let bearer = format!("Bearer {token}");
    let path = "/api/v1/presentities/sip:alice@example.com";
    let one = ask(second.address, "GET", path, &[("Authorization", &bearer)], None).await.json();
    assert!(one["pidf"].as_str().unwrap().contains("before the stop"), "{one}");
    second.stop().await;
}
