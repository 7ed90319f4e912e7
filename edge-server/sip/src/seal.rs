//! Names that we hand out and get back: sealed, so that nobody else can read or make them.
//!
//! ```text
//!   plain --HMAC-SHA256--> tag (128 bits)          tag || (plain xor stream(tag)) --> base64url
//!                           |
//!                           +--HMAC-SHA256--> stream
//! ```
//! The tag is made of the plain text and then starts the stream that hides it: the synthetic IV
//! construction (Rogaway and Shrimpton, 2006) over HMAC-SHA256 as the one primitive. It needs no
//! nonce that must not repeat; equal plain texts seal equally, so what must look fresh holds
//! something fresh. What comes back is believed when its tag, compared in constant time, is right.
//!
//! Nothing is stored: any node with the keys opens what another has sealed. The letters are those of
//! base64url, which stand in the user part of a SIP URI as they are.

use core::fmt;

use subtle::ConstantTimeEq;

use crate::hash::HmacSha256;

/// Keys in use at the same time; beyond, the oldest are forgotten.
pub const MOST_SEALING_KEYS: usize = 4;

/// Octets of plain text at most: a few numbers and an address.
const MOST_PLAIN: usize = 64;

const TAG: usize = 16;

/// What a sealed name is for: one never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    TemporaryGruu = 1,
    FlowToken = 2,
}

/// The secrets that names are sealed with, newest first: the first seals, all of them open.
#[derive(Clone)]
pub struct SealingKeys {
    newest: HmacSha256,
    older: Vec<HmacSha256>,
}

impl SealingKeys {
    /// Secrets must be random, and equal on all nodes that share a domain. To change them, put the
    /// new one first, and drop the old when nothing sealed with it is in use any more.
    pub fn new(newest: [u8; 32], older: &[[u8; 32]]) -> SealingKeys {
        let older = older.iter().take(MOST_SEALING_KEYS - 1).map(HmacSha256::new).collect();
        SealingKeys { newest: HmacSha256::new(&newest), older }
    }

    /// `plain` has at most [`MOST_PLAIN`] octets.
    pub(crate) fn seal(&self, purpose: Purpose, plain: &[u8]) -> String {
        debug_assert!(plain.len() <= MOST_PLAIN);
        let secret = &self.newest;
        let tag = tag(secret, purpose, plain);
        let mut sealed = tag.to_vec();
        sealed.extend_from_slice(plain);
        hide(secret, purpose, &tag, sealed.get_mut(TAG..).unwrap_or_default());
        encode(&sealed)
    }

    /// `None` for what we have not sealed for this purpose, or so long ago that its key is gone.
    pub(crate) fn open(&self, purpose: Purpose, sealed: &str) -> Option<Vec<u8>> {
        if sealed.len() > (TAG + MOST_PLAIN).div_ceil(3) * 4 {
            return None;
        }
        let sealed = decode(sealed)?;
        let (claimed, hidden) = sealed.split_at_checked(TAG)?;
        std::iter::once(&self.newest).chain(&self.older).find_map(|secret| {
            let mut plain = hidden.to_vec();
            hide(secret, purpose, claimed, &mut plain);
            bool::from(tag(secret, purpose, &plain).ct_eq(claimed)).then_some(plain)
        })
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeys({})", self.older.len() + 1)
    }
}

fn tag(secret: &HmacSha256, purpose: Purpose, plain: &[u8]) -> [u8; TAG] {
    let whole = secret.sign(&[&[purpose as u8, b't'], plain]);
    let mut tag = [0; TAG];
    tag.iter_mut().zip(whole).for_each(|(octet, from)| *octet = from);
    tag
}

/// Hides what is plain, and the other way round.
fn hide(secret: &HmacSha256, purpose: Purpose, tag: &[u8], octets: &mut [u8]) {
    for (block, octets) in octets.chunks_mut(32).enumerate() {
        let stream = secret.sign(&[&[purpose as u8, b's', block as u8], tag]);
        octets.iter_mut().zip(stream).for_each(|(octet, with)| *octet ^= with);
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648 5, without padding.
fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for chunk in octets.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

/// Takes what [`encode`] writes, and nothing else.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for letter in chunk {
            bits = bits << 6 | LETTERS.iter().position(|known| known == letter)? as u32;
        }
        let whole = (chunk.len() * 6) / 8;
        let spare = chunk.len() * 6 - whole * 8;
        if whole == 0 || bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let bits = bits >> spare;
        octets.extend((0..whole).rev().map(|at| (bits >> (8 * at)) as u8));
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 4648 10, in the alphabet of its section 5.
    #[test]
    fn the_letters_are_base64url_without_padding() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(encode(&[0xfb, 0xff, 0xfe]), "-__-");
        for malformed in ["Z", "Zh", "Zm9", "Zg==", "+/+/", "Zm 9", "é"] {
            assert_eq!(decode(malformed), None, "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_nothing_else_does(
            plain in prop::collection::vec(any::<u8>(), 0..=MOST_PLAIN),
            flip in any::<prop::sample::Index>(),
            with in 1u8..64,
        ) {
            let keys = SealingKeys::new([1; 32], &[]);
            let sealed = keys.seal(Purpose::FlowToken, &plain);
            prop_assert_eq!(keys.open(Purpose::FlowToken, &sealed), Some(plain.clone()));
            prop_assert_eq!(keys.open(Purpose::TemporaryGruu, &sealed), None);
            prop_assert_eq!(SealingKeys::new([2; 32], &[]).open(Purpose::FlowToken, &sealed), None);
            // After a change of keys it opens still, and what is sealed now opens with the new one.
            let changed = SealingKeys::new([2; 32], &[[1; 32]]);
            prop_assert_eq!(changed.open(Purpose::FlowToken, &sealed), Some(plain));
            prop_assert_eq!(keys.open(Purpose::FlowToken, &changed.seal(Purpose::FlowToken, b"x")), None);
            let mut letters = sealed.into_bytes();
            let at = flip.index(letters.len());
            let value = LETTERS.iter().position(|letter| *letter == letters[at]).unwrap();
            letters[at] = LETTERS[(value + usize::from(with)) % 64];
            let forged = String::from_utf8(letters).unwrap();
            prop_assert_eq!(keys.open(Purpose::FlowToken, &forged), None);
        }
    }

    #[test]
    fn old_keys_are_forgotten_and_none_is_shown() {
        let secrets: Vec<_> = (1..=MOST_SEALING_KEYS as u8).map(|n| [n; 32]).collect();
        let keys = SealingKeys::new([0; 32], &secrets);
        let sealed_with = |n: u8| SealingKeys::new([n; 32], &[]).seal(Purpose::FlowToken, b"x");
        assert!(keys.open(Purpose::FlowToken, &sealed_with(3)).is_some());
        assert!(keys.open(Purpose::FlowToken, &sealed_with(4)).is_none());
        assert_eq!(format!("{keys:?}"), "SealingKeys(4)");
        assert!(keys.open(Purpose::FlowToken, &"A".repeat(1000)).is_none());
        assert!(keys.open(Purpose::FlowToken, "").is_none());
    }
}
