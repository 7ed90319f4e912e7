//! Where messages come from and go to, and what is sent.

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

/// One step of a message's way: from a peer to us, or from us to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The connection, or the socket that datagrams use. Never used again for another.
    pub flow: u64,
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
