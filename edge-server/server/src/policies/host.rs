//! The door between a shard and the sandbox.
//!
//! Before a policy is asked: has its tenant processor time left, has it not just failed on this very state, does
//! its breaker let the call through. What becomes of a call is told to all three.

use super::breaker::{Admission, Effect};
use super::capture::{Decision, Made, MadeView};
use super::counters::Failure;
use super::library::Library;
use super::memory::{Good, LastGood, Poisoned};
use super::shadow::Shadow;
use super::snapshot::{Candidate, Entry, Generation};
use crate::clock::Clock;
use crate::local_time::Wall;
use crate::metrics::{Metrics, count};
use bytes::Bytes;
use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::policy::{LocalTime, Needs, limits};
use merge_core::time::Millis;
use nix::time::{ClockId, clock_gettime};
use policy_sandbox::Fault;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;
use tributary_engine::{
    Assignment, CapturedMerge, CapturedView, GoodAnswer, Hook, OnFailure, PolicyFailure, PolicyHost,
};

/// Over how many milliseconds the presentities are spread that may ask a policy again at one moment.
const SPREAD_MS: u64 = 10_000;

/// Runs the library's policies for one shard.
#[derive(Debug)]
pub struct Host {
    library: Arc<Library>,
    wall: Arc<Wall>,
    metrics: Metrics,
    clock: Clock,
    /// What the merge under way goes by: it does so to its end, whatever is assigned or removed meanwhile.
    asked: Option<Generation>,
    /// What the last call of it took; none where it was not called.
    fuel: Option<u64>,
    /// What runs beside it, and what processor time the thread had used before.
    beside: Option<(Candidate, Arc<Shadow>, Duration)>,
    poisoned: Poisoned,
    last_good: LastGood,
}

impl Host {
    /// A host for one shard.
    pub fn new(library: Arc<Library>, wall: Arc<Wall>, metrics: Metrics, clock: Clock) -> Self {
        let (poisoned, last_good) = Default::default();
        Self { library, wall, metrics, clock, asked: None, fuel: None, beside: None, poisoned, last_good }
    }

    fn asked(&self, assignment: &Assignment) -> Option<(Generation, Arc<Entry>)> {
        let generation = self.asked.clone()?;
        let entry = generation.policy.clone().filter(|policy| policy.id() == assignment.id)?;
        Some((generation, entry))
    }

    /// Why a policy is not to be asked now, if it is not.
    fn held(
        &self,
        presentity: &Presentity,
        (generation, entry): (&Generation, &Entry),
        input: &[u8],
        now: Millis,
    ) -> Option<PolicyFailure> {
        let held = |why: &str, message: String, retry_at: Option<Millis>| {
            count(&self.metrics.policy_calls, "outcome", why.to_owned());
            entry.counters.held(why == "throttled");
            generation.counters.held(why == "throttled");
            // Not all of them at the same moment.
            let retry_at = retry_at.map(|at| Millis(at.0 + spread(&presentity.aor)));
            Some(PolicyFailure { code: PolicyFailure::HELD.to_owned(), message, retry_at })
        };
        if !presentity.tenant.is_empty()
            && let Err(from) = self.library.allowances().admit(&presentity.tenant, now)
        {
            let (tenant, share) = (&presentity.tenant, limits::TENANT_CPU_MS_PER_SECOND);
            let message =
                format!("the policies of {tenant} have used their {share} ms of processor time a second");
            return held("throttled", message, Some(from));
        }
        if self.poisoned.until(&entry.id(), input, now).is_some() {
            return held("poisoned", "it failed on this state less than a minute ago".to_owned(), None);
        }
        // Last, for who is let through may be the one call that tries it.
        match generation.breaker.admit(now) {
            Admission::Yes => None,
            Admission::From(until) => {
                held("held", "it failed too often, and is tried again in a while".to_owned(), Some(until))
            }
            Admission::Never => {
                held("quarantined", "it failed too often: it has to be assigned anew".to_owned(), None)
            }
        }
    }

