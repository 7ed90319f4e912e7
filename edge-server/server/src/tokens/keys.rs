//! The keys of an authorization server (JWK Set, RFC 7517).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// Keys that are taken from one set; a set has a handful.
const MOST: usize = 64;

/// Public keys that tokens may be signed with.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

pub(super) struct Key {
    id: Option<String>,
    /// What this key may be used for, whatever a token says: a token that chooses its own algorithm
    /// could choose one that makes a secret of the public key (RFC 8725 2.1).
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads a set. Keys that are not to sign with, or of a kind that is not known, are passed over.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let keys = value.get("keys").and_then(Value::as_array).ok_or("no JWK Set: it has no \"keys\"")?;
        let known = |key: &Value| Key::of(&serde_json::from_value(key.clone()).ok()?);
        let keys: Vec<Key> = keys.iter().filter_map(known).take(MOST).collect();
        if keys.is_empty() {
            return Err(
                "no key in it that a token could be signed with (RSA, P-256, P-384, Ed25519)".to_owned()
            );
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that a token with this header may be signed with.
    pub(super) fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            (id.is_none() || key.id.as_deref() == id) && key.algorithms.contains(&algorithm)
        })
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let possible: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => &[ES256],
                EllipticCurve::P384 => &[ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => &[EdDSA],
            _ => return None,
        };
        let is_its =
            |algorithm: &Algorithm| jwk.common.key_algorithm.is_none_or(|its| named(its) == Some(*algorithm));
        let algorithms: Vec<_> = possible.iter().copied().filter(is_its).collect();
        let key = DecodingKey::from_jwk(jwk).ok()?;
        (!algorithms.is_empty()).then(|| Self { id: jwk.common.key_id.clone(), algorithms, key })
    }
}

fn named(algorithm: KeyAlgorithm) -> Option<Algorithm> {
    algorithm.to_string().parse().ok()
}
