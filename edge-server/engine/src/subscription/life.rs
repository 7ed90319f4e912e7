//! What becomes of a subscription: refreshed, cut off, carried on, over.

use super::{CSEQ_BLOCK, Dialog, Package, Subscription, SubscriptionId, TAG, Tag};
use crate::effect::{Effect, Effects, Event, StoreOp, SubscriptionEnd};
use crate::input::{Flow, FlowDevice};
use crate::presentity::{NOBODY, PresentityId};
use crate::record::{self, Datagrams, Last, Record, SubscriptionRecord, Table};
use crate::shard::{Shard, Timer};
use crate::view::Sees;
use crate::wheel::{TICK_MS, TimerId};
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_sip::transaction::{FlowId, Hop};

/// How long a NOTIFY waits for room in the table of transactions.
const FULL_PAUSE_MS: i64 = 1_000;

impl Shard {
    /// A SUBSCRIBE in the dialog was accepted.
    pub(super) fn refreshed(
        &mut self,
        flow: &Flow,
        id: SubscriptionId,
        cseq: u32,
        seconds: u32,
        target: Option<&str>,
        fx: &mut Effects,
    ) {
        self.carry_on(id, flow.hop, fx);
        let most = self.config.limits.dialog_bytes as usize;
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        subscription.remote_cseq = cseq;
        subscription.expires = Millis(self.now.0 + i64::from(seconds) * 1000);
        subscription.sent = 0;
        if subscription.device.is_none() {
            subscription.device = flow.device.clone().filter(|device| device.aor == subscription.watcher);
        }
        let dialog = &subscription.dialog;
        if let Some(target) = target.filter(|target| *target != dialog.target())
            && let Some(moved) =
                Dialog::new(target, dialog.headers(), dialog.call_id(), dialog.remote_tag(), most)
        {
            subscription.dialog = moved;
        }
        if seconds == 0 {
            subscription.ending = Some(SubscriptionEnd::Unsubscribed);
        } else {
            self.store_subscription(id, fx);
        }
        self.classify(id, fx);
        self.arm(id);
        self.due.push(id);
    }

