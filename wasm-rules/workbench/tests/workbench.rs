//! The workbench on real files: what each command answers, for people and for programs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use merge_core::json::{self, Writer};
use policy_sandbox::{Compile, Owner};
use policy_workbench::{
    Answer, Asked, Fuzz, Language, Paint, Problem, Project, Workbench, bench, check, fuzz, new, params_of,
    replay, run, test,
};

const PLAIN: Paint = Paint { on: false };

/// Says that everybody is busy, and traps where a call is up.
const TRAPS: &str = r#"(module
  (memory (export "memory") 1 4)
  (data (i32.const 16) "{\"abi\":1,\"set\":{\"activities\":[\"busy\"]}}")
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param $at i32) (param $length i32) (result i64)
    (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    ;; The letters "confirme" stand nowhere else in an input.
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (i32.add (local.get $at) (i32.const 9)) (local.get $end)))
        (if (i64.eq (i64.load (local.get $at)) (i64.const 0x656d7269666e6f63)) (then unreachable))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const 39)))
  (@custom "presence-policy" "{\22name\22:\22traps\22,\22summary\22:\22For a test\22}"))"#;

struct Scratch {
    folder: tempfile::TempDir,
    workbench: Workbench,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, workbench: Workbench::new(Compile::InProcess, None).unwrap() }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        file
    }

    fn wat(&self, name: &str, text: &str) -> PathBuf {
        self.file(name, wat::parse_str(text).unwrap())
    }
}

fn answer_json(answer: &dyn Answer) -> String {
    let mut out = Writer::new();
    answer.write_json(&mut out);
    let text = out.into_string();
    json::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    text
}

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/inputs").join(name)
}

#[test]
fn a_check_says_what_the_crate_of_checks_says_and_nothing_in_other_words() {
    let scratch = Scratch::new();
    let bad = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/bad");
    let mut seen = 0;
    for entry in fs::read_dir(bad).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "wat") {
            continue;
        }
        let wasm = wat::parse_file(&file).unwrap();
        let report = policy_check::check(&wasm);
        let checked = check(&scratch.workbench, &scratch.file("policy.wasm", &wasm), Owner::Tenant).unwrap();
        assert_eq!(checked.bytes, wasm.len());
        if report.is_ok() {
            // What only a run can find has a code, a place and a fix as well.
            assert!(checked.report.errors.iter().all(|finding| !finding.fix.is_empty()), "{file:?}");
        } else {
            assert_eq!(checked.report, report, "{file:?}");
            assert_eq!(answer_json(&checked), report.write_json(), "{file:?}");
        }
        for finding in &checked.report.errors {
            let text = checked.text(PLAIN);
            assert!(
                text.contains(&format!("  {} {}: {}", finding.code, finding.place, finding.message)),
                "{text}"
            );
            assert!(text.contains(&format!("fix: {}", finding.fix)), "{text}");
        }
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_good_policy_is_said_to_be_good() {
    let scratch = Scratch::new();
    // The built-in samples hold a call that is up.
    let file = scratch.wat("good.wasm", &TRAPS.replace("(then unreachable)", "(then nop)"));
    let checked = check(&scratch.workbench, &file, Owner::Tenant).unwrap();
    assert!(checked.is_good(), "{}", checked.text(PLAIN));
    assert!(
        checked.text(PLAIN).contains("good.wasm: good\n  traps: For a test\n"),
        "{}",
        checked.text(PLAIN)
    );
    assert!(checked.text(Paint { on: true }).contains("\u{1b}[32mgood\u{1b}[0m"));
}

