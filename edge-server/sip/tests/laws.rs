//! Laws that hold for any input, and the second opinion of `rsip` on what it can read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use bytes::Bytes;
use exhaust::{exhaust, forward};
use proptest::prelude::*;
use tributary_sip::transaction::{FlowId, Hop, Transport, arrived};
use tributary_sip::{
    Accept, Aor, Challenge, Credentials, Event, Limits, MediaType, Message, Method, Name, NameAddr, Params,
    RequestBuilder, ResponseBuilder, SipDate, Status, SubscriptionState, Uri, Via, params,
};

mod exhaust;

/// The torture set as seeds for mutation.
fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "dat"));
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Another address than any in the torture set.
fn came_from() -> Hop {
    Hop { flow: FlowId(1), transport: Transport::Udp, peer: "[2001:db8::77]:40000".parse().unwrap() }
}

/// One small change to a message.
#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Delete(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = || any::<prop::sample::Index>();
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..4),
        prop::sample::select(vec![
            &b"\r\n"[..],
            b"\r",
            b"\n",
            b" ",
            b"\"",
            b"<",
            b">",
            b";",
            b",",
            b"=",
            b":",
            b"@",
            b"%",
            b"\\",
            b"[",
            b"]",
            b"\r\n ",
            b"\0",
            b"*",
            b"\xff",
            b"Content-Length: 5\r\n",
            b"v: ",
            b"/",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (place(), piece).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), 1usize..40).prop_map(|(at, n)| Change::Delete(at, n)),
        (place(), 1usize..60).prop_map(|(at, n)| Change::Repeat(at, n)),
    ]
}

