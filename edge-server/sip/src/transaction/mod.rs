//! Transactions: the layer between messages and those who use them (RFC 3261 17, RFC 3581,
//! RFC 4320, RFC 6026). Sans-IO.
//!
//! ```text
//!                    user: user agent, proxy, presence agent
//!        Request  Respond  Cancel  |            ^  Request  Response  Ack
//!                                  v            |  Failed  Refused  Terminated
//!   +--------------------------------------------------------------------------------+
//!   | Transactions     key --> transaction: kind, state, two timers, what to repeat  |
//!   |                                                                                |
//!   |   machine        InviteClient  Client  InviteServer  Server    figures 5 to 8  |
//!   |   address        received, rport, where answers go             18.2, RFC 3581  |
//!   |   deadlines      the next timer of all                         poll_timeout    |
//!   +--------------------------------------------------------------------------------+
//!        Received  SendFailed  FlowClosed  ^            |  Send
//!                                  Tick    |            v
//!                       transports: UDP, TCP, TLS, WebSocket
//! ```
//! * [`machine`] is the four figures as one pure function from state and event to state and
//!   actions. [`Transactions`] keeps the machines, finds them by [`TransactionKey`], and does what
//!   they say. It owns no socket and no clock: see [`Input`] and [`Effect`].
//! * A request's way: [`Input::Received`]; a repetition is answered here, with what was answered
//!   before, and a new one comes out as [`Effect::Request`], once. [`Input::Respond`] answers it.
//! * An answer's way: [`Input::Request`] sends a request, again and again where the transport
//!   loses messages; out come provisional answers and then one final one, or [`Effect::Failed`].
//! * The ACK of a refused INVITE is made and absorbed here. The ACK of a 2xx belongs to the users:
//!   it comes out as [`Effect::Ack`], and the user sends its own without a transaction, as it
//!   repeats its own 2xx (13.3.1.4).
//! * 100 leaves after 200 ms without an answer to an INVITE, after 3.5 s to another request.
//! * [`Timer::C`] runs here as well: an INVITE that rings for three minutes is cancelled, and one
//!   that is not answered 32 s after its CANCEL is given up. So no client transaction lives for
//!   ever; of the servers' only an INVITE does that its user never answers.
//!
//! **What need not be kept**: a refusal that the request alone decides is given with [`Input::Refuse`]
//! and leaves nothing behind (8.2.7); so who cannot show a password takes no room. Over reliable
//! transports answered requests are over at once, or after [`Timing::reliable_linger`].
//!
//! **At the limit** ([`Capacity`]) what only lingers goes first, the oldest first. Then a new request from outside gets 503 with Retry-After and leaves
//! no state behind; a CANCEL that finds its INVITE is let in, for it makes room. A new request of
//! the user is [`Effect::Refused`]. What has begun always ends as usual.

mod address;
mod deadlines;
mod derived;
mod hop;
mod key;
pub mod machine;
mod table;
mod timer;
mod traffic;

pub use address::{ClientVia, arrived, branch};
pub use hop::{FlowId, Hop, Packet, Transport};
pub use key::{Keys, TransactionKey};
pub use table::Transactions;
pub use timer::{Timer, Timing};
pub use traffic::{Dropped, Effect, Failure, Input, Refusal, TransactionId};

/// Retry-After of the 503 at the limit: by then a transaction of now is over.
pub const RETRY_AFTER_SECONDS: u32 = 32;

/// What one table may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Transactions begun by others. Beyond: 503, without state.
    pub servers: u32,
    /// Transactions begun by the user. Beyond: [`Refusal::Full`].
    pub clients: u32,
    /// Octets of the messages held, each counted whole although bodies may be shared. Beyond:
    /// both of the above.
    pub bytes: usize,
}

impl Capacity {
    /// 100,000 each way, 256 MiB of messages.
    pub const DEFAULT: Capacity = Capacity { servers: 100_000, clients: 100_000, bytes: 256 << 20 };
}

impl Default for Capacity {
    fn default() -> Capacity {
        Capacity::DEFAULT
    }
}
