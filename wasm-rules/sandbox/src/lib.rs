//! Compiles and runs merge policies in wasmtime, under every limit of the contract.
//!
//! ```text
//!   file ── policy-check ─┬─ trial compile (child process) ── compile ─┬─> Policy
//!                         └──────────── policy-cache ──────────────────┘   │ merge(input)
//!   ┌── one call, one fresh instance ──────────────────────────────────────▼──────────────┐
//!   │ instantiate, _initialize (own fuel) ─ pp_alloc ─ copy in ─ pp_merge ─ copy out ─ drop │
//!   └──────────────────────────────────────────────────────────────────────┬──────────────┘
//!                      Outcome { bytes | no opinion | failure, fuel, log } ──▼
//! ```
//!
//! A file that is a script in JavaScript is read first, by an engine that is a module itself ([`ScriptEngine`]); what
//! that leaves in its memory is the policy, and the engine's code is compiled once for all of them.
//!
//! A policy is a pure function of its input, and this crate is what makes that true: no clock, no
//! randomness, no memory of earlier calls, the same fuel for the same work everywhere. Whatever a
//! policy does comes back as a value with a code and a place; nothing it does can panic, block or
//! stop the host. Whether an answer may be *used* is decided by `merge_core::policy`.
//!
//! ```
//! use policy_sandbox::{Sandbox, Settings};
//! let sandbox = Sandbox::new(Settings::default()).unwrap();
//! let findings = sandbox.compile(b"not wasm").unwrap_err();
//! assert_eq!(findings[0].code, "E101");
//! ```
#![forbid(unsafe_code)]

mod call;
mod child;
mod cost;
mod dry_run;
mod engine;
mod generate;
mod imports;
mod outcome;
mod policy;
mod sandbox;
mod script;
mod vector;

pub use child::{Compile, CompileLimits, compile_child};
pub use dry_run::{Sample, builtin_samples, dry_run, try_sample, view_samples};
pub use generate::Generator;
pub use outcome::{CallFailure, Fault, Outcome};
pub use policy::{Made, Policy};
pub use policy_check::{
    Expect, Finding, Hook, Manifest, Mismatch, Owner, RecordedInput, Report, Vector, VectorError, is_script,
    merge_patch, plain_text,
};
pub use sandbox::{CacheSettings, Sandbox, SandboxError, Settings};
pub use script::ScriptEngine;
pub use vector::Verdict;
