//! What goes into the table of transactions and what comes out of it.

use super::hop::{FlowId, Hop, Packet};
use crate::message::Message;
use crate::status::Status;

/// Names one transaction of one table. The name of one that is over finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// One event.
#[derive(Debug)]
pub enum Input {
    /// A message came.
    Received {
        /// From where.
        hop: Hop,
        /// The message.
        message: Message,
    },
    /// The user wants a request sent. It has our Via on top, with a branch used for nothing else.
    /// ACKs of a 2xx have no transaction: send them.
    Request {
        /// The user's own name for it; comes back with every effect about it.
        user: u64,
        /// To where.
        hop: Hop,
        /// The request.
        request: Packet,
    },
    /// The user answers a request. To a request that is no INVITE, provisional answers and 408
    /// are not sent (RFC 4320).
    Respond {
        /// Which.
        transaction: TransactionId,
        /// The status of the answer.
        status: Status,
        /// The answer.
        response: Packet,
    },
    /// The user refuses a request for what the request alone says, so that a repetition would be
    /// refused alike, with the same To tag: the answer is sent and nothing is kept, neither the
    /// answer nor that the request was there (8.2.7). An ACK that follows comes out as
    /// [`Effect::Ack`].
    Refuse {
        /// Which.
        transaction: TransactionId,
        /// The answer; an empty one is not sent.
        response: Packet,
    },
    /// The user wants its INVITE back. The CANCEL leaves when a provisional answer is there, and
    /// has a transaction of its own that the user hears nothing of; the INVITE is answered all
    /// the same, mostly with 487.
    Cancel {
        /// Which.
        transaction: TransactionId,
        /// The value of Reason (RFC 3326).
        reason: Option<Box<str>>,
    },
    /// What [`Effect::Send`] named could not be sent (8.1.3.1).
    SendFailed {
        /// From that effect.
        transaction: TransactionId,
    },
    /// A connection is gone.
    FlowClosed {
        /// Which.
        flow: FlowId,
    },
    /// The time that [`poll_timeout`](super::Transactions::poll_timeout) named has come.
    Tick,
}

/// One thing to do, or to know.
#[derive(Debug)]
pub enum Effect {
    /// Send this.
    Send {
        /// Who is told with [`Input::SendFailed`] when that is impossible.
        transaction: Option<TransactionId>,
        /// To where. An answer whose connection is gone may use a new one (18.2.2).
        hop: Hop,
        /// What.
        packet: Packet,
    },
    /// To the user: a new request, to be answered with [`Input::Respond`].
    Request {
        /// Its transaction.
        transaction: TransactionId,
        /// From where.
        hop: Hop,
        /// The request; the top Via says where it came from.
        message: Message,
        /// Of a CANCEL, the INVITE that it means; `None`: answer 481 (9.2).
        cancels: Option<TransactionId>,
        /// A copy of it reached us before, over another path: a user agent answers 482 (8.2.2.2).
        merged: bool,
    },
    /// To the user: an ACK of a 2xx, or one that belongs to nothing.
    Ack {
        /// The transaction of the INVITE, where a client of RFC 2543 used its branch.
        transaction: Option<TransactionId>,
        /// From where.
        hop: Hop,
        /// The ACK.
        message: Message,
    },
    /// To the user: an answer to its request. Exactly one final answer comes, or one
    /// [`Effect::Failed`]; to an INVITE more 2xx may follow.
    Response {
        /// The transaction, for [`Input::Cancel`].
        transaction: TransactionId,
        /// The user's name for it.
        user: u64,
        /// The answer.
        message: Message,
    },
    /// To the user: no answer will come to its request; or its answer may not have arrived.
    Failed {
        /// The transaction.
        transaction: TransactionId,
        /// Of a client transaction, the user's name for it.
        user: Option<u64>,
        /// Why.
        why: Failure,
    },
    /// To the user: the request was not sent.
    Refused {
        /// The user's name for it.
        user: u64,
        /// Why.
        why: Refusal,
    },
    /// To the user: this name is over. Comes once for each transaction the user has heard of.
    Terminated {
        /// The transaction.
        transaction: TransactionId,
        /// Of a client transaction, the user's name for it.
        user: Option<u64>,
    },
    /// For the metrics: something was ignored.
    Dropped(Dropped),
    /// For the metrics: a field of [`Capacity`](super::Capacity) was reached.
    LimitReached(&'static str),
}

/// Why a transaction failed (8.1.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Nothing came in time: as if 408 had come; of a server, the ACK did not come.
    Timeout,
    /// The transport could not: as if 503 had come.
    Unreachable,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The table is full: treat it as 503.
    Full,
    /// No request line, no Via, no branch of RFC 3261, or an ACK: a mistake of the program.
    Malformed,
    /// A transaction has this branch: a mistake of the program.
    BranchInUse,
}

/// What was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// A request without what names its transaction.
    NoKey,
    /// A response to nothing of ours.
    StrayResponse,
    /// A message that means nothing in the state of its transaction; mostly a repetition.
    OutOfPlace,
    /// An answer of the user that its transaction cannot send.
    LateAnswer,
}
