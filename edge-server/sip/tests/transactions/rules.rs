//! What the sections say beyond the figures.

use tributary_sip::transaction::{Effect, FlowId, Input, TransactionId, Transport};
use tributary_sip::{Method, Name, RequestBuilder};

use crate::party::{
    Party, hop, incoming, read, request, request_over, response_to, sent, tcp, tell, told, udp,
};

fn call(party: &mut Party, transport: Transport) -> bytes::Bytes {
    let invite = request_over(transport, Method::Invite, "z9hG4bKone");
    let begun = party.give(Input::Request { user: 5, hop: hop(transport), request: invite.clone().into() });
    assert_eq!(told(&begun), ["sends INVITE"]);
    invite
}

fn transaction(effects: &[Effect]) -> TransactionId {
    let mut ids = effects.iter().filter_map(|effect| match effect {
        Effect::Response { transaction, .. } => Some(*transaction),
        Effect::Send { transaction, .. } => *transaction,
        _ => None,
    });
    ids.next().expect("an effect that names its transaction")
}

#[test]
fn section_17_1_1_3_the_ack_of_a_refusal_is_of_the_same_path_with_the_tag_of_the_answer() {
    let mut party = Party::new();
    let invite = RequestBuilder::new(Method::Invite, "sip:bob@example.com;lr")
        .header(
            Name::Via,
            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKone;rport, SIP/2.0/UDP b.example;branch=z9hG4bK0",
        )
        .header(Name::From, "<sip:alice@example.com>;tag=a")
        .header(Name::To, "<sip:bob@example.com>")
        .header(Name::CallId, "c")
        .header(Name::Route, "<sip:one.example;lr>")
        .header(Name::Route, "<sip:two.example;lr>")
        .header(Name::Contact, "<sip:alice@192.0.2.7>")
        .cseq(314)
        .body("text/plain", b"offer")
        .unwrap();
    party.give(Input::Request { user: 5, hop: udp(), request: invite.clone().into() });
    let effects = party.receive(udp(), &response_to(&invite, 486));
    assert_eq!(told(&effects), ["sends ACK", "user gets 486"]);
    let ack = sent(&effects).remove(0);
    assert_eq!(
        std::str::from_utf8(&ack).unwrap(),
        "ACK sip:bob@example.com;lr SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKone;rport\r\n\
         From: <sip:alice@example.com>;tag=a\r\n\
         To: <sip:bob@example.com>;tag=b\r\n\
         Call-ID: c\r\n\
         CSeq: 314 ACK\r\n\
         Route: <sip:one.example;lr>\r\n\
         Route: <sip:two.example;lr>\r\n\
         Max-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    );
    // The answer comes again: the ACK goes again, and the user hears nothing.
    assert_eq!(sent(&party.receive(udp(), &response_to(&invite, 486))), [ack]);
    assert_eq!(party.run_out().last().unwrap().0, 32_000);
}

#[test]
fn section_17_1_1_2_a_refusal_is_acknowledged_over_reliable_transports_too() {
    let mut party = Party::new();
    let invite = call(&mut party, Transport::Tcp);
    let effects = party.receive(tcp(), &response_to(&invite, 300));
    assert_eq!(told(&effects), ["sends ACK", "user gets 300", "over"]);
}

#[test]
fn rfc_6026_every_2xx_reaches_the_user_for_64_t1_and_no_ack_is_made() {
    let mut party = Party::new();
    let invite = call(&mut party, Transport::Udp);
    for _ in 0..3 {
        assert_eq!(told(&party.receive(udp(), &response_to(&invite, 200))), ["user gets 200"]);
    }
    assert_eq!(told(&party.receive(udp(), &response_to(&invite, 486))), ["dropped: OutOfPlace"]);
    assert_eq!(party.table.held_bytes(), 0);
    party.now += 32_000;
    assert_eq!(told(&party.give(Input::Tick)), ["over"]);
    assert_eq!(told(&party.receive(udp(), &response_to(&invite, 200))), ["dropped: StrayResponse"]);
}

#[test]
fn rfc_6026_an_accepted_invite_is_absorbed_and_acks_and_further_2xx_pass() {
    let mut party = Party::new();
    let text = request(Method::Invite, "z9hG4bKone");
    let invite = incoming(party.receive(udp(), &text));
    assert_eq!(told(&party.answer(&invite, 200)), ["sends 200"]);
    assert_eq!(told(&party.receive(udp(), &text)), [""; 0]);
    assert_eq!(told(&party.answer(&invite, 200)), ["sends 200"]);
    let inside = party.receive(udp(), &request(Method::Ack, "z9hG4bKone"));
    assert_eq!(told(&inside), ["user gets ACK inside"]);
    let outside = party.receive(udp(), &request(Method::Ack, "z9hG4bKtwo"));
    assert_eq!(told(&outside), ["user gets ACK outside"]);
    assert_eq!(told(&party.answer(&invite, 486)), ["dropped: LateAnswer"]);
    assert_eq!(party.run_out().len(), 1);
}

#[test]
fn section_17_2_1_the_ack_of_a_refusal_stops_its_repetition_and_is_absorbed() {
    let mut party = Party::new();
    let text = request(Method::Invite, "z9hG4bKone");
    let invite = incoming(party.receive(udp(), &text));
    assert_eq!(told(&party.answer(&invite, 180)), ["sends 180"]);
    assert_eq!(told(&party.receive(udp(), &text)), ["sends 180"]);
    assert_eq!(told(&party.answer(&invite, 486)), ["sends 486"]);
    assert_eq!(told(&party.receive(udp(), &text)), ["sends 486"]);
    for _ in 0..2 {
        assert_eq!(told(&party.receive(udp(), &request(Method::Ack, "z9hG4bKone"))), [""; 0]);
    }
    assert_eq!(told(&party.receive(udp(), &text)), [""; 0]);
    let rest: Vec<_> = party.run_out().iter().map(|(at, effect)| (*at, tell(effect))).collect();
    assert_eq!(rest, [(5_000, "over".to_owned())]);
}

#[test]
fn section_17_2_2_a_repeated_request_gets_the_answer_again_and_acts_once() {
    let mut party = Party::new();
    let text = request(Method::Options, "z9hG4bKone");
    let options = incoming(party.receive(udp(), &text));
    assert_eq!(told(&party.receive(udp(), &text)), [""; 0]);
    let first = party.answer(&options, 200);
    let again = party.receive(udp(), &text);
    assert_eq!(sent(&first), sent(&again));
    assert_eq!(told(&party.answer(&options, 404)), ["dropped: LateAnswer"]);
}

#[test]
fn rfc_4320_provisional_answers_and_408_to_other_requests_are_not_sent() {
    let mut party = Party::new();
    let text = request(Method::Options, "z9hG4bKone");
    let options = incoming(party.receive(udp(), &text));
    for code in [100, 183] {
        assert_eq!(told(&party.answer(&options, code)), ["dropped: LateAnswer"]);
    }
    assert_eq!(told(&party.answer(&options, 408)), [""; 0]);
    // The request is known still: a repetition is absorbed, not passed to the user anew.
    assert_eq!(told(&party.receive(udp(), &text)), [""; 0]);
    assert_eq!(told(&party.answer(&options, 200)), ["dropped: LateAnswer"]);
    assert_eq!(party.run_out().len(), 1);
    let invite = incoming(party.receive(udp(), &request(Method::Invite, "z9hG4bKtwo")));
    assert_eq!(told(&party.answer(&invite, 408)), ["sends 408"]);
}

#[test]
fn section_9_1_a_cancel_waits_for_a_provisional_answer_and_copies_the_path_of_its_invite() {
    let mut party = Party::new();
    let invite = RequestBuilder::new(Method::Invite, "sip:bob@example.com")
        .header(Name::Via, "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKone")
        .header(Name::From, "<sip:alice@example.com>;tag=a")
        .header(Name::To, "<sip:bob@example.com>")
        .header(Name::CallId, "c")
        .header(Name::Route, "<sip:one.example;lr>")
        .cseq(7)
        .build()
        .unwrap();
    let begun = party.give(Input::Request { user: 5, hop: udp(), request: invite.clone().into() });
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"";
    let transaction = transaction(&begun);
    let early = party.give(Input::Cancel { transaction, reason: Some(reason.into()) });
    assert_eq!(told(&early), [""; 0]);
    assert_eq!(told(&party.receive(udp(), &response_to(&invite, 180))), ["user gets 180", "sends CANCEL"]);
    assert_eq!(party.table.len(), 2);
    let twice = party.give(Input::Cancel { transaction, reason: None });
    assert_eq!(told(&twice), [""; 0]);

    party.now += 500;
    let again = party.give(Input::Tick);
    let cancel = sent(&again).remove(0);
    assert_eq!(
        std::str::from_utf8(&cancel).unwrap(),
        format!(
            "CANCEL sip:bob@example.com SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKone\r\n\
             From: <sip:alice@example.com>;tag=a\r\n\
             To: <sip:bob@example.com>\r\n\
             Call-ID: c\r\n\
             CSeq: 7 CANCEL\r\n\
             Route: <sip:one.example;lr>\r\n\
             Reason: {reason}\r\n\
             Max-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        )
    );
    assert_eq!(told(&party.receive(udp(), &response_to(&cancel, 200))), [""; 0]);
    let ended = party.receive(udp(), &response_to(&invite, 487));
    assert_eq!(told(&ended), ["sends ACK", "user gets 487"]);
    assert_eq!(party.run_out().len(), 1);
}

#[test]
fn section_9_1_a_2xx_that_crosses_the_cancel_reaches_the_user() {
    let mut party = Party::new();
    let invite = call(&mut party, Transport::Tcp);
    let ringing = party.receive(tcp(), &response_to(&invite, 180));
    let cancel = party.give(Input::Cancel { transaction: transaction(&ringing), reason: None });
    assert_eq!(told(&cancel), ["sends CANCEL"]);
    assert_eq!(told(&party.receive(tcp(), &response_to(&invite, 200))), ["user gets 200"]);
}

#[test]
fn section_8_1_3_1_a_lost_connection_fails_what_waits_on_it_and_nothing_else() {
    let mut party = Party::new();
    call(&mut party, Transport::Tcp);
    let options = request_over(Transport::Tcp, Method::Options, "z9hG4bKtwo");
    party.give(Input::Request { user: 6, hop: tcp(), request: options.clone().into() });
    let elsewhere = tributary_sip::transaction::Hop { flow: FlowId(2), ..tcp() };
    let info = request_over(Transport::Tcp, Method::Info, "z9hG4bKthree");
    party.give(Input::Request { user: 7, hop: elsewhere, request: info.into() });
    let theirs = incoming(party.receive(tcp(), &request_over(Transport::Tcp, Method::Invite, "z9hG4bKfour")));

    let effects = party.give(Input::FlowClosed { flow: FlowId(1) });
    assert_eq!(told(&effects), ["Unreachable", "over", "Unreachable", "over", "Unreachable"]);
    // Their INVITE is not forgotten (RFC 6026 7.1), and its answer may find another connection.
    assert_eq!(told(&party.answer(&theirs, 486)), ["sends 486"]);
    assert_eq!(party.table.len(), 2);
}

#[test]
fn section_8_1_3_1_what_could_not_be_sent_fails_its_transaction() {
    let mut party = Party::new();
    let begun = party.give(Input::Request {
        user: 5,
        hop: udp(),
        request: request(Method::Options, "z9hG4bKone").into(),
    });
    let failed = party.give(Input::SendFailed { transaction: transaction(&begun) });
    assert_eq!(told(&failed), ["Unreachable", "over"]);
    assert!(matches!(failed[0], Effect::Failed { user: Some(5), .. }));
    assert_eq!(told(&party.give(Input::SendFailed { transaction: transaction(&begun) })), [""; 0]);
}

#[test]
fn requests_that_cannot_have_a_transaction_are_refused() {
    let mut party = Party::new();
    let mut refused = |text: &str| {
        let request = bytes::Bytes::from(text.to_owned()).into();
        told(&party.give(Input::Request { user: 5, hop: udp(), request }))
    };
    assert_eq!(refused(""), ["refused: Malformed"]);
    assert_eq!(refused("OPTIONS sip:a SIP/2.0\r\n\r\n"), ["refused: Malformed"]);
    assert_eq!(
        refused("OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=1\r\n\r\n"),
        ["refused: Malformed"]
    );
    assert_eq!(
        refused("ACK sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\n\r\n"),
        ["refused: Malformed"]
    );
    let good = "OPTIONS sip:a SIP/2.0\r\nv:SIP/2.0/TCP a;branch=z9hG4bKa\r\n\r\n";
    let request = bytes::Bytes::from(good).into();
    party.give(Input::Request { user: 5, hop: tcp(), request });
    assert_eq!(party.table.len(), 1);
    let request = bytes::Bytes::from(good).into();
    assert_eq!(told(&party.give(Input::Request { user: 6, hop: tcp(), request })), ["refused: BranchInUse"]);
}

#[test]
fn a_reliable_client_holds_nothing_but_an_invite_that_may_need_its_ack() {
    let mut party = Party::new();
    let options = request_over(Transport::Tcp, Method::Options, "z9hG4bKtwo");
    party.give(Input::Request { user: 6, hop: tcp(), request: options.into() });
    assert_eq!(party.table.held_bytes(), 0);
    let invite = call(&mut party, Transport::Tcp);
    assert_eq!(party.table.held_bytes(), invite.len());
}

#[test]
fn the_user_gets_the_request_with_its_source_written_into_the_via() {
    let mut party = Party::new();
    let options = incoming(party.receive(udp(), &request(Method::Options, "z9hG4bKone")));
    assert_eq!(
        options.message.header(Name::Via),
        Some("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKone;received=192.0.2.7;rport=5060")
    );
    assert!(read(options.message.raw()).via().is_ok());
}
