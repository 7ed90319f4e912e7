//! Digest authentication: the RFC's own examples, both ends against each other, and what
//! browser libraries need.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use tributary_sip::digest::{self, Refusal};
use tributary_sip::{Algorithm, Challenge, Credentials, DigestServer, Ha1, Verdict};

const NOW: i64 = 1_795_000_000;
const REALM: &str = "example.com";

fn server() -> DigestServer {
    DigestServer::new(REALM, [7; 32], 300)
}

fn alice(name: &str) -> Option<Ha1> {
    (name == "alice").then(|| Ha1::new("alice", REALM, "secret"))
}

/// Answers one of the server's challenges and has the answer judged.
fn judge(algorithm: Algorithm, password: &str, uri_said: &str, issued: i64, now: i64) -> Verdict {
    let challenges = server().challenges(issued, false);
    let challenge = match algorithm {
        Algorithm::Sha256 => &challenges[0],
        Algorithm::Md5 => &challenges[1],
    };
    let challenge = Challenge::parse(challenge).unwrap();
    let text = digest::answer(challenge.digest().unwrap(), "alice", password, "REGISTER", uri_said, "abc", 1)
        .unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    server().verify(credentials.digest().unwrap(), "REGISTER", "sip:example.com", now, alice)
}

#[test]
fn the_examples_of_rfc_7616_come_out_as_printed() {
    let header = |algorithm, response| {
        format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    };
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let challenge = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let challenge = Challenge::parse(&challenge).unwrap();
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer = digest::answer(
            challenge.digest().unwrap(),
            "Mufasa",
            "Circle of Life",
            "GET",
            "/dir/index.html",
            cnonce,
            1,
        );
        let answer = answer.unwrap();
        let expected = header(algorithm, response);
        assert_eq!(Credentials::parse(&answer), Credentials::parse(&expected), "{algorithm}");
    }
}

#[test]
fn the_right_password_is_accepted_with_both_algorithms() {
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let verdict = judge(algorithm, "secret", "sip:example.com", NOW, NOW + 1);
        assert_eq!(verdict, Verdict::Accepted { algorithm });
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let wrong = judge(Algorithm::Md5, "guess", "sip:example.com", NOW, NOW);
    assert_eq!(wrong, Verdict::Refused(Refusal::Password));
    let challenge = server().challenges(NOW, false);
    let challenge = Challenge::parse(&challenge[1]).unwrap();
    let uri = "sip:example.com";
    // Even the password that stands in for nobody's does not open the door.
    let text = digest::answer(challenge.digest().unwrap(), "mallory", "", "REGISTER", uri, "c", 1).unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    let verdict = server().verify(credentials.digest().unwrap(), "REGISTER", uri, NOW, alice);
    assert_eq!(verdict, Verdict::Refused(Refusal::Password));
}

#[test]
fn digest_point_order_quoting_and_one_line_each_suit_browser_libraries() {
    let [first, last] = server().challenges(NOW, true).try_into().unwrap();
    assert!(first.contains(", algorithm=SHA-256,") && last.contains(", algorithm=MD5,"));
    for challenge in [&first, &last] {
        assert!(challenge.starts_with("Digest realm=\"example.com\", nonce=\""));
        assert!(challenge.contains(", qop=\"auth\""));
        assert!(challenge.ends_with(", stale=true"));
        let read = Challenge::parse(challenge).unwrap();
        assert!(read.digest().unwrap().stale);
    }
    assert!(!server().challenges(NOW, false)[0].contains("stale"));
}

#[test]
fn digest_point_a_nonce_serves_many_requests_with_nc_1() {
    for second in [0, 1, 100, 300] {
        let verdict = judge(Algorithm::Md5, "secret", "sip:example.com", NOW, NOW + second);
        assert_eq!(verdict, Verdict::Accepted { algorithm: Algorithm::Md5 });
    }
}

#[test]
fn digest_point_an_old_nonce_is_stale_and_only_with_the_right_password() {
    assert_eq!(judge(Algorithm::Md5, "secret", "sip:example.com", NOW, NOW + 301), Verdict::Stale);
    assert_eq!(judge(Algorithm::Md5, "secret", "sip:example.com", NOW + 301, NOW), Verdict::Stale);
    let wrong = judge(Algorithm::Md5, "guess", "sip:example.com", NOW, NOW + 301);
    assert_eq!(wrong, Verdict::Refused(Refusal::Password));
}