    /// Moves a subscription to the connection that its watcher is on now, and says whether it did.
    /// The state that it is owed there is for the caller to see to.
    fn carry_on(&mut self, id: SubscriptionId, hop: Hop, fx: &mut Effects) -> bool {
        let Hop { flow, transport, peer } = hop;
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return false;
        };
        let old = subscription.flow.replace(flow);
        if old == Some(flow) {
            return false;
        }
        // What was sent over the old connection may or may not have arrived; its answer will not.
        subscription.in_flight = None;
        subscription.sent = 0;
        (subscription.transport, subscription.peer) = (transport, peer);
        let (presentity, waiting) = (subscription.presentity, self.waiting_key(id));
        match old {
            Some(old) => self.flows.untie_subscription(old, id),
            None => {
                self.tally.waiting -= 1;
                self.forget_waiting(id, waiting);
            }
        }
        self.flows.tie_subscription(flow, id);
        if let Some(presentity) = self.presentities.get(presentity) {
            fx.event(Event::SubscriptionResumed { aor: presentity.aor.clone() });
        }
        self.arm(id);
        true
    }

    /// Moves all that a device watches to its new connection. A thousand NOTIFYs in one moment would
    /// look to the connection like a reader that is too slow, so they go out a few at a time.
    fn carry_all_on(&mut self, ids: Vec<SubscriptionId>, hop: Hop, fx: &mut Effects) {
        let at_once = self.config.limits.resumed_at_once.max(1) as usize;
        let mut carried = 0;
        for id in ids {
            if !self.carry_on(id, hop, fx) {
                continue;
            }
            match carried / at_once {
                0 => self.due.push(id),
                ticks => self.arm_early(id, Millis(self.now.0 + ticks as i64 * TICK_MS)),
            }
            carried += 1;
        }
        if carried > at_once {
            fx.event(Event::LimitReached { limit: "resumed_at_once" });
        }
    }

    /// A connection died: what was watched over it goes on over the connection that its device is
    /// known to be on since, or waits.
    pub(crate) fn subscriptions_cut_off(
        &mut self,
        ids: impl Iterator<Item = SubscriptionId>,
        fx: &mut Effects,
    ) {
        let mut found: Option<(Hop, Vec<SubscriptionId>)> = None;
        for id in ids {
            let device = self.subscriptions.get(id).and_then(|subscription| subscription.device.as_ref());
            match (device.and_then(|device| self.flows.reach(device)), &mut found) {
                (None, _) => self.subscription_cut_off(id, fx),
                (Some(reach), Some((same, ids))) if *same == reach => ids.push(id),
                (Some(reach), _) => {
                    if let Some((reach, ids)) = found.replace((reach, vec![id])) {
                        self.carry_all_on(ids, reach, fx);
                    }
                }
            }
        }
        if let Some((reach, ids)) = found {
            self.carry_all_on(ids, reach, fx);
        }
    }

    /// The connection died: the subscription waits for its watcher, silently.
    fn subscription_cut_off(&mut self, id: SubscriptionId, fx: &mut Effects) {
        let until = Millis(self.now.0 + i64::from(self.config.timing.subscription_grace_ms));
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        subscription.flow = None;
        subscription.in_flight = None;
        self.tally.waiting += 1;
        if let Some(why) = subscription.ending {
            // Its last NOTIFY has nowhere to go.
            self.end(id, why, fx);
            return;
        }
        subscription.waits_until = until;
        self.wait(id);
        self.arm(id);
    }

    fn wait(&mut self, id: SubscriptionId) {
        if let Some(key) = self.waiting_key(id) {
            self.waiting.entry(key).or_default().push(id);
        }
    }

    fn waiting_key(&self, id: SubscriptionId) -> Option<u64> {
        let device = self.subscriptions.get(id)?.device.as_ref()?;
        Some(self.keyed.of(&[device.aor.as_bytes(), device.key.as_bytes()]))
    }

    fn forget_waiting(&mut self, id: SubscriptionId, key: Option<u64>) {
        if let Some(key) = key
            && let Some(waiting) = self.waiting.get_mut(&key)
        {
            waiting.retain(|&other| other != id);
            if waiting.is_empty() {
                self.waiting.remove(&key);
            }
        }
    }

    /// A device registered over a flow: its subscriptions that waited, and those on the connection
    /// that its registration moved away from, are carried on there.
    pub(crate) fn device_on_flow(
        &mut self,
        hop: Hop,
        device: &Arc<FlowDevice>,
        replaces: Option<FlowId>,
        fx: &mut Effects,
    ) {
        // The news of this connection can overtake the end of the one before: whoever watches anything
        // here may still have to be found. And where only who is registered may watch, who is must be known.
        let asked_for = self.config.require_registration || self.subscriptions.of_watcher(&device.aor) > 0;
        if asked_for && !self.flows.remember(device, hop) {
            fx.event(Event::LimitReached { limit: "devices_per_shard" });
        }
        let key = self.keyed.of(&[device.aor.as_bytes(), device.key.as_bytes()]);
        let is_its = |id: &SubscriptionId| {
            self.subscriptions
                .get(*id)
                .is_some_and(|subscription| subscription.device.as_ref() == Some(device))
        };
        let waiting = self.waiting.get(&key).map(Vec::as_slice).unwrap_or_default();
        let moved =
            replaces.and_then(|old| self.flows.get(old)).into_iter().flat_map(|ties| ties.subscriptions());
        let ids: Vec<_> = waiting.iter().copied().chain(moved).filter(is_its).collect();
        self.carry_all_on(ids, hop, fx);
        // Those that subscribed before they registered.
        let here: Vec<_> =
            self.flows.get(hop.flow).map(|ties| ties.subscriptions().collect()).unwrap_or_default();
        for id in here {
            if let Some(subscription) = self.subscriptions.get_mut(id)
                && subscription.device.is_none()
                && subscription.watcher == device.aor
            {
                subscription.device = Some(device.clone());
                self.store_subscription(id, fx);
            }
        }
    }

    /// Sets the timer of a subscription to its next deadline. A timer that is early already is left
    /// alone: it looks again when it fires, which spares most NOTIFYs two changes of the wheel.
    pub(crate) fn arm(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        let deadline = subscription.deadline();
        if subscription.timer != TimerId::NONE {
            if subscription.timer_at <= deadline {
                return;
            }
            self.wheel.cancel(subscription.timer);
        }
        subscription.timer = self.wheel.set(deadline, Timer::Subscription(id));
        subscription.timer_at = deadline;
    }

    /// A NOTIFY could not be given to the table of transactions, which is full: again in a second,
    /// when others of it have been answered.
    pub(crate) fn notify_later(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        subscription.in_flight = None;
        subscription.sent = 0;
        self.wheel.cancel(subscription.timer);
        let at = Millis(self.now.0 + FULL_PAUSE_MS);
        subscription.timer = self.wheel.set(at, Timer::Subscription(id));
        subscription.timer_at = at;
    }

    /// Has the subscription looked at before its deadline.
    fn arm_early(&mut self, id: SubscriptionId, at: Millis) {
        if let Some(subscription) = self.subscriptions.get_mut(id).filter(|s| at < s.timer_at) {
            self.wheel.cancel(subscription.timer);
            subscription.timer = self.wheel.set(at, Timer::Subscription(id));
            subscription.timer_at = at;
        }
    }

    /// The timer of a subscription fired.
    pub(crate) fn subscription_due(&mut self, id: SubscriptionId, fx: &mut Effects) {
        let now = self.now;
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        subscription.timer = TimerId::NONE;
        if subscription.in_flight.is_some_and(|in_flight| in_flight.until <= now) {
            fx.event(Event::NotifyAnswered { status: 408 });
            let why = subscription.ending.unwrap_or(SubscriptionEnd::Unanswered);
            self.end(id, why, fx);
        } else if subscription.flow.is_none() && subscription.waits_until.min(subscription.expires) <= now {
            self.end(id, SubscriptionEnd::NotBack, fx);
        } else {
            if subscription.expires <= now && subscription.ending.is_none() {
                subscription.ending = Some(SubscriptionEnd::Expired);
                self.due.push(id);
            } else if subscription.sent == 0 {
                // Its watcher is back, and its turn has come.
                self.due.push(id);
            }
            self.arm_unless_due(id);
        }
    }

    fn arm_unless_due(&mut self, id: SubscriptionId) {
        let over = |s: &Subscription| s.ending.is_some() && s.in_flight.is_none();
        if !self.subscriptions.get(id).is_some_and(over) {
            self.arm(id);
        }
    }

    /// Takes a subscription out of everything that knows of it. Nothing is sent.
    pub(crate) fn end(&mut self, id: SubscriptionId, why: SubscriptionEnd, fx: &mut Effects) {
        let waiting = self.waiting_key(id);
        let Some(gone) = self.subscriptions.remove(id) else {
            return;
        };
        self.wheel.cancel(gone.timer);
        match gone.flow {
            Some(flow) => self.flows.untie_subscription(flow, id),
            None => {
                self.tally.waiting -= 1;
                self.forget_waiting(id, waiting);
            }
        }
        if gone.stored {
            let key = record::subscription_key(gone.tag());
            fx.push(Effect::Store(StoreOp::Delete { table: Table::Subscriptions, key }));
        }
        let Some(presentity) = self.presentities.get_mut(gone.presentity) else {
            return;
        };
        if let Some(views) = presentity.view.as_mut().and_then(|view| view.views.as_mut()) {
            views.leave(gone.sees);
        }
        let place = gone.place as usize;
        if presentity.subscriptions.get(place) == Some(&id) {
            presentity.subscriptions.swap_remove(place);
            if let Some(&moved) = presentity.subscriptions.get(place)
                && let Some(moved) = self.subscriptions.get_mut(moved)
            {
                moved.place = gone.place;
            }
        }
        if why != SubscriptionEnd::Polled {
            fx.event(Event::SubscriptionEnded { aor: presentity.aor.clone(), why });
        }
        let subscriptions = &self.subscriptions;
        if !presentity.subscriptions.iter().any(|other| subscriptions.is_to(*other, gone.package)) {
            // Nobody looks: the state is merged again when somebody does.
            match gone.package {
                Package::Reg => presentity.reg_view = None,
                Package::Presence => {
                    if let Some(view) = presentity.view.take() {
                        self.wheel.cancel(view.reevaluate);
                        if let Some(views) = view.views {
                            self.wheel.cancel(views.timer());
                        }
                    }
                }
            }
        }
        self.presentities.drop_if_idle(gone.presentity);
    }

    pub(crate) fn store_subscription(&mut self, id: SubscriptionId, fx: &mut Effects) {
        let Some(subscription) = self.subscriptions.get(id).filter(|subscription| subscription.stored) else {
            return;
        };
        let Some(presentity) = self.presentities.get(subscription.presentity) else {
            return;
        };
        fx.push(Effect::put(&Record::Subscription(SubscriptionRecord {
            local_tag: subscription.tag().to_owned(),
            presentity: presentity.aor.as_ref().into(),
            watcher: subscription.watcher.as_ref().into(),
            device: subscription.device.as_ref().map(|device| device.key.as_ref().into()),
            target: subscription.dialog.target().to_owned(),
            headers: subscription.dialog.headers().to_owned(),
            call_id: subscription.dialog.call_id().to_owned(),
            remote_tag: subscription.dialog.remote_tag().to_owned(),
            cseq_reserved: subscription.cseq_reserved,
            remote_cseq: subscription.remote_cseq,
            expires_ms: subscription.expires.0,
            transport: record::transport_index(subscription.transport),
            datagrams: Datagrams::of(subscription.hop()),
        })));
    }

    /// A subscription as it was before the restart: it waits for its watcher, unless the way of
    /// datagrams leads there still; then it is told the state, for it may have missed some.
    pub(crate) fn restore_subscription(
        &mut self,
        presentity: PresentityId,
        record: SubscriptionRecord,
    ) -> bool {
        let Ok(local_tag) = Tag::try_from(record.local_tag.as_bytes()) else {
            return false;
        };
        let headers = &record.headers;
        let Some(dialog) =
            Dialog::new(&record.target, headers, &record.call_id, &record.remote_tag, usize::MAX)
        else {
            return false;
        };
        debug_assert_eq!(local_tag.len(), TAG);
        let Some(package) = dialog.event().and_then(|event| Package::of(event.package)) else {
            return false;
        };
        let Last(datagrams) = record.datagrams;
        let watcher = self.subscriptions.intern(&record.watcher);
        let device = record.device.map(|key| Arc::new(FlowDevice { aor: watcher.clone(), key: key.into() }));
        let place = self.presentities.get(presentity).map_or(0, |p| p.subscriptions.len()) as u32;
        let id = self.subscriptions.insert(Subscription {
            presentity,
            package,
            sees: Sees::ALL,
            place,
            flow: datagrams.map(|datagrams| datagrams.flow),
            transport: record::transport(record.transport),
            peer: datagrams.map_or(NOBODY, |datagrams| datagrams.peer),
            local_tag,
            dialog,
            watcher,
            device,
            // Any number of the block may have been used. The next NOTIFY puts a new one aside.
            cseq: record.cseq_reserved,
            cseq_reserved: record.cseq_reserved,
            remote_cseq: record.remote_cseq,
            sent: 0,
            in_flight: None,
            ending: None,
            stored: true,
            expires: Millis(record.expires_ms),
            waits_until: self.restart_grace(),
            timer: TimerId::NONE,
            timer_at: Millis(0),
        });
        if let Some(presentity) = self.presentities.get_mut(presentity) {
            presentity.subscriptions.push(id);
        }
        if package == Package::Reg {
            self.reg_watched(presentity);
        }
        match datagrams {
            Some(Datagrams { flow, .. }) => {
                self.flows.tie_subscription(flow, id);
                self.due.push(id);
            }
            None => {
                self.tally.waiting += 1;
                self.wait(id);
            }
        }
        self.arm(id);
        true
    }

    /// The CSeq of the next NOTIFY; puts a block of numbers aside where the last one is used up.
    pub(crate) fn next_cseq(&mut self, id: SubscriptionId, fx: &mut Effects) -> u32 {
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return 0;
        };
        subscription.cseq += 1;
        let cseq = subscription.cseq;
        if cseq > subscription.cseq_reserved {
            subscription.cseq_reserved = cseq + CSEQ_BLOCK;
            self.store_subscription(id, fx);
        }
        cseq
    }
}
