//! SIP over UDP: answers to where the question came from, repetitions, keep-alives, and a restart.

use crate::harness::{agreement, document, server, within};
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tributary::config::Config;
use tributary::run::Running;
use tributary_sip::{Message, Name, Status};

/// A phone on one UDP socket.
struct Phone {
    socket: UdpSocket,
    server: SocketAddr,
    user: &'static str,
    sequence: u32,
}

impl Phone {
    async fn new(server: SocketAddr, user: &'static str) -> Self {
        let here: SocketAddr = if server.is_ipv4() {
            ([127, 0, 0, 1], 0).into()
        } else {
            (std::net::Ipv6Addr::LOCALHOST, 0).into()
        };
        Self { socket: UdpSocket::bind(here).await.unwrap(), server, user, sequence: 0 }
    }

    /// A request behind a NAT: its Via and Contact name an address where nobody is.
    fn request(&mut self, method: &str, target: &str, more: &str, body: &str) -> String {
        self.sequence += 1;
        let (user, n) = (self.user, self.sequence);
        let to = if target.contains('@') { target.to_owned() } else { format!("sip:{user}@example.com") };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK{user}{n};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@example.com>;tag={user}{n}\r\nTo: <{to}>\r\nCall-ID: {user}{n}\r\nCSeq: {n} {method}\r\n\
             Contact: <sip:{user}@192.0.2.77>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    async fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.server).await.unwrap();
    }

    async fn octets(&self) -> Vec<u8> {
        let mut buffer = vec![0; 65_536];
        let (length, from) = within("a datagram", self.socket.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(from, self.server, "answers leave from where the question came to");
        buffer.truncate(length);
        buffer
    }

    async fn message(&self) -> Message {
        Message::parse(self.octets().await.into()).unwrap()
    }

    async fn does(&mut self, status: u16, method: &str, target: &str, more: &str, body: &str) -> Message {
        let request = self.request(method, target, more, body);
        self.send(&request).await;
        let answer = self.message().await;
        assert_eq!(answer.status().map(Status::code), Some(status), "{answer:?}");
        answer
    }

    /// Answers a NOTIFY.
    async fn agree(&self, notify: &Message) {
        self.send(&agreement(notify)).await;
    }
}

async fn udp(change: impl FnOnce(&mut Config)) -> Running {
    server(|config| {
        config.sip.udp = vec!["127.0.0.1:0".parse().unwrap()];
        change(config);
    })
    .await
}

