//! A metered policy takes, in an engine that counts nothing, the fuel that it takes in ours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::fs;
use std::path::Path;

use merge_core::policy::limits;
use policy_meter::{COUNTER, SPENT, START, metered};
use policy_sandbox::{Policy, Sandbox, Settings, builtin_samples};
use wasmtime::{Engine, Extern, Instance, Linker, Module, Store, Val};

/// How a call ends, and what it took.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Answer(u64),
    OutOfFuel,
    /// It trapped, or what it returned leads nowhere: what it took is not compared.
    Failure,
}

fn in_ours(policy: &Policy, input: &[u8]) -> End {
    let outcome = policy.merge_whole(input);
    match outcome.result {
        Ok(_) => End::Answer(outcome.fuel_used),
        Err(failure) if failure.code == "E204" => End::OutOfFuel,
        Err(_) => End::Failure,
    }
}

/// Runs what the meter made of a policy, as any engine would: without fuel.
fn in_another(wasm: &[u8], input: &[u8]) -> End {
    let engine = Engine::default();
    let module = Module::new(&engine, metered(wasm).unwrap()).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("presence", "log", |_: i32, _: i32| ()).unwrap();
    let abort = |_: i32, _: i32, _: i32, _: i32| -> wasmtime::Result<()> {
        Err(wasmtime::Trap::UnreachableCodeReached.into())
    };
    linker.func_wrap("env", "abort", abort).unwrap();
    let mut store = Store::new(&engine, ());
    let Ok(instance) = linker.instantiate(&mut store, &module) else { return End::Failure };
    let counter = instance.get_global(&mut store, COUNTER).unwrap();
    let allowed = limits::fuel(input.len()).cast_signed();
    let ended = start(instance, &mut store).and_then(|()| {
        counter.set(&mut store, Val::I64(-allowed)).unwrap();
        call(instance, &mut store, input)
    });
    match (counter.get(&mut store).unwrap_i64(), ended) {
        (SPENT, _) => End::OutOfFuel,
        (left, Ok(())) => End::Answer((allowed + left).cast_unsigned()),
        (_, Err(_)) => End::Failure,
    }
}

fn start(instance: Instance, store: &mut Store<()>) -> wasmtime::Result<()> {
    for name in [START, "_initialize"] {
        if let Ok(function) = instance.get_typed_func::<(), ()>(&mut *store, name) {
            function.call(&mut *store, ())?;
        }
    }
    Ok(())
}

fn call(instance: Instance, store: &mut Store<()>, input: &[u8]) -> wasmtime::Result<()> {
    let length = input.len() as i32;
    let pointer = instance.get_typed_func::<i32, i32>(&mut *store, "pp_alloc")?.call(&mut *store, length)?;
    let Some(Extern::Memory(memory)) = instance.get_export(&mut *store, "memory") else {
        panic!("no memory")
    };
    memory.write(&mut *store, pointer as usize, input)?;
    instance
        .get_typed_func::<(i32, i32), i64>(&mut *store, "pp_merge")?
        .call(&mut *store, (pointer, length))?;
    Ok(())
}

fn sandbox() -> Sandbox {
    Sandbox::new(Settings { instances: 8, ..Settings::default() }).unwrap()
}

fn sample() -> Vec<u8> {
    builtin_samples().into_iter().find(|sample| sample.name == "one-device").unwrap().input
}

