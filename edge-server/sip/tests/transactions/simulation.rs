//! Two parties and a network between them that loses, repeats, delays and reorders, under a
//! virtual clock: laws that hold for every seed. A failing seed is printed with its law.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use tributary_sip::transaction::{
    Capacity, Effect, Failure, FlowId, Hop, Input, Packet, Timing, TransactionId, Transactions, Transport,
    branch,
};
use tributary_sip::{Message, Method, Name, RequestBuilder, ResponseBuilder, Status};

/// SplitMix64: good enough to choose fates, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What the network does to a datagram.
#[derive(Clone, Copy, Debug)]
struct Weather {
    loss: u64,
    repetition: u64,
    delay: u64,
}

/// A request's last copy leaves after 31.5 s, and the other side knows it for 32 s after the first:
/// beyond this difference of delays a copy is a new request, by the RFC's own timers.
const MOST_DELAY: u64 = 500;

const CLEAR: Weather = Weather { loss: 0, repetition: 0, delay: 40 };
const STORM: Weather = Weather { loss: 30, repetition: 20, delay: MOST_DELAY };
const SILENCE: Weather = Weather { loss: 100, repetition: 0, delay: 0 };

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// What comes to pass at a time.
enum Fate {
    /// A message reaches a party.
    Arrives(usize, Bytes),
    /// The server's user answers.
    Answers(TransactionId, u16),
    /// The client's user withdraws its INVITE.
    Withdraws(u64),
}

/// What the two users saw.
#[derive(Default)]
struct Seen {
    /// By the client's name of the request: finals and failures, in order.
    ends: HashMap<u64, Vec<String>>,
    /// Requests that the server's user got, by Call-ID and method.
    requests: HashMap<String, u32>,
    /// Provisional answers after a final one.
    disorder: u32,
    /// Failures at the server: an ACK that never came.
    unacknowledged: u32,
    /// ACKs of 2xx that reached the server's user.
    acks: u32,
    cancels: u32,
    terminated: u32,
    sent: u32,
}

struct World {
    dice: Dice,
    now: u64,
    transport: Transport,
    weather: Weather,
    parties: [Transactions; 2],
    fates: BTreeMap<(u64, u64), Fate>,
    count: u64,
    /// Last arrival each way: reliable transports keep the order.
    latest: [u64; 2],
    calls: HashMap<u64, (TransactionId, Bytes)>,
    invites: HashMap<TransactionId, Message>,
    answered: BTreeSet<TransactionId>,
    seen: Seen,
}

impl World {
    fn new(seed: u64, transport: Transport, weather: Weather) -> World {
        let party = |secret| Transactions::new(Timing::DEFAULT, Capacity::DEFAULT, [secret, seed]);
        World {
            dice: Dice(seed),
            now: 0,
            transport,
            weather,
            parties: [party(1), party(2)],
            fates: BTreeMap::new(),
            count: 0,
            latest: [0; 2],
            calls: HashMap::new(),
            invites: HashMap::new(),
            answered: BTreeSet::new(),
            seen: Seen::default(),
        }
    }

    fn hop(&self, to: usize) -> Hop {
        let peer = if to == SERVER { "192.0.2.2:5060" } else { "192.0.2.1:5060" };
        Hop { flow: FlowId(1), transport: self.transport, peer: peer.parse().unwrap() }
    }

    fn later(&mut self, at: u64, fate: Fate) {
        self.count += 1;
        self.fates.insert((at, self.count), fate);
    }

    /// A party hands a message to the network.
    fn send(&mut self, from: usize, bytes: &Bytes) {
        self.seen.sent += 1;
        let to = 1 - from;
        if self.transport.is_reliable() {
            let at = self.latest[to].max(self.now + self.dice.below(self.weather.delay + 1));
            self.latest[to] = at;
            self.later(at, Fate::Arrives(to, bytes.clone()));
            return;
        }
        let copies = 1 + u64::from(self.dice.chance(self.weather.repetition));
        for _ in 0..copies {
            if !self.dice.chance(self.weather.loss) {
                let at = self.now + self.dice.below(self.weather.delay + 1);
                self.later(at, Fate::Arrives(to, bytes.clone()));
            }
        }
    }

    fn give(&mut self, party: usize, input: Input) {
        let mut effects = Vec::new();
        self.parties[party].handle(self.now, input, &mut effects);
        for effect in effects {
            self.effect(party, effect);
        }
    }

    fn begin(&mut self, user: u64, method: Method<'_>) {
        let entropy = (u128::from(self.dice.roll()) << 64 | u128::from(self.dice.roll())).to_be_bytes();
        let via = format!("SIP/2.0/{} 192.0.2.1;branch={}", self.transport.via(), branch(entropy));
        let request = RequestBuilder::new(method, "sip:bob@example.com")
            .header(Name::Via, via)
            .header(Name::From, "<sip:alice@example.com>;tag=a")
            .header(Name::To, "<sip:bob@example.com>")
            .header(Name::CallId, user)
            .cseq(1)
            .build()
            .unwrap();
        self.seen.ends.insert(user, Vec::new());
        let hop = self.hop(SERVER);
        self.give(CLIENT, Input::Request { user, hop, request: request.into() });
    }

