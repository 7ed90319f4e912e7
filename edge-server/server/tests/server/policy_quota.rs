//! How much a tenant may keep and upload, and how much more the operator may.

use crate::harness::{Answer, call, server, wait_for_metric};
use merge_core::policy::limits;
use serde_json::json;
use std::net::SocketAddr;
use tributary::config::Config;

/// Without an opinion; told from others by `number`, and of about so many bytes.
fn policy(number: usize, bytes: usize) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module (memory (export "memory") 16 16) (func (export "presence_policy_abi_1"))
            (data (i32.const 1024) "{}")
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8))
            (func (export "pp_merge") (param i32 i32) (result i64) (drop (i32.const {number})) (i64.const 0)))"#,
        "x".repeat(bytes)
    ))
    .unwrap()
}

fn of_acme(config: &mut Config) {
    config.server.tenants = [("example.com".to_owned(), "acme".to_owned())].into();
}

async fn upload(address: SocketAddr, query: &str, file: &[u8]) -> Answer {
    let path = format!("/api/v1/policies?{query}");
    call(address, "POST", &path, Some(("application/wasm", file))).await
}

fn refusal(answer: &Answer) -> (u16, String, String) {
    let code = answer.json()["report"]["errors"][0]["code"].as_str().unwrap().to_owned();
    (answer.status, answer.error(), code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_keeps_and_uploads_as_much_as_it_may_and_the_operator_goes_on() {
    let running = server(of_acme).await;
    let address = running.address;
    for number in 0..limits::TENANT_POLICIES {
        let name = format!("name=p{number}&tenant=acme");
        assert_eq!(upload(address, &name, &policy(number, 8)).await.status, 201, "{number}");
    }
    let one_more = upload(address, "name=more&tenant=acme", &policy(999, 8)).await;
    assert_eq!(refusal(&one_more), (507, "quota".to_owned(), "E190".to_owned()));
    for _ in limits::TENANT_POLICIES + 1..limits::TENANT_UPLOADS_PER_HOUR {
        assert_eq!(upload(address, "tenant=acme", b"no module").await.status, 422);
    }
    let too_often = upload(address, "tenant=acme", b"no module").await;
    assert_eq!(refusal(&too_often), (429, "quota".to_owned(), "E192".to_owned()));
    assert!(too_often.json()["error"]["fix"].as_str().unwrap().contains("minutes"));
    assert_eq!(upload(address, "name=ours", &policy(1_000, 8)).await.status, 201);
    wait_for_metric(&running, "tributary_policy_uploads_refused_total{code=\"E190\"} 1").await;
    wait_for_metric(&running, "tributary_policy_uploads_refused_total{code=\"E192\"} 1").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_a_tenant_are_bounded_and_the_operators_file_may_be_larger_than_a_tenants() {
    let running = server(of_acme).await;
    let address = running.address;
    let large = 250 * 1024;
    let files = limits::TENANT_POLICY_BYTES / large;
    for number in 0..files {
        let kept = upload(address, &format!("name=p{number}&tenant=acme"), &policy(number, large)).await;
        assert_eq!(kept.status, 201, "{number}: {}", String::from_utf8_lossy(&kept.body));
    }
    let too_much = upload(address, "name=more&tenant=acme", &policy(999, large)).await;
    assert_eq!(refusal(&too_much), (507, "quota".to_owned(), "E191".to_owned()));
    let larger = policy(1, 600 * 1024);
    let theirs = upload(address, "name=larger&tenant=acme", &larger).await;
    assert_eq!(theirs.json()["report"]["errors"][0]["code"], "E103");
    assert_eq!(upload(address, "name=larger", &larger).await.status, 201);
    // What a tenant has no room for is there again once something is removed.
    let first = call(address, "GET", "/api/v1/policies", None).await.json();
    let first = first["policies"].as_array().unwrap().iter().find(|one| one["name"] == "p0").unwrap().clone();
    assert_eq!((&first["tenant"], first["bytes"].as_u64().unwrap() > 250_000), (&json!("acme"), true));
    let path = format!("/api/v1/policies/{}", first["id"].as_str().unwrap());
    assert_eq!(call(address, "DELETE", &path, None).await.status, 204);
    assert_eq!(upload(address, "name=more&tenant=acme", &policy(999, large)).await.status, 201);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_keeps_up_to_max_files_and_tenants_files_count() {
    let running = server(|config| {
        of_acme(config);
        config.policies.max_files = 2;
    })
    .await;
    let address = running.address;
    assert_eq!(upload(address, "name=ours", &policy(1, 8)).await.status, 201);
    assert_eq!(upload(address, "name=theirs&tenant=acme", &policy(2, 8)).await.status, 201);
    for query in ["name=more", "name=more&tenant=acme"] {
        let full = upload(address, query, &policy(3, 8)).await;
        assert_eq!((full.status, full.error().as_str()), (507, "full"), "{query}");
    }
    assert_eq!(upload(address, "name=ours", &policy(1, 8)).await.status, 201, "what is kept is no more");
    running.stop().await;
}
