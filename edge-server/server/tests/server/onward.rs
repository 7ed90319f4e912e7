//! Other servers over real sockets: connections that are opened, used again, closed and opened anew,
//! names that are looked up, and certificates on both sides (R15 to R18).

use crate::harness::{Client, server, wait_for_metric, within};
use crate::tls::Authority;
use hickory_resolver::proto::op::{Message as Dns, OpCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name as DnsName, RData, Record};
use rcgen::{CertificateParams, SanType, date_time_ymd};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tributary::config::{Config, Peer};
use tributary::run::Running;
use tributary_sip::stream::{Stream, Unit};
use tributary_sip::{Limits, Message, Name, ResponseBuilder, Status};

/// Another server's end of a connection.
struct End<S> {
    socket: S,
    stream: Stream,
}

impl<S: AsyncRead + AsyncWrite + Unpin> End<S> {
    fn new(socket: S) -> Self {
        Self { socket, stream: Stream::new(Limits::DEFAULT) }
    }

    /// What comes next; nothing once the other side has closed.
    async fn next(&mut self) -> Option<Message> {
        within("a message or the end", async {
            loop {
                match self.stream.take().unwrap() {
                    Some(Unit::Message(octets)) => return Some(Message::parse(octets).unwrap()),
                    Some(Unit::KeepAlive(_)) => {}
                    None => {
                        if self.socket.read_buf(self.stream.buffer()).await.unwrap_or(0) == 0 {
                            return None;
                        }
                    }
                }
            }
        })
        .await
    }

    async fn expect(&mut self, method: &str) -> Message {
        let message = self.next().await.unwrap_or_else(|| panic!("the connection ended before {method}"));
        assert_eq!(message.method().as_str(), method, "{message:?}");
        message
    }

    async fn reply(&mut self, request: &Message, status: u16) {
        let answer = ResponseBuilder::new(request, Status::new(status).unwrap())
            .to_tag("other")
            .echo(Name::RecordRoute)
            .header(Name::Contact, "<sip:carol@127.0.0.1:9;transport=tcp>");
        self.socket.write_all(&answer.build().unwrap()).await.unwrap();
    }

    /// Takes a MESSAGE and agrees to it.
    async fn agree(&mut self) {
        let message = self.expect("MESSAGE").await;
        self.reply(&message, 200).await;
    }
}

async fn accept(listener: &TcpListener) -> End<TcpStream> {
    End::new(within("a connection", listener.accept()).await.unwrap().0)
}

