//! `policy-outputs POLICIES INPUTS`: every shipped policy on every recorded input, in wasmtime.
//!
//! Prints one JSON object a line: policy, input (names), output (hex, null for no opinion, or
//! `error:CODE`). The client tests run the same files in Chromium and compare to the byte.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use policy_sandbox::{Sandbox, Settings};

fn main() {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [policies, inputs] = args.as_slice() else {
        eprintln!("usage: policy-outputs POLICIES INPUTS");
        std::process::exit(2);
    };
    if let Err(error) = print_all(policies, inputs) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn print_all(policies: &Path, inputs: &Path) -> Result<(), String> {
    let sandbox = Sandbox::new(Settings::default()).map_err(|e| e.to_string())?;
    for (policy_name, bytes) in files(policies, "wasm")? {
        let policy = sandbox.compile(&bytes).map_err(|findings| format!("{policy_name}: {findings:?}"))?;
        for (input_name, input) in files(inputs, "json")? {
            let output = match policy.merge_whole(&input).result {
                Ok(None) => serde_json::Value::Null,
                Ok(Some(bytes)) => hex(&bytes).into(),
                Err(failure) => format!("error:{}", failure.code).into(),
            };
            println!("{}", serde_json::json!({"policy": policy_name, "input": input_name, "output": output}));
        }
    }
    Ok(())
}

/// The files with `extension` in `folder`, by name.
fn files(folder: &Path, extension: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let say = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(say)? {
        let path = entry.map_err(say)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?));
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!("{} holds no .{extension} file", folder.display()));
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
