//! Policies that are written in JavaScript: from a script that an engine has read to a module.
//!
//! ```text
//!  policy.js ──> the engine's pp_script: compiled, run as far as its functions are defined
//!                     └──> what it says of the script ─┐
//!                     └──> its memory as it is then  ──┴─> the same engine, with that memory: a policy
//! ```
//! The engine is a policy module of ours (`wasm-rules/javascript`) with one export more. Laying its memory into a
//! copy of it costs nothing at a call: an instance begins with the script compiled, where compiling takes a thousand
//! units of fuel a byte. Whoever holds the engine does the same: the server, the author's tools and the page, with
//! the same bytes. No engine runs here.

use merge_core::json::{self, Value, Writer};
use merge_core::policy::limits;
use wasmparser::{Parser, Payload};

use crate::manifest::{self, SECTION};
use crate::report::{Finding, Findings, Hooks, Report};

/// Zero bytes between two data segments that make them two: a segment's head takes about ten.
const GAP: usize = 32;
/// Sections by number, in the order in which a module has them.
const MEMORY: u8 = 5;
const EXPORT: u8 = 7;
const DATA_COUNT: u8 = 12;
const DATA: u8 = 11;
const CUSTOM: u8 = 0;

/// Whether a file is a script, by its own looks: text that exports something and is no module in text form.
#[must_use]
pub fn is_script(file: &[u8]) -> bool {
    let text = std::str::from_utf8(file).unwrap_or_default();
    text.contains("export") && !text.contains('\0') && !text.trim_start().starts_with(['(', ';'])
}

/// A script that became a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The module: the engine, with the script compiled in its memory.
    pub module: Vec<u8>,
    /// What there is to say of it: no errors.
    pub report: Report,
}

impl Script {
    /// What is wrong with a script that can be told before an engine reads it: its size.
    ///
    /// # Errors
    /// E103.
    pub fn check(file: &[u8]) -> Result<(), Finding> {
        if file.len() <= limits::SCRIPT_BYTES {
            return Ok(());
        }
        let message = format!("{} bytes, allowed are {}", file.len(), limits::SCRIPT_BYTES);
        Err(Finding::new(
            "E103",
            "file",
            message,
            "leave out what is not used, or write the policy as a module",
        ))
    }

    /// Makes the module of what the `engine`'s `pp_script` answered and of its `memory` after that.
    ///
    /// # Errors
    /// The report with what is wrong with the script (E180) or with its manifest (E160, E212).
    pub fn make(engine: &[u8], said: &[u8], memory: &[u8]) -> Result<Self, Box<Report>> {
        let refused = |finding| Box::new(Report { errors: vec![finding], ..Report::default() });
        let said = json::read(said).map_err(|error| refused(not_json(&error.to_string())))?;
        if let Some(error) = said.get("error") {
            return Err(refused(thrown(error)));
        }
        let hooks = hooks(&said);
        let mut errors = Findings::new();
        if !hooks.merge {
            errors.push(Finding::new(
                "E180",
                "script",
                "it exports no function `merge`",
                "write `export function merge(input) { ... }`",
            ));
        }
        let mut report = Report { abi: crate::ABI, hooks, ..Report::default() };
        let mut manifest = None;
        match said.get("manifest") {
            Some(value) => {
                let mut out = Writer::new();
                out.value(value);
                let bytes = out.into_bytes();
                let place = "export manifest".to_owned();
                report.manifest =
                    manifest::read_one(&bytes, place, hooks, &mut errors, &mut report.warnings);
                manifest = Some(bytes);
            }
            None => report.warnings.push(Finding::new(
                "W301",
                "script",
                "it exports no `manifest`",
                "say at least what the policy is called: `export const manifest = { name: \"...\", summary: \"...\" }`",
            )),
        }
        report.errors = errors.finish();
        if !report.is_ok() {
            return Err(Box::new(report));
        }
        let module = lay(engine, memory, hooks, manifest.as_deref()).ok_or_else(|| {
            refused(Finding::new(
                "E180",
                "engine",
                "the engine for scripts is damaged",
                "build the server again",
            ))
        })?;
        Ok(Self { module, report })
    }
}

/// The engine's own error: `{"message":..,"line":..,"column":..}`.
fn thrown(error: &Value<'_>) -> Finding {
    let message = error.get("message").and_then(Value::as_str).unwrap_or("it cannot be read");
    let number = |member: &str| error.get(member).and_then(Value::as_int);
    let place = match (number("line"), number("column")) {
        (Some(line), Some(column)) => format!("script, line {line}, column {column}"),
        _ => "script".to_owned(),
    };
    let fix = "see what stands there: plain JavaScript of today, without types, imports and awaiting";
    Finding::new("E180", place, crate::plain_text(message), fix)
}

