//! The users of a server without authentication: whoever they say they are.

use crate::tenants::Tenants;
use tributary_engine::{Account, Profile, Users};

/// Every address of the served domains, each of its domain's tenant.
#[derive(Debug)]
pub struct Anybody(pub Tenants);

impl Users for Anybody {
    fn account(&self, _username: &str) -> Option<Account> {
        None
    }

    fn exists(&self, _aor: &str) -> bool {
        true
    }

    fn profile(&self, aor: &str) -> Profile {
        Profile { tenant: self.0.of(aor).to_owned(), ..Profile::default() }
    }
}
