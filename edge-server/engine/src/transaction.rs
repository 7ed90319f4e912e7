//! Between the transaction layer of `tributary-sip` and the state machine.
//!
//! ```text
//!    Message ──▶ Received ┌──────────────┐ Request ──▶ answered at once ──┐
//!    FlowClosed, Tick ──▶ │ Transactions │ ◀── Respond, Refuse ───────────┘
//!    NOTIFY in datagrams ▶└──────┬───────┘ Response, Failed ──▶ the subscription
//!                                └ Send ──▶ effects, behind what was stored until then
//! ```
//! A repetition is answered in the table and never seen here. What is for ourselves is answered in the
//! call in which it came; what is forwarded waits for its devices, and is told of here.

use crate::effect::{Effects, Event};
use crate::limits::Limits;
use crate::shard::Shard;
use crate::{Config, notify};
use tributary_sip::Message;
use tributary_sip::transaction::{
    Capacity, Dropped, Effect, Failure, Input, Refusal, Timing, TransactionId, Transactions,
};

/// Effects that most calls of the table come to.
const FEW: usize = 16;

/// A request that is new.
pub(crate) struct Asked {
    pub(crate) transaction: TransactionId,
    pub(crate) message: Message,
    /// Of a CANCEL: what it means, if that is there.
    pub(crate) cancels: Option<TransactionId>,
    /// It came before, over another path.
    pub(crate) merged: bool,
}

/// The table of a shard.
pub(crate) fn table(config: &Config, secret: [u64; 2]) -> Transactions {
    let timing = Timing {
        t1: config.timing.t1_ms,
        t2: config.timing.t2_ms,
        reliable_linger: config.timing.transaction_ms,
        ..Timing::DEFAULT
    };
    let Limits { transactions_per_shard, requests_per_shard, transaction_bytes_per_shard, .. } =
        config.limits;
    let capacity = Capacity {
        servers: transactions_per_shard,
        clients: requests_per_shard,
        bytes: transaction_bytes_per_shard as usize,
    };
    Transactions::new(timing, capacity, secret)
}

impl Shard {
    /// Gives the table something, and does what comes of it; but a new request is given back.
    pub(crate) fn transact(&mut self, input: Input, fx: &mut Effects) -> Option<Asked> {
        let mut told = std::mem::take(&mut self.told);
        self.transactions.handle(self.now.0.max(0) as u64, input, &mut told);
        let mut asked = None;
        for effect in told.drain(..) {
            let Some(effect) = self.proxy.overhears(effect) else {
                continue;
            };
            match effect {
                Effect::Send { transaction, hop, packet } => fx.send(hop, packet, transaction),
                Effect::Request { transaction, message, cancels, merged, .. } => {
                    asked = Some(Asked { transaction, message, cancels, merged });
                }
                Effect::Ack { hop, message, .. } => self.forward_ack(hop, &message, fx),
                Effect::Response { user, message, .. } => {
                    if let Some(status) = message.status().filter(|status| status.code() >= 200) {
                        self.notify_answered(user, notify::Outcome::Status(status.code()), fx);
                    }
                }
                Effect::Failed { user: Some(user), why, .. } => {
                    let outcome = match why {
                        Failure::Timeout => notify::Outcome::Silence,
                        // As if 503 had come (RFC 3261 8.1.3.1).
                        Failure::Unreachable => notify::Outcome::Status(503),
                    };
                    self.notify_answered(user, outcome, fx);
                }
                Effect::Refused { user, why } => {
                    debug_assert_eq!(why, Refusal::Full, "every NOTIFY has a branch of its own");
                    self.notify_later(notify::user_of(user).0);
                }
                // Nobody waits for the end of a NOTIFY.
                Effect::Failed { user: None, .. } | Effect::Terminated { .. } => {}
                Effect::Dropped(why) => fx.event(Event::Dropped { why: name(why) }),
                Effect::LimitReached(field) => fx.event(Event::LimitReached { limit: limit(field) }),
            }
        }
        // Many may end at one tick; the room for that need not stay.
        told.shrink_to(FEW);
        self.told = told;
        asked
    }

    /// Lets the timers of the table fire.
    pub(crate) fn turn_transactions(&mut self, fx: &mut Effects) {
        if self.transactions.poll_timeout().is_some_and(|due| due <= self.now.0.max(0) as u64) {
            self.transact(Input::Tick, fx);
        }
    }
}

fn name(dropped: Dropped) -> &'static str {
    match dropped {
        Dropped::NoKey => "via",
        Dropped::StrayResponse => "answer to nothing",
        Dropped::OutOfPlace => "out of place",
        Dropped::LateAnswer => "late answer",
    }
}

/// The name in our table of limits of a field of [`Capacity`].
fn limit(field: &str) -> &'static str {
    match field {
        "servers" => "transactions_per_shard",
        "clients" => "requests_per_shard",
        _ => "transaction_bytes_per_shard",
    }
}
