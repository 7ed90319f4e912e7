//! Writes WebSocket frames without copying what is in them.
//!
//! A NOTIFY's body is shared by all its watchers; so the frame header, the head of the message and
//! the body go out as three slices of one vectored write, and several messages share a system call.
//! Frames from a server are not masked (RFC 6455 5.1), which is what makes this possible.

use bytes::Bytes;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use tokio::io::AsyncWrite;
use tributary_engine::Packet;

/// Packets in one system call: three slices each, far below the system's limit of 1,024.
const BATCH: usize = 64;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// The header of one unfragmented frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    bytes: [u8; 10],
    length: usize,
}

impl Header {
    fn new(opcode: u8, payload: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = opcode;
        let length = match payload {
            0..=125 => {
                bytes[1] = payload as u8;
                2
            }
            126..=0xFFFF => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, length }
    }

    /// Text where the packet is UTF-8, binary otherwise: a text frame with anything else makes a
    /// browser close its socket.
    fn of(packet: &Packet) -> Self {
        let text = std::str::from_utf8(&packet.head).is_ok() && std::str::from_utf8(&packet.body).is_ok();
        Self::new(if text { TEXT } else { BINARY }, packet.len())
    }
}

/// Writes each packet as one frame.
///
/// # Errors
/// The connection broke.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    packets: impl IntoIterator<Item = Packet>,
) -> io::Result<()> {
    let mut packets = packets.into_iter();
    loop {
        let batch: Vec<(Header, Bytes, Bytes)> = packets
            .by_ref()
            .take(BATCH)
            .map(|packet| (Header::of(&packet), packet.head, packet.body))
            .collect();
        if batch.is_empty() {
            break;
        }
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(batch.len() * 3);
        for (header, head, body) in &batch {
            slices.push(IoSlice::new(&header.bytes[..header.length]));
            slices.push(IoSlice::new(head));
            if !body.is_empty() {
                slices.push(IoSlice::new(body));
            }
        }
        let mut rest = slices.as_mut_slice();
        while !rest.is_empty() {
            let written = poll_fn(|cx| Pin::new(&mut *stream).poll_write_vectored(cx, rest)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, written);
        }
    }
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll};

    /// Takes at most `step` bytes a call, wherever that cuts.
    struct Narrow {
        taken: Vec<u8>,
        step: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let n = buf.len().min(self.step);
            self.taken.extend_from_slice(&buf[..n]);
            Poll::Ready(Ok(n))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn packet(head: usize, body: &[u8]) -> Packet {
        Packet { head: Bytes::from(vec![b'h'; head]), body: Bytes::copy_from_slice(body) }
    }

    #[tokio::test]
    async fn point_2_each_packet_is_one_whole_frame_wherever_the_writes_are_cut() {
        let packets: Vec<Packet> = (0..130)
            .map(|n| packet(n * 7, b"body"))
            .chain([packet(3, &[0xFF, 0xFE]), packet(70_000, b"x"), packet(125, b""), packet(126, b"")])
            .collect();
        for step in [1, 3, 1_000, usize::MAX] {
            let mut stream = Narrow { taken: Vec::new(), step };
            write(&mut stream, packets.clone()).await.unwrap();
            let mut rest = stream.taken.as_slice();
            for packet in &packets {
                let whole = packet.to_bytes();
                let opcode = if std::str::from_utf8(&whole).is_ok() { TEXT } else { BINARY };
                assert_eq!(rest[0], opcode);
                let (header, length) = match rest[1] {
                    126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                    127 => (10, u64::from_be_bytes(rest[2..10].try_into().unwrap()) as usize),
                    short => (2, usize::from(short)),
                };
                assert_eq!(length, whole.len());
                assert_eq!(&rest[header..header + length], &whole[..]);
                rest = &rest[header + length..];
            }
            assert!(rest.is_empty());
        }
    }
}