/// Alice's server, which may talk to two others.
async fn edge(allow: &[String], change: impl FnOnce(&mut Config)) -> (Running, Client) {
    let server = server(|config| {
        config.sip.tcp = vec!["127.0.0.1:0".parse().unwrap()];
        config.egress.allow = allow.to_vec();
        change(config);
    })
    .await;
    let alice = Client::connect(server.address, "alice").await;
    (server, alice)
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("sip:carol@{};transport=tcp", listener.local_addr().unwrap());
    (listener, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn r18_a_connection_is_used_again_and_closed_when_nothing_is_said_and_opened_anew_for_the_next_request()
{
    let (other, carol) = listener().await;
    let (server, mut alice) = edge(&["127.0.0.1".to_owned()], |config| config.egress.idle_seconds = 1).await;
    for round in 0..2 {
        let mut end = None;
        for _ in 0..3 {
            let message = alice.request("MESSAGE", &carol, "", "");
            alice.send(&message).await;
            if end.is_none() {
                end = Some(accept(&other).await);
            }
            end.as_mut().unwrap().agree().await;
            assert!(alice.message().await.starts_with("SIP/2.0 200"));
        }
        assert!(end.unwrap().next().await.is_none());
        wait_for_metric(&server, &format!("streams_closed_total{{reason=\"idle\"}} {}", round + 1)).await;
    }
    wait_for_metric(&server, "tributary_connections_made_total 2").await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r18_a_session_keeps_its_connection_longer() {
    let (first, carol) = listener().await;
    let (second, dave) = listener().await;
    let (server, mut alice) = edge(&["127.0.0.1".to_owned()], |config| config.egress.idle_seconds = 1).await;
    let invite = alice.request("INVITE", &carol, "", "");
    alice.send(&invite).await;
    let mut call = accept(&first).await;
    let invite = call.expect("INVITE").await;
    call.reply(&invite, 200).await;
    let accepted = Message::parse(alice.message().await.into()).unwrap();
    assert_eq!(accepted.status(), Some(Status::OK));

    // What was opened later, for no session, ends first.
    let message = alice.request("MESSAGE", &dave, "", "");
    alice.send(&message).await;
    let mut page = accept(&second).await;
    page.agree().await;
    assert!(alice.message().await.starts_with("SIP/2.0 200"));
    assert!(page.next().await.is_none());

    let routes: Vec<_> = accepted.record_routes().map(|route| route.unwrap().to_string()).collect();
    let routes: String = routes.iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
    let call_id = accepted.call_id();
    let bye = format!(
        "BYE sip:carol@{} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\nCSeq: 9 BYE\r\n{routes}Content-Length: 0\r\n\r\n",
        carol.split('@').nth(1).unwrap(),
        accepted.header(Name::From).unwrap(),
        accepted.header(Name::To).unwrap(),
    );
    alice.send(&bye).await;
    let bye = call.expect("BYE").await;
    call.reply(&bye, 200).await;
    assert!(alice.message().await.starts_with("SIP/2.0 200"));
    assert!(call.next().await.is_none(), "after the session it is one like any other");
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_what_is_not_allowed_is_refused_and_what_does_not_listen_is_an_error_of_ours() {
    let (closed, carol) = listener().await;
    let allowed = format!("{};transport=tcp", closed.local_addr().unwrap());
    drop(closed);
    let (server, mut alice) = edge(&[allowed], |_| {}).await;
    alice.does(500, "MESSAGE", &carol, "", "").await;
    alice.does(403, "MESSAGE", "sip:carol@127.0.0.1:22;transport=tcp", "", "").await;
    alice.does(403, "MESSAGE", &carol.replace("tcp", "udp"), "", "").await;
    wait_for_metric(&server, "connections_failed_total{transport=\"TCP\"} 1").await;
    wait_for_metric(&server, "ways_sought_total{result=\"none\"} 1").await;
    assert!(server.stop().await);
}

/// Answers DNS questions from a table.
async fn name_server(records: Vec<(&'static str, RData)>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let question = Dns::from_vec(&buffer[..length]).unwrap();
            let query = question.queries.first().unwrap().clone();
            let mut answer = Dns::response(question.metadata.id, OpCode::Query);
            let asked = query.name().to_ascii().to_ascii_lowercase();
            for (name, data) in &records {
                if format!("{name}.") == asked && data.record_type() == query.query_type() {
                    answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
                }
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    address
}

fn dns(name: &str) -> DnsName {
    DnsName::from_ascii(format!("{name}.")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_3263_a_domain_is_found_by_its_records_and_the_next_server_tried_where_one_does_not_listen() {
    let (closed, _) = listener().await;
    let gone = closed.local_addr().unwrap().port();
    drop(closed);
    let (other, _) = listener().await;
    let there = other.local_addr().unwrap().port();
    let local = RData::A(A::new(127, 0, 0, 1));
    let naptr =
        NAPTR::new(1, 1, (*b"s").into(), (*b"SIP+D2T").into(), [].into(), dns("_sip._tcp.partner.example"));
    let nameserver = name_server(vec![
        ("partner.example", RData::NAPTR(naptr)),
        ("_sip._tcp.partner.example", RData::SRV(SRV::new(0, 0, gone, dns("a.partner.example")))),
        ("_sip._tcp.partner.example", RData::SRV(SRV::new(1, 0, there, dns("b.partner.example")))),
        ("a.partner.example", local.clone()),
        ("b.partner.example", local.clone()),
        ("inside.open.example", local),
    ])
    .await;
    let allow = ["partner.example".to_owned(), "*.open.example".to_owned()];
    let (server, mut alice) =
        edge(&allow, |config| config.egress.nameservers = vec![nameserver.to_string()]).await;
    let message = alice.request("MESSAGE", "sip:carol@partner.example", "", "");
    alice.send(&message).await;
    let mut end = accept(&other).await;
    end.agree().await;
    assert!(alice.message().await.starts_with("SIP/2.0 200"));
    // A pattern lets nobody into our own network, whatever a name there says.
    alice.does(500, "MESSAGE", &format!("sip:x@inside.open.example:{there};transport=tcp"), "", "").await;
    alice.does(500, "MESSAGE", "sip:x@unknown.open.example", "", "").await;
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_3261_18_1_1_a_datagram_goes_to_another_server_and_what_is_too_long_for_one_over_tcp() {
    // Both at one port, which somebody else may have for one of them.
    let (other, at, socket) = loop {
        let (other, _) = listener().await;
        let at = other.local_addr().unwrap();
        if let Ok(socket) = UdpSocket::bind(at).await {
            break (other, at, socket);
        }
    };
    let (server, mut alice) = edge(&["127.0.0.1".to_owned()], |config| {
        config.sip.udp = vec!["127.0.0.1:0".parse().unwrap()];
    })
    .await;
    let carol = format!("sip:carol@{at}");
    let message = alice.request("MESSAGE", &carol, "", "");
    alice.send(&message).await;
    let mut buffer = [0; 2_000];
    let (length, from) = within("a datagram", socket.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(from, server.sip.udp[0]);
    let came = Message::parse(buffer[..length].to_vec().into()).unwrap();
    assert_eq!((came.via().unwrap().transport, came.via().unwrap().port), ("UDP", Some(from.port())));
    let answer = ResponseBuilder::new(&came, Status::OK).to_tag("other").build().unwrap();
    socket.send_to(&answer, from).await.unwrap();
    assert!(alice.message().await.starts_with("SIP/2.0 200"));
    let long = alice.request("MESSAGE", &carol, "Content-Type: text/plain\r\n", &"long ".repeat(300));
    alice.send(&long).await;
    accept(&other).await.agree().await;
    assert!(alice.message().await.starts_with("SIP/2.0 200"));
    assert!(server.stop().await);
}

impl Authority {
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).unwrap()).unwrap();
        roots
    }

    /// A server that shows no certificate but what a trusted server's names `rooms.example` says.
    async fn edge(&self, route: Option<String>) -> Running {
        let authorities = self.write("authorities.pem", &self.pem());
        self.server(|config| {
            config.sip.tls = vec!["127.0.0.1:0".parse().unwrap()];
            config.tls.authorities = Some(authorities);
            config.peers = vec![Peer {
                name: "rooms".to_owned(),
                domains: vec!["rooms.example".to_owned()],
                certificates: vec!["rooms.example".to_owned()],
                route,
                ..Peer::default()
            }];
        })
        .await
    }

    /// A connection of another server that shows this certificate, if any.
    async fn other(
        &self,
        server: &Running,
        shown: Option<(String, String)>,
    ) -> Option<End<impl AsyncRead + AsyncWrite + Unpin + use<>>> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let config = match shown {
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
                config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        let stream = TcpStream::connect(server.sip.tls[0]).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok().map(End::new)
    }
}

fn named(name: &'static str) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())]
}

fn from_rooms(n: u32) -> String {
    format!(
        "MESSAGE sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/TLS rooms.example;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
         From: <sip:lobby@rooms.example>;tag={n}\r\nTo: <sip:alice@example.com>\r\nCall-ID: {n}\r\nCSeq: 1 MESSAGE\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn r15_a_server_is_trusted_by_its_certificate_and_one_that_shows_a_wrong_one_is_not_let_in() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let server = authority.edge(None).await;
    let uri = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::URI("sip:rooms.example".try_into().unwrap())];
    };
    let star = named("*.example");
    let expired = |params: &mut CertificateParams| {
        named("rooms.example")(params);
        params.not_after = date_time_ymd(2001, 1, 1);
    };
    let cases = [
        ("good", Some(authority.issue("good", named("rooms.example"))), Some(480)),
        ("by its URI", Some(authority.issue("uri", uri)), Some(480)),
        ("none", None, Some(407)),
        ("another name", Some(authority.issue("other", named("other.example"))), None),
        ("a star", Some(authority.issue("star", star)), None),
        ("expired", Some(authority.issue("expired", expired)), None),
        ("another authority's", Some(stranger.issue("forged", named("rooms.example"))), None),
    ];
    for (n, (what, shown, expected)) in (0..).zip(cases) {
        let mut answer = None;
        if let Some(mut end) = authority.other(&server, shown).await {
            // In TLS 1.3 a client hears of the refusal only after its own part.
            let _ = end.socket.write_all(from_rooms(n).as_bytes()).await;
            answer = end.next().await;
        }
        assert_eq!(answer.and_then(|answer| answer.status()).map(Status::code), expected, "{what}");
    }
    assert!(server.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_a_trusted_server_is_reached_over_tls_with_our_certificate_and_only_if_it_is_who_it_should_be() {
    let authority = Authority::new();
    for (name, expected) in [("localhost", 200), ("other.example", 500)] {
        let (certificate, key) = authority.issue("rooms", named(name));
        let clients = WebPkiClientVerifier::builder_with_provider(
            Arc::new(authority.roots()),
            Arc::new(aws_lc_rs::default_provider()),
        );
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect(),
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let route = format!("sip:localhost:{};transport=tls", listener.local_addr().unwrap().port());
        let server = authority.edge(Some(route)).await;
        let rooms = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
            let mut end = End::new(stream);
            // In TLS 1.3 it hears only now that it was not liked.
            if let Some(message) = end.next().await {
                assert_eq!(message.header(Name::PAssertedIdentity), Some("<sip:alice@example.com>"));
                end.reply(&message, 200).await;
                end.next().await;
            }
        });
        let mut alice = authority.secure_client(server.address, &tokio_rustls::rustls::version::TLS13).await;
        let target = "sip:lobby@rooms.example";
        let challenged = alice.does(407, "MESSAGE", target, "", "").await.replace("Proxy-Auth", "WWW-Auth");
        let proof = crate::harness::authorization(&challenged, "alice", "secret", "MESSAGE", target);
        let proof = proof.replace("Authorization:", "Proxy-Authorization:");
        alice.does(expected, "MESSAGE", target, &proof, "").await;
        assert!(server.stop().await);
        rooms.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_5923_a_trusted_server_is_reached_over_the_connection_that_it_has_opened_if_it_says_so_and_is_who_it_should_be()
 {
    let authority = Authority::new();
    let both = ["rooms.example", "localhost"];
    for (names, alias, reused) in
        [(&both[..], ";alias", true), (&both[..], "", false), (&both[..1], ";alias", false)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = authority.edge(Some(format!("sip:localhost:{port};transport=tls"))).await;
        let certificate = authority.issue("rooms", |params| {
            params.subject_alt_names =
                names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
        });
        let mut rooms = authority.other(&server, Some(certificate)).await.unwrap();
        let first = from_rooms(1).replace("TLS rooms.example;", &format!("TLS rooms.example:{port}{alias};"));
        rooms.socket.write_all(first.as_bytes()).await.unwrap();
        assert_eq!(rooms.next().await.and_then(|answer| answer.status()).map(Status::code), Some(480));

        let mut alice = authority.secure_client(server.address, &tokio_rustls::rustls::version::TLS13).await;
        let target = "sip:lobby@rooms.example";
        let challenged = alice.does(407, "MESSAGE", target, "", "").await.replace("Proxy-Auth", "WWW-Auth");
        let proof = crate::harness::authorization(&challenged, "alice", "secret", "MESSAGE", target);
        let message = alice.request("MESSAGE", target, &proof.replace("Author", "Proxy-Author"), "");
        alice.send(&message).await;
        if reused {
            let came = rooms.expect("MESSAGE").await;
            assert!(came.via().unwrap().params.has("alias"), "and it may do the same: {came:?}");
            rooms.reply(&came, 200).await;
            assert!(alice.message().await.starts_with("SIP/2.0 200"));
            let opened = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
            assert!(opened.is_err(), "no other connection was opened");
            // When it is over, there is where the server listens.
            rooms.socket.shutdown().await.unwrap();
            assert!(rooms.next().await.is_none());
            let message = alice.request("MESSAGE", target, "", "");
            alice.send(&message).await;
        }
        within("a connection", listener.accept()).await.unwrap();
        assert!(server.stop().await);
    }
}
