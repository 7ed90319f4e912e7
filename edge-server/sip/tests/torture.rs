//! Every message of RFC 4475 and RFC 5118, one row each: what it must read as, or how it must
//! be refused. The files are the messages as the RFCs print them; INDEX.tsv names their sections.
//!
//! Where an RFC leaves a choice ("may be liberal") the row shows ours, which is to refuse what
//! an element on the way could understand differently.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use bytes::Bytes;
use tributary_sip::transaction::FlowId;
use tributary_sip::{
    Contacts, Credentials, Keys, Message, Method, Name, ParseErrorKind, Scheme, Status, Uri,
};

enum Expect {
    /// Read, and these things hold.
    Reads(fn(&Message)),
    /// Refused; answered with this status, or by no means.
    Refused(Option<u16>, fn(ParseErrorKind) -> bool),
}
use Expect::{Reads, Refused};

const BAD: Option<u16> = Some(400);

#[rustfmt::skip]
const ROWS: &[(&str, Expect)] = &[
    // RFC 4475 3.1.1: valid, however odd.
    ("wsinv", Reads(wsinv)),
    ("intmeth", Reads(intmeth)),
    ("esc01", Reads(esc01)),
    ("escnull", Reads(escnull)),
    ("esc02", Reads(esc02)),
    ("lwsdisp", Reads(lwsdisp)),
    ("longreq", Reads(longreq)),
    ("dblreq", Reads(dblreq)),
    ("semiuri", Reads(semiuri)),
    ("transports", Reads(transports)),
    ("mpart01", Reads(mpart01)),
    ("unreason", Reads(unreason)),
    ("noreason", Reads(noreason)),
    // 3.1.2: invalid.
    ("badinv01", Refused(BAD, |k| header(k, Name::Via))),
    ("clerr", Refused(BAD, |k| k == ParseErrorKind::BodyTruncated)),
    ("ncl", Refused(BAD, |k| header(k, Name::ContentLength))),
    ("scalar02", Refused(BAD, |k| header(k, Name::CSeq))),
    ("scalarlg", Refused(None, |k| header(k, Name::CSeq))),
    ("quotbal", Refused(BAD, |k| header(k, Name::To))),
    ("ltgtruri", Refused(BAD, |k| k == ParseErrorKind::RequestUri)),
    ("lwsruri", Refused(BAD, |k| k == ParseErrorKind::StartLine)),
    ("lwsstart", Refused(BAD, |k| k == ParseErrorKind::StartLine)),
    ("trws", Refused(BAD, |k| k == ParseErrorKind::StartLine)),
    ("escruri", Refused(BAD, |k| k == ParseErrorKind::RequestUri)),
    ("baddate", Reads(|m| assert!(m.date().is_err()))),
    ("regbadct", Reads(|m| assert_eq!(m.contacts().unwrap_err().name, Name::Contact))),
    ("badaspec", Refused(BAD, |k| header(k, Name::To))),
    // The RFC prints no empty line after this one; with_empty_line() has it completed.
    ("baddn", Refused(BAD, |k| k == ParseErrorKind::Truncated)),
    ("badvers", Refused(Some(505), |k| k == ParseErrorKind::Version)),
    ("mismatch01", Refused(BAD, |k| k == ParseErrorKind::MethodMismatch)),
    ("mismatch02", Refused(BAD, |k| k == ParseErrorKind::MethodMismatch)),
    ("bigcode", Refused(None, |k| k == ParseErrorKind::StatusCode)),
    // 3.2 to 3.4: well formed, wrong in other ways; the engine answers from what is read here.
    ("badbranch", Reads(badbranch)),
    ("insuf", Refused(BAD, |k| header(k, Name::From))),
    ("unkscm", Reads(|m| assert_eq!(m.request_uri().unwrap().scheme, Scheme::Other("nobodyKnowsThisScheme")))),
    ("novelsc", Reads(|m| assert_eq!(m.request_uri().unwrap().scheme, Scheme::Other("soap.beep")))),
    ("unksm2", Reads(unksm2)),
    ("bext01", Reads(bext01)),
    ("invut", Reads(|m| assert!(m.content_type().unwrap().unwrap().is("application/unknownformat")))),
    ("regaut01", Reads(regaut01)),
    ("multi01", Refused(BAD, |k| header(k, Name::CSeq))),
    ("mcl01", Refused(BAD, |k| header(k, Name::ContentLength))),
    ("bcast", Reads(bcast)),
    ("zeromf", Reads(|m| assert_eq!(m.max_forwards(), Ok(Some(0))))),
    ("cparam01", Reads(cparam01)),
    ("cparam02", Reads(cparam02)),
    ("regescrt", Reads(regescrt)),
    ("sdp01", Reads(|m| assert_eq!(m.accept().unwrap().unwrap().quality("application/sdp"), 0))),
    ("inv2543", Reads(inv2543)),
    // RFC 5118.
    ("ipv6-good", Reads(|m| assert_eq!(request_ip(m), (ip("2001:db8::10"), None)))),
    ("ipv6-bad", Refused(BAD, |k| k == ParseErrorKind::RequestUri)),
    ("port-ambiguous", Reads(|m| assert_eq!(request_ip(m), (ip("2001:db8::10:5070"), None)))),
    ("port-unambiguous", Reads(|m| assert_eq!(request_ip(m), (ip("2001:db8::10"), Some(5070))))),
    ("via-received-param-with-delim", Reads(|m| assert_eq!(m.via().unwrap().received(), ip("2001:db8::9:255")))),
    ("via-received-param-no-delim", Reads(|m| assert_eq!(m.via().unwrap().received(), ip("2001:db8::9:255")))),
    ("ipv6-in-sdp", Reads(|m| assert_eq!(m.body().len(), 251))),
    ("mult-ip-in-header", Reads(mult_ip_in_header)),
    ("mult-ip-in-sdp", Reads(|m| assert_eq!(m.body().len(), 189))),
    ("ipv4-mapped-ipv6", Reads(ipv4_mapped_ipv6)),
    ("ipv6-bug-abnf-3-colons", Reads(|m| assert_eq!(request_ip(m), (ip("2001:db8::192.0.2.1"), None)))),
    ("ipv6-correct-abnf-2-colons", Reads(|m| assert_eq!(request_ip(m), (ip("2001:db8::192.0.2.1"), None)))),
];

