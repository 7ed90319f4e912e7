//! What both we and `rsip` can read must be the same message to both.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rsip::SipMessage;
use rsip::prelude::HasHeaders;
use tributary_sip::{Message, Name};

fuzz_target!(|raw: &[u8]| {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(raw)) else { return };
    let Ok(ours) = SipMessage::try_from(&message) else { return };
    let Ok(theirs) = SipMessage::try_from(raw) else { return };
    match (&ours, &theirs) {
        (SipMessage::Request(a), SipMessage::Request(b)) => {
            assert_eq!(a.method, b.method);
            assert!(b.body.starts_with(&a.body));
        }
        (SipMessage::Response(a), SipMessage::Response(b)) => {
            assert_eq!(a.status_code.code(), b.status_code.code());
            assert!(b.body.starts_with(&a.body));
        }
        _ => panic!("a request to one, a response to the other"),
    }
    let lines = |message: &SipMessage| message.headers().iter().map(full_name).collect::<Vec<_>>();
    assert_eq!(lines(&ours), lines(&theirs));
});

/// A header line with its full name in lower case; rsip keeps trailing space and compact names.
fn full_name(header: &rsip::Header) -> (String, String) {
    let line = header.to_string();
    let (name, value) = line.split_once(':').expect("a colon");
    let full = Name::from_bytes(name.as_bytes()).as_str();
    let name = if full.is_empty() { name } else { full };
    (name.to_ascii_lowercase(), value.trim().to_owned())
}
