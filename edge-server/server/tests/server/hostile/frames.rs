//! Below the message: WebSocket frames, octets where TLS or HTTP is spoken, and what only looks alive.

use super::Gets::{Close, End, Last, Nothing, Pong};
use super::Sends::{Cut, Many, Octets};
use super::peer::frame;
use super::{NoTls, NoWs, Row, STREAMS, Tcp, Udp, Ws};

const GONE: &str = "websockets_closed_total{reason=\"gone\"}";
const UNREADABLE: &str = "messages_malformed_total";
const NO_TLS: &str = "connections_refused_total{reason=\"tls\"}";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // RFC 6455 5.2: what a frame may be.
    ("a frame without a mask", &[Ws], Octets(b"\x81\x02hi"), Close(1002)),
    ("the first reserved bit", &[Ws], Octets(b"\xC1\x82\0\0\0\0hi"), Close(1002)),
    ("the second reserved bit", &[Ws], Octets(b"\xA1\x82\0\0\0\0hi"), Close(1002)),
    ("the third reserved bit", &[Ws], Octets(b"\x91\x82\0\0\0\0hi"), Close(1002)),
    ("opcode 3", &[Ws], Octets(b"\x83\x80\0\0\0\0"), Close(1002)),
    ("opcode 7", &[Ws], Octets(b"\x87\x80\0\0\0\0"), Close(1002)),
    ("opcode 11", &[Ws], Octets(b"\x8B\x80\0\0\0\0"), Close(1002)),
    ("opcode 15", &[Ws], Octets(b"\x8F\x80\0\0\0\0"), Close(1002)),
    ("a length of 64 bits with the highest set", &[Ws], Octets(b"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0"), Close(1009)),
    ("a frame of 65,537 octets, announced", &[Ws], Octets(b"\x82\xFF\0\0\0\0\0\x01\0\x01\0\0\0\0"), Close(1009)),
    ("a frame of 70,000 octets", &[Ws], Many(|| frame(0x82, &[b'x'; 70_000])), Close(1009)),
    ("70,000 octets in fragments", &[Ws], Many(|| [frame(0x02, &[b'x'; 35_000]), frame(0x80, &[b'x'; 35_000])].concat()), Close(1009)),
    // 5.4, 5.5: fragments and control frames.
    ("the rest of nothing", &[Ws], Octets(b"\x80\x80\0\0\0\0"), Close(1002)),
    ("a message within a message", &[Ws], Octets(b"\x01\x81\0\0\0\0a\x81\x81\0\0\0\0b"), Close(1002)),
    ("a ping of 126 octets", &[Ws], Many(|| frame(0x89, &[0; 126])), Close(1002)),
    ("a ping in fragments", &[Ws], Octets(b"\x09\x80\0\0\0\0"), Close(1002)),
    ("a close in fragments", &[Ws], Octets(b"\x08\x80\0\0\0\0"), Close(1002)),
    ("a close of one octet", &[Ws], Octets(b"\x88\x81\0\0\0\0\x03"), Close(1002)),
    ("a close with code 999", &[Ws], Octets(b"\x88\x82\0\0\0\0\x03\xE7"), Close(1002)),
    ("a close with code 1005", &[Ws], Octets(b"\x88\x82\0\0\0\0\x03\xED"), Close(1002)),
    ("a close with code 1006", &[Ws], Octets(b"\x88\x82\0\0\0\0\x03\xEE"), Close(1002)),
    ("a close with code 65535", &[Ws], Octets(b"\x88\x82\0\0\0\0\xFF\xFF"), Close(1002)),
    ("a close whose reason is no UTF-8", &[Ws], Octets(b"\x88\x83\0\0\0\0\x03\xE8\xFF"), Close(1007)),
    ("a close as it should be", &[Ws], Octets(b"\x88\x82\0\0\0\0\x03\xE8"), Close(1000)),
    ("a close without a code", &[Ws], Octets(b"\x88\x80\0\0\0\0"), Close(0)),
    ("a ping", &[Ws], Octets(b"\x89\x82\0\0\0\0hi"), Pong),
    ("a pong that nobody asked for", &[Ws], Octets(b"\x8A\x82\0\0\0\0hi\x81\x84\0\0\0\0\r\n\r\n"), Pong),
    ("a ping between fragments", &[Ws], Octets(b"\x01\x82\0\0\0\0\r\n\x89\x80\0\0\0\0\x80\x80\0\0\0\0"), Pong),
    ("a thousand pings", &[Ws], Many(|| [frame(0x8A, b"").repeat(1_000), frame(0x89, b"")].concat()), Pong),
    ("a thousand empty fragments", &[Ws], Many(|| [frame(0x01, b""), frame(0x00, b"").repeat(1_000), frame(0x80, b"\r\n\r\n")].concat()), Pong),
    ("the end amid a frame", &[Ws], Cut(b"\x81\xFE\x01\x00\0\0\0\0half"), End(GONE)),
    // 8.1, and RFC 7118 5: what is in a frame.
    ("text that is no UTF-8", &[Ws], Octets(b"\x81\x82\0\0\0\0\xC3\x28"), Close(1007)),
    ("text that is half a letter", &[Ws], Octets(b"\x81\x81\0\0\0\0\xC3"), Close(1007)),
    ("an empty message", &[Ws], Octets(b"\x81\x80\0\0\0\0"), Nothing(UNREADABLE)),
    ("zeros", &[Ws], Many(|| frame(0x82, &[0; 64])), Nothing(UNREADABLE)),
    ("21 messages that are no SIP", &[Ws], Many(|| frame(0x81, b"this is not SIP").repeat(21)), Close(1008)),
    // TLS where it is not spoken, and the other way round.
    ("a handshake of TLS over TCP", &[Tcp], Octets(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), End("streams_closed_total{reason=\"protocol\"}")),
    ("zeros over a stream", STREAMS, Octets(&[0; 64]), End("streams_closed_total{reason=\"protocol\"}")),
    ("SIP in clear", &[NoTls], Octets(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n"), End(NO_TLS)),
    ("HTTP in clear", &[NoTls], Octets(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), End(NO_TLS)),
    ("zeros for TLS", &[NoTls], Octets(&[0; 64]), End(NO_TLS)),
    ("a record of a kind that there is not", &[NoTls], Octets(b"\x99\x03\x03\x00\x01\x00"), End(NO_TLS)),
    ("a record of 65,535 octets", &[NoTls], Octets(b"\x16\x03\x01\xff\xff\x01"), End(NO_TLS)),
    ("a hello of 16 MB", &[NoTls], Octets(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff"), End(NO_TLS)),
    ("a hello of SSL 2", &[NoTls], Octets(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80"), End(NO_TLS)),
    ("an empty hello", &[NoTls], Octets(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"), End(NO_TLS)),
    ("data before the handshake", &[NoTls], Octets(b"\x17\x03\x03\x00\x05hello"), End(NO_TLS)),
    ("an alert before the handshake", &[NoTls], Octets(b"\x15\x03\x03\x00\x02\x02\x28"), End(NO_TLS)),
    ("the end amid a hello", &[NoTls], Cut(b"\x16\x03\x01\x00\xc8\x01"), End(NO_TLS)),
    ("the end amid a head", STREAMS, Cut(b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP h.invalid;bra"), End("streams_closed_total{reason=\"gone\"}")),
    ("the end amid a body", STREAMS, Cut(b"MESSAGE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h.invalid;branch=z9hG4bK1\r\nContent-Length: 50\r\n\r\nhalf"), End("streams_closed_total{reason=\"gone\"}")),
    ("the end at the beginning", STREAMS, Cut(b""), End("streams_closed_total{reason=\"gone\"}")),
    // What is no message over UDP.
    ("STUN that is cut off", &[Udp], Octets(b"\x00\x01\x00\x08\x21\x12\xa4\x42abcdefghijkl"), Nothing(UNREADABLE)),
    ("STUN of the old kind", &[Udp], Octets(b"\x00\x01\x00\x00aaaabbbbccccdddd"), Nothing(UNREADABLE)),
    ("a datagram of RTP", &[Udp], Octets(b"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00voice"), Nothing(UNREADABLE)),
    ("a datagram of DNS", &[Udp], Octets(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"), Nothing(UNREADABLE)),
    ("a datagram of one octet", &[Udp], Octets(b"\x01"), Nothing(UNREADABLE)),
    ("the largest datagram", &[Udp], Many(|| vec![b'x'; 65_507]), Nothing(UNREADABLE)),
    // HTTP.
    ("a handshake of TLS for HTTP", &[NoWs], Octets(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), Last(400)),
    ("SIP for HTTP", &[NoWs], Octets(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n"), Last(400)),
    ("a head of 20,000 octets for HTTP", &[NoWs], Many(|| [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 20_000], b"\r\n\r\n".to_vec()].concat()), Last(431)),
    ("200 headers for HTTP", &[NoWs], Many(|| [b"GET / HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(200), b"\r\n".to_vec()].concat()), Last(431)),
    ("two lengths for HTTP", &[NoWs], Octets(b"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), Last(400)),
    ("a length and chunks for HTTP", &[NoWs], Octets(b"POST /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), Last(405)),
    ("a path that climbs", &[NoWs], Octets(b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), Last(404)),
    ("a path that climbs in escapes", &[NoWs], Octets(b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), Last(404)),
];
