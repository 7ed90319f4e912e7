//! Every limit of a file in the limits table: the largest that is allowed passes, one more is refused with
//! its code, and a file with many mistakes gets all of them named in one pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use merge_core::policy::limits;
use policy_check::{NAMED_PER_KIND, Owner, Phase, Script, check, check_as, find_code};

const POLICY: &str = r#"(module
    (memory (export "memory") 1 4)
    (func (export "presence_policy_abi_1"))
    (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
    EXTRA)"#;

/// A good policy with something added inside the module.
fn with(extra: &str) -> Vec<u8> {
    wat::parse_str(POLICY.replace("EXTRA", extra)).unwrap()
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

/// A policy that has so much of what this limit bounds.
fn file(limit: &str, much: usize) -> Vec<u8> {
    let extra = match limit {
        // A section's contents, behind the rest of the module and the head of the section.
        "module" | "module-operator" => {
            let padded = |bytes: usize| with(&format!("(@custom \"padding\" \"{}\")", "x".repeat(bytes)));
            let head = padded(much - 1024).len() - (much - 1024);
            return padded(much - head);
        }
        "manifest" => {
            let rest = much - r#"{"name":"a","build":""}"#.len();
            format!(
                r#"(@custom "presence-policy" "{{\22name\22:\22a\22,\22build\22:\22{}\22}}")"#,
                "x".repeat(rest)
            )
        }
        "memory" => {
            let text = POLICY.replace("1 4", &format!("1 {much}"));
            return wat::parse_str(text.replace("EXTRA", "")).unwrap();
        }
        "tables" => repeat(much, |_| "(table 1 funcref)".into()),
        "table-elements" => format!("(table {much} funcref)"),
        "locals" => format!("(func {})", repeat(much, |_| "(local i32)".into())),
        // The number of groups of locals, and the end.
        "body" => format!("(func {})", "nop ".repeat(much - 2)),
        "nesting" => format!("(func {} {})", "(block ".repeat(much), ")".repeat(much)),
        // The last target is the one that is taken for all other numbers.
        "br-table" => format!("(func (block (br_table {} (i32.const 0))))", "0 ".repeat(much)),
        // Three functions, with three types, and four exports make a policy.
        "functions" => repeat(much - 3, |_| "(func)".into()),
        "types" => repeat(much - 3, |at| format!("(type (func (result {})))", "i32 ".repeat(at + 2))),
        "exports" => repeat(much - 4, |at| format!("(export \"x{at}\" (memory 0))")),
        "globals" => repeat(much, |_| "(global i32 (i32.const 0))".into()),
        "data-segments" => repeat(much, |_| "(data (i32.const 0) \"x\")".into()),
        "imports" => {
            let import = r#"(import "presence" "log" (func (param i32 i32)))"#;
            let text = POLICY.replace("(module", &format!("(module {}", import.repeat(much)));
            return wat::parse_str(text.replace("EXTRA", "")).unwrap();
        }
        other => panic!("{other} bounds a file, and none here meets it"),
    };
    with(&extra)
}

#[test]
fn each_limit_of_a_file_may_be_met_and_not_passed() {
    let of_files = |limit: &&limits::Limit| {
        // A second table is a feature (E110) before it is one too many.
        find_code(limit.code).is_some_and(|code| code.phase == Phase::Static) && limit.name != "tables"
    };
    let rows: Vec<_> = limits::TABLE.iter().filter(of_files).collect();
    assert!(rows.len() >= 16, "{rows:?}");
    for limit in rows {
        let found = |much: u64| {
            let much = much as usize;
            if limit.name == "script" {
                return Script::check(&vec![b' '; much])
                    .err()
                    .map(|finding| finding.code)
                    .into_iter()
                    .collect();
            }
            let owner = if limit.name == "module-operator" { Owner::Operator } else { Owner::Tenant };
            let errors = check_as(&file(limit.name, much), owner).errors;
            errors.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert_eq!(found(limit.value), [""; 0], "{} at its limit", limit.name);
        assert_eq!(found(limit.value + 1), [limit.code], "{} one beyond", limit.name);
    }
    assert_eq!(check(&file("module-operator", limits::MODULE_BYTES_OPERATOR)).errors[0].code, "E103");
    check_code(&"(table 1 funcref)".repeat(limits::TABLES as usize), &[]);
    check_code(&"(table 1 funcref)".repeat(limits::TABLES as usize + 1), &["E110", "E140"]);
    // What a table may grow to, what its segments hold, and parameters count as well.
    check_code("(table 1 2000 funcref)", &["E140"]);
    let segments = |n: usize| format!("(table 1 funcref) (elem (i32.const 0) {})", "0 ".repeat(n));
    check_code(&segments(1024), &[]);
    check_code(&segments(1025), &["E140"]);
    check_code(&format!("(func (param i32) {})", repeat(256, |_| "(local i32)".into())), &["E141"]);
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

#[test]
fn names_out_of_a_file_change_nothing_in_what_shows_them() {
    // Line ends, an escape of a terminal and a bidirectional override: imported, exported twice, and of a function.
    let name = r"a\0ab\1b[31mc\e2\80\ae";
    let text = format!(
        r#"(module (import "{name}" "{name}" (func)) (export "{name}1" (func 0)) (export "{name}2" (func 0)))"#
    );
    let mut wasm = wat::parse_str(text).unwrap();
    let last = wasm.windows(4).position(|bytes| bytes == b"\xe2\x80\xae2").unwrap();
    wasm[last + 3] = b'1';
    let report = check(&wasm);
    assert!(report.errors.iter().any(|finding| finding.message.contains("ab[31mc")), "{report:#?}");
    for finding in &report.errors {
        let text = finding.to_string();
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
}
