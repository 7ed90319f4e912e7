//! Who has signed a policy: at the upload, at the assignment, and after the keys have changed.

use crate::harness::{Answer, TOKEN, ask, call, server, wait_for_metric};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use tributary::config::{Config, Signatures, Tenant};

/// Without an opinion, and told from others by `number`.
fn policy(number: u32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module (memory (export "memory") 1 1) (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8))
            (func (export "pp_merge") (param i32 i32) (result i64) (drop (i32.const {number})) (i64.const 0)))"#
    ))
    .unwrap()
}

/// A key pair; the public half stands in `NAME.pub`, as openssl writes it.
fn key(folder: &Path, name: &str) -> EncodingKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    std::fs::write(folder.join(format!("{name}.pub")), pair.public_key_pem()).unwrap();
    EncodingKey::from_ed_der(&pair.serialize_der())
}

fn keys(folder: &Path, names: &[&str]) -> std::collections::BTreeMap<String, String> {
    let file = |name: &&str| folder.join(format!("{name}.pub")).display().to_string();
    names.iter().map(|name| ((*name).to_owned(), file(name))).collect()
}

async fn upload(address: SocketAddr, query: &str, file: &[u8], key: Option<&EncodingKey>) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let signature = key.map(|key| jsonwebtoken::crypto::sign(file, key, Algorithm::EdDSA).unwrap());
    let mut headers = vec![("Authorization", authorization.as_str())];
    headers.extend(signature.as_deref().map(|signature| ("Policy-Signature", signature)));
    ask(address, "POST", &format!("/api/v1/policies?{query}"), &headers, Some(("application/wasm", file)))
        .await
}

