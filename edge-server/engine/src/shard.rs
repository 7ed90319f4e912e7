//! The state machine: what comes in, which part of it acts, and what is settled at the end of a call.

use crate::auth::NonceUses;
use crate::config::Config;
use crate::effect::{Effect, Effects, Event};
use crate::fired::Fired;
use crate::flows::Flows;
use crate::hashing::{Keyed, Table};
use crate::input::{Flow, Input, Notice};
use crate::policy::PolicyHost;
use crate::presentity::{Change, Presentities, PresentityId};
use crate::proxy::{Aim, News, Proxy};
use crate::random::Random;
use crate::rate::Buckets;
use crate::registrar::Gruus;
use crate::respond::{self, Reply};
use crate::route::Mark;
use crate::subscription::{SubscriptionId, Subscriptions};
use crate::sweep::Sweep;
use crate::transaction::{self, Asked};
use crate::wheel::Wheel;
use merge_core::policy::Reason;
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_sip::transaction::{self as layer, FlowId, Transactions};
use tributary_sip::{Message, Method, Name, SealingKeys, Status};

/// All state of the presentities whose address hashes to this shard.
///
/// [`handle`](Self::handle) takes one input and gives the effects of it, in order;
/// [`poll_timeout`](Self::poll_timeout) says when the next [`Input::Tick`] is wanted. Nothing else
/// happens: a shard that is not called stands still.
pub struct Shard {
    pub(crate) config: Arc<Config>,
    pub(crate) index: u16,
    pub(crate) random: Random,
    pub(crate) now: Millis,
    pub(crate) wheel: Wheel<Timer>,
    pub(crate) presentities: Presentities,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) flows: Flows,
    pub(crate) transactions: Transactions,
    /// What the table said, while that is carried out.
    pub(crate) told: Vec<layer::Effect>,
    /// What the branches of this shard's requests begin with.
    pub(crate) mark: Mark,
    /// What is forwarded.
    pub(crate) proxy: Proxy,
    pub(crate) gruus: Gruus,
    pub(crate) nonces: NonceUses,
    /// Requests of users, by a hash of their addresses.
    pub(crate) spent: Buckets<u64, Keyed>,
    /// How long what comes in now has waited, in ms.
    pub(crate) lag: u32,
    pub(crate) keyed: Keyed,
    /// For tags that a repetition must get again. Keyed apart from `keyed`, for what comes of it is sent.
    tags: Keyed,
    /// Subscriptions whose watcher's connection is gone, by a hash of watcher and device.
    pub(crate) waiting: Table<u64, Vec<SubscriptionId>>,
    /// Presentities to be merged at the end of the call.
    pub(crate) changed: Vec<PresentityId>,
    /// Those of whose registrations somebody is to be told.
    pub(crate) reg_due: Vec<PresentityId>,
    /// Those that wait to be merged anew after a change of policy.
    pub(crate) sweep: Sweep,
    /// Presentities with watchers whose view is not made yet.
    pub(crate) unseen: Vec<PresentityId>,
    /// Subscriptions to be looked at at the end of the call.
    pub(crate) due: Vec<SubscriptionId>,
    /// The number of the last question to a policy.
    pub(crate) questions: u64,
    pub(crate) serial: u32,
    /// Counted as they come and go, so that asking costs nothing.
    pub(crate) tally: Tally,
    pub(crate) restoring: bool,
    /// Set by [`Input::Shutdown`]: from then on nothing changes any more.
    stopping: bool,
    due_timers: Vec<Timer>,
    /// Timers that have run out.
    pub(crate) fired: Fired,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Binding {
        presentity: PresentityId,
        serial: u32,
    },
    Publication {
        presentity: PresentityId,
        mark: u32,
    },
    Reevaluate(PresentityId),
    Subscription(SubscriptionId),
    /// The devices that this call rings had their time.
    Ringing(u32),
}

/// How many there are of what has no table of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) publications: usize,
    pub(crate) bindings: usize,
    /// Subscriptions whose watcher's connection is gone.
    pub(crate) waiting: usize,
}

