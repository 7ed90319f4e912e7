//! What a shard keeps of one presentity.

use crate::config::Config;
use crate::hashing::{Keyed, Table};
use crate::question::{MadeBy, Waiting};
use crate::record::Datagrams;
use crate::registrar::RegView;
use crate::slab::Slab;
use crate::subscription::{Package, Subscription, SubscriptionId};
use crate::view::Views;
use crate::wheel::TimerId;
use bytes::Bytes;
use merge_core::live::{LiveSet, Presentity as Identity, Publication, Registration, Switches};
use merge_core::policy::Reason;
use merge_core::time::Millis;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;
use tributary_sip::Aor;
use tributary_sip::transaction::{FlowId, Hop, Transport};

/// The place of a presentity in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PresentityId(pub(crate) u32);

/// One presentity: bindings, publications, watchers, and the document that watchers get.
pub(crate) struct Presentity {
    pub(crate) aor: Arc<str>,
    /// Where in it the domain begins, which every NOTIFY names.
    domain_at: u32,
    /// What is merged. Its publications stand beside `publications`, its registrations beside
    /// `bindings`, index by index.
    pub(crate) live: Live,
    pub(crate) publications: Vec<PublicationState>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) subscriptions: Vec<SubscriptionId>,
    /// The state as it is sent; none while nobody watches.
    pub(crate) view: Option<Box<View>>,
    /// The same of its registrations.
    pub(crate) reg_view: Option<Box<RegView>>,
    /// Set while the presentity waits to be merged: for the end of the call, or for a policy that takes long.
    pub(crate) change: Option<Box<Change>>,
}

/// The lists of a live set. What else a live set says of its user is in the directory and is looked up
/// when it is merged: kept for each user it would weigh more than all the rest.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) publications: Vec<Publication>,
    pub(crate) registrations: Vec<Registration>,
}

/// The written state.
pub(crate) struct View {
    pub(crate) body: Bytes,
    /// The number of this body: no other body of this presentity has it.
    pub(crate) version: u32,
    /// The last number that was given, to this or to a view. Counts from 1 since somebody began to watch.
    pub(crate) last: u32,
    /// What classes of watchers see of it, where the policy tells them apart.
    pub(crate) views: Option<Box<Views>>,
    /// The time at which a policy wants to be asked again.
    pub(crate) reevaluate: TimerId,
}

impl View {
    pub(crate) const fn unwritten() -> Self {
        Self { body: Bytes::new(), version: 0, last: 0, views: None, reevaluate: TimerId::NONE }
    }

    /// The number of the next body.
    pub(crate) fn next_version(&mut self) -> u32 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.last
    }
}

/// Why a presentity is to be merged at the end of the call.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) reason: Reason,
    pub(crate) etag: Option<String>,
    /// The live set's documents are as before: only a policy could tell the difference.
    pub(crate) only_for_policy: bool,
    /// The policy was asked, by which it is merged, and has not answered yet.
    pub(crate) waits: Option<(Waiting, MadeBy)>,
}

/// Where a publication came from that is older than this process: a number that no connection has.
pub(crate) const BEFORE_RESTART: FlowId = FlowId(u64::MAX);

/// The peer of a way that is gone.
pub(crate) const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// What a publication is to the engine; what it says is in the live set.
pub(crate) struct PublicationState {
    /// The key in the store.
    pub(crate) id: u64,
    pub(crate) flow: Option<FlowId>,
    /// The connection of the last PUBLISH, which need not be open any more, or [`BEFORE_RESTART`].
    pub(crate) published_on: FlowId,
    /// What a REGISTER must show to bring the publication back: instance, or Contact URI.
    pub(crate) returns_as: Option<Arc<str>>,
    pub(crate) timer: TimerId,
}

/// What a binding is to the engine; contact, instance, q and expiry are in the live set too.
pub(crate) struct Binding {
    /// Instance and reg-id, or the epid, or the Contact URI.
    pub(crate) id: Box<str>,
    /// What clients of Microsoft's servers call the device, where it said so: another name of the same.
    pub(crate) epid: Option<Box<str>>,
    /// The Contact's parameters as given, but for `expires`.
    pub(crate) params: Box<str>,
    pub(crate) call_id: Box<str>,
    pub(crate) cseq: u32,
    /// That of its instance, which temporary GRUUs name.
    pub(crate) generation: Option<NonZeroU64>,
    pub(crate) flow: Option<FlowId>,
    pub(crate) transport: Transport,
    /// The other end of the flow.
    pub(crate) peer: SocketAddr,
    /// The hops between us and the client, top first (RFC 3327): the Route of requests to it.
    pub(crate) path: Box<[Box<str>]>,
    /// What the client said of itself, as far as the configuration keeps it.
    pub(crate) headers: Box<[Header]>,
    /// After a restart: when it ends unless its client comes back.
    pub(crate) waits_until: Option<Millis>,
    /// When it ends by what is stored: later than the client was told, so that not each refresh is stored.
    pub(crate) stored_until: Millis,
    pub(crate) serial: u32,
    pub(crate) timer: TimerId,
}

/// One header that a client registered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: Box<str>,
    pub(crate) value: Box<str>,
}

impl Binding {
    /// Where its device is reached; `None` while its connection is gone.
    pub(crate) fn hop(&self) -> Option<Hop> {
        self.flow.map(|flow| Hop { flow, transport: self.transport, peer: self.peer })
    }

