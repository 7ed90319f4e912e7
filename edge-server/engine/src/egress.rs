//! Where requests may go beyond our own users, and which servers may send us some (R15 to R17).
//!
//! Nothing goes anywhere unless the operator has named it: who may send a request through us could else
//! have us talk to any host and port that we can reach.

use std::sync::Arc;
use tributary_sip::HostPort;
use tributary_sip::locate::NextHop;
use tributary_sip::transaction::Transport;

/// Other servers: those that requests may go to, and those that are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// Hosts that requests may go to.
    pub rules: Vec<Rule>,
    /// Servers that are trusted; each may be sent requests, too.
    pub peers: Vec<Arc<Peer>>,
    /// Where all goes that goes out, whatever its URI says.
    pub proxy: Option<NextHop>,
}

/// Hosts that requests may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which.
    pub hosts: Hosts,
    /// This port alone; a URI without a port has none.
    pub port: Option<u16>,
    /// This transport alone.
    pub transport: Option<Transport>,
}

/// A set of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// All.
    Any,
    /// Those below this domain, lower case; itself not.
    Below(String),
    /// One.
    One(HostPort),
}

/// A server that is believed who its users are, and that need not register (R15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// For the log.
    pub name: String,
    /// The domains that it may speak for, lower case: From is of one of them.
    pub domains: Vec<String>,
    /// Where requests for these domains go, and not to where their URI says.
    pub route: Option<NextHop>,
}

/// A next hop that requests may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    /// Where it goes.
    pub next: NextHop,
    /// Whether it may be in a private network: it was named itself, and not by a pattern.
    pub private: bool,
    /// Whether it is a trusted server.
    pub trusted: bool,
}

impl Egress {
    /// Where a request goes whose Route or Request-URI names this next hop; `None` if nowhere.
    #[must_use]
    pub fn permit(&self, next: NextHop) -> Option<Permitted> {
        let domain = next.at.host();
        let peer = self.peers.iter().find(|peer| peer.domains.iter().any(|its| its == domain));
        if let Some(route) = peer.and_then(|peer| peer.route.as_ref()) {
            return Some(Permitted { next: route.clone(), private: true, trusted: true });
        }
        let at_route =
            self.peers.iter().filter_map(|peer| peer.route.as_ref()).any(|route| route.at == next.at);
        let named = peer.is_some() || at_route;
        let rules = || self.rules.iter().filter(|rule| rule.permits(&next));
        let private = named || rules().any(|rule| matches!(rule.hosts, Hosts::One(_)));
        if !private && rules().next().is_none() {
            return None;
        }
        let next = self.proxy.clone().unwrap_or(next);
        Some(Permitted { private: private || self.proxy.is_some(), next, trusted: named })
    }
}

impl Rule {
    fn permits(&self, next: &NextHop) -> bool {
        let host = match &self.hosts {
            Hosts::Any => true,
            Hosts::Below(domain) => {
                let below = next.at.host().strip_suffix(domain.as_str());
                below.is_some_and(|below| below.ends_with('.') && below.len() > 1)
            }
            Hosts::One(host) => next.at.is_host(host.host()),
        };
        host && self.port.is_none_or(|port| next.at.port() == Some(port))
            && self.transport.is_none_or(|transport| next.transport == Some(transport))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_sip::Uri;

    fn next(uri: &str) -> NextHop {
        NextHop::of(&Uri::parse(uri).unwrap()).unwrap()
    }

    fn rule(hosts: Hosts) -> Rule {
        Rule { hosts, port: None, transport: None }
    }

    fn one(host: &str) -> Hosts {
        Hosts::One(host.parse().unwrap())
    }

    #[test]
    fn what_is_named_is_permitted_and_nothing_else_is() {
        let egress = Egress {
            rules: vec![
                rule(one("partner.example")),
                rule(Hosts::Below("branch.example".to_owned())),
                Rule { port: Some(5070), transport: Some(Transport::Tcp), ..rule(one("192.0.2.7")) },
            ],
            ..Egress::default()
        };
        for (uri, private) in [
            ("sip:bob@partner.example", Some(true)),
            ("sip:bob@PARTNER.example:5099;transport=udp", Some(true)),
            ("sip:bob@sub.partner.example", None),
            ("sip:bob@a.branch.example", Some(false)),
            ("sip:bob@branch.example", None),
            ("sip:bob@notbranch.example", None),
            ("sip:bob@192.0.2.7:5070;transport=tcp", Some(true)),
            ("sip:bob@192.0.2.7:5070", None),
            ("sip:bob@192.0.2.7:5071;transport=tcp", None),
            ("sip:bob@192.0.2.8:5070;transport=tcp", None),
        ] {
            let permitted = egress.permit(next(uri));
            assert_eq!(permitted.as_ref().map(|permitted| permitted.private), private, "{uri}");
            assert!(permitted.is_none_or(|permitted| permitted.next == next(uri)), "{uri}");
        }
        assert_eq!(Egress::default().permit(next("sip:bob@partner.example")), None);
        let any = Egress { rules: vec![rule(Hosts::Any)], ..Egress::default() };
        assert!(any.permit(next("sip:10.0.0.1:22")).is_some_and(|permitted| !permitted.private));
    }

    #[test]
    fn what_is_for_a_peers_domain_takes_the_peers_route_and_the_rest_the_outbound_proxy() {
        let peer = Peer {
            name: "rooms".to_owned(),
            domains: vec!["rooms.example".to_owned()],
            route: Some(next("sip:127.0.0.1:5090;transport=tcp")),
        };
        let egress = Egress {
            rules: vec![rule(Hosts::Any)],
            peers: vec![Arc::new(peer)],
            proxy: Some(next("sip:proxy.example;transport=tls")),
        };
        let goes = |uri| egress.permit(next(uri)).unwrap().next;
        assert_eq!(goes("sip:lobby@rooms.example"), next("sip:127.0.0.1:5090;transport=tcp"));
        assert_eq!(goes("sip:bob@other.example"), next("sip:proxy.example;transport=tls"));
    }
}
