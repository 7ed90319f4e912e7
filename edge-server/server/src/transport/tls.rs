//! A certificate with its key, as rustls with aws-lc-rs takes them: read and checked before use.

use crate::config::Config;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::fs::metadata;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, CertificateError, RootCertStore};

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be used.
    #[error(
        "{table}.certificate: {file}: {reason}; it must hold the chain in PEM, the server's own certificate first"
    )]
    Certificate {
        /// The table of the configuration.
        table: String,
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file cannot be used.
    #[error("{table}.key: {file}: {reason}; it must hold one private key in PEM")]
    Key {
        /// The table of the configuration.
        table: String,
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Today is not within the certificate's dates, so that no client would take it.
    #[error("{table}.certificate: {file}: {reason}; renew it, or correct this machine's clock")]
    Dates {
        /// The table of the configuration.
        table: String,
        /// The file.
        file: String,
        /// How far off it is.
        reason: String,
    },
    /// The key is not the certificate's.
    #[error(
        "{table}.certificate: {certificate} and {table}.key: {key} cannot be used together; give the key that the certificate was made for"
    )]
    Pair {
        /// The table of the configuration.
        table: String,
        /// The file of the certificate.
        certificate: String,
        /// The file of the key.
        key: String,
    },
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The files of one certificate, and the table of the configuration that names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    table: String,
    certificate: String,
    key: String,
}

/// What tells that files have changed: when each was written and how long it is.
pub(super) type Stamp = [Option<(SystemTime, u64)>; 2];

/// A certificate that can be served.
#[derive(Debug)]
pub(super) struct Certificate {
    /// The chain and its key.
    pub(super) certified: Arc<CertifiedKey>,
    /// The last second in which clients take it, since the epoch.
    pub(super) not_after: u64,
}

impl Files {
    /// All that the configuration names, the first of them for whoever asks for no name.
    pub(super) fn of(config: &Config) -> Vec<Self> {
        let more = config.certificates.iter().enumerate();
        let more = more.map(|(index, more)| (format!("certificates[{index}]"), &more.certificate, &more.key));
        let first = [("tls".to_owned(), &config.tls.certificate, &config.tls.key)];
        first
            .into_iter()
            .chain(more)
            .filter_map(|(table, certificate, key)| {
                Some(Self { table, certificate: certificate.clone()?, key: key.clone()? })
            })
            .collect()
    }

    /// The file of the chain, for the log.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// How the files look from outside. A link is followed: renewing often only turns links.
    pub(super) fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|file| {
            let found = metadata(file).ok()?;
            Some((found.modified().ok()?, found.len()))
        })
    }

    /// Reads the pair and checks that clients will take it now.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(super) fn read(&self) -> Result<Certificate, TlsError> {
        let Self { table, certificate, key } = self.clone();
        let bad_certificate = |reason: String| TlsError::Certificate {
            table: table.clone(),
            file: certificate.clone(),
            reason,
        };
        let chain = CertificateDer::pem_file_iter(&certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| bad_certificate(error.to_string()))?;
        let Some(own) = chain.first().cloned() else {
            return Err(bad_certificate("no certificate in it".to_owned()));
        };
        let bad_key = |reason: String| TlsError::Key { table: table.clone(), file: key.clone(), reason };
        let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| bad_key(error.to_string()))?;
        let certified =
            CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|error| {
                match error {
                    rustls::Error::InconsistentKeys(_) => TlsError::Pair {
                        table: table.clone(),
                        certificate: certificate.clone(),
                        key: key.clone(),
                    },
                    rustls::Error::InvalidCertificate(reason) => bad_certificate(reason.to_string()),
                    // What is left is a key of a kind that is not supported, or one that is damaged.
                    other => bad_key(other.to_string()),
                }
            })?;
        let client = Client::of(&own).map_err(bad_certificate)?;
        if let Some(reason) = client.out_of_date(UnixTime::now()) {
            return Err(TlsError::Dates { table: table.clone(), file: certificate.clone(), reason });
        }
        Ok(Certificate { certified: Arc::new(certified), not_after: client.not_after() })
    }
}

impl Certificate {
    /// Whether it was made for `name`, by the name itself or by a wildcard (RFC 9525 section 6.3).
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let parsed = self.certified.end_entity_cert().and_then(ParsedCertificate::try_from);
        parsed.is_ok_and(|own| verify_server_name(&own, name).is_ok())
    }
}

/// A client that judges a certificate by its dates.
///
/// rustls reads them only there. A client looks at the dates first; what it finds besides (an issuer
/// it does not know, another name) is for real clients to judge, who have other roots than this machine.
struct Client<'a> {
    own: &'a CertificateDer<'a>,
    judge: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl<'a> Client<'a> {
    fn of(own: &'a CertificateDer<'a>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(own.clone().into_owned()).map_err(|error| error.to_string())?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| error.to_string())?;
        let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
        Ok(Self { own, judge, name })
    }

    fn verdict(&self, now: UnixTime) -> Option<CertificateError> {
        match self.judge.verify_server_cert(self.own, &[], &self.name, &[], now) {
            Err(rustls::Error::InvalidCertificate(reason)) => Some(reason),
            _ => None,
        }
    }

    /// In words, how far `now` is outside the certificate's dates; nothing when it is within them.
    fn out_of_date(&self, now: UnixTime) -> Option<String> {
        match self.verdict(now)? {
            CertificateError::ExpiredContext { time, not_after } => {
                Some(format!("it expired {} ago", span(not_after, time)))
            }
            CertificateError::Expired => Some("it has expired".to_owned()),
            CertificateError::NotValidYetContext { time, not_before } => {
                Some(format!("it becomes valid in {}", span(time, not_before)))
            }
            CertificateError::NotValidYet => Some("it is not valid yet".to_owned()),
            _ => None,
        }
    }

    /// The certificate's last second, which is what it is told at the end of time.
    fn not_after(&self) -> u64 {
        match self.verdict(UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX))) {
            Some(CertificateError::ExpiredContext { not_after, .. }) => not_after.as_secs(),
            _ => u64::MAX,
        }
    }
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

    fn files(certificate: &str, key: &str) -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (certificate, key) = (path("cert.pem", certificate), path("key.pem", key));
        (folder, Files { table: "tls".to_owned(), certificate, key })
    }

    #[test]
    fn a_pair_that_fits_is_taken_and_others_are_refused_with_the_file_at_fault() {
        let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (_keep, good) = files(&one.cert.pem(), &one.signing_key.serialize_pem());
        assert!(good.read().is_ok());
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
            let error = tls.read().err().unwrap().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }

    #[test]
    fn a_certificate_is_good_from_its_first_second_to_its_last() {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 11);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let client = Client::of(certificate.der()).unwrap();
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
            assert_eq!(client.out_of_date(now).as_deref(), expect, "at {second}");
        }
        assert_eq!(client.not_after(), last);
    }

    #[test]
    fn a_certificate_is_for_its_names_and_for_one_label_in_place_of_a_star() {
        let names = ["sip.example.com".to_owned(), "*.example.org".to_owned()];
        let one = rcgen::generate_simple_self_signed(names).unwrap();
        let (_keep, pair) = files(&one.cert.pem(), &one.signing_key.serialize_pem());
        let certificate = pair.read().unwrap();
        for (name, expect) in [
            ("sip.example.com", true),
            ("example.com", false),
            ("a.example.org", true),
            ("a.b.example.org", false),
            ("example.org", false),
        ] {
            assert_eq!(certificate.is_for(&ServerName::try_from(name).unwrap()), expect, "{name}");
        }
    }
}
