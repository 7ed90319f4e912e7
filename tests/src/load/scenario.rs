//! `--scenario`: what one registration, one message, and one call to three devices cost, over UDP and WebSocket.
//!
//! ```text
//! register  REGISTER, answered 401, again with the password, answered 200; and the memory of clients that
//!           stay registered (WebSocket)
//! message   MESSAGE to a user with one device, which answers 200
//! invite    INVITE to a user with three devices: all ring, one answers, the others get CANCEL; ACK, BYE
//! ```
//! Every client does one thing after another and waits for its end, so both servers do the same work, each
//! at its own pace; what is compared is the CPU time for each.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tributary_sip::digest::{self, Asked};
use tributary_sip::{Challenge, Message, Name};

use super::Options;
use super::figures::own_cpu;
use super::sip::{header, status};
use super::target::{Running, Target};
use super::wire::Connection;

const DOMAIN: &str = "sip:example.com";

/// Nobody waits longer for one thing.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to do, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Registrations, each with its challenge and its password.
    Register,
    /// Messages to one device.
    Message,
    /// Calls to three devices.
    Invite,
    /// Publications that ten watchers hear of: the phase `rate`.
    Publish,
    /// Uploads, activations, and a tenant with a hostile policy: `policies.rs`.
    Policies,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Udp,
    Ws,
}

enum Line {
    Udp(UdpSocket),
    Ws(Box<Connection>),
}

/// One client's way to the server.
struct Client {
    line: Line,
    local: SocketAddr,
    name: String,
    serial: u32,
}

