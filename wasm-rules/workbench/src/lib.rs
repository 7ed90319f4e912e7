//! What a policy's author works with: the local half of `tributary policy`.
//!
//! ```text
//!  new ──► a Project: source, manifest, vectors
//!            │ build (the language's own compiler), the manifest laid in
//!            ▼
//!        policy.wasm ──► check   what an upload would say
//!                   ├──► run     one input, and what comes of it
//!                   ├──► test    vectors; a difference is shown line by line
//!                   ├──► bench   fuel and time a call, beside the built-in merge
//!                   ├──► replay  recorded states: what it would change
//!                   └──► fuzz    made-up inputs; what fails is made small and kept as a vector
//! ```
//!
//! Checks, limits, codes and their texts are those of `policy-check` and `policy-sandbox`, which the
//! server and the page use as well: nothing is said here in other words.
//!
//! Every command gives an [`Answer`], which writes itself for people and as JSON, or a [`Problem`]:
//! the command could not be carried out, and who has to do what about it.
#![forbid(unsafe_code)]

mod answer;
mod bench;
mod build;
mod check;
mod diff;
mod fuzz;
mod load;
mod pretty;
mod project;
mod replay;
mod run;
mod shrink;
mod template;
mod test;

pub use answer::{Answer, EXITS, Exit, Paint, Problem};
pub use bench::{Effort, Measured, bench};
pub use build::build;
pub use check::{Checked, check};
pub use fuzz::{Find, Fuzz, Fuzzed, fuzz};
pub use load::{Workbench, module_bytes, params_of, read};
pub use project::{Language, Project};
pub use replay::{Replay, Replayed, replay};
pub use run::{Asked, Ran, run};
pub use template::{Made, new};
pub use test::{Tested, test, vector_files};
