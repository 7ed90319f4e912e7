//! RFC 3263 against tables of records.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use tributary_sip::locate::{Lookup, MOST_WAYS, Naptr, NextHop, Srv, locate};
use tributary_sip::{HostPort, Uri};

/// Records as a zone file has them: `name TYPE value`.
struct Zone {
    records: &'static str,
    asked: Mutex<Vec<String>>,
    /// What is drawn, each below what is asked for.
    draws: Mutex<Vec<u32>>,
}

impl Zone {
    fn of<'a>(&'a self, name: &str, kind: &str) -> Vec<Vec<&'a str>> {
        self.asked.lock().unwrap().push(format!("{kind} {name}"));
        let lines = self.records.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let its = lines.filter(|line| line.len() > 2 && line[0] == name && line[1] == kind);
        its.map(|line| line[2..].to_vec()).collect()
    }
}

impl Lookup for Zone {
    async fn naptr(&self, name: &str) -> Vec<Naptr> {
        let number = |text: &str| text.parse().unwrap();
        let records = self.of(name, "NAPTR").into_iter().map(|values| Naptr {
            order: number(values[0]),
            preference: number(values[1]),
            service: values[2].to_owned(),
            replacement: values[3].to_owned(),
        });
        records.collect()
    }

    async fn srv(&self, name: &str) -> Vec<Srv> {
        let number = |text: &str| text.parse().unwrap();
        let records = self.of(name, "SRV").into_iter().map(|values| Srv {
            priority: number(values[0]),
            weight: number(values[1]),
            port: number(values[2]),
            target: values[3].to_owned(),
        });
        records.collect()
    }

    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.of(name, "A").into_iter().map(|values| values[0].parse().unwrap()).collect()
    }

    fn draw(&self, below: u32) -> u32 {
        let drawn = self.draws.lock().unwrap().pop().unwrap_or(0);
        assert!(drawn < below, "{drawn} of {below}");
        drawn
    }
}

/// The ways to a URI, a line each, and what was asked.
fn ways(records: &'static str, uri: &str, draws: &[u32]) -> (Vec<String>, Vec<String>) {
    let mut draws = draws.to_vec();
    draws.reverse();
    let zone = Zone { records, asked: Mutex::default(), draws: Mutex::new(draws) };
    let next = NextHop::of(&Uri::parse(uri).unwrap()).unwrap();
    let found = {
        let mut future = pin!(locate(&next, &zone));
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ways) => ways,
            Poll::Pending => panic!("a table answers at once"),
        }
    };
    let text = found.iter().map(|way| format!("{} {}", way.transport.via(), way.address));
    (text.collect(), zone.asked.into_inner().unwrap())
}

const ZONE: &str = "
    full.example NAPTR 50 50 SIPS+D2T _sips._tcp.full.example
    full.example NAPTR 90 50 SIP+D2T _sip._tcp.full.example
    full.example NAPTR 100 50 SIP+D2U _sip._udp.full.example
    full.example NAPTR 10 10 SIP+D2W _sip._ws.full.example
    _sips._tcp.full.example SRV 0 1 5061 a.full.example
    _sip._tcp.full.example SRV 0 1 5060 a.full.example
    _sip._tcp.full.example SRV 1 1 5060 b.full.example
    _sip._udp.full.example SRV 0 1 5070 a.full.example
    a.full.example A 192.0.2.1
    b.full.example A 192.0.2.2
    b.full.example A 2001:db8::2
    srv.example A 192.0.2.9
    _sip._tcp.srv.example SRV 5 0 5062 b.full.example
    none.example A 192.0.2.7
    _sip._udp.none.example SRV 0 0 0 .
    plain.example A 192.0.2.5
    turns.example A 192.0.2.6
    _sip._udp.turns.example SRV 0 10 1 a.full.example
    _sip._udp.turns.example SRV 0 30 2 a.full.example
    _sip._udp.turns.example SRV 0 0 3 a.full.example
";

