//! Each template of `tributary policy new`: built with its language's compiler, checked, held against its
//! vectors, fed made-up inputs; and all of them give the same bytes.
//!
//! `cargo xtask test policies` installs what is missing; by hand: `pip install ziglang`, Node 20, and
//! `rustup target add wasm32-unknown-unknown`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::path::Path;

use policy_sandbox::{Compile, Generator, Policy, ScriptEngine};
use policy_workbench::{Answer as _, Fuzz, Language, Paint, Workbench, build, fuzz, new, test};

/// The note of the template's parameter, with what is easily glued together wrongly.
const PARAMS: &str = r#"{"note":"In a call: \"urgent\" by text, \\ please \u2026"}"#;

/// What `cargo xtask policies` has built.
fn scripts() -> Option<ScriptEngine> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/policies");
    let folder = std::env::var_os("TEST_POLICIES").map_or(target, Into::into);
    let file = std::fs::read(folder.join("javascript.engine"));
    Some(ScriptEngine::new(&file.expect("build the engine for scripts first: cargo xtask policies")))
}

fn built(workbench: &Workbench, folder: &Path, language: Language) -> Policy {
    let name = "on-the-phone";
    new(folder, name, language).unwrap();
    if language == Language::AssemblyScript {
        // The compiler that a policy of ours is built with is the template's as well.
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/shift-roster/node_modules");
        if modules.join("assemblyscript").is_dir() {
            std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
        }
    }
    let checked = build(workbench, folder).unwrap_or_else(|problem| panic!("{language:?}: {problem}"));
    assert!(checked.is_good(), "{}", checked.text(Paint::default()));
    assert_eq!(checked.report.warnings, [], "{language:?}");
    assert_eq!(checked.report.manifest.unwrap().name, name, "{language:?}");
    println!("{}: {} bytes", language.as_str(), checked.bytes);

    let policy = workbench.load(folder).unwrap();
    let tested = test(&policy, folder, &[]).unwrap();
    assert!(tested.is_good() && tested.results.len() >= 3, "{language:?}: {}", tested.text(Paint::default()));
    let fuzzed = fuzz(&policy, folder, Fuzz { seed: 4, runs: Some(300), time: None });
    assert!(fuzzed.is_good(), "{language:?}: {}", fuzzed.text(Paint::default()));
    println!("{}: {} fuel at most", language.as_str(), fuzzed.most_fuel);
    policy
}

#[test]
fn each_template_is_a_policy_that_works_and_they_answer_alike() {
    let workbench = Workbench::new(Compile::InProcess, scripts()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let policies = Language::ALL
        .map(|language| (language, built(&workbench, &scratch.path().join(language.as_str()), language)));
    let [(_, first), others @ ..] = &policies;
    let mut generator = Generator::new(5).with_params([PARAMS.to_owned()]);
    let mut answers = 0;
    for _ in 0..500 {
        let input = generator.next_input();
        let expected = first.merge_whole(&input).result.unwrap();
        answers += usize::from(expected.is_some());
        let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(String::from_utf8_lossy).map(String::from);
        for (language, policy) in others {
            let got = policy.merge_whole(&input).result.unwrap();
            assert_eq!(text(&got), text(&expected), "{language:?}: {}", String::from_utf8_lossy(&input));
        }
    }
    assert!(answers > 100 && answers < 500, "{answers}");
}
