//! What a shard is told once, at its start.

use crate::egress::Egress;
use crate::limits::Limits;
use crate::lockout::Lockout;
use crate::mask::Masks;
use crate::rate::Rate;
use crate::reach::Reach;
use crate::tokens::Tokens;
use crate::watcher::{Contacts, NoContacts};
use merge_core::compose::Composition;
use merge_core::live::Switches;
use std::fmt;
use std::sync::Arc;
use tributary_sip::proxy::ForkPolicy;
use tributary_sip::{DigestServer, Ha1};

/// The settings of all shards of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domains served, lower case. Nothing is registered or published for any other (404), and the
    /// first is our name where `reach` has none.
    pub domains: Vec<String>,
    /// What others call us.
    pub reach: Reach,
    /// Where requests may go beyond our own users.
    pub egress: Egress,
    /// Who may do what.
    pub auth: Auth,
    /// Who exists.
    pub users: Arc<dyn Users>,
    /// Whom users know.
    pub contacts: Arc<dyn Contacts>,
    /// The operator's programs that watch users, canonical addresses.
    pub services: Vec<String>,
    /// Whether there is presence here: PUBLISH, and SUBSCRIBE to `presence`.
    pub presence_enabled: bool,
    /// What is shown of a user who has published nothing.
    pub switches: Switches,
    /// How documents are merged where no policy is assigned.
    pub composition: Composition,
    /// What nobody who watches is shown, whatever is published and whatever policies say.
    pub masks: Masks,
    /// Whether only who is registered may publish and subscribe (R22).
    pub require_registration: bool,
    /// What clients may say when they register, and what they are told.
    pub registrar: Registrar,
    /// To which of a user's devices a request goes.
    pub forking: Forking,
    /// Lifetimes and times of grace.
    pub timing: Timing,
    /// Who reads bearer tokens, where they are taken beside passwords.
    pub tokens: Option<Arc<dyn Tokens>>,
    /// Who guesses passwords is locked out by this; all shards share one.
    pub lockout: Option<Arc<Lockout>>,
    /// Requests of one user in one shard.
    pub user_rate: Rate,
    /// Bounds.
    pub limits: Limits,
    /// How many shards share these settings.
    pub shards: u16,
}

impl Config {
    /// One domain whose users are whoever they say, nothing else configured: for tests, benchmarks and
    /// trials.
    #[must_use]
    pub fn of_trial(domain: &str) -> Self {
        Self {
            domains: vec![domain.to_owned()],
            reach: Reach::default(),
            egress: Egress::default(),
            auth: Auth::Open,
            users: Arc::new(Everybody),
            contacts: Arc::new(NoContacts),
            services: Vec::new(),
            presence_enabled: true,
            switches: Switches {
                presence_uses_registration_state: true,
                notify_closed_state_for_non_published_users: true,
            },
            composition: Composition::Compose,
            masks: Masks::default(),
            require_registration: false,
            registrar: Registrar::default(),
            forking: Forking::default(),
            timing: Timing::default(),
            tokens: None,
            lockout: None,
            user_rate: Rate::NONE,
            limits: Limits::default(),
            shards: 1,
        }
    }
}

/// How users show who they are.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Not at all: whoever connects is believed. For a demonstration on loopback only.
    Open,
    /// Digest (RFC 7616, RFC 8760), with one realm for every challenge. All shards share one key for
    /// nonces, so that a nonce of one is good for all.
    Digest(Arc<DigestServer>),
}

/// The directory of users. Read on every request: must answer from memory.
pub trait Users: fmt::Debug + Send + Sync {
    /// The account that a digest `username` belongs to, for the configured realm.
    fn account(&self, username: &str) -> Option<Account>;

    /// Whether there is such a user; `aor` is `sip:user@domain` in its canonical form.
    fn exists(&self, aor: &str) -> bool;

    /// What policies are told of a user.
    fn profile(&self, aor: &str) -> Profile {
        let _ = aor;
        Profile::default()
    }
}

/// One account.
#[derive(Clone)]
pub struct Account {
    /// `sip:alice@example.com`.
    pub aor: Arc<str>,
    /// What is kept of the password, for the configured realm.
    pub ha1: Ha1,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("aor", &self.aor).finish_non_exhaustive()
    }
}

/// What policies are told of a user beside the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Whose user it is; empty for the operator's own.
    pub tenant: String,
    /// Groups, in the directory's order.
    pub groups: Vec<String>,
    /// Language tag.
    pub locale: Option<String>,
}

/// Every user name of the served domains exists and nobody has a password: with [`Auth::Open`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Everybody;

