//! The table that owns all transactions: finds the one that an input concerns, lets its machine
//! decide, and does what the machine says.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::address::arrived;
use super::deadlines::Deadlines;
use super::derived;
use super::hop::{FlowId, Hop, Packet};
use super::key::{Keys, TransactionKey, own_via};
use super::machine::{self, Action, Event, Kind, State};
use super::timer::{Timer, Timing};
use super::traffic::{Dropped, Effect, Failure, Input, Refusal, TransactionId};
use super::{Capacity, RETRY_AFTER_SECONDS};
use crate::message::Message;
use crate::method::Method;
use crate::status::Status;

/// All transactions of one element, or of one shard of it. See the [module](super).
pub struct Transactions {
    timing: Timing,
    capacity: Capacity,
    keys: Keys,
    by_key: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    copies: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    by_flow: BTreeSet<(FlowId, u32)>,
    deadlines: Deadlines,
    /// What is over but stays a while, with the end of that while; in no deadline.
    lingering: BTreeSet<(u64, u32)>,
    places: Vec<Option<Box<Transaction>>>,
    free: Vec<u32>,
    /// Tells the tenants of one place apart.
    generation: u32,
    servers: u32,
    clients: u32,
    bytes: usize,
    /// How often each timer has run out, by its number.
    fired: [u64; Timer::ALL.len()],
}

/// One transaction.
struct Transaction {
    generation: u32,
    kind: Kind,
    state: State,
    /// What runs beside `end`: repetitions, or the patience before 100.
    interim: Running,
    /// How long such a repetition waited last.
    pause: u64,
    /// What ends the state.
    end: Running,
    key: TransactionKey,
    /// See [`Keys::of_copies`].
    copies: Option<u64>,
    /// Whose client transaction this is; nobody's is a CANCEL of ours.
    user: Option<u64>,
    /// Where what we send goes.
    hop: Hop,
    /// What is sent again; of a server that has not answered, the request.
    held: Packet,
    /// Reason of the CANCEL that may come.
    reason: Option<Box<str>>,
}

const _: () = assert!(size_of::<Transaction>() <= 256);

/// Milliseconds that what lingers may stay beyond its time, so that many leave at one tick.
const LINGERING_SLACK: u64 = 1_000;

#[derive(Clone, Copy)]
struct Running {
    timer: Timer,
    due: u64,
}

impl Running {
    /// Of an idle one the timer says nothing.
    const IDLE: Running = Running { timer: Timer::A, due: u64::MAX };
}

/// What an event brought along.
enum Given {
    Nothing,
    Message(Box<Message>),
    Answer(Packet),
}

impl Transactions {
    /// An empty table. `secret` is random and stays with the element.
    pub fn new(timing: Timing, capacity: Capacity, secret: [u64; 2]) -> Transactions {
        Transactions {
            timing,
            capacity,
            keys: Keys::new(secret),
            by_key: HashMap::default(),
            copies: HashMap::default(),
            by_flow: BTreeSet::new(),
            deadlines: Deadlines::default(),
            lingering: BTreeSet::new(),
            places: Vec::new(),
            free: Vec::new(),
            generation: 0,
            servers: 0,
            clients: 0,
            bytes: 0,
            fired: [0; Timer::ALL.len()],
        }
    }

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        (self.servers + self.clients) as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of the messages that are held to be sent again; what [`Capacity::bytes`] bounds.
    pub fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// How often each timer has run out, in the order of [`Timer::ALL`].
    pub fn fired(&self) -> [u64; Timer::ALL.len()] {
        self.fired
    }

    /// The memory of the table itself, without the messages.
    pub fn heap_size(&self) -> usize {
        let entry = size_of::<(u64, u32)>() + 1;
        (self.by_key.capacity() + self.copies.capacity()) * entry
            + self.by_flow.len() * size_of::<(FlowId, u32)>()
            + self.deadlines.heap_size()
            + self.lingering.len() * size_of::<(u64, u32)>()
            + self.places.capacity() * size_of::<Option<Box<Transaction>>>()
            + self.free.capacity() * size_of::<u32>()
            + self.len() * size_of::<Transaction>()
    }

