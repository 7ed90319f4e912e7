//! The commands of the project: `cargo xtask demo`, `cargo xtask test` and the steps they are made of.
//!
//! ```text
//! demo ──┬─ setup ── wasm targets, npm
//!        ├─ policies ── wasm-rules/policies → target/policies/*.wasm
//!        ├─ site ── web engines → wasm-bindgen → wasm-opt, then the page
//!        └─ release build, server, one URL
//! test ──┴─ all of the above in the dev profile, and every suite
//! ```
//!
//! This crate stays small so that it builds in seconds; the one heavy tool it needs (wasm-bindgen)
//! is a binary of its own behind the `bindgen` feature.
#![forbid(unsafe_code)]

mod clients;
mod demo;
mod fuzz;
mod instructions;
mod javascript;
mod load;
mod node;
mod paths;
mod policies;
mod process;
mod setup;
mod site;
mod stamp;
mod suites;
mod tally;
mod tidy;
mod tools;
mod wasm;
mod zig;

use clap::{Parser, Subcommand};
use process::Result;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The commands of the Tributary project", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check what the other commands need, and install what can be installed
    Setup,
    /// Build everything and start the server with the page; prints one URL
    Demo(demo::Options),
    /// Run every check and every suite
    Test(suites::Options),
    /// Measure the server under watchers and publishers
    Load(load::Options),
    /// Build the policies that ship, their index and the engine for scripts, into target/policies
    Policies,
    /// Build the page into web-demo/site/dist
    Site,
    /// Check the rules that no compiler checks
    Tidy,
    /// Run each fuzz target for a short while
    Fuzz(fuzz::Options),
}

fn main() {
    let outcome = match Cli::parse().command {
        Command::Setup => setup::run(),
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => suites::run(&options),
        Command::Load(options) => load::run(&options),
        Command::Policies => policies::run(),
        Command::Site => site::run(),
        Command::Tidy => tidy::run(),
        Command::Fuzz(options) => fuzz::run(&options).map(drop),
    };
    if let Err(error) = outcome {
        eprintln!("\nerror: {error}");
        std::process::exit(1);
    }
}

/// Runs a step with its name and time around it, so that a long set-up can be followed.
fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {name}");
    let began = std::time::Instant::now();
    let outcome = work()?;
    eprintln!("    {name}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(outcome)
}
