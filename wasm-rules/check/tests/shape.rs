//! Section 1 of the contract, sentence by sentence: features, exports, imports, marker and manifest.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use policy_check::{Report, check};

/// What a policy exports, by name.
const PARTS: [(&str, &str); 4] = [
    ("memory", r#"(memory (export "memory") 1 4)"#),
    ("presence_policy_abi_1", r#"(func (export "presence_policy_abi_1"))"#),
    ("pp_alloc", r#"(func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))"#),
    ("pp_merge", r#"(func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))"#),
];

/// The report on a policy without one of its parts, and with something else.
fn without(part: &str, extra: &str) -> Report {
    let parts = PARTS.iter().filter(|(name, _)| *name != part).map(|(_, text)| *text);
    let text = format!("(module {extra} {})", parts.collect::<String>());
    check(&wat::parse_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn with(extra: &str) -> Report {
    without("", extra)
}

/// The codes of what was found, each once.
fn codes(report: &Report) -> Vec<&'static str> {
    let mut codes: Vec<_> = report.errors.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[test]
fn the_features_of_the_contract_may_be_used_and_no_others() {
    let check = |what: &str, extra: &str, named: Option<&str>| {
        let report = with(extra);
        let expect = if named.is_some() { vec!["E110"] } else { Vec::new() };
        let found = codes(&report);
        // A second memory is one too many besides.
        let found: Vec<_> = found.into_iter().filter(|code| *code != "E149").collect();
        assert_eq!(found, expect, "{what}: {:#?}", report.errors);
        if let (Some(named), Some(first)) = (named, report.errors.first()) {
            assert!(first.message.contains(named), "{what}: {first}");
        }
    };
    for (what, extra) in [
        ("mutable globals", "(global (export \"g\") (mut i32) (i32.const 0))"),
        ("sign extension", "(func (drop (i64.extend32_s (i64.const 200))))"),
        ("saturating conversion", "(func (drop (i32.trunc_sat_f64_s (f64.const 1))))"),
        ("multiple values", "(func (result i32 i32) (i32.const 1) (i32.const 2))"),
        ("values into a block", "(func (i32.const 1) (block (param i32) (drop)))"),
        ("extended constants", "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
        ("memory.copy", "(func (memory.copy (i32.const 0) (i32.const 8) (i32.const 8)))"),
        ("memory.fill", "(func (memory.fill (i32.const 0) (i32.const 8) (i32.const 8)))"),
        ("floats", "(func (drop (f64.sqrt (f64.const 2))))"),
        ("a start function", "(func $start) (start $start)"),
    ] {
        check(what, extra, None);
    }
    for (what, extra, named) in [
        ("SIMD", "(func (drop (i32x4.splat (i32.const 1))))", "SIMD"),
        (
            "relaxed SIMD",
            "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
            "SIMD",
        ),
        ("threads", "(func (atomic.fence))", "threads"),
        ("64-bit memory", "(memory i64 1 4)", "mem"),
        ("garbage collection", "(func (drop (ref.i31 (i32.const 1))))", "garbage collection"),
        ("a struct type", "(type (struct (field i32)))", ""),
        ("references", "(func (param externref))", "reference"),
        ("a reference to a function", "(func $f) (elem declare func $f) (func (drop (ref.func $f)))", ""),
        ("a second table", "(table 1 funcref) (table 1 funcref)", ""),
        ("table instructions", "(table 1 funcref) (func (drop (table.size 0)))", ""),
        ("a passive segment", "(data \"passive\")", "passive segments"),
        ("tail calls", "(func $f (return_call $f))", "tail calls"),
        ("exceptions", "(tag) (func (throw 0))", "exceptions"),
        ("a second memory", "(memory 1 4)", "memories"),
        ("pages of another size", "(memory 1 4 (pagesize 1))", ""),
        (
            "wide arithmetic",
            "(func (result i64 i64) (i64.add128 (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 1)))",
            "wide arithmetic",
        ),
    ] {
        if what == "a second table" {
            assert_eq!(codes(&with(extra)), ["E110", "E140"]);
        } else {
            check(what, extra, Some(named));
        }
    }
}

#[test]
fn what_has_to_be_exported_is_missed_by_name_and_has_to_have_its_type() {
    for (name, code) in
        [("memory", "E130"), ("presence_policy_abi_1", "E132"), ("pp_alloc", "E130"), ("pp_merge", "E130")]
    {
        // Without an export the memory is still there.
        let extra = if name == "memory" { "(memory 1 4)" } else { "" };
        let report = without(name, extra);
        assert_eq!((codes(&report), report.errors.len()), (vec![code], 1), "{name}: {:#?}", report.errors);
        assert!(report.errors[0].place.contains(name), "{}", report.errors[0]);
        let extra = format!(r#"{extra} (global (export "{name}") i32 (i32.const 0))"#);
        assert_eq!(codes(&without(name, &extra)), ["E131"], "a global is no {name}");
        if name != "memory" {
            let extra = format!(r#"(func (export "{name}") (param f64))"#);
            assert_eq!(codes(&without(name, &extra)), ["E131"], "{name} of another type");
        }
    }
    for (name, good) in [
        ("pp_params", "(param i32 i32) (result i64) (i64.const 0)"),
        ("pp_view", "(param i32 i32) (result i64) (i64.const 0)"),
        ("_initialize", ""),
    ] {
        let report = with(&format!(r#"(func (export "{name}") {good})"#));
        assert_eq!(codes(&report), [""; 0]);
        assert!(report.hooks.initialize || report.hooks.names().contains(&name), "{:?}", report.hooks);
        assert_eq!(codes(&with(&format!(r#"(func (export "{name}") (param f64))"#))), ["E131"], "{name}");
    }
    assert_eq!(codes(&with(r#"(func (export "anything") (param f64)) (export "more" (memory 0))"#)), [""; 0]);
}

#[test]
fn the_memory_has_a_maximum_and_is_not_shared() {
    for (memory, expect) in [
        ("1 64", &[][..]),
        ("64 64", &[]),
        ("1", &["E133"]),
        ("65", &["E133", "E149"]),
        ("1 65", &["E149"]),
        ("1 4 shared", &["E110"]),
    ] {
        assert_eq!(codes(&without("memory", &format!(r#"(memory (export "memory") {memory})"#))), expect);
    }
}

#[test]
fn the_host_goes_by_the_highest_marker_that_it_knows() {
    for (markers, expect) in [
        (&["presence_policy_abi_1", "presence_policy_abi_2"][..], Ok(1)),
        (&["presence_policy_abi_2"], Err("E132")),
        (&["presence_policy_abi_0"], Err("E132")),
        (&["presence_policy_abi_01"], Err("E132")),
        (&["presence_policy_abi_+1"], Err("E132")),
        (&["presence_policy_abi_"], Err("E132")),
    ] {
        let extra: String = markers.iter().map(|name| format!(r#"(func (export "{name}"))"#)).collect();
        let report = without("presence_policy_abi_1", &extra);
        match expect {
            Ok(abi) => assert_eq!((codes(&report), report.abi), (Vec::new(), abi), "{markers:?}"),
            Err(code) => assert_eq!((codes(&report), report.abi), (vec![code], 0), "{markers:?}"),
        }
    }
}

#[test]
fn two_functions_may_be_imported_with_the_types_of_the_contract_and_nothing_else() {
    for (import, expect) in [
        (r#"(import "presence" "log" (func (param i32 i32)))"#, &[][..]),
        (r#"(import "env" "abort" (func (param i32 i32 i32 i32)))"#, &[]),
        (r#"(import "presence" "log" (func (param i32)))"#, &["E120"]),
        (r#"(import "presence" "log" (global i32))"#, &["E120"]),
        (r#"(import "env" "abort" (func))"#, &["E120"]),
        (r#"(import "presence" "now" (func (result i64)))"#, &["E120"]),
        (r#"(import "env" "seed" (func (result f64)))"#, &["E120"]),
        (r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#, &["E120"]),
        (r#"(import "env" "table" (table 1 funcref))"#, &["E120"]),
    ] {
        assert_eq!(codes(&with(import)), expect, "{import}");
    }
}

#[test]
fn a_manifest_is_one_json_object_of_the_contracts_members() {
    let section = |json: &str| format!("(@custom \"presence-policy\" \"{}\")", json.replace('"', "\\22"));
    let check = |members: &str, expect: &[&str]| {
        let report = with(&section(&format!(r#"{{"name":"a"{members}}}"#)));
        assert_eq!(codes(&report), expect, "{members}: {:#?}", report.errors);
        let warned: Vec<_> = report.warnings.iter().map(|finding| finding.code).collect();
        let unknown = members.contains("privcy");
        assert_eq!(warned, if unknown { &["W302"][..] } else { &[] }, "{members}");
        assert_eq!(report.manifest.is_some(), expect != ["E160"] || members.contains("hooks"), "{members}");
    };
    let long = |member: &str, chars: usize| format!(r#","{member}":"{}""#, "y".repeat(chars));
    for (member, most) in [("version", 64), ("summary", 512), ("license", 128)] {
        check(&long(member, most), &[]);
        check(&long(member, most + 1), &["E160"]);
    }
    for (members, expect) in [
        ("", &[][..]),
        (r#","abi":1,"input_minor":0,"hooks":["pp_merge"],"needs":["now_ms","params"]"#, &[]),
        (r#","view_key":"class""#, &[]),
        (r#","view_key":"identity","privacy":true,"build":{"rustc":"1.95"}"#, &[]),
        (r#","privcy":true"#, &[]),
        (r#","input_minor":1"#, &["E212"]),
        (r#","hooks":["pp_view"]"#, &["E160"]),
        (r#","needs":["publication"]"#, &["E160"]),
        (r#","needs":["abi"]"#, &["E160"]),
        (r#","privacy":"yes""#, &["E160"]),
        (r#","params_schema":{"pattern":"a"}"#, &["E160"]),
        (r#","summary":"two\\u000alines""#, &["E160"]),
        (r#","version":1"#, &["E160"]),
        (r#","name":"a""#, &["E160"]),
    ] {
        check(members, expect);
    }
    for name in ["", "A", "a b", "\u{e9}", &"a".repeat(65)] {
        assert_eq!(codes(&with(&section(&format!(r#"{{"name":"{name}"}}"#)))), ["E160"], "{name}");
    }
    assert_eq!(codes(&with(&section(&format!(r#"{{"name":"{}"}}"#, "a-_.9".repeat(12))))), [""; 0]);
    for other in ["[]", "{}", r#"{"name":"a","x":0.5}"#, "name: a"] {
        assert_eq!(codes(&with(&section(other))), ["E160"], "{other}");
    }
    for members in [r#","abi":2"#, r#","view_key":"person""#] {
        assert_eq!(codes(&with(&section(&format!(r#"{{"name":"a"{members}}}"#)))), ["E160"], "{members}");
    }
    let one = section(r#"{"name":"a"}"#);
    assert_eq!(codes(&with(&one.repeat(2))), ["E160"]);
    let unsaid = with("");
    assert_eq!((unsaid.manifest, unsaid.warnings[0].code), (None, "W301"));
}
