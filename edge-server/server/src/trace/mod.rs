//! The SIP trace: what chosen users say and are told, written to the log and sent to a Homer server.
//!
//! ```text
//!   message in  ──▶ shard's task ──┐  anybody traced? (one atomic load)
//!   message out ◀── its effects ───┴──▶ a user of From, To, Request-URI or P-Asserted-Identity?
//!                                         ──▶ within the rate? ──▶ credentials out ──▶ log, Homer (HEP3 by UDP)
//! ```
//! Every message that the state machines hear or say passes a shard's task, repetitions too. What could
//! not be read, and what was refused unread because there was too much of it, belongs to nobody.

mod hep;

use self::hep::Capture;
use crate::clock::Clock;
use crate::config::Trace;
use crate::metrics::{Metrics, count};
use merge_core::time::Millis;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tributary_engine::rate::Bucket;
use tributary_engine::{Hop, Rate, Transport};
use tributary_sip::{Aor, Message};

/// Octets of a key that Homer may want.
pub(crate) const KEY_BYTES: usize = hep::TEXT;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a peer to us.
    In,
    /// From us to a peer.
    Out,
}

/// Who is traced, and where to.
#[derive(Debug)]
pub struct Tracer {
    /// Whether anybody is traced: all that is looked at for each message otherwise.
    on: AtomicBool,
    state: Mutex<State>,
    log: bool,
    homer: Option<Homer>,
    rate: Rate,
    most: usize,
    longest: u32,
    clock: Clock,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    /// Until when; of the configuration's users for good.
    traced: BTreeMap<Box<str>, Option<Millis>>,
    left: Bucket,
}

#[derive(Debug)]
struct Homer {
    socket: UdpSocket,
    address: SocketAddr,
    capture_id: u32,
    key: Option<String>,
}

/// Why a trace cannot begin or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceError {
    /// The configuration traces this user for good.
    Configured,
    /// As many are traced as may be.
    Full(usize),
    /// It would last too long, or no time: seconds.
    Lasts(u32),
    /// This user is not traced.
    Unknown,
}

impl Tracer {
    /// As configured.
    ///
    /// # Errors
    /// There is no socket to be had for Homer.
    pub(crate) fn new(config: &Trace, clock: Clock, metrics: Metrics) -> io::Result<Self> {
        let homer = config.homer.map(|address| Homer::new(address, config)).transpose()?;
        // The check of the configuration has let nothing else in.
        let users = config.users.iter().filter_map(|user| Aor::parse(user).ok());
        let traced: BTreeMap<_, _> = users.map(|aor| (aor.as_str().into(), None)).collect();
        metrics.traced_users.set(traced.len() as i64);
        Ok(Self {
            on: AtomicBool::new(!traced.is_empty()),
            state: Mutex::new(State { traced, left: Bucket::default() }),
            log: config.log,
            homer,
            rate: Rate { per_second: config.messages_per_second, burst: config.messages_per_second },
            most: config.max_users,
            longest: config.max_seconds,
            clock,
            metrics,
        })
    }

