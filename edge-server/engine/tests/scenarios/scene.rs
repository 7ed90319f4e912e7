//! The stage: shards, connections, the store, and clients that do what they are told.

use bytes::Bytes;
use merge_core::live::Presentity;
use merge_core::policy::Mask;
use merge_core::time::Millis;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tributary_engine::{
    Answer, Assignment, CapturedMerge, CapturedView, Config, Effect, Effects, Event, Flow, FlowDevice,
    FlowId, GoodAnswer, Hook, Hop, Input, Notice, Opinion, Peer, PolicyFailure, PolicyHost, Query, Ran,
    Record, Router, Shard, Standing, StoreOp, Table, TransactionId, Transport,
};
use tributary_sip::locate::NextHop;
use tributary_sip::{Message, Name, ResponseBuilder, SealingKeys, Status};

pub(crate) const START: i64 = 1_795_225_680_000;
pub(crate) const SHARDS: u16 = 3;

/// What a scene is played with.
pub(crate) fn config() -> Config {
    Config { shards: SHARDS, ..Config::of_trial("example.com") }
}

/// A policy host that answers what a test put into it.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) assigned: Option<Assignment>,
    pub(crate) answers: VecDeque<Opinion>,
    pub(crate) inputs: Vec<String>,
    /// What `pp_view` answers to inputs that hold these words.
    pub(crate) views: Vec<(String, Opinion)>,
    /// Inputs of `pp_view`.
    pub(crate) seen: Vec<String>,
    pub(crate) refused: Vec<PolicyFailure>,
    pub(crate) accepted: usize,
    pub(crate) last_good: Option<GoodAnswer>,
    /// What it answers, whatever else is said here.
    pub(crate) rule: Option<fn(Hook, &str) -> Opinion>,
    /// Whether it takes long: its answers come by [`Scene::policy_answers`].
    pub(crate) takes_long: bool,
    /// Those that are to come: of whom, under which number, and what.
    pub(crate) begun: VecDeque<(Arc<str>, u64, Ran)>,
    /// Whether merges are captured.
    pub(crate) captures: bool,
    /// Those that were: the reason, the input, and what was shown before and after; of views the class.
    pub(crate) captured: Vec<[String; 4]>,
    /// What the mask took away of merges that were captured.
    pub(crate) masked: Vec<Option<Mask>>,
    /// What runs beside what is in force, and what it says.
    pub(crate) beside: Option<(Assignment, Opinion)>,
    /// What it would have changed.
    pub(crate) would_change: Vec<Vec<String>>,
}

impl PolicyHost for Host {
    fn assignment(&mut self, _presentity: &Presentity) -> Option<Assignment> {
        self.assigned.clone()
    }

    fn run(
        &mut self,
        _presentity: &Presentity,
        _assignment: &Assignment,
        hook: Hook,
        input: &[u8],
    ) -> Opinion {
        let input = String::from_utf8(input.to_vec()).unwrap();
        if let Some(rule) = self.rule {
            return rule(hook, &input);
        }
        if hook == Hook::View {
            let answer = self
                .views
                .iter()
                .find(|(watcher, _)| input.contains(watcher))
                .map(|(_, answer)| answer.clone());
            self.seen.push(input);
            return answer.unwrap_or(Ok(None));
        }
        self.inputs.push(input);
        self.answers.pop_front().unwrap_or(Ok(None))
    }

    fn begin(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        hook: Hook,
        input: &[u8],
        question: u64,
    ) -> Option<Opinion> {
        let result = self.run(presentity, assignment, hook, input);
        if !self.takes_long {
            return Some(result);
        }
        self.begun.push_back((presentity.aor.as_str().into(), question, Ran { result, fuel: 1 }));
        None
    }

    fn refused(
        &mut self,
        _presentity: &Presentity,
        _assignment: &Assignment,
        _input: &[u8],
        failure: &PolicyFailure,
    ) {
        self.refused.push(failure.clone());
    }

    fn accepted(
        &mut self,
        _presentity: &Presentity,
        _assignment: &Assignment,
        hook: Hook,
        _output: Option<&[u8]>,
    ) {
        self.accepted += usize::from(hook == Hook::Merge);
    }

    fn last_good(&mut self, _presentity: &Presentity, _assignment: &Assignment) -> Option<GoodAnswer> {
        self.last_good.clone()
    }

    fn captures(&self, _aor: &str) -> bool {
        self.captures
    }

