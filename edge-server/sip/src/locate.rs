//! Where the next hop is: from the URI of a request to addresses, in the order in which they are tried
//! (RFC 3263 4).
//!
//! ```text
//!   sip:example.com ──NAPTR──▶ _sips._tcp.example.com ──SRV──▶ sip1.example.com:5061 ──A, AAAA──▶ ways
//!                        │none                            │none
//!                        └▶ SRV for each transport        └▶ A, AAAA of example.com, the usual port
//! ```
//! [`locate`] asks a [`Lookup`] one thing after the other, and does nothing else: who answers from the
//! network is the server's business, and a test answers from a table.

use std::net::{IpAddr, SocketAddr};

use crate::host_port::HostPort;
use crate::transaction::Transport;
use crate::uri::{Scheme, Uri};

/// Ways that are tried for one request. Beyond, a name has too many addresses to be true.
pub const MOST_WAYS: usize = 8;

/// Names that the records of one name may lead to.
const MOST_NAMES: usize = 8;

/// The transports that we open to others, the best first. WebSockets are opened by clients alone
/// (RFC 7118 5).
const SPOKEN: [Transport; 3] = [Transport::Tls, Transport::Tcp, Transport::Udp];

/// What the next hop is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    /// Host, and port where one is said. A certificate has to name this host, whatever records it
    /// leads to (RFC 5922 4).
    pub at: HostPort,
    /// The transport, where one is said.
    pub transport: Option<Transport>,
    /// `sips`: nothing but TLS.
    pub secure: bool,
}

impl NextHop {
    /// That of a URI. `None` for one that is no SIP, or that asks for a transport that is not spoken
    /// to others.
    pub fn of(uri: &Uri<'_>) -> Option<NextHop> {
        let secure = match uri.scheme {
            Scheme::Sip => false,
            Scheme::Sips => true,
            Scheme::Other(_) => return None,
        };
        let transport = match uri.params.get("transport") {
            None => None,
            Some(text) if text.eq_ignore_ascii_case("udp") && !secure => Some(Transport::Udp),
            Some(text) if text.eq_ignore_ascii_case("tcp") && !secure => Some(Transport::Tcp),
            // Deprecated, and said by everybody (RFC 3261 26.2.2).
            Some(text) if text.eq_ignore_ascii_case("tls") || text.eq_ignore_ascii_case("tcp") => {
                Some(Transport::Tls)
            }
            Some(_) => return None,
        };
        // `maddr` would lead past what the host says of itself.
        Some(NextHop { at: HostPort::new(uri.host, uri.port), transport, secure })
    }

    /// With this transport, whatever was said.
    #[must_use]
    pub fn over(mut self, transport: Transport) -> NextHop {
        self.transport = Some(transport);
        self
    }

    fn may(&self, transport: Transport) -> bool {
        SPOKEN.contains(&transport) && (!self.secure || transport == Transport::Tls)
    }
}

/// One way to a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Way {
    /// How.
    pub transport: Transport,
    /// To where.
    pub address: SocketAddr,
}

/// A NAPTR record with the flag `s` (RFC 3403).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first.
    pub order: u16,
    /// Lower first, of those with one order.
    pub preference: u16,
    /// `SIPS+D2T`.
    pub service: String,
    /// The name of SRV records.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// How often, of those with one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host.
    pub target: String,
}

/// Who answers what is asked of the DNS. No record is no failure: it is an empty answer.
pub trait Lookup: Sync {
    /// The NAPTR records of a name.
    fn naptr(&self, name: &str) -> impl Future<Output = Vec<Naptr>> + Send;
    /// The SRV records of a name.
    fn srv(&self, name: &str) -> impl Future<Output = Vec<Srv>> + Send;
    /// The addresses of a name, the family first that is to be tried first.
    fn addresses(&self, name: &str) -> impl Future<Output = Vec<IpAddr>> + Send;
    /// A number below `below`, which is not 0: SRV records of one priority take turns by their weights.
    fn draw(&self, below: u32) -> u32;
}

