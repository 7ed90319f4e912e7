//! How policies and assignments look in the store.

use super::BUILT_IN;
use bytes::{BufMut as _, Bytes, BytesMut};
use merge_core::compose::Composition;
use merge_core::time::Millis;
use serde::{Deserialize, Serialize};

/// The version of a stored policy.
const VERSION: u8 = 1;

/// A stored policy file: `version | name's length (2) | name | since (8) | file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredPolicy {
    pub(super) name: String,
    pub(super) since: Millis,
    pub(super) file: Bytes,
}

impl StoredPolicy {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(11 + self.name.len() + self.file.len());
        out.put_u8(VERSION);
        out.put_u16(u16::try_from(self.name.len()).unwrap_or(u16::MAX));
        out.put_slice(self.name.as_bytes().get(..usize::from(u16::MAX)).unwrap_or(self.name.as_bytes()));
        out.put_i64(self.since.0);
        out.put_slice(&self.file);
        out.freeze()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        if version != VERSION {
            return None;
        }
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (since, file) = rest.split_first_chunk::<8>()?;
        Some(Self {
            name: String::from_utf8(name.to_vec()).ok()?,
            since: Millis(i64::from_be_bytes(*since)),
            file: Bytes::copy_from_slice(file),
        })
    }
}

/// The generations of one scope, the last one in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredScope {
    pub(super) version: u8,
    pub(super) generations: Vec<StoredGeneration>,
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredGeneration {
    pub(super) number: u64,
    pub(super) policy: Option<String>,
    pub(super) built_in: Option<String>,
    pub(super) params: String,
    #[serde(default)]
    pub(super) locked: bool,
    /// Not written before there was a choice.
    #[serde(default)]
    pub(super) on_failure: Option<String>,
    #[serde(default)]
    pub(super) quarantined: bool,
    pub(super) since_ms: i64,
}

impl StoredScope {
    pub(super) fn new(generations: Vec<StoredGeneration>) -> Self {
        Self { version: VERSION, generations }
    }

    pub(super) fn encode(&self) -> Bytes {
        // Strings and numbers only: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|scope| scope.version == VERSION)
    }
}

pub(super) fn built_in_name(composition: Composition) -> &'static str {
    BUILT_IN.iter().find(|(_, known)| *known == composition).map_or("compose", |(name, _)| name)
}

pub(super) fn built_in(name: &str) -> Option<Composition> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, composition)| *composition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_anything_cut_is_refused() {
        let policy =
            StoredPolicy { name: "night".to_owned(), since: Millis(17), file: Bytes::from_static(b"\0asm") };
        let bytes = policy.encode();
        assert_eq!(StoredPolicy::decode(&bytes), Some(policy));
        for length in 0..16 {
            assert_eq!(StoredPolicy::decode(&bytes[..length]), None, "cut to {length}");
        }
        assert_eq!(StoredPolicy::decode(&[9; 40]), None);
        let generation = StoredGeneration {
            number: 3,
            policy: None,
            built_in: Some("newest".to_owned()),
            params: "{}".to_owned(),
            locked: true,
            on_failure: Some("last_good".to_owned()),
            quarantined: true,
            since_ms: 5,
        };
        let scope = StoredScope::new(vec![generation]);
        assert_eq!(StoredScope::decode(&scope.encode()), Some(scope));
        assert_eq!(StoredScope::decode(b"{}"), None);
    }
}
