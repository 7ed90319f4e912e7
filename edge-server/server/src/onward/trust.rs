//! Other servers, by their certificates and addresses: who is trusted, and whether a certificate is
//! that of the host that was asked for (RFC 5922 7).

use crate::config::Config;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
};
use tributary_engine::Peer;
use tributary_sip::Uri;

/// Why other servers cannot be told from anybody.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file of authorities cannot be used.
    #[error("tls.authorities: {file}: {reason}; it must hold certificates in PEM")]
    Authorities {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS itself cannot be set up.
    #[error("TLS to other servers cannot be set up: {0}")]
    Setup(String),
}

/// The servers that are trusted.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    peer: Arc<Peer>,
    names: Vec<String>,
    addresses: Vec<(IpAddr, Option<u16>)>,
}

impl Trust {
    /// Those of the configuration, which are those of `peers` in the same order.
    pub(crate) fn new(config: &Config, peers: &[Arc<Peer>]) -> Self {
        let known = config.peers.iter().zip(peers).map(|(configured, peer)| Known {
            peer: Arc::clone(peer),
            names: configured.certificates.iter().map(|name| name.to_ascii_lowercase()).collect(),
            addresses: configured.addresses.iter().filter_map(|text| address(text)).collect(),
        });
        Self { known: known.collect() }
    }

    /// Who is at this address. Without TLS it is all that there is to go by.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<Arc<Peer>> {
        let is = |(ip, port): &(IpAddr, Option<u16>)| {
            *ip == address.ip().to_canonical() && port.is_none_or(|port| port == address.port())
        };
        self.find(|known| known.addresses.iter().any(is))
    }

    /// Whose certificate this is. Whoever gave it has shown to have its key, and its chain was checked.
    pub(crate) fn of(&self, certificate: &CertificateDer<'_>) -> Option<Arc<Peer>> {
        let names = Names::of(certificate)?;
        self.find(|known| known.names.iter().any(|name| names.has(name)))
    }

    fn find(&self, is: impl Fn(&Known) -> bool) -> Option<Arc<Peer>> {
        self.known.iter().find(|known| is(known)).map(|known| Arc::clone(&known.peer))
    }
}

/// An address, with or without a port.
pub(crate) fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    match text.parse::<SocketAddr>() {
        Ok(address) => Some((address.ip(), Some(address.port()))),
        Err(_) => text.parse().ok().map(|ip| (ip, None)),
    }
}

/// The hosts that a certificate is for (RFC 5922 7.1): of its SIP URIs, and only where it has none its
/// DNS names.
#[derive(Debug)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// `None` for what is no certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let uris = parsed.valid_uri_names().filter_map(|uri| Uri::parse(uri).ok());
        let domains: Vec<String> = uris
            .filter(|uri| uri.is_sip() && uri.user.is_none())
            .map(|uri| uri.host.to_ascii_lowercase())
            .collect();
        if !domains.is_empty() {
            return Some(Self(domains));
        }
        Some(Self(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect()))
    }

    /// Whether this host is one of them, word for word: a star stands for nothing (RFC 5922 7.2).
    pub(crate) fn has(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// The authorities of the configuration; `None` where it names none.
fn authorities(config: &Config) -> Result<Option<RootCertStore>, TrustError> {
    let Some(file) = &config.tls.authorities else { return Ok(None) };
    let bad = |reason: String| TrustError::Authorities { file: file.clone(), reason };
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("no certificate in it".to_owned())) } else { Ok(Some(roots)) }
}

/// Checks the certificates that other servers show when they connect to us: asked for, not demanded, for
/// phones connect to the same port. One that is shown must be a trusted server's (R15).
#[derive(Debug)]
pub(crate) struct PeerCertificates {
    chain: Arc<dyn ClientCertVerifier>,
    trust: Arc<Trust>,
}

impl PeerCertificates {
    /// `None` where no authorities are configured: then nobody is asked.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub(crate) fn new(config: &Config, trust: &Arc<Trust>) -> Result<Option<Arc<Self>>, TrustError> {
        let Some(roots) = authorities(config)? else { return Ok(None) };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|error| TrustError::Setup(error.to_string()))?;
        Ok(Some(Arc::new(Self { chain, trust: Arc::clone(trust) })))
    }
}

impl ClientCertVerifier for PeerCertificates {
    fn offer_client_auth(&self) -> bool {
        self.chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.chain.verify_client_cert(own, others, now)?;
        match self.trust.of(own) {
            Some(_) => Ok(verified),
            None => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Checks the certificate of a server that we connect to.
#[derive(Debug)]
pub(super) struct ServerCertificates {
    chain: Arc<WebPkiServerVerifier>,
}

impl ServerCertificates {
    /// With the authorities of the configuration, or else those of the system.
    pub(super) fn new(config: &Config) -> Result<Self, TrustError> {
        let roots = match authorities(config)? {
            Some(roots) => roots,
            None => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                roots
            }
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let chain = chain.build().map_err(|error| TrustError::Setup(error.to_string()))?;
        Ok(Self { chain })
    }
}

impl ServerCertVerifier for ServerCertificates {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ServerName::DnsName(host) = name else {
            return self.chain.verify_server_cert(own, others, name, ocsp, now);
        };
        // It looks at the name last, and not as RFC 5922 does.
        match self.chain.verify_server_cert(own, others, name, ocsp, now) {
            Ok(_)
            | Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {}
            Err(error) => return Err(error),
        }
        match Names::of(own) {
            Some(names) if names.has(host.as_ref()) => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