/// The ways to a next hop, in the order in which they are to be tried; at most [`MOST_WAYS`].
pub async fn locate(next: &NextHop, lookup: &impl Lookup) -> Vec<Way> {
    let mut ways = Vec::new();
    let host = next.at.host();
    // 4.1: an address or a port leaves nothing to be asked about the transport.
    let settled = next.transport.or_else(|| {
        let said = next.at.ip().is_some() || next.at.port().is_some();
        said.then_some(if next.secure { Transport::Tls } else { Transport::Udp })
    });
    if let Some(transport) = settled.filter(|transport| next.may(*transport)) {
        if next.at.ip().is_some() || next.at.port().is_some() {
            let port = next.at.port().unwrap_or(transport.default_port());
            add_host(&mut ways, transport, &next.at, port, lookup).await;
        } else if !add_service(&mut ways, transport, &service(transport, host), lookup).await {
            add_host(&mut ways, transport, &next.at, transport.default_port(), lookup).await;
        }
        return ways;
    }
    if settled.is_some() {
        return ways;
    }
    let mut found = false;
    for (transport, name) in services_of(next, lookup).await {
        found |= add_service(&mut ways, transport, &name, lookup).await;
    }
    if !found {
        let transport = if next.secure { Transport::Tls } else { Transport::Udp };
        add_host(&mut ways, transport, &next.at, transport.default_port(), lookup).await;
    }
    ways
}

/// The names of SRV records that a host's NAPTR records give, or else those that are usual.
async fn services_of(next: &NextHop, lookup: &impl Lookup) -> Vec<(Transport, String)> {
    let mut records = lookup.naptr(next.at.host()).await;
    records.sort_by_key(|record| (record.order, record.preference));
    let known = records.into_iter().filter_map(|record| {
        let transport = match record.service.to_ascii_uppercase().as_str() {
            "SIPS+D2T" => Transport::Tls,
            "SIP+D2T" => Transport::Tcp,
            "SIP+D2U" => Transport::Udp,
            _ => return None,
        };
        next.may(transport).then_some((transport, record.replacement))
    });
    let named: Vec<_> = known.take(MOST_NAMES).collect();
    if !named.is_empty() {
        return named;
    }
    let usual = SPOKEN.into_iter().filter(|transport| next.may(*transport));
    usual.map(|transport| (transport, service(transport, next.at.host()))).collect()
}

fn service(transport: Transport, host: &str) -> String {
    let service = match transport {
        Transport::Tls | Transport::Wss => "_sips._tcp",
        Transport::Tcp | Transport::Ws => "_sip._tcp",
        Transport::Udp => "_sip._udp",
    };
    format!("{service}.{host}")
}

/// Whether there are such records; one that names no host says that the service is not offered.
async fn add_service(ways: &mut Vec<Way>, transport: Transport, name: &str, lookup: &impl Lookup) -> bool {
    let mut records = lookup.srv(name).await;
    let any = !records.is_empty();
    records.retain(|record| !matches!(record.target.as_str(), "" | "."));
    for record in in_order(records, lookup).into_iter().take(MOST_NAMES) {
        let host = HostPort::new(&record.target, None);
        add_host(ways, transport, &host, record.port, lookup).await;
    }
    any
}

/// By priority, and within one priority drawn by weight (RFC 2782).
fn in_order(mut records: Vec<Srv>, lookup: &impl Lookup) -> Vec<Srv> {
    // Those without weight first, so that they are drawn now and then.
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let peers = records.iter().take_while(|record| record.priority == priority);
        let sum: u32 = peers.clone().map(|record| u32::from(record.weight)).sum();
        let mut drawn = lookup.draw(sum + 1);
        let weights: Vec<u32> = peers.map(|record| u32::from(record.weight)).collect();
        let at = weights.iter().position(|weight| {
            let chosen = drawn <= *weight;
            drawn = drawn.saturating_sub(*weight);
            chosen
        });
        ordered.push(records.remove(at.unwrap_or(0)));
    }
    ordered
}

async fn add_host(
    ways: &mut Vec<Way>,
    transport: Transport,
    host: &HostPort,
    port: u16,
    lookup: &impl Lookup,
) {
    if ways.len() >= MOST_WAYS {
        return;
    }
    let addresses = match host.ip() {
        Some(address) => vec![address],
        None => lookup.addresses(host.host()).await,
    };
    for address in addresses {
        let way = Way { transport, address: SocketAddr::new(address, port) };
        if ways.len() < MOST_WAYS && !ways.contains(&way) {
            ways.push(way);
        }
    }
}
