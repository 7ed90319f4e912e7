//! The engine's configuration: what makes a call bounded, cheap and the same everywhere.

use merge_core::policy::limits;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
    WasmFeatures,
};

use crate::cost::operator_cost;

/// The most that an instance keeps of its memory between two calls, to be cleared by hand, which
/// is cheaper than page faults. What a script touches lies inside it, and all of a policy whose stack has 32 KiB,
/// as ours are linked; a module pays for it if it declares as much memory (BENCHMARKS.md, "In JavaScript").
const KEEP_RESIDENT_BYTES: usize = 1024 * 1024;

/// The engine that policies run in.
pub(crate) fn running(instances: u32) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    // A script's call takes two: its memory and its code.
    pool.total_core_instances(instances.saturating_mul(2))
        .total_memories(instances)
        .total_tables(instances)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(limits::TABLE_ELEMENTS as usize)
        .max_memory_size(memory_bytes())
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(limits::TABLE_ELEMENTS as usize * size_of::<usize>());
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// The engine of the process that compiles on trial: the same code generation, but no pool, whose
/// reservation alone would exceed that process's address space.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

fn memory_bytes() -> usize {
    limits::MEMORY_PAGES as usize * limits::PAGE_BYTES
}

fn config() -> Config {
    let mut config = Config::new();

    // The closed feature set is enforced by policy-check before the engine sees a byte. Here it is
    // said again, as the second of two locks, with the parts that the engine can switch off alone.
    config.wasm_features(WasmFeatures::all(), false).wasm_features(
        WasmFeatures::FLOATS
            | WasmFeatures::MUTABLE_GLOBAL
            | WasmFeatures::SATURATING_FLOAT_TO_INT
            | WasmFeatures::SIGN_EXTENSION
            | WasmFeatures::MULTI_VALUE
            | WasmFeatures::EXTENDED_CONST
            | WasmFeatures::CALL_INDIRECT_OVERLONG
            | WasmFeatures::BULK_MEMORY_OPT,
        true,
    );

    // Time is counted in fuel and never taken from a clock: a wall-clock deadline ends differently
    // on a busy node.
    config.consume_fuel(true).operator_cost(operator_cost()).epoch_interruption(false);
    config.cranelift_nan_canonicalization(true);
    config.max_wasm_stack(limits::STACK_BYTES);

    // Memory never moves and is never larger than the limit, so 4 MiB are reserved and every access
    // is compared with the memory's size (with the Spectre mitigation that is on by default),
    // instead of 4 GiB of address space for each of the pool's slots.
    config
        .memory_reservation(memory_bytes() as u64)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 * 1024)
        .memory_may_move(false)
        .memory_init_cow(true);

    // A trap names its function and offset; no environment variable changes what it says.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable).generate_address_map(true);
    config.cranelift_opt_level(OptLevel::Speed);
    config
}
