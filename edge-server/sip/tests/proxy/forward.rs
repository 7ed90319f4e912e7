//! What goes on from what came: RFC 3261 16.6 and 16.7, header by header.

use bytes::Bytes;
use proptest::prelude::*;
use tributary_sip::proxy::{Backward, Forward, ForwardError, Path};
use tributary_sip::transaction::{ClientVia, Packet, Transport};
use tributary_sip::{BuildError, Limits, Message, Name, NameAddr, Uri, Via};

const VIA: ClientVia<'static> =
    ClientVia { transport: Transport::Udp, sent_by: "p2.example", branch: "z9hG4bKours", alias: false };
const OUR_VIA: &str = "Via: SIP/2.0/UDP p2.example;branch=z9hG4bKours;rport\r\n";

fn plain<'a>(path: &'a Path<'a>) -> Forward<'a> {
    Forward { path, via: VIA, max_forwards: 69, max_breadth: 60, record_routes: &[], without: &[], with: &[] }
}

fn path<'m>(request: &'m Message, target: Option<&'m str>) -> Path<'m> {
    Path::received(request, |uri: &Uri<'_>| uri.host == "p2.example").unwrap().towards(target)
}

fn text(packet: &Packet) -> String {
    String::from_utf8(packet.to_bytes().to_vec()).unwrap()
}

/// An INVITE to Bob whose header lines are these.
fn invite(headers: &str) -> Message {
    let text = format!("INVITE sip:bob@b.example SIP/2.0\r\n{headers}\r\n");
    Message::parse(text.into()).unwrap()
}

const MUST: &str = "f: Alice <sip:alice@a.example>;tag=a\r\nTo: <sip:bob@b.example>\r\nCall-ID: c\r\n\
                    CSeq: 1 INVITE\r\nContent-Length: 0\r\n";

/// The header lines that go on from these, with the wishes of `with`.
fn check(headers: &str, with: impl Fn(Forward<'_>) -> String, expect: &str) {
    let request = invite(&format!("{headers}{MUST}"));
    let path = path(&request, Some("sip:bob@192.0.2.4;ob"));
    let sent = with(plain(&path));
    let expect = format!("INVITE sip:bob@192.0.2.4;ob SIP/2.0\r\n{expect}{MUST}\r\n");
    assert_eq!(sent, expect);
    Message::parse(sent.into()).unwrap();
}

/// [`check`] for a forward without wishes.
fn goes_on(headers: &str, expect: &str) {
    let request = invite(&format!("{headers}{MUST}"));
    check(headers, |forward| text(&forward.request(&request).unwrap()), expect);
}

const HOPS: &str = "Max-Forwards: 69\r\nMax-Breadth: 60\r\n";

#[test]
fn section_16_6_our_via_comes_on_top_and_theirs_stay_as_they_are() {
    for vias in [
        "Via: SIP/2.0/UDP a.example;branch=z9hG4bKa\r\n",
        "v: SIP/2.0/UDP p1.example;branch=z9hG4bKp , SIP/2.0/TCP a.example;branch=z9hG4bKa\r\n",
        "VIA  :SIP / 2.0/ UDP p1.example;branch=z9hG4bKp\r\nVia: SIP/2.0/TCP a.example;branch=z9hG4bKa\r\n",
    ] {
        goes_on(vias, &format!("{OUR_VIA}{HOPS}{vias}"));
    }
}

const THEIRS: &str = "Via: SIP/2.0/UDP a.example;branch=z9hG4bKa\r\n";

#[test]
fn section_16_6_max_forwards_and_max_breadth_are_ours_to_say() {
    for came in ["", "Max-Forwards: 70\r\n", "max-forwards:70\r\nMAX-BREADTH: 3\r\n"] {
        goes_on(&format!("{THEIRS}{came}"), &format!("{OUR_VIA}{HOPS}{THEIRS}"));
    }
}

#[test]
fn section_16_4_our_route_is_taken_off_and_the_others_stay_as_they_are() {
    for (came, left) in [
        ("Route: <sip:p2.example;lr>\r\n", ""),
        (
            "Route: <sip:p2.example;lr>, \"P, 3\" <sip:p3.example;lr>;x=1 ,<sip:p4.example;lr>\r\n",
            "Route: \"P, 3\" <sip:p3.example;lr>;x=1 ,<sip:p4.example;lr>\r\n",
        ),
        ("route: <sip:p2.example;lr>\r\nRoute:<sip:p3.example;lr>\r\n", "Route:<sip:p3.example;lr>\r\n"),
        ("route: <sip:p2.example;lr>,\r\n <sip:p3.example;lr>\r\n", "route: <sip:p3.example;lr>\r\n"),
        (
            "Route: <sip:p3.example;lr> , <sip:p4.example;lr>\r\n",
            "Route: <sip:p3.example;lr> , <sip:p4.example;lr>\r\n",
        ),
    ] {
        goes_on(&format!("{THEIRS}{came}"), &format!("{OUR_VIA}{HOPS}{THEIRS}{left}"));
    }
}

#[test]
fn section_16_6_item_6_a_strict_router_gets_a_route_that_was_written_anew() {
    let came = format!("{THEIRS}Route: <sip:p2.example;lr>, <sip:p3.middle>, <sip:p4.example;lr>\r\n{MUST}");
    let request = invite(&came);
    let path = path(&request, None);
    let sent = text(&plain(&path).request(&request).unwrap());
    let routes = "Route: <sip:p4.example;lr>\r\nRoute: <sip:bob@b.example>\r\n";
    assert_eq!(sent, format!("INVITE sip:p3.middle SIP/2.0\r\n{OUR_VIA}{routes}{HOPS}{THEIRS}{MUST}\r\n"));
}

#[test]
fn rfc_3327_a_path_vector_becomes_route_and_inside_a_dialog_does_not() {
    let vector = [NameAddr::parse("<sip:token@edge.example;lr;ob>").unwrap()];
    let forwarded = |route: &str| {
        let request = invite(&format!("{THEIRS}{route}{MUST}"));
        let path = path(&request, None).through(&vector).towards(Some("sip:bob@192.0.2.4"));
        assert!(!path.next_hop().contains("192.0.2.4"));
        text(&plain(&path).request(&request).unwrap())
    };
    let onwards = |top: &str, below: &str| {
        format!("INVITE sip:bob@192.0.2.4 SIP/2.0\r\n{OUR_VIA}{top}{HOPS}{THEIRS}{below}{MUST}\r\n")
    };
    let edge = "Route: <sip:token@edge.example;lr;ob>\r\n";
    assert_eq!(forwarded("Route: <sip:p2.example;lr>\r\n"), onwards(edge, ""));
    let more = "Route: <sip:p3.example;lr>\r\n";
    assert_eq!(forwarded(more), onwards("", more));
}

#[test]
fn section_16_6_item_4_record_routes_come_before_those_that_are_there() {
    let theirs = "Record-Route: <sip:p1.example;lr>\r\n";
    let request = invite(&format!("{THEIRS}{theirs}{MUST}"));
    let two = ["sip:t1@p2.example;lr", "sip:t2@p2.example;transport=ws;lr"];
    let ours =
        "Record-Route: <sip:t1@p2.example;lr>\r\nRecord-Route: <sip:t2@p2.example;transport=ws;lr>\r\n";
    check(
        &format!("{THEIRS}{theirs}"),
        |forward| text(&Forward { record_routes: &two, ..forward }.request(&request).unwrap()),
        &format!("{OUR_VIA}{ours}{HOPS}{THEIRS}{theirs}"),
    );
}

#[test]
fn r15_an_asserted_identity_from_outside_goes_no_further() {
    let forged = "P-Asserted-Identity: <sip:boss@b.example>\r\np-asserted-identity: <tel:+1>\r\n";
    let request = invite(&format!("{THEIRS}{forged}{MUST}"));
    check(
        &format!("{THEIRS}{forged}"),
        |forward| {
            text(&Forward { without: &[Name::PAssertedIdentity], ..forward }.request(&request).unwrap())
        },
        &format!("{OUR_VIA}{HOPS}{THEIRS}"),
    );
}

#[test]
fn r10_the_hint_that_a_request_was_forked_is_ours_alone() {
    let request = invite(&format!("{THEIRS}x-forked: 1\r\nX-Forkedness: 2\r\n{MUST}"));
    check(
        &format!("{THEIRS}x-forked: 1\r\nX-Forkedness: 2\r\n"),
        |forward| text(&Forward { with: &[("X-Forked", "3")], ..forward }.request(&request).unwrap()),
        &format!("{OUR_VIA}{HOPS}X-Forked: 3\r\n{THEIRS}X-Forkedness: 2\r\n"),
    );
}

#[test]
fn section_16_6_item_9_what_says_no_length_gets_one() {
    let came = "MESSAGE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP a.example;branch=z9hG4bKa\r\n\
                From: <sip:a@a>;tag=a\r\nTo: <sip:bob@b.example>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n\r\nHi\r\n.";
    let request = Message::parse(came.into()).unwrap();
    let path = path(&request, None);
    let sent = plain(&path).request(&request).unwrap();
    assert!(text(&sent).ends_with("CSeq: 1 MESSAGE\r\nContent-Length: 5\r\n\r\nHi\r\n."));
    let there = request.body().as_ptr();
    assert_eq!(sent.body.as_ptr(), there, "the body is shared");
}

#[test]
fn a_value_cannot_smuggle_a_line_in() {
    let request = invite(&format!("{THEIRS}{MUST}"));
    let path = path(&request, None);
    let forward = Forward { with: &[("X-A", "1\r\nX-B: 2")], ..plain(&path) };
    assert_eq!(forward.request(&request), Err(BuildError::LineEnd(Name::Extension).into()));
    for malformed in ["sip:bob@b.example SIP/2.0\r\nX-B: 2\r\n", "bob", ""] {
        let path = path.towards(Some(malformed));
        assert_eq!(plain(&path).request(&request), Err(BuildError::RequestLine.into()));
    }
    let evil = ["sip:p2.example>\r\nX-B: <2"];
    let forward = Forward { record_routes: &evil, ..plain(&path) };
    assert_eq!(forward.request(&request), Err(BuildError::LineEnd(Name::RecordRoute).into()));
}

#[test]
fn what_would_not_be_read_any_more_is_not_sent() {
    let limits = Limits::DEFAULT;
    let check = |headers: String| {
        let request = invite(&headers);
        let path = path(&request, None);
        assert_eq!(plain(&path).request(&request), Err(ForwardError::TooLarge));
    };
    check(format!("{}{MUST}", THEIRS.repeat(limits.vias)));
    check(format!("{THEIRS}{}{MUST}", "X: 1\r\n".repeat(limits.headers - 6)));
    let filler = format!("X: {}\r\n", "x".repeat(8000)).repeat(4);
    check(format!("{THEIRS}X: {}\r\n{filler}{MUST}", "x".repeat(500)));
}

#[test]
fn a_response_is_no_request_and_a_request_no_response() {
    let request = invite(&format!("{THEIRS}{MUST}"));
    assert_eq!(Backward::default().response(&request, |_| true), Err(ForwardError::Kind));
    let response = ringing(&format!("{OUR_VIA}{THEIRS}"));
    let path = path(&request, None);
    assert_eq!(plain(&path).request(&response), Err(ForwardError::Kind));
}

fn ringing(vias: &str) -> Message {
    Message::parse(format!("SIP/2.0 180 Läutet\r\n{vias}{MUST}\r\n").into()).unwrap()
}

#[test]
fn section_16_7_item_3_our_via_comes_off_wherever_it_stands() {
    let ours = |via: &Via<'_>| via.host == "p2.example";
    for (came, left) in [
        (format!("{OUR_VIA}{THEIRS}"), THEIRS.to_owned()),
        (format!("v : SIP/2.0/UDP p2.example;branch=z9hG4bKours\r\n{THEIRS}"), THEIRS.to_owned()),
        (
            "v : SIP/2.0/UDP p2.example;branch=z9hG4bKours ,SIP/2.0/UDP a.example;x=\",\"\r\n".to_owned(),
            "v: SIP/2.0/UDP a.example;x=\",\"\r\n".to_owned(),
        ),
        (
            "Via: SIP/2.0/UDP p2.example;branch=z9hG4bKours,\r\n\tSIP/2.0/UDP a.example,SIP/2.0/UDP b\r\n"
                .to_owned(),
            "Via: SIP/2.0/UDP a.example,SIP/2.0/UDP b\r\n".to_owned(),
        ),
    ] {
        let sent = Backward::default().response(&ringing(&came), ours).unwrap();
        assert_eq!(text(&sent), format!("SIP/2.0 180 Läutet\r\n{left}{MUST}\r\n"));
    }
    for refused in [THEIRS.to_owned(), OUR_VIA.to_owned(), format!("{THEIRS}{OUR_VIA}")] {
        let sent = Backward::default().response(&ringing(&refused), ours);
        assert_eq!(sent, Err(ForwardError::NotOurs), "{refused}");
    }
}

#[test]
fn r4_challenges_of_other_branches_are_taken_along() {
    let challenge = |status: &str, header: &str| {
        let text = format!("SIP/2.0 {status}\r\n{OUR_VIA}{THEIRS}{header}{MUST}\r\n");
        Message::parse(text.into()).unwrap()
    };
    let best = challenge("407 P", "Proxy-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n");
    let others = [
        challenge("401 U", "WWW-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\nServer: x\r\n"),
        challenge(
            "407 P",
            "Proxy-Authenticate: Bearer x=\"3\"\r\nProxy-Authenticate: Digest realm=\"c\"\r\n",
        ),
    ];
    let backward = Backward { challenges: &others.each_ref(), without: &[Name::Server] };
    let sent = Message::parse(backward.response(&best, |_| true).unwrap().to_bytes()).unwrap();
    let realms: Vec<_> = sent.headers(Name::ProxyAuthenticate).collect();
    assert_eq!(realms, ["Digest realm=\"a\", nonce=\"1\"", "Bearer x=\"3\"", "Digest realm=\"c\""]);
    assert_eq!(sent.headers(Name::WwwAuthenticate).count(), 1);
    assert_eq!(sent.header(Name::Server), None);
}

fn any_lines() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        Just("Subject".to_owned()),
        Just("k".to_owned()),
        Just("aCCEPT".to_owned()),
        Just("Record-Route".to_owned()),
        Just("Proxy-Authorization".to_owned()),
        "X-[A-Za-z0-9]{1,8}",
    ];
    // Values may hold anything but line ends, and folds.
    prop::collection::vec((name, "([!-~ é]{0,30}(\r\n[ \t][!-~]{1,9})?)"), 0..20)
}

