//! A SIP client over UDP, TCP or WebSocket for tests: it registers, publishes, watches, calls, and rings.
//!
//! One request at a time; what comes meanwhile is answered as a phone would: a NOTIFY with 200, an
//! INVITE with 180 and no more, a CANCEL with 200.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};
use tributary_sip::stream::{Stream, Unit};
use tributary_sip::{Limits, Message, Method, Name, ResponseBuilder, Status};

use crate::client::{Lost, PATIENCE};

/// How a phone speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Datagrams: their flow is there as long as the phone's socket.
    Udp,
    /// A stream, which ends with the server.
    Tcp,
    /// A WebSocket, likewise.
    Ws,
}

enum Line {
    Udp(UdpSocket),
    Tcp(TcpStream, Stream),
    Ws(Box<WebSocketStream<TcpStream>>),
}

/// One device of a user of `example.com`.
pub struct Phone {
    line: Line,
    server: SocketAddr,
    over: Over,
    /// The user part of its address.
    pub user: String,
    /// Its instance, by which it is the same device on another connection.
    pub instance: String,
    /// Call-IDs of the INVITEs that it has been called with.
    pub rung: Vec<String>,
    /// Call-IDs and bodies of the NOTIFYs that it has got.
    pub notified: Vec<(String, String)>,
}

/// A subscription of a phone's, from its own side.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Whose state is watched.
    pub target: String,
    /// What names it.
    pub call_id: String,
    local_tag: String,
    remote_tag: String,
    cseq: u32,
}

impl Phone {
    /// A phone of `user`, not registered yet.
    pub async fn new(server: SocketAddr, over: Over, user: &str) -> Result<Phone, Lost> {
        let (line, user) = (open(server, over).await?, user.to_owned());
        let instance = format!("urn:uuid:00000000-0000-4000-8000-{:012x}", unique());
        Ok(Phone { line, server, over, user, instance, rung: Vec::new(), notified: Vec::new() })
    }

    /// Connects anew, as the same device. Over UDP there is nothing to connect.
    pub async fn reconnect(&mut self) -> Result<(), Lost> {
        if self.over != Over::Udp {
            self.line = open(self.server, self.over).await?;
        }
        Ok(())
    }

    /// How it speaks.
    pub fn over(&self) -> Over {
        self.over
    }

    /// `sip:USER@example.com`.
    pub fn aor(&self) -> String {
        format!("sip:{}@example.com", self.user)
    }

    /// Registers for ten minutes, or ends its registration.
    pub async fn register(&mut self, stays: bool) -> Result<Message, Lost> {
        let contact = format!("{};+sip.instance=\"<{}>\"", self.contact(), self.instance);
        let more = format!("Contact: {contact}\r\nExpires: {}\r\n", if stays { 600 } else { 0 });
        let aor = self.aor();
        self.asks("REGISTER", "sip:example.com", &aor, &more, "").await
    }

    /// Publishes a document, in the place of the one named by `etag`; without a body it refreshes that.
    pub async fn publish(&mut self, body: &str, etag: Option<&str>, stays: bool) -> Result<Message, Lost> {
        let etag = etag.map_or(String::new(), |etag| format!("SIP-If-Match: {etag}\r\n"));
        let kind = if body.is_empty() { "" } else { "Content-Type: application/pidf+xml\r\n" };
        let seconds = if stays { 600 } else { 0 };
        let (more, aor) = (format!("Event: presence\r\nExpires: {seconds}\r\n{etag}{kind}"), self.aor());
        self.asks("PUBLISH", &aor, &aor, &more, body).await
    }

