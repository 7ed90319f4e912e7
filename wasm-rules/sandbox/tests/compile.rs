//! Compiling on trial in a process of its own, and what a compile bomb comes to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use policy_sandbox::{Compile, Sandbox, Settings};

const POLICY: &str = r#"(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0)))"#;

fn compile_by(program: &str) -> Result<(), String> {
    let compile = Compile::Child { program: PathBuf::from(program), args: Vec::new() };
    let sandbox = Sandbox::new(Settings { instances: 1, compile }).unwrap();
    match sandbox.compile(&wat::parse_str(POLICY).unwrap()) {
        Ok(policy) => {
            assert_eq!(policy.merge(b"{}").result, Ok(None));
            Ok(())
        }
        Err(findings) => {
            assert_eq!((findings.len(), findings[0].code), (1, "E150"), "{findings:?}");
            Err(findings[0].message.clone())
        }
    }
}

#[test]
fn a_policy_compiles_in_a_limited_child_first() {
    assert_eq!(compile_by(env!("CARGO_BIN_EXE_policy-compile")), Ok(()));
}

#[test]
fn a_child_that_does_not_say_that_it_compiled_means_no() {
    let message = compile_by("/bin/false").unwrap_err();
    assert!(message.starts_with("the compiler was stopped"), "{message}");
    let message = compile_by("/bin/cat").unwrap_err();
    assert!(message.contains("asm"), "{message}");
    let message = compile_by("/nowhere/policy-compile").unwrap_err();
    assert!(message.contains("cannot be started"), "{message}");
}

#[test]
fn a_compile_bomb_is_refused_by_its_counts_before_a_compiler_sees_it() {
    // One function of 200 KiB, each instruction with more values alive: what register allocation
    // likes least.
    let alive = "(i64.load (i32.const 0)) ".repeat(12_000);
    let summed = "i64.add ".repeat(11_999);
    let text = POLICY.replace(
        "(i64.const 0)))",
        &format!("(i64.const 0)) (func (export \"bomb\") (result i64) {alive} {summed}))"),
    );
    let sandbox = Sandbox::new(Settings::default()).unwrap();
    let findings = sandbox.compile(&wat::parse_str(&text).unwrap()).unwrap_err();
    assert_eq!(findings[0].code, "E142", "{findings:?}");
    assert_eq!(findings.len(), 1);
}

#[test]
fn a_child_gives_up_a_file_it_cannot_compile() {
    let output = child(b"no module at all");
    assert!(!output.status.success());
    assert!(!output.stdout.is_empty() && !output.stdout.starts_with(b"compiled"));
}

/// What the compiling process says to a file.
fn child(file: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_policy-compile"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(file).unwrap();
    child.wait_with_output().unwrap()
}
