//! Figures 5 to 8 of RFC 3261, as RFC 6026 section 8 and RFC 4320 section 4 amend them.

use std::collections::HashMap;

use tributary_sip::transaction::Timer;
use tributary_sip::transaction::machine::{Action, Event, Kind, State, start, step};

use Action::{Answer, Forget, Pass, Relay, Repeat, Send, SendAck, SendCancel, SendTrying, Set, Slow, Stop};
use Action::{TellTimeout, TellUnreachable};
use Event::{Ack, Cancel, Failure, Fires, Provisional, Request, Success, Timeout, Unreachable};
use State::{Accepted, Calling, Cancelling, Completed, Confirmed, Proceeding, Terminated, Withdrawn};

const STATES: [State; 9] =
    [Calling, Withdrawn, Cancelling, State::Trying, Proceeding, Completed, Confirmed, Accepted, Terminated];

fn events() -> impl Iterator<Item = Event> {
    let others = [Request, Ack, Event::Trying, Provisional, Success, Failure, Timeout, Cancel, Unreachable];
    others.into_iter().chain(Timer::ALL.map(Fires))
}

/// The name of an arrow, where it begins, what happens, where it ends, what is done.
type Arrow = (&'static str, State, Event, State, &'static [Action]);

/// The machine has these arrows and no others.
fn check(kind: Kind, arrows: &[Arrow]) {
    let mut left: HashMap<(State, Event), &Arrow> = HashMap::new();
    for arrow in arrows {
        assert!(left.insert((arrow.1, arrow.2), arrow).is_none(), "twice: {}", arrow.0);
    }
    for state in STATES {
        for event in events() {
            match left.remove(&(state, event)) {
                Some((name, _, _, to, actions)) => {
                    assert_eq!(step(kind, state, event), Some((*to, *actions)), "{name}");
                }
                None => assert_eq!(step(kind, state, event), None, "{state:?} on {event:?}"),
            }
        }
    }
    assert!(left.is_empty());
}

#[test]
fn figure_5_the_invite_client() {
    assert_eq!(
        start(Kind::InviteClient),
        (Calling, &[Send, Set(Timer::A), Set(Timer::B)][..]),
        "INVITE from TU: INVITE sent"
    );
    let rings: &[Action] = &[Stop, Pass, Set(Timer::C)];
    let cancels: &[Action] = &[SendCancel, Set(Timer::Cancelled)];
    let cancels_now: &[Action] = &[Stop, Pass, SendCancel, Set(Timer::Cancelled)];
    let accepted: &[Action] = &[Stop, Forget, Pass, Set(Timer::M)];
    let refused: &[Action] = &[Stop, SendAck, Pass, Set(Timer::D)];
    check(
        Kind::InviteClient,
        &[
            ("Timer A fires: reset A, INVITE sent", Calling, Fires(Timer::A), Calling, &[Send, Repeat]),
            ("Timer B fires: inform TU", Calling, Fires(Timer::B), Terminated, &[TellTimeout]),
            ("transport error: inform TU", Calling, Unreachable, Terminated, &[TellUnreachable]),
            ("100: 1xx to TU", Calling, Event::Trying, Proceeding, rings),
            ("1xx: 1xx to TU", Calling, Provisional, Proceeding, rings),
            ("2xx: 2xx to TU", Calling, Success, Accepted, accepted),
            ("300-699: ACK sent, resp. to TU", Calling, Failure, Completed, refused),
            ("100 again: 1xx to TU", Proceeding, Event::Trying, Proceeding, &[Pass]),
            (
                "1xx again: 1xx to TU, Timer C reset (16.7)",
                Proceeding,
                Provisional,
                Proceeding,
                &[Pass, Set(Timer::C)],
            ),
            ("2xx: 2xx to TU", Proceeding, Success, Accepted, accepted),
            ("300-699: ACK sent, resp. to TU", Proceeding, Failure, Completed, refused),
            ("transport error: inform TU", Proceeding, Unreachable, Terminated, &[TellUnreachable]),
            ("300-699: ACK sent", Completed, Failure, Completed, &[Send]),
            ("transport error: inform TU", Completed, Unreachable, Terminated, &[TellUnreachable]),
            ("Timer D fires", Completed, Fires(Timer::D), Terminated, &[]),
            ("2xx: 2xx to TU", Accepted, Success, Accepted, &[Pass]),
            ("Timer M fires", Accepted, Fires(Timer::M), Terminated, &[]),
            // Section 9.1 and 16.8, which the figure leaves to the users.
            ("cancelled too early", Calling, Cancel, Withdrawn, &[]),
            ("withdrawn, Timer A", Withdrawn, Fires(Timer::A), Withdrawn, &[Send, Repeat]),
            ("withdrawn, Timer B", Withdrawn, Fires(Timer::B), Terminated, &[TellTimeout]),
            ("withdrawn, transport error", Withdrawn, Unreachable, Terminated, &[TellUnreachable]),
            ("withdrawn, 100", Withdrawn, Event::Trying, Cancelling, cancels_now),
            ("withdrawn, 1xx", Withdrawn, Provisional, Cancelling, cancels_now),
            ("withdrawn, 2xx", Withdrawn, Success, Accepted, accepted),
            ("withdrawn, 300-699", Withdrawn, Failure, Completed, refused),
            ("cancelled", Proceeding, Cancel, Cancelling, cancels),
            ("Timer C fires", Proceeding, Fires(Timer::C), Cancelling, cancels),
            ("cancelling, 100", Cancelling, Event::Trying, Cancelling, &[Pass]),
            ("cancelling, 1xx", Cancelling, Provisional, Cancelling, &[Pass]),
            ("cancelling, 2xx", Cancelling, Success, Accepted, accepted),
            ("cancelling, 300-699", Cancelling, Failure, Completed, refused),
            ("cancelling, 64*T1", Cancelling, Fires(Timer::Cancelled), Terminated, &[TellTimeout]),
            ("cancelling, transport error", Cancelling, Unreachable, Terminated, &[TellUnreachable]),
        ],
    );
}

