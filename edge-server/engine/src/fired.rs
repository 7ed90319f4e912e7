//! How often each timer has run out.

use crate::shard::Timer;
use tributary_sip::transaction;

/// The shard's own timers by their numbers: see [`Timer`].
const OWN: [&str; 5] = ["registration", "publication", "policy", "subscription", "ringing"];

/// Timers that have run out since the shard began, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    transactions: [u64; transaction::Timer::ALL.len()],
    own: [u64; OWN.len()],
}

impl Fired {
    /// Each timer's name, and how often it has run out.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let of_transactions = transaction::Timer::ALL.into_iter().map(transaction::Timer::name);
        of_transactions.zip(self.transactions).chain(OWN.into_iter().zip(self.own))
    }

    /// With what the transactions have counted.
    pub(crate) fn with(self, transactions: [u64; transaction::Timer::ALL.len()]) -> Self {
        Self { transactions, ..self }
    }

    pub(crate) fn count(&mut self, timer: Timer) {
        // There are as many names as timers.
        self.own[match timer {
            Timer::Binding { .. } => 0,
            Timer::Publication { .. } => 1,
            Timer::Reevaluate(_) => 2,
            Timer::Subscription(_) => 3,
            Timer::Ringing(_) => 4,
        }] += 1;
    }
}
