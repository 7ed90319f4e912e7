//! A user who is no more: everything of it ends, and everybody concerned is told.

use crate::effect::{BindingEnd, Effects, Event, PublicationEnd, SubscriptionEnd};
use crate::presentity::PresentityId;
use crate::registrar::ContactEvent;
use crate::shard::Shard;
use crate::subscription::SubscriptionId;
use merge_core::policy::Reason;

impl Shard {
    /// The directory no longer names this user.
    pub(crate) fn user_removed(&mut self, aor: &str, fx: &mut Effects) {
        if self.subscriptions.of_watcher(aor) > 0 {
            let its = self.subscriptions.iter().filter(|(_, subscription)| *subscription.watcher == *aor);
            let ids: Vec<_> = its.map(|(id, _)| id).collect();
            self.end_all(&ids, SubscriptionEnd::Rejected);
        }
        let Some(id) = self.presentities.find(aor) else {
            return;
        };
        let watchers = self.presentities.get(id).map(|p| p.subscriptions.clone()).unwrap_or_default();
        self.end_all(&watchers, SubscriptionEnd::NoResource);
        self.end_state(id, fx);
        self.mark(id, Reason::Remove, None, false);
    }

    /// Each gets a last NOTIFY (RFC 6665 4.2.2), behind one that is in flight; a watcher without a
    /// connection learns of it from the answer to its next SUBSCRIBE.
    fn end_all(&mut self, ids: &[SubscriptionId], why: SubscriptionEnd) {
        for &id in ids {
            if let Some(subscription) = self.subscriptions.get_mut(id) {
                subscription.ending.get_or_insert(why);
                self.due.push(id);
            }
        }
    }

    /// Ends what the user published and registered.
    fn end_state(&mut self, id: PresentityId, fx: &mut Effects) {
        while let Some(presentity) = self.presentities.get(id)
            && !presentity.publications.is_empty()
        {
            let (aor, why) = (presentity.aor.clone(), PublicationEnd::UserRemoved);
            fx.event(Event::PublicationEnded { aor, why });
            self.drop_publication(id, 0, fx);
        }
        while let Some(presentity) = self.presentities.get(id)
            && !presentity.bindings.is_empty()
        {
            fx.event(Event::BindingEnded { aor: presentity.aor.clone(), why: BindingEnd::UserRemoved });
            self.unbind(id, 0, ContactEvent::Rejected, fx);
        }
    }
}
