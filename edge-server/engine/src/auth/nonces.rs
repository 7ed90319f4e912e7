//! Which uses of nonces were seen (RFC 7616 3.4, `nc`): credentials that somebody overheard let nobody in.
//!
//! A nonce is stateless, but its uses are not. They are remembered where they are judged: an answer covers
//! method and Request-URI, which lead to one shard, so that a copy of it meets its original there.

use crate::hashing::{Keyed, Table};
use merge_core::time::Millis;
use std::mem;

/// Uses of nonces, as hashes, in two generations that follow each other.
pub(crate) struct NonceUses {
    keyed: Keyed,
    current: Table<u64, ()>,
    previous: Table<u64, ()>,
    began: Millis,
    /// What was issued before may have been used and forgotten.
    floor: Millis,
    most: usize,
}

/// What is known of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    First,
    /// It may have been there before.
    Repeated,
}

impl NonceUses {
    /// Remembers up to twice `most` uses.
    pub(crate) fn new(keyed: Keyed, most: u32) -> Self {
        Self {
            keyed,
            current: Table::with_hasher(keyed),
            previous: Table::with_hasher(keyed),
            began: Millis(i64::MIN),
            floor: Millis(i64::MIN),
            most: most as usize,
        }
    }

    /// Nothing is known of what was used before `now`.
    pub(crate) fn begin(&mut self, now: Millis) {
        self.floor = now;
    }

    /// Whether the next use makes older ones forgotten before their time.
    pub(crate) fn is_full(&self) -> bool {
        self.current.len() >= self.most
    }

    /// Puts down that the nonce that was issued at `issued` is used with the count `nc`, empty for a
    /// client without one, who so can use it once. `lifetime` is that of nonces, in ms.
    pub(crate) fn put_down(
        &mut self,
        nonce: &str,
        nc: &str,
        issued: Millis,
        lifetime: i64,
        now: Millis,
    ) -> Use {
        if self.is_full() || self.began.0.saturating_add(lifetime) <= now.0 {
            self.previous = mem::replace(&mut self.current, Table::with_hasher(self.keyed));
            self.floor = self.floor.max(self.began);
            self.began = now;
        }
        let name = self.keyed.of(&[nonce.as_bytes(), nc.as_bytes()]);
        let known = self.previous.contains_key(&name) || self.current.insert(name, ()).is_some();
        if known || issued < self.floor { Use::Repeated } else { Use::First }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: i64 = 1_000;

    fn uses(most: u32) -> NonceUses {
        NonceUses::new(Keyed::new(1, 2), most)
    }

    #[test]
    fn a_count_may_be_used_once_with_each_nonce_for_as_long_as_that_lives() {
        let mut uses = uses(100);
        let mut put = |nonce, nc, now| uses.put_down(nonce, nc, Millis(0), LIFETIME, Millis(now));
        assert_eq!(put("a", "00000001", 0), Use::First);
        assert_eq!(put("a", "00000002", 0), Use::First);
        assert_eq!(put("b", "00000001", 0), Use::First);
        for now in [0, 500, 999, 1_000] {
            assert_eq!(put("a", "00000001", now), Use::Repeated, "{now}");
        }
        assert_eq!(put("c", "", 0), Use::First);
        assert_eq!(put("c", "", 0), Use::Repeated, "without a count a nonce is for one request");
    }

    #[test]
    fn when_too_many_are_remembered_old_nonces_count_as_used_and_new_ones_are_good() {
        let mut uses = uses(2);
        for (at, nonce) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            let now = Millis(at as i64);
            assert_eq!(uses.put_down(nonce, "1", now, LIFETIME, now), Use::First, "{nonce}");
        }
        assert_eq!(uses.put_down("a", "1", Millis(0), LIFETIME, Millis(5)), Use::Repeated);
        assert_eq!(uses.put_down("never seen", "1", Millis(0), LIFETIME, Millis(5)), Use::Repeated);
        assert_eq!(uses.put_down("f", "1", Millis(5), LIFETIME, Millis(5)), Use::First);
        assert!(uses.current.len() + uses.previous.len() <= 4);
    }

    #[test]
    fn what_was_used_before_the_start_is_not_known_and_so_counts_as_used() {
        let mut uses = uses(2);
        uses.begin(Millis(10));
        assert_eq!(uses.put_down("a", "1", Millis(9), LIFETIME, Millis(10)), Use::Repeated);
        assert_eq!(uses.put_down("b", "1", Millis(10), LIFETIME, Millis(10)), Use::First);
    }
}
