//! Certificates that change while the server runs, and several at once.

use crate::harness::within;
use crate::tls::{Authority, request};
use rustls_pki_types::CertificateDer;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::version::TLS13;
use tributary::config::Certificate;

fn served(connection: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    connection.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Opens connections until one is served `certificate`.
async fn wait_for(authority: &Authority, server: SocketAddr, certificate: &CertificateDer<'static>) {
    within("the certificate", async {
        while served(&authority.connect(server, &TLS13).await.unwrap()) != *certificate {}
    })
    .await;
}

fn own(file: &str) -> CertificateDer<'static> {
    use rustls_pki_types::pem::PemObject as _;
    CertificateDer::from_pem_file(file).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_change_are_served_to_new_connections_and_open_ones_live_on() {
    let authority = Authority::new();
    let server = authority
        .server(|config| {
            config.tls.reload_seconds = 1;
            config.sip.tls = vec!["127.0.0.1:0".parse().unwrap()];
        })
        .await;
    let mut alice = authority.secure_client(server.address, &TLS13).await;
    alice.does(401, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;

    let not_after = rcgen::date_time_ymd(2345, 6, 7);
    let (certificate, _) = authority.issue("server", |params| params.not_after = not_after);
    wait_for(&authority, server.address, &own(&certificate)).await;
    wait_for(&authority, server.sip.tls[0], &own(&certificate)).await;
    authority.wait_for_metric(&server, "tls_reloads_total{result=\"loaded\"} ").await;
    let line = format!("tls_certificate_not_after_seconds {}\n", not_after.unix_timestamp());
    authority.wait_for_metric(&server, &line).await;
    alice.does(401, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    drop(alice);
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_pair_that_cannot_be_used_leaves_the_old_one_and_the_server_ready() {
    let authority = Authority::new();
    let server = authority.server(|config| config.tls.reload_seconds = 0).await;
    let first = own(authority.path("server.pem").to_str().unwrap());
    let (other, _) = authority.issue("other", |_| {});
    let mismatched = std::fs::read_to_string(other).unwrap();
    let (old, _) = authority.issue("old", |params| params.not_after = rcgen::date_time_ymd(2002, 1, 1));
    let expired = std::fs::read_to_string(old).unwrap();
    for (failed, text) in ["", "nonsense", &mismatched, &expired].iter().enumerate() {
        authority.write("server.pem", text);
        assert!(server.reload_certificates());
        let line = format!("tls_reloads_total{{result=\"failed\"}} {}", failed + 1);
        authority.wait_for_metric(&server, &line).await;
        assert_eq!(served(&authority.connect(server.address, &TLS13).await.unwrap()), first);
        assert_eq!(authority.get(server.address, &TLS13, "/readyz").await.status, 200);
    }
    std::fs::remove_file(authority.path("server.pem")).unwrap();
    server.reload_certificates();
    authority.wait_for_metric(&server, "tls_reloads_total{result=\"failed\"} 5").await;
    assert_eq!(served(&authority.connect(server.address, &TLS13).await.unwrap()), first);

    let (certificate, _) = authority.issue("server", |_| {});
    server.reload_certificates();
    wait_for(&authority, server.address, &own(&certificate)).await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_the_certificate_of_the_name_that_it_asks_for_or_else_the_first() {
    let authority = Authority::new();
    let mut issued = Vec::new();
    let server = authority
        .server(|config| {
            for (name, names) in [
                ("exact", ["sip.example.com", "www.example.com"]),
                ("star", ["*.example.com", "example.org"]),
            ] {
                let (certificate, key) = authority.issue(name, |params| {
                    params.subject_alt_names = names
                        .iter()
                        .map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap()))
                        .collect();
                });
                issued.push(own(&certificate));
                config.certificates.push(Certificate { certificate: Some(certificate), key: Some(key) });
            }
        })
        .await;
    let first = own(authority.path("server.pem").to_str().unwrap());
    for (name, expect) in [
        ("localhost", &first),
        ("sip.example.com", &issued[0]),
        ("SIP.Example.Com", &issued[0]),
        ("www.example.com", &issued[0]),
        ("else.example.com", &issued[1]),
        ("example.org", &issued[1]),
    ] {
        let connection = authority.connect_to(name, server.address, &TLS13, &[]).await.unwrap();
        assert_eq!(served(&connection), *expect, "{name}");
    }
    // Whoever asks for a name that none has, or for an address, finds out by the first.
    for name in ["a.b.example.com", "elsewhere.example", "127.0.0.1"] {
        let error = authority.connect_to(name, server.address, &TLS13, &[]).await.unwrap_err().to_string();
        assert!(error.contains("NotValidForName") || error.contains("not valid for name"), "{name}: {error}");
    }
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_may_offer_any_protocol_and_a_browser_several() {
    let authority = Authority::new();
    let server = authority.server(|config| config.sip.tls = vec!["127.0.0.1:0".parse().unwrap()]).await;
    for offered in [&["sip"][..], &["sip/2"], &["h2", "http/1.1"], &[]] {
        authority.connect_to("localhost", server.sip.tls[0], &TLS13, offered).await.unwrap();
    }
    for offered in [&["h2", "http/1.1"][..], &[]] {
        authority.connect_to("localhost", server.address, &TLS13, offered).await.unwrap();
    }
    assert!(server.stop().await);
}

fn tell(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_loads_the_files_and_says_which_one_is_at_fault() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("server", |_| {});
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
        .args(["serve", "--listen", "127.0.0.1:0", "--user", "alice:secret"])
        .args(["--certificate", &certificate, "--key", &key])
        .env_clear()
        .envs([("TRIBUTARY_LOG_FORMAT", "text"), ("TRIBUTARY_TLS_RELOAD_SECONDS", "0")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut wait_for_line = |words: &str| {
        lines.find_map(|line| Some(line.unwrap()).filter(|line| line.contains(words))).unwrap_or_else(|| {
            panic!("it ended without a word on {words:?}");
        })
    };
    let listening = wait_for_line("address=");
    let (_, rest) = listening.split_once("address=").unwrap();
    let server: SocketAddr = rest.split_whitespace().next().unwrap().parse().unwrap();
    let open = authority.connect(server, &TLS13).await.unwrap();

    authority.issue("other", |_| {});
    std::fs::copy(authority.path("other.pem"), authority.path("server.pem")).unwrap();
    tell(&child, "-HUP");
    let said = wait_for_line("could not be loaded");
    assert!(said.contains("server.pem") && said.contains("cannot be used together"), "{said}");

    std::fs::copy(authority.path("other.key"), authority.path("server.key")).unwrap();
    tell(&child, "-HUP");
    wait_for_line("a certificate was loaded");
    wait_for(&authority, server, &own(&certificate)).await;
    let health = crate::harness::exchange(open, request("/healthz", server).as_bytes()).await;
    assert_eq!(health.status, 200);
    tell(&child, "-TERM");
    assert!(child.wait().unwrap().success());
}
