//! Whom users know: by address or by domain, as what, and in which groups of theirs. What policies show of a user
//! depends on it (`pp_view`).
//!
//! ```text
//!   HTTP API --> store --> AddressBook --> a shard asks it when somebody begins to watch
//!                                └──────── and is told when a user's contacts have changed
//! ```

mod stored;

use self::stored::StoredContact;
use crate::config::Config;
use crate::store::{Op, Store, StoreError, StoreFailed, Table, Writer};
use bytes::Bytes;
use merge_core::policy::WatcherClass;
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use tributary_engine::{Contact, Contacts};
use tributary_sip::Aor;

/// Groups that one person is in, and characters of a group's name.
const GROUPS: usize = 16;
const GROUP_CHARS: usize = 64;

/// What [`groups`] takes.
pub const WHAT_GROUPS: &str = "there are at most 16 groups, of 1 to 64 characters each";

/// Groups as they are kept: sorted, each once; `None` for too many, or for what is no name of a group.
pub fn groups(mut groups: Vec<String>) -> Option<Vec<String>> {
    groups.sort_unstable();
    groups.dedup();
    let is_group = |group: &String| {
        (1..=GROUP_CHARS).contains(&group.chars().count()) && policy_sandbox::plain_text(group) == *group
    };
    (groups.len() <= GROUPS && groups.iter().all(is_group)).then_some(groups)
}

/// The classes that a user can put somebody in.
pub const CLASSES: [WatcherClass; 3] = [WatcherClass::Family, WatcherClass::Colleague, WatcherClass::Contact];

/// Whom a contact names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// One address of record, `sip:bob@example.com`.
    Address(String),
    /// Everybody of a domain, `example.org`.
    Domain(String),
}

impl Who {
    /// Reads an address, `sip:bob@example.com` or `bob@example.com`, or a domain.
    pub fn read(text: &str) -> Option<Self> {
        let (name, domain) = match text.split_once('@') {
            None => (None, text),
            Some((name, domain)) => (Some(name.strip_prefix("sip:").unwrap_or(name)), domain),
        };
        // A domain is what can stand in an address.
        let aor = Aor::parse(&format!("sip:{}@{domain}", name.unwrap_or("x"))).ok()?;
        Some(match name {
            Some(_) => Self::Address(aor.as_str().to_owned()),
            None => Self::Domain(aor.host().to_owned()),
        })
    }

    /// The address or the domain.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Address(text) | Self::Domain(text) => text,
        }
    }
}

/// How a user knows somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As what: one of [`CLASSES`].
    pub class: WatcherClass,
    /// In which groups.
    pub groups: Vec<String>,
}

/// Why a change is refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such contact.
    #[error("{0} is not in the contacts of {1}")]
    Unknown(String, String),
    /// The user has as many as may be.
    #[error("{0} has {1} contacts already")]
    Full(String, usize),
    /// As many are stored as may be.
    #[error("{0} contacts are stored already")]
    AllFull(usize),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

#[derive(Debug, Default)]
struct Books {
    by_user: HashMap<String, BTreeMap<Who, Known>>,
    /// All of them together.
    entries: usize,
}

/// The contacts of all users. Answers from memory.
#[derive(Debug)]
pub struct AddressBook {
    /// Held for one look-up or one change, never while anything is waited for.
    books: RwLock<Books>,
    /// Changes follow each other, so that store and memory see the same order.
    editing: tokio::sync::Mutex<()>,
    store: Option<Writer>,
    most_of_user: usize,
    most: usize,
}

impl AddressBook {
    /// Reads what is stored.
    ///
    /// # Errors
    /// It cannot be read. A single record that cannot is logged and stays stored.
    pub fn open(config: &Config, stored: Option<&dyn Store>) -> Result<Self, StoreError> {
        let mut books = Books::default();
        let rows = stored.map(|store| crate::store::rows(store, Table::Contacts)).transpose()?;
        for (key, value) in rows.unwrap_or_default() {
            match read_key(&key).zip(StoredContact::decode(&value)) {
                Some(((user, who), known)) => {
                    let before = books.by_user.entry(user).or_default().insert(who, known);
                    books.entries += usize::from(before.is_none());
                }
                None => tracing::error!("a stored contact cannot be read; it stays in the store"),
            }
        }
        Ok(Self {
            books: RwLock::new(books),
            editing: tokio::sync::Mutex::new(()),
            store: None,
            most_of_user: config.store.max_contacts_per_user,
            most: config.store.max_contacts,
        })
    }