impl Shard {
    /// A shard without state. `seed` must be new at each start of the process, from the operating
    /// system's random source; all shards of a server share it, with its [`Router`](crate::Router).
    #[must_use]
    pub fn new(config: Arc<Config>, seed: [u8; 32], index: u16) -> Self {
        let mut random = Random::new(seed, u32::from(index));
        let keyed = Keyed::new(random.u64(), random.u64());
        let tags = Keyed::new(random.u64(), random.u64());
        let secret = [random.u64(), random.u64()];
        let limits = &config.limits;
        Self {
            index,
            now: Millis(0),
            wheel: Wheel::new(),
            presentities: Presentities::new(keyed, limits.presentities_per_shard),
            subscriptions: Subscriptions::new(keyed),
            flows: Flows::new(keyed, limits.devices_per_shard),
            transactions: transaction::table(&config, secret),
            told: Vec::new(),
            mark: Mark::new(seed, index),
            proxy: Proxy::new(seed),
            gruus: Gruus::new(keyed),
            spent: Buckets::new(limits.busy_users_per_shard as usize, keyed),
            lag: 0,
            nonces: NonceUses::new(keyed, limits.nonce_uses_per_shard),
            keyed,
            tags,
            waiting: Table::with_hasher(keyed),
            changed: Vec::new(),
            reg_due: Vec::new(),
            sweep: Sweep::default(),
            unseen: Vec::new(),
            due: Vec::new(),
            questions: 0,
            serial: 0,
            tally: Tally::default(),
            restoring: false,
            stopping: false,
            due_timers: Vec::new(),
            fired: Fired::default(),
            random,
            config,
        }
    }

    /// With these keys for flow tokens and temporary GRUUs, the same in all shards, in their
    /// [`Router`](crate::Router) and after every restart: dialogs between devices that use datagrams then
    /// live through it. Without, those for flow tokens come from the seed, and no temporary GRUU is made.
    #[must_use]
    pub fn sealing(mut self, keys: SealingKeys) -> Self {
        self.gruus.set_keys(keys.clone());
        self.proxy.set_keys(keys);
        self
    }

