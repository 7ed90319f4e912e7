//! Flow tokens: a connection named in the user part of our Path, Record-Route and Service-Route
//! URIs, so that requests find their way back to the client over it (RFC 5626 5.2, 5.3).
//!
//! ```text
//!   client ==flow==> we --- Path: <sip:TOKEN@edge.example;lr;ob> ---> registrar
//!
//!   Route: <sip:TOKEN@edge.example;lr>  --FlowToken::open-->  forged: 403
//!                                                             the flow is gone: 430
//!                                                             it came by this flow: outgoing
//!                                                             else: send it over this flow
//! ```
//! A token is [sealed](SealingKeys): nobody else can make one, so no request is sent over another
//! user's flow (R19), and a peer that sees it in a Record-Route does not learn the client's address.
//! Names of flows begin anew when a process does; a token names the run that made it as well.

use std::net::{IpAddr, SocketAddr};

use crate::seal::{Purpose, SealingKeys};
use crate::transaction::{FlowId, Hop, Transport};

/// A flow of one run of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowToken {
    /// Random at each start of a process. Whoever opens a token of another run passes the request on
    /// to that node, or answers 430.
    pub run: u64,
    /// The flow and its other end.
    pub hop: Hop,
    /// Whether we have opened the way there ourselves, and so can open it again when it is gone.
    pub opened: bool,
}

/// Beside the transport: that we have opened the way.
const OPENED: u8 = 1 << 7;

impl FlowToken {
    /// The user part.
    pub fn seal(&self, keys: &SealingKeys) -> String {
        let Hop { flow, transport, peer } = self.hop;
        let mut plain = Vec::with_capacity(35);
        plain.push(transport as u8 | if self.opened { OPENED } else { 0 });
        plain.extend(self.run.to_be_bytes());
        plain.extend(flow.0.to_be_bytes());
        plain.extend(peer.port().to_be_bytes());
        match peer.ip() {
            IpAddr::V4(ip) => plain.extend(ip.octets()),
            IpAddr::V6(ip) => plain.extend(ip.octets()),
        }
        keys.seal(Purpose::FlowToken, &plain)
    }

    /// Opens a user part; `None`: 403.
    pub fn open(keys: &SealingKeys, token: &str) -> Option<FlowToken> {
        let plain = keys.open(Purpose::FlowToken, token)?;
        let (&[first], rest) = plain.split_first_chunk::<1>()?;
        let (opened, transport) = (first & OPENED != 0, first & !OPENED);
        let (run, rest) = rest.split_first_chunk::<8>()?;
        let (flow, rest) = rest.split_first_chunk::<8>()?;
        let (port, address) = rest.split_first_chunk::<2>()?;
        let ip = match address.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
            _ => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        };
        let all = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
        let hop = Hop {
            flow: FlowId(u64::from_be_bytes(*flow)),
            transport: all.into_iter().find(|known| *known as u8 == transport)?,
            peer: SocketAddr::new(ip, u16::from_be_bytes(*port)),
        };
        Some(FlowToken { run: u64::from_be_bytes(*run), hop, opened })
    }

    /// Whether a request came by this very flow: then it goes out into the world, and else in to the
    /// client (5.3).
    pub fn is_source(&self, run: u64, hop: &Hop) -> bool {
        self.run == run && self.hop.flow == hop.flow && self.hop.transport == hop.transport
    }
}
