//! `cargo xtask setup`: what the other commands need, checked, and installed where that is possible.

use std::path::PathBuf;

use crate::process::{Result, Run, find};
use crate::{node, paths, step, wasm};

/// Checks and installs everything.
pub(crate) fn run() -> Result<()> {
    step("node and npm", node::check)?;
    step("wasm targets", || {
        let rustc = wasm::rustc()?;
        eprintln!("    wasm is built by {}", rustc.display());
        Ok(())
    })?;
    step("npm packages", || {
        for folder in ["web-demo/site", "tests/clients"] {
            node::install(&paths::root().join(folder))?;
        }
        Ok(())
    })?;
    let chromium = step("Chromium", chromium)?;
    eprintln!("    browser tests use {}", chromium.display());
    Ok(())
}

/// A Chromium for the browser tests: `CHROMIUM`, one on the PATH, or one from the system's packages.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM").map(PathBuf::from) {
        return if named.is_file() {
            Ok(named)
        } else {
            Err(format!("CHROMIUM names {}, which is not there", named.display()))
        };
    }
    if let Some(found) = installed_chromium() {
        return Ok(found);
    }
    let hint = "install Chromium: `sudo apt-get install chromium` on Debian, or set CHROMIUM to its path";
    install("chromium").map_err(|e| format!("the browser tests need Chromium: {e}. {hint}"))?;
    installed_chromium().ok_or_else(|| format!("apt-get installed no chromium. {hint}"))
}

/// A program of the system's package, installed where that is possible; `purpose` needs it.
pub(crate) fn program(name: &str, package: &str, purpose: &str) -> Result<PathBuf> {
    if let Some(found) = find(name) {
        return Ok(found);
    }
    let hint = format!("install it: `sudo apt-get install {package}` on Debian");
    install(package).map_err(|e| format!("{purpose} needs {name}: {e}. {hint}"))?;
    find(name).ok_or_else(|| format!("apt-get installed no {name}. {hint}"))
}

/// Installs a package of the system.
fn install(package: &str) -> Result<()> {
    if !is_root() || find("apt-get").is_none() {
        return Err("this is not root on Debian, where it would be installed".into());
    }
    let once = || {
        Run::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .run()
    };
    // The lists may be old or absent: only then are they fetched.
    once().or_else(|_| Run::new("apt-get").args(["update"]).run().and_then(|()| once()))
}

fn installed_chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find)
}

fn is_root() -> bool {
    Run::new("id").arg("-u").quietly().output().is_ok_and(|id| id.trim() == "0")
}
