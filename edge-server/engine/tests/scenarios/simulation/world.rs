//! The weather: the wire, the crashes, and the judgement at the end.

use super::client::{Client, Role};
use crate::scene::{SHARDS, START, config, shard_of};
use bytes::Bytes;
use merge_core::live::Snapshot;
use merge_core::time::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tributary_engine::{
    Answer, Config, Effect, Effects, Flow, FlowDevice, FlowId, Hop, Input, NoPolicies, Query, Record, Router,
    Shard, Standing, StoreOp, Table, Transport,
};
use tributary_sip::transaction::{
    Capacity, Effect as Done, Input as Given, Timing, TransactionId, Transactions,
};
use tributary_sip::{Message, Name};

/// A small generator with a printable seed (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, end: i64) -> i64 {
        (self.next() % end as u64) as i64
    }

    pub(super) fn once_in(&mut self, times: i64) -> bool {
        self.below(times) == 0
    }
}

/// Something that happens at a moment.
enum Happening {
    ToServer(FlowId, Bytes),
    ToClient(FlowId, Bytes),
    ServerMisses(FlowId),
    ClientMisses(FlowId),
    Wake(usize),
    /// The timers of a client's transactions.
    Repeat(usize),
    Crash,
}

#[derive(Default)]
struct ServerSide {
    device: Option<Arc<FlowDevice>>,
    authenticated: Option<Standing>,
}

pub(super) struct World {
    seed: u64,
    pub(super) dice: Dice,
    pub(super) now: i64,
    pub(super) log: Vec<String>,
    config: Arc<Config>,
    router: Router,
    shards: Vec<Shard>,
    store: BTreeMap<(Table, Bytes), Bytes>,
    open: BTreeMap<FlowId, ServerSide>,
    /// Connections that this process has seen end.
    missed: BTreeSet<FlowId>,
    agenda: BTreeMap<(i64, u64), Happening>,
    clients: Vec<Client>,
    /// The transactions of clients that use datagrams.
    tables: Vec<Transactions>,
    /// The NOTIFY that a client is about to answer.
    answering: Option<TransactionId>,
    owners: BTreeMap<FlowId, usize>,
    faults: bool,
    numbers: u64,
    starts: u8,
    etags: BTreeSet<String>,
    cseqs: BTreeMap<(String, String), u32>,
    /// NOTIFYs in datagrams, which come again.
    repeated: BTreeSet<Bytes>,
}

/// Ports that a client of datagrams may have.
const PORTS: u16 = 3;