    /// When [`Input::Tick`] is wanted next; may be early, is never late. Once the shard stops nothing
    /// falls due any more: what would have, does after the restart.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        if self.stopping {
            return None;
        }
        let transactions = self.transactions.poll_timeout().map(|at| Millis(at as i64));
        [self.wheel.next(), transactions, self.sweep.next()].into_iter().flatten().min()
    }

    /// Takes one input at the time `now`, in ms since the epoch; a `now` before an earlier one counts
    /// as that one. Timers that are due act first. Effects are added to `fx` in order.
    pub fn handle(&mut self, now: Millis, input: Input, host: &mut dyn PolicyHost, fx: &mut Effects) {
        self.now = self.now.max(now);
        self.stopping |= matches!(input, Input::Shutdown);
        if self.stopping {
            return self.last_words(input, host, fx);
        }
        self.turn_transactions(fx);
        self.turn(fx);
        match input {
            Input::Message { flow, .. } if self.flows.is_closed(flow.id()) => {
                fx.event(Event::Dropped { why: "connection closed" });
            }
            Input::Message { flow, message } => self.message(&flow, message, fx),
            Input::SendFailed { transaction } => {
                self.transact(layer::Input::SendFailed { transaction }, fx);
            }
            Input::Reached { errand, found } => self.reached(errand, found, fx),
            Input::FlowClosed { flow } => self.flow_closed(flow, fx),
            Input::UserRemoved { aor } => self.user_removed(&aor, fx),
            Input::Tick => self.sweep_on(),
            Input::Shutdown => {}
            Input::Restore(record) => self.restore(*record, fx),
            Input::Restored => self.restored(),
            Input::Notice(notice) => self.notice(&notice, fx),
            Input::PolicyChanged { scope } => self.policy_changed(&scope, fx),
            Input::PolicyAnswered { aor, question, ran } => {
                self.policy_answered(&aor, question, *ran, host, fx);
            }
            Input::ContactsChanged { aor } => self.contacts_changed(&aor, fx),
            Input::Query { id, query } => {
                self.settle(host, fx);
                let answer = Box::new(self.query(query, host));
                fx.push(Effect::Answer { id, answer });
            }
        }
        self.proxy_turns(fx);
        self.settle(host, fx);
    }

    /// What a shard that stops still does. The connections that end now are ended by the server, and
    /// their clients come back to the state as it is stored: it must stay as it is.
    fn last_words(&mut self, input: Input, host: &mut dyn PolicyHost, fx: &mut Effects) {
        match input {
            Input::Query { id, query } => {
                let answer = Box::new(self.query(query, host));
                fx.push(Effect::Answer { id, answer });
            }
            Input::Message { .. } => fx.event(Event::Dropped { why: "stopping" }),
            _ => {}
        }
    }

    /// How long what is given next has waited for its turn, in ms. While that is more than
    /// [`Timing::lag_ms`](crate::Timing::lag_ms), what is under way goes on, and what is new is turned away.
    pub fn waited(&mut self, ms: u32) {
        self.lag = ms;
    }

    fn turn(&mut self, fx: &mut Effects) {
        let mut due = std::mem::take(&mut self.due_timers);
        self.wheel.turn(self.now, &mut due);
        for timer in due.drain(..) {
            self.fired.count(timer);
            match timer {
                Timer::Binding { presentity, serial } => self.binding_due(presentity, serial, fx),
                Timer::Publication { presentity, mark } => self.publication_due(presentity, mark, fx),
                Timer::Reevaluate(presentity) => self.mark(presentity, Reason::Timer, None, true),
                Timer::Subscription(id) => self.subscription_due(id, fx),
                Timer::Ringing(call) => self.proxy.hears(News::Enough { call }),
            }
        }
        self.due_timers = due;
    }

    fn message(&mut self, flow: &Flow, message: Message, fx: &mut Effects) {
        if !message.is_request() && self.answers_notify(flow, &message, fx) {
            return;
        }
        let asked = self.transact(layer::Input::Received { hop: flow.hop, message }, fx);
        if let Some(asked) = asked {
            self.request(flow, &asked, fx);
        }
    }

    fn request(&mut self, flow: &Flow, asked: &Asked, fx: &mut Effects) {
        let Asked { transaction, message: request, .. } = asked;
        let reply = match self.serve(flow, asked, fx) {
            Ok(Some(reply)) | Err(reply) => reply,
            Ok(None) => return,
        };
        if let Some(limit) = reply.limit {
            fx.event(Event::LimitReached { limit });
        }
        let tag = match &reply.to_tag {
            Some(tag) => tag.clone(),
            None if reply.is_stateless() => self.stateless_tag(flow, request),
            None => self.random.token(16),
        };
        let written = respond::write(request, &reply, &tag);
        if written.is_some() {
            fx.event(Event::Request {
                method: known(request.method()),
                status: reply.status.code(),
                detail: reply.detail,
            });
        } else {
            fx.event(Event::Dropped { why: "cannot be answered" });
        }
        let (transaction, status) = (*transaction, reply.status);
        let answer = match written {
            Some(response) if !reply.is_stateless() => {
                layer::Input::Respond { transaction, status, response }
            }
            written => layer::Input::Refuse { transaction, response: written.unwrap_or_default() },
        };
        self.transact(answer, fx);
    }

    /// The answer to a request; none yet for one that is forwarded.
    fn serve(&mut self, flow: &Flow, asked: &Asked, fx: &mut Effects) -> Result<Option<Reply>, Reply> {
        let Asked { message: request, cancels, merged, .. } = asked;
        if *merged && !self.came_through_us(request) {
            return Err(Reply::refuse(Status::LOOP_DETECTED, "merged"));
        }
        let registers = matches!(request.method(), Method::Register | Method::Publish | Method::Subscribe);
        if registers && flow.peer.is_some() {
            return Err(Reply::refuse(Status::FORBIDDEN, "a trusted server has no devices"));
        }
        if self.is_too_much(request) {
            fx.event(Event::TurnedAway { why: "lag" });
            let seconds = LATER + u64::from(self.random.u32()) % SPREAD;
            return Err(Reply::later(flow.hop.transport, seconds));
        }
        let reply = match (request.method(), *cancels) {
            (Method::Register, _) => self.register(flow, request, fx),
            (Method::Publish, _) => self.publish(flow, request, fx),
            (Method::Cancel, Some(transaction)) => {
                let reason = request.header(Name::Reason).map(Box::from);
                self.proxy.hears(News::Cancelled { transaction, reason });
                Ok(Reply::new(Status::OK))
            }
            (Method::Cancel, None) => Err(Reply::new(Status::CALL_DOES_NOT_EXIST)),
            (method, _) => match (self.aim(flow, request)?, method) {
                (Aim::Us, Method::Subscribe) => self.subscribe(flow, request, fx),
                (Aim::Us, Method::Options) => options(request, &self.config),
                (Aim::Us, _) => self.other_method(request),
                (aim, _) => return self.forward(flow, asked, aim, fx).map(|()| None),
            },
        };
        reply.map(Some)
    }

    /// Whether a request begins something new while what is under way has to wait too long already.
    fn is_too_much(&self, request: &Message) -> bool {
        let most = self.config.timing.lag_ms;
        let begins = match request.method() {
            Method::Register | Method::Publish => true,
            Method::Subscribe | Method::Invite | Method::Message => {
                request.to().is_ok_and(|to| to.tag().is_none())
            }
            _ => false,
        };
        most > 0 && self.lag > most && begins
    }

    /// The tag of an answer that is not kept: the same for each repetition (RFC 3261 8.2.7).
    fn stateless_tag(&self, flow: &Flow, request: &Message) -> String {
        let header = |name| request.header(name).unwrap_or_default().as_bytes();
        let parts = [header(Name::Via), header(Name::From), header(Name::CallId), header(Name::CSeq)];
        let named = self.tags.of(&parts) ^ self.tags.of(&[&flow.id().0.to_be_bytes()]);
        format!("{named:016x}")
    }

    fn other_method(&self, request: &Message) -> Result<Reply, Reply> {
        let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        Err(match request.method() {
            // Nothing that could be cancelled, ended or answered lives here.
            Method::Bye | Method::Prack => Reply::new(Status::CALL_DOES_NOT_EXIST),
            Method::Notify if in_dialog => Reply::new(Status::CALL_DOES_NOT_EXIST),
            Method::Extension(_) => Reply::new(NOT_IMPLEMENTED).with(Name::Allow, respond::ALLOW),
            _ => Reply::new(Status::METHOD_NOT_ALLOWED).with(Name::Allow, respond::ALLOW),
        })
    }

    /// Puts a presentity down for a merge at the end of the call.
    pub(crate) fn mark(
        &mut self,
        id: PresentityId,
        reason: Reason,
        etag: Option<&str>,
        only_for_policy: bool,
    ) {
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let earlier = presentity.change.take();
        // One that waits for an answer is not among them: it asks anew now.
        if earlier.as_ref().is_none_or(|earlier| earlier.waits.is_some()) {
            self.changed.push(id);
        }
        let only_for_policy = only_for_policy && earlier.is_none_or(|earlier| earlier.only_for_policy);
        let etag = etag.map(str::to_owned);
        presentity.change = Some(Box::new(Change { reason, etag, only_for_policy, waits: None }));
    }

    /// The end of each call: merges what changed, then sends what is due.
    fn settle(&mut self, host: &mut dyn PolicyHost, fx: &mut Effects) {
        if self.restoring {
            return;
        }
        // Sending can end a subscription and leave a presentity idle, but changes no live set.
        while let Some(id) = self.changed.pop() {
            self.evaluate(id, None, host, fx);
        }
        while let Some(id) = self.unseen.pop() {
            self.show_unseen(id, None, host, fx);
        }
        while let Some(id) = self.reg_due.pop() {
            self.tell_registrations(id, fx);
        }
        let mut due = std::mem::take(&mut self.due);
        for id in due.drain(..) {
            self.notify(id, fx);
        }
        self.due = due;
    }

    fn flow_closed(&mut self, flow: FlowId, fx: &mut Effects) {
        self.transact(layer::Input::FlowClosed { flow }, fx);
        let ties = self.flows.close(flow, self.now);
        for presentity in ties.owners() {
            self.bindings_cut_off(presentity, flow, fx);
            self.publications_cut_off(presentity, flow);
            self.presentities.drop_if_idle(presentity);
        }
        self.subscriptions_cut_off(ties.subscriptions(), fx);
    }

    fn notice(&mut self, notice: &Notice, fx: &mut Effects) {
        match notice {
            // Its connection ended before the news of it came.
            Notice::DeviceOnFlow { hop, .. } if self.flows.is_closed(hop.flow) => {}
            Notice::DeviceOnFlow { hop, device, replaces } => {
                self.device_on_flow(*hop, device, *replaces, fx);
            }
        }
    }

    pub(crate) fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}

