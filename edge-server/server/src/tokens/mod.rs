//! Bearer tokens (RFC 8898): JWTs that an authorization server has signed (RFC 7519, RFC 9068).
//!
//! ```text
//!   a file or URL with the server's keys --read anew--> Keys --+
//!                                                              +--> Reader: whose is this token, until when?
//!   issuer, audience, scope, the claim that names the user ----+
//! ```
//! The shards ask from memory. A token is checked once for each connection, which then stands for its
//! user until the token expires.

mod keys;
mod source;

use self::keys::Keys;
use self::source::Source;
use crate::config::Config;
use crate::metrics::{Metrics, count};
use arc_swap::ArcSwap;
use jsonwebtoken::Validation;
use merge_core::time::Millis;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tributary_engine::tokens::{Bearer, TokenFault, Tokens};
use tributary_sip::Aor;
use tributary_sip::params::quote;

/// A longer token is not looked at.
const TOKEN_BYTES: usize = 8_192;

/// By so much the clock of whoever made a token may be ahead.
const AHEAD_MS: i64 = 60_000;

/// Keys are not asked for again sooner, however many tokens name one that is not known.
const PAUSE: Duration = Duration::from_secs(10);

/// Reads tokens.
#[derive(Debug)]
pub struct Reader {
    issuer: String,
    audience: String,
    scope: Option<String>,
    claim: String,
    domain: String,
    challenge: String,
    keys: ArcSwap<Keys>,
    source: Source,
    every: Duration,
    /// Woken when a token names a key that is not known.
    unknown: Notify,
}

/// Why tokens cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("bearer.keys: {0}")]
pub struct KeysError(String);

impl Reader {
    /// What `config` says; nothing where it does not want tokens. Keys in a file must be there; those of
    /// a URL are asked for once the server runs.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn open(config: &Config) -> Result<Option<Arc<Self>>, KeysError> {
        let bearer = &config.bearer;
        let Some(keys) = &bearer.keys else { return Ok(None) };
        let source = Source::new(keys, bearer.authorities.as_deref()).map_err(KeysError)?;
        let first = match source.read_file() {
            Some(read) => Keys::read(&read.map_err(KeysError)?).map_err(KeysError)?,
            None => Keys::default(),
        };
        let mut challenge = format!("Bearer realm={}", quote(config.realm()));
        for (name, value) in [("scope", &bearer.scope), ("authz_server", &bearer.authz_server)] {
            if let Some(value) = value {
                challenge.push_str(&format!(", {name}={}", quote(value)));
            }
        }
        Ok(Some(Arc::new(Self {
            issuer: bearer.issuer.clone().unwrap_or_default(),
            audience: bearer.audience.clone().unwrap_or_default(),
            scope: bearer.scope.clone(),
            claim: bearer.claim.clone(),
            domain: config.first_domain().to_ascii_lowercase(),
            challenge,
            keys: ArcSwap::from_pointee(first),
            source,
            every: Duration::from_secs(bearer.reload_seconds.max(1).into()),
            unknown: Notify::new(),
        })))
    }

    /// Reads the keys anew from time to time, and when one is missed, until `stop`.
    pub(crate) async fn keep_current(self: Arc<Self>, metrics: Metrics, mut stop: watch::Receiver<bool>) {
        loop {
            self.reload(&metrics).await;
            let wait = async {
                sleep(PAUSE.min(self.every)).await;
                let _ = timeout(self.every.saturating_sub(PAUSE), self.unknown.notified()).await;
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = wait => {}
            }
        }
    }

    /// What cannot be read leaves the keys as they are.
    async fn reload(&self, metrics: &Metrics) {
        let result = match self.source.read().await.and_then(|json| Keys::read(&json)) {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "the keys of bearer tokens were read");
                self.keys.store(Arc::new(keys));
                "read"
            }
            Err(error) => {
                tracing::error!(
                    error,
                    "the keys of bearer tokens could not be read; those before stay in use"
                );
                "failed"
            }
        };
        count(&metrics.bearer_key_reads, "result", result);
    }

    /// The claims of a token that one of the keys has signed.
    fn signed(&self, token: &str) -> Option<Map<String, Value>> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let keys = self.keys.load();
        let mut fitting = keys.fitting(header.kid.as_deref(), header.alg).peekable();
        if fitting.peek().is_none() {
            self.unknown.notify_one();
        }
        fitting.find_map(|key| {
            let mut validation = Validation::new(header.alg);
            // Times are compared with the shard's clock, and the rest beside them.
            validation.validate_exp = false;
            validation.validate_aud = false;
            validation.required_spec_claims = HashSet::new();
            jsonwebtoken::decode(token, &key.key, &validation).ok().map(|read| read.claims)
        })
    }

    /// Whether the claims are those of a token for us.
    fn is_ours(&self, claims: &Map<String, Value>) -> bool {
        let text = |name| claims.get(name).and_then(Value::as_str);
        let is_for_us = match claims.get("aud") {
            Some(Value::String(one)) => *one == self.audience,
            Some(Value::Array(some)) => some.iter().any(|one| one.as_str() == Some(&self.audience)),
            _ => false,
        };
        is_for_us && text("iss") == Some(&self.issuer)
    }

    /// Whether a token allows all that is wanted of it. `scp` is what some servers call it.
    fn allows(&self, claims: &Map<String, Value>) -> bool {
        let Some(wanted) = &self.scope else { return true };
        let given: HashSet<&str> = match claims.get("scope").or_else(|| claims.get("scp")) {
            Some(Value::String(scopes)) => scopes.split(' ').collect(),
            Some(Value::Array(scopes)) => scopes.iter().filter_map(Value::as_str).collect(),
            _ => HashSet::new(),
        };
        wanted.split(' ').all(|scope| given.contains(scope))
    }

    /// The user: an address of record with or without its scheme, or a name of the first domain.
    fn user(&self, claims: &Map<String, Value>) -> Option<Arc<str>> {
        let name = claims.get(&self.claim)?.as_str()?;
        let uri = match (name.starts_with("sip:"), name.contains('@')) {
            (true, _) => name.to_owned(),
            (false, true) => format!("sip:{name}"),
            (false, false) => format!("sip:{name}@{}", self.domain),
        };
        Aor::parse(&uri).ok().map(|aor| aor.as_str().into())
    }
}

