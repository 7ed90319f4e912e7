//! From the socket to the shards and back: TLS, HTTP, WebSocket.

mod accept;
mod admission;
mod certificates;
mod datagrams;
mod flows;
mod frames;
mod handshake;
mod line;
mod listener;
mod origin;
mod peer;
mod progress;
mod rates;
pub(crate) mod stream;
mod tls;
mod websocket;

pub use self::admission::{Admission, Full, Place};
pub use self::certificates::Certificates;
pub use self::datagrams::Datagrams;
pub(crate) use self::datagrams::Letter;
use self::flows::Ends;
pub use self::flows::{End, FlowHandle, Flows, OutboxLimits};
pub use self::handshake::{PATHS, Refusal, SUBPROTOCOL};
pub use self::listener::Door;
pub(crate) use self::listener::run;
pub use self::origin::OriginPolicy;
pub(crate) use self::origin::is_loopback_name;
pub use self::rates::Rates;
pub use self::stream::Settings as StreamSettings;
pub use self::tls::TlsError;
pub use self::websocket::Settings as WebSocketSettings;

use crate::metrics::Metrics;
use crate::onward::{Aliases, Trust};
use crate::shards::Shards;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tributary_engine::{Peer, Transport, labelled};

labelled! {
    /// Why a connection that was accepted is not served.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Unserved {
        /// The head of its request is larger than `http.max_head_bytes`.
        HeadTooLarge => "head_too_large",
        /// The TLS handshake failed.
        Tls => "tls",
        /// The TLS handshake was not done in time.
        TlsTimeout => "tls_timeout",
    }
}

/// What every connection shares.
#[derive(Debug)]
pub struct Services {
    /// The open connections.
    pub flows: Arc<Flows>,
    /// Where messages go.
    pub shards: Shards,
    /// The numbers.
    pub metrics: Metrics,
    /// How many connections there may be.
    pub admission: Admission,
    /// How often whoever connects may speak.
    pub rates: Arc<Rates>,
    /// Which pages may connect.
    pub origins: OriginPolicy,
    /// Lengths and times of a WebSocket.
    pub websocket: WebSocketSettings,
    /// Lengths and times of a TCP or TLS connection.
    pub streams: StreamSettings,
    /// Which servers are trusted.
    pub(crate) trust: Arc<Trust>,
    /// Which connections of theirs are used both ways.
    pub(crate) aliases: Aliases,
    /// The tasks of the connections, so that a shutdown can wait for them.
    pub sockets: Sockets,
    /// True once the server stops.
    pub stop: watch::Receiver<bool>,
}

impl Services {
    /// Does the TLS handshake with a new connection, for at most `patience`; one that fails is counted.
    async fn secure(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: &TlsAcceptor,
        patience: Duration,
    ) -> Option<TlsStream<TcpStream>> {
        let mut stop = self.stop.clone();
        let accepted = tokio::select! {
            accepted = timeout(patience, tls.accept(stream)) => accepted,
            // Nothing was promised yet, and a silent peer must not hold up the end.
            _ = stop.wait_for(|stop| *stop) => return None,
        };
        let refused = &self.metrics.connections_refused;
        match accepted {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => {
                crate::metrics::count(refused, "reason", Unserved::Tls.name());
                // Who only looks whether the port is open, a load balancer above all, comes every second.
                if error.kind() == std::io::ErrorKind::UnexpectedEof {
                    tracing::debug!(%peer, "a connection ended before its TLS handshake");
                } else if self.rates.is_worth_a_line(peer.ip()) {
                    tracing::info!(%peer, %error, "the TLS handshake failed");
                }
            }
            Err(_) => {
                crate::metrics::count(refused, "reason", Unserved::TlsTimeout.name());
                if self.rates.is_worth_a_line(peer.ip()) {
                    tracing::info!(%peer, seconds = patience.as_secs(), "the TLS handshake was not done in time");
                }
            }
        }
        None
    }

    /// Enters a new connection, which we have opened or not, of a server that is trusted or not. One that opens while the server stops is told so like the others.
    fn open_flow(
        &self,
        ends: Ends,
        transport: Transport,
        socket: Option<OwnedWriteHalf>,
        known: (Option<AtomicU32>, Option<Arc<Peer>>),
    ) -> Arc<FlowHandle> {
        let handle = self.flows.enter(ends, transport, socket, known);
        if *self.stop.borrow() {
            handle.end(End::Shutdown);
        }
        handle
    }
}

/// Counts the tasks of WebSockets without holding them.
#[derive(Clone, Debug)]
pub struct Sockets {
    alive: watch::Sender<()>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { alive: watch::Sender::new(()) }
    }
}

impl Sockets {
    /// Runs a connection's task.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let alive = self.alive.subscribe();
        tokio::spawn(async move {
            task.await;
            drop(alive);
        });
    }

    /// Waits until every task has ended.
    pub async fn ended(&self) {
        self.alive.closed().await;
    }
}
