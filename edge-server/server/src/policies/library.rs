//! The policies of this server: uploaded, assigned, rolled back, forgotten.

use super::allowance::Allowances;
use super::breaker::{Breaker, State};
use super::load::{Loader, made, usual};
use super::refusal::{AssignError, RemoveError, UploadError};
use super::snapshot::{Assigned, Entry, Generation, KEPT_GENERATIONS, Snapshot, Source, hex};
use super::stored::{StoredGeneration, StoredPolicy, StoredScope, built_in, built_in_name};
use super::{on_failure_name, write_scope};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::store::{Op, Store, StoreError, StoreFailed, Table, Writer};
use crate::tenants::Tenants;
use arc_swap::ArcSwap;
use bytes::Bytes;
use policy_sandbox::{Owner, Policy, Report, Sandbox, builtin_samples};
use std::sync::Arc;
use tributary_engine::{OnFailure, Scope};

/// Why the library cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The policy engine does not run here.
    #[error(transparent)]
    Sandbox(#[from] policy_sandbox::SandboxError),
    /// Stored policies cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

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
    /// What watchers get where the policy fails; not given, that is the built-in merge, or the status alone
    /// where the policy says that it hides things.
    pub on_failure: Option<OnFailure>,
}

impl Wanted<'_> {
    /// Nothing: what is around the scope decides.
    pub const NOTHING: Self =
        Self { policy: None, built_in: None, params: "{}", locked: false, on_failure: None };
}

/// The policies of this server.
#[derive(Debug)]
pub struct Library {
    sandbox: Arc<Sandbox>,
    snapshot: ArcSwap<Snapshot>,
    /// Edits follow each other; merges do not wait for them.
    editing: tokio::sync::Mutex<()>,
    store: Option<Writer>,
    metrics: Metrics,
    clock: Clock,
    tenants: Tenants,
    allowances: Allowances,
    most: usize,
}

