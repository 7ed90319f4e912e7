//! All policies and all assignments at one moment, as one immutable value.

use super::breaker::Breaker;
use super::counters::{Counters, Figures};
use super::refusal::NameProblem;
use super::shadow::Shadow;
use super::write_scope;
use crate::tenants::Tenants;
use bytes::Bytes;
use merge_core::compose::Composition;
use merge_core::live::Presentity;
use merge_core::time::Millis;
use policy_sandbox::Policy;
use sha2::{Digest as _, Sha256};
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
    /// Counts up within the scope, and none is given twice. 0 is what there was before the first one: nothing.
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
    pub(super) counters: Arc<Counters>,
    /// Since when.
    pub since: Millis,
}

impl Generation {
    /// What there was before anything was assigned, which was for the first time at `since`.
    pub(super) fn nothing(since: Millis) -> Self {
        Self {
            number: 0,
            policy: None,
            lost: None,
            built_in: None,
            params: "{}".into(),
            locked: false,
            on_failure: OnFailure::Builtin,
            breaker: Arc::default(),
            counters: Arc::default(),
            since,
        }
    }

    /// Whether anything is assigned.
    pub fn is_empty(&self) -> bool {
        self.policy.is_none() && self.lost.is_none() && self.built_in.is_none()
    }

    /// What was counted of its policy in this scope since the server started.
    pub fn figures(&self) -> Figures {
        self.counters.figures()
    }
}

/// What is assigned to a scope on trial, beside what is in force there.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What would be in force.
    pub generation: Generation,
    /// Of a hundred presentities of the scope, so many are its own already. 0 is assigned and not active.
    pub percent: u8,
    /// Whether it runs for the others too, beside what they go by and without effect, and what came of that.
    pub shadow: Option<Arc<Shadow>>,
}

impl Candidate {
    /// Whether a presentity is one of its own: always the same ones of a policy, and more of them as the share
    /// grows; other ones of another policy.
    fn takes(&self, aor: &str) -> bool {
        let id = self.generation.policy.as_ref().map(|policy| policy.id()).unwrap_or_default();
        let digest = Sha256::new().chain_update(id).chain_update(aor).finalize();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number % 100 < u64::from(self.percent)
    }
}

/// The generations of one scope, the last one in force.
#[derive(Clone, Debug, Default)]
pub struct Assigned {
    /// At most [`KEPT_GENERATIONS`], the last one in force. The first is nothing, while it is kept.
    pub generations: Vec<Generation>,
    /// What is on trial.
    pub candidate: Option<Candidate>,
    /// The number that was given last: a rollback gives none back, so that the audit log is clear.
    pub last_number: u64,
}

impl Assigned {
    /// What is in force.
    pub fn current(&self) -> Option<&Generation> {
        self.generations.last().filter(|generation| !generation.is_empty())
    }

    /// What a presentity goes by.
    fn answering(&self, aor: &str) -> Option<&Generation> {
        let on_trial = self.candidate.as_ref().filter(|candidate| candidate.takes(aor));
        on_trial.map(|candidate| &candidate.generation).or_else(|| self.current())
    }

    /// Each generation that is kept, the one on trial last.
    pub(super) fn all(&self) -> impl Iterator<Item = &Generation> {
        self.generations.iter().chain(self.candidate.iter().map(|candidate| &candidate.generation))
    }

