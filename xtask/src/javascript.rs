//! The engine for policies in JavaScript: QuickJS, compiled to WebAssembly, into `target/policies`.
//!
//! Its sources come as a crate (`rquickjs-sys`, which carries those of QuickJS-NG), pinned by its hash in
//! `wasm-rules/javascript/Cargo.lock`; Zig compiles them. The crate itself is not built.

use std::path::PathBuf;

use serde_json::Value;

use crate::process::{Result, Run};
use crate::{paths, stamp, zig};

/// The crate that carries QuickJS.
const CRATE: &str = "rquickjs-sys";
/// What QuickJS is called from a stack of its own: `engine.c` lets scripts use half of it.
const STACK_BYTES: usize = 192 * 1024;
/// The contract's 64 pages.
const MEMORY_BYTES: usize = 64 * 64 * 1024;
/// The features of the contract, as LLVM names them, and the processor that has no others.
const FEATURES: &str = "-mcpu=mvp+mutable_globals+sign_ext+nontrapping_fptoint+multivalue+bulk_memory";

fn source() -> PathBuf {
    paths::root().join("wasm-rules/javascript")
}

/// Builds the engine if something of it changed, with the licence that goes with it.
pub(crate) fn run() -> Result<()> {
    let engine = paths::policies().join("javascript.engine");
    let this = paths::root().join("xtask/src/javascript.rs");
    stamp::unless_unchanged("javascript", &[source(), this], std::slice::from_ref(&engine), || build(&engine))
}

fn build(engine: &std::path::Path) -> Result<()> {
    zig::ensure()?;
    let quickjs = quickjs()?;
    std::fs::create_dir_all(paths::policies())
        .map_err(|e| format!("{}: {e}", paths::policies().display()))?;
    let mut run = Run::new("python3")
        .args(["-m", "ziglang", "cc", "-target", "wasm32-wasi", "-mexec-model=reactor", FEATURES])
        // For size: with -O2 it is half as large again, and a call 7 % cheaper.
        .args(["-Oz", "-flto", "-g0", "-w", "-ffunction-sections", "-DNDEBUG", "-D_GNU_SOURCE"])
        .args(["-nostartfiles", "-Wl,--no-entry", "-Wl,--gc-sections", "-Wl,--strip-all"])
        .arg(format!("-Wl,--stack,{STACK_BYTES}"))
        .arg(format!("-Wl,--max-memory={MEMORY_BYTES}"))
        .arg("-include")
        .arg(source().join("alone.h"))
        .arg("-I")
        .arg(&quickjs);
    for file in ["engine.c", "input.c", "core.c"] {
        run = run.arg(source().join(file));
    }
    for file in ["libregexp.c", "libunicode.c", "dtoa.c"] {
        run = run.arg(quickjs.join(file));
    }
    run.arg("-o").arg(engine).env("PYTHONPATH", zig::python_path()).run()?;
    let bytes = std::fs::metadata(engine).map(|file| file.len()).unwrap_or(0);
    eprintln!("    javascript.engine: {bytes} bytes");
    let licence = paths::policies().join("javascript.LICENSE");
    std::fs::copy(quickjs.join("LICENSE"), &licence)
        .map(drop)
        .map_err(|e| format!("{}: {e}", licence.display()))
}

/// Where cargo keeps the sources of QuickJS, fetched if need be.
fn quickjs() -> Result<PathBuf> {
    let about =
        Run::cargo().args(["metadata", "--format-version", "1", "--locked"]).folder(source()).output()?;
    let about: Value = serde_json::from_str(&about).map_err(|e| format!("cargo metadata: {e}"))?;
    let manifest = about["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == CRATE)
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or_else(|| format!("cargo metadata names no {CRATE}"))?;
    Ok(PathBuf::from(manifest).with_file_name("quickjs"))
}
