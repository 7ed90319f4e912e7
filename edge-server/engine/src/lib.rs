//! Registrar, presence agent and publication agent as one deterministic state machine a shard.
//!
//! ```text
//!                     now, Input                        Effects, in order
//!   connections ──▶  Message, FlowClosed  ┌─────────┐  Store  ──▶ committed first
//!   the clock   ──▶  Tick                 │  Shard  │  Send   ──▶ then the connections
//!   the store   ──▶  Restore, Restored    │         │  Broadcast ▶ the other shards
//!   other shards ─▶  Notice               └────┬────┘  Answer  ──▶ the HTTP API
//!   the HTTP API ─▶  Query                     │       Event   ──▶ log and metrics
//!                                        dyn PolicyHost
//! ```
//! A [`Shard`] owns all state of the presentities whose address hashes to it, and nothing else: no
//! clock, no sockets, no files, no locks. Time comes in with every call, randomness from a seed, so
//! a run can be replayed and a simulated day takes a moment.
//!
//! What happens on a PUBLISH: the document is read once and joins the presentity's live set; at the
//! end of the call the set is merged (built in, or by a policy), the result is written once and, if
//! its bytes differ from those before, sent to all watchers as heads of their own around one shared
//! body. A watcher that has not answered its last NOTIFY is passed over and gets the newest state
//! when it does.
//!
//! - [`Shard`], [`Input`], [`Effect`]: the state machine.
//! - [`mod@route`]: which shard a message belongs to; pure.
//! - [`Config`], [`limits`]: what it is told.
//! - [`record`]: what is stored.
//! - [`PolicyHost`]: the door to policies.

#![forbid(unsafe_code)]

pub mod config;
pub mod effect;
pub mod input;
pub mod limits;
pub mod policy;
pub mod query;
pub mod record;
pub mod route;
pub mod wheel;

mod answer;
mod auth;
mod evaluate;
mod flows;
mod hashing;
mod notify;
mod presentity;
mod publication;
mod random;
mod registrar;
mod removal;
mod respond;
mod restore;
mod shard;
mod slab;
mod subscription;
mod transaction;

pub use config::{Account, Auth, Config, Everybody, Lifetime, Profile, Timing, Users};
pub use effect::{Effect, Effects, Event, Packet, PublicationEnd, StoreOp, SubscriptionEnd};
pub use input::{Flow, FlowDevice, FlowId, Input, Notice, Scope, Transport};
pub use limits::Limits;
pub use policy::{Assignment, NoPolicies, PolicyFailure, PolicyHost};
pub use query::{Answer, Counts, Query};
pub use record::{Record, Table};
pub use route::{RouteKey, route};
pub use shard::Shard;
