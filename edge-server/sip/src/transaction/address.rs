//! Which way answers go: what a server writes into the top Via of a request (RFC 3261 18.2.1,
//! RFC 3581) and where it sends the answer (18.2.2), and the Via that a client puts on top (18.1.1).

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use super::hop::{Hop, Transport};
use crate::lex::Lex;
use crate::message::Message;
use crate::name::Name;
use crate::uri::host_ip;
use crate::via::{MAGIC_COOKIE, Via};

/// A request as it has come from there: with `received` and `rport` of its top Via set to its source, and the
/// way back for its answer, from the same socket, so that it gets through their NAT (RFC 3581 4).
///
/// `received` is added when sent-by is a name or another address, or rport was asked for
/// (RFC 3581 4); what the sender claimed itself is replaced. Over WebSockets nothing is added:
/// the answer can go one way only, and the address would be that of a proxy (RFC 7118 5.3).
///
/// An answer goes back over the connection, or to the source of the datagram: to its port where rport was asked
/// for, and else to that of sent-by (RFC 3261 18.2.2). `maddr` is honoured for multicast addresses only:
/// elsewhere it would let anybody aim our answers at a third party.
pub fn arrived(request: Message, from: &Hop) -> (Message, Hop) {
    if from.transport.is_websocket() {
        return (request, *from);
    }
    let value = request.header(Name::Via).unwrap_or_default();
    let mut lex = Lex::new(value);
    let Some(via) = Via::lex(&mut lex) else { return (request, *from) };
    let source = SocketAddr::new(from.peer.ip().to_canonical(), from.peer.port());
    let rport = via.params.has("rport");
    let way_back = if from.transport.is_reliable() { from.peer } else { answer_to(&via, source, rport) };
    let way_back = Hop { peer: way_back, ..*from };
    if host_ip(via.host) == Some(source.ip()) && !rport && !via.params.has("received") {
        return (request, way_back);
    }
    let stamped = stamp(&request, value, (&via, lex.at()), source, rport);
    (stamped.unwrap_or(request), way_back)
}

fn answer_to(via: &Via<'_>, source: SocketAddr, rport: bool) -> SocketAddr {
    let port = via.port.unwrap_or(Transport::Udp.default_port());
    match via.params.get("maddr").and_then(host_ip).filter(IpAddr::is_multicast) {
        Some(group) => SocketAddr::new(group, port),
        None if rport => source,
        None => SocketAddr::new(source.ip(), port),
    }
}

/// The request with the source in its top Via, which ends at `end` of the header's value.
fn stamp(
    request: &Message,
    value: &str,
    (via, end): (&Via<'_>, usize),
    source: SocketAddr,
    rport: bool,
) -> Option<Message> {
    let mut text = value.get(..end - via.params.as_str().len())?.trim_end().to_owned();
    let claimed = |name: &str| name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport");
    for param in via.params.iter().filter(|param| !claimed(param.name)) {
        text.push(';');
        text.push_str(param.name);
        if let Some(value) = param.value {
            text.push('=');
            text.push_str(value);
        }
    }
    // Writing to a String does not fail.
    let _ = write!(text, ";received={}", source.ip());
    if rport {
        let _ = write!(text, ";rport={}", source.port());
    }
    let line = request.lines.iter().find(|line| line.name == Name::Via)?.value.range();
    request.replaced(line.start..line.start + end, &text)
}

/// A branch of 128 bits: the magic cookie and 26 letters and digits (8.1.1.7).
pub fn branch(entropy: [u8; 16]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut bits = u128::from_be_bytes(entropy);
    let mut text = String::with_capacity(MAGIC_COOKIE.len() + 26);
    text.push_str(MAGIC_COOKIE);
    for _ in 0..26 {
        text.push(char::from(ALPHABET[(bits & 31) as usize]));
        bits >>= 5;
    }
    text
}

/// The Via that a client puts on top of its request (18.1.1), with rport where it means something
/// (RFC 3581 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientVia<'a> {
    /// How the request will travel.
    pub transport: Transport,
    /// Our host, and port where it is not the default.
    pub sent_by: &'a str,
    /// From [`branch`].
    pub branch: &'a str,
    /// Whether the other server may send its requests to us over the same connection (RFC 5923).
    pub alias: bool,
}

impl fmt::Display for ClientVia<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClientVia { transport, sent_by, branch, alias } = self;
        write!(f, "SIP/2.0/{} {sent_by};branch={branch}", transport.via())?;
        f.write_str(match (transport.is_reliable(), alias) {
            (false, _) => ";rport",
            (true, true) => ";alias",
            (true, false) => "",
        })
    }
}