fn not_json(error: &str) -> Finding {
    let fix = "texts, whole numbers, true, false, lists and objects are what a manifest is made of";
    Finding::new("E160", "export manifest", format!("not JSON of this contract: {error}"), fix)
}

fn hooks(said: &Value<'_>) -> Hooks {
    let names = said.get("hooks").and_then(Value::as_array).unwrap_or_default();
    let there = |name: &str| names.iter().any(|hook| hook.as_str() == Some(name));
    Hooks { merge: there("pp_merge"), view: there("pp_view"), params: there("pp_params"), initialize: false }
}

/// The engine with this memory, this manifest, and of its exports those that a policy has.
fn lay(engine: &[u8], memory: &[u8], hooks: Hooks, manifest: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(engine.len() + memory.len() / 8);
    out.extend_from_slice(engine.get(..8)?);
    for payload in Parser::new(0).parse_all(engine) {
        let payload = payload.ok()?;
        let body = match &payload {
            Payload::MemorySection(memories) => {
                let memory_type = memories.clone().into_iter().next()?.ok()?;
                let mut body = vec![1, 1];
                leb128(&mut body, memory.len() / limits::PAGE_BYTES);
                leb128(&mut body, usize::try_from(memory_type.maximum?).ok()?);
                Some((MEMORY, body))
            }
            Payload::ExportSection(exports) => {
                let exports: Vec<_> = exports.clone().into_iter().collect::<Result<_, _>>().ok()?;
                let kept = exports.iter().filter(|export| of_a_policy(export.name, hooks));
                let mut body = Vec::new();
                leb128(&mut body, kept.clone().count());
                for export in kept {
                    leb128(&mut body, export.name.len());
                    body.extend_from_slice(export.name.as_bytes());
                    // A function or the memory, as the binary format numbers them.
                    body.push(if export.name == "memory" { 2 } else { 0 });
                    leb128(&mut body, usize::try_from(export.index).ok()?);
                }
                Some((EXPORT, body))
            }
            Payload::DataSection(_) => Some((DATA, segments(memory))),
            _ => None,
        };
        match (body, payload.as_section()) {
            (Some((id, body)), _) => section(&mut out, id, &body),
            (None, Some((DATA_COUNT | CUSTOM, _)) | None) => {}
            (None, Some((id, range))) => {
                let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
                section(&mut out, id, engine.get(start..end)?);
            }
        }
    }
    if let Some(manifest) = manifest {
        let mut body = Vec::with_capacity(manifest.len() + SECTION.len() + 1);
        leb128(&mut body, SECTION.len());
        body.extend_from_slice(SECTION.as_bytes());
        body.extend_from_slice(manifest);
        section(&mut out, CUSTOM, &body);
    }
    Some(out)
}

/// What initialises the engine, and what reads scripts, has done its work.
fn of_a_policy(export: &str, hooks: Hooks) -> bool {
    matches!(export, "memory" | "presence_policy_abi_1" | "pp_alloc") || hooks.names().contains(&export)
}

fn section(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.push(id);
    leb128(out, body.len());
    out.extend_from_slice(body);
}