const WATCH: &str = "Event: presence\r\nExpires: 600\r\n";
const STATE: &str = "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn phones_behind_a_nat_register_publish_and_watch_over_udp() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let server = udp(|config| config.sip.udp = vec![address.parse().unwrap()]).await;
        let mut alice = Phone::new(server.sip.udp[0], "alice").await;
        let mut bob = Phone::new(server.sip.udp[0], "bob").await;
        let registered = alice.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
        let here = alice.socket.local_addr().unwrap();
        let via = registered.header(Name::Via).unwrap();
        assert!(via.contains(&format!("rport={}", here.port())) && via.contains("received="), "{via}");
        bob.does(200, "SUBSCRIBE", "sip:alice@example.com", WATCH, "").await;
        let first = bob.message().await;
        let via = first.header(Name::Via).unwrap();
        assert!(via.starts_with("SIP/2.0/UDP ") && via.contains(";rport"), "{via}");
        bob.agree(&first).await;
        let state = document("sip:alice@example.com", "on the cordless phone");
        alice.does(200, "PUBLISH", "sip:alice@example.com", STATE, &state).await;
        let second = bob.message().await;
        assert!(String::from_utf8_lossy(second.body()).contains("on the cordless phone"));
        bob.agree(&second).await;
        assert!(server.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_repeated_gets_the_same_answer_and_a_notify_comes_until_it_is_answered() {
    let server = udp(|_| {}).await;
    let mut bob = Phone::new(server.sip.udp[0], "bob").await;
    let request = bob.request("SUBSCRIBE", "sip:alice@example.com", WATCH, "");
    bob.send(&request).await;
    bob.send(&request).await;
    let (mut answers, mut notifies) = (Vec::new(), Vec::new());
    while answers.len() < 2 || notifies.len() < 2 {
        let octets = bob.octets().await;
        if octets.starts_with(b"SIP/2.0 200 ") { answers.push(octets) } else { notifies.push(octets) }
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(notifies[0], notifies[1], "the same NOTIFY, not another subscription's");
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_through_a_nat_is_kept_open_by_stun_and_by_line_ends() {
    let server = udp(|_| {}).await;
    let mut phone = Phone::new(server.sip.udp[0], "alice").await;
    phone.send("\r\n\r\n").await;
    phone.socket.send_to(&[0], phone.server).await.unwrap();
    let request = b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl";
    phone.socket.send_to(request, phone.server).await.unwrap();
    let answer = phone.octets().await;
    assert_eq!(answer[..2], [0x01, 0x01]);
    let port = u16::from_be_bytes([answer[26] ^ 0x21, answer[27] ^ 0x12]);
    assert_eq!(port, phone.socket.local_addr().unwrap().port());
    phone.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_answered_where_it_can_be() {
    let server = udp(|_| {}).await;
    let mut phone = Phone::new(server.sip.udp[0], "alice").await;
    phone.send("hello").await;
    let broken = phone.request("REGISTER", "sip:example.com", "", "").replace("CSeq: 1 REGISTER", "CSeq: x");
    phone.send(&broken).await;
    // With the CSeq that came, which no reader takes.
    let answer = phone.octets().await;
    assert!(answer.starts_with(b"SIP/2.0 400 "), "{answer:?}");
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_a_watcher_over_udp_goes_on_without_asking_again() {
    let data = tempfile::tempdir().unwrap();
    let open = async |address: SocketAddr| {
        udp(|config| {
            config.sip.udp = vec![address];
            config.store.data = Some(data.path().display().to_string());
        })
        .await
    };
    let server = open("127.0.0.1:0".parse().unwrap()).await;
    let address = server.sip.udp[0];
    let mut bob = Phone::new(address, "bob").await;
    bob.does(200, "SUBSCRIBE", "sip:alice@example.com", WATCH, "").await;
    let notify = bob.message().await;
    bob.agree(&notify).await;
    assert!(server.stop().await);
    let server = open(address).await;
    let mut alice = Phone::new(address, "alice").await;
    let state = document("sip:alice@example.com", "after the restart");
    alice.does(200, "PUBLISH", "sip:alice@example.com", STATE, &state).await;
    loop {
        let notify = bob.message().await;
        bob.agree(&notify).await;
        if String::from_utf8_lossy(notify.body()).contains("after the restart") {
            break;
        }
    }
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_sends_too_much_is_told_when_to_come_again_and_others_are_served() {
    let server = udp(|config| {
        config.overload.exempt.clear();
        config.overload.messages_per_address = 1;
        config.overload.messages_per_address_burst = 5;
    })
    .await;
    let mut flood = Phone::new(server.sip.udp[0], "flood").await;
    let refused = loop {
        let request = flood.request("OPTIONS", "sip:example.com", "", "");
        flood.send(&request).await;
        let answer = flood.message().await;
        if answer.status() != Some(Status::OK) {
            break answer;
        }
    };
    assert_eq!(refused.status(), Some(Status::SERVICE_UNAVAILABLE));
    assert_eq!(refused.header(Name::RetryAfter), Some("1"));
    assert!(refused.to().unwrap().tag().is_some());
    let socket = UdpSocket::bind(("127.0.0.2", 0)).await.unwrap();
    let mut other = Phone { socket, ..Phone::new(server.sip.udp[0], "other").await };
    other.does(200, "OPTIONS", "sip:example.com", "", "").await;
    server.stop().await;
}
