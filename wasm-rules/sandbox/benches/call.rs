//! What a call costs: `cargo bench -p policy-sandbox`.
//!
//! Needs the policies: `cargo build --release` in `wasm-rules/policies`. Each call is a whole one:
//! fresh instance, JSON in, the hook, JSON out; `checked` adds reading the output against the input.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark ends where something is missing")]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use policy_sandbox::{Policy, RecordedInput, Sandbox, Settings, builtin_samples};

fn policy(sandbox: &Sandbox, name: &str) -> Policy {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../target/wasm32-unknown-unknown/release/{name}.wasm"));
    let bytes = std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; build wasm-rules/policies first", file.display()));
    sandbox.compile(&bytes).unwrap()
}

fn calls(criterion: &mut Criterion) {
    let sandbox = Sandbox::new(Settings::default()).unwrap();
    let input = builtin_samples().into_iter().find(|sample| sample.name == "three-devices").unwrap().input;
    let known = RecordedInput::read(&input).unwrap();
    println!("input: {} bytes", input.len());

    let echo = policy(&sandbox, "echo");
    criterion.bench_function("echo", |bencher| bencher.iter(|| black_box(echo.merge(black_box(&input)))));
    for name in ["most_recent_device", "on_the_phone_wins", "desk_first_in_hours"] {
        let policy = policy(&sandbox, name);
        println!("{name}: {} fuel", policy.merge(&input).fuel_used);
        criterion.bench_function(&format!("{name}, checked"), |bencher| {
            bencher.iter(|| {
                let output = policy.merge(black_box(&input)).result.unwrap().unwrap();
                black_box(merge_core::policy::read_output_for(&output, &known).unwrap());
            });
        });
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
