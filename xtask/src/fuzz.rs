//! `cargo xtask fuzz`: each fuzz target for a short while, on the pinned stable toolchain.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::process::{Result, Run};
use crate::{paths, tools};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only targets whose name contains this
    #[arg(default_value = "")]
    only: String,
    /// The same inputs each time: for a check of every change, where a finding must be the change's own
    #[arg(long)]
    repeatable: bool,
}

impl Options {
    /// As `cargo xtask test` runs them.
    pub(crate) fn short() -> Options {
        Options { seconds: 60, only: String::new(), repeatable: true }
    }
}

/// How many inputs a target gets when the run is to be repeatable: some seconds of work.
const REPEATABLE_RUNS: u32 = 20_000;

/// Runs the targets and returns how many ran; a finding is an error.
pub(crate) fn run(options: &Options) -> Result<u32> {
    tools::ensure("cargo-fuzz", "0.13.2", &[])?;
    let mut ran = 0;
    for folder in folders() {
        for target in targets(&folder) {
            if !target.contains(&options.only) {
                continue;
            }
            let began = Instant::now();
            one(&folder, &target, options)?;
            eprintln!("    fuzz {target}: no finding in {:.0} s", began.elapsed().as_secs_f64());
            ran += 1;
        }
    }
    if ran == 0 { Err(format!("no fuzz target is called `{}`", options.only)) } else { Ok(ran) }
}

/// The `fuzz` folders, each beside the crate it tests.
fn folders() -> Vec<PathBuf> {
    let root = paths::root();
    ["merge-core", "wasm-rules/check", "wasm-rules/sandbox", "edge-server/sip", "edge-server/engine", "tests"]
        .iter()
        .map(|part| root.join(part).join("fuzz"))
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .collect()
}

fn targets(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.join("fuzz_targets"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn one(folder: &Path, target: &str, options: &Options) -> Result<()> {
    let seeds = folder.join("seeds").join(target);
    // New inputs go where machines write; the seeds in the repository only ever get read.
    let corpus =
        paths::target().join(if options.repeatable { "fuzz-fresh" } else { "fuzz-corpus" }).join(target);
    if options.repeatable && corpus.is_dir() {
        std::fs::remove_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
    }
    std::fs::create_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
    let mut run = Run::cargo()
        .args(["fuzz", "run", "--fuzz-dir"])
        .arg(folder)
        // Unoptimised builds fuzz nothing; one job, as the machine may be small.
        .args(["--target-dir"])
        .arg(paths::target().join("fuzz"))
        .arg(target)
        .arg(corpus);
    for seeds in [seeds, folder.join("corpus").join(target)] {
        if seeds.is_dir() {
            run = run.arg(seeds);
        }
    }
    run = run.args(["--", &format!("-max_total_time={}", options.seconds)]);
    if options.repeatable {
        run = run.args(["-seed=1", &format!("-runs={REPEATABLE_RUNS}")]);
    }
    run.args(["-timeout=10", "-rss_limit_mb=2048", "-verbosity=0"])
        .args(["-print_final_stats=1"])
        .env("RUSTC_BOOTSTRAP", "1")
        .without_env("CARGO_TARGET_DIR")
        .folder(folder.parent().unwrap_or(folder))
        .run()
}
