//! What one shard remembers of calls: inputs that have just failed, and the last good answers of those whose
//! assignment wants them. Both are bounded, and forget their oldest.

use bytes::Bytes;
use merge_core::json::{self, Writer};
use merge_core::time::Millis;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};

/// How long an input that failed is not tried again, in milliseconds.
pub(super) const POISONED_MS: i64 = 60_000;
/// Inputs that are remembered.
const POISONED: usize = 1_024;
/// Bytes of the answers that are remembered.
const GOOD_BYTES: usize = 16 * 1024 * 1024;

/// What a policy is shown that does not tell one state from another.
const PASSING: [&str; 4] = ["now_ms", "reason", "changed_etag", "local_time"];

/// Inputs that have just failed, as digests of policy and state.
#[derive(Debug, Default)]
pub(super) struct Poisoned {
    until: HashMap<[u8; 32], Millis>,
    order: VecDeque<[u8; 32]>,
}

impl Poisoned {
    /// When this input may be tried again, if it has just failed.
    pub(super) fn until(&self, policy: &[u8; 32], input: &[u8], now: Millis) -> Option<Millis> {
        if self.until.is_empty() {
            // The rule, not the exception: nothing is read and hashed for it.
            return None;
        }
        self.until.get(&digest(policy, input)?).copied().filter(|until| now < *until)
    }

    /// This input failed. When it may be tried again.
    pub(super) fn failed(&mut self, policy: &[u8; 32], input: &[u8], now: Millis) -> Millis {
        let until = Millis(now.0 + POISONED_MS);
        while let Some(oldest) = self.order.front() {
            let over = self.until.get(oldest).is_none_or(|until| *until <= now);
            if !over && self.order.len() < POISONED {
                break;
            }
            self.until.remove(oldest);
            self.order.pop_front();
        }
        if let Some(digest) = digest(policy, input)
            && self.until.insert(digest, until).is_none()
        {
            self.order.push_back(digest);
        }
        until
    }
}

fn digest(policy: &[u8; 32], input: &[u8]) -> Option<[u8; 32]> {
    let value = json::read(input).ok()?;
    let mut state = Writer::with_capacity(input.len());
    state.begin_object();
    for member in value.members().iter().filter(|member| !PASSING.contains(&&*member.name)) {
        state.key(&member.name).value(&member.value);
    }
    state.end_object();
    Some(Sha256::new().chain_update(policy).chain_update(state.into_bytes()).finalize().into())
}

/// A good answer: what the policy wrote, `None` for no opinion, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Good {
    pub(super) policy: [u8; 32],
    pub(super) output: Option<Bytes>,
    pub(super) at: Millis,
}

impl Good {
    fn bytes(&self) -> usize {
        self.output.as_ref().map_or(0, Bytes::len)
    }
}

/// The last good answers, by address of record.
#[derive(Debug, Default)]
pub(super) struct LastGood {
    answers: HashMap<String, Good>,
    /// Each address once, in the order in which they came.
    order: VecDeque<String>,
    bytes: usize,
}

impl LastGood {
    pub(super) fn get(&self, aor: &str, policy: &[u8; 32]) -> Option<&Good> {
        self.answers.get(aor).filter(|good| good.policy == *policy)
    }

    pub(super) fn keep(&mut self, aor: &str, good: Good) {
        self.bytes += good.bytes() + aor.len();
        match self.answers.insert(aor.to_owned(), good) {
            Some(before) => self.bytes -= before.bytes() + aor.len(),
            None => self.order.push_back(aor.to_owned()),
        }
        while self.bytes > GOOD_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.answers.remove(&oldest).map_or(0, |good| good.bytes() + oldest.len());
            self.bytes -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: [u8; 32] = [1; 32];

    #[test]
    fn an_input_that_failed_is_known_again_whatever_the_moment_and_the_reason_for_a_minute() {
        let input = |now: i64, reason: &str, note: &str| {
            format!(r#"{{"abi":1,"now_ms":{now},"reason":"{reason}","publications":[{{"etag":"{note}"}}]}}"#)
        };
        let mut poisoned = Poisoned::default();
        assert_eq!(poisoned.failed(&POLICY, input(5, "publish", "a").as_bytes(), Millis(5)), Millis(60_005));
        let known =
            |policy, text: String, now| poisoned.until(policy, text.as_bytes(), Millis(now)).is_some();
        assert!(known(&POLICY, input(9, "refresh", "a"), 60_004));
        assert!(!known(&POLICY, input(9, "refresh", "a"), 60_005), "its time is up");
        assert!(!known(&POLICY, input(9, "refresh", "b"), 9), "another state");
        assert!(!known(&[2; 32], input(9, "refresh", "a"), 9), "another policy");
    }

    #[test]
    fn both_memories_forget_their_oldest_when_they_are_full() {
        let mut poisoned = Poisoned::default();
        let input = |number: usize| format!(r#"{{"params":{{"n":{number}}}}}"#).into_bytes();
        for number in 0..=POISONED {
            poisoned.failed(&POLICY, &input(number), Millis(1));
        }
        assert_eq!((poisoned.until.len(), poisoned.order.len()), (POISONED, POISONED));
        assert_eq!(poisoned.until(&POLICY, &input(0), Millis(2)), None);
        assert!(poisoned.until(&POLICY, &input(POISONED), Millis(2)).is_some());

        let mut last = LastGood::default();
        let good = |bytes: usize| Good {
            policy: POLICY,
            output: Some(Bytes::from(vec![b'x'; bytes])),
            at: Millis(1),
        };
        last.keep("a", good(GOOD_BYTES / 2));
        last.keep("a", good(GOOD_BYTES / 2));
        last.keep("b", good(GOOD_BYTES / 4));
        assert!(last.get("a", &POLICY).is_some() && last.get("a", &[2; 32]).is_none());
        last.keep("c", good(GOOD_BYTES / 2));
        let there = ["a", "b", "c"].map(|aor| last.get(aor, &POLICY).is_some());
        assert_eq!((there, last.order.len()), ([false, true, true], 2));
    }
}