#[test]
fn figure_6_the_other_client() {
    assert_eq!(
        start(Kind::Client),
        (State::Trying, &[Send, Set(Timer::E), Set(Timer::F)][..]),
        "request from TU: send request"
    );
    let answered: &[Action] = &[Stop, Forget, Pass, Set(Timer::K)];
    let trying = State::Trying;
    check(
        Kind::Client,
        &[
            ("Timer E: send request", trying, Fires(Timer::E), trying, &[Send, Repeat]),
            ("Timer F: inform TU", trying, Fires(Timer::F), Terminated, &[TellTimeout]),
            ("transport error: inform TU", trying, Unreachable, Terminated, &[TellUnreachable]),
            ("100: resp. to TU", trying, Event::Trying, Proceeding, &[Pass]),
            ("1xx: resp. to TU", trying, Provisional, Proceeding, &[Pass]),
            ("2xx: resp. to TU", trying, Success, Completed, answered),
            ("300-699: resp. to TU", trying, Failure, Completed, answered),
            ("Timer E: send request, E is T2", Proceeding, Fires(Timer::E), Proceeding, &[Send, Slow]),
            ("Timer F: inform TU", Proceeding, Fires(Timer::F), Terminated, &[TellTimeout]),
            ("transport error: inform TU", Proceeding, Unreachable, Terminated, &[TellUnreachable]),
            ("100 again: resp. to TU", Proceeding, Event::Trying, Proceeding, &[Pass]),
            ("1xx again: resp. to TU", Proceeding, Provisional, Proceeding, &[Pass]),
            ("2xx: resp. to TU", Proceeding, Success, Completed, answered),
            ("300-699: resp. to TU", Proceeding, Failure, Completed, answered),
            ("Timer K", Completed, Fires(Timer::K), Terminated, &[]),
        ],
    );
}

