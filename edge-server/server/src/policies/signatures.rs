//! Who has signed a policy: detached Ed25519 signatures (RFC 8032) of the file's bytes.
//!
//! A signature carries no name of its key, so it is tried against each key that is trusted there: a handful.
//! Rotating a key is trusting two for a while.

use crate::config::{Config, Signatures as Demand};
use jsonwebtoken::{Algorithm, DecodingKey};
use policy_sandbox::Finding;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use std::collections::HashMap;

/// How the public key of Ed25519 begins in DER; its 32 bytes follow (RFC 8410 section 4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The 64 bytes of a signature in base64 without padding.
const SIGNATURE_CHARS: usize = 86;

/// Reads the public key in a PEM file.
///
/// # Errors
/// In words: it cannot be read, or is no Ed25519 key.
pub(crate) fn public_key(file: &str) -> Result<DecodingKey, String> {
    let der = SubjectPublicKeyInfoDer::from_pem_file(file).map_err(|error| format!("{file}: {error}"))?;
    let key = der.strip_prefix(&ED25519_SPKI[..]).filter(|key| key.len() == 32);
    key.map(DecodingKey::from_ed_der).ok_or_else(|| format!("{file}: not an Ed25519 public key"))
}

/// What is asked of signatures here, and whose are trusted.
#[derive(Debug)]
pub(super) struct Signatures {
    operator: Trust,
    /// Of tenants that have a rule or keys of their own.
    tenants: HashMap<String, Trust>,
}

#[derive(Clone, Debug)]
struct Trust {
    demand: Demand,
    keys: Vec<(String, DecodingKey)>,
}

/// What was made of a signature, or of its absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// The name of the key that has signed.
    pub(super) by: Option<String>,
    /// What is wrong, where the rule says that something is.
    pub(super) finding: Option<Finding>,
    /// Whether what is wrong is the end of it.
    pub(super) refused: bool,
}

impl Signatures {
    /// What `config` says.
    ///
    /// # Errors
    /// A key cannot be read, in words.
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let read = |keys: &std::collections::BTreeMap<String, String>| {
            keys.iter()
                .map(|(name, file)| Ok((name.clone(), public_key(file)?)))
                .collect::<Result<Vec<_>, String>>()
        };
        let operator = Trust { demand: config.policies.signatures, keys: read(&config.policies.keys)? };
        let mut tenants = HashMap::new();
        for tenant in &config.tenants {
            let mut keys = operator.keys.clone();
            keys.extend(read(&tenant.keys)?);
            let demand = tenant.signatures.unwrap_or(operator.demand);
            tenants.insert(tenant.name.clone(), Trust { demand, keys });
        }
        Ok(Self { operator, tenants })
    }

    /// What is to be said about a file with this signature where it is a tenant's or the operator's (an
    /// empty name).
    pub(super) fn judge(&self, tenant: &str, file: &[u8], signature: Option<&str>) -> Judged {
        let trust = self.tenants.get(tenant).unwrap_or(&self.operator);
        let by = signature.and_then(|signature| trust.signer(file, signature));
        let refused = trust.demand == Demand::Require;
        if by.is_some() || trust.demand == Demand::Off {
            return Judged { by, ..Judged::default() };
        }
        let finding = match signature {
            None => Finding::new(
                "E170",
                "signature",
                "the policy is not signed",
                "sign it with `tributary policy sign POLICY --key FILE`, and send what it wrote in the header Policy-Signature",
            ),
            Some(_) => Finding::new(
                "E171",
                "signature",
                format!("the signature is not one of this file by a trusted key ({})", trust.names()),
                "sign the very file that is uploaded, after its last build, with the key of one of those",
            ),
        };
        Judged { by: None, finding: Some(finding), refused }
    }
}

