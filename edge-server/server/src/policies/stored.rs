//! How policies and assignments look in the store.

use super::BUILT_IN;
use bytes::{BufMut as _, Bytes, BytesMut};
use merge_core::compose::Composition;
use serde::{Deserialize, Serialize};

/// The version of what is stored of a scope.
const VERSION: u8 = 1;

/// The version of a stored policy. The first had its name and time before the file, and nothing else:
/// `1 | name's length (2) | name | since (8) | file`.
const POLICY_VERSION: u8 = 2;

/// A stored policy file: `version | head's length (4) | head, JSON | file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredPolicy {
    pub(super) head: PolicyHead,
    pub(super) file: Bytes,
}

/// What is known of a file beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PolicyHead {
    pub(super) name: String,
    pub(super) since_ms: i64,
    /// Whose it is; empty for the operator.
    #[serde(default)]
    pub(super) tenant: String,
    #[serde(default)]
    pub(super) signature: Option<String>,
}

impl StoredPolicy {
    pub(super) fn encode(&self) -> Bytes {
        // Strings and a number: this cannot fail.
        let head = serde_json::to_vec(&self.head).unwrap_or_default();
        let mut out = BytesMut::with_capacity(5 + head.len() + self.file.len());
        out.put_u8(POLICY_VERSION);
        out.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
        out.put_slice(&head);
        out.put_slice(&self.file);
        out.freeze()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (head, file) = match version {
            1 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                let (since, file) = rest.split_first_chunk::<8>()?;
                let (name, since_ms) = (String::from_utf8(name.to_vec()).ok()?, i64::from_be_bytes(*since));
                (PolicyHead { name, since_ms, ..PolicyHead::default() }, file)
            }
            POLICY_VERSION => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                let (head, file) =
                    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
                (serde_json::from_slice(head).ok()?, file)
            }
            _ => return None,
        };
        Some(Self { head, file: Bytes::copy_from_slice(file) })
    }
}

/// The generations of one scope, the last one in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredScope {
    pub(super) version: u8,
    pub(super) generations: Vec<StoredGeneration>,
    #[serde(default)]
    pub(super) candidate: Option<StoredCandidate>,
    /// Not written while numbers were given again after a rollback.
    #[serde(default)]
    pub(super) last_number: u64,
}

/// What is on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredCandidate {
    pub(super) generation: StoredGeneration,
    pub(super) percent: u8,
    #[serde(default)]
    pub(super) shadow: bool,
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
    pub(super) fn new(
        generations: Vec<StoredGeneration>,
        candidate: Option<StoredCandidate>,
        last_number: u64,
    ) -> Self {
        Self { version: VERSION, generations, candidate, last_number }
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
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_anything_cut_is_refused() {
        let head = PolicyHead {
            name: "night".to_owned(),
            since_ms: 17,
            tenant: "acme".to_owned(),
            signature: Some("c2ln".to_owned()),
        };
        let policy = StoredPolicy { head, file: Bytes::from_static(b"\0asm") };
        let bytes = policy.encode();
        assert_eq!(StoredPolicy::decode(&bytes), Some(policy));
        for length in 0..bytes.len() - 4 {
            assert_eq!(StoredPolicy::decode(&bytes[..length]), None, "cut to {length}");
        }
        let first = [&b"\x01\0\x05night\0\0\0\0\0\0\0\x11"[..], b"\0asm"].concat();
        let read = StoredPolicy::decode(&first).unwrap();
        assert_eq!(
            (read.head.name.as_str(), read.head.since_ms, &read.file[..]),
            ("night", 17, &b"\0asm"[..])
        );
        for length in 0..16 {
            assert_eq!(StoredPolicy::decode(&first[..length]), None, "cut to {length}");
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
        let candidate = StoredCandidate { generation: generation.clone(), percent: 10, shadow: true };
        let scope = StoredScope::new(vec![generation], Some(candidate), 4);
        assert_eq!(StoredScope::decode(&scope.encode()), Some(scope));
        assert_eq!(StoredScope::decode(b"{}"), None);
    }
}