impl Users for Everybody {
    fn account(&self, _username: &str) -> Option<Account> {
        None
    }

    fn exists(&self, _aor: &str) -> bool {
        true
    }
}

/// What clients may say when they register, and what they are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrar {
    /// The headers of a REGISTER that are kept with its bindings: names, or beginnings as in `X-*`. Those of
    /// which [`may_be_kept`](crate::may_be_kept) does not hold never are.
    pub kept_headers: Vec<String>,
    /// Whether a Path is taken from clients that do not say that they know of it.
    pub path_without_support: bool,
    /// The values of Service-Route in each 200 (RFC 3608).
    pub service_routes: Vec<String>,
    /// The seconds of Flow-Timer (RFC 5626) for clients on connections; 0 says none.
    pub flow_timer: u32,
    /// Who may watch the registrations of anybody (`Event: reg`), canonical addresses; users may watch their own.
    pub watchers: Vec<String>,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            kept_headers: ["Supported", "User-Agent", "X-*"].map(str::to_owned).into(),
            path_without_support: false,
            service_routes: Vec::new(),
            flow_timer: 120,
            watchers: Vec::new(),
        }
    }
}

/// To which of a user's devices a request goes (R7, R9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forking {
    /// What becomes of devices that do not take part in forking.
    pub policy: ForkPolicy,
    /// How devices say that they do not.
    pub says: SaysForking,
    /// Whether a request whose To names an `epid` that no device has is refused with 480, and not forwarded
    /// as if there were none.
    pub refuse_unknown_epid: bool,
}

/// How a device says whether it takes part in forking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaysForking {
    /// All take part but those with this feature tag in their Contact (RFC 3840).
    NotByTag(String),
    /// Only those take part that register with `Supported: ms-forking`, as clients of Microsoft's servers do.
    /// That header must be among [`Registrar::kept_headers`].
    BySupported,
}

impl Default for Forking {
    fn default() -> Self {
        let says = SaysForking::NotByTag("+tributary.nofork".to_owned());
        Self { policy: ForkPolicy::All, says, refuse_unknown_epid: true }
    }
}

/// The range of a lifetime, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Shorter ones (but not 0) are answered 423.
    pub min: u32,
    /// Longer ones are shortened to this.
    pub max: u32,
    /// Granted where the request names none.
    pub default: u32,
}

/// Lifetimes and times of grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Bindings.
    pub register: Lifetime,
    /// Publications.
    pub publish: Lifetime,
    /// Subscriptions. Neither browser library retries a 423 to SUBSCRIBE: keep the minimum low.
    pub subscribe: Lifetime,
    /// Milliseconds for which a publication outlives its connection.
    pub publication_grace_ms: u32,
    /// Milliseconds for which a subscription outlives its connection, silently.
    pub subscription_grace_ms: u32,
    /// Milliseconds for which everything that a restart cut off waits for its client.
    pub restart_grace_ms: u32,
    /// Milliseconds for the answer to a NOTIFY over a connection (64*T1, as for datagrams).
    pub notify_timeout_ms: u32,
    /// Milliseconds for which the answer to a request that came over a connection is kept for a
    /// repetition of it: no transport repeats it, but libraries do. Datagrams keep to 64*T1.
    pub transaction_ms: u32,
    /// Milliseconds that a message may have waited for its shard before new work is turned away; 0 is any.
    pub lag_ms: u32,
    /// Milliseconds for which a connection that has shown a password is not asked for it again (R20).
    pub auth_lifetime_ms: u32,
    /// Milliseconds that devices have to answer a call before it goes to those that come after them.
    pub ring_ms: u32,
    /// Milliseconds that a datagram may take there and back (T1, RFC 3261 17.1.1.1). Whoever does not answer is
    /// given up after 64 times as long.
    pub t1_ms: u32,
    /// Milliseconds that lie between two repetitions in datagrams at most (T2).
    pub t2_ms: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            register: Lifetime { min: 10, max: 3600, default: 600 },
            publish: Lifetime { min: 10, max: 3600, default: 3600 },
            subscribe: Lifetime { min: 10, max: 3600, default: 3600 },
            publication_grace_ms: 10_000,
            // JsSIP comes back within 2 to 30 s and refreshes its subscriptions on their own timer.
            subscription_grace_ms: 60_000,
            restart_grace_ms: 120_000,
            notify_timeout_ms: 32_000,
            transaction_ms: 32_000,
            lag_ms: 4_000,
            auth_lifetime_ms: 28_800_000,
            ring_ms: 20_000,
            t1_ms: 500,
            t2_ms: 4_000,
        }
    }
}
