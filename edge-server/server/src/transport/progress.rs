//! A stream that breaks when its peer stops reading.

use super::line::{Stream, Wire};
use prometheus_client::metrics::counter::Counter;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

/// How long a peer may take nothing of its answer once the server stops. Shorter than the time that
/// connections are given to end, so that those who do read are not cut off for those who do not.
const AT_THE_STOP: Duration = Duration::from_secs(1);

/// A stream under HTTP. A write that cannot go on for `patience` is an error, and the timer only
/// exists while one waits.
#[derive(Debug)]
pub(super) struct Progress<S> {
    stream: S,
    patience: Duration,
    stop: watch::Receiver<bool>,
    unread: Counter,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Progress<S> {
    /// `unread` counts the streams that broke; `stop` is true once the server stops.
    pub(super) fn new(stream: S, patience: Duration, stop: watch::Receiver<bool>, unread: Counter) -> Self {
        Self { stream, patience, stop, unread, waiting: None }
    }

    /// `written` as it is, unless it has been pending for too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        if *self.stop.borrow() {
            let last = Instant::now() + AT_THE_STOP;
            if waiting.deadline() > last {
                waiting.as_mut().reset(last);
            }
        }
        ready!(waiting.as_mut().poll(cx));
        self.unread.inc();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<S: Wire> Wire for Progress<S> {
    fn split(self) -> (Stream, Option<OwnedWriteHalf>) {
        self.stream.split()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Progress<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progress<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.in_time(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.in_time(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.in_time(cx, shut)
    }
}
