//! The certificates in use: each client gets the one that was made for the name it asks for, and files
//! that change are read anew while connections live on.

use super::tls::{Certificate, Files, Stamp, TlsError};
use crate::config::Config;
use crate::metrics::{Metrics, count};
use arc_swap::ArcSwap;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ServerConfig, SignatureScheme};

/// At least one certificate.
#[derive(Debug)]
pub struct Certificates {
    slots: Vec<Slot>,
    /// Woken when all files are to be read anew.
    asked: Notify,
}

#[derive(Debug)]
struct Slot {
    files: Files,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    certificate: Arc<Certificate>,
    /// How the files looked when they were last read, well or not.
    stamp: Stamp,
}

impl Certificates {
    /// Reads all that `config` names; nothing when it names none.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn open(config: &Config) -> Result<Option<Arc<Self>>, TlsError> {
        let open = |files: Files| {
            // Looked at before they are read: a change in between is found by the next look.
            let stamp = files.stamp();
            let certificate = Arc::new(files.read()?);
            Ok(Slot { files, current: ArcSwap::from_pointee(Current { certificate, stamp }) })
        };
        let slots = Files::of(config).into_iter().map(open).collect::<Result<Vec<_>, TlsError>>()?;
        Ok((!slots.is_empty()).then(|| Arc::new(Self { slots, asked: Notify::new() })))
    }

    /// TLS for a listener that speaks these protocols (ALPN, RFC 7301), and looks at certificates of
    /// clients if there is somebody who does.
    ///
    /// # Errors
    /// [`TlsError::Setup`].
    pub fn acceptor(
        self: &Arc<Self>,
        protocols: &[&[u8]],
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<TlsAcceptor, TlsError> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?;
        let config = match clients {
            Some(clients) => config.with_client_cert_verifier(clients),
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Asks `keep_current` to read all files anew, changed or not.
    pub fn reload(&self) {
        self.asked.notify_one();
    }

    /// Reads files anew when asked to and, `every` so often, when they have changed, until `stop`.
    pub(crate) async fn keep_current(
        self: Arc<Self>,
        every: Option<Duration>,
        metrics: Metrics,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let timer = async {
                match every {
                    Some(every) => tokio::time::sleep(every).await,
                    None => std::future::pending().await,
                }
            };
            let all = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.asked.notified() => true,
                () = timer => false,
            };
            // A file may lie where reading takes its time.
            let (this, counted) = (Arc::clone(&self), metrics.clone());
            if let Err(error) = tokio::task::spawn_blocking(move || this.read(all, &counted)).await {
                tracing::error!(%error, "reading certificates anew did not come to its end");
            }
        }
    }

    /// Reads what has changed, or all of it. What cannot be used leaves the old one where it is.
    fn read(&self, all: bool, metrics: &Metrics) {
        for Slot { files, current } in &self.slots {
            let (stamp, old) = (files.stamp(), current.load());
            if !all && stamp == old.stamp {
                continue;
            }
            let (certificate, result) = match files.read() {
                Ok(new) => {
                    tracing::info!(file = files.certificate(), "a certificate was loaded");
                    (Arc::new(new), "loaded")
                }
                Err(error) => {
                    tracing::error!(%error, "a certificate could not be loaded; the one before it stays in use");
                    (Arc::clone(&old.certificate), "failed")
                }
            };
            count(&metrics.tls_reloads, "result", result);
            current.store(Arc::new(Current { certificate, stamp }));
        }
        self.measure(metrics);
    }

    /// Sets the metric of when the first certificate runs out.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        let first = self.slots.iter().map(|slot| slot.current.load().certificate.not_after).min();
        metrics
            .tls_certificate_not_after_seconds
            .set(first.and_then(|at| i64::try_from(at).ok()).unwrap_or(i64::MAX));
    }
}

impl ResolvesClientCert for Certificates {
    /// To other servers we are who we are to clients that ask for no name.
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.slots.first().map(|slot| Arc::clone(&slot.current.load().certificate.certified))
    }

    fn has_certs(&self) -> bool {
        !self.slots.is_empty()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_asked_for =
            |slot: &&Slot| name.as_ref().is_some_and(|name| slot.current.load().certificate.is_for(name));
        let slot = self.slots.iter().find(is_asked_for).or(self.slots.first())?;
        Some(Arc::clone(&slot.current.load().certificate.certified))
    }
}
