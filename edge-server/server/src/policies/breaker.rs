//! The breaker of one assignment: a policy that keeps failing is not asked for a while, then tried with one
//! call, and put aside for good when that has happened too often.
//!
//! ```text
//!             3 failures in a row, or 5 and more than 20 % of the calls in 60 s
//!   Closed ──────────────────────────────────────────────────────────────► Open, 30 s
//!     ▲  ▲                                                                  │ time is up: one call
//!     │  └────────────────────────── it answered ─────────────────────── Probing
//!     │                                                                     │ it failed: open again,
//!   assigned anew ◄── Quarantined ◄── 10 openings in 24 h                   ▼ twice as long, 15 min at most
//! ```
//! It is shared by all shards, and takes the time as an argument.

use merge_core::time::Millis;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Failures in a row that open it.
const IN_A_ROW: u32 = 3;
/// Failures in [`WINDOW_SECONDS`] that open it, where they are more than [`PERCENT`] of the calls.
const IN_WINDOW: u32 = 5;
/// See [`IN_WINDOW`].
const PERCENT: u32 = 20;
/// See [`IN_WINDOW`].
const WINDOW_SECONDS: usize = 60;
/// How long it is open the first time, in milliseconds; each failed probe doubles that.
const FIRST_WAIT_MS: i64 = 30_000;
/// The longest that it is open.
pub(super) const LONGEST_WAIT_MS: i64 = 15 * 60_000;
/// Openings within [`QUARANTINE_MS`] that put a policy aside.
const OPENINGS: usize = 10;
/// See [`OPENINGS`].
const QUARANTINE_MS: i64 = 24 * 3_600_000;
/// A probe that is not heard of again (the host had no room for it, or the state had changed when it answered) stands
/// in the way of the next for so long.
const PROBE_MS: i64 = 10_000;

/// Whether a policy may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Yes,
    /// Not before then.
    From(Millis),
    /// Not until it is assigned anew.
    Never,
}

/// What a breaker is doing, for the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Calls are made.
    #[default]
    Closed,
    /// None are, until then.
    Open(Millis),
    /// One is under way.
    Probing(Millis),
    /// None are, until the policy is assigned anew.
    Quarantined,
}

impl State {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open(_) => "open",
            Self::Probing(_) => "probing",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What one failure came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing yet.
    Counted,
    /// The breaker is open until then.
    Opened(Millis),
    /// The policy is put aside.
    Quarantined,
}

/// The breaker of one assignment.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: State,
    in_a_row: u32,
    window: Window,
    /// How long it was open last; 0 once a probe has answered.
    wait_ms: i64,
    /// When it opened in the last 24 hours.
    openings: VecDeque<Millis>,
}

impl Breaker {
    /// Of a policy that was put aside before the server was started.
    pub fn quarantined() -> Self {
        Self(Mutex::new(Inner { state: State::Quarantined, ..Inner::default() }))
    }

    /// Whether the policy may be asked now. The first to be told so after a wait makes the probe.
    pub fn admit(&self, now: Millis) -> Admission {
        self.with(|inner| match inner.state {
            State::Closed => Admission::Yes,
            State::Open(until) | State::Probing(until) if now < until => Admission::From(until),
            State::Open(_) | State::Probing(_) => {
                inner.state = State::Probing(Millis(now.0 + PROBE_MS));
                Admission::Yes
            }
            State::Quarantined => Admission::Never,
        })
    }

    /// A call was answered, and the answer could be used.
    pub fn answered(&self, now: Millis) {
        self.with(|inner| {
            inner.in_a_row = 0;
            inner.window.at(now).0 += 1;
            if matches!(inner.state, State::Probing(_)) {
                inner.state = State::Closed;
                inner.wait_ms = 0;
                inner.window = Window::default();
            }
        });
    }

    /// A call failed.
    pub fn failed(&self, now: Millis) -> Effect {
        self.with(|inner| {
            inner.in_a_row += 1;
            let second = inner.window.at(now);
            second.0 += 1;
            second.1 += 1;
            let (calls, failures) = inner.window.sums();
            let often = failures >= IN_WINDOW && failures * 100 > calls * PERCENT;
            match inner.state {
                State::Probing(_) => inner.open(now),
                State::Closed if inner.in_a_row >= IN_A_ROW || often => inner.open(now),
                // Calls that were under way when it opened say nothing new.
                State::Closed | State::Open(_) | State::Quarantined => Effect::Counted,
            }
        })
    }

