//! Each code that a file alone can provoke is provoked here: a code without a row fails the test. The others are
//! looked for in the tests that provoke them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use policy_check::{CODES, Phase, check};
use std::fs;
use std::path::{Path, PathBuf};

const MARKER: &str = r#"(func (export "presence_policy_abi_1"))"#;
const MEMORY: &str = r#"(memory (export "memory") 1 4)"#;
const ALLOC: &str = r#"(func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))"#;
const MERGE: &str = r#"(func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))"#;

/// A policy of these parts.
fn module(parts: &[&str]) -> Vec<u8> {
    wat::parse_str(format!("(module {})", parts.join(" "))).unwrap()
}

/// A good policy with something more in it.
fn with(extra: &str) -> Vec<u8> {
    module(&[MEMORY, MARKER, ALLOC, MERGE, extra])
}

fn manifest(json: &str) -> Vec<u8> {
    with(&format!("(@custom \"presence-policy\" \"{}\")", json.replace('"', "\\22")))
}

/// A file that provokes the code and nothing else.
fn provoke(code: &str) -> Vec<u8> {
    match code {
        "E101" => b"(module)".to_vec(),
        "E102" => b"\0asm\x0d\0\x01\0".to_vec(),
        "E103" => with(&format!("(@custom \"padding\" \"{}\")", "x".repeat(256 * 1024))),
        "E110" => with("(func (drop (i32x4.splat (i32.const 1))))"),
        "E120" => module(&[r#"(import "env" "time" (func))"#, MEMORY, MARKER, ALLOC, MERGE]),
        "E130" => module(&[MEMORY, MARKER, ALLOC]),
        "E131" => module(&[MEMORY, MARKER, ALLOC, r#"(func (export "pp_merge"))"#]),
        "E132" => module(&[MEMORY, ALLOC, MERGE]),
        "E133" => module(&[r#"(memory (export "memory") 1)"#, MARKER, ALLOC, MERGE]),
        "E140" => with("(table 1025 funcref)"),
        "E141" => with(&format!("(func {})", "(local i32)".repeat(257))),
        "E142" => with(&format!("(func {})", "nop ".repeat(32 * 1024))),
        "E143" => with(&format!("(func {} {})", "(block ".repeat(257), ")".repeat(257))),
        "E144" => with(&"(func)".repeat(4096)),
        "E145" => with(&"(global i32 (i32.const 0))".repeat(65)),
        "E146" => with(&"(data (i32.const 0) \"x\")".repeat(257)),
        "E147" => with(&"(type (func))".repeat(512)),
        "E148" => with(&(0..29).map(|at| format!("(export \"x{at}\" (memory 0))")).collect::<String>()),
        "E149" => module(&[r#"(memory (export "memory") 1 65)"#, MARKER, ALLOC, MERGE]),
        "E160" => manifest(r#"{"name":"Not A Name"}"#),
        "E212" => manifest(r#"{"name":"a","input_minor":99}"#),
        other => panic!("{other} is found in a file, and no file here provokes it"),
    }
}

#[test]
fn each_code_that_is_found_in_a_file_is_provoked_by_one_alone() {
    let found_in_files = CODES.iter().filter(|row| row.phase == Phase::Static);
    for row in found_in_files {
        let report = check(&provoke(row.code));
        let codes: Vec<&str> = report.errors.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [row.code], "{:#?}", report.errors);
        assert!(!report.errors[0].fix.is_empty() && !report.errors[0].place.is_empty());
    }
}

/// The Rust files under a folder, without those that were built.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_code_of_a_compile_or_an_upload_stands_in_a_test_by_its_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    ["merge-core", "wasm-rules", "edge-server"].iter().for_each(|part| sources(&root.join(part), &mut files));
    let this = Path::new(file!()).file_name();
    let tests: String = files
        .iter()
        .filter(|file| file.file_name() != this)
        .map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let in_tests = file.components().any(|part| part.as_os_str() == "tests");
            let at = if in_tests { Some(0) } else { text.find("#[cfg(test)]") };
            at.map_or_else(String::new, |at| text[at..].to_owned())
        })
        .collect();
    // Those of a run are provoked by the files of `policies/bad`, which a test of the sandbox counts.
    for row in CODES.iter().filter(|row| matches!(row.phase, Phase::Compile | Phase::Upload)) {
        assert!(tests.contains(row.code), "no test provokes {}: {}", row.code, row.meaning);
    }
}
