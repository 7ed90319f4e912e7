//! Who guesses passwords is locked out, and the owner is not.
//!
//! ```text
//!   failures of an account from one address  ──▶ this address has to wait
//!   failures of an account from anywhere     ──▶ every address has to wait,
//!                                                but those from which the owner has lately logged in
//! ```
//! Nobody is asked over a connection that has shown the password already, so that no lock reaches it. From
//! an address that the owner is known at, guesses are bounded by the rate limits alone: whoever could lock
//! it could lock the owner out. Names that are no user's are counted like others, for what is locked would
//! tell who exists.
//!
//! All shards share one, because a guesser can choose which shard is asked.

use crate::hashing::Keyed;
use crate::rate::network;
use merge_core::time::Millis;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// When an account is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Failures of one account from one address that lock it there; 0 is never.
    pub per_address: u32,
    /// Failures of one account from everywhere that lock it; 0 is never.
    pub per_account: u32,
    /// Milliseconds for which failures count, and for which a lock holds.
    pub lock_ms: i64,
    /// Milliseconds after a login for which no lock reaches that account at that address.
    pub known_ms: i64,
    /// How many failing accounts and addresses are remembered, and how many at which an account is known.
    pub entries: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { per_address: 10, per_account: 100, lock_ms: 900_000, known_ms: 604_800_000, entries: 65_536 }
    }
}

/// What a failure has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The account, for the address that it came from.
    Here,
    /// The account, for every address that it is not known at.
    Everywhere,
}

/// What came of a password that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What a wrong one has locked.
    pub locked: Option<Locked>,
    /// Whether there was no room, and something was forgotten before its time.
    pub forgot: bool,
}

/// The failures of all accounts.
pub struct Lockout {
    rules: Rules,
    state: Mutex<State>,
}

/// A lock that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Whose: the address of record, or what clients call a user whom nobody knows.
    pub account: Box<str>,
    /// For whom it is locked: this address, of IPv6 its network; `None` is everywhere but where it is known.
    pub address: Option<IpAddr>,
    /// Until when.
    pub until: Millis,
}

/// Locks whose names are kept, so that somebody can be shown them and lift them. Beyond, the oldest holds on
/// without being shown.
pub const LISTED: usize = 1_024;

struct State {
    keyed: Keyed,
    failures: Memory,
    known: Memory,
    /// The oldest first.
    locks: VecDeque<Lock>,
}

impl Lockout {
    /// Nobody has failed. `seed` is secret, so that nobody can choose whose failures are forgotten.
    #[must_use]
    pub fn new(rules: Rules, seed: [u64; 2]) -> Self {
        let memory = |kept_ms| Memory::new(rules.entries as usize, kept_ms);
        let state = State {
            keyed: Keyed::new(seed[0], seed[1]),
            failures: memory(rules.lock_ms),
            known: memory(rules.known_ms),
            locks: VecDeque::new(),
        };
        Self { rules, state: Mutex::new(state) }
    }

    /// For how many more ms nobody at `address` may try to be `account`.
    #[must_use]
    pub fn locked(&self, account: &str, address: IpAddr, now: Millis) -> Option<i64> {
        let state = self.state();
        let (here, everywhere) = state.names(account, address);
        if state.known.find(here, now).is_some() {
            return None;
        }
        let lock = |name, most: u32| {
            let failed = state.failures.find(name, now).filter(|failed| most > 0 && failed.count >= most)?;
            Some(failed.at.0 + self.rules.lock_ms - now.0)
        };
        lock(here, self.rules.per_address).max(lock(everywhere, self.rules.per_account))
    }

