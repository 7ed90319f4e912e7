//! Which messages belong together: 17.1.3, 17.2.3, 9.2, 8.2.2.2.

use bytes::Bytes;
use tributary_sip::transaction::{Effect, FlowId, Input, Transport};
use tributary_sip::{Method, ResponseBuilder, Status};

use crate::party::{Party, hop, incoming, read, request, request_over, response_to, tcp, told, udp};

fn change(text: &Bytes, from: &str, to: &str) -> Bytes {
    let text = std::str::from_utf8(text).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    text.replace(from, to).into()
}

/// Whether the second is a repetition of the first.
fn same(first: &Bytes, second: &Bytes) -> bool {
    let mut party = Party::new();
    party.receive(udp(), first);
    let effects = party.receive(udp(), second);
    !effects.iter().any(|effect| matches!(effect, Effect::Request { .. }))
}

#[test]
fn section_17_2_3_branch_sent_by_and_method_make_the_transaction() {
    let options = request(Method::Options, "z9hG4bKone");
    assert!(same(&options, &options));
    assert!(same(&options, &change(&options, "call-of", "other-call")));
    assert!(!same(&options, &change(&options, "z9hG4bKone", "z9hG4bKtwo")));
    assert!(!same(&options, &change(&options, "192.0.2.7;", "192.0.2.8;")));
    assert!(!same(&options, &change(&options, "192.0.2.7;", "192.0.2.7:5060;")));
    assert!(!same(&options, &request(Method::Info, "z9hG4bKone")));
}

#[test]
fn section_17_2_3_without_the_cookie_all_that_a_repetition_has_in_common_makes_it() {
    let options = change(&request(Method::Options, "z9hG4bKone"), ";branch=z9hG4bKone", "");
    assert!(same(&options, &options));
    for (from, to) in [
        ("call-of", "other-call"),
        ("CSeq: 1", "CSeq: 2"),
        ("tag=a", "tag=z"),
        ("OPTIONS sip:bob", "OPTIONS sip:bill"),
        ("192.0.2.7;", "192.0.2.8;"),
    ] {
        assert!(!same(&options, &change(&options, from, to)), "{from}");
    }
    let short = change(&request(Method::Options, "z9hG4bKone"), "z9hG4bKone", "1");
    assert!(same(&short, &short));
    assert!(!same(&short, &change(&short, "branch=1", "branch=2")));
}

#[test]
fn section_17_2_3_the_ack_of_an_old_client_finds_its_invite() {
    let mut party = Party::new();
    let invite = change(&request(Method::Invite, "z9hG4bKone"), ";branch=z9hG4bKone", "");
    let asked = incoming(party.receive(udp(), &invite));
    party.answer(&asked, 486);
    let ack = change(&invite, "INVITE", "ACK");
    let ack = change(&ack, "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b");
    assert_eq!(told(&party.receive(udp(), &ack)), [""; 0]);
    assert_eq!(party.run_out().len(), 1);
}

#[test]
fn on_websockets_a_branch_counts_within_its_connection_and_elsewhere_everywhere() {
    let invite = request_over(Transport::Ws, Method::Invite, "z9hG4bK1234567");
    let mut party = Party::new();
    let first = hop(Transport::Ws);
    incoming(party.receive(first, &invite));
    incoming(party.receive(tributary_sip::transaction::Hop { flow: FlowId(2), ..first }, &invite));
    assert_eq!(party.table.len(), 2);
    // A TCP client may come back with its CANCEL on a new connection.
    let invite = request_over(Transport::Tcp, Method::Invite, "z9hG4bKone");
    let asked = incoming(party.receive(tcp(), &invite));
    let moved = tributary_sip::transaction::Hop { flow: FlowId(3), ..tcp() };
    let cancel = incoming(party.receive(moved, &change(&invite, "INVITE", "CANCEL")));
    assert_eq!(cancel.cancels, Some(asked.transaction));
}