fn codes(answer: &Answer, of: &str) -> Vec<String> {
    let json = answer.json();
    let findings = json["report"][of].as_array().unwrap().iter();
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenants_rule_asks_of_signatures_holds_at_the_upload_and_at_the_assignment() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs, stranger] = ["ours", "theirs", "stranger"].map(|name| key(folder.path(), name));
    let rule = |config: &mut Config| {
        config.server.tenants = [("example.com".to_owned(), "acme".to_owned())].into();
        config.policies.keys = keys(folder.path(), &["ours"]);
        config.tenants = vec![Tenant {
            name: "acme".to_owned(),
            signatures: Some(Signatures::Require),
            keys: keys(folder.path(), &["theirs"]),
        }];
    };
    let server = server(rule).await;
    let address = server.address;
    let unsigned = upload(address, "name=a&tenant=acme", &policy(1), None).await;
    assert_eq!((unsigned.status, codes(&unsigned, "errors")), (422, vec!["E170".to_owned()]));
    let forged = upload(address, "name=a&tenant=acme", &policy(1), Some(&stranger)).await;
    assert_eq!((forged.status, codes(&forged, "errors")), (422, vec!["E171".to_owned()]));
    let message = forged.json()["report"]["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("ours") && message.contains("theirs"), "whose would be good: {message}");
    // Everything at once, also here.
    let bad = upload(address, "tenant=acme", b"no module", None).await;
    assert_eq!(codes(&bad, "errors"), ["E101", "E170"]);
    let nobody = upload(address, "tenant=nobody", &policy(1), None).await;
    assert_eq!((nobody.status, nobody.error().as_str()), (404, "unknown_tenant"));

    let signed = upload(address, "name=a&tenant=acme", &policy(1), Some(&theirs)).await;
    assert_eq!((signed.status, &signed.json()["signature"]["by"]), (201, &json!("theirs")));
    // The operator, whose rule is off, may keep what the tenant may not be given.
    let operators = upload(address, "name=b", &policy(2), None).await;
    assert_eq!((operators.status, &operators.json()["signature"]), (201, &Value::Null));
    let listed = call(address, "GET", "/api/v1/policies", None).await.json();
    let whose: Vec<_> =
        listed["policies"].as_array().unwrap().iter().map(|policy| &policy["tenant"]).collect();
    assert!(whose.contains(&&json!("acme")) && whose.contains(&&Value::Null), "{listed}");

    let assign = async |scope: &str, id: &Value| {
        let body = json!({"policy": id}).to_string();
        let path = format!("/api/v1/assignments/{scope}");
        call(address, "PUT", &path, Some(("application/json", body.as_bytes()))).await
    };
    for scope in ["tenant:acme", "domain:example.com", "user:sip:alice@example.com"] {
        let refused = assign(scope, &operators.json()["id"]).await;
        assert_eq!((refused.status, refused.error().as_str()), (422, "signature_refused"), "{scope}");
        assert_eq!(codes(&refused, "errors"), ["E170"], "{scope}");
        assert_eq!(assign(scope, &signed.json()["id"]).await.status, 200, "{scope}");
    }
    assert_eq!(assign("operator", &operators.json()["id"]).await.status, 200, "its own rule is off");
    // The same file, now signed, is the same policy, and good everywhere.
    let again = upload(address, "name=b", &policy(2), Some(&ours)).await;
    assert_eq!(again.json()["id"], operators.json()["id"]);
    assert_eq!(assign("tenant:acme", &operators.json()["id"]).await.status, 200);
    for (metric, code, times) in [
        ("policy_uploads_refused", "E170", 2),
        ("policy_uploads_refused", "E171", 1),
        ("policy_uploads_refused", "E101", 1),
        ("policy_uploads_refused", "unknown_tenant", 1),
        ("policy_assignments_refused", "E170", 3),
    ] {
        wait_for_metric(&server, &format!("tributary_{metric}_total{{code=\"{code}\"}} {times}")).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_takes_anothers_place_while_both_are_trusted_and_what_only_the_old_one_signed_is_then_unsigned()
{
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| key(folder.path(), name));
    let data = folder.path().join("data").display().to_string();
    let with = |names: &'static [&'static str]| {
        let (keys, data) = (keys(folder.path(), names), data.clone());
        move |config: &mut Config| {
            config.store.data = Some(data);
            config.policies.keys = keys;
            config.policies.signatures = Signatures::Warn;
        }
    };
    let signers = async |address: SocketAddr| {
        let listed = call(address, "GET", "/api/v1/policies", None).await.json();
        // A build with policies lists those that it ships, too.
        let policies = listed["policies"].as_array().unwrap().iter();
        let policies = policies.filter(|policy| policy["source"] == "uploaded");
        let mut signers: Vec<_> = policies
            .map(|policy| (policy["name"].as_str().unwrap().to_owned(), policy["signature"]["by"].clone()))
            .collect();
        signers.sort_by(|(one, _), (other, _)| one.cmp(other));
        signers.into_iter().map(|(_, by)| by).collect::<Vec<_>>()
    };
    let first = server(with(&["old"])).await;
    let warned = upload(first.address, "name=a", &policy(1), None).await;
    assert_eq!((warned.status, codes(&warned, "warnings").contains(&"E170".to_owned())), (201, true));
    assert_eq!(upload(first.address, "name=b", &policy(2), Some(&old)).await.status, 201);
    first.stop().await;

    let both = server(with(&["old", "new"])).await;
    assert_eq!(upload(both.address, "name=c", &policy(3), Some(&new)).await.status, 201);
    assert_eq!(signers(both.address).await, [Value::Null, json!("old"), json!("new")]);
    both.stop().await;

    let last = server(with(&["new"])).await;
    assert_eq!(signers(last.address).await, [Value::Null, Value::Null, json!("new")]);
    let resigned = upload(last.address, "name=b", &policy(2), Some(&new)).await;
    assert_eq!(resigned.json()["signature"]["by"], "new");
    assert_eq!(signers(last.address).await, [Value::Null, json!("new"), json!("new")]);
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ships_with_the_server_needs_no_signature() {
    let folder = tempfile::tempdir().unwrap();
    let _trusted = key(folder.path(), "ours");
    let shipped = folder.path().join("shipped");
    std::fs::create_dir(&shipped).unwrap();
    std::fs::write(shipped.join("quiet.wasm"), policy(1)).unwrap();
    let server = server(|config| {
        config.policies.keys = keys(folder.path(), &["ours"]);
        config.policies.signatures = Signatures::Require;
        config.policies.shipped = Some(shipped.display().to_string());
    })
    .await;
    let listed = call(server.address, "GET", "/api/v1/policies", None).await.json();
    let body = json!({"policy": listed["policies"][0]["id"]}).to_string();
    let body = Some(("application/json", body.as_bytes()));
    let assigned = call(server.address, "PUT", "/api/v1/assignments/operator", body).await;
    assert_eq!(assigned.status, 200, "{assigned:?}");
    let unsigned = upload(server.address, "name=b", &policy(2), None).await;
    assert_eq!(codes(&unsigned, "errors"), ["E170"]);
    server.stop().await;
}
