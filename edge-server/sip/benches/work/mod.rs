//! The work that both benchmarks measure.

use bytes::Bytes;
use tributary_sip::digest::{self, Asked};
use tributary_sip::{Credentials, DigestServer, Ha1, Message, Method, Name, RequestBuilder, Verdict};

pub(crate) const SUBSCRIBE: &[u8] = include_bytes!("../messages/subscribe.sip");
pub(crate) const REGISTER: &[u8] = include_bytes!("../messages/register.sip");
pub(crate) const NOW: i64 = 1_795_000_000_000;

/// Reads and checks, nothing typed asked for.
pub(crate) fn read(raw: &Bytes) -> Message {
    Message::parse(raw.clone()).expect("a good message")
}

/// Reads, and asks for what a presence agent asks of a SUBSCRIBE.
pub(crate) fn read_and_use(raw: &Bytes) -> usize {
    let m = read(raw);
    let event = m.event().ok().flatten().expect("an event");
    let contact = m.contact().ok().flatten().expect("a contact");
    let accept = m.accept().ok().flatten().expect("an accept");
    let expires = m.expires().ok().flatten().expect("an expires");
    event.package.len() + contact.uri.len() + accept.ranges().len() + expires as usize
}

pub(crate) fn read_rsip(raw: &Bytes) -> rsip::SipMessage {
    rsip::SipMessage::try_from(raw.as_ref()).expect("a good message")
}

/// A NOTIFY as the engine writes it, around a body of 1.4 KB.
pub(crate) fn write_notify(body: &[u8], cseq: u32) -> Bytes {
    RequestBuilder::new(Method::Notify, "sip:k3s9d0fa@df7jal23ls0d.invalid;transport=ws")
        .header(Name::Via, format_args!("SIP/2.0/WSS edge1.example.com;branch=z9hG4bK{cseq:x}-3f2a91"))
        .header(Name::From, "<sip:alice@example.com>;tag=9f1c2d3e4b5a6978")
        .header(Name::To, "<sip:bob@example.com>;tag=3a8kq1p0fm")
        .header(Name::CallId, "7kq0d2m3v9tsq81hdu2a")
        .cseq(cseq)
        .header(Name::Contact, "<sip:edge1.example.com;transport=ws>")
        .header(Name::Event, "presence")
        .header(Name::SubscriptionState, format_args!("active;expires={}", 600))
        .body("application/pidf+xml", body)
        .expect("a good message")
}

/// The answer of a client to our challenge, as a header value.
pub(crate) fn answer(server: &DigestServer, which: usize) -> String {
    let challenges = server.challenges(NOW, 1, false);
    let challenge = tributary_sip::Challenge::parse(&challenges[which]).expect("a challenge");
    let challenge = challenge.digest().expect("a digest");
    digest::answer(challenge, "bob", "secret", Asked::new("REGISTER", "sip:example.com"), "f2wE4q74", 1)
        .expect("an answer")
}

pub(crate) fn server() -> DigestServer {
    DigestServer::new("example.com", [7; 32], 300)
}

pub(crate) fn check_digest(server: &DigestServer, ha1: &Ha1, header: &str) -> bool {
    let credentials = Credentials::parse(header).expect("credentials");
    let digest = credentials.digest().expect("a digest");
    let verdict =
        server.verify(digest, Asked::new("REGISTER", "sip:example.com"), NOW, |_| Some(ha1.clone()));
    matches!(verdict, Verdict::Accepted { .. })
}
