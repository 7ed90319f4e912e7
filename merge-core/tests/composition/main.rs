//! Composition: the shapes as documents with expected results, the invariants as laws, policies, explanations.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod explained;
mod four_phones;
mod json_form;
mod laws;
mod masks;
mod policies;
mod privacy;
mod published;
mod redacted;
mod rules;
mod shapes;
mod sizes;
mod snapshots;
mod views;
mod xsd;
