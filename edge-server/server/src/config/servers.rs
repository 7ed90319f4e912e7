//! Other servers: what `[egress]` and `[[peers]]` say, read and checked.

use super::problems::Finder;
use super::{Config, Peer};
use crate::onward::address;
use std::net::SocketAddr;
use std::sync::Arc;
use tributary_engine::egress::{Hosts, Rule};
use tributary_engine::{Egress, Transport};
use tributary_sip::locate::NextHop;
use tributary_sip::{HostPort, Uri};

impl Config {
    /// Where requests may go, and who is trusted: one for each of `[[peers]]`, in their order.
    pub(crate) fn egress(&self) -> Egress {
        let peer = |peer: &Peer| {
            Arc::new(tributary_engine::Peer {
                name: peer.name.clone(),
                domains: peer.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
                route: peer.route.as_deref().and_then(next_hop),
            })
        };
        Egress {
            rules: self.egress.allow.iter().filter_map(|text| rule(text)).collect(),
            peers: self.peers.iter().map(peer).collect(),
            proxy: self.egress.proxy.as_deref().and_then(next_hop),
        }
    }

    pub(super) fn servers(&self, find: &mut Finder<'_>) {
        for text in self.egress.allow.iter().filter(|text| rule(text).is_none()) {
            find.add(
                "egress.allow",
                format!("{text:?} names no hosts"),
                "write it like partner.example, *.partner.example, 192.0.2.7:5070;transport=tcp, or *",
            );
        }
        for text in self.egress.nameservers.iter().filter(|text| text.parse::<SocketAddr>().is_err()) {
            find.add(
                "egress.nameservers",
                format!("{text:?} is no address with a port"),
                "write it like 192.0.2.53:53",
            );
        }
        find.next_hop("egress.proxy", self.egress.proxy.as_ref());
        find.readable("tls.authorities", self.tls.authorities.as_ref());
        for (index, peer) in self.peers.iter().enumerate() {
            self.peer(index, peer, find);
        }
    }

    fn peer(&self, index: usize, peer: &Peer, find: &mut Finder<'_>) {
        let key = |name: &str| format!("peers[{index}].{name}");
        find.next_hop(&key("route"), peer.route.as_ref());
        for domain in peer.domains.iter().filter(|domain| self.serves(domain)) {
            find.add(
                &key("domains"),
                format!("{domain} is one of server.domains, whose users show passwords"),
                "give a domain of the other server's",
            );
        }
        for text in &peer.addresses {
            let problem = match address(text) {
                None => "is no address with or without a port",
                Some((ip, _)) if !ip.is_loopback() => "can be written by anybody as a sender's address",
                Some(_) => continue,
            };
            find.add(
                &key("addresses"),
                format!("{text:?} {problem}"),
                "give an address of this machine, such as 127.0.0.1:5090, or use certificates",
            );
        }
        if !peer.certificates.is_empty() && self.tls.authorities.is_none() {
            find.add(
                &key("certificates"),
                "nobody says which authorities their certificates come from",
                "set tls.authorities to a PEM file",
            );
        }
    }
}

impl Finder<'_> {
    fn next_hop(&mut self, key: &str, text: Option<&String>) {
        if let Some(text) = text.filter(|text| next_hop(text).is_none()) {
            self.add(
                key,
                format!("{text:?} is no SIP URI that leads to a server"),
                "write it like sip:proxy.example.com or sip:192.0.2.7:5061;transport=tls",
            );
        }
    }
}

fn next_hop(text: &str) -> Option<NextHop> {
    NextHop::of(&Uri::parse(text).ok()?)
}

/// `host`, `host:port`, `*.domain` or `*`, and a transport behind it.
fn rule(text: &str) -> Option<Rule> {
    let (hosts, transport) = match text.split_once(";transport=") {
        None => (text, None),
        Some((hosts, "udp")) => (hosts, Some(Transport::Udp)),
        Some((hosts, "tcp")) => (hosts, Some(Transport::Tcp)),
        Some((hosts, "tls")) => (hosts, Some(Transport::Tls)),
        Some(_) => return None,
    };
    if hosts == "*" {
        return Some(Rule { hosts: Hosts::Any, port: None, transport });
    }
    let (below, host) = hosts.strip_prefix("*.").map_or((false, hosts), |domain| (true, domain));
    let host: HostPort = host.parse().ok()?;
    let port = host.port();
    let hosts = if below { Hosts::Below(host.host().to_owned()) } else { Hosts::One(host) };
    Some(Rule { hosts, port, transport })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_a_host_a_domain_or_all_and_nothing_that_cannot_be_read() {
        let one = |text: &str| Hosts::One(text.parse().unwrap());
        for (text, hosts, port, transport) in [
            ("partner.example", one("partner.example"), None, None),
            ("Partner.Example:5070", one("partner.example:5070"), Some(5070), None),
            ("[2001:db8::1]:5061;transport=tls", one("[2001:db8::1]:5061"), Some(5061), Some(Transport::Tls)),
            ("*.partner.example", Hosts::Below("partner.example".to_owned()), None, None),
            ("*;transport=udp", Hosts::Any, None, Some(Transport::Udp)),
        ] {
            assert_eq!(rule(text), Some(Rule { hosts, port, transport }), "{text}");
        }
        for text in
            ["", "a b", "*partner.example", "partner.example;transport=ws", "sip:partner.example", "a.*"]
        {
            assert_eq!(rule(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_other_servers_is_said_with_its_key() {
        let text = r#"
            [server]
            open = true
            [egress]
            allow = ["a b"]
            proxy = "tel:123"
            nameservers = ["192.0.2.53"]
            [[peers]]
            domains = ["example.com"]
            addresses = ["192.0.2.7", "nowhere"]
            certificates = ["rooms.example"]
            route = "rooms"
        "#;
        let problems = Config::read(text, []).unwrap_err().problems;
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "egress.allow",
                "egress.nameservers",
                "egress.proxy",
                "peers[0].route",
                "peers[0].domains",
                "peers[0].addresses",
                "peers[0].addresses",
                "peers[0].certificates",
            ]
        );
    }
}
