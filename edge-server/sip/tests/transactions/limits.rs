//! What happens at the limits, and what a transaction costs.

use tributary_sip::transaction::{Capacity, Input, RETRY_AFTER_SECONDS, branch};
use tributary_sip::{Method, Name};

use crate::party::{Party, incoming, read, request, sent, told, udp};

#[test]
fn at_the_limit_a_new_request_gets_503_and_leaves_no_state() {
    let mut party = Party::with(Capacity { servers: 1, ..Capacity::DEFAULT });
    let text = request(Method::Invite, "z9hG4bKone");
    let invite = incoming(party.receive(udp(), &text));
    let bytes = party.table.held_bytes();
    let other = request(Method::Invite, "z9hG4bKtwo");
    let refused = party.receive(udp(), &other);
    assert_eq!(told(&refused), ["limit servers", "sends 503"]);
    let answer = read(&sent(&refused)[0]);
    assert_eq!(answer.header(Name::RetryAfter), Some(RETRY_AFTER_SECONDS.to_string().as_str()));
    assert!(answer.to().unwrap().tag().is_some());
    assert_eq!(sent(&party.receive(udp(), &other)), sent(&refused), "8.2.7: the same tag again");
    assert_eq!((party.table.len(), party.table.held_bytes()), (1, bytes));
    // Its ACK comes out as one that belongs to nothing.
    let ack = party.receive(udp(), &request(Method::Ack, "z9hG4bKtwo"));
    assert_eq!(told(&ack), ["user gets ACK outside"]);
    // What has begun goes on, and the CANCEL that makes room is let in.
    let cancel = incoming(party.receive(udp(), &request(Method::Cancel, "z9hG4bKone")));
    assert_eq!(cancel.cancels, Some(invite.transaction));
    assert_eq!(told(&party.answer(&invite, 487)), ["sends 487"]);
    let stray = party.receive(udp(), &request(Method::Cancel, "z9hG4bKtwo"));
    assert_eq!(told(&stray), ["limit servers", "sends 503"]);
}

#[test]
fn at_the_limit_of_octets_both_ways_are_closed() {
    let text = request(Method::Options, "z9hG4bKone");
    let mut party = Party::with(Capacity { bytes: 2 * text.len(), ..Capacity::DEFAULT });
    incoming(party.receive(udp(), &text));
    let refused = party.receive(udp(), &request(Method::Options, "z9hG4bKtwo"));
    assert_eq!(told(&refused), ["limit bytes", "sends 503"]);
    let give = |party: &mut Party, name: &str| {
        let request = request(Method::Options, name).into();
        told(&party.give(Input::Request { user: 5, hop: udp(), request }))
    };
    assert_eq!(give(&mut party, "z9hG4bKthr"), ["limit bytes", "refused: Full"]);
    party.now += 60_000;
    party.give(Input::Tick);
    assert_eq!(give(&mut party, "z9hG4bKone"), ["sends OPTIONS"]);
}

#[test]
fn at_the_limit_of_clients_the_user_is_told() {
    let mut party = Party::with(Capacity { clients: 1, ..Capacity::DEFAULT });
    for (name, expect) in
        [("z9hG4bKone", vec!["sends OPTIONS"]), ("z9hG4bKtwo", vec!["limit clients", "refused: Full"])]
    {
        let request = request(Method::Options, name).into();
        assert_eq!(told(&party.give(Input::Request { user: 5, hop: udp(), request })), expect);
    }
}

/// 10,000 answered requests over UDP, which wait for Timer J with their answers in hand.
#[test]
fn a_transaction_costs_less_than_half_a_kilobyte_and_its_message() {
    const MANY: usize = 10_000;
    let mut party = Party::new();
    for number in 0..MANY {
        let name = branch((number as u128).to_be_bytes());
        let request = incoming(party.receive(udp(), &request(Method::Options, &name)));
        party.answer(&request, 200);
    }
    assert_eq!(party.table.len(), MANY);
    let each = party.table.heap_size() / MANY;
    println!("{each} octets of table, {} of answer each", party.table.held_bytes() / MANY);
    assert!(each <= 400, "{each} octets");
    party.run_out();
    assert!(party.table.heap_size() < 1 << 20, "{}", party.table.heap_size());
}
