//! Policies from the upload to what a watcher sees.

use crate::harness::{Client, call, entity_tag, server};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A policy that adds `note`; it traps when the input holds a `~`.
pub(crate) fn policy(note: &str) -> Vec<u8> {
    let output = format!(
        r#"{{"abi":1,"base":"builtin","set":{{"note":[{{"lang":"en","text":"{note}"}}]}},"explain":["by {note}"]}}"#
    );
    let length = output.len();
    wat::parse_str(format!(
        r#"(module
            (memory (export "memory") 2 2)
            (data (i32.const 1024) "{}")
            (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8192))
            (func (export "pp_merge") (param $at i32) (param $length i32) (result i64)
                (local $end i32)
                (local.set $end (i32.add (local.get $at) (local.get $length)))
                (loop $next
                    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 126)) (then unreachable))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
                (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const {length}))))"#,
        output.replace('"', "\\\"")
    ))
    .unwrap()
}

pub(crate) async fn upload(address: SocketAddr, name: &str, file: &[u8]) -> Value {
    let path = format!("/api/v1/policies?name={name}");
    let answer = call(address, "POST", &path, Some(("application/wasm", file))).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

pub(crate) async fn assign(address: SocketAddr, scope: &str, body: Value) -> Value {
    let path = format!("/api/v1/assignments/{scope}");
    let body = body.to_string();
    let answer = call(address, "PUT", &path, Some(("application/json", body.as_bytes()))).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_uploaded_assigned_rolled_back_and_taken_back_and_the_watcher_sees_each() {
    let server = server(|_| {}).await;
    let address = server.address;
    let mut alice = Client::connect(address, "alice").await;
    alice.publish(200, "own words").await;
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;

    let one = upload(address, "one", &policy("first rule")).await;
    assert_eq!(one["report"]["ok"], true);
    let two = upload(address, "two", &policy("second rule")).await;
    assert_ne!(one["id"], two["id"]);
    let again = upload(address, "one", &policy("first rule")).await;
    assert_eq!(again["id"], one["id"], "the same file is the same policy");
    let taken =
        call(address, "POST", "/api/v1/policies?name=one", Some(("application/wasm", &policy("third"))))
            .await;
    assert_eq!((taken.status, taken.error().as_str()), (409, "name_taken"));

    assign(address, "domain:example.com", json!({"policy": one["id"]})).await;
    assert!(bob.notified().await.contains("first rule"));
    // The user's own assignment wins over the domain's.
    assign(address, "user:sip:alice@example.com", json!({"policy": two["id"], "params": {"level": 3}})).await;
    assert!(bob.notified().await.contains("second rule"));
    let live = call(address, "GET", "/api/v1/presentities/sip:alice@example.com/live", None).await.json();
    assert_eq!((&live["policy"]["name"], &live["policy"]["params"]["level"]), (&json!("two"), &json!(3)));

    let used =
        call(address, "DELETE", &format!("/api/v1/policies/{}", two["id"].as_str().unwrap()), None).await;
    assert_eq!((used.status, used.error().as_str()), (409, "in_use"));
    let gone = call(address, "DELETE", "/api/v1/assignments/user:sip:alice@example.com", None).await;
    assert_eq!(gone.status, 200);
    assert!(bob.notified().await.contains("first rule"));
    let back =
        call(address, "POST", "/api/v1/assignments/user:sip:alice@example.com/rollback", None).await.json();
    assert_eq!(back["in_force"]["policy"]["name"], "two");
    assert!(bob.notified().await.contains("second rule"));

    let list = call(address, "GET", "/api/v1/policies", None).await.json();
    let figures =
        &list["policies"].as_array().unwrap().iter().find(|one| one["name"] == "two").unwrap()["figures"];
    assert!(figures["outputs"].as_u64().unwrap() >= 2, "{figures}");
    assert!(figures["fuel"].as_u64().unwrap() > 0);
    let file =
        call(address, "GET", &format!("/api/v1/policies/{}/wasm", one["id"].as_str().unwrap()), None).await;
    assert_eq!((file.header("content-type"), &file.body), (Some("application/wasm"), &policy("first rule")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_innermost_scope_decides_unless_one_around_it_is_locked() {
    let server =
        server(|config| config.server.tenants = [("example.com".to_owned(), "acme".to_owned())].into()).await;
    let address = server.address;
    Client::connect(address, "alice").await.publish(200, "own words").await;
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;
    let mut ids = Vec::new();
    for name in ["theirs", "ours", "the-domain", "her-own"] {
        ids.push(upload(address, name, &policy(name)).await["id"].clone());
    }
    // From the outermost to the innermost: each shows as soon as it is assigned.
    let scopes = ["operator", "tenant:acme", "domain:example.com", "user:sip:alice@example.com"];
    let notes = [">theirs<", ">ours<", ">the-domain<", ">her-own<"];
    for ((scope, id), note) in scopes.iter().zip(&ids).zip(notes) {
        assign(address, scope, json!({"policy": id})).await;
        assert!(bob.notified().await.contains(note), "{scope}");
    }
    let live =
        async || call(address, "GET", "/api/v1/presentities/sip:alice@example.com/live", None).await.json();
    assert_eq!(live().await["policy"]["name"], "her-own");

    let locked = assign(address, "tenant:acme", json!({"policy": ids[1], "locked": true})).await;
    assert_eq!((&locked["in_force"]["locked"], &locked["in_force"]["generation"]), (&json!(true), &json!(2)));
    assert!(bob.notified().await.contains(">ours<"));
    let body = json!({"policy": ids[3]}).to_string();
    let body = Some(("application/json", body.as_bytes()));
    for scope in &scopes[2..] {
        let refused = call(address, "PUT", &format!("/api/v1/assignments/{scope}"), body).await;
        assert_eq!((refused.status, refused.error().as_str()), (409, "locked"), "{scope}");
    }
    // Rolling back what locked lets what is within it speak again.
    call(address, "POST", "/api/v1/assignments/tenant:acme/rollback", None).await;
    assert!(bob.notified().await.contains(">her-own<"));
    let unknown = call(address, "PUT", "/api/v1/assignments/tenant:nobody", body).await;
    assert_eq!((unknown.status, unknown.error().as_str()), (404, "unknown_tenant"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_is_counted_and_the_watcher_gets_the_built_in_result() {
    let server = server(|_| {}).await;
    let address = server.address;
    let mut alice = Client::connect(address, "alice").await;
    alice.publish(200, "calm").await;
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;
    let rule = upload(address, "rule", &policy("rule")).await;
    assign(address, "domain:example.com", json!({"policy": rule["id"]})).await;
    assert!(bob.notified().await.contains("rule"));
    alice.publish(200, "~ trap ~").await;
    let notify = bob.notified().await;
    assert!(notify.contains("~ trap ~") && !notify.contains(">rule<"), "{notify}");
    let one = call(address, "GET", &format!("/api/v1/policies/{}", rule["id"].as_str().unwrap()), None)
        .await
        .json();
    assert_eq!(one["figures"]["failures"]["E201"], 1, "{one}");
    let failure = &one["figures"]["last_failure"];
    assert_eq!((&failure["code"], &failure["aor"]), (&json!("E201"), &json!("sip:alice@example.com")));
    assert!(failure["message"].as_str().unwrap().contains("function"), "{failure}");
    // Whoever asks why is told that it was not the policy that decided.
    let why = call(address, "GET", "/api/v1/presentities/sip:alice@example.com", None).await.json();
    assert_eq!(
        (&why["policy"]["name"], &why["failure"]),
        (&json!("rule"), &json!("not asked: it failed on this state less than a minute ago"))
    );
    server.stop().await;
}

/// Alice, who is calm, and her entity-tag; Bob, who watches her; a policy that nobody has assigned yet.
async fn alice_watched_and_a_rule(address: SocketAddr) -> (Client, String, Client, Value) {
    let mut alice = Client::connect(address, "alice").await;
    let tag = entity_tag(&alice.publish(200, "calm").await);
    let mut bob = Client::connect(address, "bob").await;
    bob.subscribe("sip:alice@example.com").await;
    let rule = upload(address, "rule", &policy("rule")).await;
    (alice, tag, bob, rule)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_keeps_failing_is_not_asked_until_it_is_assigned_anew_or_its_wait_is_over() {
    let server = server(|_| {}).await;
    let address = server.address;
    let (mut alice, mut tag, mut bob, rule) = alice_watched_and_a_rule(address).await;
    assign(address, "domain:example.com", json!({"policy": rule["id"]})).await;
    assert!(bob.notified().await.contains(">rule<"));
    for note in ["~ one ~", "~ two ~", "~ three ~", "nothing wrong with this"] {
        tag = alice.republish(&tag, note).await;
        let notify = bob.notified().await;
        assert!(notify.contains(note) && !notify.contains(">rule<"), "{notify}");
    }
    let figures = async || {
        let path = format!("/api/v1/policies/{}", rule["id"].as_str().unwrap());
        call(address, "GET", &path, None).await.json()["figures"].clone()
    };
    let one = figures().await;
    assert_eq!((&one["failures"]["E201"], &one["held"]), (&json!(3), &json!(1)), "{one}");
    let assignments = call(address, "GET", "/api/v1/assignments", None).await.json();
    let in_force = &assignments["assignments"][0]["in_force"];
    assert_eq!(
        (&in_force["breaker"]["state"], &in_force["breaker"]["openings"]),
        (&json!("open"), &json!(1))
    );
    assert!(in_force["breaker"]["until_ms"].as_i64().unwrap() > in_force["since_ms"].as_i64().unwrap());

    assign(address, "domain:example.com", json!({"policy": rule["id"]})).await;
    assert!(bob.notified().await.contains(">rule<"));
    // A policy that has just failed on a state is not asked about that state again, whoever assigns it.
    alice.republish(&tag, "~ four ~").await;
    assert!(!bob.notified().await.contains(">rule<"));
    assign(address, "domain:example.com", json!({"policy": rule["id"]})).await;
    call(address, "GET", "/api/v1/presentities/sip:alice@example.com", None).await;
    let again = figures().await;
    assert_eq!(again["failures"]["E201"], 4, "{again}");
    assert!(again["held"].as_u64().unwrap() >= 2, "{again}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_for_a_policy_that_fails_is_what_its_assignment_says() {
    let server = server(|_| {}).await;
    let address = server.address;
    let (mut alice, mut tag, mut bob, rule) = alice_watched_and_a_rule(address).await;
    // What watchers see after a failure: the policy's note on the whole, and the device's own on its service.
    for (number, (on_failure, rule_note, own_note)) in
        [("last_good", true, true), ("minimal", false, false), ("builtin", false, true)]
            .into_iter()
            .enumerate()
    {
        let assigned =
            assign(address, "domain:example.com", json!({"policy": rule["id"], "on_failure": on_failure}))
                .await;
        assert_eq!(assigned["in_force"]["on_failure"], on_failure);
        tag = alice.republish(&tag, &format!("calm {number}")).await;
        while !bob.notified().await.contains(">rule<") {}
        let own = format!("~ trap {number} ~");
        tag = alice.republish(&tag, &own).await;
        let path = "/api/v1/presentities/sip:alice@example.com";
        let shown = call(address, "GET", path, None).await.json()["pidf"].as_str().unwrap().to_owned();
        assert_eq!(
            (shown.contains(">rule<"), shown.contains(&own)),
            (rule_note, own_note),
            "{on_failure}: {shown}"
        );
        assert!(shown.contains("<basic>open</basic>"), "{shown}");
    }
    let body = json!({"policy": rule["id"], "on_failure": "hope"}).to_string();
    let body = Some(("application/json", body.as_bytes()));
    let refused = call(address, "PUT", "/api/v1/assignments/domain:example.com", body).await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "bad_body"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_with_every_error_at_once() {
    let server = server(|_| {}).await;
    let bad = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
            (memory (export "memory") 1))"#,
    )
    .unwrap();
    let checked =
        call(server.address, "POST", "/api/v1/policies/check", Some(("application/wasm", &bad))).await;
    assert_eq!(checked.status, 200);
    let report = checked.json();
    let codes: Vec<&str> =
        report["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
    for code in ["E120", "E130", "E132", "E133"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
    let refused = call(server.address, "POST", "/api/v1/policies", Some(("application/wasm", &bad))).await;
    assert_eq!((refused.status, refused.error().as_str()), (422, "policy_refused"));
    assert_eq!(refused.json()["report"], report);
    // One that compiles and then fails a sample is refused as well.
    let stuck = wat::parse_str(
        r#"(module (memory (export "memory") 1 1) (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8))
            (func (export "pp_merge") (param i32 i32) (result i64) (loop $x (br $x)) (unreachable)))"#,
    )
    .unwrap();
    let checked =
        call(server.address, "POST", "/api/v1/policies/check", Some(("application/wasm", &stuck))).await;
    assert!(checked.json()["errors"].to_string().contains("E204"), "{}", checked.json());
    // What is wrong with the name is said along with what is wrong with the file.
    let path = "/api/v1/policies?name=%20";
    let refused = call(server.address, "POST", path, Some(("application/wasm", &stuck))).await;
    assert_eq!((refused.status, &refused.json()["report"]), (422, &checked.json()));
    let body = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(body.contains("errors; a name has 1 to 64 printable characters"), "{body}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_a_policy_does_not_take_are_refused_with_everything_that_is_wrong_with_them() {
    let server = server(|_| {}).await;
    let manifest = r#"{\22name\22:\22hours\22,\22params_schema\22:{\22properties\22:{\22from\22:{\22type\22:\22integer\22,\22maximum\22:24},\22days\22:{}},\22required\22:[\22days\22],\22additionalProperties\22:false}}"#;
    let says = r#"{\22abi\22:1,\22error\22:{\22code\22:\22no\22,\22message\22:\22not on sundays\22}}"#;
    let length = says.replace("\\22", "\"").len();
    let file = wat::parse_str(format!(
        r#"(module (@custom "presence-policy" "{manifest}")
            (memory (export "memory") 1 1) (data (i32.const 1024) "{says}")
            (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 2048))
            (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
            (func (export "pp_params") (param $at i32) (param $length i32) (result i64)
                ;; It has nothing against parameters that are longer than these.
                (if (i32.gt_u (local.get $length) (i32.const 40)) (then (return (i64.const 0))))
                (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const {length}))))"#
    ))
    .unwrap();
    let hours = upload(server.address, "hours", &file).await;
    let path = "/api/v1/assignments/domain:example.com";
    let assign = async |params: Value| {
        let body = json!({"policy": hours["id"], "params": params}).to_string();
        let answer = call(server.address, "PUT", path, Some(("application/json", body.as_bytes()))).await;
        let errors = answer.json()["report"]["errors"].as_array().cloned().unwrap_or_default();
        let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
        let found =
            errors.iter().map(|error| (text(error, "code"), text(error, "place"))).collect::<Vec<_>>();
        (answer.status, found)
    };
    let found = |code: &str, place: &str| (code.to_owned(), place.to_owned());
    assert_eq!(
        assign(json!({"from": 25, "until": 3})).await,
        (
            422,
            vec![found("E207", "params.from"), found("E207", "params.days"), found("E207", "params.until")]
        )
    );
    assert_eq!(assign(json!({"days": 1})).await, (422, vec![found("E209", "pp_params")]));
    assert_eq!(assign(json!({"days": [1, 2, 3, 4], "from": 3})).await, (200, vec![]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_and_assignments_outlive_a_restart_and_a_built_in_merge_can_be_assigned() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let first = server(|config| config.store.data = Some(data.clone())).await;
    let kept = upload(first.address, "kept", &policy("kept rule")).await;
    assign(first.address, "domain:example.com", json!({"policy": kept["id"], "params": {"a": 1}})).await;
    assign(first.address, "user:sip:bob@example.com", json!({"built_in": "newest"})).await;
    assign(first.address, "operator", json!({"built_in": "union"})).await;
    let before = call(first.address, "GET", "/api/v1/assignments", None).await.json();
    first.stop().await;

    let second = server(|config| config.store.data = Some(data.clone())).await;
    assert_eq!(call(second.address, "GET", "/api/v1/assignments", None).await.json(), before);
    let metrics = call(second.address, "GET", "/metrics", None).await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    // The one that was kept, and those that ship with the server, where they were built.
    let all = call(second.address, "GET", "/api/v1/policies", None).await.json();
    let all = all["policies"].as_array().unwrap().len();
    assert!(
        metrics.contains(&format!(r#"tributary_policy_compiles_total{{from="cache"}} {all}"#)),
        "{all}: {metrics}"
    );
    assert!(!metrics.contains(r#"tributary_policy_compiles_total{from="compiler"}"#), "{metrics}");
    let mut alice = Client::connect(second.address, "alice").await;
    alice.publish(200, "own words").await;
    let mut watcher = Client::connect(second.address, "carol").await;
    assert!(watcher.subscribe("sip:alice@example.com").await.contains("kept rule"));
    let live =
        call(second.address, "GET", "/api/v1/presentities/sip:alice@example.com/live", None).await.json();
    assert_eq!(live["policy"]["id"], kept["id"]);
    Client::connect(second.address, "bob").await.publish(200, "bob's").await;
    let bob = call(second.address, "GET", "/api/v1/presentities/sip:bob@example.com/live", None).await.json();
    assert_eq!((&bob["composition"], &bob["policy"]), (&json!("newest"), &Value::Null));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_generation_there_was_nothing_and_no_number_is_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let running = async || {
        let data = data.clone();
        server(|config| {
            config.store.data = Some(data);
            config.server.open = false;
            config.users = vec![tributary::config::User {
                name: "alice".to_owned(),
                password: Some("secret".to_owned()),
                ..Default::default()
            }];
        })
        .await
    };
    let scope = "user:sip:alice@example.com";
    let path = format!("/api/v1/assignments/{scope}/rollback");
    let first = running().await;
    for number in 1..=2 {
        let put = assign(first.address, scope, json!({"built_in": "newest"})).await;
        assert_eq!(put["in_force"]["generation"], number);
    }
    let back = call(first.address, "POST", &path, None).await.json();
    assert_eq!(back["in_force"]["generation"], 1);
    // Who is not a user has no assignment.
    let body = Some(("application/json", &br#"{"built_in":"newest"}"#[..]));
    let nobody = call(first.address, "PUT", "/api/v1/assignments/user:sip:nobody@example.com", body).await;
    assert_eq!((nobody.status, nobody.error().as_str()), (404, "unknown_user"));
    assert!(first.stop().await);

    let second = running().await;
    let put = assign(second.address, scope, json!({"built_in": "union"})).await;
    assert_eq!(put["in_force"]["generation"], 3, "2 was somebody else's");
    for (generation, built_in) in [(1, json!("newest")), (0, Value::Null)] {
        let back = call(second.address, "POST", &path, None).await.json();
        let now = &back["in_force"];
        assert_eq!((&now["generation"], &now["built_in"]), (&json!(generation), &built_in));
    }
    let nothing = call(second.address, "POST", &path, None).await;
    assert_eq!((nothing.status, nothing.error().as_str()), (404, "nothing_assigned"));
    assert!(second.stop().await);
}