    /// Keeps changes from now on; without a store they end with the process.
    pub fn store_in(&mut self, store: Writer) {
        self.store = Some(store);
    }

    /// A user's contacts, addresses first.
    pub fn of(&self, user: &str) -> Vec<(Who, Known)> {
        let books = self.books();
        let contacts = books.by_user.get(user).into_iter().flatten();
        contacts.map(|(who, known)| (who.clone(), known.clone())).collect()
    }

    /// Adds a contact, or changes it. True when it is new.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn put(&self, user: &str, who: Who, known: Known) -> Result<bool, ChangeError> {
        let _editing = self.editing.lock().await;
        let is_new = {
            let books = self.books();
            let own = books.by_user.get(user);
            let is_new = own.is_none_or(|own| !own.contains_key(&who));
            let count = own.map_or(0, BTreeMap::len);
            if is_new && count >= self.most_of_user {
                return Err(ChangeError::Full(user.to_owned(), count));
            }
            if is_new && books.entries >= self.most {
                return Err(ChangeError::AllFull(books.entries));
            }
            is_new
        };
        let (key, value) = (write_key(user, &who), StoredContact::encode(&known));
        self.commit(vec![Op::Put { table: Table::Contacts, key, value }]).await?;
        self.edit(|books| {
            books.by_user.entry(user.to_owned()).or_default().insert(who, known);
            books.entries += usize::from(is_new);
        });
        Ok(is_new)
    }

    /// Forgets a contact.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn remove(&self, user: &str, who: &Who) -> Result<(), ChangeError> {
        let _editing = self.editing.lock().await;
        if !self.books().by_user.get(user).is_some_and(|own| own.contains_key(who)) {
            return Err(ChangeError::Unknown(who.as_str().to_owned(), user.to_owned()));
        }
        self.commit(vec![Op::Delete { table: Table::Contacts, key: write_key(user, who) }]).await?;
        self.edit(|books| {
            let left = books.by_user.get_mut(user).map_or(0, |own| {
                own.remove(who);
                own.len()
            });
            books.entries -= 1;
            if left == 0 {
                books.by_user.remove(user);
            }
        });
        Ok(())
    }

    /// Forgets all contacts of a user who is no more.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn forget(&self, user: &str) -> Result<(), StoreFailed> {
        let _editing = self.editing.lock().await;
        let own = self.of(user);
        let delete =
            |(who, _): &(Who, Known)| Op::Delete { table: Table::Contacts, key: write_key(user, who) };
        if !own.is_empty() {
            self.commit(own.iter().map(delete).collect()).await?;
            self.edit(|books| {
                books.by_user.remove(user);
                books.entries -= own.len();
            });
        }
        Ok(())
    }

    async fn commit(&self, ops: Vec<Op>) -> Result<(), StoreFailed> {
        match &self.store {
            Some(store) => store.commit(ops).await,
            None => Ok(()),
        }
    }

    fn books(&self) -> RwLockReadGuard<'_, Books> {
        // A map is whole even after a panic beside it.
        self.books.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn edit(&self, change: impl FnOnce(&mut Books)) {
        change(&mut self.books.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Contacts for AddressBook {
    fn find(&self, presentity: &str, watcher: &str) -> Option<Contact> {
        let books = self.books();
        let own = books.by_user.get(presentity)?;
        let found = |known: &Known, by_domain| Contact {
            class: known.class,
            groups: known.groups.clone(),
            by_domain,
        };
        if let Some(known) = own.get(&Who::Address(watcher.to_owned())) {
            return Some(found(known, false));
        }
        let (_, domain) = watcher.rsplit_once('@')?;
        own.get(&Who::Domain(domain.to_owned())).map(|known| found(known, true))
    }
}

/// `user`, a line end, `who`: neither holds one.
fn write_key(user: &str, who: &Who) -> Bytes {
    format!("{user}\n{}", who.as_str()).into()
}

fn read_key(key: &[u8]) -> Option<(String, Who)> {
    let (user, who) = std::str::from_utf8(key).ok()?.split_once('\n')?;
    Some((user.to_owned(), Who::read(who)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    const ALICE: &str = "sip:alice@example.com";

    fn known(class: WatcherClass, groups: &[&str]) -> Known {
        Known { class, groups: groups.iter().map(|group| (*group).to_owned()).collect() }
    }

    #[test]
    fn a_contact_is_an_address_or_a_domain_in_its_canonical_form() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(Who::read(text).as_ref().map(Who::as_str), expect, "{text}");
        };
        check("sip:bob@Example.COM", Some("sip:bob@example.com"));
        check("bob@example.com", Some("sip:bob@example.com"));
        check("Example.ORG", Some("example.org"));
        check("", None);
        check("sip:@example.com", None);
        check("a b", None);
        check("bob@a\nb", None);
    }

    #[tokio::test]
    async fn an_address_goes_before_its_domain_and_both_are_forgotten_with_the_user() {
        let mut config = Config::default();
        (config.store.max_contacts_per_user, config.store.max_contacts) = (2, 3);
        let book = AddressBook::open(&config, None).unwrap();
        let put =
            async |user: &str, who: &str, known: Known| book.put(user, Who::read(who).unwrap(), known).await;
        assert!(put(ALICE, "bob@example.org", known(WatcherClass::Family, &["choir"])).await.unwrap());
        assert!(put(ALICE, "example.org", known(WatcherClass::Colleague, &[])).await.unwrap());
        assert!(!put(ALICE, "example.org", known(WatcherClass::Contact, &[])).await.unwrap(), "changed");
        let find = |watcher: &str| {
            book.find(ALICE, watcher).map(|found| (found.class, found.groups, found.by_domain))
        };
        assert_eq!(
            find("sip:bob@example.org"),
            Some((WatcherClass::Family, vec!["choir".to_owned()], false))
        );
        assert_eq!(find("sip:eve@example.org"), Some((WatcherClass::Contact, Vec::new(), true)));
        assert_eq!(find("sip:bob@example.com"), None);
        assert_eq!(book.find("sip:bob@example.org", ALICE), None, "not the other way round");
        // Both bounds.
        let third = known(WatcherClass::Contact, &[]);
        assert!(matches!(put(ALICE, "x.example", third.clone()).await, Err(ChangeError::Full(_, 2))));
        assert!(put("sip:dave@example.com", "x.example", third.clone()).await.unwrap());
        assert!(matches!(
            put("sip:erin@example.com", "x.example", third).await,
            Err(ChangeError::AllFull(3))
        ));
        book.forget(ALICE).await.unwrap();
        assert_eq!((book.of(ALICE).len(), book.books().entries), (0, 1));
        let gone = book.remove(ALICE, &Who::read("example.org").unwrap()).await;
        assert!(matches!(gone, Err(ChangeError::Unknown(..))));
    }

    #[test]
    fn what_was_stored_is_read_back_and_what_cannot_be_is_passed_over() {
        let mut store = MemoryStore::default();
        let who = Who::read("bob@example.org").unwrap();
        let family = known(WatcherClass::Family, &["a", "b"]);
        let put = |key: Bytes, value: Bytes| Op::Put { table: Table::Contacts, key, value };
        let good = put(write_key(ALICE, &who), StoredContact::encode(&family));
        let bad = put(Bytes::from_static(b"no"), Bytes::from_static(b"{}"));
        store.commit(&[good, bad]).unwrap();
        let book = AddressBook::open(&Config::default(), Some(&store)).unwrap();
        assert_eq!(book.of(ALICE), [(who, family)]);
        assert_eq!(book.books().entries, 1);
    }
}
