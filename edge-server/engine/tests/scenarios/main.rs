//! The engine as its clients see it: scripted clients, three shards, a virtual clock, a store that
//! survives restarts. Nothing here waits for real time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod approach;
mod auth;
mod bounds;
mod browsers;
mod calls;
mod datagrams;
mod forking;
mod gruu;
mod later;
mod lockout;
mod masks;
mod mutated;
mod onward;
mod overload;
mod policies;
mod publish;
mod races;
mod reg_event;
mod register;
mod removal;
mod restart;
mod returns;
mod scene;
mod shutdown;
mod simulation;
mod subscribe;
mod tokens;
mod told;
mod views;
