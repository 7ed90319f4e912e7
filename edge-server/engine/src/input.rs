//! What comes into a shard.

use crate::query::Query;
use crate::record::Record;
use std::net::SocketAddr;
use std::sync::Arc;
use tributary_sip::Message;

/// Names one connection; never used again for another one, not even after a restart of the process
/// within the life of the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// How the bytes of a flow travel; decides the transport named in our Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// Datagrams. Nothing but the name yet: retransmission comes with the transaction machines.
    Udp,
}

impl Transport {
    pub(crate) const fn index(self) -> u8 {
        match self {
            Self::Ws => 0,
            Self::Wss => 1,
            Self::Tcp => 2,
            Self::Tls => 3,
            Self::Udp => 4,
        }
    }

    /// A number from a later version of this program reads as WebSocket: the flow is gone anyway.
    pub(crate) const fn from_index(index: u8) -> Self {
        match index {
            1 => Self::Wss,
            2 => Self::Tcp,
            3 => Self::Tls,
            4 => Self::Udp,
            _ => Self::Ws,
        }
    }

    /// The transport as Via spells it.
    #[must_use]
    pub const fn via(self) -> &'static str {
        match self {
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Udp => "UDP",
        }
    }

    /// The transport as a URI parameter spells it (RFC 7118 5.2.4: `ws` also over TLS).
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Ws | Self::Wss => "ws",
            Self::Tcp | Self::Tls => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// The connection that a message came by, as the server knows it at that moment.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Which connection.
    pub id: FlowId,
    /// The other end; used for `received` in logs only, never for identity.
    pub peer: SocketAddr,
    /// How it travels.
    pub transport: Transport,
    /// The address of record that [`Effect::FlowAuthenticated`](crate::Effect::FlowAuthenticated) last named for this flow.
    pub authenticated: Option<Arc<str>>,
    /// The device that [`Effect::FlowRegistered`](crate::Effect::FlowRegistered) last named for this flow.
    pub device: Option<Arc<FlowDevice>>,
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
    /// A SIP message, routed here by [`route`](crate::route::route).
    Message {
        /// The connection that it came by.
        flow: Flow,
        /// The message.
        message: Message,
    },
    /// A connection ended. To be given to every shard.
    FlowClosed {
        /// Which connection.
        flow: FlowId,
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
        /// The flow.
        flow: FlowId,
        /// How the flow travels.
        transport: Transport,
        /// The device.
        device: Arc<FlowDevice>,
        /// The flow that the device was on until now, where the registration moved from there.
        replaces: Option<FlowId>,
    },
}