    /// Whether a REGISTER has only moved its end, so that nothing else of what is stored is another.
    pub(crate) fn is_refreshed_by(&self, newer: &Self) -> bool {
        let way = |binding: &Self| (binding.transport, Datagrams::of(binding.hop()));
        (way(self), self.generation) == (way(newer), newer.generation)
            && (&self.id, &self.epid, &self.params) == (&newer.id, &newer.epid, &newer.params)
            && (&self.call_id, &self.path, &self.headers) == (&newer.call_id, &newer.path, &newer.headers)
    }
}

impl PublicationState {
    /// Names it in its timer: half of its id, which is random and has a few dozen neighbours at most.
    pub(crate) fn mark(&self) -> u32 {
        timer_mark(self.id)
    }
}

/// The half of a publication's id that its timer carries.
pub(crate) fn timer_mark(id: u64) -> u32 {
    id as u32
}

impl Presentity {
    /// Whether there is anything that a watcher could be shown.
    pub(crate) fn has_state(&self, switches: Switches) -> bool {
        !self.publications.is_empty()
            || (switches.presence_uses_registration_state && !self.bindings.is_empty())
            || switches.notify_closed_state_for_non_published_users
    }

    pub(crate) fn domain(&self) -> &str {
        self.aor.get(self.domain_at as usize..).unwrap_or_default()
    }

    /// Lends the live set as merge-core wants it.
    pub(crate) fn with_set<R>(&mut self, config: &Config, look: impl FnOnce(&LiveSet) -> R) -> R {
        let mut set = empty_set(&self.aor, config);
        std::mem::swap(&mut set.publications, &mut self.live.publications);
        std::mem::swap(&mut set.registrations, &mut self.live.registrations);
        let result = look(&set);
        self.live = Live { publications: set.publications, registrations: set.registrations };
        result
    }

    /// The version of the state to send; 0 for none yet.
    pub(crate) fn version(&self, of: &Subscription) -> u32 {
        match of.package {
            Package::Presence => self.view.as_ref().map_or(0, |view| view.seen(of.sees).0),
            Package::Reg => self.reg_view.as_ref().map_or(0, |view| view.version),
        }
    }

    fn is_idle(&self) -> bool {
        self.publications.is_empty()
            && self.bindings.is_empty()
            && self.subscriptions.is_empty()
            && self.change.is_none()
    }
}

/// All presentities of a shard.
pub(crate) struct Presentities {
    /// Boxed: a growing table of large entries would leave half of them empty.
    slab: Slab<Box<Presentity>>,
    by_aor: Table<Arc<str>, u32>,
    most: usize,
}

impl Presentities {
    pub(crate) fn new(keyed: Keyed, most: u32) -> Self {
        Self { slab: Slab::new(), by_aor: Table::with_hasher(keyed), most: most as usize }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn find(&self, aor: &str) -> Option<PresentityId> {
        self.by_aor.get(aor).map(|&index| PresentityId(index))
    }

    pub(crate) fn get(&self, id: PresentityId) -> Option<&Presentity> {
        self.slab.get(id.0).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: PresentityId) -> Option<&mut Presentity> {
        self.slab.get_mut(id.0).map(Box::as_mut)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PresentityId, &Presentity)> {
        self.slab.iter().map(|(index, presentity)| (PresentityId(index), &**presentity))
    }

    /// The presentity of that address, made if there is room for it.
    pub(crate) fn find_or_make(&mut self, aor: &Aor) -> Option<PresentityId> {
        if let Some(id) = self.find(aor.as_str()) {
            return Some(id);
        }
        if self.slab.len() >= self.most {
            return None;
        }
        let name: Arc<str> = aor.as_str().into();
        let index = self.slab.insert(Box::new(Presentity {
            aor: name.clone(),
            domain_at: (name.len() - domain_of(&name).len()) as u32,
            live: Live::default(),
            publications: Vec::new(),
            bindings: Vec::new(),
            subscriptions: Vec::new(),
            view: None,
            reg_view: None,
            change: None,
        }));
        self.by_aor.insert(name, index);
        Some(PresentityId(index))
    }

    /// Forgets a presentity of which nothing is left.
    pub(crate) fn drop_if_idle(&mut self, id: PresentityId) {
        if self.get(id).is_some_and(Presentity::is_idle)
            && let Some(gone) = self.slab.remove(id.0)
        {
            self.by_aor.remove(&gone.aor);
        }
    }
}

/// Adds to a list that is short for almost everybody, without the room for four that a list takes.
pub(crate) fn push_exact<T>(list: &mut Vec<T>, value: T) {
    if list.len() == list.capacity() && list.len() < 4 {
        list.reserve_exact(1);
    }
    list.push(value);
}

/// The live set of a user of whom nothing is known.
pub(crate) fn empty_set(aor: &str, config: &Config) -> LiveSet {
    let profile = config.users.profile(aor);
    LiveSet {
        presentity: Identity {
            aor: aor.to_owned(),
            domain: domain_of(aor).to_owned(),
            tenant: profile.tenant,
            groups: profile.groups,
            locale: profile.locale,
        },
        publications: Vec::new(),
        registrations: Vec::new(),
        dialogs: Vec::new(),
        switches: config.switches,
    }
}

/// The domain in an address of record.
fn domain_of(aor: &str) -> &str {
    aor.rsplit_once('@').map_or("", |(_, domain)| domain)
}
