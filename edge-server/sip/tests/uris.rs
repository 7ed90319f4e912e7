//! URIs: reading, comparison by RFC 3261 19.1.4, and the canonical name of a user.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use tributary_sip::{Aor, NameAddr, Scheme, Uri};

#[track_caller]
fn check_equal(a: &str, b: &str, expect: bool) {
    let (left, right) = (Uri::parse(a).unwrap(), Uri::parse(b).unwrap());
    assert_eq!(left.matches(&right), expect, "{a} and {b}");
    assert_eq!(right.matches(&left), expect, "{b} and {a}");
}

#[test]
fn uris_that_rfc_3261_19_1_4_calls_equivalent_match() {
    check_equal("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp", true);
    check_equal("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true);
    check_equal("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true);
    check_equal(
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        true,
    );
    check_equal(
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        true,
    );
}

#[test]
fn uris_that_rfc_3261_19_1_4_calls_different_do_not_match() {
    check_equal("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false);
    check_equal("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false);
    check_equal("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false);
    check_equal("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false);
    check_equal("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false);
    check_equal("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false);
    check_equal("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false);
    check_equal("sip:a@b.c", "sips:a@b.c", false);
    check_equal("sip:a@b.c", "sip:b.c", false);
    check_equal("sip:a:secret@b.c", "sip:a@b.c", false);
    for param in ["user=phone", "ttl=1", "method=INVITE", "maddr=1.2.3.4"] {
        check_equal("sip:a@b.c", &format!("sip:a@b.c;{param}"), false);
    }
}

#[test]
fn escapes_match_what_they_stand_for_unless_that_is_reserved() {
    check_equal("sip:%41@b.c", "sip:A@b.c", true);
    check_equal("sip:a%3Bb@b.c", "sip:a%3bb@b.c", true);
    check_equal("sip:a%3Bb@b.c", "sip:a;b@b.c", false);
    check_equal("sip:a@b.c?x=1&x=2", "sip:a@b.c?x=1&x=1", false);
}

#[test]
fn hosts_match_as_addresses_not_as_text() {
    check_equal("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0:0:0:0:0:1]", true);
    check_equal("sip:a@[2001:db8:::192.0.2.1]", "sip:a@[2001:db8::192.0.2.1]", true);
    check_equal("sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]", false);
}

#[test]
fn other_schemes_match_to_the_octet_after_the_scheme() {
    check_equal("TEL:+1-201-555-0123", "tel:+1-201-555-0123", true);
    check_equal("tel:+12015550123", "tel:+12015550124", false);
}

#[test]
fn each_part_of_a_uri_is_found() {
    let uri = Uri::parse("sips:al%69ce:pw@[2001:db8::1]:5061;lr;transport=ws?a=1&b=2").unwrap();
    assert_eq!(uri.scheme, Scheme::Sips);
    assert_eq!((uri.user, uri.password), (Some("al%69ce"), Some("pw")));
    assert_eq!((uri.host, uri.port), ("[2001:db8::1]", Some(5061)));
    assert_eq!((uri.params.get("LR"), uri.params.get("transport")), (Some(""), Some("ws")));
    assert_eq!(uri.headers, Some("a=1&b=2"));
}

#[test]
fn malformed_uris_are_refused() {
    for text in [
        "",
        "sip",
        "sip:",
        "sip:@b.c",
        "sip:a@",
        "sip:a@b@c",
        "sip:a@b.c:",
        "sip:a@b.c:65536",
        "sip:a@b.c:5060x",
        "sip:a b@c",
        "sip:a%4@b.c",
        "sip:a%zz@b.c",
        "sip:a@[::1",
        "sip:a@[::g]",
        "sip:a@[1:2:3:4:5:6:7:8:9]",
        "sip:2001:db8::10",
        "sip:a@b.c;",
        "sip:a@b.c;;lr",
        "sip:a@.",
        "sip:a@.b.c",
        "sip:a@b..c",
        "sip:a@b..",
        "sip:a@b.c;=x",
        "sip:a@b.c;lr;lr",
        "sip:a@b.c;x=1;%78=2",
        "sip:a@b.c?",
        "sip:a@b.c?x",
        "sip:a@b.c;a=\"b\"",
        "1sip:a@b.c",
        "sip:a@b.c>",
        "http:",
        "sip:a@b.c\r\nX: y",
        "sip:é@b.c",
    ] {
        assert!(Uri::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_uri_of_very_many_parts_is_refused() {
    let params: String = (0..64).map(|n| format!(";p{n}")).collect();
    assert!(Uri::parse(&format!("sip:a@b.c{params}")).is_ok());
    assert!(Uri::parse(&format!("sip:a@b.c{params};p64")).is_err());
    let headers = vec!["a=b"; 64].join("&");
    assert!(Uri::parse(&format!("sip:a@b.c?{headers}")).is_ok());
    assert!(Uri::parse(&format!("sip:a@b.c?{headers}&a=b")).is_err());
}

#[track_caller]
fn check_aor(text: &str, expect: &str) {
    let aor = Aor::parse(text).unwrap();
    assert_eq!(aor.as_str(), expect, "{text}");
    // The canonical form is a fixed point.
    assert_eq!(Aor::parse(aor.as_str()).unwrap(), aor);
}

#[test]
fn an_address_of_record_has_one_spelling() {
    check_aor("sip:alice@example.com", "sip:alice@example.com");
    check_aor("SIP:%61lice@EXAMPLE.com;transport=ws", "sip:alice@example.com");
    check_aor("sips:alice:pw@example.com.?a=b", "sip:alice@example.com");
    check_aor("pres:alice@example.com", "sip:alice@example.com");
    check_aor("sip:Alice@example.com", "sip:Alice@example.com");
    check_aor("sip:a%40b%3ac@example.com", "sip:a%40b%3Ac@example.com");
    check_aor("sip:j%c3%b6rg@example.com", "sip:j%C3%B6rg@example.com");
    check_aor("sip:alice@[2001:DB8:0::1]:5080", "sip:alice@[2001:db8::1]:5080");
    assert_eq!(Aor::parse("sip:a%40b@Example.com:5062").unwrap().user_decoded(), "a@b");
    assert_eq!(Aor::parse("sip:a@Example.com:5062").unwrap().host(), "example.com:5062");
}

#[test]
fn what_names_no_user_is_no_address_of_record() {
    for text in ["sip:example.com", "tel:+1234", "pres:", "pres", "", "é:éé"] {
        assert!(Aor::parse(text).is_err(), "{text:?}");
    }
}

#[track_caller]
fn check_addr(text: &str, expect: Option<(Option<&str>, &str, &str)>) {
    let read = NameAddr::parse(text).map(|a| (a.display, a.uri, a.params.as_str()));
    assert_eq!(read, expect, "{text}");
}

#[test]
fn addresses_are_read_with_and_without_brackets() {
    check_addr("sip:a@b.c", Some((None, "sip:a@b.c", "")));
    check_addr("sip:a@b.c;tag=1", Some((None, "sip:a@b.c", ";tag=1")));
    check_addr("<sip:a@b.c;x>;tag=1", Some((None, "sip:a@b.c;x", ";tag=1")));
    check_addr("\"A, <B>\" <sip:a@b.c>", Some((Some("\"A, <B>\""), "sip:a@b.c", "")));
    check_addr("\"A\"<sip:a@b.c>", Some((Some("\"A\""), "sip:a@b.c", "")));
    check_addr("Mr X <sip:a@b.c>", Some((Some("Mr X"), "sip:a@b.c", "")));
    check_addr("Жук <sip:a@b.c>", Some((Some("Жук"), "sip:a@b.c", "")));
    check_addr("<tel:+1;ext=2>", Some((None, "tel:+1;ext=2", "")));
}

#[test]
fn malformed_addresses_are_refused() {
    for text in [
        "",
        "<>",
        "<sip:a@b.c",
        "sip:a@b.c>",
        "\"A <sip:a@b.c>",
        "\"A\" sip:a@b.c",
        "A, B <sip:a@b.c>",
        "< sip:a@b.c>",
        "<sip:a@b.c >",
        "<sip:a@b.c>;",
        "<sip:a@b.c>;;x",
        "<sip:a@b.c> junk",
        "<sip:a@b.c>, <sip:d@e.f>",
        "a b:c",
        "sip:a@b.c?X=1",
        "<alice>",
    ] {
        check_addr(text, None);
    }
}
