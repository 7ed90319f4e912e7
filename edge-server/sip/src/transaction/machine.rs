//! The four state machines: RFC 3261 figures 5 to 8 as RFC 6026 and 4320 amend them, as data.
//! A machine knows no messages, times or addresses; [`step`] is a pure function, and the table of
//! transactions does what it says.

use super::timer::Timer;

/// Which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Our INVITE (figure 5).
    InviteClient,
    /// Another request of ours (figure 6).
    Client,
    /// Their INVITE (figure 7).
    InviteServer,
    /// Another request of theirs (figure 8).
    Server,
}

impl Kind {
    /// Whether the request came from outside.
    pub const fn is_server(self) -> bool {
        matches!(self, Kind::InviteServer | Kind::Server)
    }
}

/// Where a machine stands. Not every machine knows every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Our INVITE is out.
    Calling,
    /// Our INVITE is out and the user wants it back; a CANCEL must wait for a provisional answer
    /// (RFC 3261 9.1). Ours, not the figure's.
    Withdrawn,
    /// The CANCEL is out. Ours, not the figure's.
    Cancelling,
    /// The request is out, or in, and there is no answer.
    Trying,
    /// There is a provisional answer.
    Proceeding,
    /// There is a final answer; of INVITEs, a refusal.
    Completed,
    /// The refusal of an INVITE was acknowledged.
    Confirmed,
    /// The INVITE was accepted (RFC 6026).
    Accepted,
    /// It is over.
    Terminated,
}

/// What may happen to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The request came again.
    Request,
    /// An ACK came.
    Ack,
    /// 100: received by a client, given by the user to a server.
    Trying,
    /// 101 to 199.
    Provisional,
    /// 200 to 299.
    Success,
    /// 300 to 699, but for the next.
    Failure,
    /// 408 to a request that is no INVITE, which must not be sent (RFC 4320 4.2).
    Timeout,
    /// The user withdraws its INVITE.
    Cancel,
    /// The transport could not send what this transaction gave it.
    Unreachable,
    /// A timer fired.
    Fires(Timer),
}

/// What a machine wants done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send what is held: request, ACK or answer.
    Send,
    /// Take the user's answer, hold it, send it.
    Answer,
    /// Take the user's answer and send it without holding it.
    Relay,
    /// Hold nothing any more.
    Forget,
    /// Write 100, hold it, send it.
    SendTrying,
    /// Write the ACK of a refusal, hold it in place of the INVITE, send it (17.1.1.3).
    SendAck,
    /// Write the CANCEL of the INVITE and send it in a transaction of its own (9.1).
    SendCancel,
    /// Give the message that came to the user.
    Pass,
    /// Start a timer with its first duration, in place of one of its sort that runs.
    Set(Timer),
    /// Start the interim timer that just fired again, with its next duration.
    Repeat,
    /// Start Timer E again with T2.
    Slow,
    /// Stop the interim timer.
    Stop,
    /// Tell the user that nothing came in time.
    TellTimeout,
    /// Tell the user that the transport failed.
    TellUnreachable,
}

/// What a machine does next; `None` when the event means nothing in this state.
pub fn step(kind: Kind, state: State, event: Event) -> Option<(State, &'static [Action])> {
    match kind {
        Kind::InviteClient => invite_client(state, event),
        Kind::Client => client(state, event),
        Kind::InviteServer => invite_server(state, event),
        Kind::Server => server(state, event),
    }
}

/// Where a machine begins, and what it does then; it holds the request. Whoever made a server's
/// machine has passed the request to the user.
pub const fn start(kind: Kind) -> (State, &'static [Action]) {
    use Action::{Send, Set};
    match kind {
        Kind::InviteClient => (State::Calling, &[Send, Set(Timer::A), Set(Timer::B)]),
        Kind::Client => (State::Trying, &[Send, Set(Timer::E), Set(Timer::F)]),
        Kind::InviteServer => (State::Trying, &[Set(Timer::Trying)]),
        Kind::Server => (State::Trying, &[Set(Timer::Late), Set(Timer::Expiry)]),
    }
}

/// ```text
///   Calling ---------cancel---------> Withdrawn          A: INVITE again     B: timeout
///      | 1xx                             | 1xx: CANCEL
///      v                                 v
///   Proceeding --cancel, C: CANCEL--> Cancelling         64*T1: timeout
///      \________________________________/  from all four:
///        2xx |                 | 300-699: ACK
///            v                 v
///        Accepted           Completed                    300-699 again: ACK again
///            M \             / D
///               > Terminated
/// ```
fn invite_client(state: State, event: Event) -> Option<(State, &'static [Action])> {
    use Action::*;
    use Event::{Cancel, Failure, Fires, Provisional, Success, Trying, Unreachable};
    use State::{Accepted, Calling, Cancelling, Completed, Proceeding, Terminated, Withdrawn};
    Some(match (state, event) {
        (Calling | Withdrawn, Fires(Timer::A)) => (state, &[Send, Repeat]),
        (Calling | Withdrawn, Fires(Timer::B)) => (Terminated, &[TellTimeout]),
        (Calling, Trying | Provisional) => (Proceeding, &[Stop, Pass, Set(Timer::C)]),
        (Calling, Cancel) => (Withdrawn, &[]),
        (Withdrawn, Trying | Provisional) => (Cancelling, &[Stop, Pass, SendCancel, Set(Timer::Cancelled)]),
        // 100 does not prove that anybody rings (16.7 item 2).
        (Proceeding, Trying) => (Proceeding, &[Pass]),
        (Proceeding, Provisional) => (Proceeding, &[Pass, Set(Timer::C)]),
        (Proceeding, Cancel | Fires(Timer::C)) => (Cancelling, &[SendCancel, Set(Timer::Cancelled)]),
        (Cancelling, Trying | Provisional) => (Cancelling, &[Pass]),
        (Cancelling, Fires(Timer::Cancelled)) => (Terminated, &[TellTimeout]),
        (Calling | Withdrawn | Proceeding | Cancelling, Success) => {
            (Accepted, &[Stop, Forget, Pass, Set(Timer::M)])
        }
        (Calling | Withdrawn | Proceeding | Cancelling, Failure) => {
            (Completed, &[Stop, SendAck, Pass, Set(Timer::D)])
        }
        (Calling | Withdrawn | Proceeding | Cancelling | Completed, Unreachable) => {
            (Terminated, &[TellUnreachable])
        }
        (Completed, Failure) => (Completed, &[Send]),
        (Completed, Fires(Timer::D)) | (Accepted, Fires(Timer::M)) => (Terminated, &[]),
        (Accepted, Success) => (Accepted, &[Pass]),
        _ => return None,
    })
}