fn apply(mut text: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let at = |index: &prop::sample::Index| index.index(text.len() + 1);
        match change {
            Change::Set(place, byte) => {
                let at = at(place);
                if let Some(slot) = text.get_mut(at) {
                    *slot = *byte;
                }
            }
            Change::Insert(place, bytes) => {
                let at = at(place);
                text.splice(at..at, bytes.iter().copied());
            }
            Change::Delete(place, n) => {
                let at = at(place);
                text.drain(at..(at + n).min(text.len()));
            }
            Change::Repeat(place, n) => {
                let at = at(place);
                let piece = text[at..(at + n).min(text.len())].to_vec();
                text.splice(at..at, piece);
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_mutated_message_panics_and_none_is_answered_with_something_unreadable(
        seed in prop::sample::select(seeds()),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let raw = apply(seed, &changes);
        match Message::parse(Bytes::from(raw.clone())) {
            Ok(m) => {
                exhaust(&m);
                forward(&m);
                // What was read is stable: reading it again gives the same.
                let again = Message::parse(m.raw().clone()).unwrap();
                prop_assert!(again.lines().eq(m.lines()));
                // What a server writes into the top Via moves what follows and changes nothing of it.
                if m.is_request() {
                    let (stamped, _) = arrived(m.clone(), &came_from());
                    let again = Message::parse(stamped.raw().clone()).unwrap();
                    prop_assert!(again.lines().eq(stamped.lines()));
                    prop_assert_eq!((again.method(), again.uri()), (stamped.method(), stamped.uri()));
                    prop_assert_eq!((again.body(), m.body()), (stamped.body(), stamped.body()));
                }
                // What could be read can be answered, and the answer read.
                if m.is_request() {
                    let answer = ResponseBuilder::new(&m, Status::OK).to_tag("t").build();
                    // A NUL in a Via that is not the first is the one thing that is read but never written.
                    if !raw.contains(&0) {
                        let answer = Message::parse(answer.unwrap()).unwrap();
                        prop_assert!(answer.headers(Name::Via).eq(m.headers(Name::Via)));
                        prop_assert_eq!(answer.call_id(), m.call_id());
                        prop_assert_eq!(answer.cseq(), m.cseq());
                    }
                }
            }
            Err(error) => {
                if let Some(partial) = error.partial() {
                    exhaust(partial);
                }
                prop_assert!(error.offset() <= raw.len());
                if let Some(response) = error.response("t") {
                    // One message: no line end of the request can end a line of the answer early.
                    let text = std::str::from_utf8(&response).unwrap();
                    prop_assert_eq!(text.matches("\r\n\r\n").count(), 1);
                    prop_assert!(text.split("\r\n").all(|line| !line.contains(['\r', '\n'])));
                }
            }
        }
        let tiny = Limits { head: 300, body: 20, headers: 5, line: 60, vias: 2 };
        if let Ok(m) = Message::parse_with(Bytes::from(raw), &tiny) {
            prop_assert!(m.body().len() <= 20 && m.lines().count() <= 5);
        }
    }

    #[test]
    fn no_text_panics_any_header(text in ".{0,60}|[ -~]{0,60}|[a:<>\";,=@%?.\\[\\] \\\\]{0,30}") {
        let _ = (Uri::parse(&text), Aor::parse(&text), NameAddr::parse(&text), Via::parse(&text));
        let _ = (Params::parse(&text), Event::parse(&text), SubscriptionState::parse(&text), SipDate::parse(&text));
        let _ = (Accept::parse([text.as_str()].into_iter()), MediaType::parse(&text));
        let _ = (Credentials::parse(&text), Challenge::parse(&text), params::unquote(&text));
        if let Ok(uri) = Uri::parse(&text) {
            prop_assert!(uri.matches(&uri));
        }
        if let Ok(aor) = Aor::parse(&text) {
            prop_assert_eq!(&Aor::parse(aor.as_str()).unwrap(), &aor);
        }
        prop_assert_eq!(params::unquote(&params::quote(&text)).into_owned(), text);
    }

    #[test]
    fn what_the_builder_is_given_is_what_the_reader_finds(
        user in "[a-zA-Z0-9._~!*'()&=+$,;?/-]{1,20}",
        display in "\\PC{0,20}",
        tag in "[a-zA-Z0-9.!%*_+`'~-]{1,20}",
        call_id in "[!-~]{1,40}",
        number in 0u32..1 << 31,
        subject in "([!-~é][ -~é]{0,30}[!-~é])?",
        extension in "[A-Z][a-zA-Z0-9]{6}-[a-zA-Z0-9]{6,12}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let uri = format!("sip:{user}@example.com");
        let bytes = RequestBuilder::new(Method::Publish, &uri)
            .header(Name::Via, "SIP/2.0/WS h.invalid;branch=z9hG4bK1")
            .header(Name::From, format_args!("{} <{uri}>;tag={tag}", params::quote(&display)))
            .header(Name::To, format_args!("<{uri}>"))
            .header(Name::CallId, &call_id)
            .cseq(number)
            .header(Name::Subject, &subject)
            .header_named(&extension, &subject)
            .body("application/x", &body)
            .unwrap();
        let m = Message::parse(bytes).unwrap();
        prop_assert_eq!(m.uri(), &uri);
        prop_assert_eq!(m.request_uri().unwrap().user, Some(user.as_str()));
        let from = m.from().unwrap();
        prop_assert_eq!(from.display_name().unwrap(), display);
        prop_assert_eq!((from.uri, from.tag()), (uri.as_str(), Some(tag.as_str())));
        prop_assert_eq!(m.call_id(), call_id);
        prop_assert_eq!(m.cseq().unwrap().number, number);
        prop_assert_eq!(m.header(Name::Subject), Some(subject.as_str()));
        prop_assert_eq!(m.header_named(&extension), Some(subject.as_str()));
        prop_assert_eq!(m.body(), body);
    }

    #[test]
    fn uris_match_in_both_directions_or_in_neither(a in uri_text(), b in uri_text()) {
        let (a, b) = (Uri::parse(&a).unwrap(), Uri::parse(&b).unwrap());
        prop_assert!(a.matches(&a));
        prop_assert_eq!(a.matches(&b), b.matches(&a));
    }

    #[test]
    fn a_folded_message_reads_like_the_one_without_folds(spaces in "[ \t]{1,4}", at in 0usize..3) {
        let plain = "OPTIONS sip:a@b.c SIP/2.0\r\nVia: SIP/2.0/WS x.invalid; branch=z9hG4bK1\r\n\
            From: \"A B\" <sip:a@b.c>; tag=1\r\nTo: <sip:a@b.c>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let place = plain.match_indices("; ").map(|(at, _)| at + 1).chain(plain.find("\"A ").map(|at| at + 2));
        let place = place.collect::<Vec<_>>()[at];
        let folded = format!("{}\r\n{spaces}{}", &plain[..place], &plain[place + 1..]);
        let (plain, folded) = (Message::parse(plain.into()).unwrap(), Message::parse(folded.into()).unwrap());
        prop_assert_eq!(plain.via().unwrap().branch(), folded.via().unwrap().branch());
        prop_assert_eq!(plain.from().unwrap().tag(), folded.from().unwrap().tag());
        let words = |m: &Message| {
            let name = m.from().unwrap().display_name().unwrap().into_owned();
            name.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        prop_assert_eq!(words(&plain), words(&folded));
    }
}

fn uri_text() -> impl Strategy<Value = String> {
    let part = |choices: &[&'static str]| prop::sample::select(choices.to_vec());
    let user = part(&["", "alice@", "%61lice@", "Alice@", "al%3Bice@", "al;ice@", "alice:pw@"]);
    let host = part(&["b.c", "B.C", "[::1]", "[0::1]", "b.c:5060"]);
    let params =
        part(&["", ";lr", ";transport=ws", ";Transport=WS", ";maddr=x", ";x=1;y=2", ";y=2;x=%31", ";ttl=1"]);
    let headers = part(&["", "?a=1", "?A=1", "?a=1&b=2", "?b=2&a=1", "?a=1&a=1"]);
    (part(&["sip:", "sips:", "SIP:"]), user, host, params, headers)
        .prop_map(|(scheme, user, host, params, headers)| format!("{scheme}{user}{host}{params}{headers}"))
}
