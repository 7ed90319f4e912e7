//! Everybody comes back at the same moment: what follows a restart, or the end of a power cut.
//!
//! All clients are registered, with a password each; the server is killed and started again on its
//! state; then all register anew at once, as a client does that has lost its connection (WebSocket) or
//! its power (UDP, with RFC 3261's repetitions: what finds a full buffer is lost). Who is told to come
//! later comes later.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tributary_sip::digest::{self, Asked};
use tributary_sip::{Challenge, Message, Name};

use super::Options;
use super::figures::own_cpu;
use super::target::{Running, Target};
use super::wire::Connection;

const DOMAIN: &str = "sip:example.com";
const PASSWORD: &str = "secret";

/// Phones behind one socket: files are fewer than phones.
const PHONES: usize = 500;

/// T1 and T2 of RFC 3261, and Timer F.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
const TIMER_F: Duration = Duration::from_secs(32);

/// Nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the clients met.
#[derive(Default)]
struct Tally {
    back: Cell<usize>,
    statuses: RefCell<BTreeMap<u16, usize>>,
    repeated: Cell<usize>,
    /// Connections that could not be opened at once, and transactions that nobody answered in time.
    failed: Cell<usize>,
}

impl Tally {
    fn count(cell: &Cell<usize>) {
        cell.set(cell.get() + 1);
    }
}

/// One client: its next REGISTER.
struct Client {
    number: usize,
    transport: &'static str,
    local: SocketAddr,
    cseq: u32,
    credentials: String,
}

/// What an answer means to a client.
enum Next {
    /// It is registered.
    Back,
    /// It tries again after this time: at once with the password.
    Again(Duration),
    /// Not for it, or a provisional one.
    Wait,
}

impl Client {
    fn new(number: usize, transport: &'static str, local: SocketAddr) -> Self {
        Self { number, transport, local, cseq: 0, credentials: String::new() }
    }

    fn register(&mut self) -> String {
        self.cseq += 1;
        let Self { number: n, transport, local, cseq, credentials } = self;
        format!(
            "REGISTER {DOMAIN} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{n}.{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:u{n}@example.com>;tag={n}.{cseq}\r\nTo: <sip:u{n}@example.com>\r\n\
             Call-ID: {n}\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:u{n}@{local}>;reg-id=1;\
             +sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{n:012x}>\"\r\nExpires: 3600\r\n\
             User-Agent: a phone/1.0\r\nSupported: path, gruu, outbound\r\n{credentials}Content-Length: 0\r\n\r\n"
        )
    }

    fn hears(&mut self, answer: &Message, tally: &Tally) -> Next {
        let current = answer.cseq().is_ok_and(|cseq| cseq.number == self.cseq);
        let Some(status) = answer.status().map(tributary_sip::Status::code).filter(|_| current) else {
            return Next::Wait;
        };
        *tally.statuses.borrow_mut().entry(status).or_default() += 1;
        match status {
            100..200 => Next::Wait,
            200 => Next::Back,
            401 => {
                let last = answer.headers(Name::WwwAuthenticate).last().and_then(Challenge::parse);
                let user = format!("u{}", self.number);
                let asked = Asked::new("REGISTER", DOMAIN);
                let proof = last.and_then(|challenge| {
                    digest::answer(challenge.digest()?, &user, PASSWORD, asked, "0a4f113b", 1)
                });
                self.credentials =
                    proof.map(|proof| format!("Authorization: {proof}\r\n")).unwrap_or_default();
                Next::Again(Duration::ZERO)
            }
            _ => {
                let later = answer.header(Name::RetryAfter).and_then(|seconds| seconds.parse().ok());
                Next::Again(Duration::from_secs(later.unwrap_or(5)))
            }
        }
    }
}

/// Comes back over a WebSocket; gives it, so that it stays open.
async fn browser(server: SocketAddr, number: usize, tally: Rc<Tally>) -> Option<Connection> {
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 1, (number / 250 % 250 + 1) as u8), 0));
    let mut connection = loop {
        match Connection::open(server, source).await {
            Ok(connection) => break connection,
            Err(_) => Tally::count(&tally.failed),
        }
        tokio::time::sleep(T1).await;
    };
    let mut client = Client::new(number, "WS", connection.local);
    loop {
        let request = client.register();
        Connection::queue(&mut connection.out, request.as_bytes());
        connection.flush().await.ok()?;
        let mut next = Next::Wait;
        while matches!(next, Next::Wait) {
            let open = connection.receive(|message, _| {
                if let Ok(answer) = Message::parse(bytes::Bytes::copy_from_slice(message)) {
                    next = client.hears(&answer, &tally);
                }
            });
            open.await.ok().filter(|open| *open)?;
        }
        match next {
            Next::Again(wait) => tokio::time::sleep(wait).await,
            Next::Back | Next::Wait => {
                Tally::count(&tally.back);
                return Some(connection);
            }
        }
    }
}

/// A phone's request under way.
struct Phone {
    client: Client,
    text: String,
    began: Instant,
    /// When it is said next, and how long it waits then.
    due: Option<Instant>,
    interval: Duration,
}

impl Phone {
    fn ask(&mut self, after: Duration) {
        self.text = self.client.register();
        self.began = Instant::now() + after;
        self.due = Some(self.began);
        self.interval = T1;
    }
}

