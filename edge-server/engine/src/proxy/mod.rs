//! Requests to others: the forking, stateful proxy (RFC 3261 16).
//!
//! ```text
//!   Shard::request ─▶ aim ─┬─▶ Us: answered by registrar, presence agent, ...
//!                          ├─▶ User: its devices, by preference ─┐
//!                          ├─▶ Flow: what a token of ours names ─┤
//!                          └─▶ Out: another server ──────────────┤
//!                                                                ▼
//!     the caller ◀─ Relay, Answer, Refuse ── Context ── Start, Cancel ─▶ a client transaction a device
//!                                               ▲
//!                                    News ──────┘ what the table of transactions tells
//! ```
//! A request to a user is forwarded by the shard of that user, who has its bindings. Requests inside a
//! dialog go by our Record-Route, which names the flows of both ends, so that any shard can forward them
//! and a browser stays on its WebSocket: an effect names a hop, and no shard owns one.
//!
//! What the table tells is put down as [`News`] and looked at at the end of the call, so that one input
//! is finished before what comes of it begins.

mod aim;
mod branch;
mod devices;
mod forward;
mod onward;

use crate::effect::{Effects, Event};
use crate::egress::{Peer, Permitted};
use crate::hashing::Keyed;
use crate::limits::Limits;
use crate::random::Random;
use crate::shard::{Shard, known};
use crate::slab::Slab;
use crate::wheel::TimerId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tributary_sip::locate::Way;
use tributary_sip::proxy::Context;
use tributary_sip::proxy::context::Input as Turn;
use tributary_sip::transaction::{Effect, Failure, Hop, TransactionId};
use tributary_sip::{Message, SealingKeys, Status};

pub(crate) use aim::Aim;
use onward::{Errand, Size};

/// The stream of the seed that no shard and no mark draws from.
const SHARED: u32 = 1 << 20;

/// What this shard forwards, and the secrets that it shares with the other shards.
pub(crate) struct Proxy {
    /// Tells the flows of this process from those of one before it.
    run: u64,
    /// Flow tokens are made with these.
    keys: SealingKeys,
    /// Loops are known by this.
    loops: [u64; 2],
    /// A call is away from its place while it is looked at.
    calls: Slab<Option<Box<Call>>>,
    /// Length of their requests.
    bytes: usize,
    by_caller: BTreeMap<TransactionId, u32>,
    /// Who rings because of which binding: its [name](Shard::binding_name), call and branch.
    by_binding: BTreeSet<(u64, u32, u32)>,
    news: VecDeque<News>,
    /// Who waits for a way to somewhere, by the number that was asked with.
    errands: BTreeMap<u64, Errand>,
    next_errand: u64,
}

/// One request that is forwarded, until its last transaction is over.
struct Call {
    context: Context<Message>,
    request: Message,
    /// The way that it came.
    hop: Hop,
    /// Our Record-Route for that side, where it begins a dialog.
    behind: Option<String>,
    /// The trusted server that sent it, and with it the caller.
    peer: Option<Arc<Peer>>,
    /// The user of ours that has shown to be the caller.
    user: Option<Arc<str>>,
    /// Gone when that transaction is over.
    caller: Option<TransactionId>,
    targets: Vec<Target>,
    branches: Vec<Branch>,
    /// Client transactions that are not over, and ways that are waited for.
    open: u32,
    /// The number of devices that the request was forked to: at the same time, or one after the other.
    devices: usize,
    /// Ends the time of the devices that ring now.
    patience: TimerId,
    /// How long that is, in ms.
    pause: i64,
    told: bool,
}

/// One way to one device.
struct Target {
    /// The Request-URI; `None` where the path alone decides.
    uri: Option<Box<str>>,
    next: Next,
    /// The proxies between us and it, next first (RFC 3327 5.3).
    path: Box<[Box<str>]>,
    /// The [name](Shard::binding_name) of its binding.
    binding: Option<u64>,
}

/// Where it is.
#[derive(Clone)]
enum Next {
    /// At the other end of this flow.
    Flow(Hop),
    /// Where this host is.
    Host(Permitted),
}

struct Branch {
    client: Option<TransactionId>,
    binding: Option<u64>,
    /// Whether it goes over a connection.
    reliable: bool,
    /// The place of its target.
    contact: usize,
    breadth: u32,
    /// Whether any answer came.
    heard: bool,
    /// Whether the caller, or another answer, wants it to end.
    cancelled: bool,
    size: Size,
    /// The way that it is on, and those that have come to nothing.
    hop: Option<Hop>,
    tried: Vec<Way>,
    /// How the last of them failed.
    failed: Status,
}