#[test]
fn what_is_no_policy_or_not_there_is_a_problem_with_a_fix() {
    let scratch = Scratch::new();
    let check = |result: Result<_, Problem>, words: &str| {
        let Err::<policy_sandbox::Policy, _>(problem) = result else { panic!("{words}") };
        assert!(problem.to_string().contains(words), "{problem}");
        assert!(!problem.fix.is_empty() && !problem.is_good());
        assert!(answer_json(&problem).starts_with(r#"{"error":{"code":"usage","message":""#));
    };
    check(scratch.workbench.load(Path::new("/nowhere/policy.wasm")), "No such file");
    check(scratch.workbench.load(&scratch.file("a.wasm", b"text")), "E101 file: it is text");
    check(scratch.workbench.load(&scratch.file("b.wasm", b"\0binary")), "E101 file, offset 0x0");
    check(scratch.workbench.load(scratch.folder.path()), "holds no .wasm file");
}

#[test]
fn a_run_shows_the_answer_its_fuel_and_what_watchers_get() {
    let scratch = Scratch::new();
    let policy = scratch.workbench.load(&scratch.wat("policy.wasm", TRAPS)).unwrap();
    let ask = |asked: Asked<'_>| run(&policy, asked).unwrap();

    let ran = ask(Asked { input: Some(&input("one-device.json")), ..Asked::default() });
    assert!(ran.is_good());
    let text = ran.text(PLAIN);
    assert!(
        text.starts_with("{\n  \"abi\": 1,\n  \"set\": {\n    \"activities\": [\"busy\"]\n  }\n}\n"),
        "{text}"
    );
    assert!(text.contains(&format!("{} of {} fuel", ran.outcome.fuel_used, ran.allowed)), "{text}");

    // A patch makes the call that is up, in which this policy traps.
    let patch = r#"{"dialogs":[{"id":"d","state":"confirmed"}]}"#;
    let ran = ask(Asked { input: Some(&input("one-device.json")), patch: Some(patch), params: None });
    assert!(!ran.is_good());
    assert!(ran.text(PLAIN).contains("E201 pp_merge: function"), "{}", ran.text(PLAIN));
    assert_eq!(ran.vector("fails"), None);

    let live = ask(Asked { input: Some(&input("three-devices.live.json")), ..Asked::default() });
    let text = live.text(PLAIN);
    assert!(text.contains("+ ") && text.contains("\"busy\""), "{text}");
    assert!(answer_json(&live).contains(r#""merged":"#));
}

#[test]
fn params_given_to_a_run_replace_those_of_the_input() {
    let scratch = Scratch::new();
    // Answers with its input.
    let echo = r#"(module
      (memory (export "memory") 1 4)
      (func (export "presence_policy_abi_1"))
      (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "pp_merge") (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#;
    let policy = scratch.workbench.load(&scratch.wat("echo.wasm", echo)).unwrap();
    let file = scratch.file("in.json", r#"{"abi":1,"publications":[],"params":{"a":1,"b":2}}"#);
    let params = params_of(r#"{"b": 3}"#).unwrap();
    let ran = run(&policy, Asked { input: Some(&file), params: Some(&params), patch: None }).unwrap();
    assert_eq!(ran.input, r#"{"abi":1,"publications":[],"params":{"b":3}}"#);
    // The answer is no output, and that is said with its place.
    assert!(!ran.is_good());
    assert!(ran.text(PLAIN).contains("E206 output"), "{}", ran.text(PLAIN));
    for wrong in ["[]", "{\"a\":1.5}", "/nowhere.json"] {
        let argument = scratch.file("params.json", wrong);
        let argument = if wrong.starts_with('/') { wrong } else { argument.to_str().unwrap() };
        assert!(params_of(argument).is_err(), "{wrong}");
    }
}

#[test]
fn a_run_that_is_saved_is_a_vector_that_holds() {
    let scratch = Scratch::new();
    let policy = scratch.workbench.load(&scratch.wat("policy.wasm", TRAPS)).unwrap();
    let ran = run(&policy, Asked { input: Some(&input("three-devices.json")), ..Asked::default() }).unwrap();
    scratch.file("vectors/saved.json", ran.vector("everybody is busy").unwrap());
    let tested = test(&policy, scratch.folder.path(), &[]).unwrap();
    assert!(tested.is_good(), "{}", tested.text(PLAIN));
    assert!(tested.text(PLAIN).starts_with("ok   everybody is busy"), "{}", tested.text(PLAIN));
}

#[test]
fn a_vector_that_fails_shows_the_lines_that_differ() {
    let scratch = Scratch::new();
    let policy = scratch.workbench.load(&scratch.wat("policy.wasm", TRAPS)).unwrap();
    let vector = |rest: &str| format!(r#"{{"name":"v","patch":{{"publications":[]}},{rest}}}"#);
    let text = |rest: &str| {
        let file = scratch.file("v.json", vector(rest));
        let tested = test(&policy, scratch.folder.path(), &[file]).unwrap();
        assert!(!tested.is_good());
        assert!(answer_json(&tested).contains(r#""ok":false"#));
        tested.text(PLAIN)
    };
    let shown = text(r#""match":"exact","expect":{"set":{"activities":["away"]},"abi":1}"#);
    assert!(
        shown.contains("    -     \"activities\": [\"away\"]\n    +     \"activities\": [\"busy\"]\n"),
        "{shown}"
    );
    // Members that were not asked for are no difference.
    let shown = text(r#""match":"subset","expect":{"set":{"activities":["away"]}}"#);
    assert!(shown.contains("[\"busy\"]") && !shown.contains("abi"), "{shown}");
    assert!(text(r#""match":"no_opinion""#).contains("expected no opinion"));
    assert!(text(r#""match":"error:E204""#).contains("expected a failure with E204"));
    let shown = text(r#""match":"subset","expect":{"abi":1},"max_fuel":1"#);
    assert!(shown.contains("fuel, 1 are allowed"), "{shown}");
}

#[test]
fn fuzzing_finds_the_trap_and_keeps_the_smallest_input_that_shows_it() {
    let scratch = Scratch::new();
    let policy = scratch.workbench.load(&scratch.wat("policy.wasm", TRAPS)).unwrap();
    let how = Fuzz { seed: 1, runs: Some(200), time: None };
    let fuzzed = fuzz(&policy, scratch.folder.path(), how);
    assert_eq!(fuzzed, fuzz(&policy, scratch.folder.path(), how), "one seed, one result");
    assert_eq!(fuzzed.finds.len(), 1, "{}", fuzzed.text(PLAIN));
    let find = &fuzzed.finds[0];
    assert_eq!(find.finding.code, "E201");
    assert!(find.input.contains("confirmed") && find.input.len() < 200, "{}", find.input);
    assert!(!answer_json(&fuzzed).is_empty());

    // What was kept is a vector, which fails until the policy is mended.
    let kept = scratch.file(&format!("vectors/{}", find.file_name()), &find.input);
    let tested = |policy| test(policy, scratch.folder.path(), std::slice::from_ref(&kept)).unwrap().is_good();
    assert!(!tested(&policy));
    let mended = scratch.wat("mended.wasm", &TRAPS.replace("(then unreachable)", "(then nop)"));
    let mended = scratch.workbench.load(&mended).unwrap();
    assert!(tested(&mended));
    assert!(fuzz(&mended, scratch.folder.path(), how).is_good());
}

#[test]
fn a_benchmark_counts_the_same_fuel_each_time() {
    let scratch = Scratch::new();
    let mended = TRAPS.replace("(then unreachable)", "(then nop)");
    let policy = scratch.workbench.load(&scratch.wat("policy.wasm", &mended)).unwrap();
    let measure = || bench(&policy, scratch.folder.path(), &[], Duration::ZERO).unwrap();
    let (first, second) = (measure(), measure());
    assert_eq!(first.calls.len(), 6);
    for (a, b) in first.calls.iter().zip(&second.calls) {
        assert_eq!((&a.name, a.fuel, a.allowed, a.bytes), (&b.name, b.fuel, b.allowed, b.bytes));
        assert!(a.fuel > 0 && a.fuel < a.allowed);
    }
    assert!(first.text(PLAIN).contains("three-devices") && first.text(PLAIN).contains("built-in"));
    assert!(answer_json(&first).contains("ratio_milli"));
}

#[test]
fn a_replay_counts_what_would_change_and_what_would_fail() {
    let scratch = Scratch::new();
    let policy = scratch.workbench.load(&scratch.wat("policy.wasm", TRAPS)).unwrap();
    let live = input("three-devices.live.json");
    let states = [input("one-device.json"), input("in-a-call.json"), live.clone()];
    let replayed = replay(&policy, None, &states, None).unwrap();
    assert!(!replayed.is_good());
    let text = replayed.text(PLAIN);
    assert!(text.ends_with("would change 2 of 3; would fail on 1\n"), "{text}");
    assert!(text.contains("in-a-call.json: E201 pp_merge"), "{text}");
    assert!(answer_json(&replayed).contains(r#""changes":2,"failures":1"#));
    // Beside itself it changes nothing.
    let beside = replay(&policy, Some(&policy), &[live], None).unwrap();
    assert_eq!(beside.text(PLAIN), "would change 0 of 1\n");
}

#[test]
fn a_replay_of_captured_views_is_of_those_who_make_views_and_others_hide_nothing() {
    let scratch = Scratch::new();
    let plain = scratch.workbench.load(&scratch.wat("plain.wasm", TRAPS)).unwrap();
    let hides = TRAPS.replace(
        "(@custom",
        r#"(data (i32.const 64) "{\"abi\":1,\"level\":\"basic\"}")
           (func (export "pp_view") (param i32 i32) (result i64)
             (i64.or (i64.shl (i64.const 64) (i64.const 32)) (i64.const 25)))
           (@custom"#,
    );
    let hides = scratch.workbench.load(&scratch.wat("hides.wasm", &hides)).unwrap();
    let view = policy_sandbox::view_samples().remove(0).input;
    let view = [scratch.file("captured/0001-publish-view-1.json", view)];
    let folder = [scratch.folder.path().join("captured")];
    assert_eq!(
        replay(&hides, None, &folder, None).unwrap().text(PLAIN).lines().last(),
        Some("would change 1 of 1")
    );
    assert_eq!(replay(&plain, None, &folder, None).unwrap().text(PLAIN), "would change 0 of 1\n");
    assert!(
        replay(&plain, Some(&hides), &view, None).unwrap().text(PLAIN).ends_with("would change 1 of 1\n")
    );
    let refused = run(&plain, Asked { input: Some(&view[0]), ..Asked::default() }).unwrap_err();
    assert!(refused.message.contains("pp_view, which the policy does not have"), "{}", refused.message);
}

#[test]
fn a_new_project_holds_its_source_its_vectors_and_the_whole_sdk() {
    let scratch = Scratch::new();
    for language in Language::ALL {
        let folder = scratch.folder.path().join(language.as_str());
        let made = new(&folder, "quiet-hours", language).unwrap();
        assert_eq!(made.language, language);
        assert_eq!(Project::open(&folder).unwrap().language, language);
        assert!(new(&folder, "quiet-hours", language).unwrap_err().to_string().contains("is not empty"));
        assert!(fs::read_to_string(folder.join("README.md")).unwrap().contains(language.source()));
        // Every vector can be read, so that what fails in a build is the policy.
        for entry in fs::read_dir(folder.join("vectors")).unwrap() {
            policy_sandbox::Vector::load(&entry.unwrap().path()).unwrap();
        }
        for (place, text) in below(&folder) {
            let own = !place.starts_with("sdk/");
            assert!(!own || !text.contains("NAME"), "{place} was not named");
        }
    }
    // A file that the SDK gets has to go along.
    let copied = |from: &str| -> Vec<(String, String)> {
        let files = below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(from));
        files.into_iter().filter(|(place, _)| !place.ends_with("tests.rs")).collect()
    };
    let rust = scratch.folder.path().join("rust");
    assert_eq!(below(&rust.join("sdk/policy-sdk/src")), copied("wasm-rules/sdk/src"));
    assert_eq!(below(&rust.join("sdk/merge-core/src/json")), copied("merge-core/src/json"));
    for wrong in ["", "Quiet", "a b", "../up", "9lives"] {
        assert!(new(&scratch.folder.path().join("x"), wrong, Language::C).is_err(), "{wrong}");
    }
}

/// The files below a folder, by their places in it.
fn below(folder: &Path) -> Vec<(String, String)> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = waiting.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => waiting.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => {
                let place = path.strip_prefix(folder).unwrap().display().to_string();
                found.push((place, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
