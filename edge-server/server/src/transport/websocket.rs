//! One SIP over WebSocket connection (RFC 7118): its task, from the 101 to the end.
//!
//! ```text
//!              +--------------------------- this task ---------------------------+
//!   socket --> | tungstenite reads frames --> keep-alive? --> parse --> shard    |
//!              | silent for ping_seconds: ping; for pong_seconds more: end       |
//!   socket <-- | what a shard could not write at once <-- outbox                 |
//!              +-----------------------------------------------------------------+
//!   socket <------------------------------------------------ outbox <-- any shard
//! ```
//!
//! An idle connection costs the reader's buffer, this task and an empty outbox; nothing is kept of
//! the HTTP request that began it.

use super::Services;
use super::flows::{End, FlowHandle};
use super::line::{Line, Stream};
use super::peer::{Heard, Peer};
use crate::metrics::Metrics;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tributary_engine::Transport;
use tributary_sip::KeepAlive;

/// The reader's buffer, which every idle connection keeps. A SUBSCRIBE or a REGISTER fits; for a
/// larger message it grows while that is read. 4 KiB would make each idle watcher 2 KB heavier.
const READ_BUFFER: usize = 2_048;

/// How long a peer may take to answer our close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Lengths and times of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The largest message and the largest frame, in bytes.
    pub max_message: usize,
    /// Silence after which the peer is pinged.
    pub ping: Duration,
    /// Further silence after which it is taken for dead.
    pub pong: Duration,
}

/// Serves an upgraded connection until it ends. `early` is what came behind the handshake.
///
/// The returned future is the connection's task: it holds the socket once, and nothing of the way
/// that led here.
pub(crate) async fn serve(stream: Stream, early: Vec<u8>, handle: Arc<FlowHandle>, services: Arc<Services>) {
    // What only happens once at the beginning and at the end is boxed: an idle task does not carry it.
    let line = Line { stream, handle: Arc::clone(&handle) };
    let socket = Box::pin(open(line, early, services.websocket.max_message)).await;
    services.metrics.websockets.inc();
    let mut connection = Connection { socket, peer: Peer::new(handle, services) };
    let end = connection.run().await;
    Box::pin(close(connection, end)).await;
}

async fn open(line: Line, early: Vec<u8>, max_message: usize) -> WebSocketStream<Line> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(max_message.max(READ_BUFFER))
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    if early.is_empty() {
        WebSocketStream::from_raw_socket(line, Role::Server, Some(config)).await
    } else {
        WebSocketStream::from_partially_read(line, early, Role::Server, Some(config)).await
    }
}

async fn close(connection: Connection, end: End) {
    let Connection { socket, peer } = connection;
    let Metrics { websockets, websockets_closed, .. } = &peer.services.metrics;
    peer.leave(end, websockets, websockets_closed).await;
    farewell(socket, end).await;
}

struct Connection {
    socket: WebSocketStream<Line>,
    peer: Peer,
}

/// What woke the task.
enum Wake {
    Frame(Option<Result<Frame, Error>>),
    News,
    Timer,
}

