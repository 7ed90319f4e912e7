//! Policies that are written in JavaScript: from a script that an engine has read to a module.
//!
//! ```text
//!  policy.js ──> the engine's pp_script: compiled, run as far as its functions are defined
//!                     └──> what it says of the script ─┐
//!                     └──> its memory as it is then  ──┴─> the same engine, with that memory: a policy
//! ```
//! The engine is a policy module of ours (`wasm-rules/javascript`) with two exports more. Laying its memory into a
//! copy of it costs nothing at a call: an instance begins with the script compiled, where compiling takes a thousand
//! units of fuel a byte. The page makes that copy ([`Script::module`]). The server and the author's tools compile the
//! engine's code once for all scripts and hand it their memory ([`SplitEngine`]): the same functions over the same
//! bytes, so the same answers for the same fuel. No engine runs here.

mod modules;

pub use modules::SplitEngine;

use merge_core::json::{self, Value, Writer};
use merge_core::policy::limits;

use crate::manifest;
use crate::report::{Finding, Findings, Hooks, Report};

/// Whether a file is a script, by its own looks: text that exports something and is no module in text form.
#[must_use]
pub fn is_script(file: &[u8]) -> bool {
    let text = std::str::from_utf8(file).unwrap_or_default();
    text.contains("export") && !text.contains('\0') && !text.trim_start().starts_with(['(', ';'])
}

/// A script that an engine has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What there is to say of it: no errors.
    pub report: Report,
    /// The manifest as JSON, where it has one.
    manifest: Option<Vec<u8>>,
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

    /// Takes what the engine's `pp_script` answered.
    ///
    /// # Errors
    /// The report with what is wrong with the script (E180) or with its manifest (E160, E212).
    pub fn read(said: &[u8]) -> Result<Self, Box<Report>> {
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
        Ok(Self { report, manifest })
    }

    /// The policy as one module: the `engine` with its `memory` after it has read the script.
    ///
    /// # Errors
    /// The engine is no such module (E180).
    pub fn module(&self, engine: &[u8], memory: &[u8]) -> Result<Vec<u8>, Finding> {
        modules::whole(engine, memory, self.report.hooks, self.manifest.as_deref()).ok_or_else(damaged)
    }
}

