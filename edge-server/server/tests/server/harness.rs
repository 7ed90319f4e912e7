//! A server inside the test, a small HTTP client, and a small SIP over WebSocket client.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tributary::config::Config;
use tributary::run::{Running, Surroundings, start};
use tributary_sip::digest::Asked;
use tributary_sip::{Challenge, DigestChallenge, Message, Name, digest};

pub(crate) const TOKEN: &str = "token-of-the-tests";

/// Longer than anything takes; a wait that reaches it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen"),
    }
}

/// An open server on a free port, in memory, changed by `change`.
pub(crate) async fn server(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.open = true;
    config.server.shards = 2;
    config.api.token = Some(TOKEN.to_owned());
    change(&mut config);
    start(config.checked().unwrap(), Surroundings::default()).await.unwrap()
}

/// What an HTTP request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error, after a look at its shape.
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        assert!(error["fix"].is_string(), "{json}");
        error["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Sends a request as it stands and reads the whole answer.
pub(crate) async fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    exchange(TcpStream::connect(address).await.unwrap(), request).await
}

/// Sends a request over a connection that its answer ends.
pub(crate) async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Answer {
    within("an answer", async {
        stream.write_all(request).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("no head came back");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    })
    .await
}

/// A request of the API with the token.
pub(crate) async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<(&str, &[u8])>,
) -> Answer {
    ask(address, method, path, &[("Authorization", &format!("Bearer {TOKEN}"))], body).await
}

pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<(&str, &[u8])>,
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let (kind, body) = body.unwrap_or(("", b""));
    if !kind.is_empty() {
        request.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    raw(address, &[request.as_bytes(), body].concat()).await
}

/// Asks for the metrics until the line is there.
pub(crate) async fn wait_for_metric(server: &Running, line: &str) {
    within(line, async {
        loop {
            let metrics = ask(server.address, "GET", "/metrics", &[], None).await;
            if String::from_utf8(metrics.body).unwrap().contains(line) {
                return;
            }
        }
    })
    .await;
}

