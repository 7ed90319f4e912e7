//! Where a request goes and when it goes no further, by section: RFC 3261 16.3 to 16.12, RFC 5393.

use tributary_sip::proxy::{Hops, MOST_BREADTH, Path, breadth_shares, max_breadth, max_forwards};
use tributary_sip::{Message, Status, Uri};

fn invite(uri: &str, headers: &str) -> Message {
    let text = format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP a.example;branch=z9hG4bKa\r\n\
         From: <sip:alice@a.example>;tag=a\r\nTo: <sip:bob@b.example>\r\nCall-ID: c\r\n\
         CSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.into()).unwrap()
}

#[test]
fn section_16_3_max_forwards_goes_down_to_zero_and_then_483() {
    let check = |header: &str, expect| assert_eq!(max_forwards(&invite("sip:b@b", header)), expect);
    check("Max-Forwards: 10\r\n", Ok(9));
    check("Max-Forwards: 1\r\n", Ok(0));
    check("Max-Forwards: 0\r\n", Err(Status::TOO_MANY_HOPS));
    check("", Ok(70));
    check("Max-Forwards: 300\r\n", Err(Status::BAD_REQUEST));
}

/// Request-URI, Routes, next hop of what a proxy at p2.example forwards.
fn forwarded(uri: &str, headers: &str, target: Option<&str>) -> (String, Vec<String>, String) {
    let request = invite(uri, headers);
    let ours = |uri: &Uri<'_>| uri.host == "p2.example";
    let path = Path::received(&request, ours).unwrap();
    let path = path.towards(target);
    let routes = path.routes.iter().map(|route| route.uri.to_owned()).collect();
    (path.uri.to_owned(), routes, path.next_hop().to_owned())
}

fn check(uri: &str, headers: &str, target: Option<&str>, expect: (&str, &[&str], &str)) {
    let (uri, routes, next) = forwarded(uri, headers, target);
    assert_eq!(
        (uri.as_str(), &routes.iter().map(String::as_str).collect::<Vec<_>>()[..], next.as_str()),
        expect
    );
}

#[test]
fn section_16_4_our_own_route_is_taken_off() {
    let bob = "sip:bob@b.example";
    let routes = "Route: <sip:p2.example;lr>,<sip:p3.example;lr>\r\n";
    check(bob, routes, None, (bob, &["sip:p3.example;lr"], "sip:p3.example;lr"));
    check(bob, "Route: <sip:p2.example;lr>\r\n", None, (bob, &[], bob));
    check(bob, "", Some("sip:bob@192.0.2.4"), ("sip:bob@192.0.2.4", &[], "sip:bob@192.0.2.4"));
}

#[test]
fn section_16_4_a_strict_router_before_us_is_put_right() {
    let bob = "sip:bob@b.example";
    check(
        "sip:p2.example;lr",
        "Route: <sip:p3.example;lr>\r\nRoute: <sip:bob@b.example>\r\n",
        None,
        (bob, &["sip:p3.example;lr"], "sip:p3.example;lr"),
    );
    // Without Route the Request-URI means ourselves.
    check("sip:p2.example;lr", "", None, ("sip:p2.example;lr", &[], "sip:p2.example;lr"));
}

#[test]
fn section_16_6_item_6_a_strict_router_behind_us_gets_what_it_expects() {
    let bob = "sip:bob@b.example";
    check(
        bob,
        "Route: <sip:p2.example;lr>,<sip:p3.example>,<sip:p4.example;lr>\r\n",
        None,
        ("sip:p3.example", &["sip:p4.example;lr", bob], "sip:p3.example"),
    );
}

#[test]
fn section_19_1_1_a_request_uri_has_no_headers_wherever_it_came_from() {
    let bob = "sip:bob@b.example";
    let contact = Some("sip:a?b@192.0.2.4;ob?Subject=lunch");
    check(bob, "", contact, ("sip:a?b@192.0.2.4;ob", &[], "sip:a?b@192.0.2.4;ob"));
    check(bob, "Route: <sip:p3.example?Route=x>\r\n", None, ("sip:p3.example", &[bob], "sip:p3.example"));
    check("sip:p2.example", "Route: <sip:bob@b.example?To=x>\r\n", None, (bob, &[], bob));
    assert!(Path::received(&invite("sip:p2.example", "Route: <sip:@>\r\n"), |_| true).is_err());
}

