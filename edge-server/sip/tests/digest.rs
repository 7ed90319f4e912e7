//! Digest authentication: the RFC's own examples, both ends against each other, and what
//! browser libraries need.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use tributary_sip::digest::{self, Asked, Refusal};
use tributary_sip::{Algorithm, Challenge, Credentials, DigestServer, Ha1, Verdict};

const NOW: i64 = 1_795_000_000_000;
const REALM: &str = "example.com";

fn server() -> DigestServer {
    DigestServer::new(REALM, [7; 32], 300)
}

fn alice(name: &str) -> Option<Ha1> {
    (name == "alice").then(|| Ha1::new("alice", REALM, "secret"))
}

/// Answers one of the server's challenges and has the answer judged.
fn judge(algorithm: Algorithm, password: &str, uri_said: &str, issued: i64, now: i64) -> Verdict {
    let challenges = server().challenges(issued, 1, false);
    let challenge = match algorithm {
        Algorithm::Sha256 => &challenges[0],
        Algorithm::Md5 => &challenges[1],
        Algorithm::Sha512 => panic!("not offered"),
    };
    let challenge = Challenge::parse(challenge).unwrap();
    let text = digest::answer(
        challenge.digest().unwrap(),
        "alice",
        password,
        Asked::new("REGISTER", uri_said),
        "abc",
        1,
    )
    .unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    server().verify(credentials.digest().unwrap(), Asked::new("REGISTER", "sip:example.com"), now, alice)
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
            Asked::new("GET", "/dir/index.html"),
            cnonce,
            1,
        );
        let answer = answer.unwrap();
        let expected = header(algorithm, response);
        assert_eq!(Credentials::parse(&answer), Credentials::parse(&expected), "{algorithm}");
    }
}

