//! The door between a shard and the sandbox.

use super::counters::Failure;
use super::library::Library;
use super::snapshot::Entry;
use crate::clock::Clock;
use crate::local_time::Wall;
use crate::metrics::{Metrics, count};
use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::policy::{LocalTime, Needs};
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_engine::{Assignment, PolicyFailure, PolicyHost};

/// Runs the library's policies for one shard.
#[derive(Debug)]
pub struct Host {
    library: Arc<Library>,
    wall: Arc<Wall>,
    metrics: Metrics,
    clock: Clock,
    /// The policy of the merge under way: it runs to its end, whatever is assigned or removed meanwhile.
    asked: Option<Arc<Entry>>,
}

impl Host {
    /// A host for one shard.
    pub fn new(library: Arc<Library>, wall: Arc<Wall>, metrics: Metrics, clock: Clock) -> Self {
        Self { library, wall, metrics, clock, asked: None }
    }

    fn failure(&self, presentity: &Presentity, failure: &PolicyFailure) -> Failure {
        Failure {
            at: self.clock.now(),
            aor: presentity.aor.clone(),
            code: failure.code.clone(),
            message: failure.message.clone(),
        }
    }
}

impl PolicyHost for Host {
    fn assignment(&mut self, presentity: &Presentity) -> Option<Assignment> {
        let snapshot = self.library.snapshot();
        let generation = snapshot.in_force(presentity)?;
        self.asked.clone_from(&generation.policy);
        if let Some(id) = generation.lost {
            let (name, params) = ("missing".into(), Arc::clone(&generation.params));
            return Some(Assignment { name, id, params, needs: Needs::ALL, privacy: true });
        }
        let policy = generation.policy.as_ref()?;
        Some(Assignment {
            name: Arc::clone(&policy.name),
            id: policy.id(),
            params: Arc::clone(&generation.params),
            needs: policy.policy.needs(),
            privacy: policy.policy.privacy(),
        })
    }

    fn run(
        &mut self,
        presentity: &Presentity,
        assignment: &Assignment,
        input: &[u8],
    ) -> Result<Option<Vec<u8>>, PolicyFailure> {
        let Some(entry) = self.asked.clone().filter(|asked| asked.id() == assignment.id) else {
            // To say "no opinion" in its place would show what it may be there to hide.
            let message = "the policy is missing".to_owned();
            return Err(PolicyFailure { code: "E200".to_owned(), message });
        };
        let outcome = entry.policy.merge(input);
        for line in &outcome.log {
            tracing::debug!(policy = %entry.name, line, "a policy logged");
        }
        self.metrics.policy_fuel.inc_by(outcome.fuel_used);
        entry.counters.called(outcome.fuel_used, outcome.log);
        match outcome.result {
            Ok(output) => {
                let name = if output.is_some() { "output" } else { "no_opinion" };
                count(&self.metrics.policy_calls, "outcome", name);
                entry.counters.answered(output.is_some());
                Ok(output)
            }
            Err(failure) => {
                let at = failure.at.map(|at| format!("{at}: ")).unwrap_or_default();
                let failure = PolicyFailure {
                    code: failure.code.to_owned(),
                    message: format!("{at}{}", failure.message),
                };
                count(&self.metrics.policy_calls, "outcome", "failed");
                count(&self.metrics.policy_failures, "code", failure.code.clone());
                entry.counters.failed(self.failure(presentity, &failure));
                Err(failure)
            }
        }
    }

    fn refused(&mut self, presentity: &Presentity, assignment: &Assignment, failure: &PolicyFailure) {
        count(&self.metrics.policy_failures, "code", failure.code.clone());
        if let Some(entry) = self.asked.as_ref().filter(|asked| asked.id() == assignment.id) {
            entry.counters.refused(self.failure(presentity, failure));
        }
    }

    fn local_time(&self, presentity: &Presentity, now: Millis) -> Option<LocalTime> {
        self.wall.local_time(presentity, now)
    }

    fn composition(&self, presentity: &Presentity) -> Option<Composition> {
        self.library.snapshot().in_force(presentity)?.built_in
    }
}