proptest! {
    #[test]
    fn what_is_not_touched_goes_on_in_order_and_whole(
        above in any_lines(),
        below in any_lines(),
        body in prop::collection::vec(any::<u8>(), 0..40),
        routes in 0usize..3,
    ) {
        let write = |lines: &[(String, String)]| {
            lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>()
        };
        let route = ["", "Route: <sip:p2.example;lr>\r\n", "Route: <sip:p2.example;lr>,<sip:p3;lr>\r\n"][routes];
        let head = format!(
            "INVITE sip:bob@b.example SIP/2.0\r\n{}{THEIRS}Max-Forwards: 9\r\n{route}{MUST}{}\r\n",
            write(&above),
            write(&below),
        );
        let head = head.replace("Content-Length: 0", &format!("Content-Length: {}", body.len()));
        let whole = Bytes::from([head.as_bytes(), &body[..]].concat());
        let request = Message::parse(whole).unwrap();
        let path = path(&request, None);
        let sent = Message::parse(plain(&path).request(&request).unwrap().to_bytes()).unwrap();
        let untouched = |message: &Message| {
            let lines = message.lines().filter(|(name, ..)| {
                !matches!(name, Name::Route | Name::MaxForwards | Name::MaxBreadth)
            });
            lines.map(|(_, spelt, value)| (spelt.to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        prop_assert_eq!(&untouched(&sent)[1..], &untouched(&request)[..]);
        prop_assert_eq!(sent.body(), &body[..]);
        prop_assert_eq!(sent.routes().count(), routes.saturating_sub(1));
        // And back.
        let answer = format!("SIP/2.0 200 OK\r\n{}", text_of_lines(&sent));
        let answer = Message::parse([answer.as_bytes(), &body[..]].concat().into()).unwrap();
        let back = Backward::default().response(&answer, |via| via.host == "p2.example").unwrap();
        let back = Message::parse(back.to_bytes()).unwrap();
        prop_assert_eq!(untouched(&back), untouched(&request));
        prop_assert_eq!(back.body(), &body[..]);
    }
}

fn text_of_lines(message: &Message) -> String {
    message
        .lines()
        .map(|(_, spelt, value)| format!("{spelt}: {value}\r\n"))
        .chain(["\r\n".to_owned()])
        .collect()
}
