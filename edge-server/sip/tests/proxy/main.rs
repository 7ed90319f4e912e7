//! What a proxy does, by section and by the numbers of the routing requirements (R1 to R24).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod context;
mod forward;
mod rules;
mod simulation;
