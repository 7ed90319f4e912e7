//! A caller, a forking proxy and three phones over a network that delays, reorders and loses, under
//! a virtual clock: transactions, contexts and rewriting together. A failing seed is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bytes::Bytes;
use tributary_sip::proxy::context::{Action, Input as Turn, Rules};
use tributary_sip::proxy::{Backward, Context, Device, Forward, Path, max_breadth, max_forwards};
use tributary_sip::transaction::{
    Capacity, ClientVia, Effect, Failure, FlowId, Hop, Input, Packet, Timing, TransactionId, Transactions,
    Transport, branch,
};
use tributary_sip::{Message, Method, Name, RequestBuilder, ResponseBuilder, Status, Uri};

const CALLER: usize = 0;
const PROXY: usize = 1;
const PHONES: std::ops::Range<usize> = 2..5;
const AOR: &str = "sip:bob@192.0.2.2";

/// What a phone does with a request.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Milliseconds until it says 180; it may not.
    rings: Option<u64>,
    /// Milliseconds until it says this.
    answers: Option<(u64, u16)>,
}

/// What comes to pass at a time.
enum Fate {
    Arrives {
        to: usize,
        from: usize,
        bytes: Bytes,
    },
    Answers {
        phone: usize,
        code: u16,
    },
    /// A 2xx is repeated until its ACK comes, or 64*T1 have passed (13.3.1.4).
    Repeats {
        phone: usize,
    },
    CallerCancels,
}

/// One request that the proxy forwards.
struct Forked {
    context: Context<Message>,
    request: Message,
    server: TransactionId,
    contacts: Vec<String>,
    /// By branch.
    clients: Vec<Option<TransactionId>>,
}

#[derive(Default)]
struct Phone {
    invite: Option<(TransactionId, Message)>,
    answered: Option<u16>,
    acknowledged: bool,
    repeated: u32,
    ended: bool,
    /// Effects that must not be: a refusal that nobody acknowledged.
    failures: u32,
    requests: u32,
}

struct World {
    seed: u64,
    dice: u64,
    now: u64,
    loss: u64,
    fates: BTreeMap<(u64, u64), Fate>,
    count: u64,
    nodes: Vec<Transactions>,
    plans: [Plan; 3],
    phones: [Phone; 3],
    forked: Vec<Forked>,
    /// Phones of which a provisional answer has reached the proxy.
    rang: BTreeSet<usize>,
    invite: Option<TransactionId>,
    cancelled: bool,
    /// Final answers that the caller got, once each: status and tag of To.
    finals: Vec<(u16, String)>,
    cancels: Vec<Message>,
    invites: BTreeMap<usize, Message>,
}

