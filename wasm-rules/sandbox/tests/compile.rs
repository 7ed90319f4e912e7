//! Compiling on trial in a process of its own, and what a compile bomb comes to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use policy_sandbox::{CacheSettings, Compile, CompileLimits, Made, Owner, Sandbox, Settings};

const POLICY: &str = r#"(module
  (memory (export "memory") 1 4)
  (func (export "presence_policy_abi_1"))
  (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0)))"#;

fn compile_by(program: &str) -> Result<(), String> {
    compile_within(program, &[], &wat::parse_str(POLICY).unwrap())
}

/// Compiles in a child with these arguments.
fn compile_within(program: &str, args: &[String], file: &[u8]) -> Result<(), String> {
    let args = args.iter().map(Into::into).collect();
    let compile = Compile::Child { program: PathBuf::from(program), args };
    let sandbox = Sandbox::new(Settings { instances: 1, compile, ..Settings::default() }).unwrap();
    match sandbox.compile_as(file, Owner::Operator) {
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

/// An operator's file inside all the counts, whose functions are as hard to compile as those allow: it takes
/// more than 10 s.
fn hard_to_compile() -> Vec<u8> {
    let alive = "(f64.load (i32.const 0)) ".repeat(4_000);
    let divided = "f64.div ".repeat(3_999);
    let function = format!("(func (result f64) {alive} {divided})");
    let text = POLICY.replace("(i64.const 0)))", &format!("(i64.const 0)) {})", function.repeat(84)));
    wat::parse_str(text).unwrap()
}

#[cfg(unix)]
#[test]
fn the_kernel_stops_a_compile_that_takes_more_time_or_memory_than_it_may() {
    const MIB: u64 = 1024 * 1024;
    let within = |cpu_seconds: u64, memory_bytes: u64, file: &[u8]| {
        let limits = [cpu_seconds.to_string(), memory_bytes.to_string()];
        compile_within(env!("CARGO_BIN_EXE_policy-compile"), &limits, file)
    };
    let (easy, hard) = (wat::parse_str(POLICY).unwrap(), hard_to_compile());
    assert_eq!(within(1, 24 * MIB, &easy), Ok(()), "it is the file that takes time and memory");
    let message = within(1, 1024 * MIB, &hard).unwrap_err();
    assert!(message.contains("no processor time left"), "{message}");
    let message = within(10, 24 * MIB, &hard).unwrap_err();
    assert!(message.contains("memory"), "{message}");
    assert_eq!(CompileLimits::default(), CompileLimits { cpu_seconds: 10, memory_bytes: 1024 * MIB });
}

#[test]
fn a_start_takes_compiled_code_from_the_cache_and_compiles_anew_what_was_touched() {
    let folder = tempfile::tempdir().unwrap();
    // A child that never says yes: from the cache nothing is compiled, not even on trial.
    let [good, never] = [env!("CARGO_BIN_EXE_policy-compile"), "/bin/false"].map(|program| {
        let compile = Compile::Child { program: PathBuf::from(program), args: Vec::new() };
        let cache = Some(CacheSettings { folder: folder.path().join("compiled"), secret: [7; 32] });
        Sandbox::new(Settings { instances: 1, compile, cache, ..Settings::default() }).unwrap()
    });
    let file = wat::parse_str(POLICY).unwrap();
    let first = good.compile(&file).unwrap();
    assert_eq!(*first.made(), Made::Compiled);
    let again = never.compile(&file).unwrap();
    assert_eq!((again.made(), again.id()), (&Made::FromCache, first.id()));
    assert_eq!(again.merge(b"{}"), first.merge(b"{}"), "the same outcome and the same fuel");

    let kept = std::fs::read_dir(folder.path().join("compiled")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&kept, bytes).unwrap();
    assert_eq!(never.compile(&file).unwrap_err()[0].code, "E150");
    assert_eq!(*good.compile(&file).unwrap().made(), Made::Compiled);
    assert_eq!(*never.compile(&file).unwrap().made(), Made::FromCache, "the good code took its place");

    std::fs::remove_dir_all(folder.path().join("compiled")).unwrap();
    assert!(matches!(good.compile(&file).unwrap().made(), Made::NotKept(_)));
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
