//! Messages on a stream: where one ends and the next begins, however the octets are cut.

use bytes::Bytes;
use proptest::prelude::*;
use tributary_sip::stream::{Stream, Unit};
use tributary_sip::{KeepAlive, Limits, Message, ParseErrorKind, Status};

fn message(length: &str, body: &str) -> String {
    format!(
        "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n{length}\r\n{body}"
    )
}

fn whole(text: String) -> Unit {
    Unit::Message(Bytes::from(text))
}

/// Feeds the octets in pieces of the given lengths, over and over, and takes what comes.
fn cut(octets: &[u8], lengths: &[usize], limits: Limits) -> (Vec<Unit>, Option<tributary_sip::ParseError>) {
    let mut stream = Stream::new(limits);
    let (mut units, mut rest) = (Vec::new(), octets);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*length).clamp(1, rest.len()));
        stream.buffer().extend_from_slice(now);
        rest = later;
        loop {
            match stream.take() {
                Ok(Some(unit)) => units.push(unit),
                Ok(None) => break,
                Err(error) => return (units, Some(error)),
            }
        }
    }
    (units, None)
}

fn units_of_a_busy_stream() -> (Vec<u8>, Vec<Unit>) {
    let first = message("Content-Length: 5\r\n", "hello");
    let compact = message("l : 0\r\n", "");
    let folded = message("Content-Length:\r\n\t 4\r\nSubject: a\r\n b\r\n", "\r\n\r\n");
    let units = vec![
        Unit::KeepAlive(KeepAlive::Ping),
        whole(first),
        whole(compact),
        Unit::KeepAlive(KeepAlive::Pong),
        whole(folded),
        Unit::KeepAlive(KeepAlive::Ping),
        Unit::KeepAlive(KeepAlive::Ping),
    ];
    let octets = units
        .iter()
        .flat_map(|unit| match unit {
            Unit::KeepAlive(KeepAlive::Ping) => b"\r\n\r\n".to_vec(),
            Unit::KeepAlive(KeepAlive::Pong) => KeepAlive::PONG.to_vec(),
            Unit::Message(octets) => octets.to_vec(),
        })
        .collect();
    (octets, units)
}

proptest! {
    #[test]
    fn however_a_stream_is_cut_the_same_units_come(lengths in prop::collection::vec(1_usize..400, 1..40)) {
        let (octets, units) = units_of_a_busy_stream();
        let (found, error) = cut(&octets, &lengths, Limits::DEFAULT);
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert_eq!(found, units);
    }

    #[test]
    fn whatever_comes_is_bounded_and_never_panics(octets in prop::collection::vec(any::<u8>(), 0..600), step in 1_usize..50) {
        let limits = Limits { head: 200, body: 50, ..Limits::DEFAULT };
        let (units, _) = cut(&octets, &[step], limits);
        for unit in units {
            if let Unit::Message(octets) = unit {
                prop_assert!(octets.len() <= 250);
            }
        }
    }
}

#[test]
fn each_message_is_one_that_the_reader_takes() {
    for unit in units_of_a_busy_stream().1 {
        if let Unit::Message(octets) = unit {
            Message::parse(octets).unwrap();
        }
    }
}

#[test]
fn what_leaves_the_next_message_unsure_ends_the_stream_with_an_answer() {
    let limits = Limits { head: 600, body: 100, ..Limits::DEFAULT };
    let bad = Some(Status::BAD_REQUEST);
    let filler = format!("Subject: {}\r\n", "x".repeat(600));
    for (what, octets, status) in [
        ("no length", message("", ""), bad),
        ("two lengths", message("Content-Length: 0\r\nl: 7\r\n", ""), bad),
        ("the same length twice", message("Content-Length: 0\r\nContent-Length: 0\r\n", ""), bad),
        ("a length that is none", message("Content-Length: -1\r\n", ""), bad),
        ("a length in hex", message("Content-Length: 0x10\r\n", ""), bad),
        (
            "a length beyond all numbers",
            message("Content-Length: 99999999999999999999999\r\n", ""),
            Some(Status::REQUEST_ENTITY_TOO_LARGE),
        ),
        ("a body too large", message("Content-Length: 101\r\n", ""), Some(Status::REQUEST_ENTITY_TOO_LARGE)),
        ("a head too large", message(&filler, ""), Some(Status::MESSAGE_TOO_LARGE)),
        ("bare line feeds", message("Content-Length: 0\n", ""), bad),
        ("TLS", "\u{16}\u{3}\u{1}".to_owned(), None),
        ("HTTP", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_owned(), None),
    ] {
        for step in [1, 7, 10_000] {
            let (units, error) = cut(octets.as_bytes(), &[step], limits);
            assert_eq!(units, [], "{what}");
            let error = error.unwrap_or_else(|| panic!("{what} was taken"));
            assert_eq!(error.status(), status, "{what}: {error}");
            assert_eq!(error.response("tag").is_some(), status.is_some(), "{what}");
        }
    }
}

#[test]
fn a_head_that_never_ends_is_refused_at_its_limit() {
    let limits = Limits { head: 500, ..Limits::DEFAULT };
    let mut stream = Stream::new(limits);
    stream.buffer().extend_from_slice(message("Subject: ", "").trim_end().as_bytes());
    assert!(stream.take().unwrap().is_none());
    let error = loop {
        stream.buffer().extend_from_slice(b"x");
        match stream.take() {
            Ok(unit) => assert!(unit.is_none() && stream.buffer().len() <= 500),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ParseErrorKind::HeadTooLarge);
}

#[test]
fn half_a_ping_waits_and_an_idle_stream_holds_nothing() {
    let mut stream = Stream::new(Limits::DEFAULT);
    for half in ["\r", "\n", "\r"] {
        stream.buffer().extend_from_slice(half.as_bytes());
        assert!(stream.take().unwrap().is_none());
    }
    stream.buffer().extend_from_slice(b"\n");
    assert_eq!(stream.take().unwrap(), Some(Unit::KeepAlive(KeepAlive::Ping)));
    assert!(stream.take().unwrap().is_none() && stream.is_idle());
    assert_eq!(stream.buffer().capacity(), 0);
}