    /// When [`Input::Tick`] is wanted next, in the milliseconds of `now`.
    pub fn poll_timeout(&self) -> Option<u64> {
        let punctual = self.deadlines.first().map(|(due, _)| due);
        // Whoever lingers is waited for by nobody, and leaves with others.
        let lingering = self.lingering.first().map(|&(due, _)| due.saturating_add(LINGERING_SLACK));
        [punctual, lingering].into_iter().flatten().min()
    }

    /// Takes one input at the time `now`, in milliseconds of a clock that does not go back, and
    /// appends what is to be done, in order. Every input is also a [`Input::Tick`].
    pub fn handle(&mut self, now: u64, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Received { hop, message } if message.is_request() => {
                self.received_request(now, hop, message, effects);
            }
            Input::Received { message, .. } => self.received_response(now, message, effects),
            Input::Request { user, hop, request } => self.request(now, Some(user), hop, request, effects),
            Input::Respond { transaction, status, response } => {
                self.respond(now, transaction, status, response, effects);
            }
            Input::Refuse { transaction, response } => self.refuse(transaction, response, effects),
            Input::Cancel { transaction, reason } => {
                if let Some(tenant) = self.tenant_mut(transaction) {
                    tenant.reason = reason;
                    self.drive(now, transaction.index, Event::Cancel, Given::Nothing, effects);
                }
            }
            Input::SendFailed { transaction } => {
                if self.tenant_mut(transaction).is_some() {
                    self.drive(now, transaction.index, Event::Unreachable, Given::Nothing, effects);
                }
            }
            Input::FlowClosed { flow } => {
                let concerned: Vec<u32> =
                    self.by_flow.range((flow, 0)..=(flow, u32::MAX)).map(|&(_, index)| index).collect();
                for index in concerned {
                    self.drive(now, index, Event::Unreachable, Given::Nothing, effects);
                }
            }
            Input::Tick => {}
        }
        self.fire(now, effects);
    }

    fn received_request(&mut self, now: u64, hop: Hop, message: Message, effects: &mut Vec<Effect>) {
        let connection = hop.transport.is_websocket().then_some(hop.flow);
        let Some(key) = self.keys.of_request(connection, &message) else {
            effects.push(Effect::Dropped(Dropped::NoKey));
            return;
        };
        let known = self.by_key.get(&key.0).copied();
        match (message.method() == Method::Ack, known) {
            (true, Some(index)) => {
                self.drive(now, index, Event::Ack, Given::Message(Box::new(message)), effects);
            }
            // The ACK of a 2xx has a branch of its own (13.2.2.4).
            (true, None) => effects.push(Effect::Ack { transaction: None, hop, message }),
            (false, Some(index)) => self.drive(now, index, Event::Request, Given::Nothing, effects),
            (false, None) => self.new_server(now, key, connection, hop, message, effects),
        }
    }

    fn new_server(
        &mut self,
        now: u64,
        key: TransactionKey,
        connection: Option<FlowId>,
        hop: Hop,
        message: Message,
        effects: &mut Vec<Effect>,
    ) {
        let (message, way_back) = arrived(message, &hop);
        let kind = match message.method() {
            Method::Invite => Kind::InviteServer,
            _ => Kind::Server,
        };
        let cancels = (message.method() == Method::Cancel)
            .then(|| self.keys.cancelled_by(connection, &message))
            .flatten()
            .and_then(|key| self.by_key.get(&key.0).copied())
            .map(|index| self.id(index));
        let held = Packet::from(message.raw().clone());
        // A CANCEL that found its INVITE makes room, and there is one at most for each.
        if cancels.is_none() && !self.make_room_for_server(held.len(), effects) {
            let tag = format_args!("{:x}", key.0);
            if let Some(answer) = derived::overloaded(&message, tag, RETRY_AFTER_SECONDS) {
                effects.push(Effect::Send { transaction: None, hop: way_back, packet: answer.into() });
            }
            return;
        }
        // A WebSocket leads to the client itself, which nobody stands before who could have forked.
        let one_way = hop.transport.is_websocket() || cancels.is_some();
        let copies = if one_way { None } else { self.keys.of_copies(&message) };
        let merged = copies.is_some_and(|copies| self.copies.contains_key(&copies));
        let index = self.settle(kind, key, copies, None, way_back, held);
        effects.push(Effect::Request { transaction: self.id(index), hop, message, cancels, merged });
        self.begin(now, index, effects);
    }

    fn received_response(&mut self, now: u64, message: Message, effects: &mut Vec<Effect>) {
        let found = self.keys.of_response(&message).and_then(|key| self.by_key.get(&key.0).copied());
        match (found, message.status()) {
            (Some(index), Some(status)) => {
                self.drive(now, index, event_of(status), Given::Message(Box::new(message)), effects);
            }
            // RFC 6026 7.2: nobody forwards it.
            _ => effects.push(Effect::Dropped(Dropped::StrayResponse)),
        }
    }

    fn request(&mut self, now: u64, user: Option<u64>, hop: Hop, held: Packet, effects: &mut Vec<Effect>) {
        let named = own_via(&held.head)
            .and_then(|(method, via)| Some((Method::from_token(method), self.keys.of_via(&via, method)?)));
        let full = user.is_some() && !self.make_room_for_client(held.len(), effects);
        // Our CANCEL takes no more than its INVITE did, and there is one at most for each.
        let outcome = match named {
            None => Err(Refusal::Malformed),
            Some((_, key)) if self.by_key.contains_key(&key.0) => Err(Refusal::BranchInUse),
            Some(_) if full => Err(Refusal::Full),
            Some((Method::Ack, _)) => Err(Refusal::Malformed),
            Some((method, key)) => Ok((method, key)),
        };
        match outcome {
            Ok((method, key)) => {
                let kind = if method == Method::Invite { Kind::InviteClient } else { Kind::Client };
                let index = self.settle(kind, key, None, user, hop, held);
                self.begin(now, index, effects);
            }
            Err(why) => {
                if let Some(user) = user {
                    effects.push(Effect::Refused { user, why });
                }
            }
        }
    }

    fn respond(
        &mut self,
        now: u64,
        id: TransactionId,
        status: Status,
        answer: Packet,
        effects: &mut Vec<Effect>,
    ) {
        let event = match self.tenant_mut(id).map(|tenant| tenant.kind) {
            Some(Kind::Server) if status.code() == 408 => Event::Timeout,
            Some(Kind::Server | Kind::InviteServer) => event_of(status),
            _ => {
                effects.push(Effect::Dropped(Dropped::LateAnswer));
                return;
            }
        };
        self.drive(now, id.index, event, Given::Answer(answer), effects);
    }

    fn refuse(&mut self, id: TransactionId, answer: Packet, effects: &mut Vec<Effect>) {
        let waits = |tenant: &mut Transaction| {
            tenant.kind.is_server() && matches!(tenant.state, State::Trying | State::Proceeding)
        };
        if !self.tenant_mut(id).is_some_and(waits) {
            effects.push(Effect::Dropped(Dropped::LateAnswer));
            return;
        }
        if let Some(tenant) = self.places[id.index as usize].take() {
            if !answer.is_empty() {
                effects.push(Effect::Send { transaction: None, hop: tenant.hop, packet: answer });
            }
            self.end(id.index, &tenant, effects);
        }
    }

    /// Whether there is room for a request from outside. What lingers makes room first.
    fn make_room_for_server(&mut self, bytes: usize, effects: &mut Vec<Effect>) -> bool {
        if self.servers >= self.capacity.servers {
            effects.push(Effect::LimitReached("servers"));
            if !self.end_oldest_lingering(effects) {
                return false;
            }
        }
        self.make_room(bytes, effects)
    }

    /// Whether there is room for a request of the user's.
    fn make_room_for_client(&mut self, bytes: usize, effects: &mut Vec<Effect>) -> bool {
        if self.clients >= self.capacity.clients {
            effects.push(Effect::LimitReached("clients"));
            return false;
        }
        self.make_room(bytes, effects)
    }

    /// Whether there is room for a message to hold. What lingers makes room first.
    fn make_room(&mut self, bytes: usize, effects: &mut Vec<Effect>) -> bool {
        let mut first = true;
        while self.bytes.saturating_add(bytes) > self.capacity.bytes {
            if std::mem::take(&mut first) {
                effects.push(Effect::LimitReached("bytes"));
            }
            if !self.end_oldest_lingering(effects) {
                return false;
            }
        }
        true
    }

    fn end_oldest_lingering(&mut self, effects: &mut Vec<Effect>) -> bool {
        let Some((_, index)) = self.lingering.pop_first() else { return false };
        if let Some(tenant) = self.places[index as usize].take() {
            self.end(index, &tenant, effects);
        }
        true
    }

    /// Gives a transaction its place.
    fn settle(
        &mut self,
        kind: Kind,
        key: TransactionKey,
        copies: Option<u64>,
        user: Option<u64>,
        hop: Hop,
        held: Packet,
    ) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            // `Capacity` counts in u32, so there are never more.
            (self.places.len() - 1) as u32
        });
        self.by_key.insert(key.0, index);
        if let Some(copies) = copies {
            *self.copies.entry(copies).or_default() += 1;
        }
        if hop.transport.is_reliable() {
            self.by_flow.insert((hop.flow, index));
        }
        self.bytes += held.len();
        *self.count(kind) += 1;
        let (state, _) = machine::start(kind);
        let (interim, end) = (Running::IDLE, Running::IDLE);
        self.generation = self.generation.wrapping_add(1);
        self.places[index as usize] = Some(Box::new(Transaction {
            generation: self.generation,
            kind,
            state,
            interim,
            pause: 0,
            end,
            key,
            copies,
            user,
            hop,
            held,
            reason: None,
        }));
        index
    }

    fn begin(&mut self, now: u64, index: u32, effects: &mut Vec<Effect>) {
        let Some(tenant) = self.places[index as usize].take() else { return };
        let (state, actions) = machine::start(tenant.kind);
        // On reliable transports no machine but INVITE's needs the request again.
        let forget = tenant.kind == Kind::Client && tenant.hop.transport.is_reliable();
        self.act(now, index, tenant, (state, actions), Given::Nothing, effects);
        if forget && let Some(tenant) = self.places[index as usize].as_mut() {
            self.bytes -= tenant.held.len();
            tenant.held = Packet::default();
        }
    }

    /// Lets the machine of a transaction take an event.
    fn drive(&mut self, now: u64, index: u32, event: Event, given: Given, effects: &mut Vec<Effect>) {
        let Some(tenant) = self.places[index as usize].take() else { return };
        match machine::step(tenant.kind, tenant.state, event) {
            Some(step) => self.act(now, index, tenant, step, given, effects),
            None => {
                match given {
                    Given::Message(_) => effects.push(Effect::Dropped(Dropped::OutOfPlace)),
                    Given::Answer(_) => effects.push(Effect::Dropped(Dropped::LateAnswer)),
                    Given::Nothing => {}
                }
                self.places[index as usize] = Some(tenant);
            }
        }
    }

    /// Does what a machine says, and gives the transaction its place back or ends it.
    fn act(
        &mut self,
        now: u64,
        index: u32,
        mut tenant: Box<Transaction>,
        (state, actions): (State, &'static [Action]),
        mut given: Given,
        effects: &mut Vec<Effect>,
    ) {
        let id = TransactionId { index, generation: tenant.generation };
        let mut cancel = None;
        tenant.state = state;
        for action in actions {
            let before = tenant.held.len();
            match action {
                Action::Send => tenant.send(id, effects),
                Action::Answer | Action::Relay => {
                    if let Given::Answer(answer) = std::mem::replace(&mut given, Given::Nothing) {
                        let kept = std::mem::replace(&mut tenant.held, answer);
                        tenant.send(id, effects);
                        if *action == Action::Relay {
                            tenant.held = kept;
                        }
                    }
                }
                Action::Forget => tenant.held = Packet::default(),
                Action::SendTrying => {
                    let request = Message::parse(tenant.held.to_bytes()).ok();
                    let answer = request.and_then(|request| derived::trying(&request));
                    tenant.held = answer.map(Packet::from).unwrap_or_default();
                    tenant.send(id, effects);
                }
                Action::SendAck => {
                    let invite = Message::parse(tenant.held.to_bytes()).ok();
                    let ack = match (&invite, &given) {
                        (Some(invite), Given::Message(response)) => derived::ack(invite, response),
                        _ => None,
                    };
                    tenant.held = ack.map(Packet::from).unwrap_or_default();
                    tenant.send(id, effects);
                }
                Action::SendCancel => {
                    let invite = Message::parse(tenant.held.to_bytes()).ok();
                    cancel = invite.and_then(|invite| derived::cancel(&invite, tenant.reason.as_deref()));
                }
                Action::Pass => {
                    if let Given::Message(message) = std::mem::replace(&mut given, Given::Nothing) {
                        tenant.pass(id, *message, effects);
                    }
                }
                Action::Set(timer) => {
                    let lane = if timer.is_interim() { &mut tenant.interim } else { &mut tenant.end };
                    if let Some(first) = self.timing.first(*timer, tenant.hop.transport.is_reliable()) {
                        *lane = Running { timer: *timer, due: now.saturating_add(first) };
                        tenant.pause = if timer.is_interim() { first } else { tenant.pause };
                    }
                }
                Action::Repeat => {
                    tenant.pause = self.timing.next(tenant.interim.timer, tenant.pause);
                    tenant.interim.due = now.saturating_add(tenant.pause);
                }
                Action::Slow => {
                    tenant.pause = u64::from(self.timing.t2);
                    tenant.interim.due = now.saturating_add(tenant.pause);
                }
                Action::Stop => tenant.interim = Running::IDLE,
                Action::TellTimeout => tenant.fail(id, Failure::Timeout, effects),
                Action::TellUnreachable => tenant.fail(id, Failure::Unreachable, effects),
            }
            self.bytes = self.bytes - before + tenant.held.len();
        }
        let hop = tenant.hop;
        if state == State::Terminated {
            self.end(index, &tenant, effects);
        } else if tenant.lingers() {
            self.linger(index, tenant, effects);
        } else {
            let due = tenant.interim.due.min(tenant.end.due);
            self.deadlines.set(index, (due != u64::MAX).then_some(due));
            self.places[index as usize] = Some(tenant);
        }
        if let Some(cancel) = cancel {
            self.request(now, None, hop, cancel.into(), effects);
        }
    }

    /// An answered request over a reliable transport stays for its answer's sake alone: no copy is
    /// measured against it any more (8.2.2.2), and it makes room for any other.
    fn linger(&mut self, index: u32, mut tenant: Box<Transaction>, effects: &mut Vec<Effect>) {
        let copies = tenant.copies.take();
        self.forget_copy(copies);
        self.deadlines.set(index, None);
        self.lingering.insert((tenant.end.due, index));
        self.places[index as usize] = Some(tenant);
        self.make_room(0, effects);
    }

    /// Fires all timers that are due.
    fn fire(&mut self, now: u64, effects: &mut Vec<Effect>) {
        while self.lingering.first().is_some_and(|&(due, _)| due <= now) {
            self.fired[Timer::J as usize] += 1;
            self.end_oldest_lingering(effects);
        }
        while let Some((due, index)) = self.deadlines.first().filter(|&(due, _)| due <= now) {
            let Some(tenant) = self.places[index as usize].as_mut() else {
                self.deadlines.set(index, None);
                continue;
            };
            let lane = if tenant.end.due <= due { &mut tenant.end } else { &mut tenant.interim };
            lane.due = u64::MAX;
            let timer = lane.timer;
            // `ALL` has as many as there are numbers.
            self.fired[timer as usize] += 1;
            let left = tenant.interim.due.min(tenant.end.due);
            self.deadlines.set(index, (left != u64::MAX).then_some(left));
            self.drive(now, index, Event::Fires(timer), Given::Nothing, effects);
        }
    }

    /// Takes a transaction out that is over.
    fn end(&mut self, index: u32, tenant: &Transaction, effects: &mut Vec<Effect>) {
        let id = TransactionId { index, generation: tenant.generation };
        if tenant.kind.is_server() || tenant.user.is_some() {
            effects.push(Effect::Terminated { transaction: id, user: tenant.user });
        }
        self.by_key.remove(&tenant.key.0);
        self.forget_copy(tenant.copies);
        if tenant.kind == Kind::Server {
            self.lingering.remove(&(tenant.end.due, index));
        }
        self.by_flow.remove(&(tenant.hop.flow, index));
        self.deadlines.set(index, None);
        self.bytes -= tenant.held.len();
        *self.count(tenant.kind) -= 1;
        self.free.push(index);
        if self.is_empty() && self.by_key.capacity() > 1024 {
            self.by_key.shrink_to_fit();
            self.copies.shrink_to_fit();
            self.deadlines.shrink();
            (self.places, self.free) = (Vec::new(), Vec::new());
        }
    }

    fn forget_copy(&mut self, copies: Option<u64>) {
        if let Some(copies) = copies
            && let Some(count) = self.copies.get_mut(&copies)
        {
            *count -= 1;
            if *count == 0 {
                self.copies.remove(&copies);
            }
        }
    }

    fn count(&mut self, kind: Kind) -> &mut u32 {
        if kind.is_server() { &mut self.servers } else { &mut self.clients }
    }

    fn id(&self, index: u32) -> TransactionId {
        let tenant = self.places[index as usize].as_ref();
        TransactionId { index, generation: tenant.map_or(0, |tenant| tenant.generation) }
    }

    fn tenant_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        let tenant = self.places.get_mut(id.index as usize)?.as_deref_mut()?;
        (tenant.generation == id.generation).then_some(tenant)
    }
}

impl Transaction {
    /// Whether it is over but for a repetition that no reliable transport makes.
    fn lingers(&self) -> bool {
        self.kind == Kind::Server && self.state == State::Completed && self.hop.transport.is_reliable()
    }

    fn send(&self, id: TransactionId, effects: &mut Vec<Effect>) {
        if !self.held.is_empty() {
            effects.push(Effect::Send { transaction: Some(id), hop: self.hop, packet: self.held.clone() });
        }
    }

    fn pass(&self, transaction: TransactionId, message: Message, effects: &mut Vec<Effect>) {
        if self.kind.is_server() {
            effects.push(Effect::Ack { transaction: Some(transaction), hop: self.hop, message });
        } else if let Some(user) = self.user {
            effects.push(Effect::Response { transaction, user, message });
        }
    }

    fn fail(&self, transaction: TransactionId, why: Failure, effects: &mut Vec<Effect>) {
        if self.kind.is_server() || self.user.is_some() {
            effects.push(Effect::Failed { transaction, user: self.user, why });
        }
    }
}

/// What a status is to a machine.
fn event_of(status: Status) -> Event {
    match status.code() {
        100 => Event::Trying,
        101..200 => Event::Provisional,
        200..300 => Event::Success,
        _ => Event::Failure,
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
