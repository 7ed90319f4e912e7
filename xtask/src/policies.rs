//! `cargo xtask policies`: the policies that ship, built, with an index, into `target/policies`; and the engine for
//! those that are scripts.
//!
//! `wasm-rules/policies` is a workspace of its own with its own linker flags; a policy there is a
//! folder with a `Cargo.toml`, or with a `package.json` for one in AssemblyScript.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::{Result, Run, under_ci};
use crate::{javascript, node, paths, stamp, step, wasm};

/// Builds what changed, and the index.
pub(crate) fn run() -> Result<()> {
    step("engine for scripts", javascript::run)?;
    step("policies", || {
        let inputs = ["policies", "sdk"].map(|part| paths::root().join("wasm-rules").join(part));
        let inputs = [&inputs[..], &[paths::root().join("merge-core/src")]].concat();
        stamp::unless_unchanged("policies", &inputs, &[paths::policies().join("index.json")], build)
    })
}

fn sources() -> PathBuf {
    paths::root().join("wasm-rules/policies")
}

fn build() -> Result<()> {
    let out = paths::policies();
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let folder = paths::target().join("wasm-policies");
    // A policy that somebody has just added is not in the lock file yet.
    let locked: &[&str] = if under_ci() { &["--locked"] } else { &[] };
    Run::cargo()
        .args(["build", "--release", "--target", wasm::UNKNOWN])
        .args(locked)
        .env("RUSTC", wasm::rustc()?)
        .env("CARGO_TARGET_DIR", &folder)
        .folder(sources())
        .run()?;
    let mut index = Vec::new();
    for source in subfolders(&sources()) {
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let built = if source.join("Cargo.toml").is_file() {
            folder.join(wasm::UNKNOWN).join("release").join(format!("{}.wasm", name.replace('-', "_")))
        } else if source.join("package.json").is_file() {
            assembly_script(&source, &name)?
        } else {
            continue;
        };
        let file = format!("{name}.wasm");
        let bytes = std::fs::read(&built).map_err(|e| format!("{}: {e}", built.display()))?;
        std::fs::write(out.join(&file), &bytes).map_err(|e| format!("{file}: {e}"))?;
        eprintln!("    {file}: {} bytes", bytes.len());
        // What has no manifest is there for benchmarks and tests; the index lists what people choose from.
        let Some(manifest) = manifest(&bytes) else { continue };
        let mut entry = json!({"name": name, "file": file, "bytes": bytes.len()});
        for key in ["version", "summary", "params_schema"] {
            entry[key] = manifest[key].clone();
        }
        entry["params"] = example_params(&source);
        index.push(entry);
    }
    let text = format!("{:#}\n", json!({"policies": index}));
    std::fs::write(out.join("index.json"), text).map_err(|e| format!("index.json: {e}"))
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

/// `npm run build` writes `build/NAME.wasm` beside the source.
fn assembly_script(source: &Path, name: &str) -> Result<PathBuf> {
    node::check()?;
    node::install(source)?;
    Run::new("npm").args(["run", "--silent", "build"]).folder(source).run()?;
    Ok(source.join("build").join(format!("{name}.wasm")))
}

/// Parameters that show what a policy does: `example-params.json` beside its source.
fn example_params(source: &Path) -> Value {
    let text = std::fs::read_to_string(source.join("example-params.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|_| json!({}))
}

/// The JSON of the custom section `presence-policy`.
fn manifest(module: &[u8]) -> Option<Value> {
    let mut rest = module.get(8..)?;
    while let [kind, after @ ..] = rest {
        let (size, after) = number(after)?;
        let (body, next) = after.split_at_checked(size)?;
        rest = next;
        if *kind == 0 {
            let (length, body) = number(body)?;
            let (name, data) = body.split_at_checked(length)?;
            if name == b"presence-policy" {
                return serde_json::from_slice(data).ok();
            }
        }
    }
    None
}

/// An unsigned LEB128 number of at most 32 bits.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_found_among_other_sections() {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend(b"\x00\x05\x03abcX");
        let data = br#"{"name":"x"}"#;
        module.extend([0, 1 + 15 + data.len() as u8, 15]);
        module.extend(b"presence-policy");
        module.extend(data);
        assert_eq!(manifest(&module).unwrap()["name"], "x");
        assert_eq!(manifest(b"\0asm\x01\0\0\0"), None);
        assert_eq!(manifest(b"\0asm\x01\0\0\0\x00\x7f"), None);
    }

    #[test]
    fn numbers_of_several_bytes_are_read() {
        assert_eq!(number(&[0xe5, 0x8e, 0x26, 1]), Some((624_485, &[1][..])));
        assert_eq!(number(&[0x80]), None);
    }
}
