//! Every limit of the policy contract, in one place.
//!
//! The static check, the sandbox, the page and the author's tools read these constants; the table
//! in `wasm-rules/CONTRACT.md` is compared with [`TABLE`] by a test, so that neither can drift.
//! Sizes are bytes unless the name says otherwise; a value is the largest that is allowed.

/// A WebAssembly page, the unit of linear memory.
pub const PAGE_BYTES: usize = 64 * 1024;

/// The module file of a tenant or a user.
pub const MODULE_BYTES: usize = 256 * 1024;
/// The module file of the operator, who answers for the whole server.
pub const MODULE_BYTES_OPERATOR: usize = 2 * 1024 * 1024;
/// The file of a policy that is a script.
pub const SCRIPT_BYTES: usize = 64 * 1024;
/// Linear memory, in pages; a module must declare a maximum, and at most this one.
pub const MEMORY_PAGES: u64 = 64;
/// Fuel of one hook call, before what the input's length adds.
pub const FUEL_BASE: u64 = 2_000_000;
/// Fuel that each byte of the input adds.
pub const FUEL_PER_INPUT_BYTE: u64 = 128;
/// Fuel of the start function and `_initialize` together.
pub const FUEL_START: u64 = 2_000_000;
/// Fuel for reading a script and running it up to where its functions are defined; once, when it comes.
pub const FUEL_SCRIPT: u64 = 100_000_000;
/// The WebAssembly stack of a call.
pub const STACK_BYTES: usize = 256 * 1024;
/// The JSON a hook is given. A larger input goes to the built-in merge and is not the policy's failure.
pub const INPUT_BYTES: usize = 64 * 1024;
/// The JSON a hook answers.
pub const OUTPUT_BYTES: usize = 16 * 1024;
/// All log lines of one call together.
pub const LOG_BYTES: usize = 2 * 1024;
/// Log lines of one call; later ones are dropped.
pub const LOG_LINES: usize = 32;
/// The operator's `params` for a policy, as JSON.
pub const PARAMS_BYTES: usize = 4 * 1024;
/// The manifest section.
pub const MANIFEST_BYTES: usize = 8 * 1024;
/// Tables of a module.
pub const TABLES: u64 = 1;
/// Elements of a table, and of its element segments together.
pub const TABLE_ELEMENTS: u64 = 1024;
/// Functions a module defines.
pub const FUNCTIONS: u64 = 4096;
/// Locals of one function, its parameters included.
pub const LOCALS: u64 = 256;
/// The body of one function.
pub const BODY_BYTES: usize = 32 * 1024;
/// Blocks inside blocks of one function.
pub const NESTING: u64 = 256;
/// Targets of one `br_table`.
pub const BR_TABLE: u64 = 1024;
/// Globals a module defines.
pub const GLOBALS: u64 = 64;
/// Data segments.
pub const DATA_SEGMENTS: u64 = 256;
/// Types.
pub const TYPES: u64 = 512;
/// Imports.
pub const IMPORTS: u64 = 2;
/// Exports.
pub const EXPORTS: u64 = 32;
/// Processor time of the process that compiles, in seconds.
pub const COMPILE_CPU_SECONDS: u64 = 10;
/// Address space of the process that compiles.
pub const COMPILE_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
/// Wall-clock time of the process that compiles, in seconds.
pub const COMPILE_WALL_SECONDS: u64 = 30;
/// Compiles that run at once on a node.
pub const COMPILES_AT_ONCE: u64 = 2;
/// Processor time a tenant's policies may take, in milliseconds each second.
pub const TENANT_CPU_MS_PER_SECOND: u64 = 50;
/// Processor time that policies may take which run beside others without effect, in milliseconds each second: of
/// each tenant's, and of the operator's.
pub const SHADOW_CPU_MS_PER_SECOND: u64 = 20;
/// Policies that are kept of a tenant.
pub const TENANT_POLICIES: usize = 32;
/// The files of a tenant's policies together.
pub const TENANT_POLICY_BYTES: usize = 4 * 1024 * 1024;
/// Files that a tenant may upload in an hour; what is refused counts, for it was compiled.
pub const TENANT_UPLOADS_PER_HOUR: usize = 60;
/// Scopes of a tenant (its own, its domains and its users) that have an assignment.
pub const TENANT_ASSIGNMENTS: usize = 1_000;
/// How long a presentity may be captured, and how long what was captured is kept, in seconds.
pub const CAPTURE_SECONDS: u32 = 24 * 60 * 60;
/// Presentities of which something captured is kept.
pub const CAPTURES: usize = 32;
/// Captured merges that are kept of one presentity; the oldest go.
pub const CAPTURE_ENTRIES: usize = 500;
/// What they may take together, with their views.
pub const CAPTURE_BYTES: usize = 2 * 1024 * 1024;
/// Captured inputs that a policy is tried with before it is taken, the newest.
pub const DRY_RUN_CAPTURED: usize = 200;
/// Vectors that may come with an upload.
pub const UPLOAD_VECTORS: usize = 256;