#[test]
fn each_kind_of_instruction_takes_the_fuel_that_it_takes_in_the_sandbox() {
    let (sandbox, input) = (sandbox(), sample());
    let check = |what: &str, body: &str| {
        let wasm = wat::parse_str(policy(body)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let ours =
            in_ours(&sandbox.compile(&wasm).unwrap_or_else(|found| panic!("{what}: {found:?}")), &input);
        assert_eq!(in_another(&wasm, &input), ours, "{what}");
        assert!(matches!(ours, End::Answer(1..)), "{what}: {ours:?}");
    };
    check("nothing", "");
    check("arithmetic", "(drop (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3))))");
    check("division", "(drop (i64.div_u (i64.const 9) (i64.const 2))) (drop (f64.sqrt (f64.const 2)))");
    check("a block left early", "(block (br 0) (drop (i32.const 1)))");
    check("a block left or not", "(block (br_if 0 (local.get 1)) (drop (i32.const 1)))");
    check(
        "one side of an if",
        "(if (local.get 1) (then (nop)) (else (drop (i32.const 1)) (drop (i32.const 2))))",
    );
    check("the other side", "(if (i32.eqz (local.get 1)) (then (nop)) (else (drop (i32.const 1))))");
    check("an if that is passed over", "(if (i32.eqz (local.get 1)) (then (drop (i32.const 1))))");
    check(
        "a loop",
        "(loop (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $n) (i32.const 100))))",
    );
    check(
        "a table of branches",
        "(block (block (block (br_table 0 1 2 (i32.const 1))) (drop (i32.const 1))) (drop (i32.const 2)))",
    );
    check("a call", "(drop (call $twice (i32.const 4)))");
    check("a call through the table", "(drop (call_indirect (type $unary) (i32.const 4) (i32.const 0)))");
    check("an early return", "(if (local.get 1) (then (return (i64.const 0)))) (drop (i32.const 1))");
    check("code behind a return", "(return (i64.const 0)) (drop (i32.const 1)) (block (drop (i32.const 1)))");
    check(
        "code behind a branch, in a loop",
        "(block (loop (br 1) (drop (i32.const 1)))) (drop (i32.const 1))",
    );
    check("a short copy", "(memory.copy (i32.const 0) (i32.const 64) (i32.const 16))");
    check("a long copy", "(memory.copy (i32.const 0) (i32.const 4096) (i32.const 4000))");
    check(
        "a copy of a length that is computed",
        "(memory.copy (i32.const 0) (i32.const 64) (i32.and (local.get 1) (i32.const 31)))",
    );
    check("a fill", "(memory.fill (i32.const 0) (i32.const 7) (local.get 1))");
    check("a growth", "(drop (memory.grow (i32.const 1)))");
    check("a refused growth", "(drop (memory.grow (i32.const 1000)))");
    check("globals of its own", "(global.set $g (i32.add (global.get $g) (i32.const 1)))");
}

fn policy(body: &str) -> String {
    format!(
        r#"(module
          (type $unary (func (param i32) (result i32)))
          (memory (export "memory") 2 4) (table 1 1 funcref) (elem (i32.const 0) $twice)
          (global $g (mut i32) (i32.const 0))
          (func (export "presence_policy_abi_1"))
          (func (export "pp_alloc") (param i32) (result i32) (i32.const 65536))
          (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
          (func (export "pp_merge") (param i32 i32) (result i64) (local $n i32) {body} (i64.const 0)))"#
    )
}

#[test]
fn a_policy_that_exports_the_names_of_the_meter_is_metered_like_any_other() {
    let (sandbox, input) = (sandbox(), sample());
    let named = policy("").replace(
        "(func $twice",
        r#"(export "presence fuel" (global $g)) (export "presence start" (func $twice)) (func $twice"#,
    );
    let wasm = wat::parse_str(named).unwrap();
    assert_eq!(in_another(&wasm, &input), in_ours(&sandbox.compile(&wasm).unwrap(), &input));
}

#[test]
fn what_ends_a_hostile_policy_in_the_sandbox_ends_it_metered() {
    let (sandbox, input) = (sandbox(), sample());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/bad");
    let (mut answered, mut spent) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "wat") {
            continue;
        }
        let wasm = wat::parse_str(fs::read_to_string(&file).unwrap()).unwrap();
        let Ok(policy) = sandbox.compile(&wasm) else { continue };
        let name = file.file_stem().unwrap().display().to_string();
        let ours = in_ours(&policy, &input);
        // What the host is asked to write is not metered here, and a stack has another depth elsewhere.
        if name.starts_with("log") || name.contains("recursion") {
            continue;
        }
        let theirs = in_another(&wasm, &input);
        let fails = ours == End::Failure && theirs != End::OutOfFuel;
        assert!(fails || theirs == ours, "{name}: {ours:?} here, {theirs:?} metered");
        answered += usize::from(matches!(ours, End::Answer(_)));
        spent += usize::from(ours == End::OutOfFuel);
    }
    assert!(answered >= 40 && spent >= 5, "{answered} answered, {spent} ran out of fuel");
}