const USERS: [&str; 3] = ["alice", "bob", "carol"];

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut world = Self {
            seed,
            dice: Dice::new(seed),
            now: START,
            log: Vec::new(),
            config: Arc::new(config()),
            router: Router::new([0; 32], SHARDS),
            shards: Vec::new(),
            store: BTreeMap::new(),
            open: BTreeMap::new(),
            missed: BTreeSet::new(),
            agenda: BTreeMap::new(),
            clients: Vec::new(),
            tables: Vec::new(),
            answering: None,
            owners: BTreeMap::new(),
            faults: true,
            numbers: 0,
            starts: 0,
            etags: BTreeSet::new(),
            cseqs: BTreeMap::new(),
            repeated: BTreeSet::new(),
        };
        world.start();
        for (index, user) in [0, 0, 0, 1, 1].into_iter().enumerate() {
            world.clients.push(Client::new(index, USERS[user], Role::Publisher));
        }
        for (index, (user, watched)) in [(1, 0), (2, 0), (2, 1), (0, 1)].into_iter().enumerate() {
            world.clients.push(Client::new(5 + index, USERS[user], Role::Watcher(USERS[watched])));
        }
        for index in 0..world.clients.len() {
            world.tables.push(Transactions::new(Timing::DEFAULT, Capacity::DEFAULT, [seed, index as u64]));
            let after = world.dice.below(5_000);
            world.at(after, Happening::Wake(index));
        }
        world
    }

    /// Everything goes wrong for that many milliseconds.
    pub(super) fn storm(&mut self, ms: i64) {
        self.faults = true;
        for _ in 0..self.dice.below(3) {
            let after = self.dice.below(ms);
            self.at(after, Happening::Crash);
        }
        self.run(ms);
    }

    /// Nothing goes wrong, and nobody has anything new to say.
    pub(super) fn calm(&mut self, ms: i64) {
        self.faults = false;
        self.run(ms);
        let travels = |what: &Happening| matches!(what, Happening::ToServer(..) | Happening::ToClient(..));
        while self.agenda.values().any(travels) {
            self.run(10);
        }
    }

    pub(super) fn judge(&mut self) {
        for shard in &self.shards {
            // Checks its own tally where debug assertions are on, as they are here.
            let ports = usize::from(PORTS) * self.clients.len();
            assert!(shard.counts().flows <= self.open.len() + self.missed.len() + ports);
        }
        let mut live = BTreeMap::new();
        for user in USERS {
            let aor = format!("sip:{user}@example.com");
            live.insert(user, self.live(&aor));
        }
        for client in &self.clients {
            let seed = self.seed;
            let who = format!("client {} of {}, seed {seed}", client.index, client.user);
            match client.role {
                Role::Publisher => {
                    let (set, pidf) = &live[client.user];
                    let mine: Vec<_> = set
                        .set
                        .publications
                        .iter()
                        .filter(|publication| publication.device.key == client.device())
                        .collect();
                    let all: Vec<_> = set.set.publications.iter().map(|p| &p.device.key).collect();
                    assert_eq!(mine.len(), 1, "publications of {who}: {all:?}\n{}", self.tail());
                    assert_eq!(
                        Some(mine[0].etag.as_str()),
                        client.etag.as_deref(),
                        "entity-tag of {who}\n{}",
                        self.tail()
                    );
                    assert_eq!(mine[0].document.source(), client.document(), "document of {who}");
                    assert!(pidf.contains(&client.mark()), "{who} is not in the merge");
                }
                Role::Nobody => {}
                Role::Watcher(watched) => {
                    let seen =
                        client.seen().unwrap_or_else(|| panic!("no subscription: {who}\n{}", self.tail()));
                    assert_eq!(seen, live[watched].1, "state seen by {who}\n{}", self.tail());
                }
            }
        }
        let publishers = self.clients.iter().filter(|client| matches!(client.role, Role::Publisher)).count();
        let published: usize = live.values().map(|(set, _)| set.set.publications.len()).sum();
        assert_eq!(published, publishers, "ghosts, seed {}", self.seed);
    }

    fn tail(&self) -> String {
        let from = self.log.len().saturating_sub(if std::env::var_os("TRIBUTARY_SEED").is_some() {
            100_000
        } else {
            12
        });
        self.log[from..].join("\n")
    }

    fn live(&mut self, aor: &str) -> (Snapshot, String) {
        let mut effects = Effects::new();
        let query = Query::Live { aor: aor.to_owned() };
        let shard = &mut self.shards[usize::from(shard_of(aor))];
        shard.handle(Millis(self.now), Input::Query { id: 0, query }, &mut NoPolicies, &mut effects);
        for effect in effects.drain() {
            if let Effect::Answer { answer, .. } = effect
                && let Answer::Live(Some(live)) = *answer
            {
                return (Snapshot::read_json(live.live_json.as_bytes()).unwrap(), live.server_pidf);
            }
        }
        panic!("no answer about {aor}");
    }

    fn start(&mut self) {
        self.starts += 1;
        let seed = [self.starts ^ self.seed as u8; 32];
        self.router = Router::new(seed, SHARDS);
        self.shards = (0..SHARDS).map(|index| Shard::new(self.config.clone(), seed, index)).collect();
        let records: Vec<Record> =
            self.store.iter().map(|((table, _), value)| Record::decode(*table, value).unwrap()).collect();
        for record in records {
            let shard = shard_of(record.aor());
            self.input(shard, Input::Restore(Box::new(record)), false);
        }
        for shard in 0..SHARDS {
            self.input(shard, Input::Restored, false);
        }
    }

    fn at(&mut self, after: i64, what: Happening) {
        self.numbers += 1;
        self.agenda.insert((self.now + after, self.numbers), what);
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn run(&mut self, ms: i64) {
        let end = self.now + ms;
        loop {
            let agenda = self.agenda.first_key_value().map(|(key, _)| key.0);
            let wakes =
                self.shards.iter().enumerate().filter_map(|(i, s)| Some((s.poll_timeout()?.0, i as u16)));
            let tick = wakes.min();
            let next = [agenda, tick.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if let Some((at, shard)) = tick
                && at <= next
            {
                self.input(shard, Input::Tick, false);
            } else if let Some((_, happening)) = self.agenda.pop_first() {
                self.happen(happening);
            }
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToServer(flow, bytes) => self.arrive(flow, bytes),
            Happening::ToClient(flow, bytes) => {
                let Some(&index) = self.owners.get(&flow) else { return };
                let message = Message::parse(bytes).expect("our own message");
                if flow.socket().is_some() {
                    self.step(index, Given::Received { hop: hop(flow), message });
                } else {
                    self.receive(index, flow, &message);
                }
            }
            Happening::Repeat(index) => self.step(index, Given::Tick),
            Happening::ServerMisses(flow) => {
                self.note(|| format!("server misses {flow:?}"));
                if self.open.remove(&flow).is_some() {
                    self.missed.insert(flow);
                    for shard in 0..SHARDS {
                        self.input(shard, Input::FlowClosed { flow }, false);
                    }
                }
            }
            Happening::ClientMisses(flow) => {
                if let Some(&index) = self.owners.get(&flow) {
                    self.clients[index].misses(flow);
                }
            }
            Happening::Wake(index) => {
                let mut client = std::mem::replace(&mut self.clients[index], Client::nobody());
                if self.faults && self.dice.once_in(4) {
                    client.changes(self.dice.below(1_000_000));
                }
                if self.faults && self.dice.once_in(25) {
                    client.hangs_up(self);
                }
                client.wake(self);
                self.clients[index] = client;
                let after = 1_000 + self.dice.below(4_000);
                self.at(after, Happening::Wake(index));
            }
            Happening::Crash => {
                self.note(|| "the server is killed".to_owned());
                self.missed.clear();
                let flows: Vec<_> = std::mem::take(&mut self.open).into_keys().collect();
                for flow in flows {
                    let after = self.dice.below(10_000);
                    self.at(after, Happening::ClientMisses(flow));
                }
                self.start();
            }
        }
    }

    /// A client opens a connection.
    pub(super) fn connect(&mut self, index: usize) -> FlowId {
        let mut flow = FlowId(self.number());
        if self.in_datagrams(index) {
            // Now and then from the port that it had before.
            let port = 5_000 + 100 * index as u16 + self.dice.below(i64::from(PORTS)) as u16;
            flow = FlowId::of_datagrams(0, ([192, 0, 2, 1], port).into(), [1, 2]).expect("a socket");
        } else {
            self.open.insert(flow, ServerSide::default());
        }
        self.owners.insert(flow, index);
        flow
    }

    /// Who uses datagrams differs from seed to seed.
    fn in_datagrams(&self, index: usize) -> bool {
        (self.seed + index as u64).is_multiple_of(3)
    }

    /// A client drops a connection; the server notices now, later, or much later.
    pub(super) fn disconnect(&mut self, flow: FlowId) {
        self.owners.remove(&flow);
        if flow.socket().is_some() {
            return;
        }
        let after = if self.faults { self.dice.below(40_000) } else { 100 };
        self.at(after, Happening::ServerMisses(flow));
    }

    /// A client sends a message.
    pub(super) fn transmit(&mut self, flow: FlowId, text: String) {
        let bytes = Bytes::from(text);
        let Some(&index) = self.owners.get(&flow).filter(|_| flow.socket().is_some()) else {
            return self.travel(flow, |bytes| Happening::ToServer(flow, bytes), bytes);
        };
        let message = Message::parse(bytes.clone()).expect("the client's message");
        let given = match (message.status(), self.answering) {
            (Some(status), Some(transaction)) => {
                Given::Respond { transaction, status, response: bytes.into() }
            }
            (Some(_), None) => panic!("an answer to nothing"),
            (None, _) => Given::Request { user: 0, hop: hop(flow), request: bytes.into() },
        };
        self.step(index, given);
    }

    /// Gives something to the transactions of a client, and does what they say.
    fn step(&mut self, index: usize, given: Given) {
        let mut done = Vec::new();
        self.tables[index].handle(self.now as u64, given, &mut done);
        for effect in done {
            match effect {
                Done::Send { hop, packet, .. } => {
                    let flow = hop.flow;
                    self.travel(flow, |bytes| Happening::ToServer(flow, bytes), packet.to_bytes());
                }
                Done::Request { transaction, hop, message, .. } => {
                    self.answering = Some(transaction);
                    self.receive(index, hop.flow, &message);
                    self.answering = None;
                }
                Done::Response { message, .. } => {
                    if let Some((&flow, _)) = self.owners.iter().find(|(_, owner)| **owner == index) {
                        self.receive(index, flow, &message);
                    }
                }
                _ => {}
            }
        }
        if let Some(due) = self.tables[index].poll_timeout() {
            self.at(due as i64 - self.now, Happening::Repeat(index));
        }
    }

    fn receive(&mut self, index: usize, flow: FlowId, message: &Message) {
        let mut client = std::mem::replace(&mut self.clients[index], Client::nobody());
        client.receive(self, flow, message);
        self.clients[index] = client;
    }

    fn travel(&mut self, flow: FlowId, happening: impl Fn(Bytes) -> Happening, bytes: Bytes) {
        let lossy = if flow.socket().is_some() { 3 } else { 0 };
        let copies = match self.dice.below(20) - lossy {
            ..=0 if self.faults => 0,
            1 | 2 if self.faults => 2,
            _ => 1,
        };
        for _ in 0..copies {
            // Unequal delays put messages out of order.
            let delay = if self.faults && self.dice.once_in(5) { self.dice.below(8_000) } else { 20 };
            self.at(delay, happening(bytes.clone()));
        }
    }

    fn arrive(&mut self, flow: FlowId, bytes: Bytes) {
        if flow.socket().is_some() {
            return self.deliver(flow, None, None, bytes);
        }
        let Some(side) = self.open.get(&flow) else {
            // A transport that lets one through after the end of its connection is not past imagining,
            // but not over the end of its process.
            if !self.missed.contains(&flow) || self.dice.once_in(2) {
                return;
            }
            return self.deliver(flow, None, None, bytes);
        };
        let (device, authenticated) = (side.device.clone(), side.authenticated.clone());
        self.deliver(flow, device, authenticated, bytes);
    }

    fn deliver(
        &mut self,
        id: FlowId,
        device: Option<Arc<FlowDevice>>,
        authenticated: Option<Standing>,
        bytes: Bytes,
    ) {
        let message = Message::parse(bytes).expect("the client's message");
        self.note(|| format!("{id:?} -> {message:?}"));
        let flow = Flow { authenticated, device, ..Flow::new(hop(id)) };
        let shard = self.router.shard(&message);
        let dies = self.faults && self.dice.once_in(2_000);
        self.input(shard, Input::Message { flow, message }, dies);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let at = self.now - START;
        self.log.push(format!("{:>7}.{:03} {}", at / 1000, at % 1000, line()));
    }

    /// One call of a shard. With `dies` the process is killed in the middle of carrying the effects
    /// out: what was to be stored is stored or not, and nothing is sent.
    fn input(&mut self, shard: u16, input: Input, dies: bool) {
        let mut effects = Effects::new();
        self.shards[usize::from(shard)].handle(Millis(self.now), input, &mut NoPolicies, &mut effects);
        let stored = !dies || self.dice.once_in(2);
        let effects: Vec<_> = effects.drain().collect();
        for effect in &effects {
            match effect {
                Effect::Store(StoreOp::Put { table, key, value }) if stored => {
                    self.store.insert((*table, key.clone()), value.clone());
                }
                Effect::Store(StoreOp::Delete { table, key }) if stored => {
                    self.store.remove(&(*table, key.clone()));
                }
                _ => {}
            }
        }
        if dies {
            return self.happen(Happening::Crash);
        }
        for effect in effects {
            match effect {
                Effect::Send { hop, packet, transaction } => {
                    let datagram = hop.flow.socket().is_some();
                    match transaction.filter(|_| datagram && self.faults && self.dice.once_in(40)) {
                        Some(transaction) => self.input(shard, Input::SendFailed { transaction }, false),
                        None => self.sent(hop.flow, packet.to_bytes()),
                    }
                }
                Effect::Session { .. } => {}
                Effect::Reach { next, .. } => panic!("{next:?} is named by nobody"),
                Effect::FlowAuthenticated { flow, standing } => {
                    if let Some(side) = self.open.get_mut(&flow) {
                        side.authenticated = Some(standing);
                    }
                }
                Effect::FlowRegistered { flow, device } => {
                    if let Some(side) = self.open.get_mut(&flow) {
                        side.device = Some(device);
                    }
                }
                Effect::Broadcast(notice) => {
                    for other in (0..SHARDS).filter(|&other| other != shard) {
                        self.input(other, Input::Notice(notice.clone()), false);
                    }
                }
                _ => {}
            }
        }
    }

    fn sent(&mut self, flow: FlowId, bytes: Bytes) {
        let message = Message::parse(bytes.clone()).expect("our own message");
        self.note(|| format!("{flow:?} <- {message:?}"));
        if message.is_request() {
            let dialog = (message.call_id().to_owned(), message.from().unwrap().tag().unwrap().to_owned());
            let cseq = message.cseq().unwrap().number;
            if flow.socket().is_none() || self.repeated.insert(bytes.clone()) {
                let last = self.cseqs.insert(dialog, cseq).unwrap_or_default();
                assert!(cseq > last, "CSeq {cseq} after {last}, seed {}", self.seed);
            }
        }
        self.travel(flow, |bytes| Happening::ToClient(flow, bytes), bytes);
    }

    /// A client was given an entity-tag in an answer to a request that it had not been answered before.
    pub(super) fn given(&mut self, etag: &Message) -> String {
        let etag = etag.header(Name::SipEtag).expect("an entity-tag").to_owned();
        assert!(self.etags.insert(etag.clone()), "entity-tag given twice, seed {}", self.seed);
        etag
    }
}

/// The other end of a flow, whichever end that is.
fn hop(flow: FlowId) -> Hop {
    let transport = if flow.socket().is_some() { Transport::Udp } else { Transport::Ws };
    Hop { flow, transport, peer: ([192, 0, 2, 1], 5_060).into() }
}
