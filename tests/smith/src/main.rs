//! `policy-smith FOLDER FROM TO`: what wasm-smith writes of each seed, as text, into `FOLDER/SEED.wat`.
//!
//! Valid modules within the contract's features, of whatever came to its mind. The test that runs them on a server
//! (`tests/tests/containment.rs`) lays the exports of a policy around them. Seeds are kept, and no modules.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

/// What every one of them has: `misdeed` in the place of `pp_merge`, with all of the module behind it.
const EXPORTS: &str = r#"(module (memory (export "memory") 1 64) (func (export "misdeed") (param i32 i32) (result i64) unreachable))"#;

/// The bytes that the generator makes its choices by.
const CHOICES: usize = 16 * 1024;

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [folder, from, to] = given.as_slice() else { return ExitCode::FAILURE };
    let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>()) else { return ExitCode::FAILURE };
    for seed in from..to {
        let file = Path::new(folder).join(format!("{seed}.wat"));
        if module(seed).and_then(|text| std::fs::write(file, text).ok()).is_none() {
            eprintln!("seed {seed} made no module");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The module of this seed, as text.
fn module(seed: u64) -> Option<String> {
    let choices = choices(seed);
    let config = Config {
        exports: Some(wat::parse_str(EXPORTS).ok()?),
        allow_start_export: false,
        acquire_release_atomics_enabled: false,
        bulk_memory_enabled: false,
        compact_imports_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        max_data_segments: 8,
        max_funcs: 30,
        max_imports: 0,
        max_instructions: 400,
        max_memories: 0,
        max_table_elements: 1000,
        memory64_enabled: false,
        memory_max_size_required: true,
        min_funcs: 5,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    };
    let made = Module::new(config, &mut Unstructured::new(&choices)).ok()?.to_bytes();
    wasmprinter::print_bytes(made).ok()
}

/// SplitMix64: the same bytes for the same seed, this year and next.
fn choices(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    std::iter::repeat_with(next).flat_map(u64::to_le_bytes).take(CHOICES).collect()
}
