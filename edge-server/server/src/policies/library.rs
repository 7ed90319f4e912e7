//! All policies and all assignments, as one immutable value that is swapped.

use super::counters::{Counters, Figures};
use super::stored::{StoredGeneration, StoredPolicy, StoredScope, built_in, built_in_name};
use super::{read_scope, write_scope};
use crate::clock::Clock;
use crate::store::{Op, Store, StoreError, StoreFailed, Table, Writer};
use arc_swap::ArcSwap;
use bytes::Bytes;
use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::policy::LocalTime;
use merge_core::time::Millis;
use policy_sandbox::{Finding, Policy, Sandbox};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use tributary_engine::Scope;

/// Generations kept of each scope; rolling back goes at most so far.
pub const KEPT_GENERATIONS: usize = 10;

/// Characters of a policy's name.
const NAME_CHARS: usize = 64;

/// Where a policy came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It ships with the server.
    Shipped,
    /// Somebody uploaded it.
    Uploaded,
}

/// One policy that can be assigned.
#[derive(Debug)]
pub struct Entry {
    /// The compiled policy.
    pub policy: Policy,
    /// What people call it.
    pub name: Arc<str>,
    /// Where it came from.
    pub source: Source,
    /// The file.
    pub file: Bytes,
    /// Since when it is here.
    pub since: Millis,
    pub(super) counters: Counters,
}

impl Entry {
    /// The SHA-256 of the file.
    pub fn id(&self) -> [u8; 32] {
        self.policy.sha256()
    }

    /// What was counted since the server started.
    pub fn figures(&self) -> Figures {
        self.counters.figures()
    }
}

/// What was in force for a scope at one time.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Counts up within the scope, never back.
    pub number: u64,
    /// The policy, if any.
    pub policy: Option<Arc<Entry>>,
    /// The built-in merge chosen instead of the server's default, if any.
    pub built_in: Option<Composition>,
    /// The policy's parameters, a JSON object.
    pub params: Arc<str>,
    /// Since when.
    pub since: Millis,
}

impl Generation {
    /// Whether anything is assigned.
    pub fn is_empty(&self) -> bool {
        self.policy.is_none() && self.built_in.is_none()
    }
}

/// The generations of one scope, the last one in force.
#[derive(Clone, Debug, Default)]
pub struct Assigned {
    /// At least one, at most [`KEPT_GENERATIONS`], the last one in force.
    pub generations: Vec<Generation>,
}

impl Assigned {
    /// What is in force.
    pub fn current(&self) -> Option<&Generation> {
        self.generations.last().filter(|generation| !generation.is_empty())
    }
}

/// All policies and assignments at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    policies: BTreeMap<[u8; 32], Arc<Entry>>,
    users: HashMap<String, Assigned>,
    domains: HashMap<String, Assigned>,
}

impl Snapshot {
    /// The policy of that id.
    pub fn policy(&self, id: &[u8; 32]) -> Option<Arc<Entry>> {
        self.policies.get(id).cloned()
    }

    /// All policies, by id.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.policies.values()
    }

    /// All scopes that ever had an assignment, in order of their name.
    pub fn scopes(&self) -> Vec<(Scope, &Assigned)> {
        let domains = self.domains.iter().map(|(name, assigned)| (Scope::Domain(name.clone()), assigned));
        let users = self.users.iter().map(|(name, assigned)| (Scope::User(name.clone()), assigned));
        let mut all: Vec<_> = domains.chain(users).collect();
        all.sort_by_key(|(scope, _)| write_scope(scope));
        all
    }

    /// What is in force for a user: the user's own assignment, else the domain's.
    pub fn in_force(&self, presentity: &Presentity) -> Option<&Generation> {
        self.users
            .get(&presentity.aor)
            .and_then(Assigned::current)
            .or_else(|| self.domains.get(&presentity.domain).and_then(Assigned::current))
    }

    /// What is assigned to a scope.
    pub fn assigned(&self, scope: &Scope) -> Option<&Assigned> {
        match scope {
            Scope::All => None,
            Scope::Domain(name) => self.domains.get(name),
            Scope::User(aor) => self.users.get(aor),
        }
    }

    fn assign(&mut self, scope: &Scope, assigned: Assigned) {
        match scope {
            Scope::All => {}
            Scope::Domain(name) => drop(self.domains.insert(name.clone(), assigned)),
            Scope::User(aor) => drop(self.users.insert(aor.clone(), assigned)),
        }
    }

    fn uses(&self, id: &[u8; 32]) -> Option<Scope> {
        let current =
            |assigned: &Assigned| assigned.current().and_then(|now| now.policy.as_ref()).map(|p| p.id());
        self.scopes()
            .into_iter()
            .find(|(_, assigned)| current(assigned).as_ref() == Some(id))
            .map(|(scope, _)| scope)
    }
}

