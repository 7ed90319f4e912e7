//! The door between a shard and the sandbox.
//!
//! Before a policy is asked: has its tenant processor time left, has it not just failed on this very state, does
//! its breaker let the call through. What becomes of a call is told to all three ([`Calls`]). One that takes long is
//! asked elsewhere ([`Aside`]).

use super::aside::{Aside, Call};
use super::call::{Calls, Question, processor_time};
use super::capture::{Decision, Made, MadeView};
use super::counters::Failure;
use super::library::Library;
use super::memory::{Good, LastGood};
use super::shadow::Shadow;
use super::snapshot::{Candidate, Entry, Generation};
use crate::clock::Clock;
use crate::local_time::Wall;
use crate::metrics::{Metrics, count};
use bytes::Bytes;
use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::policy::{LocalTime, Needs};
use merge_core::time::Millis;
use policy_sandbox::Fault;
use std::sync::Arc;
use std::time::Duration;
use tributary_engine::{
    Assignment, CapturedMerge, CapturedView, GoodAnswer, Hook, OnFailure, Opinion, PolicyFailure, PolicyHost,
    Ran,
};

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
    calls: Arc<Calls>,
    /// Where policies run that take long; none where all run in the shard.
    aside: Option<Aside>,
    last_good: LastGood,
}

impl Host {
    /// A host for one shard.
    pub fn new(library: Arc<Library>, wall: Arc<Wall>, metrics: Metrics, clock: Clock) -> Self {
        let calls = Arc::new(Calls::new(Arc::clone(&library), metrics.clone(), clock));
        let (asked, fuel, beside, aside) = (None, None, None, None);
        let last_good = LastGood::default();
        Self { library, wall, metrics, clock, asked, fuel, beside, calls, aside, last_good }
    }

    /// One that has policies which take long run aside.
    #[must_use]
    pub fn with_aside(self, aside: Aside) -> Self {
        Self { aside: Some(aside), ..self }
    }

    fn asked(&self, assignment: &Assignment) -> Option<(Generation, Arc<Entry>)> {
        let generation = self.asked.clone()?;
        let entry = generation.policy.clone().filter(|policy| policy.id() == assignment.id)?;
        Some((generation, entry))
    }
}

/// Nothing can be asked: to say "no opinion" in its place would show what it may be there to hide.
fn missing() -> PolicyFailure {
    let (code, message) = (PolicyFailure::HELD.to_owned(), "the policy is missing".to_owned());
    PolicyFailure { code, message, retry_at: None }
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

    fn run(&mut self, presentity: &Presentity, assignment: &Assignment, hook: Hook, input: &[u8]) -> Opinion {
        self.fuel = None;
        let (generation, entry) = &self.asked(assignment).ok_or_else(missing)?;
        let question = Question::new(presentity, (generation, entry), input);
        self.calls.admit(&question)?;
        let ran = self.calls.make(&question, hook);
        self.came(&ran);
        ran.result
    }

    fn begin(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        hook: Hook,
        input: &[u8],
        number: u64,
    ) -> Option<Opinion> {
        let asked = self.asked(assignment).zip(self.aside.as_ref());
        let long = asked.and_then(|(asked, aside)| Some((asked.1.counters.takes_long()?, asked, aside)));
        let Some((typical, (generation, entry), aside)) = long else {
            return Some(self.run(presentity, assignment, hook, input));
        };
        self.fuel = None;
        if let Err(held) = self.calls.admit(&Question::new(presentity, (&generation, &entry), input)) {
            return Some(Err(held));
        }
        self.calls.pay(&presentity.tenant, typical);
        let (aor, tenant) = (presentity.aor.as_str().into(), presentity.tenant.clone());
        let calls = Arc::clone(&self.calls);
        let (input, paid) = (input.to_vec(), typical);
        let call = Call { calls, aor, tenant, generation, entry, hook, input, number, paid };
        let ran = aside.offer(Box::new(call)).err()?.make();
        self.came(&ran);
        Some(ran.result)
    }

    fn came(&mut self, ran: &Ran) {
        self.fuel = Some(ran.fuel);
    }

    fn accepted(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        hook: Hook,
        output: Option<&[u8]>,
    ) {
        let Some((generation, entry)) = self.asked(assignment) else { return };
        self.calls.answered((&generation, &entry), output.is_some());
        // The engine keeps those of views, each beside the view.
        if assignment.on_failure == OnFailure::LastGood && hook == Hook::Merge {
            let output = output.map(Bytes::copy_from_slice);
            let good = Good { policy: assignment.id, output, at: self.clock.now() };
            self.last_good.keep(&presentity.aor, good);
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
        let Some((generation, entry)) = &self.asked(assignment) else { return };
        self.calls.failed(&Question::new(presentity, (generation, entry), input), failure);
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

    fn run_shadow(&mut self, _: &Assignment, input: &[u8]) -> Opinion {
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
