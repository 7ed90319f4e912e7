//! What an operator reads in the log.

use crate::harness::{Client, authorization};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

/// A server that logs as JSON, and the lines that it writes.
struct Logged {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
    address: SocketAddr,
}

impl Logged {
    fn start(more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
            .args(["serve", "--listen", "127.0.0.1:0", "--user", "alice:secret"])
            .args(more)
            .env_clear()
            .env("TRIBUTARY_LOG_FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = Box::new(lines.map(Result::unwrap));
        let address = lines.find_map(|line| json(&line)["address"].as_str()?.parse().ok()).unwrap();
        Self { child, lines, address }
    }

    /// The next line with these words.
    fn line(&mut self, words: &str) -> String {
        self.lines.find(|line| line.contains(words)).unwrap()
    }
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_login_is_a_line_with_who_from_where_and_why() {
    let mut server = Logged::start(&[]);
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let peer = stream.local_addr().unwrap().to_string();
    let mut client = Client::over(stream, "ws", "127.0.0.1", server.address, "alice").await;
    let uri = "sip:example.com";
    for (name, why) in [("alice", "password"), ("nobody", "no_such_user"), ("alice@example.org", "domain")] {
        let challenge = client.does(401, "REGISTER", uri, "", "").await;
        let guess = authorization(&challenge, name, "a guess", "REGISTER", uri);
        client.does(401, "REGISTER", uri, &guess, "").await;
        let text = server.line("REGISTER answered 401");
        let line = json(&text);
        assert_eq!(line["detail"], why, "{line}");
        let span = &line["span"];
        assert_eq!((&span["peer"], &span["transport"]), (&peer.clone().into(), &"WS".into()), "{line}");
        assert_eq!(span["from"], "sip:alice@example.com", "{line}");
        // What the documentation tells fail2ban to look for, in that order.
        assert!(text.find("\"detail\":").unwrap() < text.find("\"peer\":\"127.0.0.1:").unwrap(), "{text}");
    }
}

#[test]
fn a_tls_handshake_that_fails_is_a_line_with_the_peer_and_the_cause() {
    let authority = crate::tls::Authority::new();
    let (certificate, key) = authority.issue("server", |_| {});
    let mut server = Logged::start(&["--certificate", &certificate, "--key", &key]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let line = json(&server.line("the TLS handshake failed"));
    assert_eq!(line["peer"], stream.local_addr().unwrap().to_string(), "{line}");
    assert!(!line["error"].as_str().unwrap().is_empty(), "{line}");
}

#[test]
fn what_policy_refuses_is_a_line_with_the_setting_or_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tributary.toml");
    let settings = "[sip]\nudp = [\"127.0.0.1:0\"]\n[egress]\nallow = [\"127.0.0.1:1;transport=tcp\"]\n\
                    [[peers]]\nname = \"gateway\"\ndomains = [\"gateway.example\"]\naddresses = [\"127.0.0.1\"]\n";
    std::fs::write(&file, settings).unwrap();
    let mut server = Logged::start(&["--config", file.to_str().unwrap()]);
    let to = json(&server.line("listening for SIP"))["address"].as_str().unwrap().to_owned();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let says = |number: u32, from: &str, uri: &str| {
        let own = socket.local_addr().unwrap();
        let text = format!(
            "MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@{from}>;tag=1\r\nTo: <{uri}>\r\nCall-ID: {number}\r\nCSeq: 1 MESSAGE\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(text.as_bytes(), &to).unwrap();
    };
    says(1, "elsewhere.example", "sip:alice@example.com");
    let line = json(&server.line("MESSAGE answered 403"));
    assert_eq!(line["detail"], "From is of none of the trusted server's domains (peers.domains)", "{line}");
    assert_eq!(line["span"]["server"], "gateway", "{line}");
    says(2, "gateway.example", "sip:carol@partner.example");
    let line = json(&server.line("MESSAGE answered 403"));
    assert_eq!(line["detail"], "another domain, and not in egress.allow", "{line}");
    says(3, "gateway.example", "sip:carol@127.0.0.1:1;transport=tcp");
    let line = json(&server.line("no way to another server"));
    assert!(line["cause"].as_str().unwrap().starts_with("127.0.0.1:1: Connection refused"), "{line}");
}
