//! Write a merge policy in Rust.
//!
//! A policy is a function from what a person's devices published to what their watchers shall see:
//!
//! ```
//! use policy_sdk::{Input, Output};
//!
//! fn merge(input: &Input<'_>, out: &mut Output) {
//!     // Publications come newest first.
//!     let Some(newest) = input.publications().next() else { return };
//!     out.base_empty();
//!     for tuple in newest.tuples() {
//!         out.select(newest, tuple);
//!     }
//!     out.explain("the newest device alone");
//! }
//!
//! policy_sdk::policy! {
//!     name: "newest-alone",
//!     summary: "Shows what the device said that spoke last",
//!     merge: merge,
//! }
//! ```
//!
//! A function that leaves `out` alone has no opinion: the built-in merge stands. Most policies are
//! "the built-in merge, except": [`Input::builtin`] says what it would answer, and an [`Output`]
//! begins with it unless [`Output::base_empty`] is called.
//!
//! A policy may also tell watchers apart: a function from [`ViewInput`] to [`View`], given as `view:`, takes away
//! from what each class of them sees.
//!
//! [`policy!`] adds everything else that the contract asks for: the exports, an allocator that only
//! ever goes up (an instance lives for one call), a panic handler (a panic is a trap, and the
//! built-in merge answers) and the manifest. The crate that uses it is a `cdylib` with `#![no_std]`;
//! `wasm-rules/policies` is a workspace of examples with the linker flags in place.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

#[allow(
    unsafe_code,
    reason = "the border of the module: raw pointers from the host, and the allocator behind every Vec"
)]
pub mod guest;
mod input;
mod json;
mod output;
mod policy_macro;
mod view;

pub use input::{
    Builtin, Contained, Dialog, Geo, Input, LocalTime, Merged, Note, Params, Person, Presentity, Publication,
    Registration, Selected, Texts, Tuple, ViewInput, Watcher,
};
pub use json::{Items, Json, Members};
pub use output::{MOST_TUPLES, Output, Selection};
pub use view::View;
