//! The stream under a connection: read by its task, written by the outbox alone.
//!
//! Messages leave by whoever pushes them, so tungstenite's own few frames (pongs, closes) must not
//! go past them: what it writes is put into the outbox behind what waits.

use super::flows::FlowHandle;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::{TlsStream, server};

/// What a connection is read from and, where it encrypts, written to.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(OwnedReadHalf),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Our end of the connection.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(stream) => stream.local_addr(),
            Self::Tls(stream) => stream.get_ref().0.local_addr(),
        }
        .ok()
    }
}

/// What a connection can run on.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// For SIP: what is read, and where the outbox writes by itself.
    fn split(self) -> (Stream, Option<OwnedWriteHalf>);
}

impl Wire for TcpStream {
    fn split(self) -> (Stream, Option<OwnedWriteHalf>) {
        let (read, write) = self.into_split();
        (Stream::Plain(read), Some(write))
    }
}

impl Wire for server::TlsStream<TcpStream> {
    fn split(self) -> (Stream, Option<OwnedWriteHalf>) {
        TlsStream::from(self).split()
    }
}

impl Wire for TlsStream<TcpStream> {
    fn split(self) -> (Stream, Option<OwnedWriteHalf>) {
        (Stream::Tls(Box::new(self)), None)
    }
}

/// One connection, as its reader sees it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stream: Stream,
    pub(crate) handle: Arc<FlowHandle>,
}

impl Line {
    /// Writes all that waits in the outbox.
    pub(crate) fn poll_flush_unpin(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_flush(cx)
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    /// Takes all: what tungstenite writes are control frames, one for each that it read.
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.handle.push_framed(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, handle } = self.get_mut();
        let Stream::Tls(stream) = stream else {
            return handle.poll_flush(cx);
        };
        let written =
            handle.write_with(|slices| match Pin::new(&mut *stream).poll_write_vectored(cx, slices) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            });
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let Self { stream, handle } = self.get_mut();
        match stream {
            Stream::Plain(_) => {
                handle.shut_down();
                Poll::Ready(Ok(()))
            }
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
