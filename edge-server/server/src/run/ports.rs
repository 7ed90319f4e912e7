//! The ports that are open: bound before anything is promised, served until the stop.

use super::StartError;
use crate::config::Config;
use crate::transport::{Datagrams, Services, stream};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Every listening socket.
#[derive(Debug)]
pub(super) struct Ports {
    /// HTTP, the API and SIP over WebSocket.
    pub(super) http: TcpListener,
    pub(super) sip: SipPorts,
}

/// The sockets for SIP alone.
#[derive(Debug)]
pub(super) struct SipPorts {
    udp: Arc<Datagrams>,
    tcp: Vec<TcpListener>,
    tls: Vec<TcpListener>,
}

/// Where SIP is spoken besides the WebSocket, with the ports that were got where the configuration
/// said 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipAddresses {
    /// Over UDP.
    pub udp: Vec<SocketAddr>,
    /// Over TCP.
    pub tcp: Vec<SocketAddr>,
    /// Over TLS.
    pub tls: Vec<SocketAddr>,
}

impl Ports {
    /// Binds every socket. `secret` names the flows of datagrams.
    pub(super) async fn bind(config: &Config, secret: [u64; 2]) -> Result<Self, StartError> {
        let http = bind(config.server.listen).await?;
        let udp = Datagrams::bind(&config.sip.udp, secret)
            .map_err(|(address, source)| StartError::Listen { address, source })?;
        let mut sip = SipPorts { udp: Arc::new(udp), tcp: Vec::new(), tls: Vec::new() };
        for (addresses, listeners) in [(&config.sip.tcp, &mut sip.tcp), (&config.sip.tls, &mut sip.tls)] {
            for address in addresses {
                listeners.push(bind(*address).await?);
            }
        }
        Ok(Self { http, sip })
    }
}

impl SipPorts {
    /// Where datagrams leave.
    pub(super) fn datagrams(&self) -> &Arc<Datagrams> {
        &self.udp
    }

    pub(super) fn addresses(&self) -> SipAddresses {
        let of = |listeners: &[TcpListener]| {
            // A bound socket has an address.
            listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
        };
        SipAddresses { udp: self.udp.addresses(), tcp: of(&self.tcp), tls: of(&self.tls) }
    }

    /// Serves all of them until `stop` says so.
    pub(super) fn serve(
        self,
        tls: Option<&TlsAcceptor>,
        services: &Arc<Services>,
        stop: &watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for index in 0..self.udp.count() {
            tasks.spawn(Arc::clone(&self.udp).serve(index, Arc::clone(services), stop.clone()));
        }
        let plain = self.tcp.into_iter().map(|listener| (listener, None));
        // Without a certificate there is no such port: the check of the configuration sees to it.
        let secure = self.tls.into_iter().zip(std::iter::repeat(tls.cloned()));
        for (listener, tls) in plain.chain(secure) {
            tasks.spawn(stream::listen(listener, tls, Arc::clone(services), stop.clone()));
        }
        tasks
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}
