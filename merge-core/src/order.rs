//! Sorting, stable and small.
//!
//! The lists of a merge have a handful of entries, and the standard library's sorts are made for long ones:
//! their twenty instances were two fifths of the page's wasm. Here a short list is sorted by insertion, and a
//! long one (nobody writes it but an attacker) by a merge sort of its indices that exists once.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// Up to here insertion is as quick as anything.
const SHORT: usize = 20;

/// Sorts, keeping the order of what compares equal. At most n log n comparisons for n entries, give or take
/// a constant.
pub(crate) fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    if items.len() <= SHORT {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && compare(&items[at], &items[at - 1]) == Ordering::Less {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let order = sorted_indices(items.len(), &mut |a, b| compare(&items[a], &items[b]));
    // Where the entry at each place belongs; every swap brings one home.
    let mut home: Vec<usize> = order.clone();
    for (place, from) in order.into_iter().enumerate() {
        home[from] = place;
    }
    for place in 0..home.len() {
        while home[place] != place {
            let to = home[place];
            items.swap(place, to);
            home.swap(place, to);
        }
    }
}

/// Sorts by a key.
pub(crate) fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// The indices `0..len` in sorted order: a bottom-up merge sort.
fn sorted_indices(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut from: Vec<usize> = (0..len).collect();
    let mut to: Vec<usize> = Vec::with_capacity(len);
    let mut run = 1;
    while run < len {
        to.clear();
        for pair in from.chunks(2 * run) {
            let (left, right) = pair.split_at(run.min(pair.len()));
            let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
            loop {
                let next = match (left.peek(), right.peek()) {
                    (Some(&a), Some(&b)) if compare(b, a) == Ordering::Less => right.next(),
                    (Some(_), _) => left.next(),
                    (None, _) => right.next(),
                };
                let Some(next) = next else { break };
                to.push(next);
            }
        }
        core::mem::swap(&mut from, &mut to);
        run *= 2;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::{sort_by, sort_by_key};
    use alloc::vec::Vec;
    use proptest::prelude::{any, prop};
    use proptest::{prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(list in prop::collection::vec((0u8..8, any::<u16>()), 0..200)) {
            // Few different keys, so that the order of equals shows.
            let mut ours = list.clone();
            let mut theirs = list;
            sort_by_key(&mut ours, |entry| entry.0);
            theirs.sort_by_key(|entry| entry.0);
            prop_assert_eq!(&ours, &theirs);
            sort_by(&mut ours, |a, b| b.cmp(a));
            theirs.sort_by(|a, b| b.cmp(a));
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn a_long_list_takes_no_square_of_comparisons() {
        let mut list: Vec<u32> = (0..10_000u32).map(|n| n.wrapping_mul(2_654_435_761)).collect();
        let mut comparisons = 0u32;
        sort_by(&mut list, |a, b| {
            comparisons += 1;
            a.cmp(b)
        });
        assert!(list.is_sorted());
        assert!(comparisons < 140_000, "{comparisons} comparisons");
    }
}