    /// Somebody at `address` did not know the password of `account`.
    pub fn failed(&self, account: &str, address: IpAddr, now: Millis) -> Noted {
        let mut state = self.state();
        let (here, everywhere) = state.names(account, address);
        let known = state.known.find(here, now).is_some();
        let (locked_here, first) = state.failures.count(here, self.rules.per_address, now);
        let (locked, second) = state.failures.count(everywhere, self.rules.per_account, now);
        let locked_here = locked_here && !known;
        let until = Millis(now.0.saturating_add(self.rules.lock_ms));
        for address in locked_here.then_some(Some(address)).into_iter().chain(locked.then_some(None)) {
            state.list(Lock { account: account.into(), address, until }, now);
        }
        let locked = match (locked, locked_here) {
            (true, _) => Some(Locked::Everywhere),
            (false, true) => Some(Locked::Here),
            (false, false) => None,
        };
        Noted { locked, forgot: first || second }
    }

    /// The owner of `account` has shown the password at `address`.
    pub fn succeeded(&self, account: &str, address: IpAddr, now: Millis) -> Noted {
        let mut state = self.state();
        let (here, _) = state.names(account, address);
        state.failures.forget(here);
        let forgot = state.known.put(Entry { name: here, count: 1, at: now }, now);
        Noted { locked: None, forgot }
    }

    /// The locks that are in force, the oldest first; at most [`LISTED`].
    pub fn locks(&self, now: Millis) -> Vec<Lock> {
        let mut state = self.state();
        state.locks.retain(|lock| lock.until > now);
        state.locks.iter().cloned().collect()
    }

    /// Lifts the locks of `account`: its failures count from the beginning where it was locked. Says how many
    /// there were.
    pub fn lift(&self, account: &str, now: Millis) -> usize {
        let mut state = self.state();
        let in_force = std::mem::take(&mut state.locks).into_iter().filter(|lock| lock.until > now);
        let (lifted, left): (VecDeque<Lock>, _) = in_force.partition(|lock| *lock.account == *account);
        state.locks = left;
        for lock in &lifted {
            let name = match lock.address {
                Some(address) => state.names(account, address).0,
                None => state.keyed.of(&[account.as_bytes()]),
            };
            state.failures.forget(name);
        }
        lifted.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counts are whole even after a panic beside them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lockout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockout").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl State {
    /// Puts a lock down, in place of one that is over.
    fn list(&mut self, lock: Lock, now: Millis) {
        self.locks
            .retain(|old| old.until > now && (&old.account, old.address) != (&lock.account, lock.address));
        if self.locks.len() >= LISTED {
            self.locks.pop_front();
        }
        self.locks.push_back(lock);
    }

    /// The names of an account at an address, and of it everywhere.
    fn names(&self, account: &str, address: IpAddr) -> (u64, u64) {
        let account = account.as_bytes();
        (self.keyed.of(&[account, &network(address).to_be_bytes()]), self.keyed.of(&[account]))
    }
}

/// Entries in one set of a [`Memory`].
const WAYS: usize = 8;

/// What happened under some names, of bounded size. A name has its place in one set; where that is full,
/// what is over goes first, then what happened the fewest times, then the oldest: who fails under many
/// names does not make those forgotten that failed often.
struct Memory {
    entries: Vec<Entry>,
    kept_ms: i64,
}

#[derive(Clone, Copy)]
struct Entry {
    name: u64,
    count: u32,
    /// When the first was counted, and from when on there were enough.
    at: Millis,
}

impl Entry {
    const NONE: Self = Self { name: 0, count: 0, at: Millis(i64::MIN) };
}

impl Memory {
    fn new(entries: usize, kept_ms: i64) -> Self {
        Self { entries: vec![Entry::NONE; entries.max(1).next_multiple_of(WAYS)], kept_ms }
    }

    fn is_over(&self, entry: &Entry, now: Millis) -> bool {
        entry.count == 0 || entry.at.0.saturating_add(self.kept_ms) <= now.0
    }

    /// The set of a name.
    fn set(&self, name: u64) -> std::ops::Range<usize> {
        let sets = (self.entries.len() / WAYS).max(1);
        let first = (name % sets as u64) as usize * WAYS;
        first..first + WAYS
    }

