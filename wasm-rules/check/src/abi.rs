//! Imports, exports and the memory: the shape that every policy has.

use merge_core::policy::limits;
use wasmparser::{ExternalKind, FuncType, TypeRef, ValType};

use crate::report::{Finding, Findings, Hooks};
use crate::text::short_name;
use crate::walk::{Facts, Imported};

/// The newest ABI that this host speaks.
pub const ABI: u32 = 1;

const MARKER: &str = "presence_policy_abi_";

struct Signature {
    name: &'static str,
    params: &'static [ValType],
    results: &'static [ValType],
    text: &'static str,
}

const fn signature(
    name: &'static str,
    params: &'static [ValType],
    results: &'static [ValType],
    text: &'static str,
) -> Signature {
    Signature { name, params, results, text }
}

use ValType::{I32, I64};

const ALLOC: Signature = signature("pp_alloc", &[I32], &[I32], "(param i32) (result i32)");
const MERGE: Signature = signature("pp_merge", &[I32, I32], &[I64], "(param i32 i32) (result i64)");
const VIEW: Signature = signature("pp_view", &[I32, I32], &[I64], "(param i32 i32) (result i64)");
const PARAMS: Signature = signature("pp_params", &[I32, I32], &[I64], "(param i32 i32) (result i64)");
const INITIALIZE: Signature = signature("_initialize", &[], &[], "()");
const LOG: Signature = signature("log", &[I32, I32], &[], "(param i32 i32)");
const ABORT: Signature = signature("abort", &[I32, I32, I32, I32], &[], "(param i32 i32 i32 i32)");

const SDK: &str = "declare the policy with policy-sdk's `policy!`, which exports it";

/// Checks everything that meets the host.
pub(crate) fn check(facts: &Facts<'_>, errors: &mut Findings) -> (u32, Hooks) {
    imports(facts, errors);
    memory(facts, errors);
    let abi = marker(facts, errors);
    function(facts, &ALLOC, true, errors);
    let hooks = Hooks {
        merge: function(facts, &MERGE, true, errors),
        view: function(facts, &VIEW, false, errors),
        params: function(facts, &PARAMS, false, errors),
        initialize: function(facts, &INITIALIZE, false, errors),
    };
    (abi, hooks)
}

fn imports(facts: &Facts<'_>, errors: &mut Findings) {
    for import in &facts.imports {
        let place = format!("import {}.{}", short_name(import.module), short_name(import.name));
        let signature = match (import.module, import.name) {
            ("presence", "log") => &LOG,
            ("env", "abort") => &ABORT,
            _ => {
                errors.push(Finding::new(
                    "E120",
                    place,
                    "only presence.log and env.abort are linked",
                    import_fix(import),
                ));
                continue;
            }
        };
        let found = match import.kind {
            TypeRef::Func(index) => facts.types.get(index as usize).and_then(Option::as_ref),
            _ => None,
        };
        if !found.is_some_and(|ty| matches(ty, signature)) {
            errors.push(Finding::new(
                "E120",
                place,
                format!("linked as a function {}, imported as {}", signature.text, describe(found)),
                "import it with the type of the contract",
            ));
        }
    }
}