#[test]
fn every_torture_message_reads_or_is_refused_as_its_row_says() {
    for (name, expect) in ROWS {
        println!("{name}");
        let read = Message::parse(load(name));
        match (expect, read) {
            (Reads(assert_values), Ok(message)) => {
                assert_values(&message);
                assert_basics(&message);
            }
            (Refused(status, is_kind), Err(error)) => {
                assert!(is_kind(error.kind()), "{name}: {error}");
                assert_eq!(error.status().map(Status::code), *status, "{name}");
                assert_answer(name, &error);
            }
            (Reads(_), Err(error)) => panic!("{name} was refused: {error}"),
            (Refused(..), Ok(message)) => panic!("{name} was read: {message:?}"),
        }
    }
}

#[test]
fn every_file_has_a_row_and_every_row_a_file() {
    let index = std::fs::read_to_string(folder().join("INDEX.tsv")).unwrap();
    let listed = index.lines().filter(|line| !line.starts_with('#'));
    let listed: BTreeSet<&str> = listed.filter_map(|line| line.split('\t').next()).collect();
    let rows: BTreeSet<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, rows);
    assert_eq!(rows.len(), ROWS.len());
}

#[test]
fn what_the_index_calls_valid_is_read() {
    let index = std::fs::read_to_string(folder().join("INDEX.tsv")).unwrap();
    let mut valid = 0;
    for line in index.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        if let [name, _, "valid", ..] = columns[..] {
            assert!(Message::parse(load(name)).is_ok(), "{name}");
            valid += 1;
        }
    }
    assert_eq!(valid, 13 + 11);
}

#[test]
fn a_comma_in_an_unquoted_display_name_is_refused() {
    let mut text = load("baddn").to_vec();
    text.extend_from_slice(b"\r\n");
    let error = Message::parse(text.into()).unwrap_err();
    assert!(header(error.kind(), Name::From), "{error}");
}

#[test]
fn a_missing_call_id_is_named_even_when_more_is_missing() {
    let error = Message::parse(load("insuf")).unwrap_err();
    let response = error.response("t1").unwrap();
    let response = std::str::from_utf8(&response).unwrap();
    assert!(response.contains("\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\n"));
    assert!(response.contains("\r\nCSeq: 193942 INVITE\r\n"));
}

