//! HTTPS and SIP over secure WebSocket: what a client gets, and what keeps the server from starting.

use crate::harness::{Answer, Client, authorization, exchange, server, within};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls_pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tributary::config::{Config, User};
use tributary::run::Running;

/// A certificate authority, and the folder with what it issued.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        let (certificate, pem) = (own.der().clone(), own.pem());
        Self { pem, folder: tempfile::tempdir().unwrap(), issuer: Issuer::new(params, key), certificate }
    }

    /// Issues a certificate for `localhost` and gives the paths of it and of its key.
    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            self.write(&format!("{name}.pem"), &certificate.pem()),
            self.write(&format!("{name}.key"), &key.serialize_pem()),
        )
    }

    /// Its own certificate, for those who are to trust it.
    pub(crate) fn pem(&self) -> String {
        self.pem.clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A server with TLS and the user alice, whose password is `secret`.
    pub(crate) async fn server(&self, change: impl FnOnce(&mut Config)) -> Running {
        let (certificate, key) = self.issue("server", |_| {});
        server(|config| {
            config.tls.certificate = Some(certificate);
            config.tls.key = Some(key);
            config.server.open = false;
            config.users =
                vec![User { name: "alice".into(), password: Some("secret".into()), ..User::default() }];
            change(config);
        })
        .await
    }

    /// A connection of a client that trusts this authority and nobody else.
    pub(crate) async fn connect(
        &self,
        server: SocketAddr,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_to("localhost", server, version, &[]).await
    }

    /// The same for a client that asks for `name` and offers `protocols`.
    pub(crate) async fn connect_to(
        &self,
        name: &'static str,
        server: SocketAddr,
        version: &'static SupportedProtocolVersion,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(server).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        within("a TLS handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    /// GET over HTTPS.
    pub(crate) async fn get(
        &self,
        server: SocketAddr,
        version: &'static SupportedProtocolVersion,
        path: &str,
    ) -> Answer {
        exchange(self.connect(server, version).await.unwrap(), request(path, server).as_bytes()).await
    }

    pub(crate) async fn secure_client(
        &self,
        server: SocketAddr,
        version: &'static SupportedProtocolVersion,
    ) -> Client<TlsStream<TcpStream>> {
        let stream = self.connect(server, version).await.unwrap();
        Client::over(stream, "wss", &format!("localhost:{}", server.port()), server, "alice").await
    }

    /// Asks for the metrics, over TLS, until the line is there.
    pub(crate) async fn wait_for_metric(&self, server: &Running, line: &str) {
        within(line, async {
            loop {
                let metrics = self.get(server.address, &TLS13, "/metrics").await;
                if String::from_utf8(metrics.body).unwrap().contains(line) {
                    return;
                }
            }
        })
        .await;
    }
}

/// The text of a GET whose answer ends the connection.
pub(crate) fn request(path: &str, server: SocketAddr) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", server.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_the_page_and_its_sip_socket_over_either_version_of_tls() {
    let authority = Authority::new();
    for version in [&TLS13, &TLS12] {
        let server = authority.server(|_| {}).await;
        let health = authority.get(server.address, version, "/healthz").await;
        assert_eq!(health.status, 200, "{health:?}");

        let mut alice = authority.secure_client(server.address, version).await;
        let domain = "sip:example.com";
        let refused = alice.does(401, "REGISTER", domain, "Expires: 600\r\n", "").await;
        let wrong = authorization(&refused, "alice", "guess", "REGISTER", domain);
        alice.does(401, "REGISTER", domain, &format!("Expires: 600\r\n{wrong}"), "").await;
        let right = authorization(&refused, "alice", "secret", "REGISTER", domain);
        let answer = alice.does(200, "REGISTER", domain, &format!("Expires: 600\r\n{right}"), "").await;
        assert!(answer.contains("\r\nVia: SIP/2.0/WSS alice.invalid;branch=z9hG4bKalice3"), "{answer}");
        assert!(answer.contains("alice@alice.invalid;transport=ws"), "{answer}");

        // What the server sends of itself says that it came by a secure socket, too.
        let aor = "sip:alice@example.com";
        let credentials = authorization(&refused, "alice", "secret", "SUBSCRIBE", aor);
        let more = format!("Event: presence\r\nExpires: 600\r\n{credentials}");
        alice.does(200, "SUBSCRIBE", aor, &more, "").await;
        let notify = alice.notified().await;
        assert!(notify.contains("\r\nVia: SIP/2.0/WSS "), "{notify}");
        // Or the end would wait for its answer to the close frame.
        drop(alice);
        assert!(server.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_secure_socket_ends_in_order_and_not_as_if_cut_off() {
    let authority = Authority::new();
    let server = authority.server(|_| {}).await;
    let mut stream = authority.connect(server.address, &TLS13).await.unwrap();
    let handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                     Sec-WebSocket-Protocol: sip\r\n\r\n";
    // A masked close frame without a code goes right behind the handshake.
    let close = [0x88, 0x80, 1, 2, 3, 4];
    stream.write_all(&[handshake.as_bytes(), &close].concat()).await.unwrap();
    let mut all = Vec::new();
    // Without the server's close_notify this is an error.
    within("the end of the connection", stream.read_to_end(&mut all)).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 101 ") && all.ends_with(b"\r\n\r\n\x88\x00"), "{all:?}");
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_or_does_not_trust_the_certificate_is_counted_and_harms_nobody() {
    let authority = Authority::new();
    let server = authority.server(|_| {}).await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // It ends with a TLS alert, and maybe with a reset for what was not read of the request.
    let _ = within("the end of the connection", plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    authority.wait_for_metric(&server, "connections_refused_total{reason=\"tls\"} 1").await;

    let stranger = Authority::new();
    let error = stranger.connect(server.address, &TLS13).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    authority.wait_for_metric(&server, "connections_refused_total{reason=\"tls\"} 2").await;
    assert_eq!(authority.get(server.address, &TLS12, "/healthz").await.status, 200);
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_nothing_in_plain_text_where_tls_is_spoken() {
    let authority = Authority::new();
    let server = authority.server(|config| config.websocket.connections_per_address = 1).await;
    let one = authority.connect(server.address, &TLS13).await.unwrap();
    let mut two = TcpStream::connect(server.address).await.unwrap();
    let mut answer = Vec::new();
    within("the end of the connection", two.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"");
    drop(one);
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_peer_is_let_go_in_time_and_does_not_hold_up_the_end() {
    let authority = Authority::new();
    let server = authority.server(|config| config.http.handshake_seconds = 1).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut rest = Vec::new();
    within("the end of the connection", silent.read_to_end(&mut rest)).await.unwrap();
    authority.wait_for_metric(&server, "connections_refused_total{reason=\"tls_timeout\"} 1").await;
    assert!(server.stop().await);

    let server = authority.server(|config| config.http.handshake_seconds = 3_600).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    // Connections are accepted in their order: once this is answered, the silent one is inside.
    assert_eq!(authority.get(server.address, &TLS13, "/healthz").await.status, 200);
    assert!(server.stop().await);
    within("the end of the connection", silent.read_to_end(&mut rest)).await.unwrap();
}

/// Runs the program, which must refuse to start, and looks for all of `expect` in what it says.
fn refused(args: &[&str], expect: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_tributary")).args(args).env_clear().output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(!done.status.success(), "{args:?}");
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    for expect in expect {
        assert!(said.contains(expect), "{args:?}: no {expect:?} in: {said}");
    }
}

#[test]
fn what_tls_cannot_work_with_is_refused_at_start_by_key_and_file() {
    let authority = Authority::new();
    let (good, good_key) = authority.issue("good", |_| {});
    let (_, other_key) = authority.issue("other", |_| {});
    let (old, old_key) = authority.issue("old", |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let (early, early_key) = authority.issue("early", |params| params.not_before = date_time_ymd(4000, 1, 1));
    let empty = authority.write("empty.pem", "");
    let missing = authority.path("missing.pem").to_str().unwrap().to_owned();
    let cases: &[(&str, &str, &[&str])] = &[
        (&missing, &good_key, &["tls.certificate: cannot read", "missing.pem", "check the path"]),
        (&good, &missing, &["tls.key: cannot read", "missing.pem", "check the path"]),
        (&empty, &good_key, &["tls.certificate: ", "empty.pem", "no certificate in it", "chain in PEM"]),
        (&good, &empty, &["tls.key: ", "empty.pem", "one private key in PEM"]),
        (&good_key, &good, &["tls.certificate: ", "good.key", "no certificate in it"]),
        (&good, &other_key, &["tls.certificate: ", "good.pem", "tls.key: ", "other.key", "together"]),
        (&old, &old_key, &["tls.certificate: ", "old.pem", "it expired ", " days ago", "renew it"]),
        (&early, &early_key, &["tls.certificate: ", "early.pem", "it becomes valid in ", "clock"]),
    ];
    for (certificate, key, expect) in cases {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--user", "alice:secret"];
        refused(&[&serve[..], &["--certificate", certificate, "--key", key]].concat(), expect);
        // A dry run finds the same.
        let file = authority.write(
            "tributary.toml",
            &format!(
                "[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n[[users]]\nname = \"alice\"\npassword = \"secret\"\n"
            ),
        );
        refused(&["check-config", &file], expect);
    }
    refused(&["serve", "--open", "--certificate", &good], &["--key"]);
}

#[test]
fn outside_loopback_both_tls_and_users_are_needed_and_each_refusal_says_what_to_do() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("good", |_| {});
    let tls = ["--certificate", &certificate, "--key", &key];
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:443"] {
        let serve = ["serve", "--listen", address];
        refused(
            &[&serve[..], &["--user", "alice:secret"]].concat(),
            &[
                "server.listen: ",
                address,
                "there is no TLS",
                "set tls.certificate and tls.key, or listen on 127",
            ],
        );
        refused(
            &[&serve[..], &["--open"], &tls].concat(),
            &["server.open: ", "no authentication", "remove server.open and add [[users]], or listen on 127"],
        );
        refused(&[&serve[..], &tls].concat(), &["users: there are no users", "add a [[users]] table"]);
    }
    // With both it is fine.
    let file = authority.write(
        "tributary.toml",
        &format!(
            "[server]\nlisten = \"0.0.0.0:443\"\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n\
             [[users]]\nname = \"alice\"\npassword = \"secret\"\n"
        ),
    );
    let done =
        Command::new(env!("CARGO_BIN_EXE_tributary")).args(["check-config", &file]).env_clear().output();
    let done = done.unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && said.contains("0.0.0.0:443 with TLS"), "{said}");
}
