//! The WebSocket handshake from outside: each refusal with its status and its code.

use crate::harness::{raw, server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const GOOD: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Protocol", "sip"),
];

fn handshake(line: &str, host: &str, change: &[(&str, &str)]) -> String {
    let mut request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n");
    let kept = GOOD.iter().filter(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
    for (name, value) in kept.chain(change).filter(|(_, value)| !value.is_empty()) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request + "\r\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn points_1_and_4_each_wrong_handshake_is_refused_with_its_own_status() {
    let server = server(|_| {}).await;
    let host = server.address.to_string();
    let cases: &[(&str, &[(&str, &str)], u16, &str)] = &[
        ("GET /ws", &[("Sec-WebSocket-Protocol", "")], 400, "subprotocol"),
        ("GET /ws", &[("Sec-WebSocket-Protocol", "xmpp, msrp")], 400, "subprotocol"),
        ("GET /ws", &[("Sec-WebSocket-Key", "")], 400, "key"),
        ("GET /ws", &[("Sec-WebSocket-Key", "dG9vIHNob3J0")], 400, "key"),
        ("GET /ws", &[("Sec-WebSocket-Version", "8")], 426, "version"),
        ("GET /ws", &[("Connection", "close")], 400, "connection"),
        ("GET /ws", &[("Origin", "https://evil.example")], 403, "origin"),
        ("GET /ws", &[("Origin", "null")], 403, "origin"),
        ("GET /elsewhere", &[("Connection", "close, upgrade")], 404, "path"),
        ("POST /ws", &[("Content-Length", "0"), ("Connection", "close")], 405, "method"),
    ];
    for (line, change, status, code) in cases {
        let mut request = handshake(line, &host, change);
        if !request.contains("close") {
            request = request.replacen("\r\n\r\n", "\r\nX-Ends: here\r\n\r\n", 1);
        }
        let answer = first_answer(&server, &request).await;
        assert_eq!(answer.0, *status, "{request}{}", answer.1);
        assert!(answer.1.contains(&format!("\"code\":\"{code}\"")), "{request}{}", answer.1);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_1_a_good_handshake_names_sip_alone() {
    let server = server(|_| {}).await;
    let host = server.address.to_string();
    let origin = format!("http://{host}");
    for change in [
        &[("Sec-WebSocket-Protocol", "xmpp, sip")][..],
        &[("Origin", origin.as_str())],
        &[("Connection", "keep-alive, Upgrade")],
    ] {
        let (status, text) = first_answer(&server, &handshake("GET /ws", &host, change)).await;
        assert_eq!(status, 101, "{text}");
        let lower = text.to_ascii_lowercase();
        assert!(lower.contains("sec-websocket-protocol: sip\r\n"), "{text}");
        assert!(lower.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{text}");
    }
    server.stop().await;
}

/// Status and text of the answer's head and body, for answers that keep the connection open.
async fn first_answer(server: &tributary::run::Running, request: &str) -> (u16, String) {
    crate::harness::within("an answer", async {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        loop {
            let mut buffer = [0; 4_096];
            let count = stream.read(&mut buffer).await.unwrap();
            text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                let status = text.split(' ').nth(1).unwrap().parse().unwrap();
                return (status, text.clone());
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_from_an_address_is_told_so() {
    let server = server(|config| config.websocket.connections_per_address = 2).await;
    let one = TcpStream::connect(server.address).await.unwrap();
    let two = TcpStream::connect(server.address).await.unwrap();
    let refused = raw(server.address, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!((refused.status, refused.error().as_str()), (503, "full"));
    assert_eq!(refused.header("retry-after"), Some("30"));
    drop((one, two));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_opens_connections_too_fast_is_turned_away_and_another_is_not() {
    let server = server(|config| {
        config.overload.exempt.clear();
        config.overload.connections_per_address = 1;
        config.overload.connections_per_address_burst = 2;
    })
    .await;
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let refused = loop {
        let answer = raw(server.address, request).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((refused.status, refused.error().as_str()), (503, "full"));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    assert_eq!(crate::harness::exchange(stream, request).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_no_request_is_let_go() {
    let server = server(|config| config.http.handshake_seconds = 1).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"GET /ws HTT").await.unwrap();
    let mut rest = Vec::new();
    crate::harness::within("the end of the connection", silent.read_to_end(&mut rest)).await.unwrap();
    server.stop().await;
}
