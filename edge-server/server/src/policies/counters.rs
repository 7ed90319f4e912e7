//! What is counted of each policy.

use merge_core::policy::limits;
use merge_core::time::Millis;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Log lines kept of each policy.
const KEPT_LINES: usize = 50;

/// One failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Millis,
    /// Whose state was merged.
    pub aor: String,
    /// The contract's code.
    pub code: String,
    /// In the contract's words.
    pub message: String,
}

/// The figures of one policy since the server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls.
    pub calls: u64,
    /// Of them, those that answered.
    pub outputs: u64,
    /// Those without an opinion.
    pub no_opinion: u64,
    /// Failed ones, by code.
    pub failures: BTreeMap<String, u64>,
    /// Calls that were not made, for it had failed too often or on the same state.
    pub held: u64,
    /// Calls that were not made, for its tenant had no processor time left.
    pub throttled: u64,
    /// Fuel used in all.
    pub fuel: u64,
    /// Whether its calls take so long that they are made beside the shards.
    pub takes_long: bool,
    /// The last failure.
    pub last_failure: Option<Failure>,
    /// The last lines that it logged.
    pub log: VecDeque<String>,
}

/// The fuel of a call that takes long: some 50 us. Counted in fuel, so that a busy machine makes no call long.
const LONG: u64 = limits::FUEL_BASE / 10;

/// A policy that took long takes long until it did not so many times in a row.
const QUICK: u32 = 100;

/// Figures behind a lock: a call takes tens of microseconds, the lock some nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    figures: Figures,
    /// What the last call took that took long.
    long: Option<Duration>,
    /// Calls since then.
    quick: u32,
}

impl Counters {
    pub(super) fn figures(&self) -> Figures {
        self.lock().figures.clone()
    }

    /// Whether it is to be expected that a call takes long, and how long.
    pub(super) fn takes_long(&self) -> Option<Duration> {
        self.lock().long
    }

    /// A call was made, with what it took.
    pub(super) fn called(&self, (fuel, time): (u64, Duration), log: &[String]) {
        let Counted { figures, long, quick } = &mut *self.lock();
        *quick = if fuel > LONG { 0 } else { quick.saturating_add(1) };
        match *quick {
            0 => *long = Some(time),
            QUICK.. => *long = None,
            _ => {}
        }
        figures.takes_long = long.is_some();
        figures.calls += 1;
        figures.fuel = figures.fuel.saturating_add(fuel);
        for line in log {
            if figures.log.len() == KEPT_LINES {
                figures.log.pop_front();
            }
            figures.log.push_back(line.clone());
        }
    }

    pub(super) fn answered(&self, opinion: bool) {
        self.with(|figures| if opinion { figures.outputs += 1 } else { figures.no_opinion += 1 });
    }

    pub(super) fn failed(&self, failure: Failure) {
        self.with(|figures| {
            *figures.failures.entry(failure.code.clone()).or_default() += 1;
            figures.last_failure = Some(failure);
        });
    }

    /// A call was not made: its tenant had no processor time left, or the policy had failed too often.
    pub(super) fn held(&self, throttled: bool) {
        self.with(|figures| if throttled { figures.throttled += 1 } else { figures.held += 1 });
    }

    fn with(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.lock().figures);
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_took_long_takes_long_until_a_hundred_calls_in_a_row_did_not() {
        let (counters, ms) = (Counters::default(), Duration::from_millis(1));
        let call = |fuel| counters.called((fuel, ms), &[]);
        call(LONG);
        assert_eq!(counters.takes_long(), None, "not more than that");
        call(LONG + 1);
        for _ in 1..QUICK {
            call(1);
            assert_eq!(counters.takes_long(), Some(ms));
        }
        call(LONG + 1);
        for _ in 1..QUICK {
            call(1);
        }
        assert!(counters.figures().takes_long);
        call(1);
        assert!(counters.takes_long().is_none() && !counters.figures().takes_long);
    }
}
