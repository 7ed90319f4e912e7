//! What others are to call this server, worked out of where it listens and what the configuration says.

use super::ports::SipAddresses;
use crate::config::Config;
use nix::ifaddrs::getifaddrs;
use std::net::{IpAddr, SocketAddr};
use tributary_engine::Transport;
use tributary_engine::reach::{Reach, Socket};
use tributary_sip::HostPort;

/// The names of the sockets that are bound, and everything else that a Route may call us.
pub(super) fn reach(config: &Config, http: SocketAddr, sip: &SipAddresses) -> Reach {
    let web = if config.has_tls() { Transport::Wss } else { Transport::Ws };
    // Browsers come back over their connection, so a domain says enough.
    let web = Socket { transport: web, bound: http, name: HostPort::new(config.first_domain(), None) };
    let kinds = [(Transport::Udp, &sip.udp), (Transport::Tcp, &sip.tcp), (Transport::Tls, &sip.tls)];
    let phones = kinds.into_iter().flat_map(|(transport, addresses)| {
        addresses.iter().map(move |bound| Socket {
            transport,
            bound: *bound,
            name: name(config, transport, *bound),
        })
    });
    let sockets: Vec<Socket> = std::iter::once(web).chain(phones).collect();
    let mut aliases: Vec<HostPort> =
        config.sip.aliases.iter().filter_map(|alias| alias.parse().ok()).collect();
    if sockets.iter().any(|socket| socket.bound.ip().is_unspecified()) {
        aliases.extend(
            own_addresses().map(|ip| HostPort::new(HostPort::from(SocketAddr::new(ip, 0)).host(), None)),
        );
    }
    Reach::new(sockets, aliases)
}

/// What is configured, or else the address where that says where to go, or else the first domain.
fn name(config: &Config, transport: Transport, bound: SocketAddr) -> HostPort {
    let configured = config.sip.advertise.get(&transport.via().to_ascii_lowercase());
    match configured.and_then(|name| name.parse::<HostPort>().ok()) {
        Some(name) => HostPort::new(name.host(), name.port().or(Some(bound.port()))),
        None if bound.ip().is_unspecified() => HostPort::new(config.first_domain(), Some(bound.port())),
        None => bound.into(),
    }
}

/// The addresses of this machine's interfaces.
fn own_addresses() -> impl Iterator<Item = IpAddr> {
    let interfaces = getifaddrs().inspect_err(|error| {
        tracing::warn!(%error, "the addresses of this machine are not known; sip.aliases can name them");
    });
    interfaces.into_iter().flatten().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))
    })
}
