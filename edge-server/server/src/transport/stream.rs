//! One SIP connection over TCP or TLS (RFC 3261 18): its task, from the first octet to the end.
//!
//! ```text
//!              +--------------------------- this task ---------------------------+
//!   socket --> | octets --> messages by Content-Length --> parse --> shard       |
//!              | a message begun and not ended in time: end                      |
//!   socket <-- | what a shard could not write at once <-- outbox                 |
//!              +-----------------------------------------------------------------+
//!   socket <------------------------------------------------ outbox <-- any shard
//! ```
//! The peer keeps the connection alive, by CRLF CRLF (RFC 5626 3.5.1); one that is silent for
//! longer than the settings allow is closed, since a phone that is gone does not say so.

use super::admission::Place;
use super::flows::{End, Ends, FlowHandle};
use super::line::{self, Line, Wire};
use super::peer::{Heard, Peer};
use super::{Services, accept};
use crate::metrics::Metrics;
use crate::onward::Names;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::task::Context;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tributary_engine::{Peer as Trusted, Transport};
use tributary_sip::Limits;
use tributary_sip::stream::{Stream, Unit};

/// The reader's buffer, which every idle connection keeps; it grows with what is read.
const READ: usize = 2_048;

/// How long a peer may take to hear that the connection ends.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Lengths and times of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What one message may measure.
    pub message: Limits,
    /// Silence after which the connection is closed.
    pub idle: Duration,
    /// For a message to come to its end, and for the peer to read what was written.
    pub patience: Duration,
}

/// How long nothing may be said over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    /// As a rule.
    pub(crate) idle: Duration,
    /// While a session is held over one that we have opened.
    pub(crate) in_session: Duration,
}