    fn captured(&mut self, _presentity: &Presentity, merge: &CapturedMerge<'_>) {
        let input = String::from_utf8(merge.input.clone()).unwrap();
        let reason = merge.reason.as_str().to_owned();
        self.captured.push([reason, input, merge.before.clone(), merge.after.clone()]);
        self.masked.push(merge.masked.clone());
    }

    fn shadow(&mut self, _presentity: &Presentity) -> Option<Assignment> {
        self.beside.as_ref().map(|(assignment, _)| assignment.clone())
    }

    fn run_shadow(&mut self, _assignment: &Assignment, _input: &[u8]) -> Opinion {
        self.beside.as_ref().map_or(Ok(None), |(_, said)| said.clone())
    }

    fn shadowed(&mut self, _presentity: &Presentity, outcome: Result<Vec<String>, PolicyFailure>) {
        self.would_change.push(outcome.unwrap());
    }

    fn captured_view(&mut self, _presentity: &Presentity, view: &CapturedView<'_>) {
        let input = String::from_utf8(view.input.clone()).unwrap();
        let class = view.watcher.class.as_str().to_owned();
        self.captured.push([class, input, view.before.clone(), view.after.clone()]);
    }
}

struct Link {
    open: bool,
    hop: Hop,
    device: Option<Arc<FlowDevice>>,
    authenticated: Option<Standing>,
    peer: Option<Arc<Peer>>,
    inbox: VecDeque<Message>,
}

/// A way that a shard asks for.
pub(crate) struct Sought {
    shard: u16,
    errand: u64,
    pub(crate) next: NextHop,
    pub(crate) private: bool,
    pub(crate) tried: Vec<String>,
}

