//! Every count of the limits table: the largest that is allowed passes, one more is refused with
//! its code, and a file with many mistakes gets all of them named in one pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use policy_check::{NAMED_PER_KIND, Owner, check, check_as};

/// A good policy with something added inside the module.
fn with(extra: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (memory (export "memory") 1 4)
        (func (export "presence_policy_abi_1"))
        (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
        {extra})"#
    );
    wat::parse_str(&text).unwrap()
}

fn codes(wasm: &[u8]) -> Vec<&'static str> {
    let mut codes: Vec<_> = check(wasm).errors.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn check_code(extra: &str, expect: &[&str]) {
    let wasm = with(extra);
    assert_eq!(codes(&wasm), expect, "{:#?}", check(&wasm).errors);
}

fn repeat(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect()
}

#[test]
fn a_plain_policy_passes_with_nothing_but_a_word_on_its_manifest() {
    let report = check(&with(""));
    assert!(report.is_ok(), "{report:#?}");
    assert_eq!(report.abi, 1);
    assert_eq!(report.hooks.names(), ["pp_merge"]);
    assert_eq!(report.warnings.len(), 1);
}

#[test]
fn each_count_may_reach_its_limit_and_not_pass_it() {
    let functions = |n| repeat(n, |_| "(func)".into());
    check_code(&functions(4096 - 3), &[]);
    check_code(&functions(4096 - 2), &["E144"]);

    let globals = |n| repeat(n, |_| "(global i32 (i32.const 0))".into());
    check_code(&globals(64), &[]);
    check_code(&globals(65), &["E145"]);

    let data = |n| repeat(n, |_| "(data (i32.const 0) \"x\")".into());
    check_code(&data(256), &[]);
    check_code(&data(257), &["E146"]);

    let types = |n| repeat(n, |_| "(type (func))".into());
    // Three types belong to the policy itself: the marker's, pp_alloc's, pp_merge's.
    check_code(&types(512 - 2), &[]);
    check_code(&types(512), &["E147"]);

    let exports = |n| repeat(n, |at| format!("(export \"x{at}\" (memory 0))"));
    check_code(&exports(32 - 4), &[]);
    check_code(&exports(32 - 3), &["E148"]);

    check_code("(table 1024 funcref)", &[]);
    check_code("(table 1025 funcref)", &["E140"]);
    check_code("(table 1 2000 funcref)", &["E140"]);

    let locals = |n| format!("(func {})", repeat(n, |_| "(local i32)".into()));
    check_code(&locals(256), &[]);
    check_code(&locals(257), &["E141"]);
    check_code(&format!("(func (param i32) {})", repeat(256, |_| "(local i32)".into())), &["E141"]);

    let nested = |n| format!("(func {} {})", "(block ".repeat(n), ")".repeat(n));
    check_code(&nested(256), &[]);
    check_code(&nested(257), &["E143"]);

    let jumps = |n: usize| format!("(func (block (br_table {} (i32.const 0))))", "0 ".repeat(n));
    check_code(&jumps(1024), &[]);
    check_code(&jumps(1025), &["E143"]);

    let body = |n: usize| format!("(func {})", "nop ".repeat(n));
    check_code(&body(32 * 1024 - 2), &[]);
    check_code(&body(32 * 1024), &["E142"]);
}

#[test]
fn a_third_import_is_too_many() {
    let wasm = wat::parse_str(
        r#"(module
        (import "presence" "log" (func (param i32 i32)))
        (import "env" "abort" (func (param i32 i32 i32 i32)))
        (import "presence" "log" (func (param i32 i32)))
        (memory (export "memory") 1 4)
        (func (export "presence_policy_abi_1"))
        (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0)))"#,
    )
    .unwrap();
    assert_eq!(codes(&wasm), ["E148"]);
}

#[test]
fn the_operator_may_bring_a_larger_file() {
    let padding = format!("(@custom \"padding\" \"{}\")", "x".repeat(300 * 1024));
    let wasm = with(&padding);
    assert_eq!(codes(&wasm), ["E103"]);
    assert!(check_as(&wasm, Owner::Operator).is_ok());
    let wasm = with(&format!("(@custom \"padding\" \"{}\")", "x".repeat(2 * 1024 * 1024)));
    assert_eq!(check_as(&wasm, Owner::Operator).errors[0].code, "E103");
}

#[test]
fn all_mistakes_are_found_in_one_pass() {
    let text = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
        (import "env" "memory" (memory 1))
        (import "env" "sleep" (func))
        (func (export "pp_merge") (param i32) (result i64) (i64.const 0))
        (func $vector (drop (i32x4.splat (i32.const 1))))
        (func $many {})
        (func $deep {} {})
        {}
        (@custom "presence-policy" "{{\22name\22:\22Not A Name\22}}"))"#,
        "(local i64)".repeat(300),
        "(block ".repeat(300),
        ")".repeat(300),
        "(global i32 (i32.const 0))".repeat(65),
    );
    let report = check(&wat::parse_str(&text).unwrap());
    let mut found: Vec<_> = report.errors.iter().map(|finding| finding.code).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ["E110", "E120", "E130", "E131", "E132", "E141", "E143", "E145", "E148", "E160"]);
    let place = |code| &report.errors.iter().find(|finding| finding.code == code).unwrap().place;
    assert!(place("E110").starts_with("function 3 (vector), offset 0x"), "{}", place("E110"));
    assert!(place("E141").starts_with("function 4 (many), offset 0x"), "{}", place("E141"));
    assert_eq!(report.errors.iter().filter(|finding| finding.code == "E120").count(), 3);
    assert!(report.errors.iter().all(|finding| !finding.fix.is_empty() && !finding.message.is_empty()));
}

