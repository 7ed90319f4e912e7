//! SIP over TCP: messages by Content-Length, keep-alives, limits, and the end.

use crate::harness::{agreement, document, server, wait_for_metric, within};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tributary::config::Config;
use tributary::run::Running;
use tributary_sip::stream::{Stream, Unit};
use tributary_sip::{Limits, Message, Status};

/// A phone on one TCP connection.
struct Phone {
    socket: TcpStream,
    stream: Stream,
    user: &'static str,
    sequence: u32,
}

impl Phone {
    async fn connect(server: &Running, user: &'static str) -> Self {
        let socket = TcpStream::connect(address(server)).await.unwrap();
        Self { socket, stream: Stream::new(Limits::DEFAULT), user, sequence: 0 }
    }

    fn request(&mut self, method: &str, target: &str, more: &str, body: &str) -> String {
        self.sequence += 1;
        let (user, n, here) = (self.user, self.sequence, self.socket.local_addr().unwrap());
        let to = if target.contains('@') { target.to_owned() } else { format!("sip:{user}@example.com") };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/TCP {here};branch=z9hG4bK{user}{n};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@example.com>;tag={user}{n}\r\nTo: <{to}>\r\nCall-ID: {user}{n}@{here}\r\nCSeq: {n} {method}\r\n\
             Contact: <sip:{user}@{here};transport=tcp>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    async fn write(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes next; nothing once the server has closed.
    async fn unit(&mut self) -> Option<Unit> {
        within("something from the server", async {
            loop {
                if let Some(unit) = self.stream.take().unwrap() {
                    return Some(unit);
                }
                if self.socket.read_buf(self.stream.buffer()).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        })
        .await
    }

    async fn message(&mut self) -> Message {
        match self.unit().await {
            Some(Unit::Message(octets)) => Message::parse(octets).unwrap(),
            other => panic!("{}: no message but {other:?}", self.user),
        }
    }

    async fn does(&mut self, status: u16, method: &str, target: &str, more: &str, body: &str) -> Message {
        let request = self.request(method, target, more, body);
        self.write(&request).await;
        let answer = self.message().await;
        assert_eq!(answer.status().map(Status::code), Some(status), "{answer:?}");
        answer
    }
}

fn address(server: &Running) -> SocketAddr {
    server.sip.tcp[0]
}

async fn tcp(change: impl FnOnce(&mut Config)) -> Running {
    server(|config| {
        config.sip.tcp = vec!["127.0.0.1:0".parse().unwrap()];
        change(config);
    })
    .await
}

async fn closed(server: &Running, reason: &str) {
    wait_for_metric(server, &format!("streams_closed_total{{reason=\"{reason}\"}} 1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_register_publish_and_watch_over_tcp_as_browsers_do_over_their_sockets() {
    let server = tcp(|_| {}).await;
    let mut alice = Phone::connect(&server, "alice").await;
    let mut bob = Phone::connect(&server, "bob").await;
    alice.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    bob.does(200, "SUBSCRIBE", "sip:alice@example.com", "Event: presence\r\nExpires: 600\r\n", "").await;
    let first = bob.message().await;
    assert!(first.header(tributary_sip::Name::Via).unwrap().starts_with("SIP/2.0/TCP "), "{first:?}");
    bob.write(&agreement(&first)).await;
    let more = "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n";
    let state = document("sip:alice@example.com", "on the desk phone");
    alice.does(200, "PUBLISH", "sip:alice@example.com", more, &state).await;
    let second = bob.message().await;
    assert!(String::from_utf8_lossy(second.body()).contains("on the desk phone"));
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_pings_may_come_in_one_piece_or_octet_by_octet() {
    let server = tcp(|_| {}).await;
    let mut phone = Phone::connect(&server, "alice").await;
    let requests =
        [(); 3].map(|()| phone.request("REGISTER", "sip:example.com", "Expires: 600\r\n", "")).concat();
    let everything = format!("\r\n\r\n{requests}\r\n\r\n");
    let octet_by_octet: Vec<&[u8]> = everything.as_bytes().chunks(1).collect();
    for pieces in [vec![everything.as_bytes()], octet_by_octet] {
        for piece in pieces {
            phone.socket.write_all(piece).await.unwrap();
        }
        // The pong of the first ping stands before the answer, and is not told from a lone line end.
        let mut answers = 0;
        while answers < 3 {
            if let Some(Unit::Message(octets)) = phone.unit().await {
                assert!(octets.starts_with(b"SIP/2.0 200 "), "{octets:?}");
                answers += 1;
            }
        }
    }
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_end_on_a_stream_is_answered_and_ends_the_connection() {
    let server = tcp(|config| config.sip.max_body_bytes = 2_000).await;
    for (length, status) in [("", "400"), ("Content-Length: 2001\r\n", "413")] {
        let mut phone = Phone::connect(&server, "alice").await;
        let request =
            phone.request("REGISTER", "sip:example.com", "", "").replace("Content-Length: 0\r\n", length);
        phone.write(&request).await;
        let answer = phone.message().await;
        assert_eq!(answer.status().unwrap().code().to_string(), status);
        assert!(answer.header(tributary_sip::Name::Warning).is_some());
        assert_eq!(phone.unit().await, None);
    }
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_be_as_long_as_the_configuration_says() {
    let server = tcp(|config| config.sip.max_body_bytes = 100_000).await;
    let mut phone = Phone::connect(&server, "alice").await;
    phone.does(480, "MESSAGE", "sip:bob@example.com", "", &"x".repeat(100_000)).await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_begins_must_end_in_time() {
    let server = tcp(|config| config.sip.message_seconds = 1).await;
    let mut phone = Phone::connect(&server, "alice").await;
    phone.write("REGISTER sip:example.com SIP/2.0\r\nVia: SIP").await;
    assert_eq!(phone.unit().await, None);
    closed(&server, "slow").await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_ends_and_one_that_pings_stays() {
    let server = tcp(|config| config.sip.idle_seconds = 1).await;
    let mut silent = Phone::connect(&server, "alice").await;
    let mut lively = Phone::connect(&server, "bob").await;
    lively.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    let mut end = tokio::spawn(async move { silent.unit().await });
    loop {
        lively.write("\r\n\r\n").await;
        let mut pong = [0; 2];
        within("a pong", lively.socket.read_exact(&mut pong)).await.unwrap();
        assert_eq!(&pong, b"\r\n");
        if end.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!((&mut end).await.unwrap(), None);
    closed(&server, "silent").await;
    lively.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_its_connection_is_gone_a_phone_is_no_longer_registered() {
    let server = tcp(|_| {}).await;
    let mut phone = Phone::connect(&server, "alice").await;
    phone.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    drop(phone);
    closed(&server, "gone").await;
    let mut other = Phone::connect(&server, "alice").await;
    within("the end of the binding", async {
        loop {
            let list = other.request("REGISTER", "sip:example.com", "", "");
            let contact = list.lines().find(|line| line.starts_with("Contact")).unwrap().to_owned();
            other.write(&list.replace(&format!("{contact}\r\n"), "")).await;
            if other.message().await.header(tributary_sip::Name::Contact).is_none() {
                return;
            }
        }
    })
    .await;
    assert!(server.stop().await);
}
