//! TLS by rustls with aws-lc-rs: read once at start, checked before the port opens.

use crate::config::Tls;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::{self, CertificateError, RootCertStore, ServerConfig};

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be used.
    #[error(
        "tls.certificate: {file}: {reason}; it must hold the chain in PEM, the server's own certificate first"
    )]
    Certificate {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file cannot be used.
    #[error("tls.key: {file}: {reason}; it must hold one private key in PEM")]
    Key {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Today is not within the certificate's dates, so that no client would take it.
    #[error("tls.certificate: {file}: {reason}; renew it, or correct this machine's clock")]
    Dates {
        /// The file.
        file: String,
        /// How far off it is.
        reason: String,
    },
    /// The key is not the certificate's.
    #[error(
        "tls.certificate: {certificate} and tls.key: {key} cannot be used together; give the key that the certificate was made for"
    )]
    Pair {
        /// The file of the certificate.
        certificate: String,
        /// The file of the key.
        key: String,
    },
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Reads certificate and key; nothing when neither is configured.
///
/// # Errors
/// See [`TlsError`].
pub fn acceptor(tls: &Tls) -> Result<Option<TlsAcceptor>, TlsError> {
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Ok(None) };
    let bad_certificate = |reason: String| TlsError::Certificate { file: certificate.clone(), reason };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad_certificate("no certificate in it".to_owned()));
    }
    let bad_key = |reason: String| TlsError::Key { file: key.clone(), reason };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_key(error.to_string()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let dates =
        chain.first().map_or(Ok(None), |own| out_of_date(own, UnixTime::now(), Arc::clone(&provider)));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Pair { certificate: certificate.clone(), key: key.clone() }
            }
            rustls::Error::InvalidCertificate(reason) => bad_certificate(reason.to_string()),
            // What is left is a key of a kind that is not supported, or one that is damaged.
            other => bad_key(other.to_string()),
        })?;
    if let Some(reason) = dates.map_err(bad_certificate)? {
        return Err(TlsError::Dates { file: certificate.clone(), reason });
    }
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// In words, how far `now` is outside the dates of `certificate`; nothing when it is within them.
///
/// rustls reads the dates only where a client judges a server, so this plays the client. That judge
/// looks at the dates first; what it finds besides (an issuer it does not know, another name) is for
/// real clients to judge, who have other roots than this machine.
fn out_of_date(
    certificate: &CertificateDer<'_>,
    now: UnixTime,
    provider: Arc<CryptoProvider>,
) -> Result<Option<String>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).map_err(|error| error.to_string())?;
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
    Ok(match judge.verify_server_cert(certificate, &[], &name, &[], now) {
        Err(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::ExpiredContext { time, not_after } => {
                Some(format!("it expired {} ago", span(not_after, time)))
            }
            CertificateError::Expired => Some("it has expired".to_owned()),
            CertificateError::NotValidYetContext { time, not_before } => {
                Some(format!("it becomes valid in {}", span(time, not_before)))
            }
            CertificateError::NotValidYet => Some("it is not valid yet".to_owned()),
            _ => None,
        },
        _ => None,
    })
}

/// The time between two moments, as coarse as an operator needs it.
fn span(from: UnixTime, to: UnixTime) -> String {
    const HOUR: u64 = Duration::from_hours(1).as_secs();
    let hours = to.as_secs().saturating_sub(from.as_secs()).div_ceil(HOUR);
    if hours <= 48 { format!("{hours} h") } else { format!("{} days", hours / 24) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(certificate: &str, key: &str) -> (tempfile::TempDir, Tls) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path.to_str().unwrap().to_owned())
        };
        let tls = Tls { certificate: path("cert.pem", certificate), key: path("key.pem", key) };
        (folder, tls)
    }

    #[test]
    fn a_pair_that_fits_is_taken_and_others_are_refused_with_the_file_at_fault() {
        let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (_keep, good) = files(&one.cert.pem(), &one.signing_key.serialize_pem());
        assert!(acceptor(&good).unwrap().is_some());
        assert!(acceptor(&Tls::default()).unwrap().is_none());
        for (certificate, key, expect) in [
            ("", one.signing_key.serialize_pem(), "tls.certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                one.signing_key.serialize_pem(),
                "tls.certificate",
            ),
            (
                one.cert.pem().as_str(),
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(),
                "tls.key",
            ),
            ("nonsense", one.signing_key.serialize_pem(), "tls.certificate"),
            (one.cert.pem().as_str(), String::new(), "tls.key"),
            (one.cert.pem().as_str(), other.signing_key.serialize_pem(), "cannot be used together"),
        ] {
            let (_keep, tls) = files(certificate, &key);
            let error = acceptor(&tls).err().unwrap().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }

    #[test]
    fn a_certificate_is_good_from_its_first_second_to_its_last() {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 11);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let first = u64::try_from(params.not_before.unix_timestamp()).unwrap();
        let last = u64::try_from(params.not_after.unix_timestamp()).unwrap();
        for (second, expect) in [
            (first - 86_400 * 20, Some("it becomes valid in 20 days")),
            (first - 1, Some("it becomes valid in 1 h")),
            (first, None),
            (last, None),
            (last + 1, Some("it expired 1 h ago")),
            (last + 86_400 * 3, Some("it expired 3 days ago")),
        ] {
            let now = UnixTime::since_unix_epoch(Duration::from_secs(second));
            let said = out_of_date(certificate.der(), now, Arc::new(aws_lc_rs::default_provider())).unwrap();
            assert_eq!(said.as_deref(), expect, "at {second}");
        }
    }
}