impl Library {
    /// Compiles what ships and what is stored. Policies that do not compile are logged and left out.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub fn open(
        sandbox: Sandbox,
        shipped: Vec<(String, Bytes)>,
        stored: Option<&dyn Store>,
        (metrics, clock): (Metrics, Clock),
        config: &Config,
    ) -> Result<Self, LibraryError> {
        let mut snapshot = Snapshot::default();
        let loader = Loader { sandbox: &sandbox, metrics: &metrics };
        for (name, file) in shipped {
            loader.add_shipped(&mut snapshot, &name, file, clock.now());
        }
        if let Some(stored) = stored {
            loader.load(stored, &mut snapshot)?;
        }
        Ok(Self {
            sandbox: Arc::new(sandbox),
            snapshot: ArcSwap::from_pointee(snapshot),
            editing: tokio::sync::Mutex::new(()),
            store: None,
            metrics,
            clock,
            tenants: Tenants::new(&config.server),
            allowances: Allowances::default(),
            most: config.policies.max_files,
        })
    }

    /// Keeps changes from now on; without a store they end with the process.
    pub fn store_in(&mut self, store: Writer) {
        self.store = Some(store);
    }

    /// What the tenants' policies may still use of the processor.
    pub(super) fn allowances(&self) -> &Allowances {
        &self.allowances
    }

    /// Stores that this generation's policy was put aside.
    pub(super) async fn keep_quarantine(&self, aside: &Generation) -> Result<(), StoreFailed> {
        let _editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let is_it = |generation: &Generation| Arc::ptr_eq(&generation.breaker, &aside.breaker);
        let mut scopes = snapshot.scopes().into_iter();
        match scopes.find(|(_, assigned)| assigned.generations.iter().any(is_it)) {
            Some((scope, assigned)) => self.put(&scope, assigned.clone()).await,
            None => Ok(()),
        }
    }

    /// Whose the users are.
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// Everything at this moment.
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Checks, compiles and tries out a file, which is not kept.
    ///
    /// # Errors
    /// The report, with everything that was found.
    pub async fn examine(&self, file: Bytes) -> Result<Policy, Box<Report>> {
        let sandbox = Arc::clone(&self.sandbox);
        let examined =
            tokio::task::spawn_blocking(move || sandbox.examine(&file, Owner::Tenant, &builtin_samples()));
        // A panic in the compiler: nothing is kept.
        let examined = examined.await.unwrap_or_else(|_| Err(Box::default()));
        if let Ok(policy) = &examined {
            made(&self.metrics, policy);
        }
        examined
    }

    /// Checks, compiles, tries out and keeps a file. The same file again changes nothing.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn upload(&self, name: Option<&str>, file: Bytes) -> Result<Arc<Entry>, UploadError> {
        let policy = match self.examine(file.clone()).await {
            Ok(policy) => policy,
            Err(report) => {
                let in_file = report.manifest.as_ref().map(|manifest| manifest.name.as_str());
                let problem = name.or(in_file).and_then(|name| self.snapshot().name_problem(name.trim()));
                return Err(UploadError::Refused(report, problem));
            }
        };
        let name = name.or(policy.name()).unwrap_or("unnamed").trim().to_owned();
        let _editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        if let Some(known) = snapshot.policy(&policy.sha256()) {
            return Ok(known);
        }
        if let Some(problem) = snapshot.name_problem(&name) {
            return Err(UploadError::Name(problem));
        }
        let uploaded = snapshot.policies().filter(|entry| entry.source == Source::Uploaded).count();
        if uploaded >= self.most {
            return Err(UploadError::Full(uploaded));
        }
        let entry = Arc::new(Entry::new(policy, &name, Source::Uploaded, file.clone(), self.clock.now()));
        let value = StoredPolicy { name, since: entry.since, file }.encode();
        let key = Bytes::copy_from_slice(&entry.id());
        self.commit(Op::Put { table: Table::Policies, key, value }).await?;
        self.edit(|snapshot| drop(snapshot.policies.insert(entry.id(), Arc::clone(&entry))));
        Ok(entry)
    }

    /// Forgets an uploaded policy that is not in force anywhere.
    ///
    /// # Errors
    /// The scope that uses it, or nothing when there is no such uploaded policy.
    pub async fn remove(&self, id: &[u8; 32]) -> Result<(), RemoveError> {
        let _editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let known = snapshot.policy(id).filter(|entry| entry.source == Source::Uploaded);
        if known.is_none() {
            return Err(RemoveError::Unknown);
        }
        if let Some(scope) = snapshot.uses(id) {
            return Err(RemoveError::InUse(write_scope(&scope)));
        }
        self.commit(Op::Delete { table: Table::Policies, key: Bytes::copy_from_slice(id) }).await?;
        self.edit(|snapshot| drop(snapshot.policies.remove(id)));
        Ok(())
    }

    /// Puts a policy (or a built-in merge, or neither) in force for a scope.
    ///
    /// # Errors
    /// See [`AssignError`].
    pub async fn assign(&self, scope: &Scope, wanted: Wanted<'_>) -> Result<Generation, AssignError> {
        let _editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let Wanted { policy, built_in: built_in_merge, params, locked, on_failure } = wanted;
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
        let number = assigned.generations.iter().map(|generation| generation.number).max().unwrap_or(0) + 1;
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
            since: self.clock.now(),
        };
        assigned.generations.push(generation.clone());
        let excess = assigned.generations.len().saturating_sub(KEPT_GENERATIONS);
        assigned.generations.drain(..excess);
        self.put(scope, assigned).await?;
        Ok(generation)
    }

    /// Puts the generation before the present one back in force.
    ///
    /// # Errors
    /// There is none, or it could not be stored.
    pub async fn roll_back(&self, scope: &Scope) -> Result<Generation, AssignError> {
        let _editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let mut assigned = snapshot.assigned(scope).cloned().unwrap_or_default();
        assigned.generations.pop();
        let generation = assigned.generations.last().cloned().ok_or(AssignError::NoEarlier)?;
        self.put(scope, assigned).await?;
        Ok(generation)
    }

    async fn put(&self, scope: &Scope, assigned: Assigned) -> Result<(), StoreFailed> {
        let generations = assigned
            .generations
            .iter()
            .map(|generation| StoredGeneration {
                number: generation.number,
                policy: generation
                    .policy
                    .as_ref()
                    .map(|policy| policy.id())
                    .or(generation.lost)
                    .map(|id| hex(&id)),
                built_in: generation.built_in.map(|merge| built_in_name(merge).to_owned()),
                params: generation.params.to_string(),
                locked: generation.locked,
                on_failure: Some(on_failure_name(generation.on_failure).to_owned()),
                quarantined: generation.breaker.state().0 == State::Quarantined,
                since_ms: generation.since.0,
            })
            .collect();
        let value = StoredScope::new(generations).encode();
        let key = Bytes::from(write_scope(scope));
        self.commit(Op::Put { table: Table::Assignments, key, value }).await?;
        self.edit(|snapshot| snapshot.assign(scope, assigned));
        Ok(())
    }

    async fn commit(&self, op: Op) -> Result<(), StoreFailed> {
        match &self.store {
            Some(store) => store.commit(vec![op]).await,
            None => Ok(()),
        }
    }

    fn edit(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        change(&mut snapshot);
        self.snapshot.store(Arc::new(snapshot));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use crate::store::RedbStore;
    use merge_core::time::Millis;

    fn open(store: &RedbStore) -> Library {
        let sandbox = Sandbox::new(policy_sandbox::Settings::default()).unwrap();
        let seen_by = (crate::metrics::Exposition::default().metrics, Clock::default());
        Library::open(sandbox, Vec::new(), Some(store), seen_by, &Config::default()).unwrap()
    }

    #[tokio::test]
    async fn a_policy_that_was_put_aside_stays_so_after_a_restart_until_it_is_assigned_anew() {
        const POLICY: &str = r#"(module (memory (export "memory") 1 1) (func (export "presence_policy_abi_1"))
            (func (export "pp_alloc") (param i32) (result i32) (i32.const 8))
            (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0)))"#;
        let folder = tempfile::tempdir().unwrap();
        let store = || RedbStore::open(folder.path(), crate::config::Durability::Process).unwrap();
        let state = |library: &Library| {
            let snapshot = library.snapshot();
            snapshot.assigned(&Scope::All).unwrap().current().unwrap().breaker.state().0
        };
        let scope = Scope::All;
        let opened = store();
        let mut library = open(&opened);
        let (writer, thread) = Writer::start(Box::new(opened), |_, _, _| {}).unwrap();
        library.store_in(writer.clone());
        let policy = library.upload(Some("p"), wat::parse_str(POLICY).unwrap().into()).await.unwrap();
        let wanted = Wanted { policy: Some(policy.id()), ..Wanted::NOTHING };
        let generation = library.assign(&scope, wanted).await.unwrap();
        for failure in 0..1_000 {
            let now = Millis(failure * super::super::breaker::LONGEST_WAIT_MS / 2);
            if generation.breaker.admit(now) == super::super::breaker::Admission::Yes {
                generation.breaker.failed(now);
            }
        }
        assert_eq!(state(&library), State::Quarantined);
        library.keep_quarantine(&generation).await.unwrap();
        drop((library, writer));
        thread.join().unwrap();

        let opened = store();
        let mut library = open(&opened);
        assert_eq!(state(&library), State::Quarantined);
        let (writer, _thread) = Writer::start(Box::new(opened), |_, _, _| {}).unwrap();
        library.store_in(writer);
        library.assign(&scope, wanted).await.unwrap();
        assert_eq!(state(&library), State::Closed);
    }
}
