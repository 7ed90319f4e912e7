//! The program: reads the command line and does what it says.

#![forbid(unsafe_code)]

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    tributary::commands::run(tributary::cli::Cli::parse())
}
