//! HTTP clients that ask and do not read what they are answered.

use crate::harness::{server, wait_for_metric, within};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// More than the system's buffers of a connection take.
const LARGE: usize = 16 << 20;

fn site(folder: &Path) -> String {
    std::fs::write(folder.join("large.bin"), vec![b'x'; LARGE]).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_of_its_answer_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|config| {
        config.server.site = Some(site(folder.path()));
        config.http.write_seconds = 1;
    })
    .await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    wait_for_metric(&server, "http_unread_total 1").await;
    let mut rest = Vec::new();
    // It ends by a reset or, behind what was sent already, as if nothing were the matter.
    let _ = within("the end of the connection", client.read_to_end(&mut rest)).await;
    assert!(rest.starts_with(b"HTTP/1.1 200 ") && rest.len() < LARGE, "{} bytes", rest.len());
    server.stop().await;
}

#[test]
fn clients_that_never_read_their_answers_do_not_hold_up_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
        .args(["serve", "--open", "--listen", "127.0.0.1:0", "--site", &site(folder.path())])
        .env_clear()
        .env("TRIBUTARY_LOG_FORMAT", "text")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address: SocketAddr = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
        if let Some((_, rest)) = line.split_once("address=") {
            break rest.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    let clients: Vec<std::net::TcpStream> = (0..3)
        .map(|_| {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.write_all(REQUEST).unwrap();
            // Its answer has begun, and there is more of it than fits on the way.
            client.read_exact(&mut [0]).unwrap();
            client
        })
        .collect();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let mut said = String::new();
    log.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(said.contains("stopped") && !said.contains("did not end in time"), "{said}");
    drop(clients);
}