/// What is not zero in the memory, as the body of a data section.
fn segments(memory: &[u8]) -> Vec<u8> {
    let mut found: Vec<(usize, &[u8])> = Vec::new();
    let mut at = 0;
    while let Some(start) = memory.iter().skip(at).position(|byte| *byte != 0).map(|skipped| at + skipped) {
        let rest = memory.get(start..).unwrap_or_default();
        let end = rest.windows(GAP).position(|gap| gap.iter().all(|byte| *byte == 0));
        let length =
            end.unwrap_or_else(|| rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        found.push((start, rest.get(..length).unwrap_or_default()));
        at = start + length.max(1);
    }
    let mut body = Vec::new();
    leb128(&mut body, found.len());
    for (start, bytes) in found {
        // Active, in memory 0, at a constant.
        body.extend_from_slice(&[0, 0x41]);
        signed_leb128(&mut body, start);
        body.push(0x0b);
        leb128(&mut body, bytes.len());
        body.extend_from_slice(bytes);
    }
    body
}

/// An unsigned number, seven bits a byte.
fn leb128(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The same for a signed place, whose last byte must leave the sign bit clear.
fn signed_leb128(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x3f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_text_that_exports_something() {
        let check = |file: &[u8], expect: bool| assert_eq!(is_script(file), expect, "{file:?}");
        check(b"export function merge(input) { return null }", true);
        check("// \u{e9}\nexport const merge = () => null".as_bytes(), true);
        check(b"hello", false);
        check(b"", false);
        check(b"(module (func (export \"pp_merge\")))", false);
        check(b";; a comment\n(module (func (export \"pp_merge\")))", false);
        check(b"\0asm\x01\0\0\0 export", false);
        check(b"export \xff", false);
    }

    /// An engine in the place of ours: it keeps where it was, and answers with that.
    const ENGINE: &str = r#"(module (memory (export "memory") 1 64) (data (i32.const 8) "before")
        (func (export "presence_policy_abi_1")) (func (export "_initialize")) (func (export "pp_script"))
        (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
        (func (export "pp_view") (param i32 i32) (result i64) (i64.const 0)))"#;

    fn made(said: &str, memory: &[u8]) -> Result<Script, Box<Report>> {
        Script::make(&wat::parse_str(ENGINE).unwrap(), said.as_bytes(), memory)
    }

    #[test]
    fn the_module_holds_the_memory_the_manifest_and_what_a_policy_exports() {
        let mut memory = vec![0; 2 * limits::PAGE_BYTES];
        for (at, byte) in [(8, 1), (8 + GAP, 2), (8 + 3 * GAP, 3), (limits::PAGE_BYTES, 4)] {
            memory[at] = byte;
        }
        *memory.last_mut().unwrap() = 5;
        let said = r#"{"abi":1,"hooks":["pp_merge"],"manifest":{"name":"a","summary":"b"}}"#;
        let script = made(said, &memory).unwrap();
        let report = crate::check(&script.module);
        assert_eq!((&report, report.errors.len()), (&script.report, 0));
        assert_eq!((report.hooks.names(), report.manifest.unwrap().name), (vec!["pp_merge"], "a".to_owned()));

        let mut laid = vec![0; memory.len()];
        for payload in Parser::new(0).parse_all(&script.module) {
            if let Payload::DataSection(data) = payload.unwrap() {
                for segment in data {
                    let segment = segment.unwrap();
                    let wasmparser::DataKind::Active { offset_expr, .. } = segment.kind else { continue };
                    let wasmparser::Operator::I32Const { value } =
                        offset_expr.get_operators_reader().read().unwrap()
                    else {
                        continue;
                    };
                    let at = value as usize;
                    laid[at..at + segment.data.len()].copy_from_slice(segment.data);
                }
            }
        }
        assert!(laid == memory);
    }

    #[test]
    fn what_the_engine_refuses_is_told_with_its_place() {
        let check = |said: &str, code: &str, place: &str| {
            let report = made(said, &[]).unwrap_err();
            assert_eq!((report.errors[0].code, report.errors[0].place.as_str()), (code, place), "{said}");
        };
        check(
            r#"{"abi":1,"error":{"code":"script","message":"SyntaxError: x","line":3,"column":14}}"#,
            "E180",
            "script, line 3, column 14",
        );
        check(r#"{"abi":1,"error":{"code":"script","message":"thrown"}}"#, "E180", "script");
        check(r#"{"abi":1,"hooks":["pp_view"]}"#, "E180", "script");
        check(r#"{"abi":1,"hooks":["pp_merge"],"manifest":{"name":"No Name"}}"#, "E160", "export manifest");
        check(r#"{"abi":1,"hooks":["pp_merge"],"manifest":{"x":0.5}}"#, "E160", "export manifest");
        let damaged = Script::make(b"\0asm", br#"{"abi":1,"hooks":["pp_merge"]}"#, &[]).unwrap_err();
        assert_eq!(damaged.errors[0].place, "engine");
    }

    #[test]
    fn a_script_without_a_manifest_is_warned_and_a_long_one_refused() {
        let script = made(r#"{"abi":1,"hooks":["pp_merge"]}"#, &[0; limits::PAGE_BYTES]).unwrap();
        assert_eq!(script.report.warnings[0].code, "W301");
        assert_eq!(Script::check(&vec![b' '; limits::SCRIPT_BYTES]), Ok(()));
        assert_eq!(Script::check(&vec![b' '; limits::SCRIPT_BYTES + 1]).unwrap_err().code, "E103");
    }
}
