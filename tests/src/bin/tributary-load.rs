//! The load generator: see `tributary_tests::load`.
#![forbid(unsafe_code)]

use clap::Parser;
use tributary_tests::load;

fn main() {
    if let Err(error) = load::run(&load::Options::parse()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}
