//! What comes into a shard.

use crate::egress::Peer;
use crate::policy::Ran;
use crate::query::Query;
use crate::record::Record;
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_sip::Message;
use tributary_sip::transaction::{FlowId, Hop, TransactionId};

/// The way that a message came, as the server knows it at that moment.
///
/// Everything hangs on flows: subscriptions, bindings, publications, limits. Datagrams have one as
/// well, worked out of socket and peer ([`FlowId::of_datagrams`]): it never closes, so that what hangs
/// on it ends by its own time or by a NOTIFY that nobody answers, and nothing is believed because of
/// it, for anybody can write a sender's address.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Connection or socket, transport and peer.
    pub hop: Hop,
    /// What [`Effect::FlowAuthenticated`](crate::Effect::FlowAuthenticated) last said of this flow.
    pub authenticated: Option<Standing>,
    /// The device that [`Effect::FlowRegistered`](crate::Effect::FlowRegistered) last named for this flow.
    pub device: Option<Arc<FlowDevice>>,
    /// The server at the other end that is trusted: by its certificate, or by its address.
    pub peer: Option<Arc<Peer>>,
}

impl Flow {
    /// A flow of which nothing is known.
    #[must_use]
    pub const fn new(hop: Hop) -> Self {
        Self { hop, authenticated: None, device: None, peer: None }
    }

    /// Which connection, or what stands for it.
    #[must_use]
    pub const fn id(&self) -> FlowId {
        self.hop.flow
    }
}

/// Who was proven to be at the other end of a flow, and until when that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `sip:alice@example.com`.
    pub aor: Arc<str>,
    /// From then on the next request has to prove it again.
    pub until: Millis,
}

/// Which device registered over a flow: how a subscription finds its watcher again on a new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowDevice {
    /// The registered address of record, `sip:alice@example.com`.
    pub aor: Arc<str>,
    /// `+sip.instance` without its brackets, or the Contact URI where there is no instance.
    pub key: Arc<str>,
}

/// One event for a shard.
#[derive(Debug)]
pub enum Input {
    /// A SIP message, routed here by a [`Router`](crate::Router).
    Message {
        /// The connection that it came by.
        flow: Flow,
        /// The message.
        message: Message,
    },
    /// A connection ended. To be given to every shard. Flows of datagrams do not end.
    FlowClosed {
        /// Which connection.
        flow: FlowId,
    },
    /// What [`Effect::Send`](crate::Effect::Send) of this shard named could not be sent: a datagram, or
    /// something for a connection that is gone, which a request in a dialog may name long after.
    SendFailed {
        /// From that effect.
        transaction: TransactionId,
    },
    /// The answer to [`Effect::Reach`](crate::Effect::Reach).
    Reached {
        /// From that effect.
        errand: u64,
        /// The way; none where there is none that was not tried.
        found: Option<Hop>,
    },
    /// The time that [`Shard::poll_timeout`](crate::Shard::poll_timeout) named has come.
    Tick,
    /// A record from the store, before any message.
    Restore(Box<Record>),
    /// All records were given: deadlines of grace begin to run.
    Restored,
    /// A device registered with another shard: what [`Effect::Broadcast`](crate::Effect::Broadcast) carried.
    Notice(Notice),
    /// Another policy, or other parameters, are in force.
    PolicyChanged {
        /// For whom.
        scope: Scope,
    },
    /// A policy that [`PolicyHost::begin`](crate::PolicyHost::begin) had run elsewhere has come to this.
    PolicyAnswered {
        /// Whose state it was asked about.
        aor: Arc<str>,
        /// The number that it was begun with.
        question: u64,
        /// What it came to.
        ran: Box<Ran>,
    },
    /// A user knows others than before: who watches that user may be something else to them now.
    ContactsChanged {
        /// `sip:alice@example.com`, canonical.
        aor: String,
    },
    /// A question of the HTTP API.
    Query {
        /// Comes back in [`Effect::Answer`](crate::Effect::Answer).
        id: u64,
        /// What is asked.
        query: Query,
    },
    /// There is no such user any more, for the directory no longer names it. To be given to every
    /// shard, after the directory has changed: what the user published and registered ends, who
    /// watched the user is told so, and what the user watched is over.
    UserRemoved {
        /// `sip:alice@example.com`, canonical.
        aor: String,
    },
    /// The process is about to end. From here on only queries are answered: nothing is sent, stored or
    /// timed, and clients come back to the restored state.
    Shutdown,
}

/// Whom a change of policy concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everyone.
    All,
    /// The users of one tenant.
    Tenant(String),
    /// The users of one domain, lower case.
    Domain(String),
    /// One address of record, `sip:alice@example.com`.
    User(String),
}

/// A fact of one shard that the others need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A device is (again) reachable over this flow.
    DeviceOnFlow {
        /// The flow, and where it leads.
        hop: Hop,
        /// The device.
        device: Arc<FlowDevice>,
        /// The flow that the device was on until now, where the registration moved from there.
        replaces: Option<FlowId>,
    },
}
