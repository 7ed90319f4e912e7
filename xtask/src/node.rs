//! Node packages: `npm ci` where the lock file changed, and nothing where it did not.

use std::path::Path;

use crate::process::{Result, Run, find};
use crate::stamp;

/// Fails with a word on what to install when Node is missing or too old.
pub(crate) fn check() -> Result<()> {
    let hint = "install Node.js 20 or later with npm (https://nodejs.org, or your system's packages)";
    if find("node").is_none() || find("npm").is_none() {
        return Err(format!("node or npm is not on the PATH: {hint}"));
    }
    let version = Run::new("node").arg("--version").output()?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok());
    match major {
        Some(20..) => Ok(()),
        _ => Err(format!("node {} is too old: {hint}", version.trim())),
    }
}

/// Installs exactly what `package-lock.json` in `folder` says.
pub(crate) fn install(folder: &Path) -> Result<()> {
    let name =
        folder.strip_prefix(crate::paths::root()).unwrap_or(folder).to_string_lossy().replace('/', "-");
    let inputs = [folder.join("package.json"), folder.join("package-lock.json")];
    if !inputs[1].is_file() {
        return Err(format!("{} is missing", inputs[1].display()));
    }
    stamp::unless_unchanged(&format!("npm-{name}"), &inputs, &[folder.join("node_modules")], || {
        Run::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).folder(folder).run()
    })
}
