//! `cargo xtask site`: the page with its engines, into `web-demo/site/dist`.
//!
//! ```text
//! web-engine ─ cargo (profile wasm) ─ wasm-bindgen ─ wasm-opt ─→ dist/engine/NAME.js + NAME_bg.wasm
//! policies ─────────────────────────────────────────────────→ dist/policies/
//! src/*.ts ─ tsc (types only) ─ esbuild ────────────────────→ dist/
//! ```

use std::path::{Path, PathBuf};

use crate::process::{Result, Run};
use crate::{node, paths, policies, stamp, step, wasm};

/// The two modules of the page: the merge, and (loaded when a file is dropped) the check.
const ENGINES: [&str; 2] = ["web-engine", "web-check"];

/// Builds all of it; what did not change is not built again.
pub(crate) fn run() -> Result<()> {
    policies::run()?;
    step("web engines", engines)?;
    step("page", page)
}

fn site() -> PathBuf {
    paths::root().join("web-demo/site")
}

fn engines() -> Result<()> {
    node::install(&site())?;
    let rustc = wasm::rustc()?;
    for package in ENGINES {
        let Some(_) = manifest(package) else {
            return Err(format!("the workspace has no package {package}"));
        };
        wasm::cargo(&rustc, wasm::UNKNOWN).args(["--profile", "wasm", "-p", package]).run()?;
        let name = package.replace('-', "_");
        let built = wasm::folder().join(wasm::UNKNOWN).join("wasm").join(format!("{name}.wasm"));
        let folder = site().join("dist/engine");
        let outputs = [folder.join(format!("{name}.js")), folder.join(format!("{name}_bg.wasm"))];
        stamp::unless_unchanged(package, std::slice::from_ref(&built), &outputs, || {
            bind(&built, &folder, &name)?;
            shrink(&outputs[1])
        })?;
    }
    Ok(())
}

fn manifest(package: &str) -> Option<PathBuf> {
    let folder = match package {
        "web-engine" => "web-demo/engine",
        _ => "web-demo/check",
    };
    let manifest = paths::root().join(folder).join("Cargo.toml");
    manifest.is_file().then_some(manifest)
}

fn bind(built: &Path, folder: &Path, name: &str) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Run::cargo()
        .args(["run", "--quiet", "-p", "xtask", "--features", "bindgen", "--bin", "xtask-bindgen", "--"])
        .arg(built)
        .arg(folder)
        .arg(name)
        .run()
}

/// wasm-opt, from the npm package `binaryen`.
fn shrink(module: &Path) -> Result<()> {
    let before = size(module)?;
    let small = module.with_extension("small");
    Run::new("node")
        .arg(site().join("node_modules/binaryen/bin/wasm-opt"))
        .args(["-Os", "--strip-debug", "--strip-producers", "--enable-bulk-memory"])
        .args(["--enable-nontrapping-float-to-int", "--enable-sign-ext", "--enable-mutable-globals"])
        .args(["--enable-reference-types", "--enable-multivalue", "-o"])
        .arg(&small)
        .arg(module)
        .run()?;
    std::fs::rename(&small, module).map_err(|e| format!("{}: {e}", module.display()))?;
    eprintln!("    {}: {before} -> {} bytes", module.display(), size(module)?);
    Ok(())
}

fn size(path: &Path) -> Result<u64> {
    std::fs::metadata(path).map(|m| m.len()).map_err(|e| format!("{}: {e}", path.display()))
}

fn page() -> Result<()> {
    let inputs =
        ["src", "static", "build.mjs", "seal.mjs", "package-lock.json"].map(|name| site().join(name));
    // The build's id, by which the page is kept offline, is a hash of all that is served: the engines too.
    let engines = ENGINES
        .map(|package| site().join("dist/engine").join(format!("{}_bg.wasm", package.replace('-', "_"))));
    let inputs =
        [&inputs[..], &engines, &[paths::policies(), paths::root().join("wasm-rules/runner")]].concat();
    let outputs = [site().join("dist/index.html")];
    stamp::unless_unchanged("page", &inputs, &outputs, || {
        copy_policies()?;
        Run::new("npm").args(["run", "--silent", "build"]).folder(site()).run()
    })
}

fn copy_policies() -> Result<()> {
    let to = site().join("dist/policies");
    std::fs::create_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
    for file in stamp::files_below(&paths::policies()) {
        let Some(name) = file.file_name() else { continue };
        std::fs::copy(&file, to.join(name)).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}
