//! After a change of policy: the presentities that it concerns are merged anew, a few at a time, so that what
//! devices publish meanwhile does not wait for them. What is published is merged with the new policy at once.
//!
//! ```text
//!   200 in a tenth of a second   4 ─ 2 ms ─ 4 ─ 2 ms ─ 4 ─ ...   messages are served in between
//!     1 in a tenth of a second   1 ─────── 100 ms ─────── 1 ...
//! ```
//! Where a policy takes long, there are fewer: a slice is followed by a rest of twice the time that it took, so a
//! shard has two thirds of its time for messages whatever a policy costs.

use crate::effect::{Effects, Event};
use crate::input::Scope;
use crate::presentity::{Presentity, PresentityId, empty_set};
use crate::shard::Shard;
use merge_core::policy::Reason;
use merge_core::time::Millis;

/// The time in which as many are merged anew as the limit says.
const WINDOW_MS: i64 = 100;
/// Slices of a window, at most. A message waits for one of them.
const SLICES: u64 = 50;
/// The rest after a slice, in times of what it took.
const REST: i64 = 2;

/// Presentities that wait to be merged anew. One that is gone by then is passed over.
#[derive(Default)]
pub(crate) struct Sweep {
    /// Each once.
    due: Vec<PresentityId>,
    /// When the next slice is due; nothing where nobody waits.
    next: Option<Millis>,
    /// When the last one began, until a tick tells how long that and all that came of it took.
    began: Option<Millis>,
}

impl Sweep {
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// When a tick is wanted.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.began.or(self.next)
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
        if self.sweep.len() > self.config.limits.reevaluated_at_once as usize {
            fx.event(Event::LimitReached { limit: "reevaluated_at_once" });
        }
        if self.sweep.next.is_none() {
            self.sweep.next = Some(self.now);
            self.sweep_on();
        }
    }

    /// Puts the next slice, where it is due, down for a merge at the end of the call.
    pub(crate) fn sweep_on(&mut self) {
        if let (Some(began), Some(next)) = (self.sweep.began.take(), self.sweep.next) {
            let rested = self.now.0 + REST * (self.now.0 - began.0);
            self.sweep.next = Some(next.max(Millis(rested)));
        }
        let Some(due) = self.sweep.next.filter(|due| *due <= self.now) else { return };
        let in_window = u64::from(self.config.limits.reevaluated_at_once.max(1));
        let slice = in_window.div_ceil(SLICES);
        // Rounded up: so many or fewer.
        let pause = (slice * WINDOW_MS as u64).div_ceil(in_window) as i64;
        let rest = self.sweep.due.len().saturating_sub(slice as usize);
        for id in self.sweep.due.split_off(rest) {
            self.mark(id, Reason::Policy, None, false);
        }
        // A slice that comes a little late does not put off the others. What a busy shard misses is not made up for.
        let begun = due.0.max(self.now.0 - WINDOW_MS / 10);
        (self.sweep.next, self.sweep.began) = match rest {
            0 => (None, None),
            _ => (Some(Millis(begun + pause)), Some(self.now)),
        };
    }
}
