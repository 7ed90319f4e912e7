//! A keyed hasher for the shard's tables.
//!
//! The standard library's default is keyed from the operating system, which would make a run
//! differ from its replay; an unkeyed one lets a peer choose names that collide. This one takes its
//! key from the seed. It is not cryptographic: 64-bit multiply and fold over eight bytes at a time.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

const MULTIPLE: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash map whose order of iteration nobody may rely on, but which is the same for the same seed.
pub(crate) type Table<K, V> = HashMap<K, V, Keyed>;

/// Builds hashers that start from a secret of the shard.
#[derive(Clone, Copy)]
pub(crate) struct Keyed {
    start: u64,
    secret: u64,
}

impl Keyed {
    pub(crate) fn new(start: u64, secret: u64) -> Self {
        Self { start, secret: secret | 1 }
    }

    /// The hash of some bytes: a key for things that need not be kept whole.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = self.build_hasher();
        for part in parts {
            hasher.write(part);
            hasher.write_u8(0xff);
        }
        hasher.finish()
    }
}

impl BuildHasher for Keyed {
    type Hasher = Fold;

    fn build_hasher(&self) -> Fold {
        Fold { state: self.start, secret: self.secret }
    }
}

/// The running state of one hash.
pub(crate) struct Fold {
    state: u64,
    secret: u64,
}

impl Fold {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.secret ^ MULTIPLE);
        self.state = (product as u64) ^ ((product >> 64) as u64) ^ word.rotate_left(23);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        let rest = chunks.remainder();
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(word) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, i: u8) {
        self.mix(u64::from(i));
    }

    fn write_u32(&mut self, i: u32) {
        self.mix(u64::from(i));
    }

    fn write_u64(&mut self, i: u64) {
        self.mix(i);
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.state ^ self.secret) * u128::from(MULTIPLE);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_decides_the_hash_and_parts_are_told_apart() {
        let one = Keyed::new(1, 2);
        assert_eq!(one.of(&[b"ab", b"c"]), one.of(&[b"ab", b"c"]));
        assert_ne!(one.of(&[b"ab", b"c"]), one.of(&[b"a", b"bc"]));
        assert_ne!(one.of(&[b"ab"]), Keyed::new(9, 2).of(&[b"ab"]));
        assert_ne!(one.of(&[b"ab"]), one.of(&[b"ab\0"]));
    }

    #[test]
    fn near_keys_spread_over_the_buckets() {
        let keyed = Keyed::new(3, 5);
        let mut buckets = [0_u32; 256];
        for i in 0..25_600_u32 {
            buckets[(keyed.of(&[format!("sip:user{i}@example.com").as_bytes()]) >> 56) as usize] += 1;
        }
        assert!(buckets.iter().all(|&n| (40..200).contains(&n)), "{buckets:?}");
    }
}
