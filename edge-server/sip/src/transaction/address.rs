//! Which way answers go: what a server writes into the top Via of a request (RFC 3261 18.2.1,
//! RFC 3581), where it sends the answer (18.2.2), and the Via that a client puts on top (18.1.1).

use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

use super::hop::{Hop, Transport};
use crate::lex::Lex;
use crate::message::Message;
use crate::name::Name;
use crate::uri::host_ip;
use crate::via::{MAGIC_COOKIE, Via};

/// The request with `received` and `rport` of its top Via set to where it came from; `None` when
/// the Via says all already, or cannot be told more.
///
/// `received` is added when sent-by is a name or another address, or rport was asked for
/// (RFC 3581 4); what the sender claimed itself is replaced. Over WebSockets nothing is added:
/// the answer can go one way only, and the address would be that of a proxy (RFC 7118 5.3).
pub fn stamp(request: &Message, from: &Hop) -> Option<Message> {
    if from.transport.is_websocket() {
        return None;
    }
    let source = SocketAddr::new(from.peer.ip().to_canonical(), from.peer.port());
    let value = request.header(Name::Via)?;
    let mut lex = Lex::new(value);
    let via = Via::lex(&mut lex)?;
    let rport = via.params.has("rport");
    if host_ip(via.host) == Some(source.ip()) && !rport && !via.params.has("received") {
        return None;
    }
    let end = lex.at();
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

/// Where an answer goes that has this Via on top, if not back over the connection (RFC 3261
/// 18.2.2, RFC 3581 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerTo<'a> {
    /// This address.
    Address(SocketAddr),
    /// This host has to be looked up (RFC 3263 5).
    Name {
        /// The host of sent-by.
        host: &'a str,
        /// Its port, if it names one.
        port: Option<u16>,
    },
}

/// Reads where an answer goes from a Via that was stamped.
///
/// `maddr` is honoured for multicast addresses only: elsewhere it would let anybody aim our
/// answers at a third party.
pub fn answer_to<'a>(via: &Via<'a>, transport: Transport) -> AnswerTo<'a> {
    let sent_by_port = via.port.unwrap_or(transport.default_port());
    let multicast = via.params.get("maddr").and_then(host_ip).filter(IpAddr::is_multicast);
    if let (Some(address), false) = (multicast, transport.is_reliable()) {
        return AnswerTo::Address(SocketAddr::new(address, sent_by_port));
    }
    let port = via.rport().flatten().filter(|_| !transport.is_reliable()).unwrap_or(sent_by_port);
    match via.received().or_else(|| host_ip(via.host)) {
        Some(address) => AnswerTo::Address(SocketAddr::new(address, port)),
        None => AnswerTo::Name { host: via.host, port: via.port },
    }
}

/// The way back for the answer to a request: the connection it came by, or for datagrams what
/// [`answer_to`] reads; from the same socket, so that it gets through their NAT (RFC 3581 4).
pub fn way_back(request: &Message, from: &Hop) -> Hop {
    if from.transport.is_reliable() {
        return *from;
    }
    match request.via().map(|via| answer_to(&via, from.transport)) {
        Ok(AnswerTo::Address(peer)) => Hop { peer, ..*from },
        _ => *from,
    }
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
