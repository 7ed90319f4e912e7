//! Subscriptions (RFC 6665) to `presence` (RFC 3856) and `reg` (RFC 3680), and the layout that keeps an idle one small.
//!
//! The headers that every NOTIFY of a dialog repeats are written once, when the dialog begins; they
//! are what the subscription stores, and Call-ID and tags are found inside of them.

mod life;
mod request;

use crate::effect::SubscriptionEnd;
use crate::hashing::{Keyed, Table};
use crate::input::FlowDevice;
use crate::presentity::PresentityId;
use crate::respond;
use crate::slab::Slab;
use crate::view::Sees;
use crate::wheel::TimerId;
use merge_core::time::Millis;
use std::net::SocketAddr;
use std::sync::Arc;
use tributary_sip::event::Event;
use tributary_sip::transaction::{FlowId, Hop, Transport};

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    Presence,
    Reg,
}

impl Package {
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Presence, Self::Reg].into_iter().find(|package| package.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Reg => "reg",
        }
    }

    /// The format of its documents.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Presence => respond::PIDF,
            Self::Reg => respond::REGINFO,
        }
    }
}

/// The place of a subscription in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionId(pub(crate) u32);

/// Characters of our tag: 80 random bits.
pub(crate) const TAG: usize = 16;

/// Our tag of a dialog.
pub(crate) type Tag = [u8; TAG];

/// How many CSeq numbers are put aside with one write to the store. After a crash NOTIFY goes on
/// behind the last block, so numbers rise without a write for each.
pub(crate) const CSEQ_BLOCK: u32 = 256;

/// One watcher of one presentity.
pub(crate) struct Subscription {
    pub(crate) presentity: PresentityId,
    pub(crate) package: Package,
    /// What of the state it is shown.
    pub(crate) sees: Sees,
    /// Where it stands in the presentity's list.
    pub(crate) place: u32,
    pub(crate) flow: Option<FlowId>,
    pub(crate) transport: Transport,
    /// The other end of the flow.
    pub(crate) peer: SocketAddr,
    pub(crate) local_tag: Tag,
    pub(crate) dialog: Dialog,
    pub(crate) watcher: Arc<str>,
    pub(crate) device: Option<Arc<FlowDevice>>,
    /// CSeq of the last NOTIFY.
    pub(crate) cseq: u32,
    /// Numbers up to this one are put aside in the store.
    pub(crate) cseq_reserved: u32,
    /// CSeq of the last SUBSCRIBE.
    pub(crate) remote_cseq: u32,
    /// The version of the state that was sent last; 0 asks for it whatever it is.
    pub(crate) sent: u32,
    pub(crate) in_flight: Option<InFlight>,
    /// Why it is over, while the last NOTIFY is still to be sent.
    pub(crate) ending: Option<SubscriptionEnd>,
    /// A poll is in no store.
    pub(crate) stored: bool,
    pub(crate) expires: Millis,
    /// When it ends unless its watcher comes back; only without a flow.
    pub(crate) waits_until: Millis,
    pub(crate) timer: TimerId,
    pub(crate) timer_at: Millis,
}

/// A NOTIFY without an answer yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight {
    /// From its branch.
    pub(crate) nonce: u32,
    /// When it is given up; [`BY_TRANSACTION`](Self::BY_TRANSACTION) where its transaction does that.
    pub(crate) until: Millis,
}

impl InFlight {
    pub(crate) const BY_TRANSACTION: Millis = Millis(i64::MAX);
}

/// The words of a dialog, in one piece: the remote target, and the headers of each NOTIFY in it.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    text: Box<str>,
    target: u16,
    call_id: (u16, u16),
    remote_tag: (u16, u16),
}

impl Dialog {
    /// Puts a dialog's words together; `None` if they are longer than `most` bytes. `call_id` and
    /// `remote_tag` must stand in `headers`.
    pub(crate) fn new(
        target: &str,
        headers: &str,
        call_id: &str,
        remote_tag: &str,
        most: usize,
    ) -> Option<Self> {
        let length = target.len() + headers.len();
        if length > most.min(usize::from(u16::MAX)) {
            return None;
        }
        let within = |part: &str| {
            let at = target.len() + headers.find(part)?;
            Some((u16::try_from(at).ok()?, u16::try_from(part.len()).ok()?))
        };
        let (call_id, remote_tag) = (within(call_id)?, within(remote_tag)?);
        let mut text = String::with_capacity(length);
        text.push_str(target);
        text.push_str(headers);
        Some(Self { text: text.into(), target: target.len() as u16, call_id, remote_tag })
    }

