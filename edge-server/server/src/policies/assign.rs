//! What is in force for a scope: assigned, tried, activated, rolled back, taken back.

use super::audit::{Action, Step};
use super::library::{Editing, Library};
use super::load::usual;
use super::refusal::AssignError;
use super::snapshot::{Assigned, Candidate, Generation, KEPT_GENERATIONS, Source, hex};
use super::stored::{StoredCandidate, StoredGeneration, StoredScope, built_in, built_in_name};
use super::{Breaker, BreakerState, on_failure_name, quota, write_scope};
use crate::metrics::count;
use crate::store::{Op, StoreFailed, Table};
use bytes::Bytes;
use std::sync::Arc;
use tributary_engine::{OnFailure, Scope};

/// What is to be in force for a scope.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The policy's id.
    pub policy: Option<[u8; 32]>,
    /// The name of a built-in merge.
    pub built_in: Option<&'a str>,
    /// The policy's parameters, a JSON object.
    pub params: &'a str,
    /// Whether nothing that is assigned within the scope is to have effect.
    pub locked: bool,
    /// On trial, for so many of a hundred presentities; 0 for none yet. Not given: in force, for all.
    pub canary: Option<u8>,
    /// Whether it runs for all whom it does not answer for, beside what they go by and without effect.
    pub shadow: bool,
    /// What watchers get where the policy fails; not given, that is the built-in merge, or the status alone
    /// where the policy says that it hides things.
    pub on_failure: Option<OnFailure>,
}

impl Wanted<'_> {
    /// Nothing: what is around the scope decides.
    pub const NOTHING: Self = Self {
        policy: None,
        built_in: None,
        params: "{}",
        locked: false,
        canary: None,
        shadow: false,
        on_failure: None,
    };
}

impl Library {
    /// Puts a policy (or a built-in merge, or neither) in force for a scope.
    ///
    /// # Errors
    /// See [`AssignError`].
    pub async fn assign(
        &self,
        who: &str,
        scope: &Scope,
        wanted: Wanted<'_>,
    ) -> Result<Assigned, AssignError> {
        let assigned = self.assign_counted(who, scope, wanted).await;
        if let Err(error) = &assigned {
            count(&self.metrics.policy_assignments_refused, "code", error.counted_as());
            let refused = Step {
                scope: Some(write_scope(scope)),
                policy: wanted.policy.map(|id| hex(&id)),
                ..Step::new(Action::AssignRefused).because(error.counted_as())
            };
            let editing = self.editing.lock().await;
            self.commit(&editing, Vec::new(), (who, refused)).await?;
        }
        assigned
    }

