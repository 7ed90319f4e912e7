//! The JSON of the presence model, one grammar on both sides, and what its activities say. The rest of merge-core stays on the server.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod activity;
pub mod json;
#[allow(dead_code, reason = "the server sorts more than the JSON does")]
mod order;
pub mod tokens;