fn damaged() -> Finding {
    Finding::new("E180", "engine", "the engine for scripts is damaged", "build the server again")
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::modules::GAP;
    use super::*;
    use wasmparser::{Operator, Parser, Payload};

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
    const ENGINE: &str = r#"(module (import "presence" "log" (func (param i32 i32)))
        (memory (export "memory") 1 64) (data (i32.const 8) "before")
        (func (export "presence_policy_abi_1")) (func (export "_initialize")) (func (export "pp_script"))
        (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0))
        (func (export "pp_view") (param i32 i32) (result i64) (i64.const 0)))"#;

    fn read(said: &str) -> Result<Script, Box<Report>> {
        Script::read(said.as_bytes())
    }

    /// What a module lays into its memory.
    fn laid(module: &[u8], memory: usize) -> Vec<u8> {
        let mut laid = vec![0; memory];
        for payload in Parser::new(0).parse_all(module) {
            let Payload::DataSection(data) = payload.unwrap() else { continue };
            for segment in data {
                let segment = segment.unwrap();
                let wasmparser::DataKind::Active { offset_expr, .. } = segment.kind else { continue };
                let Operator::I32Const { value } = offset_expr.get_operators_reader().read().unwrap() else {
                    continue;
                };
                let at = value as usize;
                laid[at..at + segment.data.len()].copy_from_slice(segment.data);
            }
        }
        laid
    }

    #[test]
    fn the_module_holds_the_memory_the_manifest_and_what_a_policy_exports() {
        let engine = wat::parse_str(ENGINE).unwrap();
        let mut memory = vec![0; 2 * limits::PAGE_BYTES];
        for (at, byte) in [(8, 1), (8 + GAP, 2), (8 + 3 * GAP, 3), (limits::PAGE_BYTES, 4)] {
            memory[at] = byte;
        }
        *memory.last_mut().unwrap() = 5;
        let said = r#"{"abi":1,"hooks":["pp_merge"],"manifest":{"name":"a","summary":"b"}}"#;
        let script = read(said).unwrap();
        let module = script.module(&engine, &memory).unwrap();
        let report = crate::check(&module);
        assert_eq!((&report, report.errors.len()), (&script.report, 0));
        assert_eq!((report.hooks.names(), report.manifest.unwrap().name), (vec!["pp_merge"], "a".to_owned()));
        assert!(laid(&module, memory.len()) == memory);
        assert!(laid(&SplitEngine::new(&engine).unwrap().with_memory(&memory), memory.len()) == memory);
    }

    /// What a module is made of, as far as it is compared.
    #[derive(Default)]
    struct Parts {
        imports: Vec<String>,
        exports: Vec<String>,
        /// First and last size of each.
        memories: Vec<(u64, Option<u64>)>,
        bodies: Vec<Vec<u8>>,
    }

    fn parts(module: &[u8]) -> Parts {
        wasmparser::validate(module).unwrap();
        let mut parts = Parts::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.unwrap() {
                Payload::ImportSection(found) => {
                    parts.imports.extend(found.into_imports().map(|import| format!("{:?}", import.unwrap())));
                }
                Payload::ExportSection(found) => {
                    parts.exports.extend(found.into_iter().map(|export| format!("{:?}", export.unwrap())));
                }
                Payload::MemorySection(found) => {
                    let sizes = found.into_iter().map(Result::unwrap);
                    parts.memories.extend(sizes.map(|memory| (memory.initial, memory.maximum)));
                }
                Payload::CodeSectionEntry(body) => parts.bodies.push(body.as_bytes().to_vec()),
                _ => {}
            }
        }
        parts
    }

    #[test]
    fn the_engine_in_two_has_the_same_functions_and_begins_with_the_same_memory() {
        let engine = wat::parse_str(ENGINE).unwrap();
        let split = SplitEngine::new(&engine).unwrap();
        let (whole, code, memory) = (parts(&engine), parts(&split.code), parts(&split.memory));
        assert_eq!((&code.exports, &code.bodies, code.memories), (&whole.exports, &whole.bodies, Vec::new()));
        let (imported, others) = code.imports.split_last().unwrap();
        assert!(others == whole.imports && imported.contains("engine"), "{imported} {others:?}");
        assert_eq!((memory.memories, memory.bodies.len()), (whole.memories, 0));
        assert!(laid(&split.memory, limits::PAGE_BYTES) == laid(&engine, limits::PAGE_BYTES));
        let grown = parts(&split.with_memory(&vec![7; 3 * limits::PAGE_BYTES]));
        assert_eq!(grown.memories, [(3, Some(64))]);
    }

    #[test]
    fn what_the_engine_refuses_is_told_with_its_place() {
        let check = |said: &str, code: &str, place: &str| {
            let report = read(said).unwrap_err();
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
        let good = read(r#"{"abi":1,"hooks":["pp_merge"]}"#).unwrap();
        for file in [&b"\0asm"[..], b"\0asm\x01\0\0\0"] {
            assert_eq!(SplitEngine::new(file).unwrap_err().place, "engine");
        }
        assert_eq!(good.module(b"\0asm", &[]).unwrap_err().place, "engine");
    }

    #[test]
    fn a_script_without_a_manifest_is_warned_and_a_long_one_refused() {
        let script = read(r#"{"abi":1,"hooks":["pp_merge"]}"#).unwrap();
        assert_eq!(script.report.warnings[0].code, "W301");
        assert_eq!(Script::check(&vec![b' '; limits::SCRIPT_BYTES]), Ok(()));
        assert_eq!(Script::check(&vec![b' '; limits::SCRIPT_BYTES + 1]).unwrap_err().code, "E103");
    }
}