#[test]
fn section_16_12_1_1_the_basic_example() {
    // P2 of U1 -> P1 -> P2 -> U2, inside the dialog.
    let routes = "Route: <sip:p2.example;lr>\r\n";
    check("sip:callee@u2.example", routes, None, ("sip:callee@u2.example", &[], "sip:callee@u2.example"));
}

#[test]
fn section_16_12_1_2_a_strict_router_on_the_way() {
    // U1 -> P1 -> P2 -> P3 (strict) -> P4 -> U2: P2 forwards the re-INVITE to P3.
    check(
        "sip:callee@u2.domain",
        "Route: <sip:p2.example;lr>,<sip:p3.middle>,<sip:p4.example;lr>\r\n",
        None,
        ("sip:p3.middle", &["sip:p4.example;lr", "sip:callee@u2.domain"], "sip:p3.middle"),
    );
}

#[test]
fn a_route_that_cannot_be_read_is_an_error() {
    assert!(Path::received(&invite("sip:b@b", "Route: <sip:@>\r\n"), |_| false).is_err());
    assert!(Path::received(&invite("sip:b@b", "Route: what\r\n"), |_| false).is_err());
}

const HOPS: Hops = Hops { secret: [1, 2] };

#[test]
fn rfc_5393_section_4_2_what_comes_back_unchanged_is_a_loop_and_a_spiral_is_none() {
    let first = invite("sip:bob@b.example", "");
    assert!(!HOPS.is_loop(&first));
    let branch = HOPS.branch(&first, [7; 16]);
    let back = |uri: &str, branch: &str, headers: &str| {
        let vias = format!("Via: SIP/2.0/UDP p2.example;branch={branch}\r\n");
        HOPS.is_loop(&invite(uri, &format!("{vias}{headers}")))
    };
    assert!(back("sip:bob@b.example", &branch, ""));
    assert!(!back("sip:bob@home.example", &branch, ""), "another Request-URI");
    assert!(!back("sip:bob@b.example", &branch, "Route: <sip:x.example;lr>\r\n"), "another Route");
    let other = Hops { secret: [3, 4] };
    assert!(!back("sip:bob@b.example", &other.branch(&first, [7; 16]), ""), "somebody else's branch");
    assert!(!other.branch(&first, [7; 16]).ends_with(branch.rsplit_once('.').unwrap().1));
}

#[test]
fn rfc_5393_section_5_3_3_the_breadth_that_came_is_believed_up_to_a_bound() {
    let check =
        |header: &str, expect| assert_eq!(max_breadth(&invite("sip:b@b", header)), expect, "{header}");
    check("", Ok(MOST_BREADTH));
    check("Max-Breadth: 3\r\n", Ok(3));
    check("max-breadth: 61\r\n", Ok(MOST_BREADTH));
    check("Max-Breadth: 99999999999999999999999\r\n", Ok(MOST_BREADTH));
    for malformed in ["few", "", "-1", "1;x=2"] {
        check(&format!("Max-Breadth: {malformed}\r\n"), Err(Status::BAD_REQUEST));
    }
}

#[test]
fn rfc_5393_section_5_3_3_breadth_is_shared_out_whole() {
    let shares = |left, branches| breadth_shares(left, branches).map(|shares| shares.collect::<Vec<_>>());
    assert_eq!(shares(60, 1), Ok(vec![60]));
    assert_eq!(shares(60, 7), Ok(vec![9, 9, 9, 9, 8, 8, 8]));
    assert_eq!(shares(3, 3), Ok(vec![1, 1, 1]));
    for (left, branches) in [(3, 4), (0, 1), (0, 0)] {
        assert_eq!(shares(left, branches), Err(Status::MAX_BREADTH_EXCEEDED));
    }
}
