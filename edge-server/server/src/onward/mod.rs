//! Ways to other servers: names are looked up, connections opened, and used again while they live.
//!
//! ```text
//!   shards ──Wanted──▶ Onward ──locate (RFC 3263)──▶ ways, one after the other
//!                        │                             │ UDP: a socket of ours
//!      Input::Reached ◀──┘                             │ TCP, TLS: one that is open, whoever has
//!                                                      │           opened it, or a new one
//!                                                      ▼
//!                                   a flow like any other: what comes over it goes to the shards
//! ```
//! A connection that we have opened ends when nothing was said over it for `egress.idle_seconds`, or,
//! while a session lasts that began over it, for `egress.session_idle_seconds` (R18).

mod alias;
mod dns;
mod open;
mod trust;

pub(crate) use self::alias::Aliases;
pub(crate) use self::open::Connections;
pub(crate) use self::trust::{Names, PeerCertificates, Trust, TrustError, address};

use self::dns::Dns;
use crate::metrics::count;
use crate::transport::{Datagrams, Services};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tributary_engine::{Hop, Transport};
use tributary_sip::locate::{NextHop, Way, locate};

/// For the whole search: names, and one connection after the other. A transaction waits 32 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// A way that a shard wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) shard: u16,
    pub(crate) errand: u64,
    pub(crate) next: NextHop,
    pub(crate) private: bool,
    pub(crate) tried: Vec<Way>,
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
enum NoWay {
    #[error("the DNS names no address for it; egress.nameservers can say whom to ask")]
    NoAddress,
    #[error("it has no address that was not tried")]
    NoOther,
    #[error("{0} is in a private network; name the host itself in egress.allow if that is meant")]
    Private(SocketAddr),
    #[error("no address of sip.udp is of the family of {0}")]
    NoSocket(SocketAddr),
    #[error("{0}: {1}")]
    Connection(SocketAddr, io::Error),
    #[error("neither the DNS nor a connection has answered in {} s", PATIENCE.as_secs())]
    Late,
}

/// Finds ways.
pub(crate) struct Onward {
    services: Arc<Services>,
    datagrams: Arc<Datagrams>,
    dns: Dns,
    connections: Connections,
}

impl Onward {
    pub(crate) fn new(
        services: Arc<Services>,
        datagrams: Arc<Datagrams>,
        connections: Connections,
        nameservers: &[String],
    ) -> Self {
        Self { services, datagrams, dns: Dns::new(nameservers), connections }
    }

    /// Answers shards until the server stops.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut wanted: mpsc::UnboundedReceiver<Wanted>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let wanted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                wanted = wanted.recv() => wanted,
            };
            // There are as many of them at most as a shard forwards requests at a time.
            match wanted {
                Some(wanted) => drop(tokio::spawn(Arc::clone(&self).answer(wanted))),
                None => return,
            }
        }
    }

    async fn answer(self: Arc<Self>, wanted: Wanted) {
        self.services.metrics.ways_under_way.inc();
        let found = timeout(PATIENCE, self.find(&wanted)).await.unwrap_or(Err(NoWay::Late));
        self.services.metrics.ways_under_way.dec();
        let result = if found.is_ok() { "found" } else { "none" };
        count(&self.services.metrics.ways_sought, "result", result);
        if let Err(cause) = &found {
            let host = &wanted.next.at;
            tracing::info!(%host, tried = wanted.tried.len(), %cause, "no way to another server");
        }
        self.services.shards.reached(wanted.shard, wanted.errand, found.ok()).await;
    }

    async fn find(&self, wanted: &Wanted) -> Result<Hop, NoWay> {
        let mut cause = if wanted.tried.is_empty() { NoWay::NoAddress } else { NoWay::NoOther };
        for way in locate(&wanted.next, &self.dns).await {
            if wanted.tried.contains(&way) {
                continue;
            }
            if !wanted.private && !is_public(way.address.ip()) {
                tracing::warn!(host = %wanted.next.at, address = %way.address, "a name in [egress] by a pattern leads into a private network; name the host itself if that is meant");
                cause = NoWay::Private(way.address);
                continue;
            }
            let hop = match way.transport {
                Transport::Udp => self.datagrams.hop_to(way.address).ok_or(NoWay::NoSocket(way.address)),
                Transport::Tcp | Transport::Tls => {
                    let host = wanted.next.at.host();
                    let hop = self.connections.hop_to(way, host, &self.services).await;
                    hop.map_err(|error| NoWay::Connection(way.address, error))
                }
                Transport::Ws | Transport::Wss => continue,
            };
            match hop {
                Ok(hop) => return Ok(hop),
                Err(failed) => cause = failed,
            }
        }
        Err(cause)
    }
}

/// Whether an address is one of the open network, and leads to nobody's own machines.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || first == 0
                || shared)
        }
        IpAddr::V6(ip) => {
            let mapped = Ipv6Addr::from(ip.octets()).to_ipv4().is_some();
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || mapped)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_told_from_the_open_one() {
        for (address, public) in [
            ("192.0.2.1", true),
            ("8.8.8.8", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("::1", false),
            ("::", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::ffff:10.0.0.1", false),
            ("::10.0.0.1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
