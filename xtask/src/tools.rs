//! Cargo subcommands that the suites use, installed into `target/tools` when they are not there.

use crate::paths;
use crate::process::{Result, Run, find};

/// Makes the cargo subcommand `name` available at `version`.
///
/// Unoptimised on purpose: compiling these tools takes far longer than running them.
pub(crate) fn ensure(name: &str, version: &str, extra: &[&str]) -> Result<()> {
    if find(name).is_some() { Ok(()) } else { install(name, version, extra) }
}

/// Installs the program of a crate at `version`, in the place of any other version.
pub(crate) fn install(name: &str, version: &str, extra: &[&str]) -> Result<()> {
    eprintln!("    {name} {version} is not installed: building it into {}", paths::tools().display());
    Run::cargo()
        .args(["install", name, "--version", version, "--locked", "--debug", "--quiet", "--root"])
        .arg(paths::tools())
        .arg("--target-dir")
        .arg(paths::target().join("tools-build"))
        .args(extra)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .folder(std::env::temp_dir())
        .env("RUSTUP_TOOLCHAIN", toolchain())
        .run()
        .map_err(|e| format!("{e}; install it yourself with `cargo install {name} --locked`"))
}

/// The toolchain that builds this project: outside its folder rustup would pick another.
pub(crate) fn toolchain() -> String {
    std::env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "stable".into())
}
