//! The policies that ship: built from source, checked, dry-run, and held against their vectors. That other engines
//! make the same of them is a test of the page (`web-demo/site/test/engines.test.mjs`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use merge_core::json;
use merge_core::redact::Redactor;
use policy_sandbox::{
    Generator, Hook, Policy, RecordedInput, Sandbox, Settings, Vector, builtin_samples, dry_run,
};

const IN_RUST: [&str; 9] = [
    "hide-from-strangers",
    "boss-secretary",
    "most-recent-device",
    "dnd-overrides",
    "on-the-phone-wins",
    "desk-first-in-hours",
    "ghost-buster",
    "calendar-note",
    "quiet-flapping",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn run(command: &mut Command, hint: &str) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{hint}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}\n{}{}\n{hint}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Builds the policies in Rust; a second call finds everything built.
fn build_rust() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "--quiet"]).current_dir(folder().join("policies"));
    // The settings of the build that runs this test are not those of the policies.
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    run(
        &mut command,
        "if the target is missing: `rustup target add wasm32-unknown-unknown`, or `cargo xtask setup`",
    );
}

fn rust_wasm(name: &str) -> Vec<u8> {
    let file = format!("target/wasm32-unknown-unknown/release/{}.wasm", name.replace('-', "_"));
    fs::read(folder().join(file)).unwrap()
}

fn assembly_script_wasm() -> Vec<u8> {
    let source = folder().join("policies/shift-roster");
    if !source.join("node_modules/assemblyscript").is_dir() {
        run(
            Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&source),
            "Node 20 and its npm are needed, with a registry in reach, for the policy in AssemblyScript",
        );
    }
    run(Command::new("node").arg("build.mjs").current_dir(&source), "Node 20 is needed");
    fs::read(source.join("build/shift-roster.wasm")).unwrap()
}

fn all() -> Vec<(&'static str, Vec<u8>)> {
    build_rust();
    let mut all: Vec<_> = IN_RUST.into_iter().map(|name| (name, rust_wasm(name))).collect();
    all.push(("shift-roster", assembly_script_wasm()));
    all
}

fn vectors(name: &str) -> Vec<(PathBuf, Vector)> {
    let folder = folder().join("policies").join(name).join("vectors");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), Vector::load(&file).unwrap())).collect()
}

fn compile(name: &str, wasm: &[u8]) -> Policy {
    let sandbox = Sandbox::new(Settings { instances: 4, ..Settings::default() }).unwrap();
    sandbox.compile(wasm).unwrap_or_else(|findings| panic!("{name}: {findings:#?}"))
}

#[test]
fn each_shipped_policy_keeps_the_contract_and_its_vectors_and_answers_made_up_inputs_twice_alike() {
    for (name, wasm) in all() {
        assert!(wasm.len() <= 40 * 1024, "{name}: {} bytes", wasm.len());
        let policy = compile(name, &wasm);
        assert_eq!(policy.name(), Some(name));
        assert_eq!(policy.report().warnings, [], "{name}");
        assert_eq!(dry_run(&policy, &builtin_samples()), [], "{name}");

        let vectors = vectors(name);
        assert!(vectors.len() >= 4, "{name}: {} vectors", vectors.len());
        for (file, vector) in &vectors {
            let verdict = policy.try_vector(vector);
            if let Some(mismatch) = verdict.mismatch {
                panic!("{}: {mismatch}", file.display());
            }
            println!("{name}: {} ({} fuel)", vector.name, verdict.fuel_used);
        }
        for (hook, input) in made_up(&policy, &vectors) {
            let outcome = policy.call_whole(hook, &input);
            // Fuel and log too.
            assert_eq!(
                outcome,
                policy.call_whole(hook, &input),
                "{name}: {}",
                String::from_utf8_lossy(&input)
            );
            let output = outcome.result.unwrap_or_else(|failure| panic!("{name}: {failure}"));
            // What a host would refuse is a failure of a policy that ships, whatever devices publish.
            let known = RecordedInput::read(&input).unwrap();
            let refused = output.map_or_else(Vec::new, |output| known.check_output(&output));
            assert_eq!(refused, [], "{name}: {}", String::from_utf8_lossy(&input));
        }
    }
}

#[test]
fn what_was_recorded_and_redacted_is_still_answered_by_each_policy_that_ships() {
    for (name, wasm) in all() {
        let policy = compile(name, &wasm);
        let vectors = vectors(name);
        let mut inputs: Vec<Vec<u8>> = Vec::new();
        for (_, vector) in vectors.iter().filter(|(_, vector)| vector.hook != Hook::Params) {
            if policy.try_vector(vector).output.is_some() {
                inputs.push(vector.input.clone());
            }
        }
        assert!(!inputs.is_empty(), "{name}");
        inputs.extend(made_up(&policy, &vectors).into_iter().take(200).map(|(_, input)| input));
        for input in inputs {
            let value = json::read(&input).unwrap();
            let aor = value.get("presentity").and_then(|presentity| presentity.get("aor")?.as_str());
            let redacted = Redactor::new(aor.unwrap_or("sip:alice@example.com")).input(&input).unwrap();
            let known = RecordedInput::read(redacted.as_bytes()).unwrap();
            let answers = |input: &[u8]| match policy.call_whole(known.hook(), input).result {
                Ok(Some(output)) => known.read_output(&output).is_ok(),
                Ok(None) => true,
                Err(_) => false,
            };
            assert!(!answers(&input) || answers(redacted.as_bytes()), "{name}: {redacted}");
        }
    }
}

/// Made-up inputs that each policy is given, with parameters of its vectors among others.
const MADE_UP: usize = 1000;

fn made_up(policy: &Policy, vectors: &[(PathBuf, Vector)]) -> Vec<(Hook, Vec<u8>)> {
    let params = vectors.iter().map(|(_, vector)| vector.params.clone());
    let mut generator =
        Generator::new(1).with_params(params.filter(|params| policy.judge_params(params).is_empty()));
    let views = policy.view_key().is_some();
    let mut next = |at: usize| match views && at % 2 == 1 {
        true => (Hook::View, generator.next_view_input()),
        false => (Hook::Merge, generator.next_input()),
    };
    (0..MADE_UP).map(&mut next).collect()
}

#[test]
fn the_runners_limits_are_those_of_the_table() {
    let script = fs::read_to_string(folder().join("runner/policy-runner.mjs")).unwrap();
    for (key, name) in [
        ("memoryPages", "memory"),
        ("inputBytes", "input"),
        ("outputBytes", "output"),
        ("logBytes", "log"),
        ("logLines", "log-lines"),
        ("paramsBytes", "params"),
        ("fuel", "fuel"),
        ("fuelPerInputByte", "fuel-per-input-byte"),
        ("fuelStart", "fuel-start"),
    ] {
        let line = script.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: "))).unwrap();
        let value: u64 = line.trim_end_matches(',').split(" * ").map(|n| n.parse::<u64>().unwrap()).product();
        let limit = merge_core::policy::limits::TABLE.iter().find(|limit| limit.name == name).unwrap();
        assert_eq!(value, limit.value, "{key}");
    }
}
