//! The trace of chosen users, as a Homer server gets it.

use crate::harness::{Answer, Client, authorization, call, server, wait_for_metric, within};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tributary::config::User;
use tributary::run::Running;
use tributary_sip::{Message, Name};

/// A Homer server that reads what it is sent.
struct Homer(UdpSocket);

/// A message that was captured: its chunks by their types.
struct Capture(BTreeMap<u16, Vec<u8>>);

impl Homer {
    async fn capture(&self) -> Capture {
        let mut buffer = vec![0; 65_536];
        let length = within("a capture", self.0.recv(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..4], b"HEP3");
        assert_eq!(usize::from(u16::from_be_bytes([buffer[4], buffer[5]])), length);
        let mut chunks = BTreeMap::new();
        let mut rest = &buffer[6..length];
        while !rest.is_empty() {
            let number = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
            let length = usize::from(number(4));
            assert_eq!(number(0), 0, "the protocol's own chunks");
            chunks.insert(number(2), rest[6..length].to_vec());
            rest = &rest[length..];
        }
        Capture(chunks)
    }

    /// What comes next is this: its beginning.
    async fn hears(&self, beginning: &str) -> Capture {
        let capture = self.capture().await;
        assert!(capture.text().starts_with(beginning), "no {beginning:?} but {}", capture.text());
        capture
    }
}

impl Capture {
    fn text(&self) -> String {
        String::from_utf8(self.0[&0x0f].clone()).unwrap()
    }

    fn number(&self, kind: u16) -> u64 {
        self.0[&kind].iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
    }

    /// From where to where, over IPv4.
    fn way(&self) -> (SocketAddr, SocketAddr) {
        assert_eq!(self.number(0x01), 2);
        let end = |address: u16, port: u16| {
            let address: [u8; 4] = self.0[&address].clone().try_into().unwrap();
            SocketAddr::from((address, self.number(port) as u16))
        };
        (end(0x03, 0x07), end(0x04, 0x08))
    }
}