impl World {
    fn new(seed: u64, loss: u64, plans: [Plan; 3]) -> World {
        let table = |node| Transactions::new(Timing::DEFAULT, Capacity::DEFAULT, [node, seed]);
        World {
            seed,
            dice: seed,
            now: 0,
            loss,
            fates: BTreeMap::new(),
            count: 0,
            nodes: (0..5).map(table).collect(),
            plans,
            phones: Default::default(),
            forked: Vec::new(),
            rang: BTreeSet::new(),
            invite: None,
            cancelled: false,
            finals: Vec::new(),
            cancels: Vec::new(),
            invites: BTreeMap::new(),
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        below(&mut self.dice, end)
    }

    fn entropy(&mut self) -> [u8; 16] {
        u128::from(self.below(u64::MAX)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
    }

    fn later(&mut self, at: u64, fate: Fate) {
        self.count += 1;
        self.fates.insert((at, self.count), fate);
    }

    fn send(&mut self, from: usize, to: usize, bytes: Bytes) {
        let message = Message::parse(bytes.clone()).unwrap();
        if from == PROXY && PHONES.contains(&to) && message.is_request() {
            match message.method() {
                Method::Cancel => {
                    assert!(self.rang.contains(&to), "seed {}: no CANCEL before a 1xx", self.seed);
                    self.cancels.push(message);
                }
                Method::Invite => drop(self.invites.insert(to, message)),
                _ => {}
            }
        }
        if self.below(100) >= self.loss {
            let at = self.now + self.below(60);
            self.later(at, Fate::Arrives { to, from, bytes });
        }
    }

    /// Gives a node an input, and does what comes of it.
    fn give(&mut self, node: usize, input: Input) {
        let mut effects = Vec::new();
        self.nodes[node].handle(self.now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send { hop, packet, .. } => self.send(node, node_of(hop.peer), packet.to_bytes()),
                Effect::LimitReached(limit) => panic!("{limit}"),
                effect if node == CALLER => self.caller(effect),
                effect if node == PROXY => self.proxy(effect),
                effect => self.phone(node, effect),
            }
        }
    }

    /// [`give`](World::give) for a request of our own; its transaction.
    fn request(&mut self, node: usize, user: u64, to: usize, request: Packet) -> Option<TransactionId> {
        let mut effects = Vec::new();
        let hop = hop(to);
        self.nodes[node].handle(self.now, Input::Request { user, hop, request }, &mut effects);
        let mut id = None;
        for effect in effects {
            match effect {
                Effect::Send { transaction, packet, .. } => {
                    id = id.or(transaction);
                    self.send(node, to, packet.to_bytes());
                }
                other => panic!("{other:?}"),
            }
        }
        id
    }

    fn respond(&mut self, node: usize, transaction: TransactionId, status: Status, response: Packet) {
        self.give(node, Input::Respond { transaction, status, response });
    }

    fn call(&mut self, method: Method<'static>) {
        let branch = branch(self.entropy());
        let via =
            ClientVia { transport: Transport::Udp, sent_by: "192.0.2.1", branch: &branch, alias: false };
        let request = RequestBuilder::new(method, AOR)
            .header(Name::Via, via)
            .header(Name::From, "<sip:alice@192.0.2.1>;tag=a")
            .header(Name::To, "<sip:bob@192.0.2.2>")
            .header(Name::CallId, self.seed)
            .header(Name::Contact, "<sip:alice@192.0.2.1>")
            .cseq(1);
        self.invite = self.request(CALLER, 0, PROXY, request.build().unwrap().into());
    }

    /// A request inside the dialog that a 2xx has made; it goes over the proxy's Record-Route.
    fn within(&mut self, method: Method<'static>, accepted: &Message) -> Bytes {
        let branch = branch(self.entropy());
        let via =
            ClientVia { transport: Transport::Udp, sent_by: "192.0.2.1", branch: &branch, alias: false };
        let mut request = RequestBuilder::new(method, accepted.contact().unwrap().unwrap().uri)
            .header(Name::Via, via)
            .header(Name::From, accepted.header(Name::From).unwrap())
            .header(Name::To, accepted.header(Name::To).unwrap())
            .header(Name::CallId, accepted.call_id())
            .cseq(if method == Method::Ack { 1 } else { 2 });
        for route in accepted.record_routes() {
            request = request.header(Name::Route, route.unwrap());
        }
        request.build().unwrap()
    }

    fn caller(&mut self, effect: Effect) {
        match effect {
            Effect::Response { message, user: 0, .. } => {
                let status = message.status().unwrap();
                if status.is_provisional() {
                    return;
                }
                let tag = message.to().unwrap().tag().unwrap_or("").to_owned();
                let invite = message.method() == Method::Invite;
                if invite && status.is_success() {
                    let ack = self.within(Method::Ack, &message);
                    self.send(CALLER, PROXY, ack);
                }
                let known = self.finals.iter().any(|(_, other)| *other == tag);
                if !invite || !known {
                    self.finals.push((status.code(), tag));
                }
                // One device in a session: the others are sent away.
                if invite && status.is_success() && !known && self.finals.len() > 1 {
                    let bye = self.within(Method::Bye, &message);
                    self.request(CALLER, 1, PROXY, bye.into());
                }
            }
            Effect::Failed { user: Some(0), why, .. } => self.finals.push((0, format!("{why:?}"))),
            _ => {}
        }
    }

    fn phone(&mut self, node: usize, effect: Effect) {
        let at = node - PHONES.start;
        match effect {
            Effect::Request { transaction, message, cancels, .. } => {
                let ok = |message: &Message, status| {
                    ResponseBuilder::new(message, status).to_tag(&format!("p{at}")).build().unwrap().into()
                };
                match message.method() {
                    Method::Cancel => {
                        let status = if cancels.is_some() { Status::OK } else { Status::CALL_DOES_NOT_EXIST };
                        self.respond(node, transaction, status, ok(&message, status));
                        self.answers(at, 487);
                    }
                    Method::Bye => {
                        self.phones[at].ended = true;
                        self.respond(node, transaction, Status::OK, ok(&message, Status::OK));
                    }
                    _ => {
                        let Plan { rings, answers } = self.plans[at];
                        self.phones[at].requests += 1;
                        self.phones[at].invite = Some((transaction, message));
                        for (after, code) in rings.map(|after| (after, 180)).into_iter().chain(answers) {
                            self.later(self.now + after, Fate::Answers { phone: at, code });
                        }
                    }
                }
            }
            Effect::Ack { .. } => self.phones[at].acknowledged = true,
            Effect::Failed { why: Failure::Timeout, .. } => self.phones[at].failures += 1,
            _ => {}
        }
    }

    fn answers(&mut self, at: usize, code: u16) {
        let phone = &mut self.phones[at];
        let Some((transaction, request)) = phone.invite.as_ref().filter(|_| phone.answered.is_none()) else {
            return;
        };
        let (transaction, status) = (*transaction, Status::new(code).unwrap());
        let mut response = ResponseBuilder::new(request, status)
            .to_tag(&format!("p{at}"))
            .echo(Name::RecordRoute)
            .header(Name::Contact, format_args!("<sip:phone@192.0.2.{}>", at + 3));
        if matches!(code, 401 | 407) {
            let name = if code == 401 { Name::WwwAuthenticate } else { Name::ProxyAuthenticate };
            response = response.header(name, format_args!("Digest realm=\"p{at}\", nonce=\"1\""));
        }
        let response = Packet::from(response.build().unwrap());
        if code >= 200 {
            phone.answered = Some(code);
            if code == 200 && request.method() == Method::Invite {
                self.later(self.now + 500, Fate::Repeats { phone: at });
            }
        }
        self.respond(at + PHONES.start, transaction, status, response);
    }

    fn repeats(&mut self, at: usize) {
        if !self.phones[at].acknowledged && self.phones[at].repeated < 64 {
            self.phones[at].repeated += 1;
            self.phones[at].answered = None;
            self.answers(at, 200);
        }
    }

    fn proxy(&mut self, effect: Effect) {
        match effect {
            Effect::Request { transaction, message, cancels, .. } if message.method() == Method::Cancel => {
                let status = if cancels.is_some() { Status::OK } else { Status::CALL_DOES_NOT_EXIST };
                let response = ResponseBuilder::new(&message, status).to_tag("proxy").build().unwrap();
                self.respond(PROXY, transaction, status, response.into());
                if let Some(call) = self.forked.iter().position(|call| Some(call.server) == cancels) {
                    let reason = message.header(Name::Reason).map(Box::from);
                    self.turn(call, Turn::Cancel { reason });
                }
            }
            Effect::Request { transaction, message, .. } => self.fork(transaction, message),
            Effect::Ack { message, .. } => {
                let path = Path::received(&message, is_proxy).unwrap().towards(None);
                let (packet, to) = self.rewritten(&message, &path, false, 60);
                self.send(PROXY, to, packet.to_bytes());
            }
            Effect::Response { user, message, .. } => {
                let status = message.status().unwrap();
                let turn = Turn::Response { branch: user as u32, status, response: message };
                self.turn((user >> 32) as usize, turn);
            }
            Effect::Failed { user: Some(user), why, .. } => {
                let status = why.into();
                self.turn((user >> 32) as usize, Turn::Failed { branch: user as u32, status });
            }
            _ => {}
        }
    }

    fn fork(&mut self, server: TransactionId, request: Message) {
        let path = Path::received(&request, is_proxy).unwrap();
        let contacts: Vec<String> = match path.uri {
            AOR => PHONES.map(|phone| format!("sip:phone@192.0.2.{}", phone + 1)).collect(),
            uri => vec![uri.to_owned()],
        };
        let invite = request.method() == Method::Invite;
        let breadth = max_breadth(&request).unwrap();
        let rules = Rules { invite, no_cancel: false, authoritative: true, breadth };
        let group = (0..contacts.len()).map(|contact| Device { contacts: vec![contact] }).collect();
        let mut actions = Vec::new();
        let context = Context::begin(rules, vec![group], &mut actions);
        self.forked.push(Forked { context, request, server, contacts, clients: Vec::new() });
        self.act(self.forked.len() - 1, actions);
    }

    fn turn(&mut self, call: usize, turn: Turn<Message>) {
        let mut actions = Vec::new();
        self.forked[call].context.handle(turn, &mut actions);
        self.act(call, actions);
    }

    fn act(&mut self, call: usize, actions: Vec<Action<Message>>) {
        for action in actions {
            let server = self.forked[call].server;
            match action {
                Action::Start { branch, contact, breadth } => {
                    let request = self.forked[call].request.clone();
                    let target = self.forked[call].contacts[contact].clone();
                    let path = Path::received(&request, is_proxy).unwrap();
                    let path = path.towards(Some(&target));
                    let record = request.method() == Method::Invite;
                    let (packet, to) = self.rewritten(&request, &path, record, breadth);
                    let user = (call as u64) << 32 | u64::from(branch);
                    let id = self.request(PROXY, user, to, packet);
                    self.forked[call].clients.push(id);
                }
                Action::Relay(message) => self.back(server, &message, &[]),
                Action::Answer { best, challenges } => {
                    self.back(server, &best, &challenges.iter().collect::<Vec<_>>());
                }
                Action::Refuse(status) => {
                    let request = self.forked[call].request.clone();
                    let response = ResponseBuilder::new(&request, status).to_tag("proxy").build().unwrap();
                    self.respond(PROXY, server, status, response.into());
                }
                Action::Cancel { branch, reason } => {
                    if let Some(transaction) = self.forked[call].clients[branch as usize] {
                        self.give(PROXY, Input::Cancel { transaction, reason });
                    }
                }
            }
        }
    }

    fn rewritten(&mut self, from: &Message, path: &Path<'_>, record: bool, breadth: u32) -> (Packet, usize) {
        let branch = branch(self.entropy());
        let record_routes: &[&str] = if record { &["sip:192.0.2.2;lr"] } else { &[] };
        let forward = Forward {
            path,
            via: ClientVia { transport: Transport::Udp, sent_by: "192.0.2.2", branch: &branch, alias: false },
            max_forwards: max_forwards(from).unwrap(),
            max_breadth: breadth,
            record_routes,
            without: &[],
            with: &[],
        };
        let next = Uri::parse(path.next_hop()).unwrap().ip().unwrap();
        (forward.request(from).unwrap(), node_of(SocketAddr::new(next, 5060)))
    }

    fn back(&mut self, server: TransactionId, message: &Message, challenges: &[&Message]) {
        let backward = Backward { challenges, without: &[] };
        let packet = backward.response(message, |via| via.host == "192.0.2.2").unwrap();
        self.respond(PROXY, server, message.status().unwrap(), packet);
    }

    /// Until nothing is left to happen.
    fn run(&mut self) {
        self.run_until(u64::MAX);
        assert!(self.nodes.iter().all(Transactions::is_empty), "seed {}", self.seed);
        assert!(self.forked.iter().all(|call| call.context.is_over()), "seed {}", self.seed);
    }

    fn run_until(&mut self, end: u64) {
        loop {
            let fate = self.fates.first_key_value().map(|(&(at, _), _)| at);
            let timer =
                (0..self.nodes.len()).filter_map(|node| Some((self.nodes[node].poll_timeout()?, node))).min();
            match (fate, timer) {
                (Some(at), timer) if at <= end && timer.is_none_or(|(due, _)| at <= due) => {
                    self.now = at;
                    let (_, fate) = self.fates.pop_first().unwrap();
                    self.come_to_pass(fate);
                }
                (_, Some((due, node))) if due <= end => {
                    self.now = self.now.max(due);
                    self.give(node, Input::Tick);
                }
                _ => return,
            }
        }
    }

    fn come_to_pass(&mut self, fate: Fate) {
        match fate {
            Fate::Arrives { to, from, bytes } => {
                let message = Message::parse(bytes).unwrap();
                if to == PROXY && message.status().is_some_and(Status::is_provisional) {
                    self.rang.insert(from);
                }
                self.give(to, Input::Received { hop: hop(from), message });
            }
            Fate::Answers { phone, code } => self.answers(phone, code),
            Fate::Repeats { phone } => self.repeats(phone),
            Fate::CallerCancels => {
                if let (Some(transaction), true) = (self.invite, self.finals.is_empty()) {
                    self.cancelled = true;
                    self.give(CALLER, Input::Cancel { transaction, reason: None });
                }
            }
        }
    }

    fn in_session(&self) -> usize {
        self.phones.iter().filter(|phone| phone.answered == Some(200) && !phone.ended).count()
    }
}

fn below(dice: &mut u64, end: u64) -> u64 {
    *dice = dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *dice;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % end
}

fn is_proxy(uri: &Uri<'_>) -> bool {
    uri.host == "192.0.2.2" && uri.user.is_none()
}

fn hop(to: usize) -> Hop {
    let peer = SocketAddr::from(([192, 0, 2, to as u8 + 1], 5060));
    Hop { flow: FlowId(1), transport: Transport::Udp, peer }
}

fn node_of(peer: SocketAddr) -> usize {
    match peer.ip() {
        std::net::IpAddr::V4(ip) => usize::from(ip.octets()[3]) - 1,
        other => panic!("{other}"),
    }
}

fn plan(rings: u64, at: u64, code: u16) -> Plan {
    Plan { rings: Some(rings), answers: Some((at, code)) }
}

#[test]
fn r1_an_invite_reaches_three_devices_each_on_a_branch_of_its_own() {
    let mut world = World::new(1, 0, [plan(10, 900, 200), plan(10, 2000, 200), plan(10, 2000, 200)]);
    world.call(Method::Invite);
    world.run();
    let branches: BTreeSet<_> =
        world.invites.values().map(|invite| invite.via().unwrap().branch().unwrap().to_owned()).collect();
    assert_eq!(branches.len(), 3);
    for invite in world.invites.values() {
        assert_eq!(invite.max_forwards(), Ok(Some(69)));
        assert_eq!(invite.header(Name::MaxBreadth), Some("20"));
        assert_eq!(invite.record_routes().next().unwrap().unwrap().uri, "sip:192.0.2.2;lr");
        assert_eq!(invite.vias().count(), 2);
    }
    assert_eq!(world.finals, [(200, "p0".to_owned())]);
    // R2: both losers are told why, and their 487 are acknowledged.
    assert_eq!(world.cancels.len(), 2);
    for cancel in &world.cancels {
        assert_eq!(cancel.header(Name::Reason), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    }
    assert!(world.phones.iter().all(|phone| phone.failures == 0));
    assert_eq!(world.phones.iter().filter(|phone| phone.answered == Some(487)).count(), 2);
}

#[test]
fn r3_after_a_race_exactly_one_device_is_in_the_session() {
    let mut races = 0;
    for seed in 0..200 {
        let mut dice = seed;
        let mut phone = || plan(below(&mut dice, 150), 200 + below(&mut dice, 60), 200);
        let mut world = World::new(seed, 0, [phone(), phone(), phone()]);
        world.call(Method::Invite);
        // All have answered within 400 ms, and a second later all is settled.
        world.run_until(1400);
        assert_eq!(world.in_session(), 1, "seed {seed}");
        world.run();
        assert_eq!(world.in_session(), 1, "seed {seed}");
        let accepted = world.phones.iter().filter(|phone| phone.answered == Some(200)).count();
        assert_eq!(world.finals.len(), accepted, "seed {seed}: every 2xx reaches the caller");
        assert!(world.finals.iter().all(|(code, _)| *code == 200), "seed {seed}: {:?}", world.finals);
        races += u32::from(accepted > 1);
    }
    assert!(races >= 100, "only {races} of 200 were races");
}

/// Any phones, in this weather: the laws of R4 and R12.
fn any_phones(seed: u64, loss: u64, method: Method<'static>, cancels: bool) {
    let mut dice = seed.wrapping_mul(0x2545_f491_4f6c_dd1d);
    let mut phone = || {
        let code = [200, 302, 401, 404, 407, 480, 486, 503, 600, 603][below(&mut dice, 10) as usize];
        let rings = Some(below(&mut dice, 2000)).filter(|at| at % 3 > 0);
        let answers = Some((below(&mut dice, 9000), code)).filter(|(at, _)| at % 5 > 0);
        Plan { rings, answers }
    };
    let mut world = World::new(seed, loss, [phone(), phone(), phone()]);
    world.call(method);
    if cancels {
        let at = world.below(9000);
        world.later(at, Fate::CallerCancels);
    }
    world.run();
    let plans = world.plans;
    let codes: Vec<u16> = world.finals.iter().map(|(code, _)| *code).collect();
    let context = format!("seed {seed}: {codes:?} of {plans:?}, cancelled: {}", world.cancelled);
    if method == Method::Invite {
        let one_refusal = codes.len() == 1 && codes[0] >= 300;
        let all_accepted = !codes.is_empty() && codes.iter().all(|&code| code == 200);
        assert!(one_refusal || all_accepted, "{context}");
        let accepted = world.phones.iter().filter(|phone| phone.answered == Some(200)).count();
        assert_eq!(accepted > 0, all_accepted, "{context}");
        assert!(world.in_session() <= 1, "{context}");
        // Who was refused with 6xx was refused by a 6xx, and a caller who gave up hears 487.
        let refused = world.phones.iter().filter_map(|phone| phone.answered).any(|code| code >= 600);
        assert_eq!(one_refusal && refused, codes[0] >= 600, "{context}");
        assert!(loss > 0 || world.phones.iter().all(|phone| phone.failures == 0), "{context}");
    } else {
        assert_eq!(codes.len(), 1, "{context}");
        // What takes all of Timer F comes too late for the caller (RFC 4320).
        assert!(codes[0] == 0 || codes[0] >= 200, "{context}");
        assert!(
            world.cancels.is_empty() && world.phones.iter().all(|phone| phone.requests == 1),
            "{context}"
        );
    }
}

#[test]
fn r4_whatever_phones_do_the_caller_gets_one_refusal_or_only_2xx_and_every_branch_ends() {
    for seed in 0..400 {
        any_phones(seed, 0, Method::Invite, seed % 4 == 0);
    }
}

#[test]
fn r4_the_same_when_the_network_loses_every_tenth_message() {
    for seed in 0..200 {
        any_phones(seed, 10, Method::Invite, seed % 4 == 0);
    }
}

#[test]
fn r12_a_message_to_three_devices_has_exactly_one_end() {
    for seed in 0..300 {
        any_phones(seed, if seed % 2 == 0 { 0 } else { 10 }, Method::Message, false);
    }
}
