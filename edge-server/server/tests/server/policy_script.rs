//! A policy in JavaScript: the script is what an author checks, an operator uploads, and the server gives back.

use crate::harness::{call, server};
use crate::policy_command::{ask, policy_in};
use std::path::Path;

const BUSY: &str = "export const manifest = { name: 'busy', summary: 'For a test' };\n\
    export const merge = ({ publications = [] }) => ({ set: { activities: [`busy`] }, explain: [`${publications.length}`] });\n";

/// A folder of policies that ship that holds the engine alone, as `cargo xtask policies` has built it.
fn engine_alone(folder: &Path) -> String {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/policies");
    let built = std::env::var_os("TEST_POLICIES").map_or(target, Into::into).join("javascript.engine");
    let shipped = folder.join("shipped");
    std::fs::create_dir(&shipped).unwrap();
    std::fs::copy(&built, shipped.join("javascript.engine"))
        .unwrap_or_else(|error| panic!("{}: {error}; cargo xtask policies builds it", built.display()));
    shipped.display().to_string()
}

#[test]
fn a_project_in_javascript_is_made_tested_and_checked_without_a_compiler() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = engine_alone(folder.path());
    // No PATH either.
    let run = |args: &[&str]| policy_in(folder.path(), args, &[("TRIBUTARY_POLICIES_SHIPPED", &shipped)]);
    for (args, code, words) in [
        (&["new", "on-the-phone", "--lang", "js"][..], 0, "it needs nothing else"),
        (&["build", "on-the-phone"], 0, "policy.js: good"),
        (&["check", "on-the-phone"], 0, "policy.js: good"),
        (&["test", "on-the-phone"], 0, "3 hold, 0 fail"),
        (&["fuzz", "on-the-phone", "--runs", "20"], 0, "nothing found"),
    ] {
        let done = run(args);
        assert_eq!(done.code, code, "{args:?}: {}{}", done.out, done.said);
        assert!(done.out.contains(words), "{args:?}: {}", done.out);
    }
    let readme = std::fs::read_to_string(folder.path().join("on-the-phone/README.md")).unwrap();
    assert!(readme.contains("nothing is built") && !readme.contains(".wasm"), "{readme}");
    let done = run(&["build", "on-the-phone/policy.js"]);
    assert!(done.code == 2 && done.said.contains("policy check on-the-phone/policy.js"), "{}", done.said);
    std::fs::write(folder.path().join("silent.js"), "function merge(input) { return null; }\n").unwrap();
    let done = run(&["check", "silent.js"]);
    assert!(done.code == 1 && done.out.contains("write `export function merge(input)"), "{}", done.out);
    assert!(!done.out.contains("bytes of WebAssembly"), "{}", done.out);
    std::fs::write(folder.path().join("broken.js"), "export function merge(input) {\n  return {;\n}\n")
        .unwrap();
    let done = run(&["check", "broken.js"]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("E180 script, line 2, column 11: SyntaxError"), "{}", done.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_goes_into_force_as_it_is_and_is_given_back_so() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = engine_alone(folder.path());
    std::fs::write(folder.path().join("busy.js"), BUSY).unwrap();
    std::fs::write(folder.path().join("broken.js"), "export const merge = 5;").unwrap();
    let running = server(|config| {
        config.server.domains = vec!["example.com".to_owned()];
        config.policies.shipped = Some(shipped);
    })
    .await;
    let url = format!("http://{}", running.address);
    let ask = async |args: &[&str]| {
        let done = ask(folder.path(), &url, args).await;
        (done.code, format!("{}{}", done.out, done.said))
    };
    let (code, said) = ask(&["push", "broken.js"]).await;
    assert!(code == 1 && said.contains("E180 script"), "{said}");
    let (code, said) = ask(&["push", "busy.js"]).await;
    assert!(code == 0 && said.contains("busy is uploaded as "), "{said}");
    let id = said.split("uploaded as ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let (code, said) = ask(&["assign", "busy", "--to", "domain:example.com"]).await;
    assert!(code == 0, "{said}");
    let (code, said) = ask(&["explain", "alice@example.com"]).await;
    assert!(code == 0 && said.contains("person/activities busy (policy)"), "{said}");

    let answer = call(running.address, "GET", &format!("/api/v1/policies/{id}/wasm"), None).await;
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(answer.body, BUSY.as_bytes());
    running.stop().await;
}