    async fn assign_counted(
        &self,
        who: &str,
        scope: &Scope,
        wanted: Wanted<'_>,
    ) -> Result<Assigned, AssignError> {
        let editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let Wanted { policy, built_in: built_in_merge, params, locked, canary, shadow, on_failure } = wanted;
        let canary = canary.or(shadow.then_some(0));
        let something = policy.is_some() || built_in_merge.is_some();
        if let Some(around) = snapshot.locked_around(scope, &self.tenants).filter(|_| something) {
            return Err(AssignError::Locked(write_scope(&around)));
        }
        if let Scope::Tenant(name) = scope
            && something
            && !self.tenants.has(name)
        {
            return Err(AssignError::NoTenant(name.clone()));
        }
        let policy = policy
            .map(|id| snapshot.policy(&id).ok_or_else(|| AssignError::NoPolicy(hex(&id))))
            .transpose()?;
        if let Some(policy) = policy.as_deref().filter(|policy| policy.source == Source::Uploaded) {
            let judged = self.signatures.judge(
                self.tenants.of_scope(scope),
                &policy.file,
                policy.signature.as_deref(),
            );
            match judged.finding {
                Some(finding) if judged.refused => {
                    return Err(AssignError::Signature(Box::new(finding)));
                }
                Some(finding) => {
                    let (scope, policy) = (write_scope(scope), &*policy.name);
                    tracing::warn!(scope, policy, code = finding.code, finding.message, "assigned although");
                }
                None => {}
            }
        }
        let built_in = built_in_merge
            .map(|name| built_in(name).ok_or_else(|| AssignError::NoBuiltIn(name.to_owned())))
            .transpose()?;
        if let Some(policy) = &policy {
            let (policy, params) = (policy.policy.clone(), params.to_owned());
            match tokio::task::spawn_blocking(move || policy.judge_params(&params)).await {
                Ok(findings) if findings.is_empty() => {}
                refused => return Err(AssignError::Params(refused.unwrap_or_default())),
            }
        }
        let mut assigned = snapshot.assigned(scope).cloned().unwrap_or_default();
        if something && assigned.current().is_none() && assigned.candidate.is_none() {
            let tenant = self.tenants.of_scope(scope);
            quota::assign(tenant, snapshot.assigned_to(tenant, &self.tenants)).map_err(AssignError::Quota)?;
        }
        let number = assigned.next_number();
        let privacy = policy.as_ref().is_some_and(|policy| policy.policy.privacy());
        let generation = Generation {
            number,
            policy,
            lost: None,
            built_in,
            params: params.into(),
            locked,
            on_failure: on_failure.unwrap_or_else(|| usual(privacy)),
            breaker: Arc::new(Breaker::default()),
            counters: Arc::default(),
            since: self.clock.now(),
        };
        let action = match canary {
            Some(_) => Action::Canary,
            None if generation.is_empty() => Action::Unassign,
            None => Action::Assign,
        };
        let step = Step {
            percent: canary,
            shadow: shadow.then_some(true),
            ..Step::new(action).of_generation(write_scope(scope), &generation)
        };
        match canary {
            Some(percent) => {
                let shadow = shadow.then(Arc::default);
                assigned.candidate = Some(Candidate { generation, percent, shadow });
            }
            None => assigned.push(generation),
        }
        self.put(&editing, scope, assigned.clone(), (who, step)).await?;
        Ok(assigned)
    }

    /// Puts what is on trial in force; or only for so many of a hundred presentities.
    ///
    /// # Errors
    /// Nothing is on trial there, a scope around it is locked, or it could not be stored.
    pub async fn activate(
        &self,
        who: &str,
        scope: &Scope,
        percent: Option<u8>,
    ) -> Result<Assigned, AssignError> {
        let editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let mut assigned = snapshot.assigned(scope).cloned().unwrap_or_default();
        let Some(Candidate { mut generation, shadow, .. }) = assigned.candidate.take() else {
            return Err(AssignError::NoCandidate(write_scope(scope)));
        };
        if let Some(around) = snapshot.locked_around(scope, &self.tenants) {
            return Err(AssignError::Locked(write_scope(&around)));
        }
        let action = if percent.is_some() { Action::Canary } else { Action::Activate };
        let step = Step { percent, ..Step::new(action).of_generation(write_scope(scope), &generation) };
        match percent {
            Some(percent) => assigned.candidate = Some(Candidate { generation, percent, shadow }),
            None => {
                generation.since = self.clock.now();
                assigned.push(generation);
            }
        }
        self.put(&editing, scope, assigned.clone(), (who, step)).await?;
        Ok(assigned)
    }

    /// Withdraws what is on trial; where nothing is, puts the generation before the present one back in force. Before
    /// the first one that was nothing.
    ///
    /// # Errors
    /// Nothing is assigned, what was there before is no longer kept, or it could not be stored.
    pub async fn roll_back(&self, who: &str, scope: &Scope) -> Result<Assigned, AssignError> {
        let editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let mut assigned = snapshot.assigned(scope).cloned().unwrap_or_default();
        let step = match assigned.candidate.take() {
            Some(withdrawn) => {
                Step::new(Action::Withdraw).of_generation(write_scope(scope), &withdrawn.generation)
            }
            None => {
                let gone = assigned.generations.pop().filter(|gone| gone.number > 0);
                let gone = gone.ok_or_else(|| AssignError::NothingAssigned(write_scope(scope)))?;
                let back = assigned.generations.last().ok_or_else(|| AssignError::NoEarlier {
                    scope: write_scope(scope),
                    generation: gone.number,
                })?;
                let step = Step::new(Action::Rollback).of_generation(write_scope(scope), back);
                if back.is_empty() { step.because("nothing is assigned there any more") } else { step }
            }
        };
        self.put(&editing, scope, assigned.clone(), (who, step)).await?;
        Ok(assigned)
    }

