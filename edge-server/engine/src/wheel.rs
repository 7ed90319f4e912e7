//! Timers: a hierarchical wheel over a slab.
//!
//! ```text
//!   level 0   64 slots of one tick     -> fires
//!   level 1   64 slots of 64 ticks     -> falls into level 0 when its time comes
//!   ...
//!   level 5   64 slots of 64^5 ticks
//! ```
//! Setting and cancelling cost a few instructions whatever the number of timers; a jump of the clock
//! over a quiet day costs no more than the timers in it. A timer fires at the first tick at or after
//! its time, never before, and earlier ticks fire before later ones.

use merge_core::time::Millis;

/// Milliseconds of one tick: the most that a timer may be late.
pub const TICK_MS: i64 = 100;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;
const NIL: u32 = u32::MAX;

/// Names one timer that is set; stale names are recognised and do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

impl TimerId {
    /// Names no timer.
    pub const NONE: Self = Self { index: NIL, generation: 0 };
}

/// A set of timers, each carrying a value of type `T`.
pub struct Wheel<T> {
    elapsed: u64,
    heads: [[u32; SLOTS]; LEVELS],
    occupied: [u64; LEVELS],
    nodes: Vec<Node<T>>,
    free: u32,
    len: usize,
}

struct Node<T> {
    due: u64,
    previous: u32,
    next: u32,
    generation: u32,
    place: u16,
    value: Option<T>,
}

impl<T> Wheel<T> {
    /// A wheel with no timers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            elapsed: 0,
            heads: [[NIL; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            nodes: Vec::new(),
            free: NIL,
            len: 0,
        }
    }

    /// How many timers are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets a timer. A time that has passed fires at the next tick.
    pub fn set(&mut self, due: Millis, value: T) -> TimerId {
        let due = ticks_up(due).max(self.elapsed + 1);
        let index = if self.free == NIL {
            // More than four thousand million timers do not fit into memory.
            let index = self.nodes.len() as u32;
            self.nodes.push(Node {
                due,
                previous: NIL,
                next: NIL,
                generation: 0,
                place: 0,
                value: Some(value),
            });
            index
        } else {
            let index = self.free;
            let node = &mut self.nodes[index as usize];
            self.free = node.next;
            node.due = due;
            node.value = Some(value);
            index
        };
        self.len += 1;
        self.link(index);
        TimerId { index, generation: self.nodes[index as usize].generation }
    }

