//! What is there at the start: the policies that ship, and what is stored.

use super::signatures::Signatures;
use super::snapshot::{Assigned, Candidate, Entry, Generation, Snapshot, Source, hex, unhex};
use super::stored::{PolicyHead, StoredGeneration, StoredPolicy, StoredScope, built_in};
use super::{Breaker, on_failure, read_scope, write_scope};
use crate::metrics::{Metrics, count};
use crate::store::{Store, StoreError, Table};
use bytes::Bytes;
use merge_core::time::Millis;
use policy_sandbox::{Finding, Made, Owner, Policy, Sandbox, ScriptEngine};
use std::path::Path;
use std::sync::Arc;
use tributary_engine::{OnFailure, Scope};

/// Compiles what is there at the start.
pub(super) struct Loader<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) metrics: &'a Metrics,
    pub(super) signatures: &'a Signatures,
}

/// What stands in for a policy where the assignment does not say.
pub(super) fn usual(privacy: bool) -> OnFailure {
    if privacy { OnFailure::Minimal } else { OnFailure::Builtin }
}

/// Counts where a policy's machine code came from.
pub(super) fn made(metrics: &Metrics, policy: &Policy) {
    let from = if *policy.made() == Made::FromCache { "cache" } else { "compiler" };
    count(&metrics.policy_compiles, "from", from);
    if let Made::NotKept(error) = policy.made() {
        tracing::warn!(error, "compiled code could not be kept; the next start compiles it again");
    }
}

impl Loader<'_> {
    /// What is kept was accepted when it came, under the limits of whoever brought it.
    fn compile(&self, file: &[u8]) -> Result<Policy, String> {
        let first = |findings: Vec<Finding>| findings.first().map(ToString::to_string).unwrap_or_default();
        let policy = self.sandbox.compile_as(file, Owner::Operator).map_err(first)?;
        made(self.metrics, &policy);
        Ok(policy)
    }

    pub(super) fn add_shipped(&self, snapshot: &mut Snapshot, name: &str, file: Bytes, now: Millis) {
        match self.compile(&file) {
            Ok(policy) => {
                let entry = Entry::new(policy, name, Source::Shipped, file, now);
                snapshot.policies.insert(entry.id(), Arc::new(entry));
            }
            Err(first) => tracing::warn!(name, first, "a shipped policy was refused"),
        }
    }

    pub(super) fn load(&self, stored: &dyn Store, snapshot: &mut Snapshot) -> Result<(), StoreError> {
        for (key, value) in crate::store::rows(stored, Table::Policies)? {
            let Some(policy) = StoredPolicy::decode(&value) else {
                tracing::error!(id = hex(&key), "a stored policy could not be read; it stays in the store");
                continue;
            };
            match self.compile(&policy.file) {
                Ok(compiled) => {
                    let PolicyHead { name, since_ms, tenant, signature } = policy.head;
                    // By the keys of today: one that is trusted no more has signed nothing.
                    let judged = self.signatures.judge(&tenant, &policy.file, signature.as_deref());
                    let unsigned =
                        Entry::new(compiled, &name, Source::Uploaded, policy.file, Millis(since_ms));
                    let entry = Entry {
                        tenant: tenant.into(),
                        signature: signature.map(Arc::from),
                        signed_by: judged.by.map(Arc::from),
                        ..unsigned
                    };
                    snapshot.policies.insert(entry.id(), Arc::new(entry));
                }
                Err(first) => {
                    tracing::error!(
                        policy = policy.head.name,
                        first,
                        "a stored policy is refused by this release"
                    );
                }
            }
        }
        for (key, value) in crate::store::rows(stored, Table::Assignments)? {
            let scope = std::str::from_utf8(&key).ok().and_then(read_scope);
            let (Some(scope), Some(record)) = (scope, StoredScope::decode(&value)) else {
                tracing::error!("a stored assignment could not be read; it stays in the store");
                continue;
            };
            let read = |generation| loaded(generation, &scope, snapshot);
            let generations: Vec<Generation> = record.generations.into_iter().map(read).collect();
            let candidate = record.candidate.map(|candidate| Candidate {
                generation: loaded(candidate.generation, &scope, snapshot),
                percent: candidate.percent.min(100),
                shadow: candidate.shadow.then(Arc::default),
            });
            let mut assigned = Assigned { generations, candidate, last_number: 0 };
            let newest = assigned.all().map(|generation| generation.number).max();
            assigned.last_number = record.last_number.max(newest.unwrap_or(0));
            snapshot.assign(&scope, assigned);
        }
        Ok(())
    }
}

fn loaded(stored: StoredGeneration, scope: &Scope, snapshot: &Snapshot) -> Generation {
    let id = stored.policy.as_deref().and_then(unhex);
    let policy = id.and_then(|id| snapshot.policy(&id));
    let lost = id.filter(|_| policy.is_none());
    if let Some(lost) = lost {
        let (id, scope) = (hex(&lost), write_scope(scope));
        tracing::error!(id, scope, "an assigned policy is missing: watchers get the status alone");
    }
    let privacy = policy.as_ref().is_none_or(|policy| policy.policy.privacy());
    let on_failure = stored.on_failure.as_deref().and_then(on_failure);
    let breaker = if stored.quarantined { Breaker::quarantined() } else { Breaker::default() };
    Generation {
        number: stored.number,
        policy,
        lost,
        built_in: stored.built_in.as_deref().and_then(built_in),
        params: stored.params.into(),
        locked: stored.locked,
        on_failure: on_failure.unwrap_or_else(|| usual(privacy)),
        breaker: Arc::new(breaker),
        counters: Arc::default(),
        since: Millis(stored.since_ms),
    }
}

/// The file with the engine for policies that are scripts, beside the policies that ship.
pub const SCRIPT_ENGINE: &str = "javascript.engine";

/// The engine for policies that are scripts, in a folder of policies that ship.
pub fn script_engine(folder: &Path) -> Option<ScriptEngine> {
    std::fs::read(folder.join(SCRIPT_ENGINE)).ok().map(|file| ScriptEngine::new(&file))
}

/// The `*.wasm` files of a folder, under their file names.
pub fn shipped(folder: &Path) -> std::io::Result<Vec<(String, Bytes)>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".wasm")) {
            found.push((name.to_owned(), std::fs::read(&path)?.into()));
        }
    }
    found.sort();
    Ok(found)
}