    /// The number of a new generation.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
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
    /// Whether anything runs beside what is in force: mostly nothing does, and nobody looks for it.
    shadows: bool,
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
        let mut found: Option<&Generation> = None;
        for assigned in self.levels(presentity).into_iter().flatten() {
            found = assigned.answering(&presentity.aor).or(found);
            // What is on trial locks nothing before it is in force.
            if assigned.current().is_some_and(|now| now.locked) {
                break;
            }
        }
        found
    }

    /// What runs for a user without effect, beside what is in force: it would be if it were activated.
    pub(super) fn beside(&self, presentity: &Presentity) -> Option<&Candidate> {
        if !self.shadows {
            return None;
        }
        let aor = &presentity.aor;
        let mut found = None;
        for assigned in self.levels(presentity).into_iter().flatten() {
            if assigned.answering(aor).is_some() {
                found = None;
            }
            let beside = |candidate: &&Candidate| candidate.shadow.is_some() && !candidate.takes(aor);
            found = assigned.candidate.as_ref().filter(beside).or(found);
            if assigned.current().is_some_and(|now| now.locked) {
                break;
            }
        }
        found
    }

    /// The scopes that a user is in, the outermost first.
    fn levels(&self, presentity: &Presentity) -> [Option<&Assigned>; 4] {
        let Presentity { aor, domain, tenant, .. } = presentity;
        [self.operator.as_ref(), self.tenants.get(tenant), self.domains.get(domain), self.users.get(aor)]
    }

    /// How many scopes of a tenant have something assigned.
    pub(super) fn assigned_to(&self, tenant: &str, tenants: &Tenants) -> usize {
        let is_used = |assigned: &Assigned| assigned.current().is_some() || assigned.candidate.is_some();
        let domains =
            self.domains.iter().filter(|(domain, used)| tenants.of_domain(domain) == tenant && is_used(used));
        let users = self.users.iter().filter(|(aor, used)| tenants.of(aor) == tenant && is_used(used));
        let own = self.tenants.get(tenant).filter(|used| is_used(used));
        domains.count() + users.count() + usize::from(own.is_some())
    }

    /// The outermost locked scope around this one.
    pub(super) fn locked_around(&self, scope: &Scope, tenants: &Tenants) -> Option<Scope> {
        let locked = |scope: &Scope| self.assigned(scope)?.current().filter(|now| now.locked);
        around(scope, tenants).into_iter().find(|scope| locked(scope).is_some())
    }

    /// What is in force for a scope, be it assigned to that or to one around it.
    pub(super) fn deciding(&self, scope: &Scope, tenants: &Tenants) -> Option<&Generation> {
        let mut scopes = around(scope, tenants);
        scopes.push(scope.clone());
        let mut found = None;
        for now in scopes.iter().filter_map(|scope| self.assigned(scope)?.current()) {
            found = Some(now);
            if now.locked {
                break;
            }
        }
        found
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
        let shadows = |assigned: &Assigned| assigned.candidate.as_ref().is_some_and(|c| c.shadow.is_some());
        let inner = self.tenants.values().chain(self.domains.values()).chain(self.users.values());
        self.shadows = self.operator.iter().chain(inner).any(shadows);
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
        let is_it = |generation: &Generation| generation.policy.as_ref().is_some_and(|p| p.id() == *id);
        let uses = |assigned: &Assigned| {
            let on_trial = assigned.candidate.as_ref().map(|candidate| &candidate.generation);
            assigned.current().into_iter().chain(on_trial).any(is_it)
        };
        self.scopes().into_iter().find(|(_, assigned)| uses(assigned)).map(|(scope, _)| scope)
    }
}

/// The scopes that a scope lies in, the outermost first.
fn around(scope: &Scope, tenants: &Tenants) -> Vec<Scope> {
    let tenant = |tenant: &str| Scope::Tenant(tenant.to_owned());
    let domain_of = |aor: &str| aor.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
    match scope {
        Scope::All => Vec::new(),
        Scope::Tenant(_) => vec![Scope::All],
        Scope::Domain(name) => vec![Scope::All, tenant(tenants.of_domain(name))],
        Scope::User(aor) => vec![Scope::All, tenant(tenants.of(aor)), Scope::Domain(domain_of(aor))],
    }
}

/// Whether a user is in a scope.
pub(super) fn lies_in(aor: &str, scope: &Scope, tenants: &Tenants) -> bool {
    let user = Scope::User(aor.to_owned());
    *scope == user || around(&user, tenants).contains(scope)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use policy_sandbox::{Sandbox, Settings};

    fn candidate(sandbox: &Sandbox, number: u32, percent: u8) -> Candidate {
        let file = wat::parse_str(format!(
            r#"(module (memory (export "memory") 1 1) (func (export "presence_policy_abi_1"))
                (func (export "pp_alloc") (param i32) (result i32) (i32.const {number}))
                (func (export "pp_merge") (param i32 i32) (result i64) (i64.const 0)))"#
        ))
        .unwrap();
        let policy = sandbox.compile(&file).unwrap();
        let entry = Entry::new(policy, "p", Source::Uploaded, file.into(), Millis(0));
        let generation = Generation { policy: Some(Arc::new(entry)), ..Generation::nothing(Millis(0)) };
        Candidate { generation, percent, shadow: None }
    }

    #[test]
    fn a_trials_share_is_always_the_same_people_grows_by_others_and_is_independent_of_other_policies() {
        let sandbox = Sandbox::new(Settings::default()).unwrap();
        let people: Vec<String> = (0..10_000).map(|n| format!("sip:user{n}@example.com")).collect();
        let taken = |number: u32, percent: u8| -> Vec<bool> {
            let candidate = candidate(&sandbox, number, percent);
            people.iter().map(|aor| candidate.takes(aor)).collect()
        };
        let count = |taken: &[bool]| taken.iter().filter(|taken| **taken).count();
        let (ten, thirty, other) = (taken(8, 10), taken(8, 30), taken(16, 10));
        assert!((800..1_200).contains(&count(&ten)), "{}", count(&ten));
        assert!((2_700..3_300).contains(&count(&thirty)), "{}", count(&thirty));
        assert!(ten.iter().zip(&thirty).all(|(small, large)| *large || !small), "a share only grows");
        assert_eq!(ten, taken(8, 10));
        let both = ten.iter().zip(&other).filter(|(one, other)| **one && **other).count();
        assert!((50..160).contains(&both), "a tenth of a tenth, not the same tenth: {both}");
        assert_eq!((count(&taken(8, 0)), count(&taken(8, 100))), (0, people.len()));
    }
}