    /// Whether anybody is traced, as far as that is known without looking at the time.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Traces a user for so many seconds from now on. Says until when, and whether the user is a new one.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub(crate) fn begin(&self, aor: &str, seconds: u32) -> Result<(Millis, bool), TraceError> {
        if !(1..=self.longest).contains(&seconds) {
            return Err(TraceError::Lasts(self.longest));
        }
        let now = self.clock.now();
        let until = Millis(now.0.saturating_add(i64::from(seconds) * 1_000));
        let mut state = self.state(now);
        let known = state.traced.get(aor).copied();
        match known {
            Some(None) => return Err(TraceError::Configured),
            None if state.traced.len() >= self.most => {
                count(&self.metrics.limit_reached, "limit", "trace.max_users");
                return Err(TraceError::Full(self.most));
            }
            Some(Some(_)) | None => state.traced.insert(aor.into(), Some(until)),
        };
        self.changed(&state);
        Ok((until, known.is_none()))
    }

    /// Traces a user no more.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub(crate) fn end(&self, aor: &str) -> Result<(), TraceError> {
        let mut state = self.state(self.clock.now());
        match state.traced.get(aor) {
            None => return Err(TraceError::Unknown),
            Some(None) => return Err(TraceError::Configured),
            Some(Some(_)) => state.traced.remove(aor),
        };
        self.changed(&state);
        Ok(())
    }

    /// Who is traced, and until when, in order.
    pub(crate) fn list(&self) -> Vec<(String, Option<Millis>)> {
        let state = self.state(self.clock.now());
        state.traced.iter().map(|(aor, until)| (aor.to_string(), *until)).collect()
    }

    /// A message passes. `local` is our end of its way, where that is known.
    pub(crate) fn passes(
        &self,
        direction: Direction,
        hop: &Hop,
        local: Option<SocketAddr>,
        message: &Message,
    ) {
        if !self.takes(message, self.clock.now()) {
            return;
        }
        let text = message.redacted();
        let way = Way { direction, hop, local };
        if self.log {
            way.log(&text);
        }
        if let Some(homer) = &self.homer
            && let Err(error) = homer.tell(way, self.clock.micros(), message.call_id(), &text)
        {
            tracing::debug!(%error, "Homer could not be told");
            count(&self.metrics.traced_messages, "result", "homer_lost");
        }
    }

    /// Whether a message is one of a user who is traced, and not one too many.
    fn takes(&self, message: &Message, now: Millis) -> bool {
        let users = users(message);
        let mut state = self.state(now);
        if !users.iter().any(|user| state.traced.contains_key(user.as_str())) {
            return false;
        }
        let within = state.left.take(self.rate, now).is_ok();
        drop(state);
        count(&self.metrics.traced_messages, "result", if within { "taken" } else { "over_rate" });
        within
    }

    /// The state, without those whose time is over.
    fn state(&self, now: Millis) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.traced.len();
        state.traced.retain(|_, until| until.is_none_or(|until| until > now));
        if state.traced.len() != before {
            self.changed(&state);
        }
        state
    }

    fn changed(&self, state: &State) {
        self.on.store(!state.traced.is_empty(), Ordering::Relaxed);
        self.metrics.traced_users.set(state.traced.len() as i64);
    }
}

/// Whom a message is about.
fn users(message: &Message) -> Vec<Aor> {
    let named = [message.from().ok(), message.to().ok()].into_iter().flatten();
    let named = named.chain(message.asserted_identities().filter_map(Result::ok));
    named.map(|named| named.uri).chain([message.uri()]).filter_map(|uri| Aor::parse(uri).ok()).collect()
}

/// The way of one message.
#[derive(Clone, Copy)]
struct Way<'a> {
    direction: Direction,
    hop: &'a Hop,
    local: Option<SocketAddr>,
}

impl Way<'_> {
    fn log(self, text: &[u8]) {
        let Hop { flow, transport, peer } = self.hop;
        let way = match self.direction {
            Direction::In => "from",
            Direction::Out => "to",
        };
        tracing::info!(target: "tributary::trace", flow = flow.0, "{} {way} {peer}{}", transport.via(), shown(text));
    }

    /// Where the message comes from, and where it goes. An end that is not known is nowhere.
    fn ends(self) -> (SocketAddr, SocketAddr) {
        let peer = self.hop.peer;
        let nowhere = if peer.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        };
        let local = self.local.unwrap_or(nowhere);
        match self.direction {
            Direction::In => (peer, local),
            Direction::Out => (local, peer),
        }
    }
}

/// The lines of a message, each so that it cannot be taken for one of the log's own.
fn shown(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len() + 256);
    for line in String::from_utf8_lossy(text).trim_end().split('\n') {
        shown.push_str("\n    | ");
        for sign in line.trim_end_matches('\r').chars() {
            if sign.is_control() && sign != '\t' {
                // A String takes everything.
                let _ = write!(shown, "{}", sign.escape_default());
            } else {
                shown.push(sign);
            }
        }
    }
    shown
}