    /// A call failed, and it was the policy's fault.
    fn failed(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        input: &[u8],
        failure: &PolicyFailure,
    ) {
        count(&self.metrics.policy_calls, "outcome", "failed");
        count(&self.metrics.policy_failures, "code", failure.code.clone());
        let Some((generation, entry)) = self.asked(assignment) else { return };
        let now = self.clock.now();
        let told = Failure {
            at: now,
            aor: presentity.aor.clone(),
            code: failure.code.clone(),
            message: failure.message.clone(),
        };
        generation.counters.failed(told.clone());
        entry.counters.failed(told);
        self.poisoned.failed(&entry.id(), input, now);
        match generation.breaker.failed(now) {
            Effect::Counted => {}
            Effect::Opened(until) => {
                self.metrics.policy_breaker_openings.inc();
                let seconds = (until.0 - now.0) / 1_000;
                tracing::warn!(policy = %entry.name, seconds, code = failure.code, "a policy fails too often, and is not asked for a while");
                self.opened(generation, &failure.code);
            }
            Effect::Quarantined => {
                self.metrics.policy_breaker_openings.inc();
                self.metrics.policy_quarantines.inc();
                tracing::error!(policy = %entry.name, code = failure.code, "a policy failed too often, and is not asked until it is assigned anew");
                self.opened(generation, &failure.code);
            }
        }
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
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

impl PolicyHost for Host {
    fn assignment(&mut self, presentity: &Presentity) -> Option<Assignment> {
        let snapshot = self.library.snapshot();
        self.asked = snapshot.in_force(presentity).cloned();
        self.fuel = None;
        let generation = self.asked.as_ref()?;
        let (params, on_failure) = (Arc::clone(&generation.params), generation.on_failure);
        match (&generation.policy, generation.lost) {
            (Some(policy), _) => Some(Assignment {
                name: Arc::clone(&policy.name),
                id: policy.id(),
                params,
                needs: policy.policy.needs(),
                view: policy.policy.view_key(),
                on_failure,
                privacy: policy.policy.privacy(),
            }),
            (None, Some(id)) => {
                let (name, on_failure) = ("missing".into(), OnFailure::Minimal);
                Some(Assignment {
                    name,
                    id,
                    params,
                    needs: Needs::ALL,
                    view: None,
                    on_failure,
                    privacy: true,
                })
            }
            (None, None) => None,
        }
    }

    fn run(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        hook: Hook,
        input: &[u8],
    ) -> Result<Option<Vec<u8>>, PolicyFailure> {
        let Some((generation, entry)) = self.asked(assignment) else {
            // To say "no opinion" in its place would show what it may be there to hide.
            let (code, message) = (PolicyFailure::HELD.to_owned(), "the policy is missing".to_owned());
            return Err(PolicyFailure { code, message, retry_at: None });
        };
        self.fuel = None;
        let now = self.clock.now();
        if let Some(held) = self.held(presentity, (&generation, &*entry), input, now) {
            return Err(held);
        }
        let began = processor_time();
        let outcome = match hook {
            Hook::Merge => entry.policy.merge(input),
            Hook::View => entry.policy.view(input),
        };
        let time = processor_time().saturating_sub(began);
        // The operator's own users are not counted.
        if !presentity.tenant.is_empty() {
            self.library.allowances().took(&presentity.tenant, now, time);
        }
        for line in &outcome.log {
            tracing::debug!(policy = %entry.name, line, "a policy logged");
        }
        self.fuel = Some(outcome.fuel_used);
        self.metrics.policy_fuel.inc_by(outcome.fuel_used);
        generation.counters.called(outcome.fuel_used, &[]);
        entry.counters.called(outcome.fuel_used, &outcome.log);
        outcome.result.map_err(|failure| {
            let at = failure.at.map(|at| format!("{at}: ")).unwrap_or_default();
            let (code, message) = (failure.code.to_owned(), format!("{at}{}", failure.message));
            let told = PolicyFailure { code, message, retry_at: None };
            match failure.fault {
                Fault::Policy => self.failed(presentity, assignment, input, &told),
                Fault::Host => count(&self.metrics.policy_calls, "outcome", "no_room"),
            }
            told
        })
    }

    fn accepted(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        hook: Hook,
        output: Option<&[u8]>,
    ) {
        let name = if output.is_some() { "output" } else { "no_opinion" };
        count(&self.metrics.policy_calls, "outcome", name);
        let Some((generation, entry)) = self.asked(assignment) else { return };
        let at = self.clock.now();
        entry.counters.answered(output.is_some());
        generation.counters.answered(output.is_some());
        generation.breaker.answered(at);
        // The engine keeps those of views, each beside the view.
        if assignment.on_failure == OnFailure::LastGood && hook == Hook::Merge {
            let output = output.map(Bytes::copy_from_slice);
            self.last_good.keep(&presentity.aor, Good { policy: assignment.id, output, at });
        }
    }

    fn last_good(&mut self, presentity: &Presentity, assignment: &Assignment) -> Option<GoodAnswer> {
        let good = self.last_good.get(&presentity.aor, &assignment.id)?;
        Some(GoodAnswer { output: good.output.as_ref().map(|output| output.to_vec()), at: good.at })
    }

    fn refused(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        input: &[u8],
        failure: &PolicyFailure,
    ) {
        self.failed(presentity, assignment, input, failure);
    }

    fn shadow(&mut self, presentity: &Presentity) -> Option<Assignment> {
        let snapshot = self.library.snapshot();
        let candidate = snapshot.beside(presentity)?;
        let (shadow, policy) = (candidate.shadow.as_ref()?, candidate.generation.policy.as_ref()?);
        let now = self.clock.now();
        if self.library.shadow_allowances().admit(&presentity.tenant, now).is_err() {
            shadow.skipped();
            count(&self.metrics.policy_shadow_calls, "outcome", "skipped");
            return None;
        }
        if !shadow.admits(now) {
            count(&self.metrics.policy_shadow_calls, "outcome", "skipped");
            return None;
        }
        let assignment = Assignment {
            name: Arc::clone(&policy.name),
            id: policy.id(),
            params: Arc::clone(&candidate.generation.params),
            needs: policy.policy.needs(),
            on_failure: candidate.generation.on_failure,
            privacy: policy.policy.privacy(),
            // What is compared is the document before the views of it.
            view: None,
        };
        self.beside = Some((candidate.clone(), Arc::clone(shadow), processor_time()));
        Some(assignment)
    }

    fn run_shadow(&mut self, _: &Assignment, input: &[u8]) -> Result<Option<Vec<u8>>, PolicyFailure> {
        let policy = self.beside.as_ref().and_then(|(candidate, ..)| candidate.generation.policy.as_ref());
        let Some(policy) = policy else { return Ok(None) };
        policy.policy.merge(input).result.map_err(|failure| {
            let at = failure.at.map(|at| format!("{at}: ")).unwrap_or_default();
            // Where no instance was free that is nobody's failure.
            let code = if failure.fault == Fault::Host { PolicyFailure::HELD } else { failure.code };
            PolicyFailure {
                code: code.to_owned(),
                message: format!("{at}{}", failure.message),
                retry_at: None,
            }
        })
    }

    fn shadowed(&mut self, presentity: &Presentity, outcome: Result<Vec<String>, PolicyFailure>) {
        let Some((_, shadow, began)) = self.beside.take() else { return };
        let now = self.clock.now();
        // All that it cost: the call, and the comparison.
        let time = processor_time().saturating_sub(began);
        self.library.shadow_allowances().took(&presentity.tenant, now, time);
        let outcome = match outcome {
            Ok(what) => {
                let changed = !what.is_empty();
                shadow.compared(now, &presentity.aor, what);
                if changed { "changed" } else { "same" }
            }
            Err(PolicyFailure { code, .. }) if code == PolicyFailure::HELD || code == "E200" => {
                shadow.skipped();
                "skipped"
            }
            Err(PolicyFailure { code, message, .. }) => {
                shadow.failed(Failure { at: now, aor: presentity.aor.clone(), code, message });
                "failed"
            }
        };
        count(&self.metrics.policy_shadow_calls, "outcome", outcome);
    }

    fn captures(&self, aor: &str) -> bool {
        self.library.captures().is_on(aor)
    }

    fn captured(&mut self, presentity: &Presentity, merge: &CapturedMerge<'_>) {
        let decision = Decision { generation: self.asked.as_ref(), fuel: self.fuel };
        self.library.captures().keep(&presentity.aor, Made::new(&presentity.aor, merge, decision));
    }

    fn captured_view(&mut self, presentity: &Presentity, view: &CapturedView<'_>) {
        let decision = Decision { generation: self.asked.as_ref(), fuel: self.fuel };
        self.library.captures().keep_view(&presentity.aor, MadeView::new(&presentity.aor, view, decision));
    }

    fn local_time(&self, presentity: &Presentity, now: Millis) -> Option<LocalTime> {
        self.wall.local_time(presentity, now)
    }

    fn composition(&self, presentity: &Presentity) -> Option<Composition> {
        self.library.snapshot().in_force(presentity)?.built_in
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests;
