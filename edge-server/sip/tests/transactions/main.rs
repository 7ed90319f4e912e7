//! The transaction layer: its machines against the RFC's figures, its rules by section, and two
//! parties in simulation over a network that loses, repeats, delays and reorders.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod address;
mod figures;
mod keys;
mod limits;
mod lingering;
mod party;
mod rules;
mod schedule;
mod simulation;