#[test]
fn digest_point_uri_is_hashed_as_said_and_compared_loosely() {
    let ok = Verdict::Accepted { algorithm: Algorithm::Md5 };
    for said in ["sip:example.com", "sip:EXAMPLE.com", "sip:example.com;transport=ws", "sip:example.com:8080"]
    {
        assert_eq!(judge(Algorithm::Md5, "secret", said, NOW, NOW), ok, "{said}");
    }
    for said in ["sip:other.com", "sip:bob@example.com", "http://example.com/"] {
        assert_eq!(judge(Algorithm::Md5, "secret", said, NOW, NOW), Verdict::Refused(Refusal::Uri), "{said}");
    }
}

#[test]
fn digest_point_a_nonce_of_another_server_or_realm_or_with_another_time_is_not_ours() {
    let answer_to = |challenge: &str| {
        let challenge = Challenge::parse(challenge).unwrap();
        let uri = "sip:example.com";
        digest::answer(challenge.digest().unwrap(), "alice", "secret", "REGISTER", uri, "c", 1).unwrap()
    };
    let judge = |text: &str| {
        let credentials = Credentials::parse(text).unwrap();
        server().verify(credentials.digest().unwrap(), "REGISTER", "sip:example.com", NOW, alice)
    };
    let other_key = DigestServer::new(REALM, [8; 32], 300).challenges(NOW, false);
    assert_eq!(judge(&answer_to(&other_key[0])), Verdict::Stale);
    let other_realm = DigestServer::new("other.com", [7; 32], 300).challenges(NOW, false);
    assert_eq!(judge(&answer_to(&other_realm[0])), Verdict::Refused(Refusal::Realm));
    let ours = server().challenges(NOW - 1000, false)[0].clone();
    let younger = ours.replace(&format!("{:016x}", NOW - 1000), &format!("{NOW:016x}"));
    assert_ne!(ours, younger);
    assert_eq!(judge(&answer_to(&younger)), Verdict::Stale);
    for nonce in ["", "x", "é", "0000000000000000é"] {
        let text = format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"");
        assert_eq!(judge(&answer_to(&text)), Verdict::Stale, "{nonce}");
    }
}

#[test]
fn what_was_not_offered_is_refused() {
    let challenge = server().challenges(NOW, false);
    let challenge = Challenge::parse(&challenge[1]).unwrap();
    let uri = "sip:example.com";
    let good =
        digest::answer(challenge.digest().unwrap(), "alice", "secret", "REGISTER", uri, "c", 1).unwrap();
    for (from, to, refusal) in [
        ("qop=auth", "qop=auth-int", Refusal::NotOffered),
        ("algorithm=MD5", "algorithm=MD5-sess", Refusal::NotOffered),
        ("nc=00000001", "nc=00000001, userhash=true", Refusal::NotOffered),
        ("nc=00000001", "nc=1", Refusal::Malformed),
        ("cnonce=\"c\", ", "", Refusal::Malformed),
        ("nc=00000001", "nc=00000002", Refusal::Password),
        ("cnonce=\"c\"", "cnonce=\"d\"", Refusal::Password),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good);
        let credentials = Credentials::parse(&text).unwrap();
        let verdict = server().verify(credentials.digest().unwrap(), "REGISTER", uri, NOW, alice);
        assert_eq!(verdict, Verdict::Refused(refusal), "{to}");
    }
    let credentials = Credentials::parse(&good).unwrap();
    let other_method = server().verify(credentials.digest().unwrap(), "PUBLISH", uri, NOW, alice);
    assert_eq!(other_method, Verdict::Refused(Refusal::Password));
}

#[test]
fn the_server_proves_itself_with_rspauth() {
    let challenge = server().challenges(NOW, false);
    let challenge = Challenge::parse(&challenge[0]).unwrap();
    let uri = "sip:example.com";
    let text =
        digest::answer(challenge.digest().unwrap(), "alice", "secret", "REGISTER", uri, "c", 1).unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    let said = credentials.digest().unwrap();
    let info = server().authentication_info(said, &Ha1::new("alice", REALM, "secret")).unwrap();
    let info = tributary_sip::AuthenticationInfo::parse(&info).unwrap();
    assert_eq!((info.nc, info.cnonce, info.qop), (said.nc, said.cnonce, Some("auth")));
    assert_eq!(info.rspauth.unwrap().len(), 64);
    // It is the client's proof with an empty method, so it differs from the client's.
    assert_ne!(info.rspauth, Some(said.response));
}