/// Accepts connections until `stop` says so; those that are open end by their flows.
pub(crate) async fn listen(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    services: Arc<Services>,
    mut stop: watch::Receiver<bool>,
) {
    let accept = |cx: &mut Context<'_>| listener.poll_accept(cx);
    while let Some((stream, peer)) = accept::next(accept, &mut stop, &services.metrics.accept_errors).await {
        match services.admission.enter(peer.ip()) {
            Ok(place) => {
                services.metrics.connections_opened.inc();
                services.sockets.spawn(connection(stream, peer, place, tls.clone(), Arc::clone(&services)));
            }
            // Nothing was asked yet, so nothing can be answered.
            Err(full) => crate::metrics::count(&services.metrics.connections_refused, "reason", full.name()),
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    tls: Option<TlsAcceptor>,
    services: Arc<Services>,
) {
    prepare(&stream, peer);
    let Some(tls) = tls else {
        let trusted = services.trust.at(peer);
        return Box::pin(serve(stream, (peer, Transport::Tcp), (trusted, None), place, services)).await;
    };
    if let Some(stream) = services.secure(stream, peer, &tls, services.streams.patience).await {
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let trusted = certificate.and_then(|certificate| services.trust.of(certificate));
        let names = certificate.filter(|_| trusted.is_some()).and_then(Names::of);
        Box::pin(serve(stream, (peer, Transport::Tls), (trusted, names), place, services)).await;
    }
}

/// Sets what every connection for SIP has.
pub(crate) fn prepare(stream: &TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true).and_then(|()| notice_the_dead(stream)) {
        tracing::debug!(%peer, %error, "a socket option could not be set");
    }
}

/// Lets the system ask a silent peer whether it is there: a phone without power says nothing, and
/// what is sent to it is missed only after minutes.
fn notice_the_dead(stream: &TcpStream) -> io::Result<()> {
    let questions = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    SockRef::from(stream).set_tcp_keepalive(&questions)
}

/// Serves a connection until it ends.
async fn serve(
    stream: impl Wire,
    (peer, transport): (SocketAddr, Transport),
    (trusted, names): (Option<Arc<Trusted>>, Option<Names>),
    place: Place,
    services: Arc<Services>,
) {
    let (stream, writer) = stream.split();
    let ends = Ends { peer, local: stream.local() };
    let handle = services.open_flow(ends, transport, writer, (None, trusted));
    let idle = services.streams.idle;
    let peer = Peer::new(handle, services).named(names);
    talk(stream, peer, Keep { idle, in_session: idle }).await;
    drop(place);
}

/// Serves a connection that we have opened, in a task of its own.
pub(crate) fn serve_opened(
    stream: impl Wire,
    peer: SocketAddr,
    transport: Transport,
    (keep, trusted): (Keep, Option<Arc<Trusted>>),
    services: &Arc<Services>,
) -> Arc<FlowHandle> {
    let (stream, writer) = stream.split();
    let ends = Ends { peer, local: stream.local() };
    let handle = services.open_flow(ends, transport, writer, (Some(AtomicU32::new(0)), trusted));
    let peer = Peer::new(Arc::clone(&handle), Arc::clone(services));
    services.sockets.spawn(Box::pin(talk(stream, peer, keep)));
    handle
}

async fn talk(stream: line::Stream, peer: Peer, keep: Keep) {
    let settings = peer.services.streams;
    let connections = peer.services.metrics.connections.clone();
    connections.inc();
    let line = Line { stream, handle: Arc::clone(&peer.handle) };
    peer.services.metrics.streams.inc();
    let mut connection = Connection { line, peer, stream: Stream::new(settings.message), settings, keep };
    let end = connection.run().await;
    Box::pin(close(connection, end)).await;
    connections.dec();
}

struct Connection {
    line: Line,
    peer: Peer,
    stream: Stream,
    settings: Settings,
    keep: Keep,
}

impl Connection {
    async fn run(&mut self) -> End {
        let patience = self.settings.patience;
        let opened = self.peer.handle.is_opened();
        let timer = sleep_until(Instant::now() + self.keep.idle);
        tokio::pin!(timer);
        let mut heard = Instant::now();
        // When the message began that has not ended yet.
        let mut begun: Option<Instant> = None;
        loop {
            self.stream.buffer().reserve(READ);
            let end = tokio::select! {
                biased;
                () = self.peer.handle.news.notified() => {
                    // What we say keeps open what we have opened.
                    if opened {
                        heard = Instant::now();
                    }
                    self.peer.write(patience, |cx| self.line.poll_flush_unpin(cx)).await
                }
                read = self.line.read_buf(self.stream.buffer()) => match read {
                    Ok(0) | Err(_) => Some(End::Gone),
                    Ok(_) => {
                        heard = Instant::now();
                        self.take().await
                    }
                },
                () = &mut timer => None,
            };
            if let Some(end) = end {
                return end;
            }
            begun = if self.stream.is_idle() { None } else { begun.or(Some(heard)) };
            let Keep { idle, in_session } = self.keep;
            let silence = if self.peer.handle.is_in_session() { in_session } else { idle };
            let due = begun.map_or(heard + silence, |begun| begun + patience);
            if due <= Instant::now() {
                return match begun {
                    Some(_) => End::Slow,
                    None if opened => End::Idle,
                    None => End::Silent,
                };
            }
            timer.as_mut().reset(due);
        }
    }

    /// Takes every unit that is there.
    async fn take(&mut self) -> Option<End> {
        loop {
            match self.stream.take() {
                Ok(None) => return None,
                Ok(Some(Unit::KeepAlive(keep_alive))) => self.peer.keep_alive(keep_alive),
                Ok(Some(Unit::Message(raw))) => {
                    let end = match self.peer.hear(raw) {
                        Heard::Done => None,
                        Heard::End(end) => Some(end),
                        Heard::Full(full) => {
                            let line = &mut self.line;
                            let waiting = self
                                .peer
                                .wait_for_room(full, self.settings.patience, |cx| line.poll_flush_unpin(cx));
                            Box::pin(waiting).await
                        }
                    };
                    if end.is_some() {
                        return end;
                    }
                }
                Err(error) => {
                    self.peer.complain(&error);
                    return Some(End::Protocol);
                }
            }
        }
    }
}

async fn close(connection: Connection, end: End) {
    let Connection { mut line, peer, .. } = connection;
    let Metrics { streams, streams_closed, .. } = &peer.services.metrics;
    peer.leave(end, streams, streams_closed).await;
    // What was said last leaves, unless the peer has shown that it does not read.
    if end != End::Slow {
        let _ = timeout(CLOSE_PATIENCE, line.shutdown()).await;
    }
}
