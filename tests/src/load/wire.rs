//! WebSocket framing as thin as it can be, so that the generator costs less than what it measures.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

thread_local! {
    /// One read buffer for all connections of the thread: ten thousand idle ones need none of their own.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

/// An open WebSocket connection with subprotocol `sip`.
pub(crate) struct Connection {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come yet.
    partial: Vec<u8>,
    /// What will be written next.
    pub(crate) out: Vec<u8>,
    pub(crate) local: SocketAddr,
}

impl Connection {
    /// Connects from `source` (a loopback address) and shakes hands.
    pub(crate) async fn open(server: SocketAddr, source: SocketAddr) -> io::Result<Connection> {
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.bind(source)?;
        let mut stream = socket.connect(server).await?;
        let local = stream.local_addr()?;
        let hello = format!(
            "GET /ws HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: sip\r\n\r\n"
        );
        stream.write_all(hello.as_bytes()).await?;
        let mut head = Vec::new();
        let end = loop {
            let mut chunk = [0; 1024];
            let n = stream.read(&mut chunk).await?;
            if n == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed during the handshake"));
            }
            head.extend_from_slice(&chunk[..n]);
            if let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") {
                break end + 4;
            }
        };
        if !head.starts_with(b"HTTP/1.1 101") {
            let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
            return Err(io::Error::other(format!("the handshake was answered {line}")));
        }
        Ok(Connection { stream, partial: head.split_off(end), out: Vec::new(), local })
    }

    /// Puts a text message into [`Connection::out`].
    ///
    /// The masking key is zero, which the protocol's letter allows and which costs nothing here; the
    /// server cannot tell and does its part of the work all the same.
    pub(crate) fn queue(out: &mut Vec<u8>, message: &[u8]) {
        frame(out, 0x81, message);
    }

    /// Writes what is queued.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    /// Waits for something to read and gives each whole message to `handle`, which may queue answers.
    /// False when the peer closed.
    pub(crate) async fn receive(&mut self, mut handle: impl FnMut(&[u8], &mut Vec<u8>)) -> io::Result<bool> {
        let open = poll_fn(|cx| self.poll_receive(cx, &mut handle)).await?;
        self.flush().await?;
        Ok(open)
    }

    /// One read. `poll_read` knows that a read which did not fill the buffer has emptied the socket;
    /// `try_read` would need a second system call for each message to find that out.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        handle: &mut impl FnMut(&[u8], &mut Vec<u8>),
    ) -> Poll<io::Result<bool>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let bytes = read.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(false));
            }
            let Connection { partial, out, .. } = self;
            if partial.is_empty() {
                let used = frames(bytes, out, handle)?;
                partial.extend_from_slice(&bytes[used..]);
            } else {
                partial.extend_from_slice(bytes);
                let used = frames(partial, out, handle)?;
                partial.drain(..used);
            }
            Poll::Ready(Ok(true))
        })
    }
}

fn frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    out.push(first);
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | n as u8),
        n @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// Handles every whole frame of `bytes` and says how many bytes they took.
fn frames(
    bytes: &[u8],
    out: &mut Vec<u8>,
    handle: &mut impl FnMut(&[u8], &mut Vec<u8>),
) -> io::Result<usize> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let [first, second, ..] = rest else { return Ok(at) };
        let (head, length) = match second & 0x7f {
            126 if rest.len() >= 4 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            127 if rest.len() >= 10 => {
                let mut long = [0; 8];
                long.copy_from_slice(&rest[2..10]);
                (10, u64::from_be_bytes(long) as usize)
            }
            126 | 127 => return Ok(at),
            n => (2, usize::from(n)),
        };
        if rest.len() < head + length {
            return Ok(at);
        }
        let payload = &rest[head..head + length];
        match first {
            0x81 | 0x82 => handle(payload, out),
            0x89 => frame(out, 0x8a, payload),
            0x8a => {}
            0x88 => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server closed")),
            other => return Err(io::Error::other(format!("unexpected frame {other:#x}"))),
        }
        at += head + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_whole_or_not_at_all() {
        let mut bytes = vec![0x81, 3, b'a', b'b', b'c', 0x82, 126, 0, 200];
        bytes.extend([b'x'; 200]);
        let whole = bytes.len();
        bytes.extend([0x81, 5, b'h']);
        let (mut seen, mut out) = (Vec::new(), Vec::new());
        let used = frames(&bytes, &mut out, &mut |m, _| seen.push(m.len())).unwrap();
        assert_eq!((used, seen), (whole, vec![3, 200]));
    }

    #[test]
    fn a_ping_is_answered() {
        let mut out = Vec::new();
        frames(&[0x89, 2, 1, 2], &mut out, &mut |_, _| {}).unwrap();
        assert_eq!(out, [0x8a, 0x82, 0, 0, 0, 0, 1, 2]);
    }
}