    /// What it is doing, and how often it opened in the last 24 hours.
    pub fn state(&self) -> (State, usize) {
        self.with(|inner| (inner.state, inner.openings.len()))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn open(&mut self, now: Millis) -> Effect {
        self.in_a_row = 0;
        self.window = Window::default();
        while self.openings.front().is_some_and(|at| at.0 + QUARANTINE_MS <= now.0) {
            self.openings.pop_front();
        }
        self.openings.push_back(now);
        if self.openings.len() >= OPENINGS {
            self.state = State::Quarantined;
            return Effect::Quarantined;
        }
        self.wait_ms = (2 * self.wait_ms).clamp(FIRST_WAIT_MS, LONGEST_WAIT_MS);
        let until = Millis(now.0 + self.wait_ms);
        self.state = State::Open(until);
        Effect::Opened(until)
    }
}

/// Calls and failures of the last minute, second by second.
#[derive(Debug)]
struct Window {
    seconds: [(u32, u32); WINDOW_SECONDS],
    /// The newest second.
    newest: i64,
}

impl Default for Window {
    fn default() -> Self {
        Self { seconds: [(0, 0); WINDOW_SECONDS], newest: 0 }
    }
}

impl Window {
    /// The counts of a moment's second; those that have left the window are forgotten.
    fn at(&mut self, now: Millis) -> &mut (u32, u32) {
        let second = (now.0 / 1_000).max(self.newest);
        let passed = usize::try_from(second - self.newest).unwrap_or(WINDOW_SECONDS).min(WINDOW_SECONDS);
        for gone in 1..=passed {
            self.seconds[place(self.newest + gone as i64)] = (0, 0);
        }
        if passed == WINDOW_SECONDS {
            self.seconds = [(0, 0); WINDOW_SECONDS];
        }
        self.newest = second;
        &mut self.seconds[place(second)]
    }

    fn sums(&self) -> (u32, u32) {
        self.seconds.iter().fold((0, 0), |(calls, failures), second| (calls + second.0, failures + second.1))
    }
}

/// Always inside: the remainder of a division by the length.
fn place(second: i64) -> usize {
    second.rem_euclid(WINDOW_SECONDS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_225_680_000;

    fn at(ms: i64) -> Millis {
        Millis(START + ms)
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_an_answer_in_between_begins_anew() {
        let breaker = Breaker::default();
        assert_eq!([breaker.failed(at(0)), breaker.failed(at(1))], [Effect::Counted; 2]);
        breaker.answered(at(2));
        assert_eq!([breaker.failed(at(3)), breaker.failed(at(4))], [Effect::Counted; 2]);
        assert_eq!(breaker.failed(at(5)), Effect::Opened(at(30_005)));
        assert_eq!(breaker.admit(at(30_004)), Admission::From(at(30_005)));
    }

    #[test]
    fn five_failures_within_a_minute_open_it_only_where_they_are_more_than_a_fifth() {
        let failures = |answers_between: u32, apart_ms: i64| {
            let breaker = Breaker::default();
            let mut opened = false;
            for failure in 0..5_i64 {
                for _ in 0..answers_between {
                    breaker.answered(at(failure * apart_ms));
                }
                opened |= breaker.failed(at(failure * apart_ms)) != Effect::Counted;
            }
            opened
        };
        assert!(failures(3, 1_000), "5 of 20: a quarter");
        assert!(!failures(4, 1_000), "5 of 25: a fifth");
        assert!(!failures(3, 15_000), "the first has left the window when the fifth comes");
    }

    #[test]
    fn one_call_probes_and_each_failed_probe_doubles_the_wait_up_to_a_quarter_of_an_hour() {
        let breaker = Breaker::default();
        (0..3).for_each(|_| assert_ne!(breaker.failed(at(0)), Effect::Quarantined));
        let mut now = at(30_000);
        for wait in [60, 120, 240, 480, 900, 900] {
            assert_eq!(breaker.admit(now), Admission::Yes);
            assert!(matches!(breaker.admit(now), Admission::From(_)), "one probe at a time");
            let until = Millis(now.0 + wait * 1_000);
            assert_eq!(breaker.failed(now), Effect::Opened(until));
            now = until;
        }
        assert_eq!(breaker.admit(now), Admission::Yes);
        breaker.answered(now);
        assert_eq!((breaker.state().0, breaker.admit(now)), (State::Closed, Admission::Yes));
        assert_eq!([breaker.failed(now), breaker.failed(now)], [Effect::Counted; 2]);
        assert_eq!(breaker.failed(now), Effect::Opened(Millis(now.0 + 30_000)), "back to the first wait");
    }

    #[test]
    fn a_probe_that_is_not_heard_of_gives_way_to_the_next() {
        let breaker = Breaker::default();
        (0..3).for_each(|_| assert_ne!(breaker.failed(at(0)), Effect::Quarantined));
        assert_eq!(breaker.admit(at(30_000)), Admission::Yes);
        assert_eq!(breaker.admit(at(39_999)), Admission::From(at(40_000)));
        assert_eq!(breaker.admit(at(40_000)), Admission::Yes);
    }

    #[test]
    fn ten_openings_in_a_day_put_it_aside_and_ten_in_two_days_do_not() {
        let hours = |apart: i64| {
            let breaker = Breaker::default();
            let mut last = Effect::Counted;
            for opening in 0..10 {
                let now = at(opening * apart * 3_600_000);
                let _ = breaker.admit(now);
                for _ in 0..3 {
                    last = breaker.failed(now);
                    if last != Effect::Counted {
                        break;
                    }
                }
                let _ = breaker.admit(at(opening * apart * 3_600_000 + 1_800_000));
                breaker.answered(at(opening * apart * 3_600_000 + 1_800_000));
            }
            (last, breaker.admit(at(1_000 * 3_600_000)))
        };
        assert_eq!(hours(2), (Effect::Quarantined, Admission::Never));
        assert!(matches!(hours(5), (Effect::Opened(_), Admission::Yes)));
        assert_eq!(Breaker::quarantined().admit(at(0)), Admission::Never);
    }
}
