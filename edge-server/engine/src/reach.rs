//! The names by which others reach us: what stands in Via, Record-Route and Contact, and which URIs in
//! a Route name ourselves.
//!
//! A browser comes back over its WebSocket whatever we call ourselves. A phone and another server do
//! what RFC 3263 says with the name that they were given, so that has to lead to a socket of ours.

use crate::config::Config;
use crate::respond;
use std::net::SocketAddr;
use tributary_sip::transaction::{Hop, Transport};
use tributary_sip::{HostPort, Uri};

/// What others call us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    sockets: Vec<Socket>,
    /// The same as text, without the port that goes without saying.
    names: Vec<Box<str>>,
    aliases: Vec<HostPort>,
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// What it speaks.
    pub transport: Transport,
    /// Where it is bound. Peers of the other address family are given another socket's name.
    pub bound: SocketAddr,
    /// What others are to call it.
    pub name: HostPort,
}

impl Reach {
    /// The sockets, those for datagrams in the order in which flows number them, and further names of
    /// ours that may stand in a Route: those behind an address translation, for instance.
    #[must_use]
    pub fn new(sockets: Vec<Socket>, aliases: Vec<HostPort>) -> Self {
        let name = |socket: &Socket| {
            let name = socket.name.clone().without_port(socket.transport.default_port());
            name.to_string().into()
        };
        Self { names: sockets.iter().map(name).collect(), sockets, aliases }
    }

    /// The name of the socket that a message for `hop` leaves from.
    fn of(&self, hop: &Hop) -> Option<&str> {
        let mut speaking = self.sockets.iter().enumerate().filter(|(_, s)| s.transport == hop.transport);
        let found = match hop.flow.socket() {
            Some(number) => speaking.nth(usize::from(number)),
            None => {
                let family = hop.peer.ip().to_canonical().is_ipv4();
                let of_family = |(_, s): &(usize, &Socket)| s.bound.ip().to_canonical().is_ipv4() == family;
                let first = speaking.clone().next();
                speaking.find(of_family).or(first)
            }
        };
        self.names.get(found?.0).map(|name| &**name)
    }

    fn is_named(&self, host: &str) -> bool {
        self.sockets.iter().any(|socket| socket.name.is_host(host))
            || self.aliases.iter().any(|alias| alias.is_host(host))
    }

    fn has_port(&self, port: u16) -> bool {
        let of_socket = |socket: &Socket| socket.bound.port() == port || socket.name.port() == Some(port);
        self.sockets.is_empty()
            || self.sockets.iter().any(of_socket)
            || self.aliases.iter().any(|alias| alias.port() == Some(port))
    }
}

impl Config {
    /// What we call ourselves in what goes over a hop.
    pub(crate) fn sent_by(&self, hop: &Hop) -> &str {
        self.reach.of(hop).unwrap_or_else(|| respond::agent(self))
    }

    /// Whether others can connect to us by the transport of a hop.
    pub(crate) fn listens_for(&self, hop: Hop) -> bool {
        self.reach.of(&hop).is_some()
    }

    /// Whether a domain is served here.
    pub(crate) fn serves(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// Whether the registrar that a REGISTER is for is this one. By an address a phone has found us, through
    /// whatever translation: nobody else's domain is called so.
    pub(crate) fn is_registrar(&self, host: &str) -> bool {
        let is_address = || host.parse::<HostPort>().is_ok_and(|host| host.ip().is_some());
        self.serves(host) || self.reach.is_named(host) || is_address()
    }

    /// Whether a host and port are ours.
    pub(crate) fn is_us(&self, host: &str, port: Option<u16>) -> bool {
        (self.serves(host) || self.reach.is_named(host)) && port.is_none_or(|port| self.reach.has_port(port))
    }

    /// Whether a URI of a Route leads to us. What goes over a WebSocket that it names can be for nobody
    /// else, by whatever name a page has found us: only clients open those (RFC 7118 5).
    pub(crate) fn is_our_route(&self, uri: &Uri<'_>) -> bool {
        let websocket = uri.params.get("transport").is_some_and(|transport| {
            transport.eq_ignore_ascii_case("ws") || transport.eq_ignore_ascii_case("wss")
        });
        uri.is_sip() && uri.params.has("lr") && (websocket || self.is_us(uri.host, uri.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_sip::transaction::FlowId;

    fn socket(transport: Transport, bound: &str, name: &str) -> Socket {
        Socket { transport, bound: bound.parse().unwrap(), name: name.parse().unwrap() }
    }

    fn reach() -> Reach {
        let sockets = vec![
            socket(Transport::Wss, "0.0.0.0:443", "example.com"),
            socket(Transport::Udp, "192.0.2.1:5060", "192.0.2.1:5060"),
            socket(Transport::Udp, "[2001:db8::1]:5060", "[2001:db8::1]:5060"),
            socket(Transport::Tcp, "[::]:5080", "six.example.com:5080"),
            socket(Transport::Tcp, "0.0.0.0:5070", "four.example.com:5080"),
            socket(Transport::Tls, "0.0.0.0:5061", "four.example.com:5061"),
        ];
        Reach::new(sockets, vec!["203.0.113.5".parse().unwrap()])
    }

    #[test]
    fn each_peer_is_given_the_name_of_the_socket_that_speaks_to_it() {
        let reach = reach();
        let datagrams = |number| FlowId::of_datagrams(number, "198.51.100.1:9".parse().unwrap(), [1, 2]);
        for (transport, flow, peer, name) in [
            (Transport::Udp, datagrams(0), "198.51.100.1:9", Some("192.0.2.1")),
            (Transport::Udp, datagrams(1), "[2001:db8::9]:9", Some("[2001:db8::1]")),
            (Transport::Udp, datagrams(7), "198.51.100.1:9", None),
            (Transport::Tcp, None, "198.51.100.1:9", Some("four.example.com:5080")),
            (Transport::Tcp, None, "[::ffff:198.51.100.1]:9", Some("four.example.com:5080")),
            (Transport::Tcp, None, "[2001:db8::9]:9", Some("six.example.com:5080")),
            (Transport::Tls, None, "[2001:db8::9]:9", Some("four.example.com")),
            (Transport::Wss, None, "198.51.100.1:9", Some("example.com")),
            (Transport::Ws, None, "198.51.100.1:9", None),
        ] {
            let hop = Hop { flow: flow.unwrap_or(FlowId(1)), transport, peer: peer.parse().unwrap() };
            assert_eq!(reach.of(&hop), name, "{hop:?}");
        }
    }

    #[test]
    fn what_a_route_names_is_ours_by_host_and_port_or_because_it_is_a_websocket() {
        let config = Config { reach: reach(), ..Config::of_trial("example.com") };
        for (uri, ours) in [
            ("sip:example.com;lr", true),
            ("sip:EXAMPLE.com.;lr", true),
            ("sip:example.com", false),
            ("sip:example.com:5060;lr", true),
            ("sip:example.com:5099;lr", false),
            ("sip:token@192.0.2.1;transport=udp;lr", true),
            ("sip:four.example.com:5070;lr", true),
            ("sip:203.0.113.5:5061;transport=tls;lr", true),
            ("sip:[2001:db8:0::1];lr", true),
            ("sip:other.example:443;transport=ws;lr", true),
            ("sip:other.example;transport=tcp;lr", false),
            ("tel:123", false),
        ] {
            assert_eq!(config.is_our_route(&Uri::parse(uri).unwrap()), ours, "{uri}");
        }
    }
}