/// Seconds after which who is turned away may come again: not all at the same time.
const LATER: u64 = 5;
const SPREAD: u64 = 11;

/// It has no constant of its own in the message layer.
const NOT_IMPLEMENTED: Status = match Status::new(501) {
    Some(status) => status,
    None => Status::SERVER_INTERNAL_ERROR,
};

fn options(request: &Message, config: &Config) -> Result<Reply, Reply> {
    if let Some(refusal) = respond::unsupported(request, &[]) {
        return Err(refusal);
    }
    Ok(Reply::new(Status::OK)
        .with(Name::Allow, respond::ALLOW)
        .with(Name::AllowEvents, respond::allow_events(config))
        .with(Name::Accept, respond::PIDF)
        .with(Name::AcceptEncoding, "identity")
        .with(Name::AcceptLanguage, "en")
        .with(Name::Supported, ""))
}

/// A name for events: a peer cannot make up labels.
pub(crate) fn known(method: Method<'_>) -> &'static str {
    match method {
        Method::Ack => "ACK",
        Method::Bye => "BYE",
        Method::Cancel => "CANCEL",
        Method::Info => "INFO",
        Method::Invite => "INVITE",
        Method::Message => "MESSAGE",
        Method::Notify => "NOTIFY",
        Method::Options => "OPTIONS",
        Method::Prack => "PRACK",
        Method::Publish => "PUBLISH",
        Method::Refer => "REFER",
        Method::Register => "REGISTER",
        Method::Subscribe => "SUBSCRIBE",
        Method::Update => "UPDATE",
        Method::Extension(_) => "other",
    }
}
