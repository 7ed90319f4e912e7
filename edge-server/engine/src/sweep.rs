//! After a change of policy: the presentities that it concerns are merged anew, so many at a time that what
//! devices publish meanwhile does not wait for them. What is published is merged with the new policy at once.

use crate::effect::{Effects, Event};
use crate::input::Scope;
use crate::presentity::{Presentity, PresentityId, empty_set};
use crate::shard::{Shard, Timer};
use crate::wheel::TICK_MS;
use merge_core::policy::Reason;
use merge_core::time::Millis;

/// Presentities that wait to be merged anew. One that is gone by then is passed over.
#[derive(Default)]
pub(crate) struct Sweep {
    /// Each once.
    due: Vec<PresentityId>,
    /// Whether its timer is set.
    goes_on: bool,
}

impl Sweep {
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    fn add(&mut self, more: impl Iterator<Item = PresentityId>) {
        self.due.extend(more);
        self.due.sort_unstable();
        self.due.dedup();
    }
}

impl Shard {
    /// Another policy is in force for a scope. Those whom nobody watches are merged when somebody does.
    pub(crate) fn policy_changed(&mut self, scope: &Scope, fx: &mut Effects) {
        let config = &self.config;
        let concerns = |presentity: &Presentity| match scope {
            Scope::All => true,
            Scope::Tenant(tenant) => empty_set(&presentity.aor, config).presentity.tenant == *tenant,
            Scope::Domain(domain) => presentity.domain() == domain,
            Scope::User(aor) => *presentity.aor == **aor,
        };
        let watched = self.presentities.iter().filter(|(_, one)| !one.subscriptions.is_empty());
        self.sweep.add(watched.filter(|(_, one)| concerns(one)).map(|(id, _)| id));
        if !self.sweep.goes_on {
            self.sweep_on();
        }
        if self.sweep.goes_on {
            fx.event(Event::LimitReached { limit: "reevaluated_at_once" });
        }
    }

    /// Puts the next ones down for a merge at the end of the call.
    pub(crate) fn sweep_on(&mut self) {
        let at_once = self.config.limits.reevaluated_at_once.max(1) as usize;
        let rest = self.sweep.due.len().saturating_sub(at_once);
        for id in self.sweep.due.split_off(rest) {
            self.mark(id, Reason::Policy, None, false);
        }
        self.sweep.goes_on = rest > 0;
        if self.sweep.goes_on {
            self.wheel.set(Millis(self.now.0 + TICK_MS), Timer::Sweep);
        }
    }
}
