//! What is counted of each policy.

use merge_core::time::Millis;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

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
    /// The last failure.
    pub last_failure: Option<Failure>,
    /// The last lines that it logged.
    pub log: VecDeque<String>,
}

/// Figures behind a lock: a call takes tens of microseconds, the lock some nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<Figures>);

impl Counters {
    pub(super) fn figures(&self) -> Figures {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn called(&self, fuel: u64, log: &[String]) {
        self.with(|figures| {
            figures.calls += 1;
            figures.fuel = figures.fuel.saturating_add(fuel);
            for line in log {
                if figures.log.len() == KEPT_LINES {
                    figures.log.pop_front();
                }
                figures.log.push_back(line.clone());
            }
        });
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
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
