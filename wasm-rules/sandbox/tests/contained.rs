//! Every hostile policy is contained: refused with its code, or failing as a value, and the next
//! policy runs as if nothing had been.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::fs;
use std::path::{Path, PathBuf};

use policy_check::Phase;
use policy_sandbox::{
    CallFailure, Fault, Policy, RecordedInput, Sandbox, Settings, builtin_samples, dry_run,
};

fn bad_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/bad")
}

fn sandbox() -> Sandbox {
    Sandbox::new(Settings { instances: 8, ..Settings::default() }).unwrap()
}

fn input() -> Vec<u8> {
    builtin_samples().into_iter().find(|sample| sample.name == "one-device").unwrap().input
}

/// The code that a running host would report for this policy, or `none`.
fn call_code(policy: &Policy, input: &[u8]) -> String {
    match policy.merge(input).result {
        Ok(None) => "none".into(),
        Ok(Some(_)) => "an output".into(),
        Err(failure) => {
            assert_eq!(failure.fault, Fault::Policy, "{failure}");
            failure.code.into()
        }
    }
}

fn output_code(policy: &Policy, input: &[u8]) -> String {
    let output = policy.merge(input).result.unwrap().unwrap();
    let known = RecordedInput::read(input).unwrap();
    merge_core::policy::read_output_for(&output, &known).unwrap_err().code.into()
}

#[test]
fn every_bad_policy_comes_to_what_its_file_says() {
    let (sandbox, input) = (sandbox(), input());
    let good = sandbox.compile(&wat::parse_str(ANSWERS).unwrap()).unwrap();
    let expected_good = good.merge(&input);
    assert!(matches!(&expected_good.result, Ok(Some(bytes)) if bytes.starts_with(b"{\"abi\":1")));

    let mut seen = Vec::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(bad_folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "wat")) {
        let name = file.file_stem().unwrap().to_string_lossy();
        let text = fs::read_to_string(file).unwrap();
        let expect = text.lines().find_map(|line| line.strip_prefix(";; expect: ")).unwrap();
        let (phase, code) = expect.split_once(' ').unwrap();
        let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let compiled = sandbox.compile(&wasm);
        let got = match (phase, &compiled) {
            ("check", Err(findings)) => {
                let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
                assert!(codes.contains(&code), "{name}: {findings:#?}");
                assert!(findings.iter().all(|finding| !finding.fix.is_empty()), "{name}");
                code.to_owned()
            }
            (_, Err(findings)) => panic!("{name}: {findings:#?}"),
            ("call", Ok(policy)) => call_code(policy, &input),
            ("output", Ok(policy)) => output_code(policy, &input),
            ("params", Ok(policy)) => {
                let code = policy.check_params("{}").unwrap_err().code;
                // That it wants some is nothing against it.
                let tried = dry_run(policy, &[]);
                assert_eq!(tried.first().map_or("E209", |finding| finding.code), code, "{name}: {tried:?}");
                code.to_owned()
            }
            ("dry-run", Ok(policy)) => {
                let findings = dry_run(policy, &builtin_samples());
                findings.first().map_or("none", |finding| finding.code).to_owned()
            }
            (other, Ok(_)) => panic!("{name}: {other} was expected, and it compiled"),
        };
        assert_eq!(got, code, "{name}");
        // Twice, because whatever it did must not be there the second time.
        if let ("call", Ok(policy)) = (phase, &compiled) {
            assert_eq!(call_code(policy, &input), code, "{name}, again");
        }
        // What one policy did, the next one does not feel.
        assert_eq!(good.merge(&input), expected_good, "after {name}");
        seen.push(code.to_owned());
    }
    assert!(seen.len() >= 90, "only {} files in {}", seen.len(), bad_folder().display());
    // Those that no policy can provoke by itself have tests of their own: the host's own fault, and two
    // runs that differ, which is what fresh instances without a clock make impossible.
    let elsewhere = ["E200", "E205"];
    for row in policy_check::CODES.iter().filter(|row| row.phase == Phase::Run) {
        assert!(
            elsewhere.contains(&row.code) || seen.iter().any(|code| code == row.code),
            "{} is found in a run, and no file of {} provokes it",
            row.code,
            bad_folder().display()
        );
    }
}

/// A policy that answers with a constant, to see that others leave it alone.
const ANSWERS: &str = r#"(module
  (memory (export "memory") 1 4)
  (data (i32.const 16) "{\"abi\":1,\"set\":{\"basic\":\"open\"}}")
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const 32))))"#;

fn failure(wat: &str, input: &[u8]) -> CallFailure {
    sandbox().compile(&wat::parse_str(wat).unwrap()).unwrap().merge(input).result.unwrap_err()
}

fn bad(name: &str) -> String {
    fs::read_to_string(bad_folder().join(name).with_extension("wat")).unwrap()
}

#[test]
fn a_trap_names_its_function_and_its_offset() {
    let failure = failure(&bad("trap-in-merge"), &input());
    let at = failure.at.unwrap();
    assert!(at.starts_with("pp_merge: function 2 (divide), offset 0x"), "{at}");
    assert_eq!(failure.message, "integer divide by zero");
}

