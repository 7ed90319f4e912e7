//! One call of a policy: whether it may be made, and what is counted of it. In the shard and elsewhere alike.

use super::breaker::{Admission, Effect};
use super::counters::Failure;
use super::library::Library;
use super::memory::Poisoned;
use super::snapshot::{Entry, Generation};
use crate::clock::Clock;
use crate::metrics::{Metrics, count};
use merge_core::live::Presentity;
use merge_core::policy::limits;
use merge_core::time::Millis;
use nix::time::{ClockId, clock_gettime};
use policy_sandbox::Fault;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tributary_engine::{Hook, PolicyFailure, Ran};

/// Over how many milliseconds the presentities are spread that may ask a policy again at one moment.
const SPREAD_MS: u64 = 10_000;

/// The calls for the presentities of one shard.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) library: Arc<Library>,
    pub(super) metrics: Metrics,
    clock: Clock,
    /// What has just failed, in the shard or beside it.
    poisoned: Mutex<Poisoned>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) aor: &'a str,
    /// The presentity's; empty for the operator's own.
    pub(super) tenant: &'a str,
    /// By which it is asked.
    pub(super) generation: &'a Generation,
    /// The policy of that.
    pub(super) entry: &'a Entry,
    pub(super) input: &'a [u8],
}

impl<'a> Question<'a> {
    /// About a presentity, by what is in force for it.
    pub(super) fn new(
        presentity: &'a Presentity,
        (generation, entry): (&'a Generation, &'a Entry),
        input: &'a [u8],
    ) -> Self {
        let Presentity { aor, tenant, .. } = presentity;
        Self { aor, tenant, generation, entry, input }
    }
}

impl Calls {
    pub(super) fn new(library: Arc<Library>, metrics: Metrics, clock: Clock) -> Self {
        Self { library, metrics, clock, poisoned: Mutex::default() }
    }

    /// Why a policy is not to be asked now, if it is not.
    ///
    /// # Errors
    /// Its tenant has no processor time left, it has just failed on this very state, or its breaker is open.
    pub(super) fn admit(&self, question: &Question<'_>) -> Result<(), PolicyFailure> {
        let Question { aor, tenant, generation, entry, input, .. } = *question;
        let now = self.clock.now();
        let held = |why: &str, message: String, retry_at: Option<Millis>| {
            count(&self.metrics.policy_calls, "outcome", why.to_owned());
            entry.counters.held(why == "throttled");
            generation.counters.held(why == "throttled");
            // Not all of them at the same moment.
            let retry_at = retry_at.map(|at| Millis(at.0 + spread(aor)));
            Err(PolicyFailure { code: PolicyFailure::HELD.to_owned(), message, retry_at })
        };
        if !tenant.is_empty()
            && let Err(from) = self.library.allowances().admit(tenant, now)
        {
            let share = limits::TENANT_CPU_MS_PER_SECOND;
            let message =
                format!("the policies of {tenant} have used their {share} ms of processor time a second");
            return held("throttled", message, Some(from));
        }
        if self.poisoned().until(&entry.id(), input, now).is_some() {
            return held("poisoned", "it failed on this state less than a minute ago".to_owned(), None);
        }
        // Last, for who is let through may be the one call that tries it.
        match generation.breaker.admit(now) {
            Admission::Yes => Ok(()),
            Admission::From(until) => {
                held("held", "it failed too often, and is tried again in a while".to_owned(), Some(until))
            }
            Admission::Never => {
                held("quarantined", "it failed too often: it has to be assigned anew".to_owned(), None)
            }
        }
    }

