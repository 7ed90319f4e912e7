//! What is wrong with the settings of policies.

use super::problems::Finder;
use super::{Config, Signatures};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a name that stands in the audit log and in tables.
const NAME_CHARS: usize = 64;

/// Whether a key, or who holds a token, can be called so.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    !name.is_empty() && name.len() <= NAME_CHARS && name.chars().all(plain)
}

impl Config {
    pub(super) fn policies(&self, find: &mut Finder<'_>) {
        keys(find, "policies.keys", &self.policies.keys);
        if self.policies.signatures != Signatures::Off && self.policies.keys.is_empty() {
            find.add(
                "policies.signatures",
                "signatures are asked for, and no key is trusted",
                "name at least one public key in policies.keys",
            );
        }
        self.find_in_masks(find);
        let mut seen = BTreeSet::new();
        for (index, tenant) in self.tenants.iter().enumerate() {
            let key = |name: &str| format!("tenants[{index}].{name}");
            if !self.server.tenants.values().any(|name| *name == tenant.name) {
                find.add(
                    &key("name"),
                    format!("no domain is of the tenant {:?}", tenant.name),
                    "name its domains in server.tenants",
                );
            }
            if !seen.insert(&tenant.name) {
                find.add(&key("name"), format!("{} stands there twice", tenant.name), "keep one of the two");
            }
            keys(find, &key("keys"), &tenant.keys);
            if let Some(both) = tenant.keys.keys().find(|name| self.policies.keys.contains_key(*name)) {
                find.add(
                    &key("keys"),
                    format!("{both} is the name of a key in policies.keys"),
                    "give it another name: a signature is known by it",
                );
            }
            let asked = tenant.signatures.is_some_and(|asked| asked != Signatures::Off);
            if asked && tenant.keys.is_empty() && self.policies.keys.is_empty() {
                find.add(
                    &key("signatures"),
                    "signatures are asked for, and no key is trusted",
                    "name at least one public key in its keys, or in policies.keys",
                );
            }
        }
    }
}

fn keys(find: &mut Finder<'_>, key: &str, keys: &BTreeMap<String, String>) {
    for (name, file) in keys {
        if !is_name(name) {
            find.add(
                key,
                format!("{name:?} is not a key's name"),
                "use letters, digits, `-`, `_`, `.` and `@`, at most 64",
            );
        }
        if let Err(error) = crate::policies::public_key(file) {
            find.add(
                key,
                format!("{name}: {error}"),
                "write it with: openssl pkey -in author.key -pubout -out author.pub",
            );
        }
    }
}
