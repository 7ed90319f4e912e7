//! The shard's only source of randomness: a ChaCha20 key stream from the seed it was given.
//!
//! Tags, entity-tags and branches must not be guessable by a peer who has seen earlier ones, so a
//! statistical generator is not enough. Equal seeds give equal streams, which is what lets a
//! simulation be replayed.

const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// A deterministic, unpredictable stream of bits.
pub(crate) struct Random {
    key: [u32; 8],
    counter: u32,
    nonce: [u32; 3],
    block: [u32; 16],
    used: usize,
}

impl Random {
    /// `stream` keeps the shards of one seed apart.
    pub(crate) fn new(seed: [u8; 32], stream: u32) -> Self {
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(seed.chunks_exact(4)) {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Self { key, counter: 0, nonce: [stream, 0, 0], block: [0; 16], used: 16 }
    }

    pub(crate) fn u32(&mut self) -> u32 {
        if self.used == 16 {
            self.block = block(&self.key, self.counter, &self.nonce);
            self.used = 0;
            let (next, wrapped) = self.counter.overflowing_add(1);
            self.counter = next;
            self.nonce[1] = self.nonce[1].wrapping_add(u32::from(wrapped));
        }
        let word = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        word
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    /// A token of `length` characters, five bits each: safe as tag, branch, entity-tag and user part.
    pub(crate) fn token(&mut self, length: usize) -> String {
        let mut out = String::with_capacity(length);
        let (mut bits, mut left) = (0, 0);
        for _ in 0..length {
            if left < 5 {
                (bits, left) = (self.u32(), 32);
            }
            out.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
            left -= 5;
        }
        out
    }
}

fn block(key: &[u32; 8], counter: u32, nonce: &[u32; 3]) -> [u32; 16] {
    let mut start = [0; 16];
    start[..4].copy_from_slice(&CONSTANTS);
    start[4..12].copy_from_slice(key);
    start[12] = counter;
    start[13..].copy_from_slice(nonce);
    let mut s = start;
    for _ in 0..10 {
        for [a, b, c, d] in [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]] {
            quarter(&mut s, a, b, c, d);
        }
        for [a, b, c, d] in [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]] {
            quarter(&mut s, a, b, c, d);
        }
    }
    for (word, first) in s.iter_mut().zip(start) {
        *word = word.wrapping_add(first);
    }
    s
}

fn quarter(s: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    for (x, y, z, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        s[x] = s[x].wrapping_add(s[y]);
        s[z] = (s[z] ^ s[x]).rotate_left(turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_function_gives_the_published_test_vector_of_chacha20() {
        let key: Vec<u8> = (0..32).collect();
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(key.chunks_exact(4)) {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        let out = block(&words, 1, &[0x0900_0000, 0x4a00_0000, 0]);
        assert_eq!(out[..4], [0xe4e7_f110, 0x1559_3bd1, 0x1fdd_0f50, 0xc471_20a3]);
    }

    #[test]
    fn equal_seeds_give_equal_tokens_and_streams_differ() {
        let token = |stream| Random::new([7; 32], stream).token(20);
        assert_eq!(token(0), token(0));
        assert_ne!(token(0), token(1));
        assert!(token(0).bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(token(3).len(), 20);
    }

    #[test]
    fn a_long_stream_does_not_repeat_a_token() {
        let mut random = Random::new([1; 32], 0);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20_000 {
            assert!(seen.insert(random.token(20)));
        }
    }
}