fn import_fix(import: &Imported<'_>) -> &'static str {
    match (import.module, import.name, import.kind) {
        (module, ..) if module.starts_with("wasi") => {
            "policies have no clock, files or randomness: use input.now_ms, and build for wasm32-unknown-unknown"
        }
        ("env", "seed", _) => "policies have no randomness: leave out Math.random",
        ("env", "memory", _) | (.., TypeRef::Memory(_)) => {
            "the policy brings its own memory: drop `--import-memory`"
        }
        (module, ..) if module.starts_with("__wbindgen") || module == "wbg" => {
            "a policy has no JavaScript beside it: use policy-sdk in place of wasm-bindgen"
        }
        ("go" | "gojs", ..) => "Go's runtime needs a host of its own: use TinyGo with `-target wasm-unknown`",
        _ => "a policy computes from its input alone: leave the import out",
    }
}

fn memory(facts: &Facts<'_>, errors: &mut Findings) {
    let exported = facts.exports.iter().find(|(name, ..)| *name == "memory");
    match exported {
        None => errors.push(Finding::new(
            "E130",
            "export memory",
            format!("the memory is not exported; {}", found_exports(facts)),
            "export it under the name `memory`",
        )),
        Some((_, ExternalKind::Memory, _)) => {}
        Some((_, kind, _)) => errors.push(Finding::new(
            "E131",
            "export memory",
            format!("it is a {}, and has to be the memory", kind_name(*kind)),
            "export the memory under this name",
        )),
    }
    if facts.memories.len() > 1 {
        errors.push(Finding::new(
            "E149",
            "memory section",
            format!("{} memories, allowed is one", facts.memories.len()),
            "use one memory",
        ));
    }
    for (index, memory) in facts.memories.iter().enumerate() {
        let place = format!("memory {index}");
        let allowed = limits::MEMORY_PAGES;
        let Some(maximum) = memory.maximum else {
            errors.push(Finding::new(
                "E133",
                place,
                "the memory declares no maximum",
                format!(
                    "link with `-C link-arg=--max-memory={}` (Rust) or `--maximumMemory {allowed}` (AssemblyScript)",
                    limits::MEMORY_PAGES as usize * limits::PAGE_BYTES
                ),
            ));
            if memory.initial > allowed {
                errors.push(too_large("memory 0".into(), memory.initial));
            }
            continue;
        };
        if maximum.max(memory.initial) > allowed {
            errors.push(too_large(place, maximum.max(memory.initial)));
        }
    }
}

fn too_large(place: String, pages: u64) -> Finding {
    Finding::new(
        "E149",
        place,
        format!("{pages} pages of 64 KiB, allowed are {}", limits::MEMORY_PAGES),
        "declare a smaller maximum; a merge needs a few pages",
    )
}

/// The highest ABI version that the file and the host share.
fn marker(facts: &Facts<'_>, errors: &mut Findings) -> u32 {
    let versions: Vec<(u32, &str, ExternalKind, u32)> = facts
        .exports
        .iter()
        .filter_map(|&(name, kind, index)| {
            let version: u32 = name.strip_prefix(MARKER)?.parse().ok()?;
            // One way to write a number: `+1` and `01` are other names.
            (name == format!("{MARKER}{version}")).then_some((version, name, kind, index))
        })
        .collect();
    let known = versions.iter().filter(|(version, ..)| (1..=ABI).contains(version)).max_by_key(|v| v.0);
    let Some(&(version, name, kind, index)) = known else {
        let message = match versions.iter().map(|(version, ..)| version).min() {
            Some(newer) => format!("the policy speaks version {newer}, this host up to {ABI}"),
            None => format!("no export {MARKER}{ABI}; {}", found_exports(facts)),
        };
        errors.push(Finding::new("E132", format!("export {MARKER}{ABI}"), message, SDK));
        return 0;
    };
    let ty = if kind == ExternalKind::Func { facts.function_type(index) } else { None };
    if !ty.is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty()) {
        errors.push(Finding::new(
            "E131",
            format!("export {name}"),
            format!("the marker is a function without parameters and results, found {}", describe(ty)),
            SDK,
        ));
    }
    version
}

/// Whether the function is there and right.
fn function(facts: &Facts<'_>, wanted: &Signature, required: bool, errors: &mut Findings) -> bool {
    let place = format!("export {}", wanted.name);
    let Some(&(_, kind, index)) = facts.exports.iter().find(|(name, ..)| *name == wanted.name) else {
        if required {
            errors.push(Finding::new("E130", place, format!("missing; {}", found_exports(facts)), SDK));
        }
        return false;
    };
    let found = if kind == ExternalKind::Func { facts.function_type(index) } else { None };
    if found.is_some_and(|ty| matches(ty, wanted)) {
        return true;
    }
    let found = if kind == ExternalKind::Func { describe(found) } else { format!("a {}", kind_name(kind)) };
    errors.push(Finding::new(
        "E131",
        place,
        format!("has to be a function {}, is {found}", wanted.text),
        SDK,
    ));
    false
}

fn matches(ty: &FuncType, wanted: &Signature) -> bool {
    ty.params() == wanted.params && ty.results() == wanted.results
}

fn describe(ty: Option<&FuncType>) -> String {
    let Some(ty) = ty else { return "something else".into() };
    let list = |word: &str, types: &[ValType]| {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        if types.is_empty() { String::new() } else { format!("({word} {})", types.join(" ")) }
    };
    let text = format!("{} {}", list("param", ty.params()), list("result", ty.results()));
    if text.trim().is_empty() { "()".into() } else { text.trim().to_owned() }
}

fn kind_name(kind: ExternalKind) -> &'static str {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => "function",
        ExternalKind::Table => "table",
        ExternalKind::Memory => "memory",
        ExternalKind::Global => "global",
        ExternalKind::Tag => "tag",
    }
}

fn found_exports(facts: &Facts<'_>) -> String {
    if facts.exports.is_empty() {
        return "the module exports nothing".into();
    }
    let names: Vec<String> = facts.exports.iter().take(12).map(|(name, ..)| short_name(name)).collect();
    let more = if facts.exports.len() > 12 { ", ..." } else { "" };
    format!("found {}{more}", names.join(", "))
}
