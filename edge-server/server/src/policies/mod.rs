//! Uploaded merge policies: kept, assigned, run and counted.
//!
//! ```text
//!   upload --> signature --> check --> compile --> dry run --> store --> in the Library, inactive
//!   assign --> params checked --> store --> a new Snapshot is swapped in --> shards merge anew
//!   merge  --> Host looks the scope up in the Snapshot --> sandbox, here or Aside --> counters
//! ```
//!
//! Scopes lie in each other: the operator's holds the tenants', a tenant's its domains, a domain its users. The
//! innermost that has an assignment decides, unless one around it is locked: then the outermost locked one does.
//! Beside what is in force, a scope may have a policy on trial, for some of its presentities, and beside the others without effect.
//!
//! A [`Snapshot`] is immutable and put in the place of the one before: whatever begins to merge after that,
//! on whichever shard, merges by it, and a merge under way ends with what it began with. A policy that fails
//! costs its watchers nothing but its own opinion: what the assignment says stands in for it ([`ON_FAILURE`]),
//! and the failure is counted under its code. One that keeps failing is not asked for a while.

mod allowance;
mod aside;
mod assign;
mod audit;
mod breaker;
mod call;
mod capture;
mod counters;
mod host;
mod library;
mod load;
mod memory;
mod quota;
mod refusal;
mod shadow;
mod signatures;
mod snapshot;
mod stored;
mod upload;
mod vectors;

pub use self::aside::Aside;
pub use self::assign::Wanted;
pub(crate) use self::audit::SERVER;
pub use self::audit::{Audit, Broken, Head, hash_of, verify};
pub use self::breaker::{Breaker, State as BreakerState};
pub use self::capture::{Capture, CaptureError, Captures, Eyes, Wished};
pub use self::counters::{Failure, Figures};
pub use self::host::Host;
pub use self::library::{Library, LibraryError};
pub use self::load::{SCRIPT_ENGINE, script_engine, shipped};
pub use self::refusal::{AssignError, NameProblem, RemoveError, UploadError};
pub use self::shadow::{Changed, ShadowFigures};
pub(crate) use self::signatures::public_key;
pub use self::snapshot::{
    Assigned, Candidate, Entry, Generation, KEPT_GENERATIONS, Snapshot, Source, hex, unhex,
};
pub use self::upload::{Brought, Examined, Kept};
pub use self::vectors::{Tried, TriedCaptured};

use crate::tenants::is_tenant;
use merge_core::compose::Composition;
use tributary_engine::{OnFailure, Scope};

/// The widest scope: everybody on this server.
const OPERATOR: &str = "operator";

/// The names of the built-in merges, which can be assigned like policies.
pub const BUILT_IN: [(&str, Composition); 4] = [
    ("compose", Composition::Compose),
    ("union", Composition::Union),
    ("newest", Composition::Newest),
    ("most-available", Composition::MostAvailable),
];

/// What can stand in for a policy that fails, by name.
pub const ON_FAILURE: [(&str, OnFailure); 3] =
    [("builtin", OnFailure::Builtin), ("last_good", OnFailure::LastGood), ("minimal", OnFailure::Minimal)];

/// The name of what stands in for a policy.
pub fn on_failure_name(on_failure: OnFailure) -> &'static str {
    ON_FAILURE.iter().find(|(_, known)| *known == on_failure).map_or("minimal", |(name, _)| name)
}

/// What is called so.
pub fn on_failure(name: &str) -> Option<OnFailure> {
    ON_FAILURE.iter().find(|(known, _)| *known == name).map(|(_, on_failure)| *on_failure)
}

/// Reads a scope: `operator`, `tenant:acme`, `domain:example.com`, or `user:sip:alice@example.com`, whose scheme may
/// be left out.
pub fn read_scope(text: &str) -> Option<Scope> {
    if text == OPERATOR {
        return Some(Scope::All);
    }
    let (kind, name) = text.split_once(':')?;
    match kind {
        "tenant" if is_tenant(name) => Some(Scope::Tenant(name.to_owned())),
        "domain" if !name.is_empty() && !name.contains([':', '@', '/', ' ']) => {
            Some(Scope::Domain(name.to_ascii_lowercase()))
        }
        "user" if !name.contains(':') && name.contains('@') => read_scope(&format!("user:sip:{name}")),
        "user" => tributary_sip::Aor::parse(name).ok().map(|aor| Scope::User(aor.as_str().to_owned())),
        _ => None,
    }
}

/// Writes a scope the way [`read_scope`] reads it.
pub fn write_scope(scope: &Scope) -> String {
    match scope {
        Scope::All => OPERATOR.to_owned(),
        Scope::Tenant(tenant) => format!("tenant:{tenant}"),
        Scope::Domain(domain) => format!("domain:{domain}"),
        Scope::User(aor) => format!("user:{aor}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_the_operators_a_tenants_a_domains_or_a_users_in_its_canonical_form() {
        for (text, expect) in [
            ("operator", Some("operator")),
            ("tenant:acme", Some("tenant:acme")),
            ("tenant:Acme", None),
            ("tenant:", None),
            ("domain:example.com", Some("domain:example.com")),
            ("domain:EXAMPLE.com", Some("domain:example.com")),
            ("user:sip:alice@Example.COM", Some("user:sip:alice@example.com")),
            ("user:alice@Example.COM", Some("user:sip:alice@example.com")),
            ("user:@", None),
            ("domain:", None),
            ("domain:a/b", None),
            ("user:", None),
            ("user:alice", None),
            ("everybody", None),
            ("", None),
        ] {
            assert_eq!(read_scope(text).map(|scope| write_scope(&scope)).as_deref(), expect, "{text}");
        }
    }
}
