//! The compiling process by itself, for programs that are not the server: reads a module from
//! standard input, compiles it under the contract's limits, says whether that went well.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    policy_sandbox::compile_child()
}
