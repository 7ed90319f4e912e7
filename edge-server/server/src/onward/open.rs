//! Connections that we open to other servers, one for each address, used again while they live
//! (RFC 3261 18.1.1).

use super::trust::{ServerCertificates, Trust, TrustError};
use crate::config::Config;
use crate::metrics::count;
use crate::transport::{Certificates, FlowHandle, Services, stream};
use rustls_pki_types::ServerName;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tributary_engine::{Hop, Transport};
use tributary_sip::HostPort;
use tributary_sip::locate::Way;

/// The connections that we have opened.
pub(crate) struct Connections {
    places: Mutex<HashMap<Way, Arc<Place>>>,
    most: usize,
    patience: Duration,
    keep: stream::Keep,
    tls: TlsConnector,
    trust: Arc<Trust>,
}

/// Where a connection is or was. Who wants one waits for whoever is opening it.
#[derive(Default)]
struct Place(tokio::sync::Mutex<Option<Opened>>);

struct Opened {
    handle: Arc<FlowHandle>,
    /// The host that its certificate was checked for.
    host: String,
}

impl Connections {
    /// With our certificate for those who ask for one.
    ///
    /// # Errors
    /// See [`TrustError`].
    pub(crate) fn new(
        config: &Config,
        certificates: Option<&Arc<Certificates>>,
        trust: Arc<Trust>,
    ) -> Result<Self, TrustError> {
        let setup = |error: tokio_rustls::rustls::Error| TrustError::Setup(error.to_string());
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ServerCertificates::new(config)?));
        let tls = match certificates {
            Some(certificates) => {
                tls.with_client_cert_resolver(Arc::clone(certificates) as Arc<dyn ResolvesClientCert>)
            }
            None => tls.with_no_client_auth(),
        };
        let egress = &config.egress;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Ok(Self {
            places: Mutex::default(),
            most: egress.max_connections,
            patience: seconds(egress.connect_seconds),
            keep: stream::Keep {
                idle: seconds(egress.idle_seconds),
                in_session: seconds(egress.session_idle_seconds),
            },
            tls: TlsConnector::from(Arc::new(tls)),
            trust,
        })
    }

    /// A connection for a way to a host: one that the other side has opened, one of ours that is open, or a
    /// new one.
    pub(super) async fn hop_to(&self, way: Way, host: &str, services: &Arc<Services>) -> io::Result<Hop> {
        if way.transport == Transport::Tls
            && let Some(hop) = services.aliases.hop_to(way.address, host)
        {
            services.metrics.connections_reused.inc();
            return Ok(hop);
        }
        let Some(place) = self.place(way) else {
            count(&services.metrics.limit_reached, "limit", "egress.max_connections");
            return Err(io::Error::other("egress.max_connections are open"));
        };
        let mut opened = place.0.lock().await;
        // Within a dialog a server may be known by its address alone: then its name is what it was.
        let is_address = host.parse::<HostPort>().is_ok_and(|host| host.ip().is_some());
        let host = match &*opened {
            Some(before) if is_address => before.host.clone(),
            _ => host.to_owned(),
        };
        if let Some(open) = opened.as_ref().filter(|open| open.handle.is_open() && open.host == host) {
            return Ok(open.handle.flow().hop);
        }
        let late = |_| Err(io::ErrorKind::TimedOut.into());
        match timeout(self.patience, self.open(way, &host, services)).await.unwrap_or_else(late) {
            Ok(handle) => {
                let hop = handle.flow().hop;
                *opened = Some(Opened { handle, host });
                Ok(hop)
            }
            Err(error) => {
                count(&services.metrics.connections_failed, "transport", way.transport.via());
                tracing::info!(address = %way.address, host, %error, "a connection to another server could not be opened");
                Err(error)
            }
        }
    }

    /// The place for a way; `None` where there are as many as there may be.
    fn place(&self, way: Way) -> Option<Arc<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&way) {
            return Some(Arc::clone(place));
        }
        if places.len() >= self.most {
            let is_used = |place: &Arc<Place>| match place.0.try_lock() {
                Ok(opened) => opened.as_ref().is_some_and(|opened| opened.handle.is_open()),
                Err(_) => true,
            };
            places.retain(|_, place| is_used(place));
        }
        (places.len() < self.most).then(|| Arc::clone(places.entry(way).or_default()))
    }

    async fn open(&self, way: Way, host: &str, services: &Arc<Services>) -> io::Result<Arc<FlowHandle>> {
        let stream = TcpStream::connect(way.address).await?;
        stream::prepare(&stream, way.address);
        services.metrics.connections_made.inc();
        if way.transport != Transport::Tls {
            let peer = self.trust.at(way.address);
            return Ok(stream::serve_opened(stream, way.address, way.transport, (self.keep, peer), services));
        }
        let stream = self.tls.connect(server_name(host, way.address)?, stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let peer = certificate.and_then(|certificate| self.trust.of(certificate));
        let stream = tokio_rustls::TlsStream::from(stream);
        Ok(stream::serve_opened(stream, way.address, way.transport, (self.keep, peer), services))
    }
}

fn server_name(host: &str, address: SocketAddr) -> io::Result<ServerName<'static>> {
    match host.parse::<HostPort>() {
        Ok(host) if host.ip().is_some() => Ok(ServerName::from(address.ip())),
        _ => ServerName::try_from(host.to_owned()).map_err(io::Error::other),
    }
}