async fn traced(users: &[&str]) -> (Running, Homer) {
    let homer = Homer(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = homer.0.local_addr().unwrap();
    let running = server(|config| {
        config.server.open = false;
        config.users = ["alice", "bob"].map(user).to_vec();
        config.sip.udp = vec!["127.0.0.1:0".parse().unwrap()];
        config.trace.users = users.iter().map(|user| (*user).to_owned()).collect();
        config.trace.homer = Some(address);
        config.trace.homer_key = Some("key of homer".to_owned());
        config.trace.capture_id = 2_001;
    });
    (running.await, homer)
}

fn user(name: &str) -> User {
    User { name: name.to_owned(), password: Some("secret".to_owned()), ..User::default() }
}

async fn trace(server: &Running, method: &str, who: &str, body: Option<&str>) -> Answer {
    let body = body.map(|body| ("application/json", body.as_bytes()));
    call(server.address, method, &format!("/api/v1/traces{who}"), body).await
}

/// Registers with the password.
async fn registers(client: &mut Client) {
    let refused = client.does(401, "REGISTER", "sip:example.com", "", "").await;
    let from = Message::parse(refused.clone().into()).unwrap();
    let name = from.from().unwrap().uri.trim_start_matches("sip:").split('@').next().unwrap().to_owned();
    let proof = authorization(&refused, &name, "secret", "REGISTER", "sip:example.com");
    client.does(200, "REGISTER", "sip:example.com", &proof, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_the_configuration_is_traced_both_ways_and_without_credentials() {
    let (server, homer) = traced(&["sip:alice@example.com"]).await;
    let mut bob = Client::connect(server.address, "bob").await;
    registers(&mut bob).await;
    let mut alice = Client::connect(server.address, "alice").await;
    registers(&mut alice).await;
    let first = homer.hears("REGISTER sip:example.com SIP/2.0\r\n").await;
    assert_eq!(first.way().1, server.address);
    assert_eq!(first.number(0x02), 6, "of IP: TCP");
    assert_eq!(first.number(0x0b), 1, "SIP");
    assert_eq!(first.number(0x0c), 2_001);
    assert_eq!(first.0[&0x0e], b"key of homer");
    assert!(first.number(0x09) > 1_700_000_000 && first.number(0x0a) < 1_000_000);
    let call_id = Message::parse(first.text().into()).unwrap().call_id().to_owned();
    assert_eq!(first.0[&0x11], call_id.as_bytes());
    let challenge = homer.hears("SIP/2.0 401 ").await;
    assert_eq!(challenge.way(), (first.way().1, first.way().0));
    assert_eq!(challenge.0[&0x11], first.0[&0x11], "what belongs together is seen to");
    let proven = Message::parse(homer.hears("REGISTER ").await.text().into()).unwrap();
    let shown = proven.header(Name::Authorization).unwrap();
    assert!(shown.starts_with("Digest username=\"alice\", realm="), "{shown}");
    assert!(shown.contains(", nonce=\"") && shown.contains(", response=redacted, "), "{shown}");
    homer.hears("SIP/2.0 200 ").await;
    // What others say to her, and what she is told.
    bob.publish(200, "not hers").await;
    alice.subscribe("sip:bob@example.com").await;
    homer.hears("SUBSCRIBE sip:bob@example.com ").await;
    homer.hears("SIP/2.0 200 ").await;
    let notify = homer.hears("NOTIFY ").await;
    assert!(notify.text().contains("not hers"), "with its body: {}", notify.text());
    homer.hears("SIP/2.0 200 ").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_traced_for_a_while_when_the_api_says_so_over_datagrams_too() {
    let (server, homer) = traced(&[]).await;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let here = phone.local_addr().unwrap();
    let there = server.sip.udp[0];
    let asks = async |n: u32| {
        let request = format!(
            "OPTIONS sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{n};rport\r\n\
             From: <sip:bob@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: call{n}\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        phone.send_to(request.as_bytes(), there).await.unwrap();
        let mut buffer = [0; 2_000];
        within("an answer", phone.recv(&mut buffer)).await.unwrap();
    };
    asks(1).await;
    let begun = trace(&server, "PUT", "/alice@example.com", Some("{\"seconds\": 600}")).await;
    assert_eq!((begun.status, begun.json()["aor"].as_str()), (201, Some("sip:alice@example.com")));
    assert!(begun.json()["until_ms"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(trace(&server, "PUT", "/alice@example.com", Some("{\"seconds\": 60}")).await.status, 200);
    let listed = trace(&server, "GET", "", None).await.json();
    assert_eq!(listed["traces"].as_array().unwrap().len(), 1, "{listed}");
    asks(2).await;
    let asked = homer.hears("OPTIONS ").await;
    assert_eq!((asked.way(), asked.number(0x02)), ((here, there), 17));
    assert_eq!(asked.0[&0x11], b"call2", "what was before the trace began is not in it");
    assert_eq!(homer.hears("SIP/2.0 ").await.way(), (there, here));
    assert_eq!(trace(&server, "DELETE", "/alice@example.com", None).await.status, 204);
    wait_for_metric(&server, "tributary_traced_users 0").await;
    asks(3).await;
    assert_eq!(trace(&server, "PUT", "/alice@example.com", Some("{\"seconds\": 60}")).await.status, 201);
    asks(4).await;
    assert_eq!(homer.hears("OPTIONS ").await.0[&0x11], b"call4", "nor what was after it ended");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_trace_is_said() {
    let (server, _homer) = traced(&["sip:carol@partner.example"]).await;
    for (method, who, body, status, code) in [
        ("PUT", "/alice@example.com", "{\"seconds\": 0}", 422, "bad_time"),
        ("PUT", "/alice@example.com", "{\"seconds\": 86401}", 422, "bad_time"),
        ("PUT", "/alice@example.com", "{}", 422, "bad_body"),
        ("PUT", "/alice@example.com", "{", 400, "bad_body"),
        ("PUT", "/example.com", "{\"seconds\": 1}", 400, "bad_aor"),
        ("PUT", "/carol@partner.example", "{\"seconds\": 1}", 409, "trace_of_the_file"),
        ("DELETE", "/carol@partner.example", "", 409, "trace_of_the_file"),
        ("DELETE", "/alice@example.com", "", 404, "unknown_trace"),
    ] {
        let answer = trace(&server, method, who, (!body.is_empty()).then_some(body)).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{method} {who} {body}");
    }
    let listed = trace(&server, "GET", "", None).await.json();
    assert_eq!(listed.to_string(), r#"{"traces":[{"aor":"sip:carol@partner.example","until_ms":null}]}"#);
    server.stop().await;
}