impl Homer {
    fn new(address: SocketAddr, config: &Trace) -> io::Result<Self> {
        let any = if address.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        };
        let socket = UdpSocket::bind(any)?;
        // A shard waits for nobody: what the system has no room for is lost and counted.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address, capture_id: config.capture_id, key: config.homer_key.clone() })
    }

    fn tell(&self, way: Way<'_>, micros: u64, correlation: &str, payload: &[u8]) -> io::Result<()> {
        let (source, destination) = way.ends();
        let protocol = if way.hop.transport == Transport::Udp { 17 } else { 6 };
        let (capture_id, key) = (self.capture_id, self.key.as_deref());
        let capture =
            Capture { source, destination, protocol, micros, capture_id, key, correlation, payload };
        self.socket.send_to(&capture.encode(), self.address).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(change: impl FnOnce(&mut Trace)) -> Tracer {
        let mut config = Trace { max_users: 2, max_seconds: 60, ..Trace::default() };
        change(&mut config);
        Tracer::new(&config, Clock::default(), crate::metrics::Exposition::default().metrics).unwrap()
    }

    fn message(uri: &str, from: &str, to: &str, more: &str) -> Message {
        let text = format!(
            "MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/TCP a.example;branch=z9hG4bK1\r\nFrom: <{from}>;tag=1\r\nTo: <{to}>\r\n\
             Call-ID: 1\r\nCSeq: 1 MESSAGE\r\n{more}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.into()).unwrap()
    }

    #[test]
    fn nobody_is_traced_until_somebody_is_and_after_the_last_time_is_over() {
        let tracer = tracer(|_| {});
        assert!(!tracer.is_on());
        let (until, new) = tracer.begin("sip:alice@example.com", 60).unwrap();
        assert!(new && tracer.is_on());
        let about = message("sip:bob@example.com", "sip:alice@example.com", "sip:bob@example.com", "");
        assert!(tracer.takes(&about, Millis(until.0 - 1)));
        assert!(!tracer.takes(&about, until));
        assert!(!tracer.is_on());
        assert!(tracer.list().is_empty());
    }

    #[test]
    fn a_user_is_traced_by_each_place_that_names_one() {
        let tracer = tracer(|config| config.users = vec!["sip:alice@example.com".to_owned()]);
        let (alice, bob) = ("sip:Alice@EXAMPLE.com;x=1", "sip:bob@example.com");
        let asserted = "P-Asserted-Identity: <sip:alice@example.com>\r\n";
        for (uri, from, to, more, expect) in [
            (bob, bob, bob, "", false),
            ("sip:alice@example.com", bob, bob, "", true),
            (bob, "sip:alice@Example.com;user=phone", bob, "", true),
            (bob, bob, "pres:alice@example.com", "", true),
            (bob, bob, bob, asserted, true),
            // The user part is told apart by case (RFC 3261 19.1.4).
            (alice, bob, bob, "", false),
            ("sip:example.com", "tel:+1", bob, "", false),
        ] {
            let message = message(uri, from, to, more);
            assert_eq!(tracer.takes(&message, Millis(0)), expect, "{message:?}");
        }
    }

    #[test]
    fn no_more_are_traced_than_may_be_nor_longer_than_may_be() {
        let tracer = tracer(|config| config.users = vec!["sip:carol@example.com".to_owned()]);
        assert_eq!(tracer.begin("sip:alice@example.com", 61), Err(TraceError::Lasts(60)));
        assert_eq!(tracer.begin("sip:alice@example.com", 0), Err(TraceError::Lasts(60)));
        assert_eq!(tracer.begin("sip:carol@example.com", 1), Err(TraceError::Configured));
        assert!(tracer.begin("sip:alice@example.com", 60).unwrap().1);
        assert!(!tracer.begin("sip:alice@example.com", 60).unwrap().1);
        assert_eq!(tracer.begin("sip:bob@example.com", 60), Err(TraceError::Full(2)));
        assert_eq!(tracer.end("sip:bob@example.com"), Err(TraceError::Unknown));
        assert_eq!(tracer.end("sip:carol@example.com"), Err(TraceError::Configured));
        assert_eq!(tracer.end("sip:alice@example.com"), Ok(()));
        assert!(tracer.is_on());
    }

    #[test]
    fn no_more_messages_are_taken_than_the_rate_allows() {
        let tracer = tracer(|config| {
            config.users = vec!["sip:alice@example.com".to_owned()];
            config.messages_per_second = 2;
        });
        let about = message("sip:alice@example.com", "sip:bob@example.com", "sip:alice@example.com", "");
        let taken = (0..5).filter(|_| tracer.takes(&about, Millis(1_000))).count();
        assert_eq!(taken, 2);
        assert!(tracer.takes(&about, Millis(2_000)));
    }

    #[test]
    fn no_line_of_a_message_can_be_taken_for_one_of_the_log() {
        let shown =
            shown(b"MESSAGE a SIP/2.0\r\nSubject: x\r\n\r\n2026-01-01 ERROR \x1b[31mforged\rand more\r\n");
        assert_eq!(
            shown,
            "\n    | MESSAGE a SIP/2.0\n    | Subject: x\n    | \n    | 2026-01-01 ERROR \\u{1b}[31mforged\\rand more"
        );
    }
}