    /// Makes a call that was admitted.
    pub(super) fn make(&self, question: &Question<'_>, hook: Hook) -> Ran {
        let Question { tenant, generation, entry, input, .. } = *question;
        let began = processor_time();
        let outcome = match hook {
            Hook::Merge => entry.policy.merge(input),
            Hook::View => entry.policy.view(input),
        };
        let time = processor_time().saturating_sub(began);
        self.pay(tenant, time);
        for line in &outcome.log {
            tracing::debug!(policy = %entry.name, line, "a policy logged");
        }
        self.metrics.policy_fuel.inc_by(outcome.fuel_used);
        generation.counters.called((outcome.fuel_used, time), &[]);
        entry.counters.called((outcome.fuel_used, time), &outcome.log);
        let result = outcome.result.map_err(|failure| {
            let at = failure.at.map(|at| format!("{at}: ")).unwrap_or_default();
            let (code, message) = (failure.code.to_owned(), format!("{at}{}", failure.message));
            let told = PolicyFailure { code, message, retry_at: None };
            match failure.fault {
                Fault::Policy => self.failed(question, &told),
                Fault::Host => count(&self.metrics.policy_calls, "outcome", "no_room"),
            }
            told
        });
        Ran { result, fuel: outcome.fuel_used }
    }

    /// A tenant pays for a call. The operator's own users are not counted.
    pub(super) fn pay(&self, tenant: &str, time: Duration) {
        if !tenant.is_empty() {
            self.library.allowances().took(tenant, self.clock.now(), time);
        }
    }

    /// A tenant gets back what it has paid for a call that is made by now, and counted.
    pub(super) fn pay_back(&self, tenant: &str, time: Duration) {
        if !tenant.is_empty() {
            self.library.allowances().returned(tenant, self.clock.now(), time);
        }
    }

    /// An answer was good, and is used.
    pub(super) fn answered(&self, (generation, entry): (&Generation, &Entry), opinion: bool) {
        count(&self.metrics.policy_calls, "outcome", if opinion { "output" } else { "no_opinion" });
        entry.counters.answered(opinion);
        generation.counters.answered(opinion);
        generation.breaker.answered(self.clock.now());
    }

    /// A call failed, and it was the policy's fault.
    pub(super) fn failed(&self, question: &Question<'_>, failure: &PolicyFailure) {
        let Question { aor, generation, entry, input, .. } = *question;
        count(&self.metrics.policy_calls, "outcome", "failed");
        count(&self.metrics.policy_failures, "code", failure.code.clone());
        let now = self.clock.now();
        let PolicyFailure { code, message, .. } = failure.clone();
        let told = Failure { at: now, aor: aor.to_owned(), code, message };
        generation.counters.failed(told.clone());
        entry.counters.failed(told);
        self.poisoned().failed(&entry.id(), input, now);
        match generation.breaker.failed(now) {
            Effect::Counted => {}
            Effect::Opened(until) => {
                self.metrics.policy_breaker_openings.inc();
                let seconds = (until.0 - now.0) / 1_000;
                tracing::warn!(policy = %entry.name, seconds, code = failure.code, "a policy fails too often, and is not asked for a while");
                self.opened(generation.clone(), &failure.code);
            }
            Effect::Quarantined => {
                self.metrics.policy_breaker_openings.inc();
                self.metrics.policy_quarantines.inc();
                tracing::error!(policy = %entry.name, code = failure.code, "a policy failed too often, and is not asked until it is assigned anew");
                self.opened(generation.clone(), &failure.code);
            }
        }
    }

    fn poisoned(&self) -> MutexGuard<'_, Poisoned> {
        self.poisoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it noted, and stored where the policy was put aside.
    fn opened(&self, generation: Generation, code: &str) {
        let (library, code) = (Arc::clone(&self.library), code.to_owned());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = library.breaker_opened(&generation, &code).await {
                    tracing::error!(%error, "that a policy fails too often could not be stored");
                }
            });
        }
    }
}

/// Milliseconds that are the presentity's own.
fn spread(aor: &str) -> i64 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(aor);
    (hash % SPREAD_MS) as i64
}

/// Processor time that this thread has used: what a busy machine gives to others is not counted.
pub(super) fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
