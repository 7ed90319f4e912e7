//! Processor time of policies: a bucket for each tenant, which fills by so many milliseconds a second.
//!
//! What is counted is what the calls took, so a tenant may overdraw by one call and waits for as long as that
//! takes to be paid back.

use merge_core::time::Millis;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The buckets of all tenants. There are as many as the configuration names.
#[derive(Debug)]
pub(super) struct Allowances {
    /// What a bucket is filled with in a second, and the most that it holds.
    full_ns: i64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left_ns: i64,
    filled: Millis,
}

impl Bucket {
    fn fill(&mut self, now: Millis, full_ns: i64) {
        let passed = (now.0 - self.filled.0).clamp(0, 1_000_000);
        self.left_ns = full_ns.min(self.left_ns.saturating_add(passed * full_ns / 1_000));
        self.filled = self.filled.max(now);
    }
}

impl Allowances {
    /// So many milliseconds a second for each.
    pub(super) fn new(ms_per_second: u64) -> Self {
        let full_ns = i64::try_from(ms_per_second).unwrap_or(i64::MAX / 1_000_000_000).max(1) * 1_000_000;
        Self { full_ns, buckets: Mutex::default() }
    }

    /// Whether a policy of this one may be called; if not, from when on.
    pub(super) fn admit(&self, whose: &str, now: Millis) -> Result<(), Millis> {
        self.with(whose, now, |bucket| match bucket.left_ns {
            1.. => Ok(()),
            owed => Err(Millis(now.0 + 1 - owed * 1_000 / self.full_ns)),
        })
    }

    /// Counts what a call took.
    pub(super) fn took(&self, whose: &str, now: Millis, time: Duration) {
        let nanoseconds = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        self.with(whose, now, |bucket| bucket.left_ns = bucket.left_ns.saturating_sub(nanoseconds));
    }

    /// What was counted of a call before it was made is taken back.
    pub(super) fn returned(&self, whose: &str, now: Millis, time: Duration) {
        let nanoseconds = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        self.with(whose, now, |bucket| {
            bucket.left_ns = self.full_ns.min(bucket.left_ns.saturating_add(nanoseconds));
        });
    }

    fn with<R>(&self, whose: &str, now: Millis, act: impl FnOnce(&mut Bucket) -> R) -> R {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // A name is copied once, not with each call.
        if let Some(bucket) = buckets.get_mut(whose) {
            bucket.fill(now, self.full_ns);
            return act(bucket);
        }
        act(buckets.entry(whose.to_owned()).or_insert(Bucket { left_ns: self.full_ns, filled: now }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use merge_core::policy::limits::TENANT_CPU_MS_PER_SECOND;

    #[test]
    fn a_tenant_that_used_its_share_waits_until_it_is_paid_back_and_no_other_does() {
        let allowances = Allowances::new(TENANT_CPU_MS_PER_SECOND);
        let (start, ms) = (Millis(1_000_000), Duration::from_millis);
        assert_eq!(allowances.admit("acme", start), Ok(()));
        allowances.took("acme", start, ms(49));
        assert_eq!(allowances.admit("acme", start), Ok(()));
        // One call may overdraw: 10 ms too much take a fifth of a second.
        allowances.took("acme", start, ms(11));
        assert_eq!(allowances.admit("acme", start), Err(Millis(start.0 + 201)));
        assert!(allowances.admit("acme", Millis(start.0 + 199)).is_err());
        assert_eq!(allowances.admit("acme", Millis(start.0 + 201)), Ok(()));
        assert_eq!(allowances.admit("globex", start), Ok(()));
        // A quiet hour saves up no more than a second's share.
        let later = Millis(start.0 + 3_600_000);
        assert_eq!(allowances.admit("acme", later), Ok(()));
        allowances.took("acme", later, ms(51));
        assert!(allowances.admit("acme", later).is_err());
    }

    #[test]
    fn what_was_paid_before_a_call_is_returned_and_no_more_than_a_full_share_is_there() {
        let allowances = Allowances::new(TENANT_CPU_MS_PER_SECOND);
        let (now, ms) = (Millis(1_000_000), Duration::from_millis);
        for _ in 0..5 {
            allowances.took("acme", now, ms(10));
        }
        assert!(allowances.admit("acme", now).is_err(), "five calls are under way");
        allowances.took("acme", now, ms(1));
        allowances.returned("acme", now, ms(10));
        assert_eq!(allowances.admit("acme", now), Ok(()));
        allowances.returned("acme", now, ms(1_000));
        allowances.took("acme", now, ms(50));
        assert!(allowances.admit("acme", now).is_err());
    }
}