#[test]
fn the_same_mistake_in_many_functions_is_counted_and_not_repeated() {
    let report = check(&with(&"(func (drop (i32x4.splat (i32.const 1))))".repeat(100)));
    let forbidden: Vec<_> = report.errors.iter().filter(|finding| finding.code == "E110").collect();
    assert_eq!(forbidden.len(), NAMED_PER_KIND + 1, "{forbidden:#?}");
    assert!(forbidden[NAMED_PER_KIND].message.contains("90 more"), "{}", forbidden[NAMED_PER_KIND]);
}

#[test]
fn what_is_said_of_a_file_does_not_grow_with_the_file() {
    let check_report = |what: &str, wasm: &[u8], code: &str| {
        let report = check_as(wasm, Owner::Operator);
        let named = report.errors.iter().filter(|finding| finding.code == code).count();
        assert_eq!(named, NAMED_PER_KIND + 1, "{what}: {named} of {code}");
        let json = report.write_json();
        assert!(json.len() < 64 * 1024, "{what}: {} bytes", json.len());
    };
    // As many imports as fit in an operator's file: their report had 70 MB.
    let mut imports = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0".to_vec();
    let section = [leb(260_000), [1, b'a', 1, b'b', 0, 0].repeat(260_000)].concat();
    imports.push(2);
    imports.extend(leb(section.len() as u32));
    imports.extend(section);
    check_report("imports", &imports, "E120");
    // An unknown hook is refused by the list; a known one that is not there, each time it is named.
    let hooks = vec!["\\22pp_view\\22"; 500].join(",");
    let manifest =
        format!("(@custom \"presence-policy\" \"{{\\22name\\22:\\22a\\22,\\22hooks\\22:[{hooks}]}}\")");
    check_report("hooks", &with(&manifest), "E160");
}

#[test]
fn a_name_of_90_000_characters_is_not_quoted_whole() {
    let long = "n".repeat(90_000);
    // Two exports of one name, which the text form would refuse: told apart by their last letter first.
    let mut wasm = with(&format!("(export \"{long}1\" (memory 0)) (export \"{long}2\" (memory 0))"));
    let last = wasm.windows(2).position(|pair| pair == b"n2").unwrap();
    wasm[last + 1] = b'1';
    let report = check(&wasm);
    assert_eq!(report.errors[0].code, "E101", "{:.200?}", report.errors);
    assert!(report.write_json().len() < 4096, "{} bytes", report.write_json().len());
}

fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn a_damaged_file_is_told_from_a_forbidden_feature() {
    let good = with("(func (drop (i32.add (i32.const 1) (i32.const 2))))");
    let cut = &good[..good.len() - 4];
    assert_eq!(check(cut).errors[0].code, "E101");
    assert_eq!(check(b"").errors[0].code, "E101");
    assert_eq!(check(b"\0asm").errors[0].code, "E101");
    assert_eq!(check(b"\0asm\x02\0\0\0").errors[0].code, "E101");
    assert_eq!(check(b"\0asm\x0d\0\x01\0").errors[0].code, "E102");
    assert_eq!(check(b"(module)").errors[0].code, "E101");
    // A body that does not type-check: wrong in every feature set.
    let mut wrong = good.clone();
    let add = wrong.iter().rposition(|&byte| byte == 0x6a).unwrap();
    wrong[add] = 0x92; // f32.add of two integers
    assert_eq!(codes(&wrong), ["E101"]);
}

#[test]
fn bulk_copies_and_the_other_small_additions_are_allowed() {
    check_code("(func (memory.copy (i32.const 0) (i32.const 8) (i32.const 8)))", &[]);
    check_code("(func (memory.fill (i32.const 0) (i32.const 8) (i32.const 8)))", &[]);
    check_code("(func (drop (i32.extend8_s (i32.const 200))))", &[]);
    check_code("(func (drop (i32.trunc_sat_f64_s (f64.const 1))))", &[]);
    check_code("(func (result i32 i32) (i32.const 1) (i32.const 2))", &[]);
    check_code(
        "(data \"passive\") (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))",
        &["E110"],
    );
    check_code("(table 1 funcref) (func (drop (table.get 0 (i32.const 0))))", &["E110"]);
    check_code("(func (param externref))", &["E110"]);
}

#[test]
fn the_report_is_json_that_the_strict_reader_takes() {
    let report =
        check(&with("(@custom \"presence-policy\" \"{\\22name\\22:\\22a\\22,\\22summary\\22:\\22b\\22}\")"));
    let json = report.write_json();
    let value = merge_core::json::read(json.as_bytes()).unwrap();
    assert_eq!(value.get("ok").and_then(|ok| ok.as_bool()), Some(true));
    let name = value.get("manifest").and_then(|manifest| manifest.get("name"));
    assert_eq!(name.and_then(|name| name.as_str()), Some("a"));
    let json = check(&with("(global i32 (i32.const 0))".repeat(65).as_str())).write_json();
    assert!(
        json.contains(r#"{"code":"E145","place":"global section","message":"65 globals, allowed are 64""#),
        "{json}"
    );
}

#[test]
fn no_bytes_make_the_check_panic() {
    use proptest::prelude::*;
    let good = with("(table 2 funcref) (elem (i32.const 0) 0 1) (func (block (br 0)))");
    proptest!(|(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
                cut in any::<prop::sample::Index>())| {
        let mut bytes = good.clone();
        for (place, byte) in changes {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = check(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = check(&bytes);
    });
}
