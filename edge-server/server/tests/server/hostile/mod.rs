//! Bad input: one table of what is sent, over what, and what it gets. Afterwards the server serves as
//! before and holds what it held.
//!
//! ```text
//!   a row:   name | over | what is sent | what comes back
//!   a check: a connection of its own ─▶ what is sent ─▶ a question that must be answered, unless the row
//!            says that the connection ends ─▶ what came until then is what the row says, and no more
//! ```
//! Silence is proved by the answer to the question that follows, never by waiting; and what is dropped in
//! silence is counted, so the row names the counter.

mod frames;
mod logins;
mod messages;
mod peer;
mod requests;
mod slow;
mod torture;

use crate::harness::{TOKEN, ask, authorization, within};
use crate::tls::Authority;
use peer::{Heard, Peer};
use requests::Sender;
use serde_json::Value;
use tokio_rustls::rustls::version::TLS13;
use tributary::config::{Config, User};
use tributary::run::Running;

/// By which way something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Udp,
    Tcp,
    Tls,
    Ws,
    /// The port for SIP over TLS, by somebody who does not speak TLS.
    NoTls,
    /// The port for HTTP, by somebody who does not ask for a WebSocket.
    NoWs,
}
use Over::{NoTls, NoWs, Tcp, Tls, Udp, Ws};

const ALL: &[Over] = &[Udp, Tcp, Tls, Ws];
const STREAMS: &[Over] = &[Tcp, Tls];
/// Where the transport says how long a message is.
const PACKETS: &[Over] = &[Udp, Ws];

