//! An orderly end of the real server: it closes its connections, and what hung on them is all there
//! after the restart.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use tributary_tests::api;
use tributary_tests::client::{Client, document};
use tributary_tests::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_a_publication_and_a_subscription_survive_sigterm() {
    let mut server = Server::start(&[]).unwrap();
    let mut alice = Client::connect(server.address(), "alice").await.unwrap();
    assert_eq!(alice.register().await.unwrap(), 200);
    let body = document(&alice.aor(), "desk", "here all along");
    assert_eq!(alice.publish(Some(&body), None, 600).await.unwrap().status, 200);
    let mut bob = Client::connect(server.address(), "bob").await.unwrap();
    assert_eq!(bob.subscribe(&alice.aor()).await.unwrap(), 200);
    bob.notified(|body| body.contains("here all along")).await.unwrap();

    server.stop().unwrap();
    server.run().unwrap();
    let path = format!("/api/v1/presentities/{}", alice.aor());
    let (status, alice) = api::call(server.address(), "GET", &path, "", b"").await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(alice["registrations"].as_array().map(Vec::len), Some(1), "{alice}");
    assert_eq!(alice["devices"].as_array().map(Vec::len), Some(1), "{alice}");
    assert_eq!(alice["watchers"], 1, "{alice}");
}