/// RFC 7616 3.9.2, with the response of its erratum 4897: the printed one is no SHA-512/256.
#[test]
fn the_example_with_sha_512_256_comes_out_as_its_erratum_has_it() {
    let challenge = Challenge::parse(
        "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
         nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
         opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\"",
    );
    let challenge = challenge.unwrap();
    let (user, password) = ("J\u{e4}s\u{f8}n Doe", "Secret, or not?");
    let request = Asked::new("GET", "/doe.json");
    let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
    let text = digest::answer(challenge.digest().unwrap(), user, password, request, cnonce, 1).unwrap();
    let response = Credentials::parse(&text).unwrap().digest().unwrap().response;
    assert_eq!(response, "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

/// The responses were worked out with another implementation of the hashes.
#[test]
fn auth_int_covers_the_body_where_it_is_configured_and_is_refused_where_it_is_not() {
    let request = Asked { method: "PUBLISH", uri: "sip:alice@example.com", body: b"<presence/>" };
    for (algorithm, expected) in [
        ("MD5", "95449d742086939962ba529f9f36ce07"),
        ("SHA-256", "734268152341965b937c6a18dce9950a98a56e6e3d819058495104383dc031c1"),
        ("SHA-512-256", "0d6f110c402c1c4475538e24a23b6a907604446c376e6a13f25579f776463b44"),
    ] {
        let challenge =
            format!("Digest realm=\"{REALM}\", nonce=\"abcdef\", algorithm={algorithm}, qop=\"auth-int\"");
        let challenge = Challenge::parse(&challenge).unwrap();
        let text = digest::answer(challenge.digest().unwrap(), "alice", "secret", request, "xyz", 1).unwrap();
        let credentials = Credentials::parse(&text).unwrap();
        assert_eq!(credentials.digest().unwrap().response, expected);
    }
    let all = [Algorithm::Sha512, Algorithm::Sha256, Algorithm::Md5];
    let server = server().offering(all).with_integrity(true);
    for (challenge, algorithm) in server.challenges(NOW, 1, false).iter().zip(all) {
        assert!(challenge.contains("qop=\"auth,auth-int\""), "{challenge}");
        let challenge = challenge.replace("auth,", "");
        let challenge = Challenge::parse(&challenge).unwrap();
        let text = digest::answer(challenge.digest().unwrap(), "alice", "secret", request, "xyz", 1).unwrap();
        let credentials = Credentials::parse(&text).unwrap();
        let verdict = |request| server.verify(credentials.digest().unwrap(), request, NOW, alice);
        assert_eq!(verdict(request), Verdict::Accepted { algorithm });
        let changed = Asked { body: b"<presence />", ..request };
        assert_eq!(verdict(changed), Verdict::Refused(Refusal::Password));
    }
}

#[test]
fn a_user_whose_hashes_were_given_cannot_log_in_by_the_algorithm_that_is_missing() {
    let find = |_: &str| {
        let ha1 = Ha1::new("alice", REALM, "secret");
        Ha1::from_hex(ha1.hex(Algorithm::Md5)?, ha1.hex(Algorithm::Sha256)?, None)
    };
    let server = server().offering([Algorithm::Sha512, Algorithm::Md5]);
    let expected = [Verdict::Refused(Refusal::Password), Verdict::Accepted { algorithm: Algorithm::Md5 }];
    for (challenge, expected) in server.challenges(NOW, 1, false).iter().zip(expected) {
        let challenge = Challenge::parse(challenge).unwrap();
        let request = Asked::new("REGISTER", "sip:example.com");
        let text = digest::answer(challenge.digest().unwrap(), "alice", "secret", request, "xyz", 1).unwrap();
        let credentials = Credentials::parse(&text).unwrap();
        assert_eq!(server.verify(credentials.digest().unwrap(), request, NOW, find), expected);
    }
}

#[test]
fn the_right_password_is_accepted_with_both_algorithms() {
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let verdict = judge(algorithm, "secret", "sip:example.com", NOW, NOW + 1_000);
        assert_eq!(verdict, Verdict::Accepted { algorithm });
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let wrong = judge(Algorithm::Md5, "guess", "sip:example.com", NOW, NOW);
    assert_eq!(wrong, Verdict::Refused(Refusal::Password));
    let challenge = server().challenges(NOW, 1, false);
    let challenge = Challenge::parse(&challenge[1]).unwrap();
    let uri = "sip:example.com";
    // Even the password that stands in for nobody's does not open the door.
    let text =
        digest::answer(challenge.digest().unwrap(), "mallory", "", Asked::new("REGISTER", uri), "c", 1)
            .unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    let verdict = server().verify(credentials.digest().unwrap(), Asked::new("REGISTER", uri), NOW, alice);
    assert_eq!(verdict, Verdict::Refused(Refusal::Password));
}

#[test]
fn digest_point_order_quoting_and_one_line_each_suit_browser_libraries() {
    let [first, last] = server().challenges(NOW, 1, true).try_into().unwrap();
    assert!(first.contains(", algorithm=SHA-256,") && last.contains(", algorithm=MD5,"));
    for challenge in [&first, &last] {
        assert!(challenge.starts_with("Digest realm=\"example.com\", nonce=\""));
        assert!(challenge.contains(", qop=\"auth\""));
        assert!(challenge.ends_with(", stale=true"));
        let read = Challenge::parse(challenge).unwrap();
        assert!(read.digest().unwrap().stale);
    }
    assert!(!server().challenges(NOW, 1, false)[0].contains("stale"));
}

#[test]
fn digest_point_a_nonce_is_good_for_its_whole_life_and_who_counts_its_uses_learns_when_it_was_issued() {
    for ms in [0, 1000, 100_000, 300_000] {
        let verdict = judge(Algorithm::Md5, "secret", "sip:example.com", NOW, NOW + ms);
        assert_eq!(verdict, Verdict::Accepted { algorithm: Algorithm::Md5 });
    }
    let challenge = server().challenges(NOW, 7, false);
    let challenge = Challenge::parse(&challenge[1]).unwrap();
    let nonce = challenge.digest().unwrap().nonce;
    assert_eq!(DigestServer::issued(nonce), Some(NOW));
    assert!(!server().challenges(NOW, 8, false)[1].contains(nonce), "no two challenges have one nonce");
}

#[test]
fn digest_point_an_old_nonce_is_stale_and_only_with_the_right_password() {
    assert_eq!(judge(Algorithm::Md5, "secret", "sip:example.com", NOW, NOW + 300_001), Verdict::Stale);
    assert_eq!(judge(Algorithm::Md5, "secret", "sip:example.com", NOW + 300_001, NOW), Verdict::Stale);
    let wrong = judge(Algorithm::Md5, "guess", "sip:example.com", NOW, NOW + 300_001);
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
        digest::answer(challenge.digest().unwrap(), "alice", "secret", Asked::new("REGISTER", uri), "c", 1)
            .unwrap()
    };
    let judge = |text: &str| {
        let credentials = Credentials::parse(text).unwrap();
        server().verify(credentials.digest().unwrap(), Asked::new("REGISTER", "sip:example.com"), NOW, alice)
    };
    let other_key = DigestServer::new(REALM, [8; 32], 300).challenges(NOW, 1, false);
    assert_eq!(judge(&answer_to(&other_key[0])), Verdict::Stale);
    let other_realm = DigestServer::new("other.com", [7; 32], 300).challenges(NOW, 1, false);
    assert_eq!(judge(&answer_to(&other_realm[0])), Verdict::Refused(Refusal::Realm));
    let ours = server().challenges(NOW - 1_000_000, 1, false)[0].clone();
    let younger = ours.replace(&format!("{:016x}", NOW - 1_000_000), &format!("{NOW:016x}"));
    assert_ne!(ours, younger);
    assert_eq!(judge(&answer_to(&younger)), Verdict::Stale);
    for nonce in ["", "x", "é", "0000000000000000é"] {
        let text = format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"");
        assert_eq!(judge(&answer_to(&text)), Verdict::Stale, "{nonce}");
    }
}

