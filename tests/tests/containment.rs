//! Hostile policies on the running server, with a watcher attached: whatever a policy does, the
//! watcher gets the built-in merge, the server counts the failure and names it, and lives on.
//!
//! Every policy here behaves until it sees the word `boom!`: so it passes the dry run of the upload.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tributary_tests::api::call;
use tributary_tests::client::{Client, document};
use tributary_tests::pidf;
use tributary_tests::server::Server;

/// Whether the input, from one place to another, holds `boom!`.
const BOOM: &str = r"(func $boom (param $at i32) (param $end i32) (result i32)
    (loop $next
      (if (i32.ge_u (i32.add (local.get $at) (i32.const 5)) (local.get $end)) (then (return (i32.const 0))))
      (if (i32.and
            (i32.eq (i32.load align=1 (local.get $at)) (i32.const 0x6d6f6f62))
            (i32.eq (i32.load8_u offset=4 (local.get $at)) (i32.const 0x21)))
        (then (return (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    (unreachable))";

/// A policy that does `misdeed` when its input holds `boom!`, and has no opinion otherwise.
fn policy(misdeed: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  (import "presence" "log" (func $log (param i32 i32)))
  (type $nothing (func))
  (table 4 funcref)
  (memory (export "memory") 2 64)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) i32.const 1024)
  (data (i32.const 0) "not JSON at all")
  (data (i32.const 64) "{{\"abi\":1,\"base\":\"builtin\",\"select\":[{{\"etag\":\"no-such-etag\",\"tuple\":\"t1\"}}]}}")
  (data (i32.const 256) "{{\"abi\":1,\"error\":{{\"code\":\"E-OWN\",\"message\":\"I refuse\"}}}}")
  (data (i32.const 400) "{{\"abi\":1,\"base\":\"builtin\",\"set\":{{\"activities\":[\"<script>\"]}}}}")
  (data (i32.const 512) "[{{\"abi\":1}}]")
  (data (i32.const 560) "{{\"abi\":1,\"reevaluate_at_ms\":1}}")
  (func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
  {BOOM}
  (func (export "pp_merge") (param $at i32) (param $length i32) (result i64)
    (if (call $boom (local.get $at) (i32.add (local.get $at) (local.get $length))) (then {misdeed}))
    (i64.const 0)))"#
    );
    wat::parse_str(text).expect("the text of a test policy is right")
}

/// `(return pointer << 32 | length)`.
fn answers(pointer: u32, length: u32) -> String {
    format!("(return (i64.const {}))", (u64::from(pointer) << 32 | u64::from(length)) as i64)
}

fn misdeeds() -> Vec<(&'static str, String)> {
    vec![
        ("loops for ever", "(loop $l (br $l))".into()),
        ("traps", "(unreachable)".into()),
        ("recurses without end", "(drop (call $deep (i32.const 0)))".into()),
        ("grows its memory until that fails", "(loop $l (drop (memory.grow (i32.const 1))) (br $l))".into()),
        ("reads beyond its memory", "(drop (i32.load (i32.const 0x7ffffff0)))".into()),
        ("calls an empty place of its table", "(call_indirect (type $nothing) (i32.const 3))".into()),
        ("divides by nothing", "(drop (i32.div_u (i32.const 1) (i32.const 0)))".into()),
        (
            "copies from beyond its memory",
            "(memory.copy (i32.const 0) (i32.const 0x1fff0) (i32.const 99))".into(),
        ),
        (
            "fills its memory for ever",
            "(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $l))".into(),
        ),
        ("floods its log", "(loop $l (call $log (i32.const 0) (i32.const 15)) (br $l))".into()),
        ("answers a list", answers(512, 11)),
        ("wants to be called again in 1970", answers(560, 30)),
        ("answers what is no JSON", answers(0, 15)),
        ("names an entity-tag that is not there", answers(64, 74)),
        ("answers an error of its own", answers(256, 57)),
        ("sets an activity that is markup", answers(400, 63)),
        ("answers more than is allowed", answers(0, 100_000)),
        ("points outside its memory", answers(0xffff_0000, 100)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_policy_costs_its_owner_and_nobody_else() {
    let mut server = Server::start(&[]).unwrap();
    for (n, (what, misdeed)) in misdeeds().into_iter().enumerate() {
        let id = upload(&server, what, &format!("bad-{n}"), &policy(&misdeed)).await.unwrap();
        assert!(misbehaves(&mut server, what, n, &id).await >= 1, "{what}: the failure is not counted");
        let named =
            server.log().iter().any(|line| line.contains(&id[..12]) || line.contains(&format!("bad-{n}")));
        assert!(named, "{what}: the log does not name the policy");
    }
}

/// What a generator wrote (`tests/smith`), as a policy that is calm until it sees `boom!`.
fn generated(text: &str) -> Vec<u8> {
    let export = r#"(export "misdeed" (func "#;
    let line = text.lines().find(|line| line.trim_start().starts_with(export)).expect("it has a misdeed");
    let misdeed = line.trim().strip_prefix(export).and_then(|rest| rest.split(')').next()).expect("a number");
    let without = text.replacen(line, "", 1);
    let (module, _) = without.trim_end().rsplit_once(')').expect("a module ends");
    let text = format!(
        r#"{module}
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) i32.const 1024)
  {BOOM}
  (func (export "pp_merge") (param $at i32) (param $length i32) (result i64)
    (if (call $boom (local.get $at) (i32.add (local.get $at) (local.get $length)))
      (then (return (call {misdeed} (local.get $at) (local.get $length)))))
    (i64.const 0)))"#
    );
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Seeds of the generator; what one of them finds is written down as a policy of its own in `policies/bad`.
const SEEDS: std::ops::Range<u64> = 0..60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_that_a_generator_wrote_keep_no_watcher_from_an_update() {
    let folder = tempfile::tempdir().unwrap();
    let smith = Path::new(env!("CARGO_MANIFEST_DIR")).join("smith/Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(smith).arg("--").arg(folder.path());
    cargo.args([SEEDS.start.to_string(), SEEDS.end.to_string()]);
    // Its own target folder: the build that runs this test holds its own.
    cargo.env_remove("CARGO_TARGET_DIR").stdin(Stdio::null());
    assert!(cargo.status().unwrap().success(), "the generator did not run");

    let mut server = Server::start(&[]).unwrap();
    let (mut served, mut failed) = (0, 0);
    for seed in SEEDS {
        let what = format!("seed {seed}");
        let module = generated(&std::fs::read_to_string(folder.path().join(format!("{seed}.wat"))).unwrap());
        // What traps while it starts is refused with its code, and that is that.
        match upload(&server, &what, &format!("smith-{seed}"), &module).await {
            Err(report) => assert!(report["report"]["errors"][0]["code"].is_string(), "{what}: {report}"),
            Ok(id) => {
                served += 1;
                failed += u64::from(misbehaves(&mut server, &what, seed as usize, &id).await >= 1);
                let path = format!("/api/v1/policies/{id}");
                let (status, _) =
                    call(server.address(), "DELETE", &path, "application/json", b"").await.unwrap();
                assert_eq!(status, 204, "{what}");
            }
        }
    }
    println!("{served} served, {failed} of them failed");
    assert!(
        served >= 50 && failed >= served / 2,
        "{served} served, {failed} failed: the generator is too tame"
    );
}

/// Uploads a policy: its id, or why it was refused.
async fn upload(server: &Server, what: &str, name: &str, module: &[u8]) -> Result<String, Value> {
    let path = format!("/api/v1/policies?name={name}");
    let (status, answer) = call(server.address(), "POST", &path, "application/wasm", module).await.unwrap();
    assert!(status == 201 || status == 422, "{what}: the upload was answered {status} {answer}");
    match status {
        201 => Ok(answer["id"].as_str().expect("an id").to_owned()),
        _ => Err(answer),
    }
}

/// Has a policy in force while its owner publishes what it misbehaves at, and a watcher sees every change. The
/// failures that are counted.
async fn misbehaves(server: &mut Server, what: &str, n: usize, id: &str) -> u64 {
    let address = server.address();
    let user = format!("victim{n}");
    let mut device = Client::connect(address, &user).await.unwrap();
    let mut watcher = Client::connect(address, "watcher").await.unwrap();
    let aor = device.aor();
    watcher.subscribe(&aor).await.unwrap();
    watcher.notified(|_| true).await.unwrap();

    let scope = format!("/api/v1/assignments/user:{aor}");
    let body = json!({"policy": id, "params": {}}).to_string();
    let (status, answer) = call(address, "PUT", &scope, "application/json", body.as_bytes()).await.unwrap();
    assert!((200..300).contains(&status), "{what}: the assignment was answered {status} {answer}");

    // Calm: the policy has no opinion. Then it misbehaves: the built-in merge is served. Then calm again.
    let mut etag = None;
    for note in ["calm", "boom!", "calm again"] {
        let note = format!("{n} {note}");
        let published =
            device.publish(Some(&document(&aor, "d", &note)), etag.as_deref(), 600).await.unwrap();
        assert_eq!(published.status, 200, "{what}: PUBLISH of `{note}`");
        etag = Some(published.etag);
        let shown = format!(">{note}<");
        let body = watcher.notified(|body| body.contains(&shown)).await;
        let body = body.unwrap_or_else(|e| panic!("{what}: the watcher did not see `{note}`: {e}"));
        let told = pidf::read(&body).unwrap_or_else(|e| panic!("{what}: not a PIDF document, {e}: {body}"));
        assert_eq!(told.entity, aor, "{what}: {body}");
        assert!(told.tuples.iter().any(|(_, basic)| basic == "open"), "{what}: {body}");
        assert!(told.notes.contains(&note) && !body.contains("script"), "{what}: {body}");
    }
    assert!(server.is_running(), "{what}: the server ended");

    let (status, list) = call(address, "GET", "/api/v1/policies", "application/json", b"").await.unwrap();
    assert_eq!(status, 200);
    let (status, _) = call(address, "DELETE", &scope, "application/json", b"").await.unwrap();
    assert!((200..300).contains(&status), "{what}: taking the assignment back was answered {status}");
    failures(&list, id)
}

/// The failures that the list of policies counts for `id`.
fn failures(list: &Value, id: &str) -> u64 {
    let policies = list["policies"].as_array().cloned().unwrap_or_default();
    let found = policies.iter().find(|policy| policy["id"] == id);
    let by_code = found.and_then(|policy| policy["figures"]["failures"].as_object());
    by_code.map_or(0, |codes| codes.values().filter_map(Value::as_u64).sum())
}

#[tokio::test]
async fn a_file_that_is_no_policy_is_refused_with_all_its_errors() {
    let server = Server::start(&[]).unwrap();
    let clock = r#"(module (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
        (memory (export "memory") 1))"#;
    for (what, file, codes) in [
        ("not wasm", b"hello".to_vec(), vec!["E101"]),
        ("a component", b"\0asm\x0d\0\x01\0".to_vec(), vec!["E102"]),
        ("wasi", wat::parse_str(clock).unwrap(), vec!["E120", "E130", "E132", "E133"]),
    ] {
        let (status, report) =
            call(server.address(), "POST", "/api/v1/policies?name=x", "application/wasm", &file)
                .await
                .unwrap();
        assert_eq!(status, 422, "{what}: {report}");
        for code in codes {
            assert!(report.to_string().contains(code), "{what}: no {code} in {report}");
        }
    }
}