impl Trust {
    fn signer(&self, file: &[u8], signature: &str) -> Option<String> {
        let signature = canonical(signature)?;
        let signed = |key: &DecodingKey| {
            jsonwebtoken::crypto::verify(&signature, file, key, Algorithm::EdDSA).unwrap_or(false)
        };
        self.keys.iter().find(|(_, key)| signed(key)).map(|(name, _)| name.clone())
    }

    fn names(&self) -> String {
        self.keys.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A signature in base64url without padding, however its base64 was written.
pub(super) fn canonical(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('=');
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    (text.len() == SIGNATURE_CHARS && text.bytes().all(base64))
        .then(|| text.replace('+', "-").replace('/', "_"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use crate::config::Tenant;
    use jsonwebtoken::EncodingKey;
    use std::path::Path;

    /// A key pair: what signs, and the file with the public half.
    fn key(folder: &Path, name: &str) -> (EncodingKey, String) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let file = folder.join(format!("{name}.pub"));
        std::fs::write(&file, pair.public_key_pem()).unwrap();
        (EncodingKey::from_ed_der(&pair.serialize_der()), file.display().to_string())
    }

    fn signed(file: &[u8], key: &EncodingKey) -> String {
        jsonwebtoken::crypto::sign(file, key, Algorithm::EdDSA).unwrap()
    }

    #[test]
    fn a_signature_is_asked_for_and_trusted_as_the_operator_or_the_tenant_says() {
        let folder = tempfile::tempdir().unwrap();
        let [(ours, our_file), (theirs, their_file), (strangers, _)] =
            ["ours", "theirs", "strangers"].map(|name| key(folder.path(), name));
        let mut config = Config::default();
        config.policies.signatures = Demand::Warn;
        config.policies.keys = [("ours".to_owned(), our_file)].into();
        config.tenants = vec![Tenant {
            name: "acme".to_owned(),
            signatures: Some(Demand::Require),
            keys: [("theirs".to_owned(), their_file)].into(),
        }];
        let signatures = Signatures::new(&config).unwrap();
        let judge = |tenant, signature: Option<&str>| {
            let judged = signatures.judge(tenant, b"file", signature);
            (judged.by, judged.finding.map(|finding| finding.code), judged.refused)
        };
        let (by_us, by_them) = (signed(b"file", &ours), signed(b"file", &theirs));
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(judge("", None), (None, Some("E170"), false));
        assert_eq!(judge("", Some(&by_us)), (name("ours"), None, false));
        assert_eq!(judge("", Some(&by_them)), (None, Some("E171"), false), "a tenant's key is the tenant's");
        assert_eq!(judge("globex", None), (None, Some("E170"), false), "without a rule of its own");
        assert_eq!(judge("acme", None), (None, Some("E170"), true));
        assert_eq!(judge("acme", Some(&by_them)), (name("theirs"), None, false));
        assert_eq!(
            judge("acme", Some(&by_us)),
            (name("ours"), None, false),
            "while keys rotate, both are good"
        );
        for wrong in
            [signed(b"file", &strangers), signed(b"another", &theirs), "?".to_owned(), "A".repeat(999)]
        {
            assert_eq!(judge("acme", Some(&wrong)), (None, Some("E171"), true), "{wrong}");
        }
        // As openssl and base64 write it, with a line's end.
        let other_alphabet = format!("{}==\n", by_us.replace('-', "+").replace('_', "/"));
        assert_eq!(judge("acme", Some(&other_alphabet)).0, name("ours"));
    }

    #[test]
    fn nothing_is_asked_where_the_rule_is_off_and_a_key_of_another_kind_is_refused() {
        let signatures = Signatures::new(&Config::default()).unwrap();
        assert_eq!(signatures.judge("", b"file", Some("nonsense")), Judged::default());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p256.pub").display().to_string();
        std::fs::write(&file, rcgen::KeyPair::generate().unwrap().public_key_pem()).unwrap();
        assert!(public_key(&file).unwrap_err().contains("not an Ed25519 public key"));
        assert!(public_key("/nowhere").is_err());
    }
}