/// What is sent. Beside its name each row is data.
#[derive(Clone, Copy)]
enum Sends {
    /// A good request of this method, with one piece of its text replaced.
    Edit(&'static str, &'static str, &'static str),
    /// The same with a piece that is too long to be written down.
    Bomb(&'static str, &'static str, fn() -> String),
    /// A file of the torture tests of RFC 4475 and RFC 5118.
    Torture(&'static str),
    /// One message as it stands.
    Message(&'static [u8]),
    /// Octets below the message: of a stream, or behind a WebSocket's handshake.
    Octets(&'static [u8]),
    /// The same, too many to be written down.
    Many(fn() -> Vec<u8>),
    /// Octets, and the end of the connection behind them.
    Cut(&'static [u8]),
    /// A REGISTER of alice with her password in it, with one piece of that header replaced.
    Login(&'static str, &'static str),
}

/// What comes back, before the answer to the question that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gets {
    /// One final answer; the connection goes on.
    Answer(u16),
    /// One final answer, and the connection ends.
    Last(u16),
    /// Nothing, and the line of the metrics that counts it; the connection goes on.
    Nothing(&'static str),
    /// The connection ends without an answer, and the line that counts that.
    End(&'static str),
    /// The WebSocket is closed with this code.
    Close(u16),
    /// What is no message at all: a pong.
    Pong,
}

/// One row.
type Row = (&'static str, &'static [Over], Sends, Gets);

const TABLES: [&[Row]; 6] =
    [messages::READING, messages::ROUTING, messages::SERVING, torture::ROWS, frames::ROWS, logins::ROWS];

/// The fewest that the table must have.
const ROWS: usize = 200;

/// How much more memory the process of this test, both ends together, may have after a table that it had
/// gone through before: what is kept of answers for repetitions (32 s) lies in it, and the allocator's own.
const GROWTH: u64 = 4 << 20;

/// Three servers: two believe everybody, one of them over TLS, and the third knows alice alone.
struct Stage {
    authority: Authority,
    plain: Running,
    secure: Running,
    closed: Running,
    sent: u32,
}

impl Stage {
    async fn new(change: impl Fn(&mut Config)) -> Self {
        let any = || vec!["127.0.0.1:0".parse().unwrap()];
        let base = |config: &mut Config| {
            (config.sip.udp, config.sip.tcp) = (any(), any());
            // One: so what is answered first was sent first.
            config.server.shards = 1;
            change(config);
        };
        let authority = Authority::new();
        let secure = authority
            .server(|config| {
                base(config);
                config.sip.tls = any();
                config.server.open = true;
                config.users.clear();
            })
            .await;
        let plain = crate::harness::server(base).await;
        let closed = crate::harness::server(|config| {
            base(config);
            config.server.open = false;
            let password = Some("secret".to_owned());
            config.users = vec![User { name: "alice".to_owned(), password, ..User::default() }];
        })
        .await;
        Self { authority, plain, secure, closed, sent: 0 }
    }

    fn server(&self, over: Over, sends: Sends) -> &Running {
        match (over, sends) {
            (_, Sends::Login(..)) => &self.closed,
            (Tls | NoTls, _) => &self.secure,
            _ => &self.plain,
        }
    }

    /// What a server says at this path of HTTP.
    async fn page(&self, server: &Running, path: &str) -> Vec<u8> {
        if server.address == self.secure.address {
            return self.authority.get(server.address, &TLS13, path).await.body;
        }
        let bearer = format!("Bearer {TOKEN}");
        ask(server.address, "GET", path, &[("Authorization", &bearer)], None).await.body
    }

    /// The number behind a line of the metrics; 0 where it is not written yet.
    async fn count(&self, server: &Running, line: &str) -> u64 {
        let metrics = String::from_utf8(self.page(server, "/metrics").await).unwrap();
        let found = metrics.lines().find_map(|text| text.strip_prefix("tributary_")?.strip_prefix(line));
        found.map_or(0, |rest| rest.trim().parse().unwrap())
    }

    /// Goes through one row by one way; an error says what came instead.
    async fn check(&mut self, over: Over, sends: Sends, gets: Gets) -> Result<(), String> {
        self.sent += 1;
        let server = self.server(over, sends);
        let counted = match gets {
            Gets::Nothing(line) | Gets::End(line) => Some((line, self.count(server, line).await)),
            _ => None,
        };
        let mut peer = Peer::connect(over, server, &self.authority).await;
        let user = if matches!(sends, Sends::Login(..)) { "alice" } else { "mallory" };
        let sender = Sender { user, over, here: peer.here.clone(), number: self.sent };
        match sends {
            Sends::Edit(method, from, to) => peer.message(&sender.edited(method, from, to)).await,
            Sends::Bomb(method, from, to) => peer.message(&sender.edited(method, from, &to())).await,
            Sends::Torture(name) => peer.message(&sender.torture(name)).await,
            Sends::Message(octets) => peer.message(octets).await,
            Sends::Octets(octets) => peer.octets(octets).await,
            Sends::Many(octets) => peer.octets(&octets()).await,
            Sends::Cut(octets) => {
                peer.octets(octets).await;
                peer.shut().await;
            }
            Sends::Login(from, to) => {
                peer.message(&sender.request("REGISTER")).await;
                assert!(matches!(peer.next().await, Heard::Answer(401, _)));
                let refused = String::from_utf8(peer.last.clone()).unwrap();
                let right = authorization(&refused, "alice", "secret", "REGISTER", "sip:example.com");
                assert!(right.contains(from), "{from:?} is not in {right}");
                peer.message(&sender.again("REGISTER", &right.replacen(from, to, 1))).await;
            }
        }
        let ends = matches!(gets, Gets::Last(_) | Gets::End(_) | Gets::Close(_));
        let question = sender.question();
        if !ends {
            peer.message(&question).await;
        }
        let mut came = Vec::new();
        loop {
            match peer.next().await {
                Heard::Answer(200, branch) if branch == sender.mark() => break,
                last @ (Heard::End | Heard::Silence) => {
                    came.push(last);
                    break;
                }
                heard => came.push(heard),
            }
        }
        let (answers, rest): (Vec<Heard>, Vec<Heard>) =
            came.iter().cloned().partition(|heard| matches!(heard, Heard::Answer(..)));
        let answers: Vec<u16> = answers
            .iter()
            .map(|heard| if let Heard::Answer(status, _) = heard { *status } else { 0 })
            .collect();
        // What a good request brings with it: a NOTIFY, or 100.
        let rest: Vec<Heard> = rest.into_iter().filter(|heard| !matches!(heard, Heard::Other(_))).collect();
        let right = match gets {
            Gets::Answer(status) => answers == [status] && rest.is_empty(),
            Gets::Last(status) => answers == [status] && rest == [Heard::End],
            Gets::Nothing(_) => came.is_empty(),
            Gets::End(_) => came == [Heard::End],
            Gets::Close(code) => came.first() == Some(&Heard::Close(code)),
            Gets::Pong => came == [Heard::Pong],
        };
        if !right {
            return Err(format!("{came:?}"));
        }
        if let Some((line, before)) = counted {
            within(line, async { while self.count(server, line).await == before {} }).await;
        }
        Ok(())
    }

    /// All tables, by all ways.
    async fn check_all(&mut self) -> usize {
        let (mut done, mut wrong) = (0, Vec::new());
        for (name, over, sends, gets) in TABLES.iter().copied().flatten() {
            for over in *over {
                done += 1;
                if let Err(came) = self.check(*over, *sends, *gets).await {
                    wrong.push(format!("{name}, over {over:?}: {gets:?} was to come, and there came {came}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {done} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        done
    }

    /// A phone, its state, a watcher, and what the watcher hears of a change: by each way.
    async fn serves_as_before(&mut self) {
        for over in ALL {
            self.sent += 1;
            let server = self.server(*over, Sends::Octets(b""));
            let mut peer = Peer::connect(*over, server, &self.authority).await;
            let sender = Sender { user: "mallory", over: *over, here: peer.here.clone(), number: self.sent };
            for method in ["REGISTER", "SUBSCRIBE", "PUBLISH"] {
                peer.message(&sender.edited(method, "Expires: 0", "Expires: 60")).await;
                while !matches!(peer.next().await, Heard::Answer(200, _)) {}
            }
            let shown = |heard: Heard| matches!(heard, Heard::Other(notify) if notify.contains("<tuple id="));
            while !shown(peer.next().await) {}
        }
    }

    /// How many there are of what a user can see, and of connections, on each server.
    async fn held(&self) -> Vec<u64> {
        let mut held = Vec::new();
        for server in [&self.plain, &self.secure, &self.closed] {
            for gauge in [
                "presentities ",
                "registrations ",
                "publications ",
                "subscriptions ",
                "websockets ",
                "streams ",
            ] {
                held.push(self.count(server, gauge).await);
            }
        }
        held
    }

    /// Takes back what rows have left over UDP, where a binding stays until it expires.
    async fn tidy(&mut self) {
        let list: Value =
            serde_json::from_slice(&self.page(&self.plain, "/api/v1/presentities").await).unwrap();
        for presentity in list["presentities"].as_array().unwrap() {
            self.sent += 1;
            let aor = presentity["aor"].as_str().unwrap();
            let mut peer = Peer::connect(Udp, &self.plain, &self.authority).await;
            let sender = Sender { user: "mallory", over: Udp, here: peer.here.clone(), number: self.sent };
            let request =
                String::from_utf8(sender.edited("REGISTER", "Contact: ", "Contact: *\r\nX: ")).unwrap();
            peer.message(request.replace("<sip:mallory@example.com>", &format!("<{aor}>")).as_bytes()).await;
            assert!(matches!(peer.next().await, Heard::Answer(200, _)), "{aor}");
        }
    }
}

/// Memory of this process, both ends of every connection together.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_or_hostile_gets_the_answer_of_its_row_and_harms_nobody() {
    let mut stage = Stage::new(|_| {}).await;
    let before = stage.held().await;
    let done = stage.check_all().await;
    println!("{} rows, {done} ways", TABLES.iter().map(|table| table.len()).sum::<usize>());
    stage.tidy().await;
    let filled = memory();
    stage.check_all().await;
    stage.tidy().await;
    assert_eq!(stage.held().await, before);
    println!("memory {} KB, then {} KB", filled >> 10, memory() >> 10);
    assert!(memory() < filled + GROWTH, "{} bytes more", memory() - filled);
    stage.serves_as_before().await;
    for server in [stage.plain, stage.secure, stage.closed] {
        assert!(server.stop().await);
    }
}

#[test]
fn the_table_has_as_many_rows_as_was_promised_and_no_name_twice() {
    let names: Vec<&str> = TABLES.iter().flat_map(|table| table.iter().map(|(name, ..)| *name)).collect();
    let once: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(once.len(), names.len());
    assert!(names.len() >= ROWS, "{} rows", names.len());
}