impl Connection {
    async fn run(&mut self) -> End {
        let Settings { ping, pong, .. } = self.peer.services.websocket;
        let timer = sleep_until(Instant::now() + ping);
        tokio::pin!(timer);
        let mut heard = Instant::now();
        let mut pinged = false;
        loop {
            let wake = tokio::select! {
                biased;
                () = self.peer.handle.news.notified() => Wake::News,
                frame = self.socket.next() => Wake::Frame(frame),
                () = &mut timer => Wake::Timer,
            };
            let end = match wake {
                Wake::Frame(frame) => {
                    heard = Instant::now();
                    pinged = false;
                    self.frame(frame).await
                }
                // Frames of tungstenite's own (pongs) come behind what waits.
                Wake::News => {
                    Box::pin(self.peer.write(ping + pong, |cx| self.socket.poll_flush_unpin(cx))).await
                }
                Wake::Timer => {
                    let silent = heard.elapsed();
                    if pinged && silent >= pong {
                        Some(End::Silent)
                    } else if !pinged && silent >= ping {
                        pinged = true;
                        // From here on the silence that counts is the one after the ping.
                        heard = Instant::now();
                        timer.as_mut().reset(heard + pong);
                        self.ping(pong).await
                    } else {
                        timer.as_mut().reset(heard + if pinged { pong } else { ping });
                        None
                    }
                }
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn frame(&mut self, frame: Option<Result<Frame, Error>>) -> Option<End> {
        let payload = match frame {
            None => return Some(End::Gone),
            Some(Ok(Frame::Text(text))) => Bytes::from(text),
            Some(Ok(Frame::Binary(bytes))) => bytes,
            // tungstenite has put the pong, or the answer to the close, into its own queue; the next
            // read sends it.
            Some(Ok(_)) => return None,
            Some(Err(Error::Capacity(_))) => return Some(End::TooLarge),
            Some(Err(Error::Protocol(error))) => {
                use tokio_tungstenite::tungstenite::error::ProtocolError;
                return Some(match error {
                    ProtocolError::ResetWithoutClosingHandshake => End::Gone,
                    _ => End::Protocol,
                });
            }
            Some(Err(Error::Utf8(_))) => return Some(End::NotUtf8),
            Some(Err(_)) => return Some(End::Gone),
        };
        if let Some(keep_alive) = KeepAlive::recognise(&payload) {
            self.peer.keep_alive(keep_alive);
            return None;
        }
        // A copy of just this message: the reader's buffer can then be used again at once.
        let raw = Bytes::copy_from_slice(&payload);
        drop(payload);
        match self.peer.hear(raw) {
            Heard::Done => None,
            Heard::End(end) => Some(end),
            Heard::Full(full) => {
                let Settings { ping, pong, .. } = self.peer.services.websocket;
                let socket = &mut self.socket;
                let waiting = self.peer.wait_for_room(full, ping + pong, |cx| socket.poll_flush_unpin(cx));
                Box::pin(waiting).await
            }
        }
    }

    async fn ping(&mut self, patience: Duration) -> Option<End> {
        let ping = self.socket.send(Frame::Ping(Bytes::new()));
        match timeout(patience, ping).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(End::Gone),
            Err(_) => Some(End::Silent),
        }
    }
}

/// Says why, and waits a little for the peer to say that it has heard.
async fn farewell(mut socket: WebSocketStream<Line>, end: End) {
    let (code, reason) = match end {
        // Nobody is there; and no WebSocket is opened by us.
        End::Silent | End::Idle => return,
        End::Gone => {
            // After the peer's close frame was answered: over TLS an end without close_notify is an error.
            let _ = timeout(CLOSE_PATIENCE, socket.get_mut().shutdown()).await;
            return;
        }
        // A frame now would stand behind all that it did not read, or in the middle of a frame.
        End::Slow => return,
        End::TooLarge => (CloseCode::Size, "message too large"),
        End::Protocol => (CloseCode::Protocol, "protocol error"),
        // RFC 6455 8.1.
        End::NotUtf8 => (CloseCode::Invalid, "text must be UTF-8"),
        End::Garbage => (CloseCode::Policy, "this is not SIP"),
        End::Asked(reason) => (CloseCode::Normal, reason),
        End::Shutdown => (CloseCode::Away, "the server stops"),
    };
    let parting = async {
        socket.close(Some(CloseFrame { code, reason: reason.into() })).await?;
        while let Some(frame) = socket.next().await {
            frame?;
        }
        socket.get_mut().shutdown().await?;
        Ok::<(), Error>(())
    };
    // Whether it hears or not, the connection ends.
    let _ = timeout(CLOSE_PATIENCE, parting).await;
}

/// The transport that the engine is told.
pub(crate) fn transport(tls: bool) -> Transport {
    if tls { Transport::Wss } else { Transport::Ws }
}
