//! The other end of a connection: it sends any octets whatever, and says what came back.

use super::Over;
use crate::harness::{agreement, within};
use crate::tls::Authority;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::rustls::version::TLS13;
use tributary::run::Running;
use tributary_sip::Message;
use tributary_sip::stream::{Stream, Unit};
use tributary_sip::{Limits, Status};

/// A row whose answer does not come is told of by its name.
const PATIENCE: Duration = Duration::from_secs(60);

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A final answer: its status and the branch of its Via.
    Answer(u16, String),
    /// A request, or a provisional answer.
    Other(String),
    /// Line ends, or a pong of a WebSocket.
    Pong,
    /// A WebSocket's close frame.
    Close(u16),
    /// Nothing more can come.
    End,
    /// Nothing came for longer than anything takes.
    Silence,
}

enum Line {
    Udp(UdpSocket, SocketAddr),
    Stream(Box<dyn Duplex>, Stream),
    Ws(Box<dyn Duplex>, Vec<u8>),
    /// Neither SIP nor frames come back here.
    Bare(Box<dyn Duplex>),
}

pub(super) struct Peer {
    line: Line,
    /// Where it is, for Via and Contact.
    pub(super) here: String,
    /// The last message that came.
    pub(super) last: Vec<u8>,
}

impl Peer {
    pub(super) async fn connect(over: Over, server: &Running, authority: &Authority) -> Self {
        let plain = async |address| TcpStream::connect(address).await.unwrap();
        let line = match over {
            Over::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let here = socket.local_addr().unwrap().to_string();
                return Self { line: Line::Udp(socket, server.sip.udp[0]), here, last: Vec::new() };
            }
            Over::Tcp => Line::Stream(Box::new(plain(server.sip.tcp[0]).await), Stream::new(Limits::DEFAULT)),
            Over::Tls => {
                let stream = authority.connect(server.sip.tls[0], &TLS13).await.unwrap();
                Line::Stream(Box::new(stream), Stream::new(Limits::DEFAULT))
            }
            Over::Ws => Line::Ws(Box::new(upgraded(server.address).await), Vec::new()),
            Over::NoTls => Line::Bare(Box::new(plain(server.sip.tls[0]).await)),
            Over::NoWs => Line::Bare(Box::new(plain(server.address).await)),
        };
        Self { line, here: "hostile.invalid".to_owned(), last: Vec::new() }
    }

    /// Sends octets below the message. That the other side has closed already is no fault of the row.
    pub(super) async fn octets(&mut self, octets: &[u8]) {
        match &mut self.line {
            Line::Udp(socket, server) => drop(socket.send_to(octets, *server).await),
            Line::Stream(stream, _) | Line::Ws(stream, _) | Line::Bare(stream) => {
                let _ = stream.write_all(octets).await;
                let _ = stream.flush().await;
            }
        }
    }

    /// Sends one message, in a frame where there are frames.
    pub(super) async fn message(&mut self, message: &[u8]) {
        if matches!(self.line, Line::Ws(..)) {
            let text = std::str::from_utf8(message).is_ok();
            self.octets(&frame(if text { 0x81 } else { 0x82 }, message)).await;
        } else {
            self.octets(message).await;
        }
    }

    /// Says that nothing more will come.
    pub(super) async fn shut(&mut self) {
        if let Line::Stream(stream, _) | Line::Ws(stream, _) | Line::Bare(stream) = &mut self.line {
            let _ = stream.shutdown().await;
        }
    }

    /// What comes next. A NOTIFY is answered on the way, so that nothing of it stays.
    pub(super) async fn next(&mut self) -> Heard {
        let heard = self.hear().await;
        if let Heard::Other(text) = &heard
            && text.starts_with("NOTIFY ")
        {
            let notify = Message::parse(text.clone().into()).unwrap();
            self.message(agreement(&notify).as_bytes()).await;
        }
        heard
    }

    async fn hear(&mut self) -> Heard {
        let heard = async {
            match &mut self.line {
                Line::Udp(socket, _) => {
                    let mut buffer = vec![0; 65_536];
                    match socket.recv(&mut buffer).await {
                        Ok(length) => {
                            self.last = buffer[..length].to_vec();
                            heard(&self.last)
                        }
                        Err(_) => Heard::End,
                    }
                }
                Line::Stream(stream, units) => loop {
                    match units.take().unwrap() {
                        Some(Unit::Message(octets)) => {
                            self.last = octets.to_vec();
                            return heard(&self.last);
                        }
                        Some(Unit::KeepAlive(_)) => return Heard::Pong,
                        None => {}
                    }
                    if stream.read_buf(units.buffer()).await.unwrap_or(0) == 0 {
                        let rest = std::mem::take(units.buffer());
                        // A lone line end may have been half of something, but it was a pong.
                        return if rest.is_empty() { Heard::End } else { Heard::Pong };
                    }
                },
                Line::Ws(stream, buffer) => loop {
                    if let Some((opcode, payload)) = take_frame(buffer) {
                        if opcode == 0x9 {
                            // A ping, which only who is polite would answer.
                            continue;
                        }
                        return match (opcode, payload.as_slice()) {
                            (0x8, [high, low, ..]) => Heard::Close(u16::from_be_bytes([*high, *low])),
                            (0x8, _) => Heard::Close(0),
                            (0xA, _) | (_, b"\r\n") => Heard::Pong,
                            _ => {
                                self.last = payload;
                                heard(&self.last)
                            }
                        };
                    }
                    if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
                        return Heard::End;
                    }
                },
                Line::Bare(stream) => {
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    let status = rest.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
                    match status.and_then(|status| std::str::from_utf8(status).ok()?.parse().ok()) {
                        Some(status) => Heard::Answer(status, String::new()),
                        None => Heard::End,
                    }
                }
            }
        };
        timeout(PATIENCE, heard).await.unwrap_or(Heard::Silence)
    }
}

fn heard(octets: &[u8]) -> Heard {
    if octets == b"\r\n" {
        return Heard::Pong;
    }
    // What the server says must be readable, but for what it repeats of an unreadable request.
    let (status, branch) = match Message::parse(octets.to_vec().into()) {
        Ok(message) => (
            message.status().map(Status::code),
            message.via().ok().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default(),
        ),
        Err(_) => {
            let text = String::from_utf8_lossy(octets);
            (text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()), String::new())
        }
    };
    match status {
        Some(status @ 200..) => Heard::Answer(status, branch),
        _ => Heard::Other(String::from_utf8_lossy(octets).into_owned()),
    }
}

/// A whole frame of a client, masked with zeros.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        medium @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The opcode and payload of the first frame of a server, which masks nothing and fragments nothing.
fn take_frame(buffer: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (begin, length) = match buffer.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes([*buffer.get(2)?, *buffer.get(3)?]))),
        127 => (10, u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(*short)),
    };
    let payload = buffer.get(begin..begin + length)?.to_vec();
    let opcode = buffer[0] & 0x0F;
    buffer.drain(..begin + length);
    Some((opcode, payload))
}

async fn upgraded(server: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the answer to the handshake", stream.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}