    /// The watcher's Contact URI.
    pub(crate) fn target(&self) -> &str {
        self.part((0, self.target))
    }

    /// The headers, each with its line end.
    pub(crate) fn headers(&self) -> &str {
        self.text.get(usize::from(self.target)..).unwrap_or_default()
    }

    /// What Event says in them.
    pub(crate) fn event(&self) -> Option<Event<'_>> {
        Event::parse(self.headers().lines().find_map(|line| line.strip_prefix("Event: "))?)
    }

    pub(crate) fn call_id(&self) -> &str {
        self.part(self.call_id)
    }

    pub(crate) fn remote_tag(&self) -> &str {
        self.part(self.remote_tag)
    }

    fn part(&self, (at, length): (u16, u16)) -> &str {
        let at = usize::from(at);
        self.text.get(at..at + usize::from(length)).unwrap_or_default()
    }
}

impl Subscription {
    /// Where its NOTIFYs go; `None` while its watcher's connection is gone.
    pub(crate) fn hop(&self) -> Option<Hop> {
        self.flow.map(|flow| Hop { flow, transport: self.transport, peer: self.peer })
    }

    /// The next moment at which something has to be done about it.
    pub(crate) fn deadline(&self) -> Millis {
        let mut deadline = self.expires;
        if let Some(in_flight) = self.in_flight {
            deadline = if self.ending.is_some() { in_flight.until } else { deadline.min(in_flight.until) };
        }
        if self.flow.is_none() {
            deadline = deadline.min(self.waits_until);
        }
        deadline
    }

    pub(crate) fn tag(&self) -> &str {
        std::str::from_utf8(&self.local_tag).unwrap_or_default()
    }
}

/// All subscriptions of a shard.
pub(crate) struct Subscriptions {
    slab: Slab<Box<Subscription>>,
    by_tag: Table<Tag, u32>,
    /// How many each watcher has.
    watchers: Table<Arc<str>, u32>,
}

impl Subscriptions {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Self { slab: Slab::new(), by_tag: Table::with_hasher(keyed), watchers: Table::with_hasher(keyed) }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.slab.get(id.0).map(Box::as_ref)
    }

    pub(crate) fn is_to(&self, id: SubscriptionId, package: Package) -> bool {
        self.get(id).is_some_and(|subscription| subscription.package == package)
    }

    pub(crate) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.slab.get_mut(id.0).map(Box::as_mut)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        self.slab.iter().map(|(index, subscription)| (SubscriptionId(index), &**subscription))
    }

    pub(crate) fn by_tag(&self, tag: &str) -> Option<SubscriptionId> {
        let tag: &Tag = tag.as_bytes().try_into().ok()?;
        self.by_tag.get(tag).map(|&index| SubscriptionId(index))
    }

    /// The one copy of a watcher's address.
    pub(crate) fn intern(&self, watcher: &str) -> Arc<str> {
        self.watchers.get_key_value(watcher).map_or_else(|| watcher.into(), |(interned, _)| interned.clone())
    }

    pub(crate) fn of_watcher(&self, watcher: &str) -> u32 {
        self.watchers.get(watcher).copied().unwrap_or_default()
    }

    pub(crate) fn insert(&mut self, subscription: Subscription) -> SubscriptionId {
        let tag = subscription.local_tag;
        *self.watchers.entry(subscription.watcher.clone()).or_default() += 1;
        let index = self.slab.insert(Box::new(subscription));
        self.by_tag.insert(tag, index);
        SubscriptionId(index)
    }

    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Box<Subscription>> {
        let gone = self.slab.remove(id.0)?;
        self.by_tag.remove(&gone.local_tag);
        if let Some(count) = self.watchers.get_mut(&gone.watcher) {
            *count -= 1;
            if *count == 0 {
                self.watchers.remove(&gone.watcher);
            }
        }
        Some(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_gives_its_words_back_and_refuses_too_many() {
        let headers = "From: <sip:a@b>;tag=x\r\nTo: <sip:c@d>;tag=theirs\r\nCall-ID: one@two\r\n";
        let dialog = Dialog::new("sip:c@x.invalid", headers, "one@two", "theirs", 4096).unwrap();
        assert_eq!(dialog.target(), "sip:c@x.invalid");
        assert_eq!((dialog.headers(), dialog.call_id(), dialog.remote_tag()), (headers, "one@two", "theirs"));
        assert!(Dialog::new("sip:c@x.invalid", headers, "one@two", "theirs", 60).is_none());
    }

    #[test]
    fn an_idle_subscription_stays_small() {
        assert!(size_of::<Subscription>() <= 208, "{} bytes", size_of::<Subscription>());
    }
}