fn wsinv(m: &Message) {
    assert_eq!(m.method(), Method::Invite);
    let to = m.to().unwrap();
    assert_eq!((to.uri, to.tag()), ("sip:vivekg@chair-dnrc.example.com", Some("1918181833n")));
    let from = m.from().unwrap();
    assert_eq!(from.display_name().as_deref(), Some(r#"J Rosenberg \""#));
    assert_eq!((from.uri, from.tag()), ("sip:jdrosen@example.com", Some("98asjd8")));
    assert_eq!(m.max_forwards(), Ok(Some(68)));
    let cseq = m.cseq().unwrap();
    assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
    let vias: Vec<_> = m.vias().map(Result::unwrap).collect();
    let seen: Vec<_> = vias.iter().map(|v| (v.transport, v.host, v.branch())).collect();
    assert_eq!(
        seen,
        [
            ("UDP", "192.0.2.2", Some("390skdjuw")),
            ("TCP", "spindle.example.com", Some("z9hG4bK9ikj8")),
            ("UDP", "192.168.255.111", Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(vias[0].unique_branch(), None);
    assert_eq!(m.header(Name::Subject), Some(""));
    assert_eq!(m.header_named("unknownheaderwithunusualvalue"), Some(";;,,;;,;"));
    let folded = m.header_named("NewFangledHeader").unwrap();
    let words: Vec<&str> = folded.split_whitespace().collect();
    assert_eq!(words, "newfangled value continued newfangled value".split(' ').collect::<Vec<_>>());
    let route = m.routes().next().unwrap().unwrap();
    let uri = route.parse_uri().unwrap();
    assert_eq!((uri.host, uri.params.get("lr")), ("services.example.com", Some("")));
    assert_eq!(uri.params.get("unknownwith"), Some("value"));
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.display_name().as_deref(), Some(r#"Quoted string """#));
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert!(contact.params.has("secondparam"));
    assert_eq!(contact.q_milli(), Some(330));
    assert_eq!(m.body().len(), 150);
}

fn intmeth(m: &Message) {
    assert_eq!(m.method(), Method::Extension("!interesting-Method0123456789_*+`.%indeed'~"));
    let uri = m.request_uri().unwrap();
    assert_eq!(uri.user, Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password, Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(uri.host, "example.com");
    assert_eq!(m.to().unwrap().display_name().as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    let from = m.from().unwrap();
    assert_eq!(from.display, Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.params.get("fromParam''~+*_!.-%"), Some("работающий"));
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(m.cseq().unwrap().number, 139_122_385);
    assert_eq!(m.max_forwards(), Ok(Some(255)));
    assert_eq!(m.header_named("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
    assert_eq!(m.via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
}

fn esc01(m: &Message) {
    let uri = m.request_uri().unwrap();
    assert_eq!(uri.scheme, Scheme::Sip);
    assert_eq!(uri.user_decoded().as_deref(), Some("sips:user@example.com"));
    assert_eq!(uri.host, "example.net");
    assert!(m.to().unwrap().parse_uri().unwrap().matches(&Uri::parse("sip:user@example.com").unwrap()));
    assert_eq!(m.from().unwrap().parse_uri().unwrap().user_decoded().as_deref(), Some("I have spaces"));
    let contact = m.contact().unwrap().unwrap().parse_uri().unwrap();
    assert_eq!(contact.user_decoded().as_deref(), Some("caller"));
    assert!(contact.params.has("lr"));
    assert_eq!(contact.params.get("name"), Some("v%61lue%25%34%31"));
}

fn escnull(m: &Message) {
    assert_eq!(m.to().unwrap().parse_uri().unwrap().user_decoded().as_deref(), Some("null-\0-null"));
    let Contacts::List(contacts) = m.contacts().unwrap() else { panic!("a star") };
    let users: Vec<_> = contacts.iter().map(|c| c.parse_uri().unwrap().user_decoded().unwrap()).collect();
    assert_eq!(users, ["\0", "\0\0"]);
}

fn esc02(m: &Message) {
    assert_eq!(m.method(), Method::Extension("RE%47IST%45R"));
    assert_eq!(m.to().unwrap().display_name().as_deref(), Some("%Z%45"));
    assert_eq!(m.headers(Name::Contact).count(), 2);
    assert_eq!(m.header_named("C%6Fntact"), Some("<sip:alias2@host2.example.com>"));
}

fn lwsdisp(m: &Message) {
    let from = m.from().unwrap();
    assert_eq!((from.display, from.uri), (Some("caller"), "sip:caller@example.com"));
}

fn longreq(m: &Message) {
    assert_eq!(m.vias().count(), 34);
    assert!(m.vias().all(|via| via.is_ok()));
    assert_eq!(m.vias().nth(1).unwrap().unwrap().host, "sip32.example.com");
    let last = m.vias().last().unwrap().unwrap();
    assert_eq!((last.host, last.received()), ("host.example.com", ip("192.0.2.5")));
    assert!(m.to().unwrap().display_name().unwrap().starts_with("I have a user name of extreme"));
    assert_eq!(m.to().unwrap().parse_uri().unwrap().port, Some(6000));
    let tag = m.from().unwrap().tag().unwrap();
    assert!(tag.starts_with("1298298298") && tag.ends_with("982982424"), "{tag}");
    assert!(m.from().unwrap().params.iter().nth(1).unwrap().name.starts_with("unknownheaderparam"));
}

fn dblreq(m: &Message) {
    assert_eq!(m.method(), Method::Register);
    assert!(m.body().is_empty());
    assert_eq!(m.call_id(), "dblreq.0ha0isndaksdj99sdfafnl3lk233412");
}

fn semiuri(m: &Message) {
    let uri = m.request_uri().unwrap();
    assert_eq!(uri.user_decoded().as_deref(), Some("user;par=u@example.net"));
    assert!(uri.params.is_empty());
    let accept = m.accept().unwrap().unwrap();
    assert_eq!(accept.ranges().len(), 6);
    assert_eq!(accept.quality("message/sipfrag"), 1000);
}

fn transports(m: &Message) {
    let seen: Vec<_> = m.vias().map(|via| via.unwrap().transport).collect();
    assert_eq!(seen, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

fn mpart01(m: &Message) {
    assert_eq!(m.method(), Method::Message);
    assert_eq!(m.body().len(), 553);
    assert!(m.body().contains(&0));
    let media = m.content_type().unwrap().unwrap();
    assert!(media.is("Multipart/Mixed"));
    assert_eq!(media.params.get("boundary"), Some("7a9cbec02ceef655"));
    assert_eq!(m.date().unwrap().unwrap().to_string(), "Sat, 15 Oct 2005 04:44:56 GMT");
    assert_eq!(m.via().unwrap().rport(), Some(None));
    assert_eq!(m.user_agent(), Some("SIPimp.org/0.2.5 (curses)"));
}

fn unreason(m: &Message) {
    assert_eq!(m.status(), Some(Status::OK));
    assert_eq!(m.reason(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(m.method(), Method::Invite);
}

fn noreason(m: &Message) {
    assert_eq!((m.status().map(Status::code), m.reason()), (Some(100), ""));
}

fn badbranch(m: &Message) {
    assert_eq!(m.via().unwrap().branch(), Some("z9hG4bK"));
    assert_eq!(m.via().unwrap().unique_branch(), None);
    // So it is matched the old way, by all that a repetition has in common.
    let key = Keys::new([1, 2]).of_request(Some(FlowId(1)), m).unwrap();
    let mut other = String::from_utf8(load("badbranch").to_vec()).unwrap();
    other = other.replace("CSeq: 8", "CSeq: 9");
    let other = Message::parse(other.into()).unwrap();
    assert_ne!(key, Keys::new([1, 2]).of_request(Some(FlowId(1)), &other).unwrap());
    assert_eq!(key, Keys::new([1, 2]).of_request(Some(FlowId(1)), m).unwrap());
}

fn unksm2(m: &Message) {
    assert_eq!(m.to().unwrap().uri, "isbn:2983792873");
    assert_eq!(m.from().unwrap().parse_uri().unwrap().scheme, Scheme::Other("http"));
    assert_eq!(m.contact().unwrap().unwrap().uri, "name:John_Smith");
}

fn bext01(m: &Message) {
    assert_eq!(m.require().collect::<Vec<_>>(), ["nothingSupportsThis", "nothingSupportsThisEither"]);
    let proxy: Vec<_> = m.proxy_require().collect();
    assert_eq!(proxy, ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]);
}

fn regaut01(m: &Message) {
    let credentials = m.authorization().next().unwrap().unwrap();
    assert_eq!(credentials, Credentials::Other { scheme: "NoOneKnowsThisScheme", rest: "opaque-data=here" });
}

fn bcast(m: &Message) {
    assert_eq!(m.vias().nth(1).unwrap().unwrap().host, "255.255.255.255");
}

fn cparam01(m: &Message) {
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.uri, "sip:+19725552222@gw1.example.net");
    assert!(contact.params.has("unknownparam"));
}

fn cparam02(m: &Message) {
    let contact = m.contact().unwrap().unwrap();
    assert!(contact.params.is_empty());
    assert!(contact.parse_uri().unwrap().params.has("unknownparam"));
}

fn regescrt(m: &Message) {
    let uri = m.contact().unwrap().unwrap().parse_uri().unwrap();
    assert_eq!(uri.headers, Some("Route=%3Csip:sip.example.com%3E"));
}

fn inv2543(m: &Message) {
    assert_eq!(m.via().unwrap().branch(), None);
    assert_eq!(m.from().unwrap().tag(), None);
    assert_eq!(m.max_forwards(), Ok(None));
    // Without Content-Length the body is all there is.
    assert!(m.body().ends_with(b"m=audio 49217 RTP/AVP 0\r\n"));
    let to = m.to().unwrap();
    assert_eq!((to.uri, to.params.get("user")), ("sip:+16505552222@ss1.example.net", Some("phone")));
    let route = m.record_routes().next().unwrap().unwrap().parse_uri().unwrap();
    assert_eq!(route.params.get("maddr"), Some("ss1.example.com"));
}

fn mult_ip_in_header(m: &Message) {
    let vias: Vec<_> = m.vias().map(Result::unwrap).collect();
    assert_eq!((vias[0].host, vias[0].port), ("[2001:db8::9:1]", Some(6050)));
    assert_eq!((vias[2].host, vias[2].received()), ("[2001:db8::9:255]", ip("192.0.2.200")));
}

fn ipv4_mapped_ipv6(m: &Message) {
    assert_eq!(m.contact().unwrap().unwrap().parse_uri().unwrap().ip(), ip("::ffff:192.0.2.2"));
    assert_eq!(m.via().unwrap().port, Some(19823));
    assert_eq!(m.body().len(), 245);
}

/// What every message that was read can say, and that it survives another reading.
fn assert_basics(m: &Message) {
    assert!(m.via().is_ok() && m.from().is_ok() && m.to().is_ok() && m.cseq().is_ok());
    let again = Message::parse(m.raw().clone()).unwrap();
    assert!(again.lines().eq(m.lines()));
    assert_eq!(again.body(), m.body());
}

/// An answer to a refused request goes along its Vias and names its transaction.
fn assert_answer(name: &str, error: &tributary_sip::ParseError) {
    let Some(response) = error.response("a-tag") else {
        assert_eq!(error.status(), None, "{name}");
        return;
    };
    let response = std::str::from_utf8(&response).unwrap();
    assert!(response.starts_with(&format!("SIP/2.0 {}\r\n", error.status().unwrap())), "{name}");
    for header in [Name::Via, Name::From, Name::CallId, Name::CSeq] {
        if let Some(value) = error.header(header) {
            assert!(response.contains(&format!("\r\n{header}: {value}\r\n")), "{name}: {response}");
        }
    }
    assert!(response.ends_with("\r\nContent-Length: 0\r\n\r\n"));
}

fn header(kind: ParseErrorKind, name: Name) -> bool {
    matches!(kind, ParseErrorKind::Header(error) if error.name == name)
}

fn request_ip(m: &Message) -> (Option<IpAddr>, Option<u16>) {
    let uri = m.request_uri().unwrap();
    (uri.ip(), uri.port)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn load(name: &str) -> Bytes {
    std::fs::read(folder().join(format!("{name}.dat"))).unwrap().into()
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture"))
}
