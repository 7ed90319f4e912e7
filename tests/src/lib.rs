//! What crosses crates: the real server, real clients, crashes, hostile policies, load.
//!
//! ```text
//! src/server.rs   starts the binary on a free port, kills it, restarts it
//! src/client.rs   a SIP client over WebSocket for tests: registers, publishes, watches
//! src/phone.rs    a SIP client over UDP, TCP or WebSocket: it rings, too
//! src/pidf.rs     a second reading of what watchers get, by a reader that is not ours
//! src/load/       the load generator (`cargo xtask load`)
//! tests/          crash.rs and kill.rs (kill -9 under load), containment.rs (bad policies before watchers)
//! clients/        JsSIP and SIP.js, in Node and in Chromium (run by `cargo xtask test clients`), and peers from the system
//! ```
#![forbid(unsafe_code)]

pub mod api;
pub mod client;
pub mod load;
pub mod phone;
pub mod pidf;
pub mod server;
