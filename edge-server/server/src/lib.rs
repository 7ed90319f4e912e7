//! Tributary's server: everything around the state machines.
//!
//! The crates below are pure: `tributary-sip` reads and writes messages, `tributary-engine` decides
//! what they mean, `merge-core` merges, `policy-sandbox` runs policies. This crate gives them
//! sockets, a clock, a disk and an operator.
//!
//! ```text
//!            one port
//!               |
//!          transport -- TLS, HTTP, WebSocket handshake, frames, limits
//!           |     |
//!     HTTP  |     | SIP messages
//!           v     v
//!         api   shards -- one task a shard, which owns an engine::Shard
//!           |     |   \
//!           |     |    policies -- uploaded WebAssembly, assigned to domains and users
//!           |     v
//!           +-> store -- group commit before an answer leaves
//! ```
//!
//! Ways to other servers are found by `onward`: names, connections, certificates. What chosen users say and
//! are told is shown by `trace`.
//!
//! * [`config`] defines every key once: struct, default, documentation.
//! * [`run`] puts the parts together and takes them down in order.
//! * [`commands`] and [`cli`] are the program's face.
//!
//! What is deliberately absent: no global state (metrics, configuration and clocks are values), no
//! protocol logic (a SIP header is never looked at here), no lock held while anything is waited for
//! (ARCHITECTURE.md lists those that there are).

#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod contacts;
mod https;
pub mod local_time;
pub mod log;
pub mod metrics;
mod network;
mod onward;
#[cfg(any(test, feature = "otlp"))]
#[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "tested where it is not used"))]
mod otlp;
pub mod policies;
mod private;
pub mod run;
pub mod shards;
pub mod site;
pub mod store;
pub mod tenants;
pub mod tokens;
pub mod trace;
pub mod transport;
pub mod users;
