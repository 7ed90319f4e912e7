//! The wasm side of the toolchain: targets by rustup, or Debian's packages where its server refuses.

use std::path::{Path, PathBuf};

use crate::paths;
use crate::process::{Result, Run};

/// What runs in a page or in the sandbox.
pub(crate) const UNKNOWN: &str = "wasm32-unknown-unknown";
/// `core` and `alloc` only: what builds for it needs no std.
pub(crate) const BARE: &str = "wasm32v1-none";

/// The rustc that can build for [`UNKNOWN`] and [`BARE`], installing what is missing.
pub(crate) fn rustc() -> Result<PathBuf> {
    let script = paths::root().join("xtask/scripts/wasm-toolchain.sh");
    let path = Run::new("bash")
        .arg(script)
        .env("WASM_TOOLCHAIN_DIR", paths::tools())
        .output()
        .map_err(|e| format!("no toolchain for {UNKNOWN} ({e})"))?;
    Ok(PathBuf::from(path.trim()))
}

/// A cargo command that builds with `rustc` into a target folder of its own, so that the two
/// compilers (where they differ) do not undo each other's work.
pub(crate) fn cargo(rustc: &Path, target: &str) -> Run {
    Run::cargo().env("RUSTC", rustc).env("CARGO_TARGET_DIR", folder()).args(["build", "--target", target])
}

/// Where [`cargo`] builds.
pub(crate) fn folder() -> PathBuf {
    paths::target().join("wasm")
}
