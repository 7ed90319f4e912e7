//! When things leave: every retransmission to the millisecond, on a channel where nothing comes.

use tributary_sip::Method;
use tributary_sip::transaction::{Input, Timer, Timing, Transport};

use crate::party::{Party, hop, incoming, request, request_over, response_to, tell, udp};

/// What happens after `begin`, with the milliseconds since.
fn check(party: &mut Party, expect: &[(u64, &str)]) {
    let happened: Vec<_> = party.run_out().into_iter().map(|(at, effect)| (at, tell(&effect))).collect();
    let happened: Vec<_> = happened.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(happened, expect);
}

fn calling(transport: Transport, method: Method<'_>) -> Party {
    let mut party = Party::new();
    let request = request_over(transport, method, "z9hG4bKone");
    party.give(Input::Request { user: 5, hop: hop(transport), request: request.into() });
    party
}

#[test]
fn timer_a_doubles_without_end_and_timer_b_ends_it() {
    let again = "sends INVITE";
    check(
        &mut calling(Transport::Udp, Method::Invite),
        &[
            (500, again),
            (1_500, again),
            (3_500, again),
            (7_500, again),
            (15_500, again),
            (31_500, again),
            (32_000, "Timeout"),
            (32_000, "over"),
        ],
    );
}

#[test]
fn timer_e_doubles_up_to_t2_and_timer_f_ends_it() {
    let again = "sends OPTIONS";
    let times = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expect = times.map(|at| (at, again)).to_vec();
    expect.extend([(32_000, "Timeout"), (32_000, "over")]);
    check(&mut calling(Transport::Udp, Method::Options), &expect);
}

#[test]
fn timer_e_is_t2_once_a_provisional_answer_came() {
    let mut party = calling(Transport::Udp, Method::Options);
    party.now += 600;
    let request = request(Method::Options, "z9hG4bKone");
    party.give(Input::Tick);
    party.receive(udp(), &response_to(&request, 100));
    let again = "sends OPTIONS";
    // Timer E was to fire at 1500 (it was set at 600); from then on every 4 s; F counts from 0.
    let times = [1_000, 5_000, 9_000, 13_000, 17_000, 21_000, 25_000, 29_000];
    let mut expect = times.map(|at| (at, again)).to_vec();
    expect.extend([(31_400, "Timeout"), (31_400, "over")]);
    check(&mut party, &expect);
}

#[test]
fn reliable_transports_see_every_request_once() {
    for transport in [Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss] {
        for method in [Method::Invite, Method::Options] {
            check(&mut calling(transport, method), &[(32_000, "Timeout"), (32_000, "over")]);
        }
    }
}

#[test]
fn timer_g_doubles_up_to_t2_and_timer_h_ends_it() {
    let mut party = Party::new();
    let invite = incoming(party.receive(udp(), &request(Method::Invite, "z9hG4bKone")));
    party.answer(&invite, 486);
    let times = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expect = times.map(|at| (at, "sends 486")).to_vec();
    expect.extend([(32_000, "Timeout"), (32_000, "over")]);
    check(&mut party, &expect);

    let mut party = Party::new();
    let request = request_over(Transport::Tcp, Method::Invite, "z9hG4bKone");
    let invite = incoming(party.receive(hop(Transport::Tcp), &request));
    party.answer(&invite, 486);
    check(&mut party, &[(32_000, "Timeout"), (32_000, "over")]);
}

#[test]
fn an_invite_gets_100_after_200_ms_and_another_request_when_timer_e_has_reached_t2() {
    let mut party = Party::new();
    party.receive(udp(), &request(Method::Invite, "z9hG4bKone"));
    assert_eq!(party.table.poll_timeout(), Some(party.now + 200));
    let (_, effects) = party.next().unwrap();
    assert_eq!(crate::party::told(&effects), ["sends 100"]);
    assert_eq!(party.table.poll_timeout(), None, "the user answers an INVITE when it will");

    for transport in [Transport::Udp, Transport::Tcp] {
        let mut party = Party::new();
        party.receive(hop(transport), &request_over(transport, Method::Options, "z9hG4bKone"));
        check(&mut party, &[(3_500, "sends 100"), (32_000, "over")]);
    }
}

#[test]
fn timer_c_cancels_what_rings_too_long_and_its_cancel_is_given_64_t1() {
    let mut party = calling(Transport::Tcp, Method::Invite);
    let invite = request_over(Transport::Tcp, Method::Invite, "z9hG4bKone");
    party.receive(hop(Transport::Tcp), &response_to(&invite, 180));
    party.now += 100_000;
    party.receive(hop(Transport::Tcp), &response_to(&invite, 180));
    party.now += 50_000;
    party.receive(hop(Transport::Tcp), &response_to(&invite, 100));
    check(&mut party, &[(131_000, "sends CANCEL"), (163_000, "Timeout"), (163_000, "over")]);
}

#[test]
fn what_waits_after_the_end_waits_as_table_4_says() {
    let first = |timer, reliable| Timing::DEFAULT.first(timer, reliable);
    for (timer, unreliable, reliable) in [
        (Timer::A, Some(500), None),
        (Timer::B, Some(32_000), Some(32_000)),
        (Timer::C, Some(181_000), Some(181_000)),
        (Timer::D, Some(32_000), Some(0)),
        (Timer::E, Some(500), None),
        (Timer::F, Some(32_000), Some(32_000)),
        (Timer::G, Some(500), None),
        (Timer::H, Some(32_000), Some(32_000)),
        (Timer::I, Some(5_000), Some(0)),
        (Timer::J, Some(32_000), Some(0)),
        (Timer::K, Some(5_000), Some(0)),
        (Timer::L, Some(32_000), Some(32_000)),
        (Timer::M, Some(32_000), Some(32_000)),
    ] {
        assert_eq!((first(timer, false), first(timer, true)), (unreliable, reliable), "{timer:?}");
    }
    let quick = Timing { t1: 10, ..Timing::DEFAULT };
    assert_eq!(quick.first(Timer::D, false), Some(32_000), "RFC 6026: at least 32 s");
}

#[test]
fn a_clock_that_jumps_makes_no_burst() {
    let mut party = calling(Transport::Udp, Method::Options);
    party.now += 20_000;
    assert_eq!(crate::party::told(&party.give(Input::Tick)), ["sends OPTIONS"]);
    assert_eq!(party.table.poll_timeout(), Some(party.now + 1_000));
}
