//! The accept loop: one port for HTTP and for SIP over WebSocket, with or without TLS.

use super::accept;
use super::admission::Place;
use super::flows::Ends;
use super::handshake::{self, Refusal, SUBPROTOCOL};
use super::line::Wire;
use super::progress::Progress;
use super::{Services, websocket};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// What the accept loop needs beside the shared services.
#[derive(Clone)]
pub struct Door {
    /// The API, the pages and the metrics.
    pub router: axum::Router,
    /// TLS, when configured.
    pub tls: Option<TlsAcceptor>,
    /// For a TLS handshake, for each request head, and for the answer to a request.
    pub patience: Duration,
    /// For a client that takes nothing of an answer that waits for it.
    pub reading: Duration,
    /// The largest request head in bytes.
    pub max_head: usize,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// Accepts connections until `stop` says so, then lets requests in flight end.
pub(crate) async fn run(
    listener: TcpListener,
    door: Door,
    services: Arc<Services>,
    mut stop: watch::Receiver<bool>,
) {
    let door = Arc::new(door);
    let mut connections = JoinSet::new();
    let accept = |cx: &mut Context<'_>| listener.poll_accept(cx);
    while let Some((stream, peer)) = accept::next(accept, &mut stop, &services.metrics.accept_errors).await {
        // Finished tasks are taken out as new ones come, so the set stays as large as the present.
        while connections.try_join_next().is_some() {}
        match services.admission.enter(peer.ip()) {
            Ok(place) => {
                services.metrics.connections_opened.inc();
                let connection =
                    connection(stream, peer, place, Arc::clone(&door), Arc::clone(&services), stop.clone());
                connections.spawn(connection);
            }
            Err(full) => {
                crate::metrics::count(&services.metrics.connections_refused, "reason", full.name());
                // Behind TLS a plain answer would read as a broken handshake, and a handshake is what
                // a full server has no room for: there the connection just ends.
                if door.tls.is_none() {
                    connections.spawn(turn_away(stream));
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Tells a client that there is no place, as far as it can be told without reading its request.
async fn turn_away(mut stream: TcpStream) {
    let body =
        crate::api::error_text("full", "too many connections", "close some, or try again in half a minute");
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = timeout(Duration::from_secs(1), async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    door: Arc<Door>,
    services: Arc<Services>,
    stop: watch::Receiver<bool>,
) {
    // Without this, small messages wait for acknowledgements: a fifth of the throughput is left.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    match &door.tls {
        None => Box::pin(http(stream, peer, place, door, services, stop)).await,
        Some(tls) => {
            if let Some(stream) = services.secure(stream, peer, tls, door.patience).await {
                Box::pin(http(stream, peer, place, door, services, stop)).await;
            }
        }
    }
}

/// Speaks HTTP; an upgrade leaves for a task of its own, so that nothing of this one stays.
async fn http<S>(
    stream: S,
    peer: SocketAddr,
    place: Place,
    door: Arc<Door>,
    services: Arc<Services>,
    mut stop: watch::Receiver<bool>,
) where
    S: Wire,
{
    let upgrade: Arc<Mutex<Option<OnUpgrade>>> = Arc::default();
    let service = service_fn(|request: Request<Incoming>| {
        answer(request, peer, Arc::clone(&door), Arc::clone(&services), Arc::clone(&upgrade))
    });
    services.metrics.connections.inc();
    let stream = Progress::new(stream, door.reading, stop.clone(), services.metrics.http_unread.clone());
    let served = {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(door.patience)
            .max_buf_size(door.max_head)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let mut stopping = false;
        loop {
            tokio::select! {
                served = connection.as_mut() => break served,
                _ = stop.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = served {
        if error.is_parse_too_large() {
            crate::metrics::count(
                &services.metrics.connections_refused,
                "reason",
                super::Unserved::HeadTooLarge.name(),
            );
        }
        tracing::trace!(%peer, %error, "an HTTP connection ended early");
    }
    let upgrade = upgrade.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(upgrade) = upgrade else {
        services.metrics.connections.dec();
        return;
    };
    let tls = door.tls.is_some();
    match upgrade.await.map(Upgraded::downcast::<TokioIo<Progress<S>>>) {
        Ok(Ok(parts)) => {
            // A copy: what is left of hyper's buffer would keep all of it alive as long as the socket.
            let early = parts.read_buf.to_vec();
            let (stream, writer) = parts.io.into_inner().split();
            let ends = Ends { peer, local: stream.local() };
            let handle = services.open_flow(ends, websocket::transport(tls), writer, (None, None));
            let metrics = services.metrics.connections.clone();
            let socket = websocket::serve(stream, early, handle, Arc::clone(&services));
            services.sockets.spawn(async move {
                socket.await;
                metrics.dec();
                drop(place);
            });
        }
        Ok(Err(_)) | Err(_) => {
            services.metrics.connections.dec();
            tracing::debug!(%peer, "an upgrade did not come to its end");
        }
    }
}

/// Answers one request: a handshake here, anything else by the router.
async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    door: Arc<Door>,
    services: Arc<Services>,
    upgrade: Arc<Mutex<Option<OnUpgrade>>>,
) -> Result<Response, Infallible> {
    if handshake::is_upgrade(request.headers()) || request.uri().path() == "/ws" {
        let checked = handshake::accept(
            request.method(),
            request.version(),
            request.uri().path(),
            request.headers(),
            &services.origins,
        );
        return Ok(match checked {
            Ok(accept) => {
                let pending = hyper::upgrade::on(&mut request);
                *upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
                switching(&accept)
            }
            Err(refusal) => {
                crate::metrics::count(&services.metrics.connections_refused, "reason", refusal.name());
                tracing::info!(%peer, reason = refusal.name(), "a WebSocket handshake was refused");
                refused(refusal)
            }
        });
    }
    request.extensions_mut().insert(ConnectInfo(peer));
    let patience = door.patience * 3;
    let answered = timeout(patience, door.router.clone().oneshot(request.map(Body::new))).await;
    Ok(match answered {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    })
}

fn switching(accept: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn refused(refusal: Refusal) -> Response {
    let mut response = crate::api::error(refusal.status(), refusal.name(), &refusal.to_string(), "");
    if refusal == Refusal::Version {
        response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    response
}