#[test]
fn the_strongest_challenge_is_chosen_whatever_the_order() {
    let texts = [
        "Digest realm=\"r\", nonce=\"1\", algorithm=MD5, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"3\", algorithm=SHA-512-256, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"4\", algorithm=SHA-256, qop=\"auth-int\"",
    ];
    let read: Vec<_> = texts.iter().map(|text| *Challenge::parse(text).unwrap().digest().unwrap()).collect();
    assert_eq!(digest::strongest(&read).unwrap().nonce, "2");
    assert_eq!(digest::strongest(read.iter().rev()).unwrap().nonce, "2");
    assert_eq!(digest::strongest(&read[2..]), None);
}

#[test]
fn users_with_quotes_in_their_names_can_log_in() {
    let name = "al\"ice\\";
    let challenge = server().challenges(NOW, false);
    let challenge = Challenge::parse(&challenge[1]).unwrap();
    let uri = "sip:example.com";
    let text = digest::answer(challenge.digest().unwrap(), name, "secret", "REGISTER", uri, "c", 1).unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    let find = |asked: &str| {
        assert_eq!(asked, name);
        Some(Ha1::new(name, REALM, "secret"))
    };
    let verdict = server().verify(credentials.digest().unwrap(), "REGISTER", uri, NOW, find);
    assert_eq!(verdict, Verdict::Accepted { algorithm: Algorithm::Md5 });
}

#[test]
fn stored_hashes_are_hex_of_the_right_length_and_never_shown() {
    let ha1 = Ha1::new("alice", REALM, "secret");
    let again = Ha1::from_hex(&ha1.hex(Algorithm::Md5).to_uppercase(), ha1.hex(Algorithm::Sha256));
    assert_eq!(again.as_ref(), Some(&ha1));
    assert_eq!(Ha1::from_hex("", ""), None);
    assert_eq!(Ha1::from_hex(&"g".repeat(32), &"0".repeat(64)), None);
    assert_eq!(format!("{ha1:?}"), "Ha1(..)");
    assert!(!format!("{:?}", server()).contains('7'));
}

#[test]
fn malformed_credentials_are_refused() {
    for text in [
        "",
        "Digest",
        "Digest username=\"a\"",
        "Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e",
        "Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\",",
        "Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\" x",
        "Digest username=\"a\", realm=\"b\", nonce=c\\, uri=\"d\", response=\"e\"",
        "Digest username=\"a\", username=\"b\", realm=\"b\", nonce=\"c\", uri=\"d\", response=\"e\"",
    ] {
        assert_eq!(Credentials::parse(text), None, "{text}");
    }
}

#[test]
fn what_is_not_offered_is_not_taken_and_the_order_is_the_sites() {
    let only_md5 = || server().offering([Algorithm::Md5]);
    let challenges = only_md5().challenges(NOW, false);
    assert!(challenges.len() == 1 && challenges[0].contains("algorithm=MD5"), "{challenges:?}");
    let both = server().challenges(NOW, false);
    let taken = Verdict::Accepted { algorithm: Algorithm::Md5 };
    for (challenge, expect) in [(&both[0], Verdict::Refused(Refusal::NotOffered)), (&both[1], taken)] {
        let challenge = Challenge::parse(challenge).unwrap();
        let uri = "sip:example.com";
        let text = digest::answer(challenge.digest().unwrap(), "alice", "secret", "REGISTER", uri, "abc", 1)
            .unwrap();
        let credentials = Credentials::parse(&text).unwrap();
        let verdict = only_md5().verify(credentials.digest().unwrap(), "REGISTER", uri, NOW, alice);
        assert_eq!(verdict, expect);
    }
    let turned = server().offering([Algorithm::Md5, Algorithm::Sha256]).challenges(NOW, false);
    assert!(turned[0].contains("algorithm=MD5") && turned[1].contains("algorithm=SHA-256"), "{turned:?}");
}