    fn place(&self, name: u64) -> Option<usize> {
        let set = self.set(name);
        let first = set.start;
        let at = self.entries.get(set)?.iter().position(|entry| entry.count > 0 && entry.name == name)?;
        Some(first + at)
    }

    fn find(&self, name: u64, now: Millis) -> Option<Entry> {
        self.entries.get(self.place(name)?).filter(|entry| !self.is_over(entry, now)).copied()
    }

    fn forget(&mut self, name: u64) {
        if let Some(at) = self.place(name) {
            self.entries[at] = Entry::NONE;
        }
    }

    /// Counts one more: whether that made it enough, and whether another was forgotten for it.
    fn count(&mut self, name: u64, enough: u32, now: Millis) -> (bool, bool) {
        let mut entry = self.find(name, now).unwrap_or(Entry { name, count: 0, at: now });
        entry.count = entry.count.saturating_add(1);
        let is_enough = enough > 0 && entry.count == enough;
        if is_enough {
            entry.at = now;
        }
        (is_enough, self.put(entry, now))
    }

    /// Whether another was forgotten for it that was not over.
    fn put(&mut self, entry: Entry, now: Millis) -> bool {
        let victim = self.place(entry.name).or_else(|| {
            self.set(entry.name).min_by_key(|&at| {
                let old = &self.entries[at];
                (!self.is_over(old, now), old.count, old.at)
            })
        });
        let Some(at) = victim else { return false };
        let old = std::mem::replace(&mut self.entries[at], entry);
        old.name != entry.name && !self.is_over(&old, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { per_address: 3, per_account: 6, lock_ms: 100, known_ms: 1_000, entries: 64 };

    fn lockout() -> Lockout {
        Lockout::new(RULES, [1, 2])
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Fails so many times at one address, and gives what came of each.
    fn fail(lockout: &Lockout, at: u8, times: usize, now: i64) -> Vec<Option<Locked>> {
        (0..times).map(|_| lockout.failed("alice", address(at), Millis(now)).locked).collect()
    }

    #[test]
    fn an_account_is_locked_at_the_address_that_failed_and_only_there_and_for_its_time() {
        let lockout = lockout();
        assert_eq!(fail(&lockout, 1, 3, 0), [None, None, Some(Locked::Here)]);
        assert_eq!(lockout.locked("alice", address(1), Millis(40)), Some(60));
        assert_eq!(lockout.locked("alice", address(2), Millis(40)), None);
        assert_eq!(lockout.locked("bob", address(1), Millis(40)), None);
        assert_eq!(lockout.locked("alice", address(1), Millis(100)), None);
    }

    #[test]
    fn failures_far_apart_lock_nothing_and_a_login_makes_those_before_it_forgotten() {
        let lockout = lockout();
        for now in [0, 60, 120, 180, 240] {
            assert_eq!(fail(&lockout, 1, 1, now), [None], "{now}");
        }
        let lockout = self::lockout();
        fail(&lockout, 1, 2, 0);
        lockout.succeeded("alice", address(1), Millis(0));
        assert_eq!(fail(&lockout, 1, 2, 0), [None, None]);
    }

    #[test]
    fn failures_from_many_addresses_lock_the_account_everywhere_but_where_its_owner_is_known() {
        let lockout = lockout();
        lockout.succeeded("alice", address(9), Millis(0));
        let locked: Vec<_> = (1..=6).flat_map(|at| fail(&lockout, at, 1, 10)).flatten().collect();
        assert_eq!(locked, [Locked::Everywhere]);
        assert_eq!(
            lockout.locked("alice", address(7), Millis(10)),
            Some(100),
            "an address that never failed"
        );
        assert_eq!(lockout.locked("alice", address(9), Millis(10)), None, "the owner's");
        assert_eq!(lockout.locked("bob", address(7), Millis(10)), None);
    }

    #[test]
    fn whoever_fails_at_the_owners_address_does_not_lock_the_owner_out_of_it_while_it_is_known() {
        let lockout = lockout();
        lockout.succeeded("alice", address(1), Millis(0));
        fail(&lockout, 1, 50, 10);
        assert_eq!(lockout.locked("alice", address(1), Millis(10)), None);
        assert_eq!(fail(&lockout, 1, 3, 1_000), [None, None, Some(Locked::Here)], "that was long ago");
        assert!(lockout.locked("alice", address(1), Millis(1_000)).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_address_is_that_of_ipv4() {
        let lockout = lockout();
        for last in 1..=3 {
            let address = format!("2001:db8::{last}").parse().unwrap();
            lockout.failed("alice", address, Millis(0));
        }
        assert!(lockout.locked("alice", "2001:db8::ffff".parse().unwrap(), Millis(0)).is_some());
        assert!(lockout.locked("alice", "2001:db8:0:1::1".parse().unwrap(), Millis(0)).is_none());
        for _ in 0..3 {
            lockout.failed("bob", "::ffff:192.0.2.1".parse().unwrap(), Millis(0));
        }
        assert!(lockout.locked("bob", address(1), Millis(0)).is_some());
    }

    #[test]
    fn a_flood_of_names_takes_no_more_room_and_does_not_undo_a_lock() {
        let lockout = lockout();
        fail(&lockout, 1, 3, 0);
        let flood = (0..10_000).map(|name: u32| lockout.failed(&name.to_string(), address(2), Millis(1)));
        assert!(flood.filter(|noted| noted.forgot).count() > 0);
        assert!(lockout.locked("alice", address(1), Millis(2)).is_some());
        assert_eq!(lockout.state().failures.entries.len(), 64);
    }

    #[test]
    fn locks_are_shown_while_they_hold_and_can_be_lifted() {
        let lockout = lockout();
        fail(&lockout, 1, 3, 0);
        fail(&lockout, 2, 3, 10);
        for _ in 0..3 {
            lockout.failed("bob", address(1), Millis(20));
        }
        let lock =
            |account: &str, address, until| Lock { account: account.into(), address, until: Millis(until) };
        let (one, two) = (lock("alice", Some(address(1)), 100), lock("alice", Some(address(2)), 110));
        let (all, bobs) = (lock("alice", None, 110), lock("bob", Some(address(1)), 120));
        assert_eq!(lockout.locks(Millis(20)), [one, two.clone(), all.clone(), bobs.clone()]);
        assert_eq!(lockout.locks(Millis(100)), [two, all, bobs.clone()], "one is over");
        assert_eq!(lockout.lift("alice", Millis(100)), 2);
        for at in [1, 2, 7] {
            assert_eq!(lockout.locked("alice", address(at), Millis(100)), None, "{at}");
        }
        assert_eq!(lockout.locks(Millis(100)), [bobs]);
        assert_eq!(lockout.lift("alice", Millis(100)), 0);
        assert_eq!(
            fail(&lockout, 7, 3, 100),
            [None, None, Some(Locked::Here)],
            "it counts from the beginning"
        );
        assert_eq!(lockout.lift("alice", Millis(100)), 1);
        assert_eq!(lockout.locked("alice", address(7), Millis(100)), None);
    }

    #[test]
    fn a_flood_of_locks_takes_no_more_room() {
        let lockout = Lockout::new(Rules { per_address: 1, ..RULES }, [1, 2]);
        for name in 0..2 * LISTED {
            lockout.failed(&name.to_string(), address(1), Millis(0));
        }
        let locks = lockout.locks(Millis(0));
        assert_eq!((locks.len(), &*locks[0].account), (LISTED, LISTED.to_string().as_str()));
    }

    #[test]
    fn zero_locks_nothing() {
        let lockout = Lockout::new(Rules { per_address: 0, per_account: 0, ..RULES }, [1, 2]);
        assert!(fail(&lockout, 1, 100, 0).into_iter().flatten().next().is_none());
        assert_eq!(lockout.locked("alice", address(1), Millis(0)), None);
    }
}
