//! Vectors that come with an upload.

use crate::harness::{call, server, wait_for_metric};
use crate::policy_command::{BUSY, ask, module};
use merge_core::policy::limits;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn vectors_have_to_hold_on_the_server_and_say_what_the_policy_changes_of_what_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    std::fs::create_dir_all(folder.path().join("vectors/inputs")).unwrap();
    write("quiet.wasm", &module(BUSY));
    write("vectors/inputs/nobody.json", br#"{"abi":1,"now_ms":1,"publications":[]}"#);
    let vector = |expect: &str| {
        json!({"name": "busy", "base": "inputs/nobody.json", "match": "subset",
            "expect": {"set": {"activities": [expect]}}})
    };
    write("vectors/busy.json", vector("busy").to_string().as_bytes());
    write("vectors/captured.json", br#"{"abi":1,"now_ms":2,"publications":[]}"#);
    let running = server(|_| {}).await;
    let url = format!("http://{}", running.address);
    let push = async |more: &[&str]| {
        let done =
            ask(folder.path(), &url, &[&["push", "quiet.wasm", "--vectors", "vectors"], more].concat()).await;
        (done.code, format!("{}{}", done.out, done.said))
    };
    let kept = async || {
        let listed = call(running.address, "GET", "/api/v1/policies", None).await.json();
        // A build with policies lists those that it ships, too.
        let policies = listed["policies"].as_array().unwrap().iter();
        policies.filter(|policy| policy["source"] == "uploaded").count()
    };
    let (code, said) = push(&["--dry-run"]).await;
    assert_eq!((code, kept().await), (0, 0), "{said}");
    for words in [
        "would be taken",
        "2 vectors hold",
        "answers 2 of 2 otherwise than the built-in merge",
        "    busy: ",
        "busy",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    write("vectors/busy.json", vector("away").to_string().as_bytes());
    for more in [&[][..], &["--dry-run"]] {
        let (code, said) = push(more).await;
        assert!(code == 1 && said.contains("E210 vector busy"), "{said}");
    }
    assert_eq!(kept().await, 0);
    wait_for_metric(&running, "tributary_policy_uploads_refused_total{code=\"E210\"} 1").await;

    write("vectors/busy.json", vector("busy").to_string().as_bytes());
    let (code, said) = push(&[]).await;
    assert!(code == 0 && said.contains("quiet is uploaded as") && said.contains("2 vectors hold"), "{said}");
    assert_eq!(ask(folder.path(), &url, &["assign", "quiet", "--to", "operator"]).await.code, 0);
    // Held against itself, which is in force around that domain, it changes nothing.
    let (code, said) = push(&["--dry-run", "--against", "domain:example.com"]).await;
    assert!(code == 0 && said.contains("answers 0 of 2 otherwise than quiet"), "{said}");
    let (code, said) = push(&["--against", "everybody"]).await;
    assert!(code == 1 && said.contains("everybody is not a scope"), "{said}");
    for body in [
        json!({"module": "?"}),
        json!({}),
        json!({"module": "AGFzbQ==", "vectors": [{"file": "v", "vector": {}}]}),
    ] {
        let body = body.to_string();
        let bad =
            call(running.address, "POST", "/api/v1/policies", Some(("application/json", body.as_bytes())))
                .await;
        assert_eq!((bad.status, bad.error().as_str()), (400, "bad_body"), "{body}");
    }
    // As many as may come, and one more.
    let file = data_encoding::BASE64.encode(&module(BUSY));
    let checked = async |vectors: usize| {
        let one = json!({"file": "captured.json", "vector": {"abi": 1, "now_ms": 2, "publications": []}});
        let body = json!({"module": file, "vectors": vec![one; vectors]}).to_string();
        let body = Some(("application/json", body.as_bytes()));
        call(running.address, "POST", "/api/v1/policies/check", body).await
    };
    let full = checked(limits::UPLOAD_VECTORS).await;
    assert_eq!((full.status, &full.json()["tried"]["vectors"]), (200, &json!(limits::UPLOAD_VECTORS)));
    let over = checked(limits::UPLOAD_VECTORS + 1).await;
    assert_eq!((over.status, over.error().as_str()), (400, "bad_body"));
    running.stop().await;
}
