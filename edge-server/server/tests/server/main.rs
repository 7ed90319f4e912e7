//! The server from outside: over its port, and as a program.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::type_complexity,
    reason = "a failed step fails the test, and a table of cases is best read where it stands"
)]

mod accounts;
mod api;
mod certificates;
mod config;
mod datagrams;
mod handshake;
mod harness;
mod hostile;
mod hours;
mod log;
mod masks;
mod onward;
mod openapi;
#[cfg(feature = "otlp")]
mod otlp;
mod policies;
mod policy_aside;
mod policy_audit;
mod policy_canary;
mod policy_capture;
mod policy_command;
mod policy_quota;
mod policy_script;
mod policy_shadow;
mod policy_signatures;
mod policy_tutorial;
mod policy_vectors;
mod program;
mod reading;
mod streams;
mod tls;
mod tokens;
mod trace;
mod users;
mod views;
mod websocket;
