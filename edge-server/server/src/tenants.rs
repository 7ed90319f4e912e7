//! Whose the users are: each domain is of one tenant, or of the operator.

use crate::config::Server;
use std::collections::HashMap;
use std::sync::Arc;
use tributary_engine::Scope;

/// The tenants of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Tenants(Arc<HashMap<String, String>>);

impl Tenants {
    /// Those of `server`, which was checked.
    pub fn new(server: &Server) -> Self {
        let tenants = server.tenants.iter();
        Self(Arc::new(tenants.map(|(domain, name)| (domain.to_ascii_lowercase(), name.clone())).collect()))
    }

    /// The tenant of a domain; empty where it is the operator's own.
    pub fn of_domain(&self, domain: &str) -> &str {
        self.0.get(domain).map_or("", String::as_str)
    }

    /// The tenant of an address of record.
    pub fn of(&self, aor: &str) -> &str {
        self.of_domain(aor.rsplit_once('@').map_or("", |(_, domain)| domain))
    }

    /// The tenant whose a scope is; empty where it is the operator's.
    pub fn of_scope<'a>(&'a self, scope: &'a Scope) -> &'a str {
        match scope {
            Scope::All => "",
            Scope::Tenant(name) => name,
            Scope::Domain(domain) => self.of_domain(domain),
            Scope::User(aor) => self.of(aor),
        }
    }

    /// Whether a domain is of that tenant.
    pub fn has(&self, name: &str) -> bool {
        self.0.values().any(|tenant| tenant == name)
    }
}

/// Whether `text` can be a tenant's name: it stands in paths and in scopes.
pub(crate) fn is_tenant(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
}