/// Tuples an output may select.
pub const OUTPUT_TUPLES: usize = 32;
/// What an output may drop.
pub const OUTPUT_DROPS: usize = 128;
/// Lines in which an output may explain itself. Each is cut to [`NOTE_CHARS`].
pub const OUTPUT_EXPLAIN: usize = 32;
/// Activities an output may set; moods and places too.
pub const OUTPUT_ACTIVITIES: usize = 8;
/// The length of one activity or other token, in characters.
pub const TOKEN_CHARS: usize = crate::tokens::TOKEN_CHARS;
/// Notes an output may set.
pub const OUTPUT_NOTES: usize = 4;
/// The length of one note, in characters.
pub const NOTE_CHARS: usize = 512;
/// The largest priority, in thousandths.
pub const PRIORITY_MILLI: i64 = 1000;
/// How soon after `now` a policy may ask to be called again, in milliseconds.
pub const REEVALUATE_MIN_MS: i64 = 1000;
/// How late after `now` a policy may ask to be called again, in milliseconds.
pub const REEVALUATE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// The fuel of a hook call with an input of this many bytes.
#[must_use]
pub const fn fuel(input_bytes: usize) -> u64 {
    FUEL_BASE + FUEL_PER_INPUT_BYTE * input_bytes as u64
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited; the key in documents and in the page.
    pub name: &'static str,
    /// The largest value that is allowed (for `reevaluate-min`: the smallest).
    pub value: u64,
    /// `bytes`, `pages`, `fuel`, `s`, `ms`, `ms/s`, `/hour`, `characters`, or empty for a plain count.
    pub unit: &'static str,
    /// The error code of the contract that a breach is reported with; empty where nobody is told one.
    pub code: &'static str,
}

const fn limit(name: &'static str, value: u64, unit: &'static str, code: &'static str) -> Limit {
    Limit { name, value, unit, code }
}