impl Client {
    async fn new(running: &Running, over: Over, number: usize, name: String) -> io::Result<Client> {
        let (line, local) = match over {
            Over::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await?;
                socket.connect(running.udp).await?;
                let local = socket.local_addr()?;
                (Line::Udp(socket), local)
            }
            Over::Ws => {
                let connection = running.connect(number).await.map_err(io::Error::other)?;
                let local = connection.local;
                (Line::Ws(Box::new(connection)), local)
            }
        };
        Ok(Client { line, local, name, serial: 0 })
    }

    fn transport(&self) -> (&'static str, &'static str) {
        match self.line {
            Line::Udp(_) => ("UDP", "udp"),
            Line::Ws(_) => ("WS", "ws"),
        }
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{};transport={}>", self.name, self.local, self.transport().1)
    }

    fn via(&mut self) -> String {
        self.serial += 1;
        let (Self { local, name, serial, .. }, (transport, _)) = (&*self, self.transport());
        format!("Via: SIP/2.0/{transport} {local};branch=z9hG4bK{name}.{serial};rport\r\n")
    }

    async fn send(&mut self, text: &str) -> io::Result<()> {
        match &mut self.line {
            Line::Udp(socket) => socket.send(text.as_bytes()).await.map(drop),
            Line::Ws(connection) => {
                Connection::queue(&mut connection.out, text.as_bytes());
                connection.flush().await
            }
        }
    }

    /// What comes next; `hear` says what is answered.
    async fn receive(&mut self, mut hear: impl FnMut(&[u8], &mut Vec<String>)) -> io::Result<()> {
        let mut answers = Vec::new();
        match &mut self.line {
            Line::Udp(socket) => {
                let mut buffer = [0; 8_192];
                let length = socket.recv(&mut buffer).await?;
                hear(&buffer[..length], &mut answers);
                for answer in answers {
                    socket.send(answer.as_bytes()).await?;
                }
            }
            Line::Ws(connection) => {
                let open = connection.receive(|message, out| {
                    hear(message, &mut answers);
                    for answer in answers.drain(..) {
                        Connection::queue(out, answer.as_bytes());
                    }
                });
                if !open.await? {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
        Ok(())
    }

    /// Sends a request and gives the final answer to it.
    async fn asks(&mut self, text: &str, cseq: &str) -> io::Result<Bytes> {
        self.send(text).await?;
        let mut found = None;
        let answered = async {
            while found.is_none() {
                self.receive(|message, _| {
                    let mine = header(message, "cseq") == Some(cseq.as_bytes());
                    if mine && status(message).is_some_and(|status| status >= 200) {
                        found = Some(Bytes::copy_from_slice(message));
                    }
                })
                .await?;
            }
            Ok::<(), io::Error>(())
        };
        let late = |_| io::Error::other(format!("no answer to {}", text.lines().next().unwrap_or_default()));
        timeout(PATIENCE, answered).await.map_err(late)??;
        found.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Registers, with the password if that is asked for.
    async fn register(&mut self) -> io::Result<()> {
        let mut credentials = String::new();
        for turn in 0..2 {
            let (via, contact, serial) = (self.via(), self.contact(), self.serial);
            let name = &self.name;
            // Of a device `u7-2` the user is `u7`.
            let user = name.split('-').next().unwrap_or(name);
            let text = format!(
                "REGISTER {DOMAIN} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag={serial}\r\n\
                 To: <sip:{user}@example.com>\r\nCall-ID: {name}@register\r\nCSeq: {serial} REGISTER\r\n\
                 Contact: {contact}\r\nExpires: 3600\r\n{credentials}Content-Length: 0\r\n\r\n"
            );
            let user = user.to_owned();
            let answer = self.asks(&text, &format!("{serial} REGISTER")).await?;
            match status(&answer) {
                Some(200) => return Ok(()),
                Some(401) if turn == 0 => {
                    let refused = Message::parse(answer).map_err(io::Error::other)?;
                    let last = refused.headers(Name::WwwAuthenticate).last().and_then(Challenge::parse);
                    let asked = Asked::new("REGISTER", DOMAIN);
                    let proof = last.and_then(|challenge| {
                        digest::answer(challenge.digest()?, &user, "secret", asked, "0a4f113b", 1)
                    });
                    credentials =
                        proof.map(|proof| format!("Authorization: {proof}\r\n")).unwrap_or_default();
                }
                other => return Err(io::Error::other(format!("REGISTER was answered {other:?}"))),
            }
        }
        Err(io::Error::other("REGISTER was challenged twice"))
    }

    async fn message(&mut self, to: &str) -> io::Result<()> {
        let (via, serial, name) = (self.via(), self.serial, &self.name);
        let text = format!(
            "MESSAGE sip:{to}@example.com SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{name}@example.com>;tag={serial}\r\n\
             To: <sip:{to}@example.com>\r\nCall-ID: {name}{serial}\r\nCSeq: {serial} MESSAGE\r\n\
             Content-Type: text/plain\r\nContent-Length: 12\r\n\r\ngood morning"
        );
        let answer = self.asks(&text, &format!("{serial} MESSAGE")).await?;
        expect(&answer, "MESSAGE")
    }

    /// A call from INVITE to the 200 to BYE.
    async fn call(&mut self, to: &str) -> io::Result<()> {
        let (via, contact) = (self.via(), self.contact());
        let (serial, name) = (self.serial, self.name.clone());
        let body = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
        let text = format!(
            "INVITE sip:{to}@example.com SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{name}@example.com>;tag={serial}\r\n\
             To: <sip:{to}@example.com>\r\nCall-ID: {name}{serial}\r\nCSeq: {serial} INVITE\r\nContact: {contact}\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.asks(&text, &format!("{serial} INVITE")).await?;
        expect(&answer, "INVITE")?;
        let answer = Message::parse(answer).map_err(io::Error::other)?;
        let target =
            answer.contact().ok().flatten().map(|contact| contact.uri.to_owned()).unwrap_or_default();
        let mut routes: Vec<String> =
            answer.record_routes().filter_map(|route| Some(format!("<{}>", route.ok()?.uri))).collect();
        routes.reverse();
        let routes =
            if routes.is_empty() { String::new() } else { format!("Route: {}\r\n", routes.join(", ")) };
        let to = answer.header(Name::To).unwrap_or_default();
        for (method, number) in [("ACK", serial), ("BYE", serial + 1)] {
            let via = self.via();
            let text = format!(
                "{method} {target} SIP/2.0\r\n{via}Max-Forwards: 70\r\n{routes}From: <sip:{name}@example.com>;tag={serial}\r\n\
                 To: {to}\r\nCall-ID: {name}{serial}\r\nCSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
            );
            if method == "ACK" {
                self.send(&text).await?;
            } else {
                expect(&self.asks(&text, &format!("{number} BYE")).await?, "BYE")?;
            }
        }
        Ok(())
    }
}

fn expect(answer: &[u8], what: &str) -> io::Result<()> {
    match status(answer) {
        Some(200) => Ok(()),
        other => Err(io::Error::other(format!("{what} was answered {other:?}"))),
    }
}

/// A device that is called: it rings, and answers if it is the one that does.
async fn device(mut client: Client, answers: bool) -> io::Result<()> {
    let contact = format!("Contact: {}\r\n", client.contact());
    let tag = format!("d{}", client.local.port());
    // INVITEs that ring, by Call-ID.
    let ringing: RefCell<HashMap<Vec<u8>, Vec<u8>>> = RefCell::default();
    loop {
        client
            .receive(|message, out| {
                let call_id = header(message, "call-id").unwrap_or_default().to_vec();
                let reply = |request: &[u8], status: &str, more: &str| answer(request, status, &tag, more);
                if message.starts_with(b"INVITE ") {
                    out.push(reply(message, "180 Ringing", &contact));
                    if answers {
                        out.push(reply(message, "200 OK", &contact));
                    } else {
                        ringing.borrow_mut().insert(call_id, message.to_vec());
                    }
                } else if message.starts_with(b"CANCEL ") {
                    out.push(reply(message, "200 OK", ""));
                    if let Some(invite) = ringing.borrow_mut().remove(&call_id) {
                        out.push(reply(&invite, "487 Request Terminated", ""));
                    }
                } else if !message.starts_with(b"ACK ") && !message.starts_with(b"SIP/2.0 ") {
                    out.push(reply(message, "200 OK", ""));
                }
            })
            .await?;
    }
}

/// An answer with what it must repeat. To gets a tag where it has none.
fn answer(request: &[u8], status: &str, tag: &str, more: &str) -> String {
    let request = String::from_utf8_lossy(request);
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let repeated = ["via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "record-route"];
        if repeated.iter().any(|repeated| name.trim().eq_ignore_ascii_case(repeated)) {
            text.push_str(line);
            let to = name.trim().eq_ignore_ascii_case("to") || name.trim().eq_ignore_ascii_case("t");
            if to && !value.contains(";tag=") {
                text.push_str(";tag=");
                text.push_str(tag);
            }
            text.push_str("\r\n");
        }
    }
    text + more + "Content-Length: 0\r\n\r\n"
}

/// What one server needed.
pub(crate) struct Costs {
    what: &'static str,
    over: &'static str,
    server: &'static str,
    /// Microseconds of CPU for each, of the server and of the generator.
    cpu: f64,
    own: f64,
    rate: f64,
    /// Bytes for each registered, idle client.
    memory: Option<f64>,
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Costs { what, over, server, cpu, own, rate, memory } = self;
        write!(
            f,
            "  {what:<9} {over:<4} {server:<10} {cpu:>8.1} us of CPU each, {rate:>7.0}/s (generator {own:.1} us)"
        )?;
        memory
            .map_or(Ok(()), |bytes| write!(f, ", {:.2} KB for each registered, idle client", bytes / 1024.0))
    }
}

/// Runs a scenario over both transports against each target.
pub(crate) async fn run(scenario: Scenario, targets: &[Target], options: &Options) -> Result<(), String> {
    let mut missed = Vec::new();
    for over in [Over::Udp, Over::Ws] {
        let mut costs: Vec<Costs> = Vec::new();
        for target in targets {
            let cost = measure(scenario, over, *target, options).await?;
            println!("{cost}");
            costs.push(cost);
        }
        if let [ours, theirs] = costs.as_slice() {
            let ratio = ours.cpu / theirs.cpu;
            let verdict = if ratio <= 0.5 { "met" } else { "MISSED" };
            println!(
                "  {:<9} {:<4} CPU, of Kamailio's: {ratio:.2} (target 0.50: {verdict})",
                ours.what, ours.over
            );
            if ratio > 0.5 {
                missed.push(ours.what);
            }
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("  load average now: {}", load.split(' ').next().unwrap_or("unknown"));
    if options.strict && !missed.is_empty() { Err(format!("missed: {}", missed.join(", "))) } else { Ok(()) }
}

async fn measure(scenario: Scenario, over: Over, target: Target, options: &Options) -> Result<Costs, String> {
    let say = |error: io::Error| format!("{}: {error}", target.name());
    let callers = options.callers;
    let with_passwords = scenario == Scenario::Register;
    let users = if with_passwords { callers.max(options.idle) } else { 0 };
    let running = target.start_with(users).await?;
    let mut devices = Vec::new();
    if !with_passwords {
        let each = if scenario == Scenario::Invite { 3 } else { 1 };
        for (caller, n) in (0..callers).flat_map(|caller| (0..each).map(move |n| (caller, n))) {
            let name = format!("u{caller}-{n}");
            let mut client = Client::new(&running, over, devices.len(), name).await.map_err(say)?;
            client.register().await.map_err(say)?;
            devices.push(spawn_local(device(client, n == 0)));
        }
    }
    let mut clients = Vec::new();
    for n in 0..callers {
        let name = if with_passwords { format!("u{n}") } else { format!("c{n}") };
        clients.push(Client::new(&running, over, n, name).await.map_err(say)?);
    }
    let memory = match (scenario, over) {
        (Scenario::Register, Over::Ws) => Some(idle(&running, options.idle).await.map_err(say)?),
        _ => None,
    };
    let done = Rc::new(Cell::new(0_u64));
    let end = Rc::new(Cell::new(Instant::now() + Duration::from_secs(1)));
    let mut tasks = Vec::new();
    for (n, mut client) in clients.into_iter().enumerate() {
        let (done, end) = (done.clone(), end.clone());
        tasks.push(spawn_local(async move {
            let callee = format!("u{n}");
            while Instant::now() < end.get() {
                match scenario {
                    Scenario::Register => client.register().await?,
                    Scenario::Message => client.message(&callee).await?,
                    Scenario::Invite | Scenario::Publish | Scenario::Policies => client.call(&callee).await?,
                }
                done.set(done.get() + 1);
            }
            Ok::<_, io::Error>(client)
        }));
    }
    // The first second is not counted: what is made once is made then.
    end.set(Instant::now() + Duration::from_secs(1) + options.time());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let processes = running.processes();
    let (cpu, own, before, began) = (processes.cpu(), own_cpu(), done.get(), Instant::now());
    let mut open = Vec::new();
    for task in tasks {
        open.push(task.await.map_err(|error| format!("a client ended: {error}"))?.map_err(say)?);
    }
    let count = (done.get() - before) as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count;
    let cost = Costs {
        what: match scenario {
            Scenario::Register => "register",
            Scenario::Message => "message",
            Scenario::Invite | Scenario::Publish | Scenario::Policies => "invite",
        },
        over: if over == Over::Udp { "UDP" } else { "WS" },
        server: target.name(),
        cpu: each(processes.cpu() - cpu),
        own: each(own_cpu() - own),
        rate: count / began.elapsed().as_secs_f64(),
        memory,
    };
    devices.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(cost)
}

/// Memory for each of `count` clients that register over WebSocket and say nothing more.
async fn idle(running: &Running, count: usize) -> io::Result<f64> {
    let processes = running.processes();
    // A first few, so that what is allocated once is not counted.
    let mut open = Vec::new();
    let mut before = 0;
    for n in 0..count + 100 {
        if n == 100 {
            before = processes.memory();
        }
        let mut client = Client::new(running, Over::Ws, n, format!("u{}", n % count)).await?;
        client.register().await?;
        open.push(client);
    }
    Ok((processes.memory() as f64 - before as f64) / count as f64)
}
