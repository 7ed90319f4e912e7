//! The policies of this server: uploaded, assigned, rolled back, forgotten.

use super::allowance::Allowances;
use super::audit::{Action, Audit, SERVER, Step};
use super::load::Loader;
use super::quota::Uploads;
use super::signatures::Signatures;
use super::snapshot::{Assigned, Generation, Snapshot};
use super::{BreakerState, Capture, CaptureError, Captures, write_scope};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::{Metrics, count};
use crate::shards::Shards;
use crate::store::{Op, Store, StoreError, StoreFailed, Writer};
use crate::tenants::Tenants;
use arc_swap::ArcSwap;
use bytes::Bytes;
use merge_core::policy::limits;
use merge_core::time::Millis;
use policy_sandbox::Sandbox;
use std::sync::Arc;

/// Why the library cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The policy engine does not run here.
    #[error(transparent)]
    Sandbox(#[from] policy_sandbox::SandboxError),
    /// Stored policies cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key that signatures are verified with cannot be read.
    #[error("{0}")]
    Key(String),
}

/// Held by whoever changes something, from the look at what is there to the end of the commit.
pub(super) type Editing<'a> = tokio::sync::MutexGuard<'a, ()>;

/// The policies of this server.
#[derive(Debug)]
pub struct Library {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) snapshot: ArcSwap<Snapshot>,
    /// Edits follow each other; merges do not wait for them.
    pub(super) editing: tokio::sync::Mutex<()>,
    store: Option<Writer>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) tenants: Tenants,
    pub(super) signatures: Signatures,
    audit: Audit,
    /// Told where the library itself changes what is in force.
    shards: Option<Shards>,
    allowances: Allowances,
    /// What policies without effect may use.
    shadow_allowances: Allowances,
    pub(super) uploads: Uploads,
    captures: Arc<Captures>,
    /// Files that may be kept.
    pub(super) most: usize,
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
        let signatures = Signatures::new(config).map_err(LibraryError::Key)?;
        let loader = Loader { sandbox: &sandbox, metrics: &metrics, signatures: &signatures };
        for (name, file) in shipped {
            loader.add_shipped(&mut snapshot, &name, file, clock.now());
        }
        if let Some(stored) = stored {
            loader.load(stored, &mut snapshot)?;
        }
        let audit = Audit::open(stored, config.policies.audit_lines, &metrics)?;
        let captures = Arc::new(Captures::new(config.policies.capture, clock, metrics.clone()));
        Ok(Self {
            sandbox: Arc::new(sandbox),
            snapshot: ArcSwap::from_pointee(snapshot),
            editing: tokio::sync::Mutex::new(()),
            store: None,
            metrics,
            clock,
            tenants: Tenants::new(&config.server),
            signatures,
            audit,
            shards: None,
            allowances: Allowances::new(limits::TENANT_CPU_MS_PER_SECOND),
            shadow_allowances: Allowances::new(limits::SHADOW_CPU_MS_PER_SECOND),
            uploads: Uploads::default(),
            captures,
            most: config.policies.max_files,
        })
    }

    /// Keeps changes from now on; without a store they end with the process.
    pub fn store_in(&mut self, store: Writer) {
        self.store = Some(store);
    }

    /// Tells these shards from now on where it changes what is in force by itself.
    pub fn tell(&mut self, shards: Shards) {
        self.shards = Some(shards);
    }

    /// What the tenants' policies may still use of the processor.
    pub(super) fn allowances(&self) -> &Allowances {
        &self.allowances
    }

    /// What policies that run without effect may still use of it, by tenant, and of the operator's under its
    /// empty name.
    pub(super) fn shadow_allowances(&self) -> &Allowances {
        &self.shadow_allowances
    }

    /// Who is captured, and what is kept of them.
    pub fn captures(&self) -> &Arc<Captures> {
        &self.captures
    }

    /// Captures a presentity for so many seconds from now on. Says until when, and whether it was not before.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub async fn capture(&self, who: &str, aor: &str, seconds: u32) -> Result<(Capture, bool), CaptureError> {
        let editing = self.editing.lock().await;
        self.captures.admit(aor, seconds).map_err(|error| self.capture_refused(error))?;
        let until = Millis(self.clock.now().0 + i64::from(seconds) * 1_000);
        let step = Step { until_ms: Some(until.0), ..Step::of_user(Action::Capture, aor) };
        let noted = self.commit(&editing, Vec::new(), (who, step)).await;
        noted.map_err(|_| self.capture_refused(CaptureError::Store))?;
        Ok(self.captures.begin(who, aor, until))
    }

    /// Captures a presentity no more, and forgets what was kept of it.
    ///
    /// # Errors
    /// See [`CaptureError`].
    pub async fn end_capture(&self, who: &str, aor: &str) -> Result<(), CaptureError> {
        let editing = self.editing.lock().await;
        if !self.captures.has(aor) {
            return Err(self.capture_refused(CaptureError::Unknown));
        }
        let noted = self.commit(&editing, Vec::new(), (who, Step::of_user(Action::EndCapture, aor))).await;
        noted.map_err(|_| self.capture_refused(CaptureError::Store))?;
        self.captures.end(aor);
        Ok(())
    }

    fn capture_refused(&self, error: CaptureError) -> CaptureError {
        count(&self.metrics.policy_captures_refused, "code", error.code());
        error
    }

    /// What became of the policies, and who did it.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Notes that the breaker of this generation opened; that its policy was put aside is stored as well, so
    /// that a restart does not give it another ten chances.
    pub(super) async fn breaker_opened(&self, of: &Generation, why: &str) -> Result<(), StoreFailed> {
        let editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let is_it = |generation: &Generation| Arc::ptr_eq(&generation.breaker, &of.breaker);
        let mut scopes = snapshot.scopes().into_iter();
        let found = scopes.find(|(_, assigned)| assigned.all().any(is_it));
        let Some((scope, assigned)) = found else { return Ok(()) };
        if assigned.candidate.as_ref().is_some_and(|candidate| is_it(&candidate.generation)) {
            // It was on trial, and this is how that ended.
            let step = Step::new(Action::Withdraw).of_generation(write_scope(&scope), of);
            let assigned = Assigned { candidate: None, ..assigned.clone() };
            let (scope_name, code) = (write_scope(&scope), why);
            tracing::warn!(scope = scope_name, code, "a policy on trial failed too often, and was withdrawn");
            self.metrics.policy_trials_withdrawn.inc();
            self.put(&editing, &scope, assigned, (SERVER, step.because(why))).await?;
            drop(editing);
            if let Some(shards) = &self.shards {
                shards.policy_changed(&scope).await;
            }
            return Ok(());
        }
        let aside = of.breaker.state().0 == BreakerState::Quarantined;
        let action = if aside { Action::Quarantine } else { Action::Open };
        let step = Step::new(action).of_generation(write_scope(&scope), of).because(why);
        if aside {
            return self.put(&editing, &scope, assigned.clone(), (SERVER, step)).await;
        }
        self.commit(&editing, Vec::new(), (SERVER, step)).await
    }

    /// Whose the users are.
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// Everything at this moment.
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Commits a change together with the line that says who made it.
    pub(super) async fn commit(
        &self,
        _editing: &Editing<'_>,
        mut ops: Vec<Op>,
        (who, step): (&str, Step),
    ) -> Result<(), StoreFailed> {
        let mut noted = self.audit.prepare(self.clock.now(), who, &step);
        ops.append(&mut noted.ops);
        if let Some(store) = &self.store {
            store.commit(ops).await?;
        }
        self.audit.add(noted);
        Ok(())
    }

    pub(super) fn edit(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        change(&mut snapshot);
        self.snapshot.store(Arc::new(snapshot));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use crate::policies::{BreakerState as State, Brought, Wanted};
    use crate::store::RedbStore;
    use tributary_engine::Scope;

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
        let policy = wat::parse_str(POLICY).unwrap().into();
        let policy = library.upload("ann", Some("p"), Brought::by_operator(policy)).await.unwrap().entry;
        let wanted = Wanted { policy: Some(policy.id()), ..Wanted::NOTHING };
        let assigned = library.assign("ann", &scope, wanted).await.unwrap();
        let generation = assigned.current().unwrap();
        for failure in 0..1_000 {
            let now = Millis(failure * super::super::breaker::LONGEST_WAIT_MS / 2);
            if generation.breaker.admit(now) == super::super::breaker::Admission::Yes {
                generation.breaker.failed(now);
            }
        }
        assert_eq!(state(&library), State::Quarantined);
        library.breaker_opened(generation, "E201").await.unwrap();
        drop((library, writer));
        thread.join().unwrap();

        let opened = store();
        let mut library = open(&opened);
        assert_eq!(state(&library), State::Quarantined);
        let (writer, _thread) = Writer::start(Box::new(opened), |_, _, _| {}).unwrap();
        library.store_in(writer);
        library.assign("ann", &scope, wanted).await.unwrap();
        assert_eq!(state(&library), State::Closed);
    }
}
