//! What a shard wants done. The effects of one call are in order, and every [`Effect::Store`] of this
//! call and of those before must be committed before any [`Effect::Send`] of it leaves. A request that
//! is repeated meanwhile is answered with an [`Effect::Send`] of a later call, and so not before what
//! the answer promises is stored.

use crate::input::{FlowDevice, Notice, Standing};
use crate::labelled;
use crate::lockout::Locked;
use crate::query::Answer;
use crate::record::{Record, Table};
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;
use tributary_sip::locate::{NextHop, Way};
use tributary_sip::transaction::{FlowId, Hop, Packet, TransactionId};

/// One change of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOp {
    /// Write or replace.
    Put {
        /// Where.
        table: Table,
        /// Under which key.
        key: Bytes,
        /// A versioned record: see [`Record`].
        value: Bytes,
    },
    /// Remove, if it is there.
    Delete {
        /// Where.
        table: Table,
        /// Which key.
        key: Bytes,
    },
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a message: over its connection, or from the socket of its flow to its peer. If that is
    /// impossible, drop it.
    Send {
        /// To where.
        hop: Hop,
        /// The message.
        packet: Packet,
        /// Who may be told with [`Input::SendFailed`](crate::Input::SendFailed) when it was dropped.
        transaction: Option<TransactionId>,
    },
    /// Find a way to a next hop (RFC 3263), open it if there is none, and say so with
    /// [`Input::Reached`](crate::Input::Reached), within the time of a transaction.
    Reach {
        /// Comes back.
        errand: u64,
        /// Where.
        next: NextHop,
        /// Whether it may be an address of a private network, or of this machine.
        private: bool,
        /// Ways that have come to nothing.
        tried: Vec<Way>,
    },
    /// A session begins or ends over this connection: one to another server is kept meanwhile.
    Session {
        /// The connection.
        flow: FlowId,
        /// Whether it begins.
        begun: bool,
    },
    /// Change the store.
    Store(StoreOp),
    /// The user of this flow has shown a password: set [`Flow::authenticated`](crate::Flow::authenticated).
    FlowAuthenticated {
        /// The connection.
        flow: FlowId,
        /// Who it is, in place of whom it was before.
        standing: Standing,
    },
    /// This device registered over the flow: set [`Flow::device`](crate::Flow::device), before the
    /// notice that follows is given to any shard.
    FlowRegistered {
        /// The connection.
        flow: FlowId,
        /// The device.
        device: Arc<FlowDevice>,
    },
    /// Give this to every other shard as [`Input::Notice`](crate::Input::Notice).
    Broadcast(Notice),
    /// Close a connection.
    Close {
        /// The connection.
        flow: FlowId,
        /// For the log and the close frame.
        reason: &'static str,
    },
    /// The answer to [`Input::Query`](crate::Input::Query).
    Answer {
        /// The query's id.
        id: u64,
        /// The answer.
        answer: Box<Answer>,
    },
    /// For the log and the metrics; nothing secret is in it.
    Event(Event),
}

impl Effect {
    pub(crate) fn put(record: &Record) -> Self {
        Self::Store(StoreOp::Put { table: record.table(), key: record.key(), value: record.encode() })
    }
}

