//! SIP over an open WebSocket: frames, keep-alive, limits, slow readers, silent ones.

use crate::harness::{Client, server, wait_for_metric, within};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

#[tokio::test(flavor = "multi_thread")]
async fn point_2_a_message_may_come_in_fragments_and_leaves_in_one_frame() {
    let server = server(|_| {}).await;
    let mut alice = Client::connect(server.address, "alice").await;
    let request = alice.request("REGISTER", "sip:example.com", "Expires: 600\r\n", "");
    let (first, rest) = request.as_bytes().split_at(40);
    let fragment = |bytes: &[u8], code, last| Frame::Frame(RawFrame::message(bytes.to_vec(), code, last));
    alice.send_frame(fragment(first, OpCode::Data(Data::Text), false)).await;
    alice.send_frame(fragment(rest, OpCode::Data(Data::Continue), true)).await;
    let answer = alice.message().await;
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_3_binary_frames_are_read_and_what_is_not_utf_8_leaves_in_them() {
    let server = server(|_| {}).await;
    let mut alice = Client::connect(server.address, "alice").await;
    let request = alice.request("REGISTER", "sip:example.com", "Expires: 600\r\n", "");
    alice.send_frame(Frame::binary(request.into_bytes())).await;
    let answer = alice.message().await;
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_3_a_keep_alive_is_answered_and_a_pong_is_not() {
    let server = server(|_| {}).await;
    let mut alice = Client::connect(server.address, "alice").await;
    alice.send("\r\n").await;
    alice.send("\r\n\r\n").await;
    assert_eq!(alice.message().await, "\r\n");
    alice.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sip_is_answered_where_it_can_be_and_ends_the_connection_if_it_does_not_end() {
    let server = server(|_| {}).await;
    let mut alice = Client::connect(server.address, "alice").await;
    let broken = alice.request("REGISTER", "sip:example.com", "", "").replace("CSeq: 1 REGISTER", "CSeq: x");
    alice.send(&broken).await;
    let answer = alice.message().await;
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
    for _ in 0..20 {
        alice.send("this is not SIP").await;
    }
    let end = alice.frame().await;
    let Some(Frame::Close(Some(close))) = end else { panic!("no close frame but {end:?}") };
    assert_eq!(u16::from(close.code), 1008);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_closes_with_1009() {
    let server = server(|config| config.websocket.max_message_bytes = 2_000).await;
    let mut alice = Client::connect(server.address, "alice").await;
    alice.send(&"x".repeat(2_001)).await;
    let end = alice.frame().await;
    let Some(Frame::Close(Some(close))) = end else { panic!("no close frame but {end:?}") };
    assert_eq!(u16::from(close.code), 1009);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_answers_no_ping_is_taken_for_dead() {
    let server = server(|config| {
        config.websocket.ping_seconds = 1;
        config.websocket.pong_seconds = 1;
    })
    .await;
    // A handshake by hand, and then nobody who would answer a ping.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
        server.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    within("the end of the connection", stream.read_to_end(&mut all)).await.unwrap();
    let after = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(&all[after..], [0x89, 0x00], "one ping and nothing else");
    wait_for_metric(&server, "websockets_closed_total{reason=\"silent\"} 1").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_costs_itself_its_connection_and_nobody_else_anything() {
    let server = server(|config| {
        config.websocket.ping_seconds = 1;
        config.websocket.pong_seconds = 1;
    })
    .await;
    let mut slow = Client::connect(server.address, "slow").await;
    // Requests whose answers are never read: the system's buffers fill, and then nothing moves.
    let request = slow.request("REGISTER", "sip:example.com", "Expires: 600\r\n", "");
    let flood = async { while slow.try_send(&request).await.is_ok() {} };
    within("the end of the slow reader", flood).await;
    let mut quick = Client::connect(server.address, "quick").await;
    quick.does(200, "REGISTER", "sip:example.com", "Expires: 600\r\n", "").await;
    wait_for_metric(&server, "websockets_closed_total{reason=\"slow\"} 1").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_faster_than_its_shard_takes_gets_every_answer_in_order() {
    const REQUESTS: usize = 10_000;
    let server = server(|config| {
        config.server.shards = 1;
        // About what one full queue of a shard answers: whoever waits for the shard must go on writing.
        config.websocket.output_queue_messages = 1_500;
    })
    .await;
    let mut eager = Client::connect(server.address, "eager").await;
    let request = eager.request("OPTIONS", "sip:example.com", "", "");
    let (mut requests, mut answers) = eager.split();
    let sending = async {
        for n in 0..REQUESTS {
            let request = request.replace("branch=", &format!("branch=z9hG4bK{n}x"));
            requests.feed(Frame::text(request)).await.unwrap();
        }
        requests.flush().await.unwrap();
    };
    let reading = async {
        for n in 0..REQUESTS {
            let Some(Ok(Frame::Text(answer))) = answers.next().await else { panic!("the end after {n}") };
            assert!(answer.contains(&format!("branch=z9hG4bK{n}x")), "{n}: {answer}");
        }
    };
    within("all answers", async { tokio::join!(sending, reading) }).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_sends_too_much_is_read_more_slowly_and_loses_nothing() {
    let server = server(|config| {
        config.overload.exempt.clear();
        config.overload.messages_per_connection = 200;
        config.overload.messages_per_connection_burst = 2;
    })
    .await;
    let mut alice = Client::connect(server.address, "alice").await;
    let requests: Vec<_> = (0..20).map(|_| alice.request("OPTIONS", "sip:example.com", "", "")).collect();
    for request in &requests {
        alice.send(request).await;
    }
    let call_id = |text: &str| text.lines().find(|line| line.starts_with("Call-ID")).map(str::to_owned);
    let mut asked: BTreeSet<_> = requests.iter().map(|request| call_id(request)).collect();
    while !asked.is_empty() {
        let answer = alice.message().await;
        assert!(answer.starts_with("SIP/2.0 200 ") && asked.remove(&call_id(&answer)), "{answer}");
    }
    wait_for_metric(&server, "tributary_turned_away_total{why=\"connection_rate\"} ").await;
    server.stop().await;
}
