//! A SIP client over WebSocket for tests: it registers, publishes and watches.
//!
//! Requests are written with the builders of `tributary-sip`; their methods are rsip's typed ones, so
//! that both libraries' idea of a method meets here. What is received is read by `tributary-sip`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};
use tributary_sip::{Message, Method, Name, RequestBuilder, ResponseBuilder, Status};

/// How long a client waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Why a client could not go on: the connection ended, or what it waited for did not come.
#[derive(Debug)]
pub struct Lost(pub String);

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn lost(what: &str, why: impl std::fmt::Display) -> Lost {
    Lost(format!("{what}: {why}"))
}

/// One user agent on one connection.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    user: String,
    host: String,
    /// Requests that came while an answer was waited for.
    waiting: VecDeque<Message>,
}

/// What a publisher learns from a 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The status code.
    pub status: u16,
    /// SIP-ETag, empty when there was none.
    pub etag: String,
}

impl Client {
    /// Connects as `user` of `example.com`.
    pub async fn connect(server: SocketAddr, user: &str) -> Result<Client, Lost> {
        let stream = TcpStream::connect(server).await.map_err(|e| lost("connect", e))?;
        stream.set_nodelay(true).map_err(|e| lost("connect", e))?;
        let mut request =
            format!("ws://{server}/ws").into_client_request().map_err(|e| lost("handshake", e))?;
        let sip = tungstenite::http::HeaderValue::from_static("sip");
        request.headers_mut().insert("Sec-WebSocket-Protocol", sip);
        let (socket, _) = timeout(PATIENCE, tokio_tungstenite::client_async(request, stream))
            .await
            .map_err(|_| lost("handshake", "no answer"))?
            .map_err(|e| lost("handshake", e))?;
        Ok(Client {
            socket,
            user: user.into(),
            host: format!("{}.invalid", unique()),
            waiting: VecDeque::new(),
        })
    }

    /// `sip:USER@example.com`.
    pub fn aor(&self) -> String {
        format!("sip:{}@example.com", self.user)
    }

    /// Publishes `body` (or refreshes without one), replacing `etag`; `expires` 0 removes.
    pub async fn publish(
        &mut self,
        body: Option<&str>,
        etag: Option<&str>,
        expires: u32,
    ) -> Result<Published, Lost> {
        let aor = self.aor();
        let mut request = self.request(rsip::Method::Publish, &aor, 1);
        request = request.header(Name::Event, "presence").header(Name::Expires, expires);
        if let Some(etag) = etag {
            request = request.header(Name::SipIfMatch, etag);
        }
        let built = match body {
            Some(body) => request.body("application/pidf+xml", body.as_bytes()),
            None => request.build(),
        };
        let answer = self.exchange(built.map_err(|e| lost("PUBLISH", e))?).await?;
        let etag = answer.sip_etag().ok().flatten().map_or(String::new(), |etag| etag.as_str().to_owned());
        Ok(Published { status: status(&answer), etag })
    }

    /// Registers this connection for ten minutes; returns the status.
    pub async fn register(&mut self) -> Result<u16, Lost> {
        let contact = format!("<sip:{}@{};transport=ws>", self.user, self.host);
        let request = self
            .request(rsip::Method::Register, &self.aor(), 1)
            .header(Name::Expires, 600)
            .header(Name::Contact, contact)
            .build()
            .map_err(|e| lost("REGISTER", e))?;
        Ok(status(&self.exchange(request).await?))
    }

    /// Subscribes to the presence of `target`; returns the status. NOTIFYs come from [`Client::notify`].
    pub async fn subscribe(&mut self, target: &str) -> Result<u16, Lost> {
        let contact = format!("<sip:{}@{};transport=ws>", self.user, self.host);
        let request = self
            .request(rsip::Method::Subscribe, target, 1)
            .header(Name::Event, "presence")
            .header(Name::Expires, 600)
            .header(Name::Contact, contact)
            .build()
            .map_err(|e| lost("SUBSCRIBE", e))?;
        Ok(status(&self.exchange(request).await?))
    }

