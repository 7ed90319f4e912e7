//! How often somebody may do something: token buckets as a single number (the generic cell rate
//! algorithm of ITU-T I.371), with the time as an argument.

use merge_core::time::Millis;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

/// What counts as one address: of IPv6 a whole network, for who has one address there has all of it
/// (RFC 6177).
#[must_use]
pub fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

/// So many a second in the long run, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// A second; 0 is no limit.
    pub per_second: u32,
    /// At once; at least 1.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const NONE: Self = Self { per_second: 0, burst: 0 };

    /// From one to the next, in us.
    fn each(self) -> i64 {
        (1_000_000 / i64::from(self.per_second.max(1))).max(1)
    }
}

/// What is left to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When it is full again, in us since the epoch.
    full_at: i64,
}

impl Default for Bucket {
    /// A full one.
    fn default() -> Self {
        Self { full_at: i64::MIN }
    }
}

impl Bucket {
    /// Takes one.
    ///
    /// # Errors
    /// In how many ms there is one.
    pub fn take(&mut self, rate: Rate, now: Millis) -> Result<(), i64> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let now = now.0.saturating_mul(1_000);
        let each = rate.each();
        let full_at = self.full_at.max(now);
        let short = full_at - now - each * (i64::from(rate.burst.max(1)) - 1);
        if short > 0 {
            return Err((short + 999) / 1_000);
        }
        self.full_at = full_at + each;
        Ok(())
    }

    /// Takes one, now or in advance, and says in how many ms it is there: who waits for as long keeps to
    /// the rate, however many wait.
    pub fn reserve(&mut self, rate: Rate, now: Millis) -> i64 {
        match self.take(rate, now) {
            Ok(()) => 0,
            Err(wait) => {
                self.full_at += rate.each();
                wait
            }
        }
    }

    fn is_full(self, now: Millis) -> bool {
        self.full_at <= now.0.saturating_mul(1_000)
    }
}

/// The buckets of many, of whom those need no room who did nothing lately.
#[derive(Debug)]
pub struct Buckets<K, S> {
    table: HashMap<K, Bucket, S>,
    /// What all those share for whom there is no room.
    others: Bucket,
    most: usize,
    /// At which length full buckets are looked for.
    sweep_at: usize,
}

/// Below this length nobody looks for full buckets.
const SMALL: usize = 1_024;

impl<K: Eq + Hash, S: BuildHasher> Buckets<K, S> {
    /// Room for `most` at a time; whoever comes then shares one bucket with the others.
    pub fn new(most: usize, hasher: S) -> Self {
        let table = HashMap::with_hasher(hasher);
        Self { table, others: Bucket::default(), most, sweep_at: SMALL.min(most) }
    }

    /// Takes one from the bucket of `key`.
    ///
    /// # Errors
    /// In how many ms there is one.
    pub fn take(&mut self, key: K, rate: Rate, now: Millis) -> Result<(), i64> {
        if rate.per_second == 0 { Ok(()) } else { self.of(key, now).take(rate, now) }
    }

    /// Takes one from the bucket of `key`, and says in how many ms it is there.
    pub fn reserve(&mut self, key: K, rate: Rate, now: Millis) -> i64 {
        if rate.per_second == 0 { 0 } else { self.of(key, now).reserve(rate, now) }
    }

    fn of(&mut self, key: K, now: Millis) -> &mut Bucket {
        let known = self.table.contains_key(&key);
        if !known && self.table.len() >= self.sweep_at {
            self.table.retain(|_, bucket| !bucket.is_full(now));
            self.sweep_at = (self.table.len() * 2).clamp(SMALL.min(self.most), self.most);
        }
        if !known && self.table.len() >= self.most {
            return &mut self.others;
        }
        self.table.entry(key).or_default()
    }

    /// Whether there was no room for who has just taken one, who shares what is left with others.
    pub fn shares(&self, key: &K) -> bool {
        self.table.len() >= self.most && !self.table.contains_key(key)
    }

    /// How many have done something lately.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nobody has.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::RandomState;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    #[test]
    fn a_burst_passes_at_once_and_then_as_many_as_the_rate_says() {
        let mut bucket = Bucket::default();
        let mut take = |now| bucket.take(RATE, Millis(now));
        assert_eq!([take(0), take(0), take(0), take(0)], [Ok(()), Ok(()), Ok(()), Err(100)]);
        assert_eq!([take(99), take(100), take(100)], [Err(1), Ok(()), Err(100)]);
        assert_eq!(take(10_000), Ok(()), "and what was refused costs nothing");
        assert_eq!([take(10_000), take(10_000), take(10_000)], [Ok(()), Ok(()), Err(100)]);
    }

    #[test]
    fn rates_beyond_one_in_a_millisecond_hold_and_no_limit_is_none() {
        let rate = Rate { per_second: 5_000, burst: 10 };
        let mut bucket = Bucket::default();
        let passed = |bucket: &mut Bucket, rate| {
            (0..1_000)
                .map(|now| (0..20).filter(|_| bucket.take(rate, Millis(now)).is_ok()).count())
                .sum::<usize>()
        };
        assert!((5_000..=5_010).contains(&passed(&mut bucket, rate)));
        assert_eq!(passed(&mut bucket, Rate::NONE), 20_000);
    }

    #[test]
    fn who_waits_keeps_to_the_rate_however_many_wait() {
        let mut bucket = Bucket::default();
        let waits: Vec<_> = (0..6).map(|_| bucket.reserve(RATE, Millis(0))).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        assert_eq!(bucket.reserve(RATE, Millis(300)), 100);
    }

    #[test]
    fn a_clock_that_goes_back_refuses_nothing_more_than_it_did() {
        let mut bucket = Bucket::default();
        for now in [1_000, 500, 0] {
            let _ = bucket.take(RATE, Millis(now));
        }
        assert_eq!(bucket.take(RATE, Millis(2_000)), Ok(()));
    }

    #[test]
    fn one_does_not_cost_another_and_who_was_quiet_needs_no_room() {
        let mut buckets = Buckets::new(10_000, RandomState::new());
        for _ in 0..100 {
            let _ = buckets.take(0, RATE, Millis(0));
        }
        assert!(buckets.take(0, RATE, Millis(0)).is_err());
        for key in 1..100_000_i64 {
            assert_eq!(buckets.take(key, RATE, Millis(key * 10)), Ok(()));
        }
        assert!(buckets.len() <= SMALL + 1, "{}", buckets.len());
    }

    #[test]
    fn when_too_many_are_busy_newcomers_share_and_the_others_keep_theirs() {
        let mut buckets = Buckets::new(4, RandomState::new());
        for key in 0..4 {
            assert_eq!(buckets.take(key, RATE, Millis(0)), Ok(()));
            assert!(!buckets.shares(&key));
        }
        let shared: Vec<_> = (4..9).map(|key| buckets.take(key, RATE, Millis(0)).is_ok()).collect();
        assert_eq!(shared, [true, true, true, false, false]);
        assert!(buckets.shares(&4) && !buckets.shares(&0));
        assert_eq!(buckets.take(0, RATE, Millis(0)), Ok(()));
        assert_eq!(buckets.len(), 4);
        assert_eq!(buckets.take(9, RATE, Millis(1_000)), Ok(()));
        assert_eq!(buckets.len(), 1, "the busy ones are not any more");
    }
}
