//! What a call costs: `cargo xtask policies && cargo bench -p policy-sandbox`.
//!
//! Each call is a whole one: fresh instance, JSON in, the hook, JSON out, and the output read against
//! the input; `echo` is what is paid before a policy has done anything. `POLICIES` may name folders of
//! built policies, with colons between them, to compare two builds in one run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark ends where something is missing")]

use std::env;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use merge_core::json::{self, Value, Writer};
use policy_sandbox::{Policy, RecordedInput, Sandbox, Settings, builtin_samples};

fn policy(sandbox: &Sandbox, folder: &Path, name: &str) -> Policy {
    let file = folder.join(format!("{name}.wasm"));
    let bytes = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask policies` builds it", file.display()));
    sandbox.compile(&bytes).unwrap()
}

/// Three devices and one registration: 3.5 KiB, the size that the targets speak of.
fn input() -> Vec<u8> {
    let whole = builtin_samples().into_iter().find(|sample| sample.name == "three-devices").unwrap().input;
    let Value::Object(mut members) = json::read(&whole).unwrap() else { panic!("no object") };
    for member in members.iter_mut().filter(|member| member.name == "registrations") {
        let Value::Array(registrations) = &mut member.value else { panic!("no array") };
        registrations.truncate(1);
    }
    let mut out = Writer::new();
    out.value(&Value::Object(members));
    out.into_bytes()
}

fn calls(criterion: &mut Criterion) {
    let sandbox = Sandbox::new(Settings::default()).unwrap();
    let input = input();
    let known = RecordedInput::read(&input).unwrap();
    println!("input: {} bytes", input.len());

    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/policies");
    let folders: Vec<PathBuf> =
        env::var_os("POLICIES").map_or_else(|| vec![built], |folders| env::split_paths(&folders).collect());
    for folder in &folders {
        let from = folder.file_name().unwrap().to_string_lossy();
        let echo = policy(&sandbox, folder, "echo");
        criterion.bench_function(&format!("{from}: echo"), |bencher| {
            bencher.iter(|| black_box(echo.merge(black_box(&input))));
        });
        for name in ["most-recent-device", "on-the-phone-wins", "desk-first-in-hours"] {
            let policy = policy(&sandbox, folder, name);
            // What the server writes for it; what it does not need costs nothing.
            let needed = policy.needs().cut(&input).unwrap();
            let fuel = |input: &[u8]| policy.merge(input).fuel_used;
            println!(
                "{from}: {name}: {} fuel for {} bytes, {} for the whole input",
                fuel(&needed),
                needed.len(),
                fuel(&input)
            );
            criterion.bench_function(&format!("{from}: {name}, checked"), |bencher| {
                bencher.iter(|| {
                    let output = policy.merge(black_box(&needed)).result.unwrap().unwrap();
                    black_box(merge_core::policy::read_output_for(&output, &known).unwrap());
                });
            });
        }
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
