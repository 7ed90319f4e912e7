//! What an answered request leaves behind, and for how long: over reliable transports as long as the
//! user likes, and nothing at all where the user refuses.

use tributary_sip::Method;
use tributary_sip::transaction::{Capacity, FlowId, Hop, Input, Transport};

use crate::party::{Party, hop, incoming, request_over, response, sent, tcp, told, udp};

fn ask(party: &mut Party, hop: Hop, branch: &str) -> Vec<String> {
    told(&party.receive(hop, &request_over(hop.transport, Method::Options, branch)))
}

#[test]
fn a_request_repeated_over_its_connection_gets_its_answer_again_until_the_time_is_over() {
    let mut party = Party::lingering(9_000, Capacity::DEFAULT);
    let text = request_over(Transport::Tcp, Method::Options, "z9hG4bKone");
    let request = incoming(party.receive(tcp(), &text));
    let answer = party.answer(&request, 200);
    assert_eq!(told(&answer), ["sends 200"]);
    party.now += 8_000;
    assert_eq!(sent(&party.receive(tcp(), &text)), sent(&answer));
    party.now += 999;
    assert_eq!(sent(&party.receive(tcp(), &text)), sent(&answer));
    party.now += 1;
    assert_eq!(told(&party.give(Input::Tick)), ["over"]);
    assert_eq!(told(&party.receive(tcp(), &text)), ["user gets OPTIONS"]);
}

#[test]
fn what_lingers_wakes_nobody_for_its_own_sake_and_leaves_together() {
    let mut party = Party::lingering(9_000, Capacity::DEFAULT);
    for branch in ["z9hG4bKone", "z9hG4bKtwo", "z9hG4bKthr"] {
        let text = request_over(Transport::Tcp, Method::Options, branch);
        let request = incoming(party.receive(tcp(), &text));
        party.answer(&request, 200);
        party.receive(tcp(), &text);
        party.now += 300;
    }
    let (at, effects) = party.next().unwrap();
    assert_eq!((at, told(&effects)), (1_010_000, vec!["over".to_owned(); 3]));
    assert_eq!(party.table.poll_timeout(), None);
    assert!(party.table.is_empty() && party.table.held_bytes() == 0);
}

#[test]
fn what_lingers_goes_with_its_connection_or_when_its_answer_could_not_be_sent() {
    for gone in [false, true] {
        let mut party = Party::lingering(9_000, Capacity::DEFAULT);
        let request =
            incoming(party.receive(tcp(), &request_over(Transport::Tcp, Method::Options, "z9hG4bKone")));
        party.answer(&request, 200);
        let input = match gone {
            true => Input::FlowClosed { flow: FlowId(1) },
            false => Input::SendFailed { transaction: request.transaction },
        };
        assert_eq!(told(&party.give(input)), ["Unreachable", "over"]);
        // Its place is another's now, which nothing of the old one ends.
        incoming(party.receive(tcp(), &request_over(Transport::Tcp, Method::Options, "z9hG4bKtwo")));
        party.now += 9_000;
        assert_eq!(told(&party.give(Input::Tick)), ["sends 100"]);
    }
}

#[test]
fn a_copy_of_what_only_lingers_is_no_merged_request() {
    let over = |hop: Hop, second: Hop| {
        let mut party = Party::lingering(9_000, Capacity::DEFAULT);
        let text = request_over(hop.transport, Method::Options, "z9hG4bKone");
        let first = incoming(party.receive(hop, &text));
        party.answer(&first, 200);
        let again =
            String::from_utf8(text.to_vec()).unwrap().replace("branch=z9hG4bKone", "branch=z9hG4bKtwo");
        incoming(party.receive(second, &again.into())).merged
    };
    // A client that came back over a new connection before the end of the old one was seen.
    assert!(!over(tcp(), Hop { flow: FlowId(2), ..tcp() }));
    assert!(over(udp(), udp()));
}