/// Something worth counting or logging.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A request was answered.
    Request {
        /// `PUBLISH`, or `other` for methods that are not known.
        method: &'static str,
        /// The status of the answer.
        status: u16,
        /// Why, where the status is a refusal; no words of the peer's.
        detail: Option<&'static str>,
    },
    /// The caller was told how it stands with a request that was forwarded: a provisional response.
    Provisional {
        /// Of the request.
        method: &'static str,
        /// 101 to 199.
        status: u16,
    },
    /// A response came to a request that was forwarded.
    Answered {
        /// Of the request.
        method: &'static str,
        /// Any.
        status: u16,
    },
    /// A request was forwarded; when it is answered, [`Request`](Self::Request) says how.
    Forwarded {
        /// `INVITE`, or `other` for methods that are not known.
        method: &'static str,
        /// To how many devices, at the same time or one after the other.
        devices: u32,
    },
    /// A message was dropped without an answer.
    Dropped {
        /// Why.
        why: &'static str,
    },
    /// The state of a presentity was merged anew.
    Merged {
        /// Whose.
        aor: Arc<str>,
        /// How many publications are live.
        publications: u32,
        /// Whether the result differs from the one before.
        changed: bool,
        /// Whether a policy had its say.
        policy: bool,
    },
    /// NOTIFY requests were written.
    Notified {
        /// Whose state they carry.
        aor: Arc<str>,
        /// How many were handed to the transport.
        sent: u32,
        /// How many wait for an answer to an earlier one, or for their watcher's return.
        held: u32,
    },
    /// A NOTIFY was answered, or not in time.
    NotifyAnswered {
        /// The status, 408 for none.
        status: u16,
    },
    /// A subscription began.
    SubscriptionStarted {
        /// Whose state is watched.
        aor: Arc<str>,
    },
    /// A subscription found its watcher again on another connection.
    SubscriptionResumed {
        /// Whose state is watched.
        aor: Arc<str>,
    },
    /// A subscription ended.
    SubscriptionEnded {
        /// Whose state was watched.
        aor: Arc<str>,
        /// How.
        why: SubscriptionEnd,
    },
    /// A publication ended without a request of its publisher's.
    PublicationEnded {
        /// Whose.
        aor: Arc<str>,
        /// How.
        why: PublicationEnd,
    },
    /// A binding ended without a request of its owner's.
    BindingEnded {
        /// Whose.
        aor: Arc<str>,
        /// How.
        why: BindingEnd,
    },
    /// A bound was reached: counted under its name.
    LimitReached {
        /// [`Limit::name`](crate::limits::Limit::name).
        limit: &'static str,
    },
    /// Credentials were refused.
    AuthenticationFailed {
        /// Why.
        why: AuthFailure,
    },
    /// Somebody has guessed passwords too often.
    LockedOut {
        /// Whose: the address of record, or what the client calls a user whom nobody knows.
        account: Box<str>,
        /// From where the last guess came.
        address: IpAddr,
        /// For whom it is locked.
        what: Locked,
    },
    /// A request was answered 503 because there are too many.
    TurnedAway {
        /// `user_rate` or `lag`.
        why: &'static str,
    },
    /// A policy failed, and the built-in merge was served.
    PolicyFailed {
        /// Whose state.
        aor: Arc<str>,
        /// The policy's name.
        policy: Arc<str>,
        /// The contract's code, `E204`.
        code: String,
        /// What went wrong, in the contract's words.
        message: String,
    },
    /// A stored record could not be used; it stays in the store.
    RecordRefused {
        /// Why.
        why: String,
    },
}

labelled! {
    /// How a subscription ended.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum SubscriptionEnd {
        /// The watcher asked for it.
        Unsubscribed => "unsubscribed",
        /// It asked for one state only.
        Polled => "polled",
        /// It was not refreshed.
        Expired => "expired",
        /// A NOTIFY was answered with a status that says so.
        Refused => "refused",
        /// A NOTIFY was not answered.
        Unanswered => "unanswered",
        /// The connection died and the watcher did not come back in time.
        NotBack => "not_back",
        /// The user who was watched is no longer known.
        NoResource => "no_resource",
        /// The user who watched is no longer known.
        Rejected => "rejected",
    }
}

labelled! {
    /// How a publication ended.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum PublicationEnd {
        /// It was not refreshed.
        Expired => "expired",
        /// Its connection died and its device did not come back in time.
        NotBack => "not_back",
        /// There is no such user any more.
        UserRemoved => "user_removed",
    }
}

labelled! {
    /// How a binding ended.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum BindingEnd {
        /// It was not refreshed.
        Expired => "expired",
        /// Its connection has ended.
        FlowClosed => "flow_closed",
        /// After a restart its device did not come back in time.
        NotBack => "not_back",
        /// There is no such user any more.
        UserRemoved => "user_removed",
    }
}

labelled! {
    /// Why credentials were refused.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum AuthFailure {
        /// There were none: the first half of every login, and no fault.
        Missing => "missing",
        /// They cannot be read, or are of a kind that was not offered.
        Malformed => "malformed",
        /// They are for another realm.
        Realm => "realm",
        /// The password is wrong.
        Password => "password",
        /// No user has this name.
        NoSuchUser => "no_such_user",
        /// No domain of this server is meant.
        Domain => "domain",
        /// The password is right, the nonce is not good any more; the client says it again.
        Stale => "stale",
        /// The password is right, this nonce was used with this count before; the client says it again.
        Repeated => "repeated",
        /// The account is locked, see `[lockout]`.
        LockedOut => "locked_out",
        /// The token is not signed by whom we trust, or not for us.
        Token => "token",
        /// The token's time is over.
        TokenExpired => "token_expired",
        /// The token does not allow what is asked for.
        TokenScope => "token_scope",
    }
}

/// The effects of one call, in order.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// No effects yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all effects out, leaving the room for the next call.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect> {
        self.0.drain(..)
    }

    /// The effects so far.
    #[must_use]
    pub fn as_slice(&self) -> &[Effect] {
        &self.0
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    pub(crate) fn extend(&mut self, effects: impl IntoIterator<Item = Effect>) {
        self.0.extend(effects);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.0.push(Effect::Event(event));
    }

    pub(crate) fn send(&mut self, hop: Hop, packet: Packet, transaction: Option<TransactionId>) {
        self.0.push(Effect::Send { hop, packet, transaction });
    }
}
