//! Questions of the HTTP API, and their answers. JSON in them is written by merge-core, so that the
//! API, the page and the policies see one form.

use crate::fired::Fired;
use merge_core::policy::Mask;
use std::sync::Arc;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// All presentities of the shard.
    Presentities {
        /// At most so many, in order of their address.
        limit: usize,
        /// Only those after this address.
        after: Option<String>,
    },
    /// One presentity: devices, merged state and explanation.
    Presentity {
        /// `sip:alice@example.com`.
        aor: String,
        /// Also what this watcher sees of it, `sip:bob@example.com`.
        watcher: Option<String>,
    },
    /// One presentity's live set, for a merge elsewhere.
    Live {
        /// `sip:alice@example.com`.
        aor: String,
    },
    /// The subscriptions of the shard.
    Subscriptions {
        /// At most so many.
        limit: usize,
    },
    /// How much of everything there is.
    Counts,
}

/// The answer to a [`Query`] of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// In order of the address.
    Presentities(Vec<PresentitySummary>),
    /// `None`: nothing is known of that address here. A user who exists but has no state has an entry.
    Presentity(Option<PresentityAnswer>),
    /// As for [`Answer::Presentity`].
    Live(Option<LiveAnswer>),
    /// In order of watched address, then watcher.
    Subscriptions(Vec<SubscriptionSummary>),
    /// Counts of this shard.
    Counts(Counts),
}

/// One line of the list of presentities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentitySummary {
    /// `sip:alice@example.com`.
    pub aor: Arc<str>,
    /// Live publications.
    pub devices: usize,
    /// Live bindings.
    pub registrations: usize,
    /// Live subscriptions.
    pub watchers: usize,
}

/// One presentity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentityAnswer {
    /// `sip:alice@example.com`.
    pub aor: Arc<str>,
    /// Its publications.
    pub devices: Vec<DeviceSummary>,
    /// Its bindings.
    pub registrations: Vec<BindingSummary>,
    /// Live subscriptions to it.
    pub watchers: usize,
    /// What is sent, before any views of it, in the JSON form of presence; `null` when there is no state to show.
    pub merged_json: String,
    /// The same as it is sent.
    pub merged_pidf: String,
    /// Where each value came from, as JSON; also of those that the mask took away.
    pub explanation_json: String,
    /// What the operator's mask took away.
    pub masked: Option<Mask>,
    /// The policy in force, by name and SHA-256.
    pub policy: Option<(Arc<str>, [u8; 32])>,
    /// Why something else stands in for its answer.
    pub failure: Option<String>,
    /// What the watcher sees who was asked about.
    pub seen: Option<Box<SeenAnswer>>,
}

/// What one watcher sees of a presentity, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAnswer {
    /// `sip:bob@example.com`.
    pub watcher: String,
    /// What the watcher is to the presentity; nothing for users who watch themselves.
    pub class: Option<&'static str>,
    /// The groups that policies are told.
    pub groups: Vec<String>,
    /// Why it is that class: a sentence without its subject.
    pub why: &'static str,
    /// Whether the policy in force tells watchers apart, and was asked about this one.
    pub asked: bool,
    /// What it answered, as it wrote it; nothing where it was not asked or had no opinion.
    pub output: Option<String>,
    /// Why something else stands in for its answer.
    pub failure: Option<String>,
    /// What is seen in the JSON form of presence; `null` when there is no state to show.
    pub json: String,
    /// The document as it is sent.
    pub pidf: String,
}

/// One publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSummary {
    /// Its entity-tag.
    pub etag: String,
    /// The device's key.
    pub device: String,
    /// `+sip.instance`, if known.
    pub instance: Option<String>,
    /// The publisher's User-Agent.
    pub user_agent: Option<String>,
    /// When this version came, in ms since the epoch.
    pub received_ms: i64,
    /// When the first version came.
    pub first_ms: i64,
    /// When it ends.
    pub expires_ms: i64,
    /// Its connection is gone and its device may still come back.
    pub waiting: bool,
}

/// One binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingSummary {
    /// The Contact URI as given.
    pub contact: String,
    /// `+sip.instance`, if given.
    pub instance: Option<String>,
    /// When it ends, in ms since the epoch.
    pub expires_ms: i64,
    /// `ws`, `tcp`...
    pub transport: &'static str,
    /// The hops between this server and the client.
    pub path: Vec<String>,
    /// Name and value of each header that was kept.
    pub headers: Vec<(String, String)>,
}

/// What a merge elsewhere needs, and what came out here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveAnswer {
    /// The live set JSON.
    pub live_json: String,
    /// The document that watchers of this server get.
    pub server_pidf: String,
    /// The policy in force, by name and SHA-256.
    pub policy: Option<(Arc<str>, [u8; 32])>,
    /// Its parameters, a JSON object.
    pub params: Option<Arc<str>>,
    /// What the operator takes away of whatever comes out.
    pub mask: Option<Mask>,
    /// That of the clock on the wall that policies are told of, an IANA name.
    pub time_zone: Option<String>,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSummary {
    /// Whose state is watched.
    pub presentity: Arc<str>,
    /// Who watches.
    pub watcher: Arc<str>,
    /// What is watched: `presence` or `reg`.
    pub event: &'static str,
    /// When it ends, in ms since the epoch.
    pub expires_ms: i64,
    /// The connection died and the watcher may still come back.
    pub waiting: bool,
    /// A NOTIFY is not answered yet.
    pub in_flight: bool,
    /// CSeq of the last NOTIFY.
    pub cseq: u32,
}

/// How much of everything a shard holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Presentities with any state.
    pub presentities: usize,
    /// Live publications.
    pub publications: usize,
    /// Live bindings.
    pub bindings: usize,
    /// Live subscriptions.
    pub subscriptions: usize,
    /// Of them, those whose watcher's connection is gone.
    pub waiting_subscriptions: usize,
    /// Connections with any state in this shard.
    pub flows: usize,
    /// Requests, of others and of its own, that are not over, or whose answer is kept.
    pub transactions: usize,
    /// Length of the messages kept to be sent again.
    pub transaction_bytes: usize,
    /// Forwarded requests that are not over.
    pub proxied: usize,
    /// Watching devices whose newest connection is remembered.
    pub devices: usize,
    /// Presentities that wait to be merged anew after a change of policy.
    pub reevaluations: usize,
    /// Timers that are set, but those of transactions.
    pub timers: usize,
    /// Timers that have run out.
    pub fired: Fired,
}