    /// Subscribes to a user; the dialog that the 200 made.
    pub async fn subscribe(&mut self, target: &str) -> Result<Dialog, Lost> {
        let (call_id, local_tag) = (format!("watch{}", unique()), format!("w{}", unique()));
        let mut dialog =
            Dialog { target: target.to_owned(), call_id, local_tag, remote_tag: String::new(), cseq: 0 };
        let answer = self.resubscribe(&mut dialog, true).await?;
        let tag = answer.to().ok().and_then(|to| to.tag().map(str::to_owned));
        dialog.remote_tag = tag.ok_or_else(|| Lost(format!("SUBSCRIBE: {answer:?}")))?;
        Ok(dialog)
    }

    /// Refreshes a subscription, or ends it.
    pub async fn resubscribe(&mut self, dialog: &mut Dialog, stays: bool) -> Result<Message, Lost> {
        dialog.cseq += 1;
        let Dialog { target, call_id, local_tag, remote_tag, cseq } = dialog.clone();
        let remote_tag = if remote_tag.is_empty() { remote_tag } else { format!(";tag={remote_tag}") };
        let (via, contact, aor) = (self.via(), self.contact(), self.aor());
        let text = format!(
            "SUBSCRIBE {target} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <{aor}>;tag={local_tag}\r\n\
             To: <{target}>{remote_tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} SUBSCRIBE\r\nContact: {contact}\r\n\
             Event: presence\r\nExpires: {}\r\nContent-Length: 0\r\n\r\n",
            if stays { 600 } else { 0 }
        );
        self.exchange(text, 200).await
    }

    /// Calls a user, and leaves it ringing. The first answer, which may be a refusal.
    pub async fn call(&mut self, target: &str, call_id: &str) -> Result<Message, Lost> {
        let (via, contact, aor, tag) = (self.via(), self.contact(), self.aor(), unique());
        let text = format!(
            "INVITE {target} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <{aor}>;tag={tag}\r\nTo: <{target}>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: {contact}\r\nContent-Length: 0\r\n\r\n"
        );
        self.exchange(text, 101).await
    }

    /// Reads, and answers, until `done` is content with what has come.
    pub async fn until(&mut self, what: &str, done: impl Fn(&Phone) -> bool) -> Result<(), Lost> {
        while !done(self) {
            self.hear(what).await?;
        }
        Ok(())
    }

    fn contact(&self) -> String {
        let (host, transport) = match &self.line {
            Line::Udp(socket) => (here(socket.local_addr()), "udp"),
            Line::Tcp(socket, _) => (here(socket.local_addr()), "tcp"),
            Line::Ws(_) => ("phone.invalid".to_owned(), "ws"),
        };
        format!("<sip:{}@{host};transport={transport}>", self.user)
    }

    fn via(&self) -> String {
        let transport = match self.over {
            Over::Udp => "UDP",
            Over::Tcp => "TCP",
            Over::Ws => "WS",
        };
        format!("SIP/2.0/{transport} phone.invalid;branch=z9hG4bK{};rport", unique())
    }

    async fn asks(
        &mut self,
        method: &str,
        target: &str,
        to: &str,
        more: &str,
        body: &str,
    ) -> Result<Message, Lost> {
        let (via, aor, n) = (self.via(), self.aor(), unique());
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <{aor}>;tag={n}\r\nTo: <{to}>\r\n\
             Call-ID: {n}@phone\r\nCSeq: {n} {method}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.exchange(text, 200).await
    }

    /// Sends a request and waits for the answer to it, of this status at least.
    async fn exchange(&mut self, text: String, least: u16) -> Result<Message, Lost> {
        let sent = Message::parse(text.into()).map_err(|e| Lost(format!("our own request: {e}")))?;
        self.send(sent.raw()).await?;
        let branch = |message: &Message| {
            message.via().ok().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default()
        };
        loop {
            let message = self.hear(sent.method().as_str()).await?;
            let status = message.status().map_or(0, Status::code);
            if status >= least && branch(&message) == branch(&sent) {
                return Ok(message);
            }
        }
    }

