//! All policies and all assignments at one moment, as one immutable value.

use super::breaker::Breaker;
use super::counters::{Counters, Figures};
use super::refusal::NameProblem;
use super::write_scope;
use crate::tenants::Tenants;
use bytes::Bytes;
use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::time::Millis;
use policy_sandbox::Policy;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tributary_engine::{OnFailure, Scope};

/// Characters of a policy's name.
const NAME_CHARS: usize = 64;

/// Generations kept of each scope; rolling back goes at most so far.
pub const KEPT_GENERATIONS: usize = 10;

/// Where a policy came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It ships with the server.
    Shipped,
    /// Somebody uploaded it.
    Uploaded,
}

/// One policy that can be assigned.
#[derive(Clone, Debug)]
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
    /// Whose it is; empty for the operator.
    pub tenant: Arc<str>,
    /// The signature that came with it, base64.
    pub signature: Option<Arc<str>>,
    /// The name of the key that has signed it, of those that are trusted where it belongs.
    pub signed_by: Option<Arc<str>>,
    pub(super) counters: Arc<Counters>,
}

impl Entry {
    /// One of the operator's that nobody has signed.
    pub(super) fn new(policy: Policy, name: &str, source: Source, file: Bytes, since: Millis) -> Self {
        let (tenant, counters) = ("".into(), Arc::default());
        let (signature, signed_by) = (None, None);
        Self { policy, name: name.into(), source, file, since, tenant, signature, signed_by, counters }
    }

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
    /// The id of a policy that is assigned and could not be loaded. What it would have hidden is not known, so
    /// watchers get the status alone.
    pub lost: Option<[u8; 32]>,
    /// The built-in merge chosen instead of the server's default, if any.
    pub built_in: Option<Composition>,
    /// The policy's parameters, a JSON object.
    pub params: Arc<str>,
    /// Whether nothing that is assigned to a scope within this one has effect.
    pub locked: bool,
    /// What watchers get where the policy fails.
    pub on_failure: OnFailure,
    /// Whether the policy is asked, after what it did so far.
    pub breaker: Arc<Breaker>,
    /// Since when.
    pub since: Millis,
}

impl Generation {
    /// Whether anything is assigned.
    pub fn is_empty(&self) -> bool {
        self.policy.is_none() && self.lost.is_none() && self.built_in.is_none()
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
    pub(super) policies: BTreeMap<[u8; 32], Arc<Entry>>,
    operator: Option<Assigned>,
    tenants: HashMap<String, Assigned>,
    domains: HashMap<String, Assigned>,
    users: HashMap<String, Assigned>,
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
        let operator = self.operator.iter().map(|assigned| (Scope::All, assigned));
        let tenants = self.tenants.iter().map(|(name, assigned)| (Scope::Tenant(name.clone()), assigned));
        let domains = self.domains.iter().map(|(name, assigned)| (Scope::Domain(name.clone()), assigned));
        let users = self.users.iter().map(|(name, assigned)| (Scope::User(name.clone()), assigned));
        let mut all: Vec<_> = operator.chain(tenants).chain(domains).chain(users).collect();
        all.sort_by_key(|(scope, _)| write_scope(scope));
        all
    }

    /// What is in force for a user: the innermost scope's, or that of the outermost one that is locked.
    pub fn in_force(&self, presentity: &Presentity) -> Option<&Generation> {
        let Presentity { aor, domain, tenant, .. } = presentity;
        let levels =
            [self.operator.as_ref(), self.tenants.get(tenant), self.domains.get(domain), self.users.get(aor)];
        let mut found: Option<&Generation> = None;
        for generation in levels.into_iter().flatten().filter_map(Assigned::current) {
            found = Some(generation);
            if generation.locked {
                break;
            }
        }
        found
    }

    /// The outermost locked scope around this one.
    pub(super) fn locked_around(&self, scope: &Scope, tenants: &Tenants) -> Option<Scope> {
        let tenant = |tenant: &str| Scope::Tenant(tenant.to_owned());
        let domain_of = |aor: &str| aor.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
        let around = match scope {
            Scope::All => Vec::new(),
            Scope::Tenant(_) => vec![Scope::All],
            Scope::Domain(name) => vec![Scope::All, tenant(tenants.of_domain(name))],
            Scope::User(aor) => vec![Scope::All, tenant(tenants.of(aor)), Scope::Domain(domain_of(aor))],
        };
        let locked = |scope: &Scope| self.assigned(scope)?.current().filter(|now| now.locked);
        around.into_iter().find(|scope| locked(scope).is_some())
    }

    /// What is assigned to a scope.
    pub fn assigned(&self, scope: &Scope) -> Option<&Assigned> {
        match scope {
            Scope::All => self.operator.as_ref(),
            Scope::Tenant(name) => self.tenants.get(name),
            Scope::Domain(name) => self.domains.get(name),
            Scope::User(aor) => self.users.get(aor),
        }
    }

    pub(super) fn assign(&mut self, scope: &Scope, assigned: Assigned) {
        match scope {
            Scope::All => self.operator = Some(assigned),
            Scope::Tenant(name) => drop(self.tenants.insert(name.clone(), assigned)),
            Scope::Domain(name) => drop(self.domains.insert(name.clone(), assigned)),
            Scope::User(aor) => drop(self.users.insert(aor.clone(), assigned)),
        }
    }

    /// What is wrong with a name for one more policy.
    pub(super) fn name_problem(&self, name: &str) -> Option<NameProblem> {
        let plain = policy_sandbox::plain_text(name) == name;
        if name.is_empty() || name.chars().count() > NAME_CHARS || !plain {
            return Some(NameProblem::Bad);
        }
        let taken = self.policies().any(|entry| *entry.name == *name);
        taken.then(|| NameProblem::Taken(name.to_owned()))
    }

    pub(super) fn uses(&self, id: &[u8; 32]) -> Option<Scope> {
        let current =
            |assigned: &Assigned| assigned.current().and_then(|now| now.policy.as_ref()).map(|p| p.id());
        self.scopes()
            .into_iter()
            .find(|(_, assigned)| current(assigned).as_ref() == Some(id))
            .map(|(scope, _)| scope)
    }
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
