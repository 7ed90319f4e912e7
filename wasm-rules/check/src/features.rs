//! The closed set of WebAssembly features, and what to tell an author who used another one.
//!
//! The set is written down here and not taken from an engine's defaults, because those grow with
//! each release: a policy accepted by one node of a rolling upgrade would be refused by another,
//! and some engines accept instructions of a proposal that they have switched off.

use wasmparser::{BinaryReaderError, Operator, WasmFeatures};

/// What policies may use: WebAssembly 1.0 and the small additions that every compiler of today
/// emits by default. No reference types beyond the encoding of `call_indirect`, no passive
/// segments, nothing whose result depends on the machine.
pub const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::BULK_MEMORY_OPT);

/// A feature outside the set: its name for people, and how to build without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Forbidden {
    pub(crate) name: &'static str,
    pub(crate) fix: &'static str,
}

const GENERAL_FIX: &str = "build for the wasm32v1-none target (Rust), or without `--enable` (AssemblyScript)";

/// By the name that the parser's instruction list files each proposal under.
fn forbidden(proposal: &'static str) -> Forbidden {
    let (name, fix) = match proposal {
        "simd" => (
            "SIMD",
            "drop `-C target-feature=+simd128` (Rust), `--enable simd` (AssemblyScript) or `-msimd128` (C)",
        ),
        "relaxed_simd" => ("relaxed SIMD", "drop `+relaxed-simd`: its results differ between machines"),
        "threads" => ("threads", "drop `+atomics` and shared memory: a policy runs alone"),
        "shared_everything_threads" => ("shared-everything threads", "a policy runs alone"),
        "tail_call" => ("tail calls", "drop `-C target-feature=+tail-call` or `-mtail-call`"),
        "exceptions" => (
            "exceptions",
            "build with `panic = \"abort\"` (Rust) or `-fno-exceptions` (C++): a failure is a trap",
        ),
        "legacy_exceptions" => ("legacy exceptions", "build with `-fno-exceptions`: a failure is a trap"),
        "gc" => ("garbage collection", "use a compiler that brings its own memory management"),
        "function_references" => ("typed function references", "call through `call_indirect`"),
        "reference_types" => ("reference types", "drop `--enable reference-types` and externref"),
        "bulk_memory" => (
            "passive segments and table instructions",
            "link without `--shared-memory`; memory.copy and memory.fill are allowed",
        ),
        "memory_control" => ("memory control", GENERAL_FIX),
        "stack_switching" => ("stack switching", GENERAL_FIX),
        "wide_arithmetic" => ("wide arithmetic", "drop `-C target-feature=+wide-arithmetic`"),
        "memory64" => ("memory64", "build for wasm32: 4 MiB need no 64-bit addresses"),
        "multi_memory" => ("multiple memories", "use one memory"),
        "custom_page_sizes" => ("custom page sizes", "use pages of 64 KiB"),
        "custom_descriptors" => ("custom descriptors", GENERAL_FIX),
        "acquire_release_atomics" => ("atomics", "a policy runs alone: drop `+atomics`"),
        "multi_value" | "compact_imports" => ("compact imports", GENERAL_FIX),
        _ => ("an extension of WebAssembly", GENERAL_FIX),
    };
    Forbidden { name, fix }
}

/// The feature that an instruction belongs to, when policies may not use it.
pub(crate) fn forbidden_operator(operator: &Operator<'_>) -> Option<Forbidden> {
    if matches!(operator, Operator::MemoryCopy { .. } | Operator::MemoryFill { .. }) {
        return None;
    }
    match proposal_of(operator) {
        "mvp" | "sign_extension" | "saturating_float_to_int" => None,
        other => Some(forbidden(other)),
    }
}

macro_rules! define_proposal_of {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        /// The proposal that the parser's list files an instruction under.
        fn proposal_of(operator: &Operator<'_>) -> &'static str {
            match operator {
                $(Operator::$op { .. } => stringify!($proposal),)*
                // The list is marked as open: an instruction added later belongs to no allowed set.
                _ => "unknown",
            }
        }
    };
}
wasmparser::for_each_operator!(define_proposal_of);

/// The feature that a validator misses.
pub(crate) fn missing_feature(error: &BinaryReaderError) -> Forbidden {
    error.missing_wasm_feature().map_or_else(|| guess_feature(error.message()), forbidden_feature)
}

/// Memories and tables that only a proposal allows are told by their message alone.
fn guess_feature(message: &str) -> Forbidden {
    let feature = [
        ("multiple memories", WasmFeatures::MULTI_MEMORY),
        ("64-bit", WasmFeatures::MEMORY64),
        ("memory64", WasmFeatures::MEMORY64),
        ("threads", WasmFeatures::THREADS),
        ("shared", WasmFeatures::THREADS),
        ("SIMD", WasmFeatures::SIMD),
        ("exception", WasmFeatures::EXCEPTIONS),
        ("page size", WasmFeatures::CUSTOM_PAGE_SIZES),
        ("reference", WasmFeatures::REFERENCE_TYPES),
        ("table", WasmFeatures::REFERENCE_TYPES),
        ("bulk", WasmFeatures::BULK_MEMORY),
        ("gc", WasmFeatures::GC),
    ]
    .into_iter()
    .find_map(|(word, feature)| message.contains(word).then_some(feature));
    forbidden_feature(feature.unwrap_or(WasmFeatures::empty()))
}

/// The feature that a validator's complaint names.
fn forbidden_feature(missing: WasmFeatures) -> Forbidden {
    let by_flag: &[(WasmFeatures, &'static str)] = &[
        (WasmFeatures::SIMD, "simd"),
        (WasmFeatures::RELAXED_SIMD, "relaxed_simd"),
        (WasmFeatures::THREADS, "threads"),
        (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared_everything_threads"),
        (WasmFeatures::TAIL_CALL, "tail_call"),
        (WasmFeatures::EXCEPTIONS, "exceptions"),
        (WasmFeatures::LEGACY_EXCEPTIONS, "legacy_exceptions"),
        (WasmFeatures::GC, "gc"),
        (WasmFeatures::FUNCTION_REFERENCES, "function_references"),
        (WasmFeatures::REFERENCE_TYPES, "reference_types"),
        (WasmFeatures::GC_TYPES, "reference_types"),
        (WasmFeatures::BULK_MEMORY, "bulk_memory"),
        (WasmFeatures::MEMORY64, "memory64"),
        (WasmFeatures::MULTI_MEMORY, "multi_memory"),
        (WasmFeatures::CUSTOM_PAGE_SIZES, "custom_page_sizes"),
        (WasmFeatures::STACK_SWITCHING, "stack_switching"),
        (WasmFeatures::WIDE_ARITHMETIC, "wide_arithmetic"),
        (WasmFeatures::COMPACT_IMPORTS, "compact_imports"),
        (WasmFeatures::CUSTOM_DESCRIPTORS, "custom_descriptors"),
    ];
    by_flag
        .iter()
        .find(|(flag, _)| missing.intersects(*flag))
        .map_or_else(|| forbidden("unknown"), |(_, proposal)| forbidden(proposal))
}
