//! The compiling process by itself, for programs that are not the server: reads a module from
//! standard input, compiles it under the contract's limits, says whether that went well.
//!
//! `policy-compile [CPU_SECONDS MEMORY_BYTES]`: tighter limits than the contract's, to see what they do.
#![forbid(unsafe_code)]

use policy_sandbox::CompileLimits;
use std::process::ExitCode;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    policy_sandbox::compile_child(match *numbers {
        [cpu_seconds, memory_bytes] => CompileLimits { cpu_seconds, memory_bytes },
        _ => CompileLimits::default(),
    })
}
