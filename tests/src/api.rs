//! The HTTP API, called as simply as it can be: one connection a call.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Lost, PATIENCE};
use crate::server::TOKEN;

/// Calls `METHOD path` with the tests' token; the status and the JSON of the answer (null when there is none).
pub async fn call(
    server: SocketAddr,
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(u16, Value), Lost> {
    let say = |e: std::io::Error| Lost(format!("{method} {path}: {e}"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(server).await.map_err(say)?;
    stream.write_all(head.as_bytes()).await.map_err(say)?;
    stream.write_all(body).await.map_err(say)?;
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.map_err(|_| Lost(format!("{method} {path}: no answer")))?.map_err(say)?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, serde_json::from_str(body.trim()).unwrap_or(Value::Null)))
}
