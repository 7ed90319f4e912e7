//! Two shards, a store, and clients that do what they are told. News travels when it is let go.

use bytes::Bytes;
use merge_core::compose::Composition;
use merge_core::live::Switches;
use merge_core::time::Millis;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use tributary_engine::{
    Answer, Auth, Config, Effect, Effects, Everybody, Flow, FlowDevice, FlowId, Hop, Input, Limits,
    NoPolicies, Query, Record, Registrar, Router, Scope, Shard, StoreOp, Table, Timing, Transport,
};
use tributary_sip::{Message, Name, ResponseBuilder, Status, SubState};

pub(crate) const USERS: [&str; 3] = ["alice", "bob", "carol"];
/// Places for connections; the place decides the user and the device. What comes from the last one
/// are datagrams.
pub(crate) const SLOTS: usize = 5;
const SHARDS: u16 = 2;
const START: i64 = 1_795_225_680_000;

pub(crate) struct Stage {
    config: Arc<Config>,
    router: Router,
    shards: Vec<Shard>,
    store: BTreeMap<(Table, Bytes), Bytes>,
    now: i64,
    number: u64,
    starts: u8,
    slots: [Option<FlowId>; SLOTS],
    devices: BTreeMap<FlowId, Arc<FlowDevice>>,
    etags: [String; SLOTS],
    /// What shards are yet to hear, each sender's in its order.
    news: BTreeMap<(u64, u16), VecDeque<Input>>,
    notifies: Vec<(FlowId, Message)>,
    /// How many NOTIFYs left in datagrams.
    notified: usize,
    /// To tag, watched user, From tag, Call-ID of dialogs that were accepted.
    dialogs: Vec<(String, String, String, String)>,
    answers: Vec<Answer>,
    last: Option<Message>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let limits = Limits {
            bindings_per_aor: 4,
            publications_per_presentity: 6,
            subscriptions_per_presentity: 6,
            presentities_per_shard: 4,
            transactions_per_shard: 8,
            transaction_bytes_per_shard: 16_000,
            devices_per_shard: 3,
            resumed_at_once: 2,
            reevaluated_at_once: 2,
            publication_bytes_per_presentity: 1_500,
            ..Limits::default()
        };
        let config = Config { limits, shards: SHARDS, ..Config::of_trial("example.com") };
        let mut stage = Self {
            config: Arc::new(config),
            router: Router::new([0; 32], SHARDS),
            shards: Vec::new(),
            store: BTreeMap::new(),
            now: START,
            number: 0,
            starts: 0,
            slots: [None; SLOTS],
            devices: BTreeMap::new(),
            etags: Default::default(),
            news: BTreeMap::new(),
            notifies: Vec::new(),
            notified: 0,
            dialogs: Vec::new(),
            answers: Vec::new(),
            last: None,
        };
        stage.restart();
        stage
    }

    /// The process ends without a word; only the store survives.
    fn restart(&mut self) {
        self.starts = self.starts.wrapping_add(1);
        self.slots.iter_mut().for_each(|slot| *slot = slot.filter(|flow| flow.socket().is_some()));
        self.devices.clear();
        self.news.clear();
        self.notifies.clear();
        let seed = [self.starts; 32];
        self.router = Router::new(seed, SHARDS);
        self.shards = (0..SHARDS).map(|index| Shard::new(self.config.clone(), seed, index)).collect();
        let records: Vec<Record> = self
            .store
            .iter()
            .map(|((table, _), value)| Record::decode(*table, value).expect("our record"))
            .collect();
        for record in records {
            let shard = home(record.aor());
            self.give(shard, Input::Restore(Box::new(record)));
        }
        (0..SHARDS).for_each(|shard| self.give(shard, Input::Restored));
    }

    pub(crate) fn pass(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some((at, shard)) = (0..SHARDS)
            .filter_map(|shard| Some((self.shards[usize::from(shard)].poll_timeout()?.0, shard)))
            .min()
            && at <= end
        {
            self.now = self.now.max(at);
            self.give(shard, Input::Tick);
        }
        self.now = end;
    }

    pub(crate) fn connect(&mut self, slot: usize) {
        self.hang_up(slot);
        self.number += 1;
        self.slots[slot] = match slot == SLOTS - 1 {
            true => FlowId::of_datagrams(0, peer(), [1, 2]),
            false => Some(FlowId(self.number)),
        };
    }

    pub(crate) fn hang_up(&mut self, slot: usize) {
        // Datagrams know no end.
        if let Some(flow) = self.slots[slot].take_if(|flow| flow.socket().is_none()) {
            self.devices.remove(&flow);
            for shard in 0..SHARDS {
                self.news.entry((flow.0, shard)).or_default().push_back(Input::FlowClosed { flow });
            }
        }
    }

    /// One piece of news arrives.
    pub(crate) fn hear(&mut self, which: usize) {
        let Some(&key) = self.news.keys().nth(which % self.news.len().max(1)) else {
            return;
        };
        let input = self.news.get_mut(&key).and_then(VecDeque::pop_front);
        self.news.retain(|_, queue| !queue.is_empty());
        if let Some(input) = input {
            self.give(key.1, input);
        }
    }

    pub(crate) fn register(&mut self, slot: usize, how: u8) {
        let expires = if how.is_multiple_of(4) { 0 } else { u32::from(how) * 10 };
        let user = user(slot);
        let instance = if slot % 2 == 1 {
            format!(";reg-id=1;+sip.instance=\"<urn:uuid:{slot}>\"")
        } else {
            String::new()
        };
        let contact = format!("Contact: {};expires={expires}{instance}\r\n", contact(slot));
        self.request(slot, "REGISTER", "sip:example.com", &format!("<sip:{user}@example.com>"), &contact, "");
    }

    pub(crate) fn publish(&mut self, slot: usize, how: u8) {
        let uri = format!("sip:{}@example.com", user(slot));
        let mut more = format!("Event: presence\r\nExpires: {}\r\n", u32::from(how) * 20);
        if how % 3 != 0 && !self.etags[slot].is_empty() {
            more += &format!("SIP-If-Match: {}\r\n", self.etags[slot]);
        }
        let mut body = String::new();
        if how % 5 != 0 {
            body = document(user(slot), &format!("{}", self.number));
            more += "Content-Type: application/pidf+xml\r\n";
        }
        if let Some(answer) = self.request(slot, "PUBLISH", &uri, &format!("<{uri}>"), &more, &body)
            && let Some(etag) = answer.header(Name::SipEtag)
        {
            self.etags[slot] = etag.to_owned();
        }
    }

    pub(crate) fn subscribe(&mut self, slot: usize, whom: &str, how: u8) {
        let uri = format!("sip:{whom}@example.com");
        let more =
            format!("Event: presence\r\nContact: {}\r\nExpires: {}\r\n", contact(slot), u32::from(how) * 20);
        if let Some(answer) = self.request(slot, "SUBSCRIBE", &uri, &format!("<{uri}>"), &more, "")
            && answer.status() == Some(Status::OK)
        {
            let tag = |address: Option<&str>| address.unwrap_or_default().to_owned();
            let (to, from) = (tag(answer.to().unwrap().tag()), tag(answer.from().unwrap().tag()));
            self.dialogs.push((to, whom.to_owned(), from, answer.call_id().to_owned()));
        }
    }

    pub(crate) fn resubscribe(&mut self, which: usize, slot: usize, how: u8) {
        let Some((to, whom, from, call_id)) = self.dialogs.get(which % self.dialogs.len().max(1)).cloned()
        else {
            return;
        };
        self.number += 1;
        let text = format!(
            "SUBSCRIBE sip:ps-0@example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK{n}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{}@example.com>;tag={from}\r\nTo: <sip:{whom}@example.com>;tag={to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {n} SUBSCRIBE\r\nEvent: presence\r\nContact: {}\r\nExpires: {}\r\n\
             Content-Length: 0\r\n\r\n",
            user(slot),
            contact(slot),
            u32::from(how) * 20,
            n = self.number,
        );
        self.anything(slot, text.into());
    }

    /// Answers a NOTIFY, most often as it should be.
    pub(crate) fn answer(&mut self, which: usize, how: u8) {
        if self.notifies.is_empty() {
            return;
        }
        let (flow, notify) = self.notifies.swap_remove(which % self.notifies.len());
        let status = match how {
            250.. => Status::CALL_DOES_NOT_EXIST,
            245.. => Status::SERVER_INTERNAL_ERROR,
            _ => Status::OK,
        };
        let answer = ResponseBuilder::new(&notify, status).build().expect("an answer");
        self.arrive(flow, Message::parse(answer).expect("our own"));
    }

    /// Whatever was made up arrives, if it is a message at all.
    pub(crate) fn anything(&mut self, slot: usize, text: Vec<u8>) {
        if let (Some(flow), Ok(message)) = (self.slots[slot], Message::parse(text.into())) {
            self.arrive(flow, message);
        }
    }

    pub(crate) fn seldom(&mut self, what: u8) {
        let aor = format!("sip:{}@example.com", USERS[usize::from(what >> 4) % USERS.len()]);
        match what % 4 {
            0 => self.restart(),
            1 => (0..SHARDS).for_each(|shard| self.give(shard, Input::UserRemoved { aor: aor.clone() })),
            2 => (0..SHARDS).for_each(|shard| self.give(shard, Input::PolicyChanged { scope: Scope::All })),
            _ => {
                let store = self.store.clone();
                (0..SHARDS).for_each(|shard| self.give(shard, Input::Shutdown));
                self.slots
                    .iter()
                    .flatten()
                    .copied()
                    .filter(|flow| flow.socket().is_none())
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|flow| {
                        (0..SHARDS).for_each(|shard| self.give(shard, Input::FlowClosed { flow }));
                    });
                self.pass(4_000_000);
                assert!(self.store == store, "a shard that stops changed the store");
                self.restart();
            }
        }
    }

    pub(crate) fn check_bounds(&self) {
        let limits = &self.config.limits;
        for shard in &self.shards {
            let counts = shard.counts();
            assert!(counts.presentities <= limits.presentities_per_shard as usize);
            // The watchers in datagrams have NOTIFYs of their own here.
            let most = limits.transactions_per_shard as usize + self.notified;
            assert!(counts.transactions <= most);
            assert!(counts.transaction_bytes <= limits.transaction_bytes_per_shard as usize);
            assert!(counts.devices <= limits.devices_per_shard as usize);
            assert!(counts.timers <= 4 * (counts.bindings + counts.publications + counts.subscriptions + 4));
            assert!(counts.flows <= self.number as usize);
        }
    }

    /// All news arrives, and everything is answered.
    pub(crate) fn settle(&mut self) {
        loop {
            while !self.news.is_empty() {
                self.hear(0);
            }
            while !self.notifies.is_empty() {
                self.answer(0, 0);
            }
            let end = self.now + 5_000;
            self.pass(200);
            if self.notifies.is_empty() && self.news.is_empty() {
                self.pass(end - self.now);
                if self.notifies.is_empty() {
                    return;
                }
            }
        }
    }

    /// The user changes: all watchers that have a connection hear of it, and of nothing else.
    pub(crate) fn judge(&mut self, user: &str) {
        let slot = USERS.iter().position(|name| *name == user).unwrap_or_default();
        self.connect(slot);
        self.settle();
        let uri = format!("sip:{user}@example.com");
        self.number += 1;
        let body = document(user, &format!("last{}", self.number));
        let more = "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n";
        let answer = self.request(slot, "PUBLISH", &uri, &format!("<{uri}>"), more, &body);
        if answer.and_then(|answer| answer.status()) != Some(Status::OK) {
            return;
        }
        let told: BTreeSet<String> = self.notifies.iter().map(|(_, notify)| tag_of_ours(notify)).collect();
        let state = match self.ask(&uri, Query::Live { aor: uri.clone() }) {
            Some(Answer::Live(Some(live))) => live.server_pidf,
            other => panic!("{other:?}"),
        };
        let subscriptions = match self.ask(&uri, Query::Subscriptions { limit: usize::MAX }) {
            Some(Answer::Subscriptions(list)) => list,
            other => panic!("{other:?}"),
        };
        let awake = subscriptions.iter().filter(|one| *one.presentity == *uri && !one.waiting).count();
        assert_eq!(told.len(), awake, "watchers of {user} that were told, and that are there");
        for (_, notify) in &self.notifies {
            assert_eq!(notify.body(), state.as_bytes());
            assert_eq!(notify.subscription_state().unwrap().unwrap().state, SubState::Active);
        }
        self.settle();
    }

    fn ask(&mut self, aor: &str, query: Query) -> Option<Answer> {
        self.give(home(aor), Input::Query { id: 1, query });
        self.answers.pop()
    }

    /// Sends a request and gives the answer to it.
    fn request(
        &mut self,
        slot: usize,
        method: &str,
        uri: &str,
        to: &str,
        more: &str,
        body: &str,
    ) -> Option<Message> {
        let flow = self.slots[slot]?;
        self.number += 1;
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:{}@example.com>;tag=f{n}\r\nTo: {to}\r\nCall-ID: c{n}\r\nCSeq: {n} {method}\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            user(slot),
            body.len(),
            n = self.number,
        );
        self.last = None;
        self.arrive(flow, Message::parse(text.into()).expect("our own"));
        self.last.take()
    }

    fn arrive(&mut self, id: FlowId, message: Message) {
        let transport = if id.socket().is_some() { Transport::Udp } else { Transport::Ws };
        let hop = Hop { flow: id, transport, peer: peer() };
        let flow = Flow { device: self.devices.get(&id).cloned(), ..Flow::new(hop) };
        self.give(self.router.shard(&message), Input::Message { flow, message });
    }

    fn give(&mut self, shard: u16, input: Input) {
        let mut effects = Effects::new();
        self.shards[usize::from(shard)].handle(Millis(self.now), input, &mut NoPolicies, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::Send { hop, packet, .. } => {
                    self.sent(hop.flow, Message::parse(packet.to_bytes()).expect("our own"))
                }
                Effect::Store(StoreOp::Put { table, key, value }) => {
                    drop(self.store.insert((table, key), value))
                }
                Effect::Store(StoreOp::Delete { table, key }) => drop(self.store.remove(&(table, key))),
                Effect::FlowRegistered { flow, device } => drop(self.devices.insert(flow, device)),
                Effect::Broadcast(notice) => {
                    for other in (0..SHARDS).filter(|&other| other != shard) {
                        self.news.entry((0, other)).or_default().push_back(Input::Notice(notice.clone()));
                    }
                }
                Effect::Answer { answer, .. } => self.answers.push(*answer),
                _ => {}
            }
        }
    }

    fn sent(&mut self, flow: FlowId, message: Message) {
        if !self.slots.contains(&Some(flow)) {
            return;
        }
        if message.is_request() {
            self.notified += usize::from(flow.socket().is_some());
            self.notifies.push((flow, message));
        } else {
            self.last = Some(message);
        }
    }
}

fn peer() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

fn home(aor: &str) -> u16 {
    Router::new([0; 32], SHARDS).shard_of(aor)
}

fn user(slot: usize) -> &'static str {
    USERS[slot % USERS.len()]
}

fn contact(slot: usize) -> String {
    format!("<sip:u{slot}@h{slot}.invalid;transport=ws>")
}

fn tag_of_ours(notify: &Message) -> String {
    notify.from().unwrap().tag().unwrap_or_default().to_owned()
}

fn document(user: &str, note: &str) -> String {
    format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:{user}@example.com\"><tuple id=\"t\">\
         <status><basic>open</basic></status><note>{note}</note></tuple></presence>"
    )
}
