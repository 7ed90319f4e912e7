//! Which contacts a request goes to: RFC 3841 by section, and the routing requirements by number.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use proptest::prelude::*;
use tributary_sip::preferences::{Candidate, Choice, Features, MOST_PREDICATES, MOST_VALUES, Preferences};
use tributary_sip::{Message, NameAddr, Params};

fn request(method: &str, headers: &str) -> Message {
    let text = format!(
        "{method} sip:user@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\n\
         From: <sip:a@a>;tag=a\r\nTo: <sip:user@example.com>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{headers}\r\n"
    );
    Message::parse(text.into()).unwrap()
}

fn candidates<'a>(contacts: &[&'a str]) -> Vec<Candidate<'a>> {
    let candidate = |text: &&'a str| {
        let contact = NameAddr::parse(text).unwrap();
        Candidate { q: contact.q_milli().unwrap_or(1000), features: Features::of(contact.params) }
    };
    contacts.iter().map(candidate).collect()
}

fn order(request: &Message, contacts: &[&str]) -> Vec<Choice> {
    Preferences::of(request).unwrap().order(&candidates(contacts))
}

/// The contacts in order, by their numbers from 1; `|` parts the ranks.
fn check(method: &str, headers: &str, contacts: &[&str], expect: &str) {
    let mut told = String::new();
    let mut last = None;
    for choice in order(&request(method, headers), contacts) {
        assert!(last.is_none_or(|last| last >= choice.rank), "ranks go down");
        if last.is_some_and(|last| last != choice.rank) {
            told.push_str("| ");
        }
        told.push_str(&format!("{} ", choice.contact + 1));
        last = Some(choice.rank);
    }
    assert_eq!(told.trim_end(), expect, "{headers}");
}

const FIVE: [&str; 5] = [
    "sip:u1@h.example.com;audio;video;methods=\"INVITE,BYE\";q=0.2",
    "sip:u2@h.example.com;audio=\"FALSE\";methods=\"INVITE\";actor=\"msg-taker\";q=0.2",
    "sip:u3@h.example.com;audio;actor=\"msg-taker\";methods=\"INVITE\";video;q=0.3",
    "sip:u4@h.example.com;audio;methods=\"INVITE,OPTIONS\";q=0.2",
    "sip:u5@h.example.com;q=0.5",
];

#[test]
fn r7_section_7_2_5_the_worked_example() {
    let wishes = "Reject-Contact: *;actor=\"msg-taker\";video\r\nAccept-Contact: *;audio;require\r\n\
                  Accept-Contact: *;video;explicit\r\nAccept-Contact: *;methods=\"BYE\";class=\"business\";q=1.0\r\n";
    check("INVITE", wishes, &FIVE, "5 | 1 | 4");
    let invite = request("INVITE", wishes);
    let qa: Vec<_> = order(&invite, &FIVE).iter().map(|choice| choice.preference).collect();
    // "Qa for u1 is 0.83 and Qa for u4 is 0.5"
    assert_eq!(qa, [1_000_000, 833_333, 500_000]);
    // In compact form and on one line it is the same.
    let short = "j: *;actor=\"msg-taker\";video\r\na: *;audio;require, *;video;explicit,\
                 *;methods=\"BYE\";class=\"business\";q=1.0\r\n";
    check("INVITE", short, &FIVE, "5 | 1 | 4");
}

#[test]
fn r7_a_caller_reaches_one_device_by_its_instance_or_nobody() {
    let contacts = [
        "<sip:a@x.invalid>;+sip.instance=\"<urn:uuid:F81D4FAE-0000>\";reg-id=1",
        "<sip:b@x.invalid>;+sip.instance=\"<urn:uuid:00000000-0001>\"",
        "<sip:c@x.invalid>;audio",
    ];
    let one = |urn: &str| format!("Accept-Contact: *;+sip.instance=\"<{urn}>\";require;explicit\r\n");
    check("INVITE", &one("urn:uuid:f81d4fae-0000"), &contacts, "1");
    check("INVITE", &one("urn:uuid:00000000-0001"), &contacts, "2");
    check("INVITE", &one("urn:uuid:00000000-0002"), &contacts, "");
    assert!(Preferences::of(&request("INVITE", &one("x"))).unwrap().are_stated(), "so it is 480");
    // Without explicit, who says nothing may be it.
    check("INVITE", "a: *;+sip.instance=\"<urn:uuid:00000000-0001>\";require\r\n", &contacts, "2 | 3");
}

