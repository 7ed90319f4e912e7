//! Which way answers go: 18.2.1, 18.2.2, RFC 3581, RFC 7118 5.3.

use bytes::Bytes;
use tributary_sip::transaction::{FlowId, Hop, Transport, arrived, branch};
use tributary_sip::{Message, Method, Name};

use crate::party::{read, request};

fn from(transport: Transport, peer: &str) -> Hop {
    Hop { flow: FlowId(1), transport, peer: peer.parse().unwrap() }
}

fn with_via(via: &str) -> Message {
    let text = request(Method::Options, "z9hG4bKone");
    let text = std::str::from_utf8(&text).unwrap();
    let old = "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKone;rport";
    assert!(text.contains(old));
    read(&Bytes::from(text.replace(old, via)))
}

/// The Via that a server makes of this one.
fn stamped(via: &str, hop: &Hop) -> String {
    arrived(with_via(via), hop).0.header(Name::Via).unwrap().to_owned()
}

#[test]
fn section_18_2_1_received_says_where_the_request_came_from_when_sent_by_does_not() {
    let hop = from(Transport::Udp, "192.0.2.7:40000");
    let check = |via: &str, expect: &str| assert_eq!(stamped(via, &hop), expect);
    check("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1");
    check(
        "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1",
        "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;received=192.0.2.7",
    );
    check(
        "SIP / 2.0 / UDP pc.example.com ;branch=z9hG4bK1",
        "SIP / 2.0 / UDP pc.example.com;branch=z9hG4bK1;received=192.0.2.7",
    );
    check(
        "SIP/2.0/UDP 192.0.2.7;received=203.0.113.1;branch=z9hG4bK1;x=\"a;b\"",
        "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;x=\"a;b\";received=192.0.2.7",
    );
    check(
        "SIP/2.0/UDP a.example, SIP/2.0/UDP b.example;branch=z9hG4bK2",
        "SIP/2.0/UDP a.example;received=192.0.2.7, SIP/2.0/UDP b.example;branch=z9hG4bK2",
    );
}

#[test]
fn rfc_3581_section_4_rport_is_filled_in_and_received_with_it_even_when_equal() {
    let hop = from(Transport::Udp, "192.0.2.7:40000");
    for via in [
        "SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bK1",
        "SIP/2.0/UDP 192.0.2.7:5060;rport=9;branch=z9hG4bK1",
    ] {
        let expect = "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1;received=192.0.2.7;rport=40000";
        assert_eq!(stamped(via, &hop), expect);
    }
}

#[test]
fn an_ipv6_source_and_an_ipv4_one_in_ipv6_dress_are_written_plainly() {
    let via = "SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bK1";
    assert_eq!(stamped(via, &from(Transport::Udp, "[2001:db8::9:1]:5060")), via);
    assert_eq!(
        stamped(via, &from(Transport::Udp, "[2001:db8::2]:5060")),
        format!("{via};received=2001:db8::2")
    );
    let via = "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1";
    assert_eq!(stamped(via, &from(Transport::Udp, "[::ffff:192.0.2.7]:5060")), via);
}

#[test]
fn rfc_7118_section_5_3_nothing_is_added_over_websockets() {
    let via = "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK1;rport";
    assert_eq!(stamped(via, &from(Transport::Wss, "192.0.2.7:40000")), via);
}

#[test]
fn section_18_2_2_and_rfc_3581_answers_go_back_over_the_connection_and_to_the_source_of_datagrams() {
    let check = |transport, via: &str, expect: &str| {
        let hop = from(transport, "192.0.2.7:40000");
        assert_eq!(arrived(with_via(via), &hop).1, from(transport, expect), "{via}");
    };
    use Transport::{Tcp, Tls, Udp, Wss};
    check(Udp, "SIP/2.0/UDP 192.0.2.7", "192.0.2.7:5060");
    check(Udp, "SIP/2.0/UDP 10.1.1.1:5070;branch=z9hG4bK1", "192.0.2.7:5070");
    check(Udp, "SIP/2.0/UDP 10.1.1.1:5070;rport", "192.0.2.7:40000");
    check(Udp, "SIP/2.0/UDP pc.example.com", "192.0.2.7:5060");
    // Whatever the sender claims itself.
    check(Udp, "SIP/2.0/UDP 10.1.1.1;received=203.0.113.1;rport=9", "192.0.2.7:40000");
    check(Udp, "SIP/2.0/UDP 10.1.1.1:5070;received=203.0.113.1", "192.0.2.7:5070");
    check(Udp, "SIP/2.0/UDP 192.0.2.7;maddr=224.0.1.75", "224.0.1.75:5060");
    check(Udp, "SIP/2.0/UDP 192.0.2.7;maddr=203.0.113.1", "192.0.2.7:5060");
    check(Tcp, "SIP/2.0/TCP 10.1.1.1:5070;branch=z9hG4bK1", "192.0.2.7:40000");
    check(Tls, "SIP/2.0/TLS 10.1.1.1;maddr=224.0.1.75;rport", "192.0.2.7:40000");
    check(Wss, "SIP/2.0/WSS df7jal23ls0d.invalid;rport", "192.0.2.7:40000");
}

#[test]
fn a_branch_has_the_cookie_and_all_of_its_entropy() {
    assert_eq!(branch([0; 16]), format!("z9hG4bK{}", "0".repeat(26)));
    assert_eq!(branch([0xff; 16]), format!("z9hG4bK{}7", "v".repeat(25)));
    let one = |bit: u32| branch((1_u128 << bit).to_be_bytes());
    let all: std::collections::HashSet<String> = (0..128).map(one).collect();
    assert_eq!(all.len(), 128);
}