#[test]
fn section_9_2_a_cancel_names_its_invite_and_has_a_transaction_of_its_own() {
    let mut party = Party::new();
    let invite = incoming(party.receive(udp(), &request(Method::Invite, "z9hG4bKone")));
    let cancel = incoming(party.receive(udp(), &request(Method::Cancel, "z9hG4bKone")));
    assert_eq!(cancel.cancels, Some(invite.transaction));
    assert_ne!(cancel.transaction, invite.transaction);
    assert_eq!(told(&party.answer(&cancel, 200)), ["sends 200"]);
    assert_eq!(told(&party.answer(&invite, 487)), ["sends 487"]);
    let stray = incoming(party.receive(udp(), &request(Method::Cancel, "z9hG4bKtwo")));
    assert_eq!(stray.cancels, None);
    let options = incoming(party.receive(udp(), &request(Method::Options, "z9hG4bKthree")));
    let wrong = incoming(party.receive(udp(), &request(Method::Cancel, "z9hG4bKthree")));
    assert_eq!(wrong.cancels, None, "only INVITE can be cancelled");
    assert!(!options.merged);
}

#[test]
fn section_8_2_2_2_a_copy_over_another_path_is_seen() {
    let mut party = Party::new();
    let invite = request(Method::Invite, "z9hG4bKone");
    let copy = change(&invite, "z9hG4bKone;", "z9hG4bKtwo;");
    assert!(!incoming(party.receive(udp(), &invite)).merged);
    let second = incoming(party.receive(udp(), &copy));
    assert!(second.merged);
    assert_eq!(told(&party.answer(&second, 482)), ["sends 482"]);
    let inside = change(&copy, "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b");
    let inside = change(&inside, "z9hG4bKtwo;", "z9hG4bKthree;");
    assert!(!incoming(party.receive(udp(), &inside)).merged, "inside a dialog it means nothing");
    let next = change(&change(&copy, "z9hG4bKtwo;", "z9hG4bKfour;"), "CSeq: 1", "CSeq: 2");
    assert!(!incoming(party.receive(udp(), &next)).merged);
}

#[test]
fn section_17_1_3_a_response_finds_its_client_by_branch_sent_by_and_cseq_method() {
    let options = request(Method::Options, "z9hG4bKone");
    let good = response_to(&options, 200);
    for (from, to) in
        [("z9hG4bKone", "z9hG4bKtwo"), ("CSeq: 1 OPTIONS", "CSeq: 1 INFO"), ("192.0.2.7;", "192.0.2.8;")]
    {
        let mut party = Party::new();
        party.give(Input::Request { user: 5, hop: udp(), request: options.clone().into() });
        let stray = party.receive(udp(), &change(&good, from, to));
        assert_eq!(told(&stray), ["dropped: StrayResponse"], "RFC 6026 7.2: {from}");
        assert_eq!(told(&party.receive(udp(), &good)), ["user gets 200"]);
    }
}

#[test]
fn a_name_that_is_over_finds_nothing_even_when_its_place_was_taken() {
    let mut party = Party::new();
    let first = incoming(party.receive(tcp(), &request_over(Transport::Tcp, Method::Info, "z9hG4bKone")));
    assert_eq!(told(&party.answer(&first, 200)), ["sends 200", "over"]);
    let second = incoming(party.receive(tcp(), &request_over(Transport::Tcp, Method::Info, "z9hG4bKtwo")));
    assert_ne!(first.transaction, second.transaction);
    assert_eq!(told(&party.answer(&first, 200)), ["dropped: LateAnswer"]);
    assert_eq!(told(&party.answer(&second, 200)), ["sends 200", "over"]);
}

#[test]
fn the_answer_that_a_transaction_writes_has_what_section_8_2_6_wants() {
    let mut party = Party::new();
    let invite = request(Method::Invite, "z9hG4bKone");
    party.receive(udp(), &invite);
    let (_, effects) = party.next().unwrap();
    let hundred = read(&crate::party::sent(&effects)[0]);
    let stamped = read(&change(&invite, ";rport", ";received=192.0.2.7;rport=5060"));
    let expected = ResponseBuilder::new(&stamped, Status::new(100).unwrap());
    assert_eq!(hundred.raw(), &expected.build().unwrap());
}
