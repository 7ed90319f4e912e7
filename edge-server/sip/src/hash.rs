//! Hex without allocations, and the signature of nonces.

use sha2::{Digest, Sha256};

/// RFC 2104 over SHA-256, with the two blocks that only depend on the key done already: half of the work
/// for what is as short as a name or a nonce.
#[derive(Clone)]
pub(crate) struct HmacSha256 {
    inner: Sha256,
    outer: Sha256,
}

impl HmacSha256 {
    pub(crate) fn new(key: &[u8; 32]) -> HmacSha256 {
        let padded = |with: u8| {
            let mut block = [with; 64];
            for (b, k) in block.iter_mut().zip(key) {
                *b ^= k;
            }
            Sha256::new_with_prefix(block)
        };
        HmacSha256 { inner: padded(0x36), outer: padded(0x5c) }
    }

    pub(crate) fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let (mut inner, mut outer) = (self.inner.clone(), self.outer.clone());
        for part in parts {
            inner.update(part);
        }
        outer.update(inner.finalize());
        outer.finalize().into()
    }
}

/// Up to 64 lower-case hex digits, without an allocation.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hex {
    digits: [u8; 64],
    len: usize,
}

impl Hex {
    pub(crate) fn new(octets: &[u8]) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 64];
        for (pair, octet) in digits.chunks_exact_mut(2).zip(octets) {
            if let ([high, low], [h, l]) = (pair, [octet >> 4, octet & 15]) {
                *high = DIGITS[usize::from(h)];
                *low = DIGITS[usize::from(l)];
            }
        }
        Hex { digits, len: (octets.len() * 2).min(64) }
    }

    pub(crate) fn read(text: &str) -> Option<Hex> {
        let mut digits = [0; 64];
        for (digit, b) in digits.iter_mut().zip(text.bytes()) {
            *digit = Some(b.to_ascii_lowercase()).filter(u8::is_ascii_hexdigit)?;
        }
        Some(Hex { digits, len: text.len().min(64) })
    }

    pub(crate) fn as_str(&self) -> &str {
        self.digits.get(..self.len).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 4.2 and 4.3; their keys are shorter and padded with zeros, which is what the
    /// padding to a block does as well.
    #[test]
    fn the_signature_of_nonces_is_hmac_sha256() {
        let mut key = [0u8; 32];
        key[..20].fill(0x0b);
        let tag = HmacSha256::new(&key).sign(&[b"Hi ", b"There"]);
        assert_eq!(
            Hex::new(&tag).as_str(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        let mut key = [0u8; 32];
        key[..4].copy_from_slice(b"Jefe");
        let tag = HmacSha256::new(&key).sign(&[b"what do ya want for nothing?"]);
        assert_eq!(
            Hex::new(&tag).as_str(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
