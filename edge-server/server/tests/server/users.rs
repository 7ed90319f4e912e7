//! Users by the API: who may log in from when on, and what is told of them.

use crate::harness::{Client, authorization, call, server};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tributary::config::{Config, User};
use tributary_sip::digest::{Algorithm, Ha1};

/// A server with authentication that keeps its state in `data`, with alice in its file.
async fn closed(data: &std::path::Path) -> tributary::run::Running {
    server(|config: &mut Config| {
        config.server.open = false;
        config.store.data = Some(data.display().to_string());
        let password = Some("of the file".to_owned());
        config.users = vec![User { name: "alice".to_owned(), password, ..User::default() }];
    })
    .await
}

async fn put(address: SocketAddr, aor: &str, body: &Value) -> crate::harness::Answer {
    let body = body.to_string();
    call(address, "PUT", &format!("/api/v1/users/{aor}"), Some(("application/json", body.as_bytes()))).await
}

async fn names(address: SocketAddr) -> Vec<String> {
    let list = call(address, "GET", "/api/v1/users", None).await.json();
    list["users"].as_array().unwrap().iter().map(|user| user["aor"].as_str().unwrap().to_owned()).collect()
}

/// Registers as `name`, with its domain or without, and says with which status that ended.
pub(crate) async fn login(address: SocketAddr, name: &str, password: &str) -> u16 {
    let domain = "sip:example.com";
    let mut client = Client::connect(address, name.split('@').next().unwrap()).await;
    let refused = client.does(401, "REGISTER", domain, "Expires: 600\r\n", "").await;
    let credentials = authorization(&refused, name, password, "REGISTER", domain);
    let request = client.request("REGISTER", domain, &format!("Expires: 600\r\n{credentials}"), "");
    client.send(&request).await;
    client.message().await.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_user_logs_in_at_once_and_after_a_restart_until_removed() {
    let data = tempfile::tempdir().unwrap();
    let server = closed(data.path()).await;
    assert_eq!(login(server.address, "bob", "hunter two").await, 401);
    let added = put(
        server.address,
        "sip:bob@example.com",
        &json!({"password": "hunter two", "timezone": "Europe/Amsterdam"}),
    )
    .await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(
        (&added.json()["source"], &added.json()["timezone"]),
        (&json!("store"), &json!("Europe/Amsterdam"))
    );
    for name in ["bob", "bob@example.com"] {
        assert_eq!(login(server.address, name, "hunter two").await, 200, "{name}");
    }
    assert_eq!(login(server.address, "bob", "hunter three").await, 401);
    assert_eq!(login(server.address, "alice", "of the file").await, 200);
    assert_eq!(names(server.address).await, ["sip:alice@example.com", "sip:bob@example.com"]);
    let second = call(server.address, "GET", "/api/v1/users?limit=1&after=sip:alice@example.com", None).await;
    assert_eq!(second.json()["users"][0]["aor"], "sip:bob@example.com");
    assert!(server.stop().await);

    let server = closed(data.path()).await;
    assert_eq!(login(server.address, "bob", "hunter two").await, 200, "the store was read");
    let changed = put(server.address, "bob@example.com", &json!({"password": "new words"})).await;
    assert_eq!((changed.status, &changed.json()["timezone"]), (200, &Value::Null));
    assert_eq!(login(server.address, "bob", "hunter two").await, 401);
    let zone = put(server.address, "bob@example.com", &json!({"timezone": "Asia/Tokyo"})).await;
    assert_eq!(zone.status, 200, "without a password the old one stays");
    assert_eq!(login(server.address, "bob", "new words").await, 200);
    let bob = call(server.address, "GET", "/api/v1/presentities/bob@example.com", None).await;
    assert_eq!(bob.status, 200, "registered");
    assert_eq!(call(server.address, "DELETE", "/api/v1/users/bob@example.com", None).await.status, 204);
    let bob = call(server.address, "GET", "/api/v1/presentities/bob@example.com", None).await;
    assert_eq!(bob.status, 404, "what a removed user registered ends with them");
    assert_eq!(login(server.address, "bob", "new words").await, 401);
    let metrics = call(server.address, "GET", "/metrics", None).await;
    let metrics = String::from_utf8(metrics.body).unwrap();
    for line in ["tributary_users 1", "tributary_user_changes_total{change=\"removed\"} 1"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    server.stop().await;

    let server = closed(data.path()).await;
    assert_eq!(names(server.address).await, ["sip:alice@example.com"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_password_changes_or_who_is_removed_is_asked_again_over_connections_that_are_open() {
    let data = tempfile::tempdir().unwrap();
    let server = closed(data.path()).await;
    let domain = "sip:example.com";
    let mut carol = Client::connect(server.address, "carol").await;
    for password in ["first", "second"] {
        put(server.address, "carol@example.com", &json!({"password": password})).await;
        let refused = carol.does(401, "REGISTER", domain, "Expires: 600\r\n", "").await;
        let credentials = authorization(&refused, "carol", password, "REGISTER", domain);
        carol.does(200, "REGISTER", domain, &format!("Expires: 600\r\n{credentials}"), "").await;
        carol.does(200, "REGISTER", domain, "Expires: 600\r\n", "").await;
        put(server.address, "carol@example.com", &json!({"timezone": "UTC"})).await;
        carol.does(200, "REGISTER", domain, "Expires: 600\r\n", "").await;
    }
    assert_eq!(call(server.address, "DELETE", "/api/v1/users/carol@example.com", None).await.status, 204);
    carol.does(401, "REGISTER", domain, "Expires: 600\r\n", "").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_digests_are_taken_and_nothing_secret_is_shown_or_stored() {
    let data = tempfile::tempdir().unwrap();
    let server = closed(data.path()).await;
    let ha1 = Ha1::new("carol", "example.com", "correct horse");
    let [md5, sha256] = [Algorithm::Md5, Algorithm::Sha256].map(|algorithm| ha1.hex(algorithm).unwrap());
    let added =
        put(server.address, "carol@example.com", &json!({"ha1_md5": md5, "ha1_sha256": sha256})).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(login(server.address, "carol", "correct horse").await, 200);
    put(server.address, "dave@example.com", &json!({"password": "battery staple"})).await;
    for path in ["/api/v1/users", "/api/v1/users/carol@example.com"] {
        let shown = String::from_utf8(call(server.address, "GET", path, None).await.body).unwrap();
        assert!(!shown.contains(md5) && !shown.contains(sha256) && !shown.contains("battery"), "{shown}");
    }
    server.stop().await;
    let file = std::fs::read(data.path().join("tributary.redb")).unwrap();
    assert!(!file.windows(14).any(|part| part == b"battery staple"), "a password was stored in clear");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_that_cannot_be_made_says_why() {
    let data = tempfile::tempdir().unwrap();
    let server = server(|config| {
        config.server.open = false;
        config.store.data = Some(data.path().display().to_string());
        config.store.max_users = 1;
        config.users = vec![User { name: "alice".into(), password: Some("x".into()), ..User::default() }];
    })
    .await;
    let good = json!({"password": "secret"});
    for (aor, body, status, code) in [
        ("alice@example.com", &good, 409, "user_of_the_file"),
        ("bob@other.org", &good, 422, "unknown_domain"),
        ("b%2522b@example.com", &good, 400, "bad_name"),
        ("%20", &good, 400, "bad_aor"),
        ("bob@example.com", &json!({}), 422, "no_password"),
        ("bob@example.com", &json!({"password": ""}), 422, "bad_body"),
        ("bob@example.com", &json!({"password": "a\nb"}), 422, "bad_body"),
        ("bob@example.com", &json!({"password": "x".repeat(257)}), 422, "bad_body"),
        ("bob@example.com", &json!({"password": "x", "ha1_md5": "0".repeat(32)}), 422, "bad_body"),
        ("bob@example.com", &json!({"ha1_md5": "0".repeat(32)}), 422, "bad_body"),
        ("bob@example.com", &json!({"ha1_md5": "z", "ha1_sha256": "z"}), 422, "bad_body"),
        (
            "bob@example.com",
            &json!({"password": "x", "timezone": "Europe/Atlantis"}),
            422,
            "unknown_timezone",
        ),
        ("bob@example.com", &json!({"pasword": "tr0ub4dor"}), 422, "bad_body"),
    ] {
        let answer = put(server.address, aor, body).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{aor} {body}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("tr0ub4dor"), "an answer quotes a secret");
    }
    assert_eq!(put(server.address, "bob@example.com", &good).await.status, 201);
    let full = put(server.address, "carol@example.com", &good).await;
    assert_eq!((full.status, full.error().as_str()), (507, "full"));
    for (aor, status, code) in
        [("alice@example.com", 409, "user_of_the_file"), ("carol@example.com", 404, "unknown_user")]
    {
        let answer = call(server.address, "DELETE", &format!("/api/v1/users/{aor}"), None).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{aor}");
    }
    server.stop().await;
}