/// What a call hears of.
pub(crate) enum News {
    Response {
        user: u64,
        message: Box<Message>,
    },
    Failed {
        user: u64,
        why: Failure,
    },
    Refused {
        user: u64,
    },
    Ended {
        user: u64,
    },
    /// The caller does not hear us any more, or never said that it did.
    CallerFailed {
        transaction: TransactionId,
    },
    CallerEnded {
        transaction: TransactionId,
    },
    /// The caller has sent CANCEL for this.
    Cancelled {
        transaction: TransactionId,
        reason: Option<Box<str>>,
    },
    /// A binding is no more.
    Withdrawn {
        binding: u64,
    },
    /// The devices that ring now had their time.
    Enough {
        call: u32,
    },
}

/// The highest bit of the table's name for our requests; a subscription has none that begins with it.
const FORWARDED: u64 = 1 << 63;

fn is_forwarded(user: u64) -> bool {
    user & FORWARDED != 0
}

fn user_of(call: u32, branch: u32) -> u64 {
    FORWARDED | u64::from(call) << 32 | u64::from(branch)
}

/// Call and branch.
fn named(user: u64) -> (u32, u32) {
    (((user & !FORWARDED) >> 32) as u32, user as u32)
}

impl Proxy {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed, SHARED);
        let (run, loops) = (random.u64(), [random.u64(), random.u64()]);
        let mut secret = [0; 32];
        for bytes in secret.chunks_exact_mut(8) {
            bytes.copy_from_slice(&random.u64().to_be_bytes());
        }
        Self {
            run,
            keys: SealingKeys::new(secret, &[]),
            loops,
            calls: Slab::new(),
            bytes: 0,
            by_caller: BTreeMap::new(),
            by_binding: BTreeSet::new(),
            news: VecDeque::new(),
            errands: BTreeMap::new(),
            next_errand: 0,
        }
    }

    pub(crate) fn set_keys(&mut self, keys: SealingKeys) {
        self.keys = keys;
    }

    /// How many requests are forwarded and not over.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Puts down what the table says to calls; the rest is given back.
    pub(crate) fn overhears(&mut self, effect: Effect) -> Option<Effect> {
        self.hears(match effect {
            Effect::Response { user, message, .. } if is_forwarded(user) => {
                News::Response { user, message: Box::new(message) }
            }
            Effect::Failed { user: Some(user), why, .. } if is_forwarded(user) => News::Failed { user, why },
            Effect::Refused { user, .. } if is_forwarded(user) => News::Refused { user },
            Effect::Terminated { user: Some(user), .. } if is_forwarded(user) => News::Ended { user },
            Effect::Failed { user: None, transaction, .. } => News::CallerFailed { transaction },
            Effect::Terminated { user: None, transaction } => News::CallerEnded { transaction },
            other => return Some(other),
        });
        None
    }

    /// Puts down what concerns some call.
    pub(crate) fn hears(&mut self, news: News) {
        let concerns = match &news {
            News::CallerFailed { transaction }
            | News::CallerEnded { transaction }
            | News::Cancelled { transaction, .. } => self.by_caller.contains_key(transaction),
            News::Withdrawn { binding } => self.ringing(*binding).next().is_some(),
            _ => true,
        };
        if concerns {
            self.news.push_back(news);
        }
    }

    /// Calls and branches that a binding's device was forwarded.
    fn ringing(&self, binding: u64) -> impl Iterator<Item = (u32, u32)> {
        let all = (binding, 0, 0)..=(binding, u32::MAX, u32::MAX);
        self.by_binding.range(all).map(|&(_, call, branch)| (call, branch))
    }

    /// Whether one more ACK may wait for a way.
    fn has_room_for_errand(&self, limits: &Limits) -> bool {
        self.errands.len() < limits.proxied_per_shard as usize
    }

    /// Notes that an answer came on a branch.
    fn heard(&mut self, call: u32, branch: u32) {
        let call = self.calls.get_mut(call).and_then(Option::as_mut);
        if let Some(branch) = call.and_then(|call| call.branches.get_mut(branch as usize)) {
            branch.heard = true;
        }
    }

    fn take(&mut self, call: u32) -> Option<Box<Call>> {
        self.calls.get_mut(call)?.take()
    }
}

impl Shard {
    /// A name for a binding that a refresh does not change.
    pub(crate) fn binding_name(keyed: Keyed, aor: &str, id: &str) -> u64 {
        keyed.of(&[aor.as_bytes(), id.as_bytes()])
    }