/// Shards, connections and a store.
pub(crate) struct Scene {
    pub(crate) config: Arc<Config>,
    pub(crate) host: Host,
    pub(crate) now: i64,
    pub(crate) events: Vec<Event>,
    pub(crate) store: BTreeMap<(Table, Bytes), Bytes>,
    router: Router,
    shards: Vec<Shard>,
    links: BTreeMap<FlowId, Link>,
    answers: Vec<(u64, Answer)>,
    /// Ways that were asked for and not given.
    pub(crate) sought: VecDeque<Sought>,
    /// Sessions that began and ended over connections.
    pub(crate) sessions: Vec<(FlowId, bool)>,
    /// The transactions of what was sent.
    pub(crate) sent: Vec<(u16, TransactionId)>,
    starts: u8,
    numbers: u64,
    /// For flow tokens and temporary GRUUs, from the next start on.
    pub(crate) keys: Option<SealingKeys>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let mut scene = Self {
            config: Arc::new(config),
            host: Host::default(),
            now: START,
            events: Vec::new(),
            store: BTreeMap::new(),
            router: Router::new([0; 32], SHARDS),
            shards: Vec::new(),
            links: BTreeMap::new(),
            answers: Vec::new(),
            sought: VecDeque::new(),
            sessions: Vec::new(),
            sent: Vec::new(),
            starts: 0,
            numbers: 0,
            keys: None,
        };
        scene.start();
        scene
    }

    fn start(&mut self) {
        self.starts += 1;
        let seed = [self.starts; 32];
        let router = Router::new(seed, SHARDS);
        self.router = self.keys.iter().cloned().fold(router, Router::sealing);
        let shard = |index| Shard::new(self.config.clone(), seed, index);
        let sealed = |shard| self.keys.iter().cloned().fold(shard, Shard::sealing);
        self.shards = (0..SHARDS).map(shard).map(sealed).collect();
        let records: Vec<Record> =
            self.store.iter().map(|((table, _), value)| Record::decode(*table, value).unwrap()).collect();
        for record in records {
            let shard = shard_of(record.aor());
            self.input(shard, Input::Restore(Box::new(record)));
        }
        for shard in 0..SHARDS {
            self.input(shard, Input::Restored);
        }
    }

    /// The process dies and starts again, `after` milliseconds later. Only the store survives.
    pub(crate) fn restart(&mut self, after: i64) {
        self.links.retain(|_, link| link.hop.transport == Transport::Udp);
        self.host.begun.clear();
        self.now += after;
        self.start();
    }

    pub(crate) fn connect(&mut self) -> FlowId {
        self.numbers += 1;
        let flow = FlowId(self.numbers);
        self.link(Hop { flow, transport: Transport::Ws, peer: ([127, 0, 0, 1], 50_000).into() })
    }

    /// A client that uses datagrams; `port` is its own.
    pub(crate) fn datagrams(&mut self, port: u16) -> FlowId {
        let peer = ([127, 0, 0, 1], port).into();
        let flow = FlowId::of_datagrams(0, peer, [1, 2]).unwrap();
        self.link(Hop { flow, transport: Transport::Udp, peer })
    }

    fn link(&mut self, hop: Hop) -> FlowId {
        let link =
            Link { open: true, hop, device: None, authenticated: None, peer: None, inbox: VecDeque::new() };
        self.links.insert(hop.flow, link);
        hop.flow
    }

    /// Another server, and whom we take it for.
    pub(crate) fn server(&mut self, transport: Transport, at: &str, peer: Option<Arc<Peer>>) -> Client {
        let number = self.number();
        let peer_at = at.parse().unwrap();
        let flow = match transport {
            Transport::Udp => FlowId::of_datagrams(0, peer_at, [1, 2]).unwrap(),
            _ => FlowId(number),
        };
        self.link(Hop { flow, transport, peer: peer_at });
        self.links.get_mut(&flow).unwrap().peer = peer;
        Client {
            user: "carol",
            flow,
            via: format!("SIP/2.0/{} {at}", transport.via()),
            contact: format!("sip:carol@{at};transport={}", transport.uri()),
            instance: None,
            cseq: 0,
            register_call: 0,
        }
    }

    /// Gives the way that was asked for first.
    pub(crate) fn found(&mut self, at: Option<FlowId>) {
        let sought = self.sought.pop_front().expect("a way is sought");
        let found = at.map(|flow| self.links[&flow].hop);
        self.input(sought.shard, Input::Reached { errand: sought.errand, found });
    }

    pub(crate) fn disconnect(&mut self, flow: FlowId) {
        if let Some(link) = self.links.get_mut(&flow) {
            link.open = false;
        }
        for shard in 0..SHARDS {
            self.input(shard, Input::FlowClosed { flow });
        }
    }

    /// A number that no other call of this gave.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Something arrives over a connection.
    pub(crate) fn send(&mut self, flow: FlowId, text: &str) {
        let message = Message::parse(Bytes::copy_from_slice(text.as_bytes()))
            .unwrap_or_else(|error| panic!("{error:?} in\n{text}"));
        self.give(flow, message);
    }

    pub(crate) fn give(&mut self, flow: FlowId, message: Message) {
        let notices = self.deliver(flow, message);
        self.spread(notices);
    }

    /// As [`send`](Self::send), but what it has to tell the other shards is for the caller to spread.
    pub(crate) fn put_message(&mut self, flow: FlowId, text: &str) -> Vec<Notice> {
        self.deliver(flow, Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()).1
    }

    fn deliver(&mut self, flow: FlowId, message: Message) -> (u16, Vec<Notice>) {
        let link = &self.links[&flow];
        let flow = Flow {
            hop: link.hop,
            authenticated: link.authenticated.clone(),
            device: link.device.clone(),
            peer: link.peer.clone(),
        };
        let shard = self.router.shard(&message);
        (shard, self.put(shard, Input::Message { flow, message }))
    }

    /// Something arrives, and what comes of it is for the caller to carry out.
    pub(crate) fn collect(&mut self, flow: FlowId, text: &str, effects: &mut Effects) {
        let message = Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        let flow = Flow::new(self.links[&flow].hop);
        let shard = usize::from(self.router.shard(&message));
        let input = Input::Message { flow, message };
        self.shards[shard].handle(Millis(self.now), input, &mut self.host, effects);
    }

    /// Sends a request and takes its answer, which must be the next thing that arrives.
    pub(crate) fn ask(&mut self, flow: FlowId, text: &str) -> Message {
        assert_eq!(self.inbox(flow).len(), 0, "unread messages");
        self.send(flow, text);
        let answer = self.next(flow).unwrap_or_else(|| panic!("no answer to\n{text}"));
        assert!(!answer.is_request(), "a request came before the answer to\n{text}");
        answer
    }

    /// From here on everything has waited for so many ms.
    pub(crate) fn lag(&mut self, ms: u32) {
        self.shards.iter_mut().for_each(|shard| shard.waited(ms));
    }

    pub(crate) fn next(&mut self, flow: FlowId) -> Option<Message> {
        self.links.get_mut(&flow)?.inbox.pop_front()
    }

    pub(crate) fn inbox(&self, flow: FlowId) -> Vec<&Message> {
        self.links.get(&flow).map(|link| link.inbox.iter().collect()).unwrap_or_default()
    }

    /// Answers a NOTIFY.
    pub(crate) fn answer(&mut self, flow: FlowId, notify: &Message, status: u16) {
        let bytes = ResponseBuilder::new(notify, Status::new(status).unwrap()).build().unwrap();
        self.send(flow, std::str::from_utf8(&bytes).unwrap());
    }

    /// Takes the next message, which must be a NOTIFY, and answers it 200.
    pub(crate) fn notified(&mut self, flow: FlowId) -> Message {
        let notify = self.next(flow).expect("a NOTIFY");
        assert_eq!(notify.method().as_str(), "NOTIFY");
        self.answer(flow, &notify, 200);
        notify
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn pass(&mut self, ms: i64) {
        let end = self.now + ms;
        loop {
            let wakes =
                self.shards.iter().enumerate().filter_map(|(i, s)| Some((s.poll_timeout()?.0, i as u16)));
            let Some((at, shard)) = wakes.min().filter(|(at, _)| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            self.input(shard, Input::Tick);
        }
        self.now = end;
    }

    pub(crate) fn query(&mut self, aor: &str, query: Query) -> Answer {
        let id = self.number();
        self.input(shard_of(aor), Input::Query { id, query });
        let at = self.answers.iter().position(|(other, _)| *other == id).expect("an answer");
        self.answers.remove(at).1
    }

    /// What the server itself says that watchers of `aor` are to see.
    pub(crate) fn state(&mut self, aor: &str) -> String {
        match self.query(aor, Query::Live { aor: aor.to_owned() }) {
            Answer::Live(Some(live)) => live.server_pidf,
            other => panic!("{other:?}"),
        }
    }

    /// What could not be sent, told to the shard that sent it.
    pub(crate) fn send_failed(&mut self, (shard, transaction): (u16, TransactionId)) {
        self.input(shard, Input::SendFailed { transaction });
    }

    pub(crate) fn counts(&self) -> tributary_engine::Counts {
        let mut all = tributary_engine::Counts::default();
        for shard in &self.shards {
            let counts = shard.counts();
            all.presentities += counts.presentities;
            all.publications += counts.publications;
            all.bindings += counts.bindings;
            all.subscriptions += counts.subscriptions;
            all.waiting_subscriptions += counts.waiting_subscriptions;
            all.flows += counts.flows;
            all.transactions += counts.transactions;
            all.transaction_bytes += counts.transaction_bytes;
            all.proxied += counts.proxied;
            all.devices += counts.devices;
            all.timers += counts.timers;
        }
        all
    }

    /// The answer comes of a policy that takes long: of those that wait, the one in this place.
    pub(crate) fn policy_answers(&mut self, place: usize) {
        let (aor, question, ran) = self.host.begun.remove(place).expect("a question that waits");
        self.input(shard_of(&aor), Input::PolicyAnswered { aor, question, ran: Box::new(ran) });
    }

    pub(crate) fn everyone(&mut self, input: impl Fn() -> Input) {
        for shard in 0..SHARDS {
            self.input(shard, input());
        }
    }

    fn input(&mut self, shard: u16, input: Input) {
        let notices = self.put(shard, input);
        self.spread((shard, notices));
    }

    fn spread(&mut self, (shard, notices): (u16, Vec<Notice>)) {
        for notice in notices {
            for other in (0..SHARDS).filter(|&other| other != shard) {
                self.input(other, Input::Notice(notice.clone()));
            }
        }
    }

    /// One call of one shard; gives what it has to tell the others.
    pub(crate) fn put(&mut self, shard: u16, input: Input) -> Vec<Notice> {
        let mut effects = Effects::new();
        self.shards[usize::from(shard)].handle(Millis(self.now), input, &mut self.host, &mut effects);
        let (mut notices, mut failed) = (Vec::new(), Vec::new());
        for effect in effects.drain() {
            match effect {
                Effect::Send { hop, packet, transaction } => {
                    self.sent.extend(transaction.map(|transaction| (shard, transaction)));
                    let bytes = packet.to_bytes();
                    let message = Message::parse(bytes.clone())
                        .unwrap_or_else(|e| panic!("{e:?} in our own\n{}", String::from_utf8_lossy(&bytes)));
                    if let Some(link) = self.links.get_mut(&hop.flow).filter(|link| link.open) {
                        assert_eq!(hop, link.hop);
                        link.inbox.push_back(message);
                    } else {
                        failed.extend(transaction);
                    }
                }
                Effect::Reach { errand, next, private, tried } => {
                    let tried = tried.into_iter().map(|way| way.address.to_string()).collect();
                    self.sought.push_back(Sought { shard, errand, next, private, tried });
                }
                Effect::Store(StoreOp::Put { table, key, value }) => {
                    self.store.insert((table, key), value);
                }
                Effect::Store(StoreOp::Delete { table, key }) => {
                    self.store.remove(&(table, key));
                }
                Effect::FlowAuthenticated { flow, standing } => {
                    self.links.get_mut(&flow).unwrap().authenticated = Some(standing);
                }
                Effect::FlowRegistered { flow, device } => {
                    self.links.get_mut(&flow).unwrap().device = Some(device);
                }
                Effect::Session { flow, begun } => self.sessions.push((flow, begun)),
                Effect::Broadcast(notice) => notices.push(notice),
                Effect::Close { flow, .. } => self.links.get_mut(&flow).unwrap().open = false,
                Effect::Answer { id, answer } => self.answers.push((id, *answer)),
                Effect::Event(event) => self.events.push(event),
            }
        }
        for transaction in failed {
            notices.extend(self.put(shard, Input::SendFailed { transaction }));
        }
        notices
    }
}

pub(crate) fn shard_of(aor: &str) -> u16 {
    Router::new([0; 32], SHARDS).shard_of(aor)
}

/// One client: what a browser's library keeps about itself.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) user: &'static str,
    pub(crate) flow: FlowId,
    /// The protocol and sent-by of its Via.
    pub(crate) via: String,
    pub(crate) contact: String,
    pub(crate) instance: Option<&'static str>,
    pub(crate) cseq: u32,
    pub(crate) register_call: u64,
}

