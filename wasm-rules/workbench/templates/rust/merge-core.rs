//! The JSON of the presence model: one grammar on both sides. The rest of merge-core stays on the server.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod json;
#[allow(dead_code, reason = "the server sorts more than the JSON does")]
mod order;
