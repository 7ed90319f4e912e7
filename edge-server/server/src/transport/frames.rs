//! Writes WebSocket frames without copying what is in them.
//!
//! A NOTIFY's body is shared by all its watchers; so the frame header, the head of the message and
//! the body go out as three slices of one vectored write, and several messages share a system call.
//! Frames from a server are not masked (RFC 6455 5.1), which is what makes this possible.

use bytes::Buf as _;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use tributary_engine::Packet;

/// Frames in one system call: three slices each, far below the system's limit of 1,024.
const BATCH: usize = 16;

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

/// A frame that waits, or what is left of it.
#[derive(Debug)]
struct Frame {
    header: Header,
    /// Bytes of the header that are out.
    begun: usize,
    packet: Packet,
}

impl Frame {
    fn slices(&self) -> [&[u8]; 3] {
        [
            self.header.bytes.get(self.begun..self.header.length).unwrap_or_default(),
            &self.packet.head,
            &self.packet.body,
        ]
    }

    /// Strikes off what was written of it, and says how much of `written` belongs to what follows.
    fn advance(&mut self, mut written: usize) -> usize {
        let of_header = written.min(self.header.length - self.begun);
        self.begun += of_header;
        written -= of_header;
        for part in [&mut self.packet.head, &mut self.packet.body] {
            let of_part = written.min(part.len());
            part.advance(of_part);
            written -= of_part;
        }
        written
    }

    fn is_out(&self) -> bool {
        self.begun == self.header.length && self.packet.is_empty()
    }
}

/// Frames in the order in which they leave.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    frames: VecDeque<Frame>,
    /// Of the packets, without the frames' headers.
    bytes: usize,
}

impl Queue {
    /// Puts a message behind the others, as one frame.
    pub(crate) fn push(&mut self, packet: Packet) {
        let header = Header::of(&packet);
        self.append(header, packet);
    }

    /// Puts what needs no frame, or is one already, behind the others.
    pub(crate) fn push_bare(&mut self, packet: Packet) {
        self.append(Header { bytes: [0; 10], length: 0 }, packet);
    }

    fn append(&mut self, header: Header, packet: Packet) {
        self.bytes += packet.len();
        self.frames.push_back(Frame { header, begun: 0, packet });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames that wait.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Bytes of messages that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives frames to `write` until nothing is left; what it does not take stays for the next time.
    ///
    /// # Errors
    /// Those of `write`, `WouldBlock` among them.
    pub(crate) fn write(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3 * BATCH];
            let parts =
                self.frames.iter().take(BATCH).flat_map(Frame::slices).filter(|part| !part.is_empty());
            let mut used = 0;
            for (slice, part) in slices.iter_mut().zip(parts) {
                *slice = IoSlice::new(part);
                used += 1;
            }
            let mut written = write(slices.get(..used).unwrap_or_default())?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            while let Some(frame) = self.frames.front_mut() {
                let before = frame.packet.len();
                written = frame.advance(written);
                self.bytes -= before - frame.packet.len();
                if !frame.is_out() {
                    break;
                }
                self.frames.pop_front();
            }
        }
        // An idle connection keeps no room for frames.
        self.frames = VecDeque::new();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    fn packet(head: usize, body: &[u8]) -> Packet {
        Packet { head: Bytes::from(vec![b'h'; head]), body: Bytes::copy_from_slice(body) }
    }

    #[test]
    fn point_2_each_packet_is_one_whole_frame_wherever_the_writes_are_cut() {
        let packets: Vec<Packet> = (0..130)
            .map(|n| packet(n * 7, b"body"))
            .chain([packet(3, &[0xFF, 0xFE]), packet(70_000, b"x"), packet(125, b""), packet(126, b"")])
            .collect();
        for step in [1, 3, 1_000, usize::MAX] {
            let (mut queue, mut taken, mut turn) = (Queue::default(), Vec::new(), 0);
            packets.iter().cloned().for_each(|packet| queue.push(packet));
            // Takes at most `step` bytes a call, wherever that cuts, and nothing every other time.
            let mut narrow = |slices: &[IoSlice<'_>]| {
                turn += 1;
                if turn % 2 == 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let whole: Vec<u8> =
                    slices.iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                taken.extend_from_slice(&whole);
                Ok(whole.len())
            };
            while let Err(error) = queue.write(&mut narrow) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            }
            assert_eq!((queue.len(), queue.bytes()), (0, 0));
            let mut rest = taken.as_slice();
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
