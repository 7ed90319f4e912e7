//! What is known of a policy that runs beside the one in force without effect: how often it would have changed
//! what watchers see, and for whom.

use super::breaker::{Admission, Breaker};
use super::counters::Failure;
use merge_core::time::Millis;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Presentities whose differences are kept, the latest ones.
const SAMPLE: usize = 20;

/// What one presentity's watchers would see otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// When.
    pub at: Millis,
    /// Whose.
    pub aor: String,
    /// The differences, in words.
    pub what: Vec<String>,
}

/// The figures of one trial since it began, or since the server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowFigures {
    /// Merges that were held against those of the policy in force.
    pub compared: u64,
    /// Of them, those where watchers would have got another document.
    pub changed: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Merges that were not compared: its processor time was used up, or it had failed too often.
    pub skipped: u64,
    /// The last failure.
    pub last_failure: Option<Failure>,
    /// Some of those that it would have changed, the newest last, each presentity once.
    pub sample: VecDeque<Changed>,
}

/// Counts, behind a lock that is held for some nanoseconds.
#[derive(Debug, Default)]
pub struct Shadow {
    figures: Mutex<ShadowFigures>,
    /// Of these calls alone: what fails here touches nothing.
    breaker: Breaker,
}

impl Shadow {
    /// What was counted so far.
    pub fn figures(&self) -> ShadowFigures {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it may be called now; if not, that is counted.
    pub(super) fn admits(&self, now: Millis) -> bool {
        let admitted = self.breaker.admit(now) == Admission::Yes;
        if !admitted {
            self.skipped();
        }
        admitted
    }

    pub(super) fn skipped(&self) {
        self.with(|figures| figures.skipped += 1);
    }

    pub(super) fn compared(&self, at: Millis, aor: &str, what: Vec<String>) {
        self.breaker.answered(at);
        self.with(|figures| {
            figures.compared += 1;
            if what.is_empty() {
                return;
            }
            figures.changed += 1;
            figures.sample.retain(|changed| changed.aor != aor);
            figures.sample.push_back(Changed { at, aor: aor.to_owned(), what });
            if figures.sample.len() > SAMPLE {
                figures.sample.pop_front();
            }
        });
    }

    pub(super) fn failed(&self, failure: Failure) {
        // That it opens is seen by what is skipped.
        let _ = self.breaker.failed(failure.at);
        self.with(|figures| {
            figures.failures += 1;
            figures.last_failure = Some(failure);
        });
    }

    fn with(&self, change: impl FnOnce(&mut ShadowFigures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_holds_each_presentity_once_and_forgets_its_oldest() {
        let shadow = Shadow::default();
        for number in 0..100 {
            let what = if number % 2 == 0 { vec![format!("note: {number}")] } else { Vec::new() };
            shadow.compared(Millis(number), &format!("sip:u{}@example.com", number % 60), what);
        }
        let figures = shadow.figures();
        assert_eq!((figures.compared, figures.changed, figures.sample.len()), (100, 50, SAMPLE));
        let mut aors: Vec<_> = figures.sample.iter().map(|changed| &changed.aor).collect();
        aors.sort();
        aors.dedup();
        assert_eq!((aors.len(), figures.sample.back().map(|last| last.at)), (SAMPLE, Some(Millis(98))));
    }

    #[test]
    fn one_that_keeps_failing_is_left_alone_for_a_while() {
        let shadow = Shadow::default();
        let failure =
            |at| Failure { at, aor: String::new(), code: "E201".to_owned(), message: String::new() };
        (0..3).for_each(|at| shadow.failed(failure(Millis(at))));
        assert!(!shadow.admits(Millis(10)) && shadow.admits(Millis(40_000)));
        assert_eq!((shadow.figures().failures, shadow.figures().skipped), (3, 1));
    }
}