#[test]
fn r11_who_lists_methods_without_this_one_is_not_asked_unless_all_do() {
    let contacts =
        ["<sip:a>;methods=\"INVITE,BYE\"", "<sip:b>;methods=\"message\"", "<sip:c>;audio", "<sip:d>"];
    check("INVITE", "", &contacts, "1 3 4");
    check("MESSAGE", "", &contacts, "2 3 4");
    check("REFER", "", &contacts[..2], "1 2");
    check(
        "SUBSCRIBE",
        "Event: presence\r\n",
        &["<sip:a>;events=\"dialog\"", "<sip:b>;events=\"Presence,x\""],
        "2",
    );
    check(
        "SUBSCRIBE",
        "Event: reg\r\n",
        &["<sip:a>;events=\"dialog\";q=0.1", "<sip:b>;events=\"presence\""],
        "2 | 1",
    );
    // Another request with an Event has no such preference.
    check("PUBLISH", "Event: presence\r\n", &["<sip:a>;events=\"dialog\""], "1");
    // Once preferences are stated, nothing is implied.
    check("INVITE", "a: *;audio\r\n", &contacts, "3 4 | 1 2");
}

#[test]
fn the_callee_s_q_comes_before_the_caller_s_wishes() {
    let contacts = ["<sip:a>;video;q=0.1", "<sip:b>;audio;q=0.9", "<sip:c>;video;q=0.9", "<sip:d>;x;q=0.9"];
    check("INVITE", "", &contacts, "2 3 4 | 1");
    check("INVITE", "Accept-Contact: *;video\r\n", &contacts, "3 4 | 2 | 1");
    check("INVITE", "Accept-Contact: *;video;require\r\n", &contacts, "3 4 | 2 | 1");
    check("INVITE", "Accept-Contact: *;video;require;explicit\r\n", &contacts, "3 4 | 1");
}

#[test]
fn figure_1_require_and_explicit() {
    // u1 matches and says so, u2 says nothing of it, u3 contradicts.
    let contacts = ["<sip:u1>;audio;video", "<sip:u2>;audio", "<sip:u3>;audio;video=\"FALSE\""];
    let two = "*;audio;video";
    check("INVITE", &format!("a: {two}\r\n"), &contacts, "1 | 2 | 3");
    check("INVITE", &format!("a: {two};explicit\r\n"), &contacts, "1 | 2 3");
    check("INVITE", &format!("a: {two};require\r\n"), &contacts, "1 | 2");
    check("INVITE", &format!("a: {two};explicit;require\r\n"), &contacts, "1");
    check("INVITE", "a: *\r\n", &contacts, "1 2 3");
}

#[test]
fn reject_contact_needs_all_of_its_tags_spoken_of() {
    let contacts = ["<sip:u1>;audio;video", "<sip:u2>;audio", "<sip:u3>"];
    check("INVITE", "Reject-Contact: *;audio\r\n", &contacts, "3");
    check("INVITE", "Reject-Contact: *;audio;video\r\n", &contacts, "2 3");
    check("INVITE", "Reject-Contact: *;audio;video=\"FALSE\"\r\n", &contacts, "1 2 3");
    check("INVITE", "j: *;video, *;audio\r\n", &contacts[..2], "");
}

/// Whether two lists of feature parameters match, in both directions.
fn matches(a: &str, b: &str) -> bool {
    let read = |text| Features::of(Params::parse(text).unwrap());
    let (a, b) = (read(a), read(b));
    assert_eq!(a.matches(&b), b.matches(&a));
    a.matches(&b)
}

#[test]
fn section_7_2_4_values_match_by_what_they_are() {
    for (a, b, expect) in [
        (";audio", ";audio=\"TRUE\"", true),
        (";audio", ";AUDIO=\"true\"", true),
        (";audio", ";audio=\"FALSE\"", false),
        (";audio", ";video", true),
        (";audio", ";+sip.audio=\"FALSE\"", false),
        (";language=\"en,de\"", ";language=\"fr,DE\"", true),
        (";language=\"en\"", ";+sip.language=\"fr\"", true),
        (";language=\"en\"", ";language=\"fr\"", false),
        (";events=\"!presence\"", ";events=\"presence\"", false),
        (";events=\"!presence\"", ";events=\"dialog\"", true),
        (";events=\"!presence,presence\"", ";events=\"presence\"", true),
        (";events=\"!presence\"", ";events=\"!dialog\"", true),
        (";description=\"<PC>\"", ";description=\"<PC>\"", true),
        (";description=\"<PC>\"", ";description=\"<pc>\"", false),
        (";description=\"<A, B>\"", ";description=\"<B>\"", false),
        (";description=\"<PC>\"", ";description=\"PC\"", false),
        (";+n=\"#4\"", ";+n=\"x\"", true),
        (";+n=\"#=4\"", ";+n=\"#=4.0\"", true),
        (";+n=\"#=4\"", ";+n=\"#>=4\"", true),
        (";+n=\"#=4\"", ";+n=\"#>=4.1\"", false),
        (";+n=\"#<=4\"", ";+n=\"#>=5\"", false),
        (";+n=\"#-4:+5.125\"", ";+n=\"#5.125:9\"", true),
        (";+n=\"#-4:+5.125\"", ";+n=\"#=-4.5\"", false),
        (";+n=\"#=4\"", ";+n=\"!#=4\"", false),
        (";+n=\"#1:4\"", ";+n=\"!#2:3\"", true),
        (";+n=\"#2:3\"", ";+n=\"!#1:4\"", false),
        (";+n=\"#5:4\"", ";+n=\"#1:9\"", false),
        (";x=\"1\"", ";x=\"2\"", true),
    ] {
        // `#4` is no number of RFC 3840 and no value at all; a term without values matches nothing.
        let expect = expect && !a.contains("\"#4\"");
        assert_eq!(matches(a, b), expect, "{a} {b}");
    }
}

