//! Which way answers go: 18.2.1, 18.2.2, RFC 3581, RFC 7118 5.3.

use std::net::SocketAddr;

use bytes::Bytes;
use tributary_sip::transaction::{AnswerTo, FlowId, Hop, Transport, answer_to, branch, stamp, way_back};
use tributary_sip::{Message, Method, Name, Via};

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
    let message = with_via(via);
    stamp(&message, hop).unwrap_or(message).header(Name::Via).unwrap().to_owned()
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
    let message = with_via("SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK1;rport");
    assert!(stamp(&message, &from(Transport::Wss, "192.0.2.7:40000")).is_none());
}

#[test]
fn section_18_2_2_and_rfc_3581_the_answer_goes_to_received_and_rport() {
    let check = |via: &str, transport, expect: AnswerTo<'_>| {
        assert_eq!(answer_to(&Via::parse(via).unwrap(), transport), expect, "{via}");
    };
    let address = |text: &str| AnswerTo::Address(text.parse::<SocketAddr>().unwrap());
    use Transport::{Tcp, Tls, Udp};
    check("SIP/2.0/UDP 192.0.2.7", Udp, address("192.0.2.7:5060"));
    check("SIP/2.0/UDP 192.0.2.7:5070", Udp, address("192.0.2.7:5070"));
    check("SIP/2.0/UDP pc.example.com;received=192.0.2.9", Udp, address("192.0.2.9:5060"));
    check("SIP/2.0/UDP 10.1.1.1:5070;received=192.0.2.9;rport=40000", Udp, address("192.0.2.9:40000"));
    check("SIP/2.0/UDP 10.1.1.1:5070;received=[2001:db8::1]", Udp, address("[2001:db8::1]:5070"));
    // A new connection goes to where its owner listens, not to the port it came from.
    check("SIP/2.0/TCP 10.1.1.1:5070;received=192.0.2.9;rport=40000", Tcp, address("192.0.2.9:5070"));
    check("SIP/2.0/TLS 10.1.1.1;received=192.0.2.9;rport=40000", Tls, address("192.0.2.9:5061"));
    check("SIP/2.0/UDP 192.0.2.7;maddr=224.0.1.75", Udp, address("224.0.1.75:5060"));
    check("SIP/2.0/UDP 192.0.2.7;maddr=203.0.113.1", Udp, address("192.0.2.7:5060"));
    let name = AnswerTo::Name { host: "pc.example.com", port: Some(5070) };
    check("SIP/2.0/UDP pc.example.com:5070", Udp, name);
}

#[test]
fn answers_over_a_connection_go_back_over_it_and_datagrams_to_where_the_via_says() {
    let over = |transport, via: &str| {
        let hop = from(transport, "192.0.2.7:40000");
        let message = with_via(via);
        let message = stamp(&message, &hop).unwrap_or(message);
        way_back(&message, &hop).peer.to_string()
    };
    assert_eq!(over(Transport::Tcp, "SIP/2.0/TCP 10.1.1.1:5070;branch=z9hG4bK1"), "192.0.2.7:40000");
    assert_eq!(over(Transport::Udp, "SIP/2.0/UDP 10.1.1.1:5070;branch=z9hG4bK1"), "192.0.2.7:5070");
    assert_eq!(over(Transport::Udp, "SIP/2.0/UDP 10.1.1.1:5070;rport"), "192.0.2.7:40000");
    assert_eq!(over(Transport::Udp, "SIP/2.0/UDP pc.example.com"), "192.0.2.7:5060");
}

#[test]
fn a_branch_has_the_cookie_and_all_of_its_entropy() {
    assert_eq!(branch([0; 16]), format!("z9hG4bK{}", "0".repeat(26)));
    assert_eq!(branch([0xff; 16]), format!("z9hG4bK{}7", "v".repeat(25)));
    let one = |bit: u32| branch((1_u128 << bit).to_be_bytes());
    let all: std::collections::HashSet<String> = (0..128).map(one).collect();
    assert_eq!(all.len(), 128);
}
