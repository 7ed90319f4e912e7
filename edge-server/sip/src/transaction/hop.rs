//! Where messages come from and go to, and what is sent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use bytes::Bytes;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams: the one transport that loses messages.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// Whether what is sent arrives, in order, or the connection breaks.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// Whether a message can come back on no other connection than the one it came by.
    pub const fn is_websocket(self) -> bool {
        matches!(self, Transport::Ws | Transport::Wss)
    }

    /// As Via spells it.
    pub const fn via(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// As a URI's parameter spells it: `ws` also over TLS (RFC 7118 5.2.4). `tls` is deprecated
    /// (RFC 3261 26.2.2) and understood by everybody, as `tcp` with `sip:` is by nobody.
    pub const fn uri(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws | Transport::Wss => "ws",
        }
    }

    /// The port where sent-by names none (RFC 3261 18.2.2, RFC 7118 5.2.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

/// Names a connection; never used again for another.
///
/// Datagrams know no connections, but everything above them hangs on some: for them the name stands
/// for a socket of ours and a peer, and is worked out from the two. So nobody keeps a table of peers
/// or has to find out when one has gone, and who sends finds the socket in the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

impl FlowId {
    /// Sockets for datagrams that can be told apart: 0 to 126. So no name has all bits set.
    pub const SOCKETS: u8 = 127;

    const DATAGRAMS: u64 = 1 << 63;
    const PEER_BITS: u32 = 56;

    /// The flow of the datagrams between a socket of ours and a peer. With a `secret` of the server's,
    /// nobody can choose an address whose flow is that of another; it must be the same after a
    /// restart, for what is stored names flows. Connections have names below 2^63. `None` unless
    /// `socket` is below [`SOCKETS`](Self::SOCKETS).
    pub fn of_datagrams(socket: u8, peer: SocketAddr, secret: [u64; 2]) -> Option<FlowId> {
        if socket >= FlowId::SOCKETS {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        (secret, peer.ip().to_canonical(), peer.port()).hash(&mut hasher);
        let peer = hasher.finish() >> (u64::BITS - FlowId::PEER_BITS);
        Some(FlowId(FlowId::DATAGRAMS | u64::from(socket) << FlowId::PEER_BITS | peer))
    }

    /// The socket of a flow of datagrams; `None` of a connection.
    pub const fn socket(self) -> Option<u8> {
        let socket = (self.0 >> FlowId::PEER_BITS) as u8 & 0x7f;
        if self.0 & FlowId::DATAGRAMS == 0 { None } else { Some(socket) }
    }
}

/// One step of a message's way: from a peer to us, or from us to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The connection, or what stands for it.
    pub flow: FlowId,
    /// How it travels.
    pub transport: Transport,
    /// The other end.
    pub peer: SocketAddr,
}

/// A message to send: the head of its own, and a body that it may share with thousands of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Start line, headers and the empty line.
    pub head: Bytes,
    /// The body; may be empty.
    pub body: Bytes,
}

impl Packet {
    /// Length on the wire.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message in one piece: without a copy where there is no body.
    pub fn to_bytes(&self) -> Bytes {
        if self.body.is_empty() {
            return self.head.clone();
        }
        [self.head.as_ref(), self.body.as_ref()].concat().into()
    }
}

impl From<Bytes> for Packet {
    /// A message in one piece.
    fn from(head: Bytes) -> Packet {
        Packet { head, body: Bytes::new() }
    }
}
