//! Processor time of the tenants' policies: a bucket each, which fills by 50 ms a second.
//!
//! What is counted is what the calls took, so a tenant may overdraw by one call and waits for as long as that
//! takes to be paid back. The operator's own users are not counted.

use merge_core::policy::limits::TENANT_CPU_MS_PER_SECOND;
use merge_core::time::Millis;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A bucket holds what it is filled with in a second.
const FULL_NS: i64 = TENANT_CPU_MS_PER_SECOND as i64 * 1_000_000;

/// The buckets of all tenants. There are as many as the configuration names.
#[derive(Debug, Default)]
pub(super) struct Allowances(Mutex<HashMap<String, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left_ns: i64,
    filled: Millis,
}

impl Bucket {
    fn fill(&mut self, now: Millis) {
        let passed = (now.0 - self.filled.0).clamp(0, 1_000_000);
        self.left_ns = FULL_NS.min(self.left_ns.saturating_add(passed * FULL_NS / 1_000));
        self.filled = self.filled.max(now);
    }
}

impl Allowances {
    /// Whether a tenant's policy may be called; if not, from when on.
    pub(super) fn admit(&self, tenant: &str, now: Millis) -> Result<(), Millis> {
        self.with(tenant, now, |bucket| match bucket.left_ns {
            1.. => Ok(()),
            owed => Err(Millis(now.0 + 1 - owed * 1_000 / FULL_NS)),
        })
        .unwrap_or(Ok(()))
    }

    /// Counts what a call took.
    pub(super) fn took(&self, tenant: &str, now: Millis, time: Duration) {
        let nanoseconds = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let _ = self.with(tenant, now, |bucket| {
            bucket.left_ns = bucket.left_ns.saturating_sub(nanoseconds);
        });
    }

    fn with<R>(&self, tenant: &str, now: Millis, act: impl FnOnce(&mut Bucket) -> R) -> Option<R> {
        if tenant.is_empty() {
            return None;
        }
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(tenant) {
            buckets.insert(tenant.to_owned(), Bucket { left_ns: FULL_NS, filled: now });
        }
        let bucket = buckets.get_mut(tenant)?;
        bucket.fill(now);
        Some(act(bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_used_its_share_waits_until_it_is_paid_back_and_no_other_does() {
        let allowances = Allowances::default();
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
    fn the_operators_own_users_are_not_counted() {
        let (allowances, now) = (Allowances::default(), Millis(5));
        allowances.took("", now, Duration::from_secs(9));
        assert_eq!(allowances.admit("", now), Ok(()));
    }
}
