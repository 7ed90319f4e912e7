//! After a restart: records become state again, and everything waits for its client.

use crate::effect::{Effects, Event};
use crate::record::Record;
use crate::respond::Reply;
use crate::shard::Shard;
use merge_core::policy::Reason;
use merge_core::time::Millis;
use tributary_sip::{Aor, Name, Status};

impl Shard {
    /// Takes one record back. What cannot be used is said so and left in the store.
    pub(crate) fn restore(&mut self, record: Record, fx: &mut Effects) {
        self.restoring = true;
        let Ok(aor) = Aor::parse(record.aor()) else {
            fx.event(Event::RecordRefused { why: "no address of record".to_owned() });
            return;
        };
        let Some(id) = self.presentities.find_or_make(&aor) else {
            fx.event(Event::LimitReached { limit: "presentities_per_shard" });
            return;
        };
        match record {
            Record::Registration(record) => self.restore_binding(id, record),
            Record::Publication(record) => {
                if let Err(error) = self.restore_publication(id, record) {
                    fx.event(Event::RecordRefused { why: error.to_string() });
                }
            }
            Record::Subscription(record) => {
                if !self.restore_subscription(id, record) {
                    fx.event(Event::RecordRefused { why: "not a dialog".to_owned() });
                }
            }
        }
        self.mark(id, Reason::Publish, None, false);
    }

    /// All records are back: states are merged at the end of this call.
    pub(crate) fn restored(&mut self) {
        self.restoring = false;
        self.nonces.begin(self.now);
    }

    /// Until when things wait for their clients after a restart.
    pub(crate) fn restart_grace(&self) -> Millis {
        Millis(self.now.0 + i64::from(self.config.timing.restart_grace_ms))
    }

    /// 403 for a bound that is the peer's own doing, and the count of it.
    pub(crate) fn limited(&self, fx: &mut Effects, limit: &'static str) -> Reply {
        fx.event(Event::LimitReached { limit });
        Reply::refuse(Status::FORBIDDEN, limit)
    }

    /// 503 for a bound of the shard's.
    pub(crate) fn full(&self, fx: &mut Effects, limit: &'static str) -> Reply {
        fx.event(Event::LimitReached { limit });
        Reply::refuse(Status::SERVICE_UNAVAILABLE, limit).with(Name::RetryAfter, "60")
    }
}