/// A SIP client over one WebSocket.
pub(crate) struct Client<S = TcpStream> {
    socket: WebSocketStream<S>,
    transport: &'static str,
    server: SocketAddr,
    user: String,
    sequence: u32,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr, user: &str) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        Self::over(stream, "ws", &server.to_string(), server, user).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Opens a WebSocket by `scheme` (`ws` or `wss`) on a connection to `host`, which is `server`.
    pub(crate) async fn over(stream: S, scheme: &str, host: &str, server: SocketAddr, user: &str) -> Self {
        let mut request = format!("{scheme}://{host}/ws").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "sip".parse().unwrap());
        let (socket, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "sip");
        let transport = if scheme == "wss" { "WSS" } else { "WS" };
        Self { socket, transport, server, user: user.to_owned(), sequence: 0 }
    }

    /// The two directions of its socket, to be used at the same time.
    pub(crate) fn split(self) -> (SplitSink<WebSocketStream<S>, Frame>, SplitStream<WebSocketStream<S>>) {
        self.socket.split()
    }

    /// The text of a request; `more` are whole header lines.
    pub(crate) fn request(&mut self, method: &str, target: &str, more: &str, body: &str) -> String {
        self.sequence += 1;
        let (user, n, server, transport) = (&self.user, self.sequence, self.server, self.transport);
        let to = if target.contains('@') { target.to_owned() } else { format!("sip:{user}@example.com") };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{transport} {user}.invalid;branch=z9hG4bK{user}{n}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag={user}{n}\r\nTo: <{to}>\r\n\
             Call-ID: {user}{n}@{server}\r\nCSeq: {n} {method}\r\n\
             Contact: <sip:{user}@{user}.invalid;transport=ws>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    /// Sends and says whether the connection still took it.
    pub(crate) async fn try_send(&mut self, text: &str) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.socket.send(Frame::text(text)).await
    }

    pub(crate) async fn send_frame(&mut self, frame: Frame) {
        self.socket.send(frame).await.unwrap();
    }

    /// The next frame; pings are answered on the way.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        within("a frame", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                    Some(Ok(frame)) => return Some(frame),
                    Some(Err(_)) | None => return None,
                }
            }
        })
        .await
    }

    /// The next message's text.
    pub(crate) async fn message(&mut self) -> String {
        match self.frame().await {
            Some(Frame::Text(text)) => text.to_string(),
            other => panic!("{}: no message but {other:?}", self.user),
        }
    }

    /// Sends a request and reads its answer, which must have this status.
    pub(crate) async fn does(
        &mut self,
        status: u16,
        method: &str,
        target: &str,
        more: &str,
        body: &str,
    ) -> String {
        let request = self.request(method, target, more, body);
        self.send(&request).await;
        let answer = self.message().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
        answer
    }

    pub(crate) async fn publish(&mut self, status: u16, note: &str) -> String {
        let aor = format!("sip:{}@example.com", self.user);
        let more = "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n";
        self.does(status, "PUBLISH", &aor, more, &document(&aor, note)).await
    }

    /// Publishes in the place of what `tag` names, and gives the new entity-tag. Which of two publications of
    /// one millisecond is the newer would be anybody's guess.
    pub(crate) async fn republish(&mut self, tag: &str, note: &str) -> String {
        let aor = format!("sip:{}@example.com", self.user);
        let more = format!(
            "Event: presence\r\nExpires: 600\r\nSIP-If-Match: {tag}\r\nContent-Type: application/pidf+xml\r\n"
        );
        entity_tag(&self.does(200, "PUBLISH", &aor, &more, &document(&aor, note)).await)
    }

    /// Subscribes and reads the answer and the first NOTIFY, which is answered.
    pub(crate) async fn subscribe(&mut self, target: &str) -> String {
        self.does(200, "SUBSCRIBE", target, "Event: presence\r\nExpires: 600\r\n", "").await;
        self.notified().await
    }

    /// Reads a NOTIFY and answers it.
    pub(crate) async fn notified(&mut self) -> String {
        let notify = self.message().await;
        assert!(notify.starts_with("NOTIFY "), "{notify}");
        let message = Message::parse(notify.clone().into()).unwrap();
        self.send(&agreement(&message)).await;
        notify
    }
}

/// The entity-tag in the answer to a PUBLISH.
pub(crate) fn entity_tag(answer: &str) -> String {
    answer.lines().find_map(|line| line.strip_prefix("SIP-ETag: ")).unwrap().trim_end().to_owned()
}

/// The Authorization line for the strongest challenge of a 401.
pub(crate) fn authorization(refused: &str, name: &str, password: &str, method: &str, uri: &str) -> String {
    let refused = Message::parse(refused.to_owned().into()).unwrap();
    let challenges: Vec<DigestChallenge<'_>> = refused
        .headers(Name::WwwAuthenticate)
        .filter_map(|value| Challenge::parse(value)?.digest().cloned())
        .collect();
    let challenge = digest::strongest(&challenges).expect("no challenge came");
    let value = digest::answer(challenge, name, password, Asked::new(method, uri), "0a4f113b", 1).unwrap();
    format!("Authorization: {value}\r\n")
}

/// The 200 to a NOTIFY.
pub(crate) fn agreement(notify: &Message) -> String {
    assert_eq!(notify.method().as_str(), "NOTIFY");
    let copied: String = notify
        .lines()
        .filter(|(_, name, _)| ["Via", "From", "To", "Call-ID", "CSeq"].contains(name))
        .map(|(_, name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n")
}

/// A small document with one note.
pub(crate) fn document(entity: &str, note: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{entity}\">\
         <tuple id=\"t1\"><status><basic>open</basic></status><note>{note}</note></tuple></presence>"
    )
}