/// ```text
///   Trying --1xx--> Proceeding     E: request again    F: timeout
///      \              /
///       200-699      200-699
///          v        v
///          Completed --K--> Terminated
/// ```
fn client(state: State, event: Event) -> Option<(State, &'static [Action])> {
    use Action::*;
    use Event::{Failure, Fires, Provisional, Success, Unreachable};
    use State::{Completed, Proceeding, Terminated, Trying};
    Some(match (state, event) {
        (Trying, Fires(Timer::E)) => (Trying, &[Send, Repeat]),
        (Proceeding, Fires(Timer::E)) => (Proceeding, &[Send, Slow]),
        (Trying | Proceeding, Fires(Timer::F)) => (Terminated, &[TellTimeout]),
        (Trying | Proceeding, Event::Trying | Provisional) => (Proceeding, &[Pass]),
        (Trying | Proceeding, Success | Failure) => (Completed, &[Stop, Forget, Pass, Set(Timer::K)]),
        (Trying | Proceeding, Unreachable) => (Terminated, &[TellUnreachable]),
        (Completed, Fires(Timer::K)) => (Terminated, &[]),
        _ => return None,
    })
}

/// ```text
///   Trying                                               figure 7's Proceeding before any answer
///      | 1xx; after 200 ms, or INVITE again: 100
///      v
///   Proceeding --2xx--> Accepted --L--> Terminated       INVITE again: -    ACK: to the user
///      | 300-699
///      v
///   Completed --H: timeout--> Terminated                 INVITE again, G: the refusal again
///      | ACK
///      v
///   Confirmed --I--> Terminated
/// ```
/// A final answer may come in Trying as well.
fn invite_server(state: State, event: Event) -> Option<(State, &'static [Action])> {
    use Action::*;
    use Event::{Ack, Failure, Fires, Provisional, Request, Success, Unreachable};
    use State::{Accepted, Completed, Confirmed, Proceeding, Terminated, Trying};
    Some(match (state, event) {
        (Trying, Request | Fires(Timer::Trying)) => (Proceeding, &[Stop, SendTrying]),
        (Trying | Proceeding, Event::Trying | Provisional) => (Proceeding, &[Stop, Answer]),
        (Trying | Proceeding, Success) => (Accepted, &[Stop, Forget, Relay, Set(Timer::L)]),
        (Trying | Proceeding, Failure) => (Completed, &[Stop, Answer, Set(Timer::G), Set(Timer::H)]),
        (Proceeding, Request) => (Proceeding, &[Send]),
        (Completed, Request) => (Completed, &[Send]),
        (Completed, Fires(Timer::G)) => (Completed, &[Send, Repeat]),
        (Completed, Fires(Timer::H)) => (Terminated, &[TellTimeout]),
        (Completed, Ack) => (Confirmed, &[Stop, Forget, Set(Timer::I)]),
        (Confirmed, Ack) => (Confirmed, &[]),
        (Accepted, Ack) => (Accepted, &[Pass]),
        (Accepted, Success) => (Accepted, &[Relay]),
        (Confirmed, Fires(Timer::I)) | (Accepted, Fires(Timer::L)) => (Terminated, &[]),
        // RFC 6026 7.1: the state stays, so that a repeated INVITE is not taken for a new one.
        (Trying | Proceeding | Completed | Accepted, Unreachable) => (state, &[TellUnreachable]),
        // What comes again is absorbed.
        (Accepted | Confirmed, Request) => (state, &[]),
        _ => return None,
    })
}

/// ```text
///   Trying --late: 100--> Proceeding                     request again: -, then 100 again
///      \                   /  200-699
///       v                 v
///            Completed --J--> Terminated                 request again: the answer again
/// ```
/// The user's provisional answers are not sent (RFC 4320 4.1).
fn server(state: State, event: Event) -> Option<(State, &'static [Action])> {
    use Action::*;
    use Event::{Failure, Fires, Request, Success, Timeout, Unreachable};
    use State::{Completed, Proceeding, Terminated, Trying};
    Some(match (state, event) {
        (Trying, Request) => (Trying, &[]),
        (Trying, Fires(Timer::Late)) => (Proceeding, &[SendTrying]),
        (Proceeding | Completed, Request) => (state, &[Send]),
        (Trying | Proceeding, Success | Failure) => (Completed, &[Stop, Answer, Set(Timer::J)]),
        (Trying | Proceeding, Timeout) => (Completed, &[Stop, Forget, Set(Timer::J)]),
        (Trying | Proceeding, Fires(Timer::Expiry)) | (Completed, Fires(Timer::J)) => (Terminated, &[]),
        (Proceeding | Completed, Unreachable) => (Terminated, &[TellUnreachable]),
        _ => return None,
    })
}