impl Tokens for Reader {
    fn read(&self, token: &str, now: Millis) -> Result<Bearer, TokenFault> {
        if token.len() > TOKEN_BYTES {
            return Err(TokenFault::Invalid);
        }
        let claims = self.signed(token).filter(|claims| self.is_ours(claims)).ok_or(TokenFault::Invalid)?;
        let time = |name| claims.get(name).and_then(Value::as_f64).map(|seconds| (seconds * 1_000.0) as i64);
        // One that never ends would make its connection's standing so.
        let expires = Millis(time("exp").ok_or(TokenFault::Invalid)?);
        if expires <= now {
            return Err(TokenFault::Expired);
        }
        if time("nbf").is_some_and(|from| from > now.0.saturating_add(AHEAD_MS)) {
            return Err(TokenFault::Invalid);
        }
        if !self.allows(&claims) {
            return Err(TokenFault::Scope);
        }
        let aor = self.user(&claims).ok_or(TokenFault::Invalid)?;
        Ok(Bearer { aor, expires })
    }

    fn challenge(&self) -> &str {
        &self.challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::json;

    const NOW: Millis = Millis(1_795_225_680_000);

    /// A key that is made for this test alone.
    struct Signer {
        id: &'static str,
        algorithm: Algorithm,
        key: EncodingKey,
    }

    impl Signer {
        fn new(id: &'static str, algorithm: Algorithm) -> Self {
            let made = |kind| rcgen::KeyPair::generate_for(kind).unwrap().serialize_der();
            let key = if algorithm == Algorithm::EdDSA {
                // The private key alone, as in RFC 8410 10.3: jsonwebtoken makes no JWK of the longer form.
                let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
                EncodingKey::from_ed_der(&[&head[..], &made(&rcgen::PKCS_ED25519)[16..48]].concat())
            } else {
                EncodingKey::from_ec_der(&made(&rcgen::PKCS_ECDSA_P256_SHA256))
            };
            Self { id, algorithm, key }
        }

        fn public(&self) -> Value {
            let mut key = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
            key.common.key_id = Some(self.id.to_owned());
            serde_json::to_value(key).unwrap()
        }

        fn sign(&self, claims: &Value) -> String {
            let header = Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) };
            encode(&header, claims, &self.key).unwrap()
        }
    }

    fn reader(keys: &[&Signer]) -> (tempfile::TempDir, Arc<Reader>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        std::fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
        let mut config = Config::default();
        config.bearer.keys = Some(file.display().to_string());
        config.bearer.issuer = Some("https://as.example.com".to_owned());
        config.bearer.audience = Some("sip.example.com".to_owned());
        config.bearer.scope = Some("sip presence".to_owned());
        config.bearer.authz_server = Some("https://as.example.com".to_owned());
        let reader = Reader::open(&config).unwrap().unwrap();
        (folder, reader)
    }

    fn claims() -> Value {
        json!({
            "iss": "https://as.example.com", "aud": "sip.example.com", "sub": "alice",
            "scope": "openid sip presence", "exp": NOW.0 / 1_000 + 60,
        })
    }

    #[test]
    fn a_token_for_us_names_its_user_and_its_end() {
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
            let signer = Signer::new("one", algorithm);
            let (_keep, reader) = reader(&[&signer, &Signer::new("two", Algorithm::ES256)]);
            for (name, user) in [
                ("alice", "sip:alice@example.com"),
                ("bob@example.org", "sip:bob@example.org"),
                ("sip:carol@EXAMPLE.com", "sip:carol@example.com"),
            ] {
                let mut claims = claims();
                claims["sub"] = name.into();
                let read = reader.read(&signer.sign(&claims), NOW).unwrap();
                assert_eq!((&*read.aor, read.expires), (user, Millis(NOW.0 + 60_000)));
            }
        }
    }

    #[test]
    fn whatever_is_wrong_with_a_token_refuses_it() {
        use TokenFault::{Expired, Invalid, Scope};
        let signer = Signer::new("one", Algorithm::ES256);
        let (_keep, reader) = reader(&[&signer]);
        for (claim, value, expect) in [
            ("iss", json!("https://other.example.com"), Invalid),
            ("iss", Value::Null, Invalid),
            ("aud", json!("other.example.com"), Invalid),
            ("aud", json!(["a", "b"]), Invalid),
            ("aud", Value::Null, Invalid),
            ("exp", json!(NOW.0 / 1_000), Expired),
            ("exp", Value::Null, Invalid),
            ("exp", json!("tomorrow"), Invalid),
            ("nbf", json!(NOW.0 / 1_000 + 61), Invalid),
            ("sub", json!(""), Invalid),
            ("sub", json!(7), Invalid),
            ("scope", json!("sip"), Scope),
            ("scope", Value::Null, Scope),
        ] {
            let mut claims = claims();
            claims[claim] = value;
            assert_eq!(reader.read(&signer.sign(&claims), NOW), Err(expect), "{claims}");
        }
        let mut listed = claims();
        listed["aud"] = json!(["other", "sip.example.com"]);
        listed["scope"] = json!(["presence", "sip"]);
        assert!(reader.read(&signer.sign(&listed), NOW).is_ok());
    }

    #[test]
    fn a_token_that_no_key_of_ours_has_signed_is_refused_whatever_it_says_of_itself() {
        let ours = Signer::new("one", Algorithm::ES256);
        let (_keep, reader) = reader(&[&ours]);
        let forged = Signer::new("one", Algorithm::ES256).sign(&claims());
        let other_key = Signer { id: "two", ..Signer::new("two", Algorithm::ES256) }.sign(&claims());
        let secret = serde_json::to_vec(&ours.public()).unwrap();
        let shared = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
        let confused = encode(&shared, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        let good = ours.sign(&claims());
        let changed = good.replacen('.', ".A", 1);
        let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
        let long = "x".repeat(TOKEN_BYTES + 1);
        for token in [&*forged, &other_key, &confused, &changed, &unsigned, &long, "", "a.b.c"] {
            assert_eq!(reader.read(token, NOW), Err(TokenFault::Invalid), "{token}");
        }
        assert!(reader.read(&good, NOW).is_ok());
    }

    #[test]
    fn the_challenge_says_which_server_gives_tokens_and_with_which_scope() {
        let (_keep, reader) = reader(&[&Signer::new("one", Algorithm::ES256)]);
        assert_eq!(
            reader.challenge(),
            "Bearer realm=\"example.com\", scope=\"sip presence\", authz_server=\"https://as.example.com\""
        );
    }

    #[test]
    fn a_set_without_a_key_to_verify_with_is_refused_at_the_start() {
        let secret = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}).to_string();
        for text in ["", "{}", "{\"keys\": []}", &secret] {
            assert!(Keys::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