#[test]
fn what_was_not_offered_is_refused() {
    let challenge = server().challenges(NOW, 1, false);
    let challenge = Challenge::parse(&challenge[1]).unwrap();
    let uri = "sip:example.com";
    let good =
        digest::answer(challenge.digest().unwrap(), "alice", "secret", Asked::new("REGISTER", uri), "c", 1)
            .unwrap();
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
        let verdict = server().verify(credentials.digest().unwrap(), Asked::new("REGISTER", uri), NOW, alice);
        assert_eq!(verdict, Verdict::Refused(refusal), "{to}");
    }
    let credentials = Credentials::parse(&good).unwrap();
    let other_method = server().verify(credentials.digest().unwrap(), Asked::new("PUBLISH", uri), NOW, alice);
    assert_eq!(other_method, Verdict::Refused(Refusal::Password));
}

#[test]
fn the_server_proves_itself_with_rspauth() {
    let challenge = server().challenges(NOW, 1, false);
    let challenge = Challenge::parse(&challenge[0]).unwrap();
    let uri = "sip:example.com";
    let text =
        digest::answer(challenge.digest().unwrap(), "alice", "secret", Asked::new("REGISTER", uri), "c", 1)
            .unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    let said = credentials.digest().unwrap();
    let info = server().authentication_info(said, &Ha1::new("alice", REALM, "secret"), &[]).unwrap();
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
        "Digest realm=\"r\", nonce=\"5\", algorithm=SHA-256, qop=\"auth-conf\"",
    ];
    let read: Vec<_> = texts.iter().map(|text| *Challenge::parse(text).unwrap().digest().unwrap()).collect();
    assert_eq!(digest::strongest(&read).unwrap().nonce, "3");
    assert_eq!(digest::strongest(read.iter().rev()).unwrap().nonce, "3");
    assert_eq!(digest::strongest(&read[4..]), None);
}

#[test]
fn users_with_quotes_in_their_names_can_log_in() {
    let name = "al\"ice\\";
    let challenge = server().challenges(NOW, 1, false);
    let challenge = Challenge::parse(&challenge[1]).unwrap();
    let uri = "sip:example.com";
    let text =
        digest::answer(challenge.digest().unwrap(), name, "secret", Asked::new("REGISTER", uri), "c", 1)
            .unwrap();
    let credentials = Credentials::parse(&text).unwrap();
    let find = |asked: &str| {
        assert_eq!(asked, name);
        Some(Ha1::new(name, REALM, "secret"))
    };
    let verdict = server().verify(credentials.digest().unwrap(), Asked::new("REGISTER", uri), NOW, find);
    assert_eq!(verdict, Verdict::Accepted { algorithm: Algorithm::Md5 });
}

#[test]
fn stored_hashes_are_hex_of_the_right_length_and_never_shown() {
    let ha1 = Ha1::new("alice", REALM, "secret");
    let [md5, sha256, sha512] =
        [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| ha1.hex(algorithm).unwrap());
    let again = Ha1::from_hex(&md5.to_uppercase(), sha256, Some(sha512));
    assert_eq!(again.as_ref(), Some(&ha1));
    assert_eq!(Ha1::from_hex("", "", None), None);
    assert_eq!(Ha1::from_hex(&"g".repeat(32), &"0".repeat(64), None), None);
    assert_eq!(Ha1::from_hex(md5, sha256, Some("0")), None);
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
    let challenges = only_md5().challenges(NOW, 1, false);
    assert!(challenges.len() == 1 && challenges[0].contains("algorithm=MD5"), "{challenges:?}");
    let both = server().challenges(NOW, 1, false);
    let taken = Verdict::Accepted { algorithm: Algorithm::Md5 };
    for (challenge, expect) in [(&both[0], Verdict::Refused(Refusal::NotOffered)), (&both[1], taken)] {
        let challenge = Challenge::parse(challenge).unwrap();
        let uri = "sip:example.com";
        let text = digest::answer(
            challenge.digest().unwrap(),
            "alice",
            "secret",
            Asked::new("REGISTER", uri),
            "abc",
            1,
        )
        .unwrap();
        let credentials = Credentials::parse(&text).unwrap();
        let verdict =
            only_md5().verify(credentials.digest().unwrap(), Asked::new("REGISTER", uri), NOW, alice);
        assert_eq!(verdict, expect);
    }
    let turned = server().offering([Algorithm::Md5, Algorithm::Sha256]).challenges(NOW, 1, false);
    assert!(turned[0].contains("algorithm=MD5") && turned[1].contains("algorithm=SHA-256"), "{turned:?}");
}
