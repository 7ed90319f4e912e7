//! Registrar, proxy, presence agent and publication agent as one deterministic state machine a shard.
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
//! Messages pass the transaction layer of `tributary-sip` on their way in and out: repetitions end
//! there, and what may get lost is sent again there. NOTIFYs over connections go past it.
//!
//! What happens on a PUBLISH: the document is read once and joins the presentity's live set; at the
//! end of the call the set is merged (built in, or by a policy), the result is written once and, if
//! its bytes differ from those before, sent to all watchers as heads of their own around one shared
//! body. A watcher that has not answered its last NOTIFY is passed over and gets the newest state
//! when it does.
//!
//! Where that policy tells watchers apart, each class of them gets a view of the result: written once as well, and
//! sent to those whose own view has changed.
//!
//! What is for a user's devices is forwarded to them by that user's shard: to all at the same time, or as
//! the caller wishes, each over its own connection, with one answer back.
//!
//! - [`Shard`], [`Input`], [`Effect`]: the state machine.
//! - [`Router`]: which shard a message belongs to.
//! - [`Config`], [`limits`]: what it is told.
//! - [`record`]: what is stored.
//! - [`PolicyHost`]: the door to policies.

#![forbid(unsafe_code)]

pub mod config;
pub mod effect;
pub mod input;
mod labelled;
pub mod limits;
pub mod lockout;
pub mod mask;
pub mod policy;
pub mod query;
mod question;
pub mod rate;
pub mod record;
mod route;
pub mod wheel;

mod answer;
mod auth;
mod capture;
pub mod egress;
mod evaluate;
mod fired;
mod flows;
mod hashing;
mod notify;
mod presentity;
mod proxy;
mod publication;
mod random;
pub mod reach;
mod registrar;
mod removal;
mod respond;
mod restore;
mod shadow;
mod shard;
mod slab;
mod subscription;
mod sweep;
pub mod tokens;
mod transaction;
mod view;
mod watcher;

pub use config::{
    Account, Auth, Config, Everybody, Forking, Lifetime, Profile, Registrar, SaysForking, Timing, Users,
};
pub use effect::{AuthFailure, BindingEnd, Effect, Effects, Event, PublicationEnd, StoreOp, SubscriptionEnd};
pub use egress::{Egress, Peer};
pub use fired::Fired;
pub use input::{Flow, FlowDevice, Input, Notice, Scope, Standing};
pub use limits::Limits;
pub use lockout::Lockout;
pub use mask::Masks;
pub use policy::{
    Assignment, CapturedMerge, CapturedView, GoodAnswer, Hook, NoPolicies, OnFailure, Opinion, PolicyFailure,
    PolicyHost, Ran,
};
pub use query::{Answer, Counts, Query, SeenAnswer};
pub use rate::Rate;
pub use reach::Reach;
pub use record::{Record, Table};
pub use registrar::may_be_kept;
pub use route::Router;
pub use shadow::differences;
pub use shard::Shard;
pub use tributary_sip::proxy::ForkPolicy;
pub use tributary_sip::transaction::{FlowId, Hop, Packet, TransactionId, Transport};
pub use watcher::{Contact, Contacts, NoContacts};