/// Why an upload is refused.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file is no policy, or one that fails; everything that was found.
    #[error("the policy was refused")]
    Refused(Vec<Finding>),
    /// Another file has this name.
    #[error("another policy is called {0}")]
    NameTaken(String),
    /// The name is empty, too long, or has characters that cannot be shown.
    #[error("a name has 1 to 64 printable characters")]
    BadName,
    /// As many files are kept as may be.
    #[error("{0} policies are kept already")]
    Full(usize),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// Why an assignment is refused.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// There is no policy of that id.
    #[error("there is no policy {0}")]
    NoPolicy(String),
    /// There is no built-in merge of that name.
    #[error("there is no built-in merge {0}")]
    NoBuiltIn(String),
    /// The policy does not take these parameters.
    #[error("the parameters were refused: {0}")]
    Params(String),
    /// There is nothing to roll back to, or nothing assigned.
    #[error("the scope has no earlier generation")]
    NoEarlier,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

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

/// The policies of this server.
#[derive(Debug)]
pub struct Library {
    sandbox: Arc<Sandbox>,
    snapshot: ArcSwap<Snapshot>,
    /// Edits follow each other; merges do not wait for them.
    editing: tokio::sync::Mutex<()>,
    store: Option<Writer>,
    clock: Clock,
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
        clock: Clock,
        most: usize,
    ) -> Result<Self, LibraryError> {
        let mut snapshot = Snapshot::default();
        for (name, file) in shipped {
            add_shipped(&sandbox, &mut snapshot, &name, file, clock.now());
        }
        if let Some(stored) = stored {
            load(&sandbox, stored, &mut snapshot)?;
        }
        Ok(Self {
            sandbox: Arc::new(sandbox),
            snapshot: ArcSwap::from_pointee(snapshot),
            editing: tokio::sync::Mutex::new(()),
            store: None,
            clock,
            most,
        })
    }

    /// Keeps changes from now on; without a store they end with the process.
    pub fn store_in(&mut self, store: Writer) {
        self.store = Some(store);
    }

    /// Everything at this moment.
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The wall clock of a user: none of the users' time zones is known yet, so it is UTC.
    pub fn local_time(&self, _presentity: &Presentity, now: Millis) -> Option<LocalTime> {
        crate::local_time::utc(now)
    }

    /// Checks, compiles, tries out and keeps a file. The same file again changes nothing.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn upload(&self, name: Option<&str>, file: Bytes) -> Result<Arc<Entry>, UploadError> {
        let sandbox = Arc::clone(&self.sandbox);
        let bytes = file.clone();
        let compiled = tokio::task::spawn_blocking(move || {
            let policy = sandbox.compile(&bytes)?;
            let findings = policy_sandbox::dry_run(&policy, &policy_sandbox::builtin_samples());
            if findings.is_empty() { Ok(policy) } else { Err(findings) }
        });
        let policy = match compiled.await {
            Ok(compiled) => compiled.map_err(UploadError::Refused)?,
            // A panic in the compiler: nothing is kept.
            Err(_) => return Err(UploadError::Refused(Vec::new())),
        };
        let name = name.or(policy.name()).unwrap_or("unnamed").trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARS || policy_sandbox::plain_text(&name) != name {
            return Err(UploadError::BadName);
        }
        let _editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        if let Some(known) = snapshot.policy(&policy.sha256()) {
            return Ok(known);
        }
        if snapshot.policies().any(|entry| *entry.name == *name) {
            return Err(UploadError::NameTaken(name));
        }
        let uploaded = snapshot.policies().filter(|entry| entry.source == Source::Uploaded).count();
        if uploaded >= self.most {
            return Err(UploadError::Full(uploaded));
        }
        let entry = Arc::new(entry(policy, &name, Source::Uploaded, file.clone(), self.clock.now()));
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
    pub async fn assign(
        &self,
        scope: &Scope,
        policy: Option<[u8; 32]>,
        built_in_merge: Option<&str>,
        params: &str,
    ) -> Result<Generation, AssignError> {
        let _editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let policy = policy
            .map(|id| snapshot.policy(&id).ok_or_else(|| AssignError::NoPolicy(hex(&id))))
            .transpose()?;
        let built_in = built_in_merge
            .map(|name| built_in(name).ok_or_else(|| AssignError::NoBuiltIn(name.to_owned())))
            .transpose()?;
        if let Some(policy) = &policy {
            let (policy, params) = (policy.policy.clone(), params.to_owned());
            let checked = tokio::task::spawn_blocking(move || policy.check_params(&params)).await;
            match checked {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => return Err(AssignError::Params(failure.to_string())),
                Err(_) => return Err(AssignError::Params("the policy could not be asked".to_owned())),
            }
        }
        let mut assigned = snapshot.assigned(scope).cloned().unwrap_or_default();
        let number = assigned.generations.iter().map(|generation| generation.number).max().unwrap_or(0) + 1;
        let generation =
            Generation { number, policy, built_in, params: params.into(), since: self.clock.now() };
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
                policy: generation.policy.as_ref().map(|policy| hex(&policy.id())),
                built_in: generation.built_in.map(|merge| built_in_name(merge).to_owned()),
                params: generation.params.to_string(),
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

/// Why a policy cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is no uploaded policy of that id.
    #[error("there is no uploaded policy of that id")]
    Unknown,
    /// It is in force for this scope.
    #[error("it is in force for {0}")]
    InUse(String),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

fn entry(policy: Policy, name: &str, source: Source, file: Bytes, since: Millis) -> Entry {
    Entry { policy, name: name.into(), source, file, since, counters: Counters::default() }
}

fn add_shipped(sandbox: &Sandbox, snapshot: &mut Snapshot, name: &str, file: Bytes, now: Millis) {
    match sandbox.compile(&file) {
        Ok(policy) => {
            let entry = entry(policy, name, Source::Shipped, file, now);
            snapshot.policies.insert(entry.id(), Arc::new(entry));
        }
        Err(findings) => {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(name, first, "a shipped policy was refused");
        }
    }
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

fn load(sandbox: &Sandbox, stored: &dyn Store, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    for (key, value) in crate::store::rows(stored, Table::Policies)? {
        let Some(policy) = StoredPolicy::decode(&value) else {
            tracing::error!(id = hex(&key), "a stored policy could not be read; it stays in the store");
            continue;
        };
        match sandbox.compile(&policy.file) {
            Ok(compiled) => {
                let entry = entry(compiled, &policy.name, Source::Uploaded, policy.file, policy.since);
                snapshot.policies.insert(entry.id(), Arc::new(entry));
            }
            Err(findings) => {
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(policy = policy.name, first, "a stored policy is refused by this release");
            }
        }
    }
    for (key, value) in crate::store::rows(stored, Table::Assignments)? {
        let scope = std::str::from_utf8(&key).ok().and_then(read_scope);
        let (Some(scope), Some(record)) = (scope, StoredScope::decode(&value)) else {
            tracing::error!("a stored assignment could not be read; it stays in the store");
            continue;
        };
        let generations = record
            .generations
            .into_iter()
            .map(|generation| Generation {
                number: generation.number,
                policy: generation.policy.and_then(|id| {
                    let policy = snapshot.policy(&unhex(&id)?);
                    if policy.is_none() {
                        tracing::error!(id, scope = write_scope(&scope), "an assigned policy is missing");
                    }
                    policy
                }),
                built_in: generation.built_in.as_deref().and_then(built_in),
                params: generation.params.into(),
                since: Millis(generation.since_ms),
            })
            .collect();
        snapshot.assign(&scope, Assigned { generations });
    }
    Ok(())
}

/// Bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 64 hexadecimal digits as the 32 bytes of an id.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut id = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *place = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}
