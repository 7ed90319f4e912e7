//! Where things are, as absolute paths.

use std::path::{Path, PathBuf};

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}

/// Cargo's target folder, where all that is made by machine goes.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The folder of tools that were installed for this project alone.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The policies that ship, built.
pub(crate) fn policies() -> PathBuf {
    target().join("policies")
}

/// A program of this workspace in `profile` ("debug" or "release").
pub(crate) fn program(profile: &str, name: &str) -> PathBuf {
    target().join(profile).join(name)
}