/// Phones behind one socket come back.
async fn phones(server: SocketAddr, numbers: std::ops::Range<usize>, tally: Rc<Tally>) -> Result<(), String> {
    let say = |error: std::io::Error| format!("a phone's socket: {error}");
    let source = Ipv4Addr::new(127, 0, 2, (numbers.start / PHONES % 250 + 1) as u8);
    let socket = UdpSocket::bind((source, 0)).await.map_err(say)?;
    let local = socket.local_addr().map_err(say)?;
    let first = numbers.start;
    let mut phones: Vec<_> = numbers
        .map(|number| {
            let client = Client::new(number, "UDP", local);
            let now = Instant::now();
            Phone { client, text: String::new(), began: now, due: None, interval: T1 }
        })
        .collect();
    phones.iter_mut().for_each(|phone| phone.ask(Duration::ZERO));
    let (mut buffer, mut left) = (vec![0; 65_536], phones.len());
    while left > 0 {
        let now = Instant::now();
        for phone in phones.iter_mut().filter(|phone| phone.due.is_some_and(|due| due <= now)) {
            if now > phone.began + TIMER_F {
                Tally::count(&tally.failed);
                phone.ask(Duration::ZERO);
            } else if now > phone.began + T1 / 2 {
                Tally::count(&tally.repeated);
            }
            socket.send_to(phone.text.as_bytes(), server).await.map_err(say)?;
            phone.due = Some(now + phone.interval);
            phone.interval = (phone.interval * 2).min(T2);
        }
        while let Ok(Ok(length)) = timeout(Duration::from_millis(20), socket.recv(&mut buffer)).await {
            let Ok(answer) = Message::parse(bytes::Bytes::copy_from_slice(&buffer[..length])) else {
                continue;
            };
            let at = answer.call_id().parse::<usize>().ok().and_then(|number| number.checked_sub(first));
            let Some(phone) = at.and_then(|at| phones.get_mut(at)).filter(|phone| phone.due.is_some()) else {
                continue;
            };
            match phone.client.hears(&answer, &tally) {
                Next::Wait => {}
                Next::Again(wait) => {
                    phone.ask(wait);
                    if wait.is_zero() {
                        socket.send_to(phone.text.as_bytes(), server).await.map_err(say)?;
                        phone.due = Some(Instant::now() + T1);
                        phone.interval = T1 * 2;
                    }
                }
                Next::Back => {
                    phone.due = None;
                    left -= 1;
                    Tally::count(&tally.back);
                }
            }
        }
    }
    Ok(())
}

/// How one transport's clients came back.
pub(crate) struct Return {
    transport: &'static str,
    clients: usize,
    seconds: f64,
    server_cpu: f64,
    own_cpu: f64,
    memory: u64,
    tally: Rc<Tally>,
}

/// Registers all, kills the server, and measures until all are registered again.
pub(crate) async fn avalanche(options: &Options) -> Result<(), String> {
    for (transport, clients) in [("UDP", options.phones), ("WS", options.browsers)] {
        if clients == 0 {
            continue;
        }
        eprintln!("tributary: {clients} clients over {transport} register");
        let mut running = Target::Tributary.start_with(clients).await?;
        let first = come(&running, transport, clients).await?;
        println!("at first: {first}");
        running.kill_and_start_again().await?;
        let second = come(&running, transport, clients).await?;
        println!("after the restart: {second}");
    }
    Ok(())
}

async fn come(running: &Running, transport: &'static str, clients: usize) -> Result<Return, String> {
    let tally = Rc::<Tally>::default();
    let processes = running.processes();
    let (began, cpu, own) = (Instant::now(), processes.cpu(), own_cpu());
    let mut open = Vec::new();
    let all = async {
        if transport == "WS" {
            let address = running.address;
            let tasks: Vec<_> =
                (0..clients).map(|number| spawn_local(browser(address, number, tally.clone()))).collect();
            for task in tasks {
                let connection = task.await.map_err(|error| format!("a browser ended: {error}"))?;
                open.push(connection.ok_or("a browser's connection ended")?);
            }
        } else {
            let tasks: Vec<_> = (0..clients)
                .step_by(PHONES)
                .map(|at| spawn_local(phones(running.udp, at..(at + PHONES).min(clients), tally.clone())))
                .collect();
            for task in tasks {
                task.await.map_err(|error| format!("a phone ended: {error}"))??;
            }
        }
        Ok::<_, String>(())
    };
    timeout(PATIENCE, all).await.map_err(|_| {
        format!("only {} of {clients} came back; answers: {:?}", tally.back.get(), tally.statuses.borrow())
    })??;
    Ok(Return {
        transport,
        clients,
        seconds: began.elapsed().as_secs_f64(),
        server_cpu: (processes.cpu() - cpu).as_secs_f64(),
        own_cpu: (own_cpu() - own).as_secs_f64(),
        memory: processes.memory(),
        tally,
    })
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Return { transport, clients, seconds, server_cpu, own_cpu, memory, tally } = self;
        let each = server_cpu * 1e6 / *clients as f64;
        write!(
            f,
            "{clients} clients over {transport} in {seconds:.1} s\n  server CPU   {server_cpu:.1} s, {each:.0} us a \
             client (challenge and password)\n  generator    {own_cpu:.1} s\n  memory       {} MB\n  answers      \
             {:?}\n  repeated     {}\n  unanswered   {}",
            memory >> 20,
            tally.statuses.borrow(),
            tally.repeated.get(),
            tally.failed.get(),
        )
    }
}