#[test]
fn figure_7_the_invite_server() {
    // The figure's Proceeding is two states here: before and after there is something to repeat.
    let trying = State::Trying;
    assert_eq!(
        start(Kind::InviteServer),
        (trying, &[Set(Timer::Trying)][..]),
        "INVITE: pass INV to TU, send 100 if TU won't in 200 ms"
    );
    let hundred: &[Action] = &[Stop, SendTrying];
    let rings: &[Action] = &[Stop, Answer];
    let accepts: &[Action] = &[Stop, Forget, Relay, Set(Timer::L)];
    let refuses: &[Action] = &[Stop, Answer, Set(Timer::G), Set(Timer::H)];
    check(
        Kind::InviteServer,
        &[
            ("200 ms: 100 sent", trying, Fires(Timer::Trying), Proceeding, hundred),
            ("INVITE before any answer: 100 sent", trying, Request, Proceeding, hundred),
            ("100 from TU: send response", trying, Event::Trying, Proceeding, rings),
            ("101-199 from TU: send response", trying, Provisional, Proceeding, rings),
            ("2xx from TU: send response", trying, Success, Accepted, accepts),
            ("300-699 from TU: send response", trying, Failure, Completed, refuses),
            ("transport error: inform TU", trying, Unreachable, trying, &[TellUnreachable]),
            ("INVITE: send response", Proceeding, Request, Proceeding, &[Send]),
            ("100 from TU: send response", Proceeding, Event::Trying, Proceeding, rings),
            ("101-199 from TU: send response", Proceeding, Provisional, Proceeding, rings),
            ("2xx from TU: send response", Proceeding, Success, Accepted, accepts),
            ("300-699 from TU: send response", Proceeding, Failure, Completed, refuses),
            ("transport error: inform TU", Proceeding, Unreachable, Proceeding, &[TellUnreachable]),
            ("INVITE: send response", Completed, Request, Completed, &[Send]),
            ("Timer G fires: send response", Completed, Fires(Timer::G), Completed, &[Send, Repeat]),
            ("Timer H fires: inform TU", Completed, Fires(Timer::H), Terminated, &[TellTimeout]),
            ("transport error: inform TU", Completed, Unreachable, Completed, &[TellUnreachable]),
            ("ACK", Completed, Ack, Confirmed, &[Stop, Forget, Set(Timer::I)]),
            ("ACK again (17.2.1)", Confirmed, Ack, Confirmed, &[]),
            ("INVITE after its ACK", Confirmed, Request, Confirmed, &[]),
            ("Timer I fires", Confirmed, Fires(Timer::I), Terminated, &[]),
            ("INVITE", Accepted, Request, Accepted, &[]),
            ("ACK: to TU", Accepted, Ack, Accepted, &[Pass]),
            ("2xx from TU: send response", Accepted, Success, Accepted, &[Relay]),
            ("transport error: inform TU", Accepted, Unreachable, Accepted, &[TellUnreachable]),
            ("Timer L fires", Accepted, Fires(Timer::L), Terminated, &[]),
        ],
    );
}

#[test]
fn figure_8_the_other_server() {
    let trying = State::Trying;
    assert_eq!(
        start(Kind::Server),
        (trying, &[Set(Timer::Late), Set(Timer::Expiry)][..]),
        "request received: pass to TU"
    );
    let answers: &[Action] = &[Stop, Answer, Set(Timer::J)];
    let silent: &[Action] = &[Stop, Forget, Set(Timer::J)];
    check(
        Kind::Server,
        &[
            ("request in Trying is discarded (17.2.2)", trying, Request, trying, &[]),
            ("200-699 from TU: send response", trying, Success, Completed, answers),
            ("200-699 from TU: send response", trying, Failure, Completed, answers),
            ("request: send response", Proceeding, Request, Proceeding, &[Send]),
            ("200-699 from TU: send response", Proceeding, Success, Completed, answers),
            ("200-699 from TU: send response", Proceeding, Failure, Completed, answers),
            ("transport error: inform TU", Proceeding, Unreachable, Terminated, &[TellUnreachable]),
            ("request: send response", Completed, Request, Completed, &[Send]),
            ("transport error: inform TU", Completed, Unreachable, Terminated, &[TellUnreachable]),
            ("Timer J fires", Completed, Fires(Timer::J), Terminated, &[]),
            // RFC 4320 4.1 in place of the figure's "1xx from TU".
            ("100 when Timer E is T2", trying, Fires(Timer::Late), Proceeding, &[SendTrying]),
            // RFC 4320 4.2.
            ("408 is not sent", trying, Timeout, Completed, silent),
            ("408 is not sent", Proceeding, Timeout, Completed, silent),
            ("nobody waits any more", trying, Fires(Timer::Expiry), Terminated, &[]),
            ("nobody waits any more", Proceeding, Fires(Timer::Expiry), Terminated, &[]),
        ],
    );
}
