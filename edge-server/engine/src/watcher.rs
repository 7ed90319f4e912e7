//! What a watcher is to a presentity: what `pp_view` tells watchers apart by.
//!
//! In this order, and the first that holds decides:
//!
//! | class | who |
//! |---|---|
//! | `anonymous` | nobody who says who they are (`anonymous.invalid`, RFC 3323) |
//! | `service` | the operator's programs, by the configuration |
//! | `family`, `colleague`, `contact` | whom the presentity's own contacts name, by address or else by domain |
//! | `colleague` | a user of the same tenant with a group in common |
//! | `same-domain` | a user of the same domain |
//! | `stranger` | everybody else |
//!
//! The groups are those that the presentity's contacts give the watcher and, for users of the same tenant, those of the
//! directory. A user who watches their own state is in no class: nothing of it is hidden from them.

use crate::config::Config;
use merge_core::policy::{ViewKey, Watcher, WatcherClass};
use std::fmt;

/// The host of addresses that say nothing (RFC 3323 4.1.1.3).
const ANONYMOUS: &str = "anonymous.invalid";

/// Whom users know. Read when somebody begins to watch: must answer from memory.
pub trait Contacts: fmt::Debug + Send + Sync {
    /// How a presentity knows a watcher, both canonical addresses.
    fn find(&self, presentity: &str, watcher: &str) -> Option<Contact>;
}

/// How a user knows somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// As what.
    pub class: WatcherClass,
    /// In which groups of the user's own.
    pub groups: Vec<String>,
    /// Not by the address: the whole domain is known so.
    pub by_domain: bool,
}

/// Nobody knows anybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoContacts;

impl Contacts for NoContacts {
    fn find(&self, _presentity: &str, _watcher: &str) -> Option<Contact> {
        None
    }
}

/// A watcher's class, and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classified {
    pub(crate) watcher: Watcher,
    pub(crate) why: &'static str,
}

/// What a watcher is to a presentity; `None` for users who watch themselves.
pub(crate) fn classify(config: &Config, presentity: &str, watcher: &str, key: ViewKey) -> Option<Classified> {
    if watcher == presentity {
        return None;
    }
    let aor = (key == ViewKey::Identity).then(|| watcher.to_owned());
    let classified = |class, mut groups: Vec<String>, why| {
        groups.sort_unstable();
        groups.dedup();
        Some(Classified { watcher: Watcher { class, groups, aor: aor.clone() }, why })
    };
    if domain(watcher) == ANONYMOUS {
        return classified(WatcherClass::Anonymous, Vec::new(), "does not say who");
    }
    if config.services.iter().any(|service| service == watcher) {
        return classified(WatcherClass::Service, Vec::new(), "is one of the configured services");
    }
    // What is not served here is of no tenant, whatever the directory says.
    let theirs = config.serves(domain(watcher)).then(|| config.users.profile(watcher));
    let own = config.users.profile(presentity);
    let theirs = theirs.filter(|theirs| theirs.tenant == own.tenant);
    let mut groups = theirs.as_ref().map(|theirs| theirs.groups.clone()).unwrap_or_default();
    let shared = groups.iter().any(|group| own.groups.contains(group));
    if let Some(contact) = config.contacts.find(presentity, watcher) {
        groups.extend(contact.groups);
        let why = if contact.by_domain { "is of a domain in the contacts" } else { "is in the contacts" };
        return classified(contact.class, groups, why);
    }
    if shared {
        return classified(WatcherClass::Colleague, groups, "has a group in common, in the same tenant");
    }
    if domain(watcher) == domain(presentity) {
        return classified(WatcherClass::SameDomain, groups, "is of the same domain");
    }
    classified(WatcherClass::Stranger, groups, "is not known")
}