    fn effect(&mut self, party: usize, effect: Effect) {
        match effect {
            Effect::Send { packet, hop, .. } => {
                assert_eq!(hop, self.hop(1 - party));
                self.send(party, &packet.to_bytes());
            }
            Effect::Request { transaction, message, cancels, merged, .. } => {
                assert!(!merged && party == SERVER);
                self.asked(transaction, message, cancels);
            }
            Effect::Response { transaction, user, message } => self.answered(transaction, user, &message),
            Effect::Failed { user: Some(user), why, .. } => {
                assert_eq!(why, Failure::Timeout);
                self.seen.ends.entry(user).or_default().push("timeout".into());
            }
            Effect::Failed { user: None, .. } => self.seen.unacknowledged += 1,
            Effect::Ack { .. } => self.seen.acks += 1,
            Effect::Terminated { .. } => self.seen.terminated += 1,
            Effect::Dropped(_) => {}
            Effect::Refused { .. } | Effect::LimitReached(_) => panic!("{effect:?}"),
        }
    }

    /// The server's user: rings, refuses, accepts, at once or later.
    fn asked(&mut self, transaction: TransactionId, message: Message, cancels: Option<TransactionId>) {
        let name = format!("{} {}", message.call_id(), message.method());
        *self.seen.requests.entry(name).or_default() += 1;
        let method = message.method();
        let final_code = [200, 204, 302, 486, 500, 603][self.dice.below(6) as usize];
        let patience = if self.dice.chance(50) { 0 } else { self.dice.below(6_000) };
        if method == Method::Cancel {
            self.seen.cancels += 1;
            self.invites.insert(transaction, message);
            self.answer(transaction, if cancels.is_some() { 200 } else { 481 });
            if let Some(invite) = cancels {
                self.answer(invite, 487);
            }
            return;
        }
        let invite = method == Method::Invite;
        self.invites.insert(transaction, message);
        if invite && self.dice.chance(60) {
            self.later(self.now + self.dice.0 % 300, Fate::Answers(transaction, 180));
        }
        self.later(self.now + 300 + patience, Fate::Answers(transaction, final_code));
    }

    /// Answers, if there is no final answer yet. A 2xx is said three times, as users must.
    fn answer(&mut self, transaction: TransactionId, code: u16) {
        if self.answered.contains(&transaction) {
            return;
        }
        if code >= 200 {
            self.answered.insert(transaction);
        }
        self.respond(transaction, code);
        let invite = self.invites[&transaction].method() == Method::Invite;
        if invite && (200..300).contains(&code) {
            for again in [500, 1_500] {
                self.later(self.now + again, Fate::Answers(transaction, code + 1_000));
            }
        }
    }

    fn respond(&mut self, transaction: TransactionId, code: u16) {
        let status = Status::new(code).unwrap();
        let builder = ResponseBuilder::new(&self.invites[&transaction], status);
        let response: Packet = builder.to_tag("b").build().unwrap().into();
        self.give(SERVER, Input::Respond { transaction, status, response });
    }

    /// The client's user: notes the end, acknowledges a 2xx to INVITE.
    fn answered(&mut self, transaction: TransactionId, user: u64, response: &Message) {
        let code = response.status().unwrap().code();
        let ends = self.seen.ends.entry(user).or_default();
        if code < 200 {
            self.seen.disorder += u32::from(!ends.is_empty());
            let raw = response.raw().clone();
            if response.method() == Method::Invite && self.calls.insert(user, (transaction, raw)).is_none() {
                let patience = self.dice.below(8_000);
                self.later(self.now + patience, Fate::Withdraws(user));
            }
            return;
        }
        ends.push(code.to_string());
        if response.method() == Method::Invite && code < 300 {
            let ack = RequestBuilder::new(Method::Ack, "sip:bob@192.0.2.2")
                .header(
                    Name::Via,
                    format!("SIP/2.0/{} 192.0.2.1;branch={}", self.transport.via(), branch([9; 16])),
                )
                .header(Name::From, response.header(Name::From).unwrap())
                .header(Name::To, response.header(Name::To).unwrap())
                .header(Name::CallId, response.call_id())
                .cseq(1)
                .build()
                .unwrap();
            self.send(CLIENT, &ack);
        }
    }

    /// Lets everything come to pass.
    fn run(&mut self) {
        loop {
            let fate = self.fates.first_key_value().map(|(&(at, _), _)| at);
            let timers = self.parties.iter().filter_map(Transactions::poll_timeout).min();
            let Some(at) = fate.into_iter().chain(timers).min() else { break };
            assert!(at >= self.now);
            self.now = at;
            if fate == Some(at)
                && let Some((_, fate)) = self.fates.pop_first()
            {
                match fate {
                    Fate::Arrives(party, bytes) => {
                        let message = Message::parse(bytes).unwrap();
                        let hop = self.hop(1 - party);
                        self.give(party, Input::Received { hop, message });
                    }
                    Fate::Answers(transaction, code) if code > 1_000 => {
                        self.respond(transaction, code - 1_000)
                    }
                    Fate::Answers(transaction, code) => self.answer(transaction, code),
                    Fate::Withdraws(user) => {
                        let (transaction, _) = self.calls[&user];
                        self.give(CLIENT, Input::Cancel { transaction, reason: None });
                    }
                }
                continue;
            }
            for party in [CLIENT, SERVER] {
                self.give(party, Input::Tick);
            }
        }
    }