    /// Cancels a timer and gives its value back; `None` if it has fired or was cancelled before.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        let node = self.nodes.get(id.index as usize)?;
        if node.generation != id.generation || node.value.is_none() {
            return None;
        }
        self.unlink(id.index);
        self.release(id.index)
    }

    /// When the wheel next wants to be turned; never later than the first timer, and earlier only
    /// when that timer is more than 64 ticks away.
    #[must_use]
    pub fn next(&self) -> Option<Millis> {
        self.next_slot().map(|(_, _, deadline)| Millis(deadline as i64 * TICK_MS))
    }

    /// Moves the time on to `now` and collects the value of every timer that is due.
    pub fn turn(&mut self, now: Millis, fired: &mut Vec<T>) {
        let now = ticks_down(now);
        while let Some((level, slot, deadline)) = self.next_slot() {
            if deadline > now {
                break;
            }
            self.elapsed = self.elapsed.max(deadline);
            let mut index = std::mem::replace(&mut self.heads[level][slot], NIL);
            self.occupied[level] &= !(1 << slot);
            while index != NIL {
                let node = &self.nodes[index as usize];
                let (due, next) = (node.due, node.next);
                if due <= deadline {
                    fired.extend(self.release(index));
                } else {
                    self.link(index);
                }
                index = next;
            }
        }
        self.elapsed = self.elapsed.max(now);
    }

    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        for level in 0..LEVELS {
            let occupied = self.occupied[level];
            if occupied == 0 {
                continue;
            }
            // A timer's level is that of the highest bit in which it differs from `elapsed`, so every
            // occupied slot of a level lies ahead of the hand, and lower levels come first.
            let slot = occupied.trailing_zeros();
            let shift = level as u32 * SLOT_BITS;
            let above = self.elapsed >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
            return Some((level, slot as usize, above + (u64::from(slot) << shift)));
        }
        None
    }

    fn link(&mut self, index: u32) {
        let node = &mut self.nodes[index as usize];
        let furthest = self.elapsed | ((1 << (LEVELS as u32 * SLOT_BITS)) - 1);
        node.due = node.due.min(furthest);
        let differs = (node.due ^ self.elapsed) | (SLOTS as u64 - 1);
        let level = ((63 - differs.leading_zeros()) / SLOT_BITS) as usize;
        let slot = (node.due >> (level as u32 * SLOT_BITS)) as usize % SLOTS;
        let head = self.heads[level][slot];
        node.previous = NIL;
        node.next = head;
        node.place = (level * SLOTS + slot) as u16;
        if head != NIL {
            self.nodes[head as usize].previous = index;
        }
        self.heads[level][slot] = index;
        self.occupied[level] |= 1 << slot;
    }

    fn unlink(&mut self, index: u32) {
        let Node { previous, next, place, .. } = self.nodes[index as usize];
        if next != NIL {
            self.nodes[next as usize].previous = previous;
        }
        if previous != NIL {
            self.nodes[previous as usize].next = next;
            return;
        }
        let (level, slot) = (usize::from(place) / SLOTS, usize::from(place) % SLOTS);
        self.heads[level][slot] = next;
        if next == NIL {
            self.occupied[level] &= !(1 << slot);
        }
    }

    fn release(&mut self, index: u32) -> Option<T> {
        let node = &mut self.nodes[index as usize];
        node.generation = node.generation.wrapping_add(1);
        node.next = self.free;
        self.free = index;
        self.len -= 1;
        node.value.take()
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn ticks_up(at: Millis) -> u64 {
    (at.0.max(0) as u64).div_ceil(TICK_MS as u64)
}

fn ticks_down(at: Millis) -> u64 {
    at.0.max(0) as u64 / TICK_MS as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_timer_fires_at_the_first_tick_that_is_not_before_its_time() {
        let mut wheel = Wheel::new();
        wheel.turn(Millis(1_000), &mut Vec::new());
        wheel.set(Millis(1_201), 'a');
        let mut fired = Vec::new();
        wheel.turn(Millis(1_299), &mut fired);
        assert_eq!(fired, []);
        assert_eq!(wheel.next(), Some(Millis(1_300)));
        wheel.turn(Millis(1_300), &mut fired);
        assert_eq!(fired, ['a']);
        assert!(wheel.is_empty());
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_cancelled_or_fired_timer_cannot_be_cancelled_again_even_when_its_place_was_reused() {
        let mut wheel = Wheel::new();
        let first = wheel.set(Millis(500), 1);
        assert_eq!(wheel.cancel(first), Some(1));
        let second = wheel.set(Millis(600), 2);
        assert_eq!(wheel.cancel(first), None);
        assert_eq!(wheel.cancel(second), Some(2));
        assert_eq!(wheel.cancel(TimerId::NONE), None);
    }

    #[test]
    fn a_year_of_silence_is_crossed_at_once() {
        let mut wheel = Wheel::new();
        let start = 1_795_225_680_000;
        wheel.turn(Millis(start), &mut Vec::new());
        wheel.set(Millis(start + 365 * 86_400_000), ());
        let mut fired = Vec::new();
        let mut wakes = 0;
        while let Some(at) = wheel.next() {
            wheel.turn(at, &mut fired);
            wakes += 1;
        }
        assert_eq!(fired.len(), 1);
        assert!(wakes <= LEVELS, "{wakes} wake-ups");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(i64),
        Cancel(usize),
        Turn(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop_oneof![-500..2_000_i64, 0..100_000_000_i64].prop_map(Step::Set),
            2 => any::<usize>().prop_map(Step::Cancel),
            3 => prop_oneof![0..300_i64, 0..40_000_000_i64].prop_map(Step::Turn),
        ]
    }

    proptest! {
        #[test]
        fn the_wheel_fires_what_a_sorted_map_would(
            start in 0..2_000_000_000_000_i64,
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let mut now = start;
            let mut wheel = Wheel::new();
            wheel.turn(Millis(now), &mut Vec::new());
            let mut map: BTreeMap<(u64, usize), TimerId> = BTreeMap::new();
            for (name, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Set(after) => {
                        let due = ticks_up(Millis(now + after)).max(ticks_down(Millis(now)) + 1);
                        map.insert((due, name), wheel.set(Millis(now + after), name));
                    }
                    Step::Cancel(which) if !map.is_empty() => {
                        let (&key, &id) = map.iter().nth(which % map.len()).unwrap();
                        map.remove(&key);
                        prop_assert_eq!(wheel.cancel(id), Some(key.1));
                    }
                    Step::Cancel(_) => {}
                    Step::Turn(by) => {
                        now += by;
                        let later = map.split_off(&(ticks_down(Millis(now)) + 1, 0));
                        let expected: Vec<_> = map.into_keys().collect();
                        map = later;
                        let mut fired = Vec::new();
                        wheel.turn(Millis(now), &mut fired);
                        let mut sorted = fired.clone();
                        sorted.sort_unstable();
                        let mut names: Vec<_> = expected.iter().map(|k| k.1).collect();
                        let due: BTreeMap<_, _> = expected.iter().map(|k| (k.1, k.0)).collect();
                        prop_assert!(fired.is_sorted_by_key(|name| due.get(name)));
                        names.sort_unstable();
                        prop_assert_eq!(sorted, names);
                    }
                }
                prop_assert_eq!(wheel.len(), map.len());
                if let (Some(wake), Some((&(due, _), _))) = (wheel.next(), map.first_key_value()) {
                    prop_assert!(wake.0 <= due as i64 * TICK_MS);
                    prop_assert!(wake.0 > now - TICK_MS);
                }
                prop_assert_eq!(wheel.next().is_none(), map.is_empty());
            }
        }
    }
}
