//! `rsip` as the second opinion. Our conversion never runs its reader, so the two readings are
//! independent; where both read a message they must agree, but for what is known to be wrong in
//! rsip 0.4.0. What it cannot read or say is listed here, so that a change on either side is seen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::collections::BTreeSet;

use bytes::Bytes;
use rsip::SipMessage;
use tributary_sip::{Message, Uri};

/// Valid messages that we read and rsip's reader refuses.
const ONLY_WE_READ: &[&str] = &[
    "esc01",
    "esc02",
    "intmeth",
    "ipv6-bug-abnf-3-colons",
    "ipv6-correct-abnf-2-colons",
    "ipv6-good",
    "ipv6-in-sdp",
    "longreq",
    "mult-ip-in-sdp",
    "port-ambiguous",
    "port-unambiguous",
    "semiuri",
    "unkscm",
    "via-received-param-no-delim",
    "via-received-param-with-delim",
    "wsinv",
];

/// Messages that we read but that rsip has no value for: odd methods, IPv6, other schemes.
const UNSAYABLE: &[&str] = &[
    "esc02",
    "intmeth",
    "ipv6-bug-abnf-3-colons",
    "ipv6-correct-abnf-2-colons",
    "ipv6-good",
    "ipv6-in-sdp",
    "mult-ip-in-sdp",
    "novelsc",
    "port-ambiguous",
    "port-unambiguous",
    "unkscm",
    "via-received-param-no-delim",
    "via-received-param-with-delim",
];

#[test]
fn where_both_read_a_message_they_agree() {
    let mut agreed = 0;
    for (name, raw) in torture() {
        let Ok(ours) = Message::parse(Bytes::from(raw.clone())) else { continue };
        let (Ok(said), Ok(theirs)) = (SipMessage::try_from(&ours), SipMessage::try_from(raw)) else {
            continue;
        };
        match (&said, &theirs) {
            (SipMessage::Request(a), SipMessage::Request(b)) => {
                assert_eq!((a.method, &a.uri), (b.method, &b.uri), "{name}");
            }
            (SipMessage::Response(a), SipMessage::Response(b)) => {
                assert_eq!(a.status_code.code(), b.status_code.code(), "{name}");
            }
            _ => panic!("{name}: a request to one, a response to the other"),
        }
        let lines = |message: &SipMessage| {
            let headers: &rsip::Headers = rsip::prelude::HasHeaders::headers(message);
            headers.iter().map(full_name).collect::<Vec<_>>()
        };
        assert_eq!(lines(&said), lines(&theirs), "{name}");
        let body = |message: &SipMessage| match message {
            SipMessage::Request(request) => request.body.clone(),
            SipMessage::Response(response) => response.body.clone(),
        };
        // It does not stop at Content-Length.
        assert!(body(&theirs).starts_with(&body(&said)), "{name}");
        agreed += 1;
    }
    assert!(agreed >= 20, "only {agreed} messages were read by both");
}

#[test]
fn what_only_we_read_or_can_say_is_known() {
    let (mut unread, mut unsayable) = (BTreeSet::new(), BTreeSet::new());
    for (name, raw) in torture() {
        let Ok(ours) = Message::parse(Bytes::from(raw.clone())) else { continue };
        if SipMessage::try_from(raw).is_err() {
            unread.insert(name.clone());
        }
        if SipMessage::try_from(&ours).is_err() {
            unsayable.insert(name);
        }
    }
    let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(unread, known(ONLY_WE_READ));
    assert_eq!(unsayable, known(UNSAYABLE));
}

#[test]
fn a_uri_keeps_its_meaning_in_rsip_values() {
    for text in [
        "sip:alice.smith@example.com;transport=ws",
        "sips:alice:pw@192.0.2.1:5061;lr;maddr=x;foo=bar;ob",
        "sip:example.com",
    ] {
        let uri = rsip::Uri::try_from(&Uri::parse(text).unwrap()).unwrap();
        assert_eq!(uri.to_string().to_ascii_lowercase(), text);
    }
    let dotted = rsip::Uri::try_from(&Uri::parse("sip:alice.smith@example.com").unwrap()).unwrap();
    assert_eq!(dotted.user(), Some("alice.smith"));
    for text in ["tel:+1", "sip:a@[::1]", "sip:a@b.c?x=y"] {
        assert!(rsip::Uri::try_from(&Uri::parse(text).unwrap()).is_err(), "{text}");
    }
}

/// A header line with its full name in lower case and the trailing space that rsip keeps gone.
fn full_name(header: &rsip::Header) -> (String, String) {
    let line = header.to_string();
    let (name, value) = line.split_once(':').unwrap();
    let full = tributary_sip::Name::from_bytes(name.as_bytes()).as_str();
    let name = if full.is_empty() { name } else { full };
    (name.to_ascii_lowercase(), value.trim().to_owned())
}

fn torture() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "dat"));
    files.sort();
    let name = |path: &std::path::Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}