    fn check(&self, seed: u64) {
        let context = format!("seed {seed}, {:?}, {:?}", self.transport, self.weather);
        for (user, ends) in &self.seen.ends {
            let first = ends.first().unwrap_or_else(|| panic!("{context}: {user} has no end"));
            let more_2xx = first.starts_with('2') && ends.iter().all(|end| end == first);
            let invite = user % 2 == 0;
            assert!(ends.len() == 1 || invite && more_2xx, "{context}: {user} ended with {ends:?}");
        }
        for (name, times) in &self.seen.requests {
            assert_eq!(*times, 1, "{context}: the user got {name} more than once");
        }
        for (party, table) in self.parties.iter().enumerate() {
            assert!(table.is_empty() && table.held_bytes() == 0, "{context}: {party} keeps transactions");
        }
        assert_eq!(self.seen.disorder, 0, "{context}: a provisional answer after the final one");
        let known = self.seen.ends.len() + self.seen.requests.len();
        assert_eq!(self.seen.terminated as usize, known, "{context}: each end is told once");
    }
}

/// Ten requests, every second an INVITE, begun within a few seconds.
fn simulate(seed: u64, transport: Transport, weather: Weather) -> Seen {
    let mut world = World::new(seed, transport, weather);
    for user in 0..10 {
        let method = if user % 2 == 0 { Method::Invite } else { Method::Options };
        world.begin(user, method);
    }
    world.run();
    world.check(seed);
    world.seen
}

fn seeds() -> std::ops::Range<u64> {
    let many = std::env::var("TRIBUTARY_SEEDS").ok().and_then(|many| many.parse().ok());
    0..many.unwrap_or(3_000)
}

#[test]
fn in_any_weather_each_request_reaches_its_user_once_and_each_client_gets_one_end() {
    let (mut answered, mut timeouts, mut cancels, mut acks) = (0, 0, 0, 0);
    for seed in seeds() {
        let mut dice = Dice(seed ^ 0xfeed);
        let weather =
            Weather { loss: dice.below(60), repetition: dice.below(40), delay: 1 + dice.below(MOST_DELAY) };
        let seen = simulate(seed, Transport::Udp, weather);
        let failed = seen.ends.values().filter(|ends| ends[0] == "timeout").count();
        timeouts += failed;
        answered += seen.ends.len() - failed;
        cancels += seen.cancels;
        acks += seen.acks;
    }
    println!("{answered} answered, {timeouts} timeouts, {cancels} CANCELs, {acks} ACKs of 2xx");
    // The simulation sees all that it is there for.
    assert!(answered > 20 * timeouts && timeouts > 0 && cancels > 100 && acks > 100);
}

#[test]
fn a_third_of_all_datagrams_lost_costs_hardly_a_request() {
    let (mut requests, mut failed, mut unacknowledged) = (0, 0, 0);
    for seed in seeds().take(300) {
        let seen = simulate(seed, Transport::Udp, STORM);
        requests += seen.ends.len();
        failed += seen.ends.values().filter(|ends| ends[0] == "timeout").count();
        unacknowledged += seen.unacknowledged as usize;
    }
    assert!(failed * 100 <= requests, "{failed} of {requests}: requests or answers are not repeated");
    assert!(unacknowledged * 100 <= requests, "{unacknowledged} of {requests}: ACKs are not repeated");
}

#[test]
fn on_reliable_transports_and_in_clear_weather_nothing_fails() {
    for seed in seeds().take(500) {
        for transport in [Transport::Tcp, Transport::Ws, Transport::Udp] {
            let seen = simulate(seed, transport, CLEAR);
            assert!(seen.ends.values().all(|ends| ends[0] != "timeout"), "seed {seed}");
            assert_eq!(seen.unacknowledged, 0, "seed {seed}: an ACK is missing");
        }
    }
}

#[test]
fn on_a_silent_network_everything_is_said_as_often_as_the_schedule_says() {
    let seen = simulate(0, Transport::Udp, SILENCE);
    assert!(seen.ends.values().all(|ends| ends[..] == ["timeout"]));
    // Each INVITE 1 + 6 times, each OPTIONS 1 + 10 times.
    assert_eq!(seen.sent, 5 * 7 + 5 * 11);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed| {
        let seen = simulate(seed, Transport::Udp, STORM);
        let ends: BTreeMap<_, _> = seen.ends.into_iter().collect();
        (seen.sent, seen.acks, ends)
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
}
