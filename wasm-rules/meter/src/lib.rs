//! Has a policy count its own fuel, for engines that count none.
//!
//! The server's engine counts fuel by itself. A browser's does not, so a page could not say what a policy
//! costs, nor end one that loops at the instruction where the server ends it. [`metered`] rewrites a module:
//! each straight run of instructions adds its price to a counter, and functions and loops end the policy
//! where the counter reaches zero.
//!
//! ```text
//!   policy.wasm ──> metered ──> the same policy, and one more export: the global [`COUNTER`]
//!
//!     before a call    counter = -allowed
//!     func             counter += 1        counter >= 0: counter = SPENT, unreachable
//!       a run          counter += its prices, before the instruction that ends it
//!       loop ──┐                           counter >= 0: counter = SPENT, unreachable
//!         ...  │
//!       end ───┘
//!     after it         used = allowed + counter
//! ```
//!
//! The prices are `policy_check::prices`, and the places are those at which the server's engine counts, so that
//! a call that ends takes the same fuel to the unit here and there (a test runs both). A call that traps has
//! counted the whole run in which it trapped. A start function becomes an export, [`START`], for the host to call
//! first: ended while the instance is made, it would leave none whose counter could say why.
#![forbid(unsafe_code)]

mod body;

use merge_core::policy::limits;
use policy_check::FEATURES;
use wasm_encoder::{
    ConstExpr, Encode, ExportKind, ExportSection, GlobalType, Module, RawSection, SectionId, ValType,
};
use wasmparser::{
    BinaryReader, BinaryReaderError, CodeSectionReader, Export, ExportSectionReader, ExternalKind, Parser,
    Payload,
};

use body::Counter;

/// The export that holds the counter: a mutable `i64`, minus the fuel that is left.
pub const COUNTER: &str = "presence fuel";

/// The export that is the module's start function, where it has one.
pub const START: &str = "presence start";

/// What the counter holds where the policy was ended because all is used.
pub const SPENT: i64 = i64::MAX;

/// The module is not one that `policy_check::check` accepts.
#[derive(Debug, thiserror::Error)]
#[error("a module that has not passed the check is not metered: {0}")]
pub struct MeterError(#[from] BinaryReaderError);

/// The policy with a counter. Its functions, memory and manifest are what they were.
///
/// # Errors
/// Where the module has not passed `policy_check::check`; what passes it is metered.
pub fn metered(policy: &[u8]) -> Result<Vec<u8>, MeterError> {
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    let mut module = Module::new();
    let payloads = parser.parse_all(policy).collect::<Result<Vec<_>, _>>()?;
    let start = payloads.iter().find_map(|payload| match payload {
        Payload::StartSection { func, .. } => Some(*func),
        _ => None,
    });
    let mut globals = None;
    for payload in &payloads {
        let Some((id, range)) = payload.as_section() else { continue };
        let Some(contents) = policy.get(range.start as usize..range.end as usize) else { continue };
        let counter = Counter::after(globals.unwrap_or(0));
        let contents = match payload {
            Payload::StartSection { .. } => continue,
            Payload::GlobalSection(section) => {
                globals = Some(section.count());
                &grown(contents, &counters())?
            }
            Payload::ExportSection(section) => {
                if globals.is_none() {
                    let data = &grown(&[0], &counters())?;
                    module.section(&RawSection { id: SectionId::Global as u8, data });
                }
                module.section(&exports(section.clone(), start, counter)?);
                continue;
            }
            Payload::CodeSectionStart { .. } => &code(contents, counter)?,
            _ => contents,
        };
        module.section(&RawSection { id, data: contents });
    }
    Ok(module.finish())
}

/// A section's contents with more items behind those it has.
fn grown(contents: &[u8], more: &[Vec<u8>]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut reader = BinaryReader::new(contents, 0);
    let count = reader.read_var_u32()?;
    let mut out = Vec::with_capacity(contents.len() + 64);
    count.saturating_add(more.len() as u32).encode(&mut out);
    out.extend_from_slice(contents.get(reader.current_position()..).unwrap_or_default());
    more.iter().for_each(|item| out.extend_from_slice(item));
    Ok(out)
}

/// The counter, and the place where the length of a bulk operation waits while it is counted.
fn counters() -> [Vec<u8>; 2] {
    let global = |val_type, value: ConstExpr| {
        let mut item = Vec::new();
        GlobalType { val_type, mutable: true, shared: false }.encode(&mut item);
        value.encode(&mut item);
        item
    };
    // What starts the policy has an allowance of its own, and runs before anybody could set one.
    let start = limits::FUEL_START.cast_signed();
    [global(ValType::I64, ConstExpr::i64_const(-start)), global(ValType::I32, ConstExpr::i32_const(0))]
}

/// The policy's exports, but for what it calls as the meter calls its own, and those.
fn exports(
    section: ExportSectionReader<'_>,
    start: Option<u32>,
    counter: Counter,
) -> Result<ExportSection, BinaryReaderError> {
    let mut exports = ExportSection::new();
    for export in section {
        let Export { name, kind, index } = export?;
        let kind = match kind {
            _ if [COUNTER, START].contains(&name) => continue,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
            ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        };
        exports.export(name, kind, index);
    }
    if let Some(start) = start {
        exports.export(START, ExportKind::Func, start);
    }
    exports.export(COUNTER, ExportKind::Global, counter.fuel);
    Ok(exports)
}

fn code(contents: &[u8], counter: Counter) -> Result<Vec<u8>, BinaryReaderError> {
    let bodies = CodeSectionReader::new(BinaryReader::new_features(contents, 0, FEATURES))?;
    let mut out = Vec::with_capacity(contents.len() * 2);
    bodies.count().encode(&mut out);
    for body in bodies {
        body::metered(&body?, contents, counter)?.encode(&mut out);
    }
    Ok(out)
}
