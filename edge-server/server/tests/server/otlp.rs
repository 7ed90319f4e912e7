//! Traces for OpenTelemetry, as a collector gets them.

use crate::harness::{Client, server, within};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_asks_is_a_span_with_the_answers_status() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let server = server(|config| config.otlp.endpoint = Some(endpoint)).await;
    let mut alice = Client::connect(server.address, "alice").await;
    alice.does(200, "REGISTER", "sip:example.com", "", "").await;
    let body: Value = within("spans", async {
        let (mut socket, _) = collector.accept().await.unwrap();
        let mut bytes = Vec::new();
        loop {
            socket.read_buf(&mut bytes).await.unwrap();
            let read = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((_, body)) = read.split_once("\r\n\r\n")
                && let Ok(body) = serde_json::from_str(body)
            {
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                return body;
            }
        }
    })
    .await;
    let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans[0]["name"], "REGISTER");
    let attributes = spans[0]["attributes"].to_string();
    assert!(attributes.contains("\"200\"") && attributes.contains("sip:alice@example.com"), "{attributes}");
    assert!(server.stop().await);
}
