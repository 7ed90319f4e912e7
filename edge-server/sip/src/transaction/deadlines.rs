//! One deadline for each transaction, in a binary heap that knows where everybody stands: setting,
//! moving and removing cost a logarithm, and a removed deadline leaves nothing behind.

const ABSENT: u32 = u32::MAX;

/// Deadlines by transaction index. 20 octets each.
#[derive(Default)]
pub(super) struct Deadlines {
    heap: Vec<(u64, u32)>,
    places: Vec<u32>,
}

impl Deadlines {
    /// The first deadline and whose it is.
    pub(super) fn first(&self) -> Option<(u64, u32)> {
        self.heap.first().copied()
    }

    /// Sets, moves or (with `None`) removes the deadline of a transaction.
    pub(super) fn set(&mut self, index: u32, due: Option<u64>) {
        let slot = index as usize;
        if self.places.len() <= slot {
            self.places.resize(slot + 1, ABSENT);
        }
        match (self.places[slot], due) {
            (ABSENT, None) => {}
            (ABSENT, Some(due)) => {
                self.heap.push((due, index));
                self.rise(self.heap.len() - 1);
            }
            (place, Some(due)) => {
                self.heap[place as usize].0 = due;
                self.settle(place as usize);
            }
            (place, None) => {
                let place = place as usize;
                self.heap.swap_remove(place);
                self.places[slot] = ABSENT;
                if place < self.heap.len() {
                    self.settle(place);
                }
            }
        }
    }

    pub(super) fn shrink(&mut self) {
        self.heap.shrink_to_fit();
        if self.heap.is_empty() {
            self.places = Vec::new();
        }
    }

    pub(super) fn heap_size(&self) -> usize {
        self.heap.capacity() * size_of::<(u64, u32)>() + self.places.capacity() * size_of::<u32>()
    }

    fn settle(&mut self, place: usize) {
        let place = self.rise(place);
        self.sink(place);
    }

    fn rise(&mut self, mut place: usize) -> usize {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
        place
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let mut child = 2 * place + 1;
            if child + 1 < self.heap.len() && self.heap[child + 1] < self.heap[child] {
                child += 1;
            }
            if child >= self.heap.len() || entry <= self.heap[child] {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: (u64, u32)) {
        self.heap[place] = entry;
        self.places[entry.1 as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        #[test]
        fn the_heap_agrees_with_a_sorted_set(
            steps in prop::collection::vec((0..40_u32, prop::option::weighted(0.7, 0..60_u64)), 1..300),
        ) {
            let mut deadlines = Deadlines::default();
            let mut due_of: BTreeMap<u32, u64> = BTreeMap::new();
            for (index, due) in steps {
                deadlines.set(index, due);
                match due {
                    Some(due) => due_of.insert(index, due),
                    None => due_of.remove(&index),
                };
                let sorted: BTreeSet<_> = due_of.iter().map(|(&index, &due)| (due, index)).collect();
                prop_assert_eq!(deadlines.first(), sorted.first().copied());
            }
        }
    }
}
