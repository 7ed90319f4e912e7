//! Bearer tokens with keys that another server shows.

use crate::harness::{Client, server, wait_for_metric, within};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tributary::config::User;

/// An authorization server that shows whatever keys it has.
async fn authorization_server(keys: Arc<Mutex<Vec<Value>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4_096];
            let length = stream.read(&mut head).await.unwrap();
            assert!(head[..length].starts_with(b"GET /keys HTTP/1.1"));
            let body = json!({"keys": *keys.lock().unwrap()}).to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_logs_in_with_a_token_that_a_key_of_the_authorization_server_has_signed() {
    let der = rcgen::KeyPair::generate().unwrap().serialize_der();
    let key = EncodingKey::from_ec_der(&der);
    let public = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
    let issuer = authorization_server(Arc::new(Mutex::new(vec![public]))).await;
    let server = server(|config| {
        config.server.open = false;
        let password = Some("never used".to_owned());
        config.users = vec![User { name: "alice".to_owned(), password, ..User::default() }];
        config.bearer.keys = Some(format!("http://{issuer}/keys"));
        config.bearer.issuer = Some("https://as.example.com".to_owned());
        config.bearer.audience = Some("sip.example.com".to_owned());
    })
    .await;
    wait_for_metric(&server, "tributary_bearer_key_reads_total{result=\"read\"} ").await;
    let mut alice = Client::connect(server.address, "alice").await;
    let challenge = alice.does(401, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    assert!(challenge.contains("\r\nWWW-Authenticate: Bearer realm=\"example.com\"\r\n"), "{challenge}");
    let claims = json!({
        "iss": "https://as.example.com", "aud": "sip.example.com", "sub": "alice", "exp": 4_000_000_000_i64,
    });
    let token = encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap();
    let with_token = format!("Expires: 600\r\nAuthorization: Bearer {token}\r\n");
    alice.does(200, "REGISTER", "sip:example.com", &with_token, "").await;
    alice.publish(200, "here").await;
    within("the end", server.stop()).await;
}