fn domain(aor: &str) -> &str {
    aor.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Account, Profile, Users};
    use std::sync::Arc;

    /// `example.com` and `example.net` are acme's; alice and dave sell.
    #[derive(Debug)]
    struct Acme;

    impl Users for Acme {
        fn account(&self, _username: &str) -> Option<Account> {
            None
        }

        fn exists(&self, _aor: &str) -> bool {
            true
        }

        fn profile(&self, aor: &str) -> Profile {
            let sells = aor.starts_with("sip:alice@") || aor.starts_with("sip:dave@");
            let groups = if sells { vec!["staff".to_owned(), "sales".to_owned()] } else { Vec::new() };
            let tenant = if domain(aor) == "example.org" { "" } else { "acme" };
            Profile { tenant: tenant.to_owned(), groups, locale: None }
        }
    }

    impl Contacts for Acme {
        fn find(&self, presentity: &str, watcher: &str) -> Option<Contact> {
            let contact = |class, by_domain| Contact { class, groups: vec!["choir".to_owned()], by_domain };
            match (presentity, watcher) {
                ("sip:alice@example.com", "sip:mum@home.example") => {
                    Some(contact(WatcherClass::Family, false))
                }
                ("sip:alice@example.com", "sip:dave@example.net") => {
                    Some(contact(WatcherClass::Contact, false))
                }
                ("sip:alice@example.com", other) if domain(other) == "partner.example" => {
                    Some(contact(WatcherClass::Colleague, true))
                }
                _ => None,
            }
        }
    }

    #[test]
    fn the_first_rule_that_holds_names_the_class() {
        let mut config = Config::of_trial("example.com");
        config.domains.extend(["example.net".to_owned(), "example.org".to_owned()]);
        (config.users, config.contacts) = (Arc::new(Acme), Arc::new(Acme));
        config.services = vec!["sip:hall@example.com".to_owned()];
        let check = |presentity: &str, watcher: &str, class: &str, groups: &[&str]| {
            let found = classify(&config, presentity, watcher, ViewKey::Class).unwrap();
            let said: Vec<&str> = found.watcher.groups.iter().map(String::as_str).collect();
            assert_eq!((found.watcher.class.as_str(), &*said), (class, groups), "{watcher}: {}", found.why);
        };
        let (alice, carol) = ("sip:alice@example.com", "sip:carol@example.com");
        check(alice, "sip:anonymous@anonymous.invalid", "anonymous", &[]);
        check(alice, "sip:hall@example.com", "service", &[]);
        check(alice, "sip:mum@home.example", "family", &["choir"]);
        check(alice, "sip:x@partner.example", "colleague", &["choir"]);
        // The user's own word goes before the directory's, and both tell groups.
        check(alice, "sip:dave@example.net", "contact", &["choir", "sales", "staff"]);
        check("sip:alice@example.net", "sip:dave@example.net", "colleague", &["sales", "staff"]);
        check(alice, carol, "same-domain", &[]);
        check(carol, "sip:dave@example.com", "same-domain", &["sales", "staff"]);
        // Of another tenant, and of none: what a directory says of them does not count.
        check(alice, "sip:dave@example.org", "stranger", &[]);
        check(alice, "sip:dave@elsewhere.example", "stranger", &[]);
        check(carol, "sip:mum@home.example", "stranger", &[]);
        assert_eq!(classify(&config, alice, alice, ViewKey::Class), None);
        let by_identity = classify(&config, alice, carol, ViewKey::Identity).unwrap();
        assert_eq!(by_identity.watcher.aor.as_deref(), Some(carol));
    }

    /// A directory and contacts in which everybody is what a row of the table says.
    #[derive(Clone, Copy, Debug)]
    struct Row {
        contact: bool,
        groups: bool,
    }

    impl Users for Row {
        fn account(&self, _username: &str) -> Option<Account> {
            None
        }

        fn exists(&self, _aor: &str) -> bool {
            true
        }

        fn profile(&self, _aor: &str) -> Profile {
            let groups = if self.groups { vec!["sales".to_owned()] } else { Vec::new() };
            Profile { tenant: "acme".to_owned(), groups, locale: None }
        }
    }

    impl Contacts for Row {
        fn find(&self, _presentity: &str, _watcher: &str) -> Option<Contact> {
            let contact = Contact { class: WatcherClass::Family, groups: Vec::new(), by_domain: true };
            self.contact.then_some(contact)
        }
    }

    #[test]
    fn who_is_several_things_at_once_is_the_first_of_them() {
        for bits in 0..32_u32 {
            let is = |bit: u32| bits & (1 << bit) != 0;
            let (anonymous, service, contact, groups, domain) = (is(4), is(3), is(2), is(1), is(0));
            let watcher = if anonymous { "sip:w@anonymous.invalid" } else { "sip:w@example.com" };
            let presentity = match (domain, anonymous) {
                (true, true) => "sip:alice@anonymous.invalid",
                (true, false) => "sip:alice@example.com",
                (false, _) => "sip:alice@example.net",
            };
            let mut config = Config::of_trial("example.com");
            config.domains.extend(["example.net".to_owned(), "anonymous.invalid".to_owned()]);
            let row = Row { contact, groups };
            (config.users, config.contacts) = (Arc::new(row), Arc::new(row));
            config.services = if service { vec![watcher.to_owned()] } else { Vec::new() };
            let order = [
                (anonymous, WatcherClass::Anonymous),
                (service, WatcherClass::Service),
                (contact, WatcherClass::Family),
                (groups, WatcherClass::Colleague),
                (domain, WatcherClass::SameDomain),
                (true, WatcherClass::Stranger),
            ];
            let first = order.iter().find(|(holds, _)| *holds).map(|(_, class)| *class);
            let found = classify(&config, presentity, watcher, ViewKey::Class).unwrap();
            assert_eq!(Some(found.watcher.class), first, "{bits:05b}: {}", found.why);
            let nameless = matches!(found.watcher.class, WatcherClass::Anonymous | WatcherClass::Service);
            assert_eq!(found.watcher.groups.is_empty(), nameless || !groups, "{bits:05b}");
        }
    }
}