    /// Stores what is assigned to a scope and puts it in force.
    pub(super) async fn put(
        &self,
        editing: &Editing<'_>,
        scope: &Scope,
        assigned: Assigned,
        noted: (&str, Step),
    ) -> Result<(), StoreFailed> {
        let generations = assigned.generations.iter().map(stored).collect();
        let candidate = assigned.candidate.as_ref().map(|candidate| StoredCandidate {
            generation: stored(&candidate.generation),
            percent: candidate.percent,
            shadow: candidate.shadow.is_some(),
        });
        let value = StoredScope::new(generations, candidate, assigned.last_number).encode();
        let key = Bytes::from(write_scope(scope));
        self.commit(editing, vec![Op::Put { table: Table::Assignments, key, value }], noted).await?;
        self.edit(|snapshot| snapshot.assign(scope, assigned));
        Ok(())
    }
}

impl Assigned {
    /// In force from now on; a trial ends with that.
    fn push(&mut self, generation: Generation) {
        self.candidate = None;
        if self.generations.is_empty() {
            self.generations.push(Generation::nothing(generation.since));
        }
        self.generations.push(generation);
        let excess = self.generations.len().saturating_sub(KEPT_GENERATIONS);
        self.generations.drain(..excess);
    }
}

fn stored(generation: &Generation) -> StoredGeneration {
    let policy = generation.policy.as_ref().map(|policy| policy.id()).or(generation.lost);
    StoredGeneration {
        number: generation.number,
        policy: policy.map(|id| hex(&id)),
        built_in: generation.built_in.map(|merge| built_in_name(merge).to_owned()),
        params: generation.params.to_string(),
        locked: generation.locked,
        on_failure: Some(on_failure_name(generation.on_failure).to_owned()),
        quarantined: generation.breaker.state().0 == BreakerState::Quarantined,
        since_ms: generation.since.0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::metrics::Exposition;
    use policy_sandbox::{Sandbox, Settings};

    #[tokio::test]
    async fn the_last_ten_generations_are_kept_and_rolling_back_takes_them_one_by_one() {
        let sandbox = Sandbox::new(Settings::default()).unwrap();
        let seen_by = (Exposition::default().metrics, Clock::default());
        let library = Library::open(sandbox, Vec::new(), None, seen_by, &Config::default()).unwrap();
        let scope = Scope::All;
        for number in 1..=12 {
            let built_in = Some(if number % 2 == 0 { "union" } else { "newest" });
            let wanted = Wanted { built_in, ..Wanted::NOTHING };
            let assigned = library.assign("ann", &scope, wanted).await.unwrap();
            assert_eq!(assigned.current().unwrap().number, number);
            assert!(assigned.generations.len() <= 10);
        }
        for number in (3..12).rev() {
            let back = library.roll_back("ann", &scope).await.unwrap();
            assert_eq!(back.current().unwrap().number, number);
        }
        let refused = library.roll_back("ann", &scope).await;
        assert!(matches!(refused, Err(AssignError::NoEarlier { generation: 3, .. })), "{refused:?}");
        assert_eq!(library.snapshot().assigned(&scope).unwrap().current().unwrap().number, 3);
        let wanted = Wanted { built_in: Some("union"), ..Wanted::NOTHING };
        let assigned = library.assign("ann", &scope, wanted).await.unwrap();
        assert_eq!(assigned.current().unwrap().number, 13, "a number is given once");
    }
}