    /// The next message, answered if it is a request.
    async fn hear(&mut self, what: &str) -> Result<Message, Lost> {
        let octets = timeout(PATIENCE, self.read())
            .await
            .map_err(|_| Lost(format!("{what}: nothing came to {} over {:?}", self.user, self.over)))??;
        let message = Message::parse(octets).map_err(|e| Lost(format!("{what}: unreadable: {e}")))?;
        let call_id = message.call_id().to_owned();
        let status = match message.method() {
            _ if !message.is_request() => return Ok(message),
            Method::Ack => return Ok(message),
            Method::Invite => {
                self.rung.push(call_id);
                Status::new(180).unwrap_or(Status::OK)
            }
            Method::Notify => {
                let body = String::from_utf8_lossy(message.body()).into_owned();
                self.notified.push((call_id, body));
                Status::OK
            }
            _ => Status::OK,
        };
        let answer = ResponseBuilder::new(&message, status)
            .to_tag(&self.instance[self.instance.len() - 6..])
            .echo(Name::RecordRoute)
            .header(Name::Contact, self.contact())
            .build()
            .map_err(|e| Lost(format!("our answer: {e}")))?;
        self.send(&answer).await?;
        Ok(message)
    }

    async fn send(&mut self, octets: &[u8]) -> Result<(), Lost> {
        match &mut self.line {
            Line::Udp(socket) => socket.send_to(octets, self.server).await.map(drop).map_err(lost),
            Line::Tcp(socket, _) => socket.write_all(octets).await.map_err(lost),
            Line::Ws(socket) => {
                let text = String::from_utf8_lossy(octets).into_owned();
                socket.send(tungstenite::Message::text(text)).await.map_err(lost)
            }
        }
    }

    async fn read(&mut self) -> Result<Bytes, Lost> {
        match &mut self.line {
            Line::Udp(socket) => {
                let mut buffer = vec![0; 65_536];
                let length = socket.recv(&mut buffer).await.map_err(lost)?;
                buffer.truncate(length);
                Ok(buffer.into())
            }
            Line::Tcp(socket, stream) => loop {
                match stream.take().map_err(lost)? {
                    Some(Unit::Message(octets)) => return Ok(octets),
                    Some(Unit::KeepAlive(_)) => {}
                    None if socket.read_buf(stream.buffer()).await.map_err(lost)? == 0 => {
                        return Err(lost("the server closed"));
                    }
                    None => {}
                }
            },
            Line::Ws(socket) => loop {
                match socket.next().await {
                    Some(Ok(tungstenite::Message::Text(text))) => {
                        return Ok(Bytes::copy_from_slice(text.as_bytes()));
                    }
                    Some(Ok(tungstenite::Message::Binary(octets))) => return Ok(octets),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(lost(error)),
                    None => return Err(lost("the server closed")),
                }
            },
        }
    }
}

async fn open(server: SocketAddr, over: Over) -> Result<Line, Lost> {
    if over == Over::Udp {
        return UdpSocket::bind("127.0.0.1:0").await.map(Line::Udp).map_err(lost);
    }
    let socket = TcpStream::connect(server).await.map_err(lost)?;
    socket.set_nodelay(true).map_err(lost)?;
    if over == Over::Tcp {
        return Ok(Line::Tcp(socket, Stream::new(Limits::DEFAULT)));
    }
    let mut request = format!("ws://{server}/ws").into_client_request().map_err(lost)?;
    let sip = tungstenite::http::HeaderValue::from_static("sip");
    request.headers_mut().insert("Sec-WebSocket-Protocol", sip);
    let (socket, _) = tokio_tungstenite::client_async(request, socket).await.map_err(lost)?;
    Ok(Line::Ws(Box::new(socket)))
}

fn lost(why: impl std::fmt::Display) -> Lost {
    Lost(why.to_string())
}

fn here(address: std::io::Result<SocketAddr>) -> String {
    address.map_or("phone.invalid".to_owned(), |address| address.to_string())
}

/// A number that no other in this process equals.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
