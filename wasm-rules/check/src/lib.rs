//! The static checks of a policy module: what can be told from the file alone.
//!
//! ```text
//!  policy.wasm ──> header ──> one walk over the sections ──> imports, exports, memory ──> manifest
//!                   E101..103   E101 E110 E140..E149           E120 E130..E133 E149        E160 E212
//!                        └──────────────── all findings, each with code, place and fix ────────┘
//! ```
//!
//! Everything is found in one pass, so that an author does not mend one mistake per upload. Counts
//! are taken here, before anything is compiled: a module inside them takes a compiler seconds at
//! worst, one outside takes minutes. No engine is involved, so the page runs the very same checks
//! as the server (the crate builds for wasm32-unknown-unknown).
//!
//! A policy may also be a script in JavaScript ([`is_script`]), which an engine of ours reads ([`Script`]).
//!
//! Test vectors are here too ([`Vector`]): how an answer is judged must not depend on where it came from.
//!
//! The codes are listed in [`CODES`], the limits in [`merge_core::policy::limits`], what instructions cost in
//! [`prices`](mod@prices); the contract in
//! `wasm-rules/CONTRACT.md` repeats both tables and a test compares them.
//!
//! ```
//! let report = policy_check::check(b"\0asm\x0d\0\x01\0");
//! assert_eq!(report.errors[0].code, "E102");
//! println!("{}", report.write_json());
//! ```
#![forbid(unsafe_code)]

mod abi;
mod codes;
mod features;
mod json_form;
mod manifest;
mod patch;
pub mod prices;
mod recorded;
mod report;
mod schema;
mod script;
mod text;
mod vector;
mod walk;

pub use abi::ABI;
pub use codes::{CODES, Code, Phase, find as find_code};
pub use features::FEATURES;
pub use manifest::{Manifest, SECTION as MANIFEST_SECTION};
pub use patch::merge_patch;
pub use recorded::{Hook, RecordedInput};
pub use report::{FINDING_CHARS, Finding, Findings, Hooks, NAMED_PER_KIND, Report};
pub use schema::judge_params;
pub use script::{Script, SplitEngine, is_script};
pub use text::{plain_text, short_name};
pub use vector::{Expect, Mismatch, Vector, VectorError};

use merge_core::policy::limits;

/// Who brings the file: the operator may bring a larger one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// A tenant or a user.
    #[default]
    Tenant,
    /// Whoever runs the server.
    Operator,
}

impl Owner {
    /// The largest file this owner may bring, in bytes.
    #[must_use]
    pub const fn module_bytes(self) -> usize {
        match self {
            Self::Tenant => limits::MODULE_BYTES,
            Self::Operator => limits::MODULE_BYTES_OPERATOR,
        }
    }
}

/// Checks a file that a tenant or a user brought.
#[must_use]
pub fn check(bytes: &[u8]) -> Report {
    check_as(bytes, Owner::Tenant)
}

/// Checks a file for its owner.
#[must_use]
pub fn check_as(bytes: &[u8], owner: Owner) -> Report {
    let mut report = Report::default();
    if let Some(finding) = header(bytes) {
        report.errors.push(finding);
        return report;
    }
    let mut errors = Findings::new();
    if bytes.len() > owner.module_bytes() {
        errors.push(Finding::new(
            "E103",
            "file",
            format!("{} bytes, allowed are {}", bytes.len(), owner.module_bytes()),
            "build for size and strip it: `opt-level = \"s\"`, `lto = true`, `strip = true`, then `wasm-opt -Os`",
        ));
        // A file that not even the operator could bring is not worth reading.
        if bytes.len() > Owner::Operator.module_bytes() {
            report.errors = errors.finish();
            return report;
        }
    }
    let facts = walk::walk(bytes, &mut errors);
    (report.abi, report.hooks) = abi::check(&facts, &mut errors);
    report.manifest = manifest::read(&facts.manifests, report.hooks, &mut errors, &mut report.warnings);
    report.errors = errors.finish();
    report
}

/// The first eight bytes: magic, version, and the layer that tells a component.
fn header(bytes: &[u8]) -> Option<Finding> {
    const BUILD_CORE: &str =
        "build for wasm32-unknown-unknown, without `cargo component`, `wasm32-wasip2` or `jco`";
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => None,
        [0, b'a', b's', b'm', _, _, layer, _, ..] if *layer != 0 => Some(Finding::new(
            "E102",
            "file, offset 0x4",
            "this is a component; policies are core modules",
            BUILD_CORE,
        )),
        [0, b'a', b's', b'm', version @ ..] => Some(Finding::new(
            "E101",
            "file, offset 0x4",
            format!("WebAssembly of version {:?} is not known", version.get(..4).unwrap_or(version)),
            "build for version 1",
        )),
        text if !text.is_empty() && !text.contains(&0) && std::str::from_utf8(text).is_ok() => {
            Some(Finding::new(
                "E101",
                "file",
                "it is text, and no policy: neither a module nor a script that exports `merge`",
                "in JavaScript write `export function merge(input) { ... }`; of another language upload the .wasm file \
             that is built of it",
            ))
        }
        _ => Some(Finding::new(
            "E101",
            "file, offset 0x0",
            "the file does not begin with the bytes of WebAssembly (00 61 73 6d)",
            "upload the .wasm file that the compiler made",
        )),
    }
}
