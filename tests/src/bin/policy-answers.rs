//! `policy-answers POLICIES`: what wasmtime makes of the policies that ship, of one in JavaScript and of the hostile
//! ones, for the test that has Chromium and Node make the same of them (`web-demo/site/test/engines.test.mjs`).
//!
//! Prints a JSON object a line, one a policy: its file (hex), the report of its check, and its calls, each with the
//! input, the output (hex, null for no opinion), a failure's code and message, the fuel and the log.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use merge_core::policy::limits;
use policy_sandbox::{
    Generator, Hook, Owner, Policy, Sandbox, ScriptEngine, Settings, Vector, builtin_samples, view_samples,
};
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error>;

/// Made-up inputs of each hook that a policy has.
const MADE_UP: usize = 1000;

/// Reads all that it is given, computes with every kind of number, looks at texts, sorts, logs, and fails now and then.
const SCRIPT: &str = r#"
export const manifest = { name: "in-three-engines", summary: "The same everywhere" };
const words = (of) => [...of].filter((c) => c > " ").length;
export function merge(input) {
  const kinds = new Map();
  for (const { device_kind, user_agent } of input.publications ?? []) {
    kinds.set(device_kind, (kinds.get(device_kind) ?? 0) + words(user_agent ?? ""));
  }
  console.log("kinds", [...kinds]);
  if (kinds.size > 4) throw new Error(`too many: ${kinds.size}`);
  const sorted = [...kinds].sort(([a], [b]) => (a < b ? -1 : 1));
  return { input, sorted, sqrt: Math.sqrt(input.now_ms), sin: Math.sin(input.now_ms), day: new Date(input.now_ms).toISOString() };
}
export function view({ watcher, merged }) {
  if (watcher.class === "self") return null;
  return { level: watcher.class === "stranger" ? "basic" : "full", explain: merged.tuples.map(({ id, basic }) => `${id}: ${basic}`) };
}
"#;

fn main() {
    let Some(policies) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: policy-answers POLICIES");
        std::process::exit(2);
    };
    if let Err(error) = print_all(&policies) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn print_all(policies: &Path) -> Result<(), Error> {
    let engine = std::fs::read(policies.join("javascript.engine"))?;
    let scripts = Some(ScriptEngine::new(&engine));
    let sandbox = Sandbox::new(Settings { instances: 1, scripts, ..Settings::default() })?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wasm-rules/policies");

    for file in files(policies, "wasm")? {
        let module = std::fs::read(&file)?;
        let vectors = sources.join(name(&file)).join("vectors");
        let params = if vectors.is_dir() { params(&vectors)? } else { Vec::new() };
        print(&sandbox, &name(&file), &module, |policy| inputs(policy, params))?;
    }
    print(&sandbox, "in-three-engines", SCRIPT.as_bytes(), |policy| inputs(policy, Vec::new()))?;
    // Longer than a script may be.
    let long = format!("{SCRIPT}//{}", " ".repeat(limits::SCRIPT_BYTES));
    print(&sandbox, "bad/script-too-long", long.as_bytes(), |_| Vec::new())?;
    let sample = builtin_samples().into_iter().find(|sample| sample.name == "one-device");
    let sample: Vec<_> = sample.into_iter().map(|sample| (Hook::Merge, sample.input)).collect();
    for file in files(&sources.join("bad"), "wat")? {
        print(&sandbox, &format!("bad/{}", name(&file)), &wat::parse_file(&file)?, |_| sample.clone())?;
    }
    Ok(())
}

/// The parameters of a policy's vectors.
fn params(vectors: &Path) -> Result<Vec<String>, Error> {
    files(vectors, "json")?.iter().map(|file| Ok(Vector::load(file)?.params)).collect()
}

/// The samples and the made-up inputs of each hook.
fn inputs(policy: &Policy, params: Vec<String>) -> Vec<(Hook, Vec<u8>)> {
    let taken = params.into_iter().filter(|params| policy.judge_params(params).is_empty());
    let mut generator = Generator::new(1).with_params(taken);
    let mut inputs: Vec<_> =
        builtin_samples().into_iter().map(|sample| (Hook::Merge, sample.input)).collect();
    inputs.extend((0..MADE_UP).map(|_| (Hook::Merge, generator.next_input())));
    if policy.view_key().is_some() {
        inputs.extend(view_samples().into_iter().map(|sample| (Hook::View, sample.input)));
        inputs.extend((0..MADE_UP).map(|_| (Hook::View, generator.next_view_input())));
    }
    inputs
}

fn print(
    sandbox: &Sandbox,
    name: &str,
    file: &[u8],
    inputs: impl FnOnce(&Policy) -> Vec<(Hook, Vec<u8>)>,
) -> Result<(), Error> {
    let report = sandbox.report(file, Owner::Tenant);
    let calls: Vec<Value> = match sandbox.compile(file) {
        Err(_) => Vec::new(),
        Ok(policy) => inputs(&policy).iter().map(|(hook, input)| call(&policy, *hook, input)).collect(),
    };
    let line = json!({"policy": name, "file": hex(file), "report": report.write_json(), "calls": calls});
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

fn call(policy: &Policy, hook: Hook, input: &[u8]) -> Value {
    let outcome = policy.call_whole(hook, input);
    let (output, failure) = match outcome.result {
        Ok(output) => (output.map(|bytes| hex(&bytes)), None),
        Err(failure) => (None, Some(failure)),
    };
    let (code, message) = failure.map(|failure| (failure.code, failure.message)).unzip();
    json!({
        "hook": hook.as_str(),
        "input": String::from_utf8_lossy(input),
        "answer": {"output": output, "code": code, "message": message, "fuel": outcome.fuel_used, "log": outcome.log},
    })
}

/// The files with this extension in a folder, by name.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Error>>()?;
    found.retain(|path| path.extension().is_some_and(|other| other == extension));
    found.sort();
    Ok(found)
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