#[test]
fn section_8_the_example_has_all_its_terms() {
    let text = ";mobility=\"fixed\";events=\"!presence,message-summary\";language=\"en,de\";\
                description=\"<PC>\";+sip.newparam;+rangeparam=\"#-4:+5.125\";other-param=66372";
    let features = Features::of(Params::parse(text).unwrap());
    for tag in ["mobility", "EVENTS", "language", "description", "+sip.newparam", "+rangeparam"] {
        assert!(features.has(tag), "{tag}");
    }
    for tag in ["other-param", "newparam", "+other-param", "audio", "q", "expires"] {
        assert!(!features.has(tag), "{tag}");
    }
}

#[test]
fn too_many_preferences_are_refused() {
    let refused = |headers: &str| Preferences::of(&request("INVITE", headers)).is_err();
    assert!(!refused(&"a: *;audio\r\n".repeat(MOST_PREDICATES)));
    assert!(refused(&"a: *;audio\r\n".repeat(MOST_PREDICATES + 1)));
    assert!(refused(&"a: *;audio\r\nj: *;video\r\n".repeat(MOST_PREDICATES / 2 + 1)));
    let list = |n: usize| format!("a: *;methods=\"{}\"\r\n", vec!["X"; n].join(","));
    assert!(!refused(&list(MOST_VALUES)));
    assert!(refused(&list(MOST_VALUES + 1)));
    let tags = |n: usize| format!("a: *{}\r\n", (0..n).map(|n| format!(";+a{n}=\"#\"")).collect::<String>());
    assert!(!refused(&tags(MOST_VALUES)));
    assert!(refused(&tags(MOST_VALUES + 1)));
    for malformed in ["a: sip:a@b\r\n", "a: *;;\r\n", "j:\r\n", "a: *audio\r\n", "a: *;audio,\r\n"] {
        assert!(refused(malformed), "{malformed}");
    }
}

#[test]
fn what_a_contact_says_beyond_the_limit_is_not_seen() {
    let many = format!(";methods=\"{}\"", vec!["X"; MOST_VALUES].join(","));
    let long = Features::of(Params::parse(&many).unwrap());
    assert!(long.has("methods"));
    let more = format!("{many};audio=\"FALSE\"");
    let (more, audio) = (Params::parse(&more).unwrap(), Params::parse(";audio").unwrap());
    assert!(!Features::of(more).has("audio") && Features::of(more).matches(&Features::of(audio)));
}

proptest! {
    #[test]
    fn no_contact_is_chosen_twice_and_ranks_follow_q(
        contacts in prop::collection::vec("(;(audio|video|\\+x|methods)(=\"[!#<>=:0-9,A-C.]{0,6}\")?){0,4}(;q=0\\.[0-9])?", 0..8),
        wishes in prop::collection::vec("\\*(;(audio|video|\\+x|require|explicit)(=\"[!#<>=:0-9,A-C.]{0,6}\")?){0,4}", 0..4),
    ) {
        let contacts: Vec<_> = contacts.iter().map(|params| format!("<sip:a@b>{params}")).collect();
        let contacts: Vec<_> = contacts.iter().map(String::as_str).collect();
        let headers: String = wishes.iter().map(|wish| format!("Accept-Contact: {wish}\r\n")).collect();
        let candidates = candidates(&contacts);
        let request = request("INVITE", &headers);
        let choices = Preferences::of(&request).unwrap().order(&candidates);
        let mut seen: Vec<_> = choices.iter().map(|choice| choice.contact).collect();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), choices.len());
        prop_assert!(wishes.is_empty() <= (choices.is_empty() == contacts.is_empty()));
        for pair in choices.windows(2) {
            let q = |choice: &Choice| candidates[choice.contact].q;
            prop_assert!(q(&pair[0]) >= q(&pair[1]));
            prop_assert!(pair[0].rank == pair[1].rank || pair[0].rank == pair[1].rank + 1);
            prop_assert!(pair[0].rank != pair[1].rank || q(&pair[0]) == q(&pair[1]));
        }
        for (contact, candidate) in candidates.iter().enumerate() {
            // Who says nothing of itself is immune.
            prop_assert!(!candidate.features.is_empty() || seen.contains(&contact));
        }
    }
}
