//! How a user looks in the store: digests, never a password.

use super::Secrets;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tributary_sip::digest::{Algorithm, Ha1};

/// The version of a stored user.
const VERSION: u8 = 1;

/// A stored user; the key beside it is the address of record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredUser {
    version: u8,
    /// The realm that the digests were made for.
    pub(super) realm: String,
    /// Of `alice:realm:password`.
    name: Digests,
    /// Of `alice@example.com:realm:password`; only who gave the password has it.
    full: Option<Digests>,
    pub(super) timezone: Option<String>,
    /// Not written before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<String>,
    pub(super) since_ms: i64,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Digests {
    md5: String,
    sha256: String,
    /// Missing for whom only the others were given, and for who was stored before it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha512_256: Option<String>,
}

impl Digests {
    fn of(ha1: &Ha1) -> Self {
        let hex = |algorithm| ha1.hex(algorithm).map(str::to_owned);
        Self {
            md5: hex(Algorithm::Md5).unwrap_or_default(),
            sha256: hex(Algorithm::Sha256).unwrap_or_default(),
            sha512_256: hex(Algorithm::Sha512),
        }
    }

    fn ha1(&self) -> Option<Ha1> {
        Ha1::from_hex(&self.md5, &self.sha256, self.sha512_256.as_deref())
    }
}

impl StoredUser {
    pub(super) fn new(
        realm: String,
        secrets: &Secrets,
        timezone: Option<String>,
        groups: Vec<String>,
        since_ms: i64,
    ) -> Self {
        Self {
            version: VERSION,
            realm,
            name: Digests::of(&secrets.name),
            full: secrets.full.as_ref().map(Digests::of),
            timezone,
            groups,
            since_ms,
        }
    }

    pub(super) fn secrets(&self) -> Option<Secrets> {
        let full = match &self.full {
            Some(digests) => Some(digests.ha1()?),
            None => None,
        };
        Some(Secrets { name: self.name.ha1()?, full })
    }

    pub(super) fn encode(&self) -> Bytes {
        // Strings and numbers only: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|user| user.version == VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_back_and_holds_no_password() {
        let secrets = Secrets::new("alice", "example.com", "example.com", "open sesame");
        let user = StoredUser::new(
            "example.com".to_owned(),
            &secrets,
            Some("Europe/Amsterdam".to_owned()),
            vec!["sales".to_owned()],
            7,
        );
        let bytes = user.encode();
        let read = StoredUser::decode(&bytes).unwrap();
        assert!(read == user && read.secrets() == Some(secrets));
        assert!(!String::from_utf8_lossy(&bytes).contains("sesame"));
        assert!(StoredUser::decode(b"{}").is_none());
        assert!(StoredUser::decode(&bytes[..bytes.len() / 2]).is_none());
    }
}