#[test]
fn an_abort_keeps_its_message_on_one_line() {
    assert_eq!(failure(&bad("abort"), &input()).message, "aborted: now!");
    assert_eq!(failure(&bad("abort-lies"), &input()).message, "aborted: no message");
}

#[test]
fn an_empty_tank_says_how_much_was_allowed() {
    let input = input();
    let allowed = 2_000_000 + 128 * input.len();
    let failure = failure(&bad("loop"), &input);
    assert_eq!(failure.message, format!("out of fuel: all of the {allowed} allowed were used"));
    let started = super_start_failure();
    assert!(started.contains("2000000"), "{started}");
}

fn super_start_failure() -> String {
    failure(&bad("loop-in-start"), &input()).message
}

#[test]
fn an_input_that_is_too_large_is_not_the_policys_fault() {
    let policy = sandbox().compile(&wat::parse_str(ANSWERS).unwrap()).unwrap();
    let failure = policy.merge(&vec![b' '; 64 * 1024 + 1]).result.unwrap_err();
    assert_eq!((failure.code, failure.fault), ("E200", Fault::Host));
    assert!(policy.merge(&vec![b' '; 60 * 1024]).result.is_ok());
}

#[test]
fn a_log_is_cut_to_its_limits_and_cannot_break_lines() {
    let wat = r#"(module
      (import "presence" "log" (func $log (param i32 i32)))
      (memory (export "memory") 1 4)
      (data (i32.const 16) "one\0atwo\1b[31m\e2\80\ae!")
      (func (export "presence_policy_abi_1"))
      (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "pp_merge") (param i32 i32) (result i64) (local $n i32)
        (loop $again
          (call $log (i32.const 16) (i32.const 16))
          (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100))))
        (call $log (i32.const 0) (i32.const 60000))
        (i64.const 0)))"#;
    let outcome = sandbox().compile(&wat::parse_str(wat).unwrap()).unwrap().merge(b"{}");
    assert_eq!(outcome.result, Ok(None));
    assert_eq!(outcome.log.len(), 32);
    assert_eq!(outcome.log[0], "onetwo[31m!");
}

#[test]
fn when_every_instance_is_taken_the_policy_is_not_blamed() {
    // One instance, and eight threads that want it: each call ends, well or as the host's fault.
    let sandbox = Sandbox::new(Settings { instances: 1, ..Settings::default() }).unwrap();
    let policy = sandbox.compile(&wat::parse_str(ANSWERS).unwrap()).unwrap();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..200).map(|_| policy.merge(b"{}").result).collect::<Vec<_>>()))
            .collect();
        calls.into_iter().flat_map(|call| call.join().unwrap()).collect()
    });
    for outcome in &outcomes {
        match outcome {
            Ok(Some(_)) => {}
            Err(failure) => assert_eq!((failure.code, failure.fault), ("E200", Fault::Host), "{failure}"),
            Ok(None) => panic!("no opinion"),
        }
    }
    assert!(outcomes.iter().any(Result::is_ok));
    assert!(policy.merge(b"{}").result.is_ok(), "the instance came back");
}

#[test]
fn a_policy_sees_what_its_manifest_says_it_needs_and_is_charged_for_that_alone() {
    // Answers with its input, so that the host sees what it was sent.
    let wat = |needs: &str| {
        format!(
            r#"(module
          (memory (export "memory") 1 4)
          (func (export "presence_policy_abi_1"))
          (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
          (func (export "pp_merge") (param i32 i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32))
                    (i64.extend_i32_u (local.get 1))))
          (@custom "presence-policy" "{{\22name\22:\22a\22{needs}}}"))"#
        )
    };
    let sandbox = sandbox();
    let sent = |needs: &str, input: &[u8]| {
        let policy = sandbox.compile(&wat::parse_str(wat(needs)).unwrap()).unwrap();
        policy.merge_whole(input).result.map(Option::unwrap_or_default)
    };
    let input = br#"{"abi":1,"minor":0,"now_ms":5,"publications":[{"etag":"now_ms"}],"params":{"a":1}}"#;
    assert_eq!(sent("", input).unwrap(), input);
    assert_eq!(sent(r",\22needs\22:[]", input).unwrap(), br#"{"abi":1,"minor":0}"#);
    let two = r",\22needs\22:[\22params\22,\22now_ms\22]";
    assert_eq!(sent(two, input).unwrap(), br#"{"abi":1,"minor":0,"now_ms":5,"params":{"a":1}}"#);
    // What is not sent does not count against the input's limit.
    let large = format!(r#"{{"abi":1,"now_ms":5,"publications":["{}"]}}"#, "x".repeat(64 * 1024));
    assert_eq!(sent("", large.as_bytes()).unwrap_err().code, "E200");
    assert_eq!(sent(two, large.as_bytes()).unwrap(), br#"{"abi":1,"now_ms":5}"#);
    let failure = sent(two, b"no json").unwrap_err();
    assert_eq!((failure.code, failure.fault), ("E200", Fault::Host));
}
