//! Those who begin and do not end. They wait side by side, since each waits for a limit of the server's.

use super::peer::{Heard, Peer};
use super::requests::Sender;
use super::{NoTls, NoWs, Over, STREAMS, Sends, Stage, Tcp, Ws};

const SLOW: &str = "streams_closed_total{reason=\"slow\"}";
const SILENT: &str = "websockets_closed_total{reason=\"silent\"}";
const NO_HELLO: &str = "connections_refused_total{reason=\"tls_timeout\"}";
const HEAD: &[u8] = b"MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h.invalid;branch=z9hG4bK1\r\nContent-Length: 9\r\n";

/// What is sent, over what, and the line that counts the end that it comes to; HTTP counts no silence.
#[rustfmt::skip]
pub(super) const ROWS: &[(&str, &[Over], &[u8], Option<&str>)] = &[
    ("one letter", STREAMS, b"M", Some(SLOW)),
    ("half a first line", STREAMS, b"MESSAGE sip:bob@exam", Some(SLOW)),
    ("half a head", STREAMS, HEAD, Some(SLOW)),
    ("line ends and half a head", STREAMS, b"\r\n\r\n\r\nMESSAGE sip:b", Some(SLOW)),
    ("half a frame", &[Ws], b"\x81\xFE\x01\x00\0\0\0\0half", Some(SILENT)),
    ("half the length of a frame", &[Ws], b"\x81\xFE\x01", Some(SILENT)),
    ("the first fragment", &[Ws], b"\x01\x81\0\0\0\0M", Some(SILENT)),
    ("nothing over a WebSocket", &[Ws], b"", Some(SILENT)),
    ("nothing for TLS", &[NoTls], b"", Some(NO_HELLO)),
    ("half a hello", &[NoTls], b"\x16\x03\x01\x00\xc8\x01", Some(NO_HELLO)),
    ("half the head of a record", &[NoTls], b"\x16\x03", Some(NO_HELLO)),
    ("nothing for HTTP", &[NoWs], b"", None),
    ("half a first line for HTTP", &[NoWs], b"GET /ws HT", None),
    ("half a head for HTTP", &[NoWs], b"GET /ws HTTP/1.1\r\nHost: h.invalid\r\nUpgrade: websock", None),
];

/// What has begun nothing, although it has sent something, and stays.
const IDLE: &[(&str, &[u8])] = &[("a lone line end", b"\r\n"), ("a ping", b"\r\n\r\n"), ("nothing", b"")];

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_and_does_not_end_is_let_go_and_who_has_begun_nothing_stays() {
    let stage = Stage::new(|config| {
        config.sip.message_seconds = 1;
        config.http.handshake_seconds = 1;
        config.websocket.ping_seconds = 1;
        config.websocket.pong_seconds = 1;
    })
    .await;
    let mut idle = Vec::new();
    for (name, octets) in IDLE {
        let mut peer = Peer::connect(Tcp, &stage.plain, &stage.authority).await;
        peer.octets(octets).await;
        idle.push((name, peer));
    }
    let (mut slow, mut counters) = (Vec::new(), Vec::new());
    for (name, over, octets, counter) in ROWS {
        for over in *over {
            let server = stage.server(*over, Sends::Octets(octets));
            let mut peer = Peer::connect(*over, server, &stage.authority).await;
            peer.octets(octets).await;
            slow.push((name, over, peer));
            counters.extend(counter.map(|line| (over, line)));
        }
    }
    for (name, over, mut peer) in slow {
        let mut heard = peer.next().await;
        // To line ends there may have been a pong, and on the way out HTTP may say 408.
        while matches!(heard, Heard::Pong | Heard::Answer(408, _)) {
            heard = peer.next().await;
        }
        assert_eq!(heard, Heard::End, "{name}, over {over:?}");
    }
    for (over, line) in &counters {
        let server = stage.server(**over, Sends::Octets(b""));
        let same = |(other, text): &&(&Over, &str)| {
            text == line && stage.server(**other, Sends::Octets(b"")).address == server.address
        };
        assert_eq!(stage.count(server, line).await, counters.iter().filter(same).count() as u64, "{line}");
    }
    for (number, (name, mut peer)) in (0..).zip(idle) {
        let sender = Sender { user: "mallory", over: Tcp, here: peer.here.clone(), number };
        peer.message(&sender.question()).await;
        let mut heard = peer.next().await;
        while heard == Heard::Pong {
            heard = peer.next().await;
        }
        assert_eq!(heard, Heard::Answer(200, sender.mark()), "{name}");
    }
    for server in [stage.plain, stage.secure, stage.closed] {
        assert!(server.stop().await);
    }
}