#[test]
fn the_transport_and_the_order_of_ways_follow_rfc_3263() {
    let table: &[(&str, &[&str])] = &[
        // An address leaves nothing to be asked.
        ("sip:192.0.2.4", &["UDP 192.0.2.4:5060"]),
        ("sip:192.0.2.4:5080", &["UDP 192.0.2.4:5080"]),
        ("sip:[2001:db8::4];transport=tcp", &["TCP [2001:db8::4]:5060"]),
        ("sips:192.0.2.4", &["TLS 192.0.2.4:5061"]),
        ("sips:192.0.2.4;transport=tcp", &["TLS 192.0.2.4:5061"]),
        ("sip:192.0.2.4;transport=tls", &["TLS 192.0.2.4:5061"]),
        // A port: no SRV, and UDP unless something else is said.
        ("sip:a.full.example:5080", &["UDP 192.0.2.1:5080"]),
        ("sip:b.full.example:5080;transport=tcp", &["TCP 192.0.2.2:5080", "TCP [2001:db8::2]:5080"]),
        ("sips:a.full.example:5090", &["TLS 192.0.2.1:5090"]),
        // NAPTR, by order.
        (
            "sip:alice@full.example",
            &[
                "TLS 192.0.2.1:5061",
                "TCP 192.0.2.1:5060",
                "TCP 192.0.2.2:5060",
                "TCP [2001:db8::2]:5060",
                "UDP 192.0.2.1:5070",
            ],
        ),
        ("sips:alice@full.example", &["TLS 192.0.2.1:5061"]),
        // A transport: straight to its SRV records.
        ("sip:full.example;transport=udp", &["UDP 192.0.2.1:5070"]),
        // No NAPTR: SRV for what is spoken.
        ("sip:srv.example", &["TCP 192.0.2.2:5062", "TCP [2001:db8::2]:5062"]),
        ("sip:srv.example;transport=udp", &["UDP 192.0.2.9:5060"]),
        // Nothing: the usual port, UDP or TLS.
        ("sip:plain.example", &["UDP 192.0.2.5:5060"]),
        ("sips:plain.example", &["TLS 192.0.2.5:5061"]),
        ("sip:Plain.Example.;transport=tcp", &["TCP 192.0.2.5:5060"]),
        // A target of `.` says that there is no such service.
        ("sip:none.example;transport=udp", &[]),
        ("sip:unknown.example", &[]),
    ];
    for (uri, expected) in table {
        assert_eq!(ways(ZONE, uri, &[]).0, *expected, "{uri}");
    }
}

#[test]
fn an_address_asks_nobody_and_a_port_asks_for_addresses_alone() {
    assert!(ways(ZONE, "sip:192.0.2.4", &[]).1.is_empty());
    assert_eq!(ways(ZONE, "sip:a.full.example:5080", &[]).1, ["A a.full.example"]);
    assert_eq!(
        ways(ZONE, "sip:plain.example;transport=tcp", &[]).1,
        ["SRV _sip._tcp.plain.example", "A plain.example"]
    );
}

#[test]
fn records_of_one_priority_take_turns_by_their_weights() {
    let ports = |draws: &[u32]| -> Vec<String> {
        let found = ways(ZONE, "sip:turns.example;transport=udp", draws).0;
        found.iter().map(|way| way.rsplit(':').next().unwrap().to_owned()).collect()
    };
    // The sums run over 0, 10 and 30, the record without weight first.
    assert_eq!(ports(&[0, 0]), ["3", "1", "2"]);
    assert_eq!(ports(&[1, 0]), ["1", "3", "2"]);
    assert_eq!(ports(&[10, 1]), ["1", "2", "3"]);
    assert_eq!(ports(&[11, 1]), ["2", "1", "3"]);
    assert_eq!(ports(&[40, 10]), ["2", "1", "3"]);
}

#[test]
fn a_uri_that_nobody_can_follow_has_no_next_hop() {
    for uri in
        ["tel:+123", "sip:a@b.example;transport=ws", "sip:b.example;transport=sctp", "sips:b;transport=udp"]
    {
        assert_eq!(NextHop::of(&Uri::parse(uri).unwrap()), None, "{uri}");
    }
}

#[test]
fn a_name_with_more_addresses_than_anybody_needs_is_cut() {
    const MANY: &str = "
        many.example A 192.0.2.1
        many.example A 192.0.2.2
        many.example A 192.0.2.3
        many.example A 192.0.2.4
        many.example A 192.0.2.5
        many.example A 192.0.2.6
        many.example A 192.0.2.7
        many.example A 192.0.2.8
        many.example A 192.0.2.9
    ";
    assert_eq!(ways(MANY, "sip:many.example:5060", &[]).0.len(), MOST_WAYS);
}

#[test]
fn a_host_and_port_is_read_and_written_alike() {
    for (text, written) in [
        ("Example.COM", "example.com"),
        ("example.com.:5060", "example.com:5060"),
        ("192.0.2.1:5062", "192.0.2.1:5062"),
        ("[2001:db8::1]:5061", "[2001:db8::1]:5061"),
    ] {
        assert_eq!(text.parse::<HostPort>().unwrap().to_string(), written);
    }
    for text in ["", "a b", "a:", "a:99999", "2001:db8::1", "[2001:db8::1", "a;b"] {
        assert!(text.parse::<HostPort>().is_err(), "{text}");
    }
    let spelt: HostPort = "[2001:db8:0::1]:1".parse().unwrap();
    assert!(spelt.is_host("[2001:DB8::1]") && !spelt.is_host("[2001:db8::2]"));
    let address = "[::ffff:192.0.2.1]:5060".parse::<std::net::SocketAddr>().unwrap();
    assert_eq!(HostPort::from(address).without_port(5060).to_string(), "192.0.2.1");
}