#[test]
fn at_the_limit_the_oldest_that_lingers_goes_and_only_then_is_anybody_refused() {
    let mut party = Party::lingering(9_000, Capacity { servers: 2, ..Capacity::DEFAULT });
    for branch in ["z9hG4bKone", "z9hG4bKtwo"] {
        let text = request_over(Transport::Tcp, Method::Options, branch);
        let request = incoming(party.receive(tcp(), &text));
        party.answer(&request, 200);
        party.now += 1;
    }
    assert_eq!(ask(&mut party, tcp(), "z9hG4bKthr"), ["limit servers", "over", "user gets OPTIONS"]);
    assert_eq!(ask(&mut party, tcp(), "z9hG4bKtwo"), ["sends 200"], "the second is still there");
    assert_eq!(ask(&mut party, tcp(), "z9hG4bKfou"), ["limit servers", "over", "user gets OPTIONS"]);
    assert_eq!(ask(&mut party, tcp(), "z9hG4bKfiv"), ["limit servers", "sends 503"]);
}

#[test]
fn what_lingers_makes_room_for_messages_as_well() {
    let length = request_over(Transport::Tcp, Method::Options, "z9hG4bKone").len();
    let mut party = Party::lingering(9_000, Capacity { bytes: 2 * length, ..Capacity::DEFAULT });
    for branch in ["z9hG4bKone", "z9hG4bKtwo", "z9hG4bKthr"] {
        let text = request_over(Transport::Tcp, Method::Options, branch);
        let request = incoming(party.receive(tcp(), &text));
        party.answer(&request, 200);
        assert!(party.table.held_bytes() <= 2 * length);
    }
    let options = request_over(Transport::Tcp, Method::Options, "z9hG4bKour");
    let sent = party.give(Input::Request { user: 5, hop: tcp(), request: options.into() });
    assert_eq!(told(&sent), ["limit bytes", "over", "sends OPTIONS"]);
}

#[test]
fn section_8_2_7_a_refusal_leaves_nothing_behind_and_a_repetition_is_a_new_request() {
    for transport in [Transport::Udp, Transport::Ws] {
        for method in [Method::Options, Method::Invite] {
            let mut party = Party::lingering(9_000, Capacity::DEFAULT);
            let text = request_over(transport, method, "z9hG4bKone");
            for _ in 0..2 {
                let request = incoming(party.receive(hop(transport), &text));
                assert!(!request.merged);
                let (_, response) = response(&request.message, 405);
                let refuse = Input::Refuse { transaction: request.transaction, response: response.clone() };
                assert_eq!(told(&party.give(refuse)), ["sends 405", "over"]);
                assert!(party.table.is_empty() && party.table.held_bytes() == 0);
                assert_eq!(party.table.poll_timeout(), None);
                let late = Input::Refuse { transaction: request.transaction, response };
                assert_eq!(told(&party.give(late)), ["dropped: LateAnswer"]);
            }
            let ack = party.receive(hop(transport), &request_over(transport, Method::Ack, "z9hG4bKone"));
            assert_eq!(told(&ack), ["user gets ACK outside"]);
        }
    }
}

#[test]
fn an_answer_that_was_given_cannot_be_taken_back_by_a_refusal() {
    let mut party = Party::new();
    let request =
        incoming(party.receive(udp(), &request_over(Transport::Udp, Method::Options, "z9hG4bKone")));
    party.answer(&request, 200);
    let (_, response) = response(&request.message, 405);
    let refuse = Input::Refuse { transaction: request.transaction, response };
    assert_eq!(told(&party.give(refuse)), ["dropped: LateAnswer"]);
    assert_eq!(party.table.len(), 1);
}

#[test]
fn the_flow_of_datagrams_is_that_of_socket_and_peer() {
    let flow = |socket, peer: &str| FlowId::of_datagrams(socket, peer.parse().unwrap(), [1, 2]);
    let first = flow(5, "192.0.2.7:5060").unwrap();
    assert_eq!(flow(5, "192.0.2.7:5060"), Some(first));
    assert_eq!(
        flow(5, "[::ffff:192.0.2.7]:5060"),
        Some(first),
        "the same peer through a socket of both families"
    );
    for other in [flow(6, "192.0.2.7:5060"), flow(5, "192.0.2.7:5061"), flow(5, "[2001:db8::7]:5060")] {
        assert_ne!(other, Some(first));
    }
    assert_eq!((first.socket(), FlowId(1).socket()), (Some(5), None));
    assert_eq!(flow(126, "[2001:db8::7]:5060").and_then(FlowId::socket), Some(126));
    assert_eq!(flow(FlowId::SOCKETS, "192.0.2.7:5060"), None);
}