/// A dialog as its watcher sees it.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) call_id: String,
    pub(crate) from_tag: String,
    pub(crate) to: String,
    pub(crate) target: String,
    pub(crate) cseq: u32,
}

impl Watch {
    /// The dialog that this 200 to a SUBSCRIBE has begun.
    pub(crate) fn of(answer: &Message) -> Self {
        Self {
            call_id: answer.call_id().to_owned(),
            from_tag: answer.from().unwrap().tag().unwrap().to_owned(),
            to: answer.header(Name::To).unwrap().to_owned(),
            target: answer.contact().unwrap().unwrap().uri.to_owned(),
            cseq: 1,
        }
    }
}

impl Client {
    pub(crate) fn new(scene: &mut Scene, user: &'static str, instance: Option<&'static str>) -> Self {
        let flow = scene.connect();
        let number = scene.number();
        let contact = format!("sip:u{number}@h{number}.invalid;transport=ws");
        let via = "SIP/2.0/WS lib.invalid".to_owned();
        Self { user, flow, via, contact, instance, cseq: 0, register_call: number }
    }

    /// The lines that every request of this client begins with.
    pub(crate) fn head(&self, scene: &mut Scene, method: &str, uri: &str, to: &str) -> String {
        let n = scene.number();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: {via};branch=z9hG4bK{n}\r\nMax-Forwards: 69\r\n\
             From: <sip:{user}@example.com>;tag=f{n}\r\nTo: <{to}>\r\nCall-ID: c{n}\r\nCSeq: 1 {method}\r\n",
            user = self.user,
            via = self.via,
        )
    }

    pub(crate) fn register_text(&mut self, scene: &mut Scene, extra: &str) -> String {
        let n = scene.number();
        self.cseq += 1;
        let Client { user, via, contact, cseq, register_call, .. } = self;
        let instance = match self.instance {
            Some(instance) => format!(";+sip.ice;reg-id=1;+sip.instance=\"<{instance}>\""),
            None => String::new(),
        };
        format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: {via};branch=z9hG4bK{n}\r\nMax-Forwards: 69\r\n\
             From: <sip:{user}@example.com>;tag=f{n}\r\nTo: <sip:{user}@example.com>\r\nCall-ID: r{register_call}\r\n\
             CSeq: {cseq} REGISTER\r\nContact: <{contact}>{instance}{extra}\r\n\
             Supported: path,gruu,outbound\r\nContent-Length: 0\r\n\r\n"
        )
    }

    pub(crate) fn register(&mut self, scene: &mut Scene) -> Message {
        let text = self.register_text(scene, ";expires=600");
        scene.ask(self.flow, &text)
    }

    pub(crate) fn unregister(&mut self, scene: &mut Scene) -> Message {
        let text = self.register_text(scene, ";expires=0");
        scene.ask(self.flow, &text)
    }

    /// A client that uses datagrams.
    pub(crate) fn in_datagrams(scene: &mut Scene, user: &'static str, port: u16) -> Self {
        let flow = scene.datagrams(port);
        let number = scene.number();
        let contact = format!("sip:{user}@127.0.0.1:{port}");
        let via = format!("SIP/2.0/UDP 127.0.0.1:{port}");
        Self { user, flow, via, contact, instance: None, cseq: 0, register_call: number }
    }

    /// Comes back over a new connection; the old one may still look alive to the server.
    pub(crate) fn reconnect(&mut self, scene: &mut Scene) {
        self.flow = scene.connect();
    }

    pub(crate) fn publish_text(&self, scene: &mut Scene, body: &str, more: &str) -> String {
        let aor = format!("sip:{}@example.com", self.user);
        let head = self.head(scene, "PUBLISH", &aor, &aor);
        let kind = if body.is_empty() { "" } else { "Content-Type: application/pidf+xml\r\n" };
        format!("{head}Event: presence\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    pub(crate) fn publish(&self, scene: &mut Scene, body: &str, more: &str) -> Message {
        let text = self.publish_text(scene, body, more);
        scene.ask(self.flow, &text)
    }

    /// Publishes a document with one tuple and gives the entity-tag.
    pub(crate) fn announce(&self, scene: &mut Scene, basic: &str) -> String {
        let answer = self.publish(scene, &pidf(self.user, basic), "");
        assert_eq!(code(&answer), 200);
        etag(&answer)
    }

    pub(crate) fn subscribe_text(&self, scene: &mut Scene, user: &str, more: &str) -> String {
        let aor = format!("sip:{user}@example.com");
        let head = self.head(scene, "SUBSCRIBE", &aor, &aor);
        format!("{head}Event: presence\r\nContact: <{}>\r\n{more}Content-Length: 0\r\n\r\n", self.contact)
    }

    /// Subscribes and takes the 200; the NOTIFY is left in the inbox.
    pub(crate) fn subscribe(&self, scene: &mut Scene, user: &str, more: &str) -> (Message, Watch) {
        let text = self.subscribe_text(scene, user, more);
        let answer = scene.ask(self.flow, &text);
        assert_eq!(code(&answer), 200, "{:?}", answer);
        let watch = Watch::of(&answer);
        (answer, watch)
    }

    /// Subscribes and answers the first NOTIFY.
    pub(crate) fn watch(&self, scene: &mut Scene, user: &str) -> (Watch, Message) {
        let (_, watch) = self.subscribe(scene, user, "Expires: 3600\r\n");
        let notify = scene.notified(self.flow);
        (watch, notify)
    }

    pub(crate) fn refresh_text(&self, scene: &mut Scene, watch: &mut Watch, more: &str) -> String {
        watch.cseq += 1;
        let n = scene.number();
        let Watch { call_id, from_tag, to, target, cseq } = watch;
        format!(
            "SUBSCRIBE {target} SIP/2.0\r\nVia: {via};branch=z9hG4bK{n}\r\nMax-Forwards: 69\r\n\
             From: <sip:{user}@example.com>;tag={from_tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} SUBSCRIBE\r\nContact: <{contact}>\r\nEvent: presence\r\n{more}Content-Length: 0\r\n\r\n",
            user = self.user,
            via = self.via,
            contact = self.contact,
        )
    }

    pub(crate) fn refresh(&self, scene: &mut Scene, watch: &mut Watch, more: &str) -> Message {
        let text = self.refresh_text(scene, watch, more);
        scene.ask(self.flow, &text)
    }
}

pub(crate) fn code(message: &Message) -> u16 {
    message.status().expect("a response").code()
}

pub(crate) fn etag(message: &Message) -> String {
    message.header(Name::SipEtag).expect("SIP-ETag").to_owned()
}

pub(crate) fn body(message: &Message) -> &str {
    std::str::from_utf8(message.body()).unwrap()
}

/// A document with one tuple.
pub(crate) fn pidf(user: &str, basic: &str) -> String {
    pidf_of(user, "t1", basic, &format!("sip:{user}@{basic}.example.com"))
}

pub(crate) fn pidf_of(user: &str, id: &str, basic: &str, contact: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:{user}@example.com\">\
         <tuple id=\"{id}\"><status><basic>{basic}</basic></status><contact>{contact}</contact></tuple></presence>"
    )
}