/// All limits, in the order of the contract.
pub const TABLE: &[Limit] = &[
    limit("module", MODULE_BYTES as u64, "bytes", "E103"),
    limit("module-operator", MODULE_BYTES_OPERATOR as u64, "bytes", "E103"),
    limit("script", SCRIPT_BYTES as u64, "bytes", "E103"),
    limit("memory", MEMORY_PAGES, "pages", "E149"),
    limit("fuel", FUEL_BASE, "fuel", "E204"),
    limit("fuel-per-input-byte", FUEL_PER_INPUT_BYTE, "fuel", "E204"),
    limit("fuel-start", FUEL_START, "fuel", "E204"),
    limit("fuel-script", FUEL_SCRIPT, "fuel", "E204"),
    limit("stack", STACK_BYTES as u64, "bytes", "E201"),
    limit("input", INPUT_BYTES as u64, "bytes", "E200"),
    limit("output", OUTPUT_BYTES as u64, "bytes", "E208"),
    limit("log", LOG_BYTES as u64, "bytes", ""),
    limit("log-lines", LOG_LINES as u64, "", ""),
    limit("params", PARAMS_BYTES as u64, "bytes", "E200"),
    limit("manifest", MANIFEST_BYTES as u64, "bytes", "E160"),
    limit("tables", TABLES, "", "E140"),
    limit("table-elements", TABLE_ELEMENTS, "", "E140"),
    limit("locals", LOCALS, "", "E141"),
    limit("body", BODY_BYTES as u64, "bytes", "E142"),
    limit("nesting", NESTING, "", "E143"),
    limit("br-table", BR_TABLE, "", "E143"),
    limit("functions", FUNCTIONS, "", "E144"),
    limit("globals", GLOBALS, "", "E145"),
    limit("data-segments", DATA_SEGMENTS, "", "E146"),
    limit("types", TYPES, "", "E147"),
    limit("imports", IMPORTS, "", "E148"),
    limit("exports", EXPORTS, "", "E148"),
    limit("compile-cpu", COMPILE_CPU_SECONDS, "s", "E150"),
    limit("compile-memory", COMPILE_MEMORY_BYTES, "bytes", "E150"),
    limit("compile-wall", COMPILE_WALL_SECONDS, "s", "E150"),
    limit("compiles-at-once", COMPILES_AT_ONCE, "", ""),
    limit("tenant-cpu", TENANT_CPU_MS_PER_SECOND, "ms/s", ""),
    limit("shadow-cpu", SHADOW_CPU_MS_PER_SECOND, "ms/s", ""),
    limit("tenant-policies", TENANT_POLICIES as u64, "", "E190"),
    limit("tenant-policy-bytes", TENANT_POLICY_BYTES as u64, "bytes", "E191"),
    limit("tenant-uploads", TENANT_UPLOADS_PER_HOUR as u64, "/hour", "E192"),
    limit("tenant-assignments", TENANT_ASSIGNMENTS as u64, "", "E193"),
    limit("capture", CAPTURE_SECONDS as u64, "s", ""),
    limit("captures", CAPTURES as u64, "", ""),
    limit("capture-entries", CAPTURE_ENTRIES as u64, "", ""),
    limit("capture-bytes", CAPTURE_BYTES as u64, "bytes", ""),
    limit("dry-run-captured", DRY_RUN_CAPTURED as u64, "", ""),
    limit("upload-vectors", UPLOAD_VECTORS as u64, "", ""),
    limit("output-tuples", OUTPUT_TUPLES as u64, "", "E207"),
    limit("output-drops", OUTPUT_DROPS as u64, "", "E207"),
    limit("output-explain", OUTPUT_EXPLAIN as u64, "", "E207"),
    limit("output-activities", OUTPUT_ACTIVITIES as u64, "", "E207"),
    limit("token", TOKEN_CHARS as u64, "characters", "E207"),
    limit("output-notes", OUTPUT_NOTES as u64, "", "E207"),
    limit("note", NOTE_CHARS as u64, "characters", "E207"),
    limit("priority", PRIORITY_MILLI as u64, "thousandths", "E207"),
    limit("reevaluate-min", REEVALUATE_MIN_MS as u64, "ms", "E207"),
    limit("reevaluate-max", REEVALUATE_MAX_MS as u64, "ms", "E207"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_once_and_values_are_positive() {
        for (at, limit) in TABLE.iter().enumerate() {
            assert!(limit.value > 0, "{}", limit.name);
            assert!(TABLE.iter().skip(at + 1).all(|other| other.name != limit.name), "{}", limit.name);
        }
    }

    #[test]
    fn fuel_grows_with_the_input() {
        assert_eq!(fuel(0), 2_000_000);
        assert_eq!(fuel(3_500), 2_448_000);
    }
}