    /// The next NOTIFY, answered with 200.
    pub async fn notify(&mut self) -> Result<Message, Lost> {
        if let Some(message) = self.waiting.pop_front() {
            return Ok(message);
        }
        loop {
            let message = self.receive("NOTIFY").await?;
            if message.is_request() {
                return Ok(message);
            }
        }
    }

    /// The body of the first NOTIFY that `wanted` accepts.
    pub async fn notified(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String, Lost> {
        let waiting = async {
            loop {
                let message = self.notify().await?;
                let body = String::from_utf8_lossy(message.body()).into_owned();
                if wanted(&body) {
                    return Ok(body);
                }
            }
        };
        timeout(PATIENCE, waiting).await.map_err(|_| lost("NOTIFY", "the wanted one did not come"))?
    }

    fn request<'m>(&self, method: rsip::Method, uri: &str, cseq: u32) -> RequestBuilder<'m> {
        let (aor, host, mark) = (self.aor(), &self.host, unique());
        RequestBuilder::new(typed(method), uri)
            .header(Name::Via, format!("SIP/2.0/WS {host};branch=z9hG4bK{mark}"))
            .header(Name::From, format!("<{aor}>;tag={mark}"))
            .header(Name::To, format!("<{uri}>"))
            .header(Name::CallId, format!("{mark}@{host}"))
            .cseq(cseq)
    }

    /// Sends a request and waits for its final answer; requests that come meanwhile are kept.
    async fn exchange(&mut self, request: Bytes) -> Result<Message, Lost> {
        let sent = Message::parse(request.clone()).map_err(|e| lost("our own request", format!("{e:?}")))?;
        let text = String::from_utf8_lossy(&request).into_owned();
        self.socket.send(tungstenite::Message::text(text)).await.map_err(|e| lost("send", e))?;
        loop {
            let message = self.receive("answer").await?;
            if message.is_request() {
                self.waiting.push_back(message);
            } else if message.call_id() == sent.call_id() && status(&message) >= 200 {
                return Ok(message);
            }
        }
    }

    async fn receive(&mut self, what: &str) -> Result<Message, Lost> {
        loop {
            let frame =
                timeout(PATIENCE, self.socket.next()).await.map_err(|_| lost(what, "did not come"))?;
            let frame = frame.ok_or_else(|| lost(what, "the server closed"))?.map_err(|e| lost(what, e))?;
            let bytes = match frame {
                tungstenite::Message::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                tungstenite::Message::Binary(bytes) => bytes,
                tungstenite::Message::Close(_) => return Err(lost(what, "the server closed")),
                _ => continue,
            };
            let message = Message::parse(bytes).map_err(|e| lost(what, format!("unreadable: {e:?}")))?;
            if message.is_request() {
                let answer =
                    ResponseBuilder::new(&message, Status::OK).build().map_err(|e| lost("answer", e))?;
                let text = String::from_utf8_lossy(&answer).into_owned();
                self.socket.send(tungstenite::Message::text(text)).await.map_err(|e| lost("send", e))?;
            }
            return Ok(message);
        }
    }
}

/// The status code of a response, 0 of a request.
fn status(message: &Message) -> u16 {
    message.status().map_or(0, Status::code)
}

/// rsip's method as ours. Both know all that this client sends.
fn typed<'m>(method: rsip::Method) -> Method<'m> {
    match method {
        rsip::Method::Publish => Method::Publish,
        rsip::Method::Subscribe => Method::Subscribe,
        rsip::Method::Register => Method::Register,
        _ => Method::Options,
    }
}

/// A word that no other in this process equals.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:x}x{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A document of one device whose note is `note`.
pub fn document(entity: &str, device: &str, note: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" entity="{entity}">
  <tuple id="t-{device}"><status><basic>open</basic></status><dm:deviceID>urn:x-device:{device}</dm:deviceID>
    <contact priority="0.5">sip:{device}@192.0.2.1</contact><note>{note}</note></tuple>
</presence>
"#
    )
}