    /// Lets calls act on what they heard of, until there is nothing left.
    pub(crate) fn proxy_turns(&mut self, fx: &mut Effects) {
        while let Some(news) = self.proxy.news.pop_front() {
            self.proxy_turn(news, fx);
        }
    }

    fn proxy_turn(&mut self, news: News, fx: &mut Effects) {
        match news {
            News::Response { user, message } => {
                let (call, branch) = named(user);
                let Some(status) = message.status() else {
                    return;
                };
                fx.event(Event::Answered { method: known(message.method()), status: status.code() });
                if status != Status::SERVICE_UNAVAILABLE || !self.try_elsewhere(user, status, fx) {
                    self.proxy.heard(call, branch);
                    self.note_session(call, branch, status, fx);
                    self.turn_call(call, Turn::Response { branch, status, response: *message }, fx);
                }
            }
            News::Failed { user, why } => {
                let (call, branch) = named(user);
                let status = self.failure(call, branch, why);
                if !self.try_elsewhere(user, status, fx) {
                    self.turn_call(call, Turn::Failed { branch, status }, fx);
                }
            }
            News::Refused { user } => {
                let (call, branch) = named(user);
                self.client_ended(call);
                let status = Status::SERVICE_UNAVAILABLE;
                self.turn_call(call, Turn::Failed { branch, status }, fx);
            }
            News::Ended { user } => {
                let (call, _) = named(user);
                self.client_ended(call);
                self.end_if_over(call);
            }
            News::Cancelled { transaction, reason } => self.cancelled(transaction, reason, fx),
            News::CallerFailed { transaction } => self.cancelled(transaction, None, fx),
            News::CallerEnded { transaction } => {
                if let Some(call) = self.proxy.by_caller.remove(&transaction)
                    && let Some(Some(state)) = self.proxy.calls.get_mut(call)
                {
                    state.caller = None;
                }
            }
            News::Withdrawn { binding } => {
                let ringing: Vec<_> = self.proxy.ringing(binding).collect();
                for (call, branch) in ringing {
                    self.turn_call(call, Turn::Withdrawn { branch }, fx);
                }
            }
            News::Enough { call } => {
                if let Some(Some(state)) = self.proxy.calls.get_mut(call) {
                    state.patience = TimerId::NONE;
                }
                self.turn_call(call, Turn::Enough, fx);
            }
        }
    }

    /// What a branch counts as that has failed: of a connection that is gone, its flow (RFC 5626 5.3).
    fn failure(&self, call: u32, branch: u32, why: Failure) -> Status {
        let state = self.proxy.calls.get(call).and_then(Option::as_ref);
        let flow_gone = why == Failure::Unreachable
            && state
                .and_then(|state| state.branches.get(branch as usize))
                .is_some_and(|branch| branch.reliable);
        if flow_gone { Status::FLOW_FAILED } else { why.into() }
    }

    fn cancelled(&mut self, transaction: TransactionId, reason: Option<Box<str>>, fx: &mut Effects) {
        if let Some(&call) = self.proxy.by_caller.get(&transaction) {
            self.turn_call(call, Turn::Cancel { reason }, fx);
        }
    }

    fn turn_call(&mut self, index: u32, turn: Turn<Message>, fx: &mut Effects) {
        let Some(mut call) = self.proxy.take(index) else {
            return;
        };
        let mut actions = Vec::new();
        call.context.handle(turn, &mut actions);
        self.carry_out(index, &mut call, actions, fx);
        self.put_back(index, call);
    }

    fn put_back(&mut self, index: u32, call: Box<Call>) {
        if let Some(place) = self.proxy.calls.get_mut(index) {
            *place = Some(call);
        }
        self.end_if_over(index);
    }

    fn client_ended(&mut self, call: u32) {
        if let Some(Some(state)) = self.proxy.calls.get_mut(call) {
            state.open = state.open.saturating_sub(1);
        }
    }

    /// Forgets a call that is answered and waits for no transaction any more.
    fn end_if_over(&mut self, index: u32) {
        let over = |call: &Call| call.open == 0 && call.context.is_answered();
        if !self.proxy.calls.get(index).and_then(Option::as_deref).is_some_and(over) {
            return;
        }
        if let Some(Some(call)) = self.proxy.calls.remove(index) {
            self.wheel.cancel(call.patience);
            self.proxy.bytes -= call.request.raw().len();
            if let Some(caller) = call.caller {
                self.proxy.by_caller.remove(&caller);
            }
            for (branch, state) in (0..).zip(&call.branches) {
                if let Some(binding) = state.binding {
                    self.proxy.by_binding.remove(&(binding, index, branch));
                }
            }
        }
    }
}
