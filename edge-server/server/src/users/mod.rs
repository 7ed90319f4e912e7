//! Who exists, and the digests that prove it.
//!
//! ```text
//!   [[users]] of the file --+
//!                           +--> Directory --> the shards ask it who shows which digest
//!   HTTP API --> store -----+
//! ```
//!
//! Both kinds of users stand side by side. Where the file and the store name the same address, the
//! file wins: the API cannot change what an operator wrote there. Passwords are turned into digests
//! where they come in and are kept nowhere.

mod anybody;
mod configured;
mod stored;

pub use self::anybody::Anybody;
pub(crate) use self::configured::first_line;
pub use self::configured::{PasswordError, check};

use self::stored::StoredUser;
use crate::clock::Clock;
use crate::config::Config;
use crate::local_time::zone;
use crate::metrics::{Metrics, count};
use crate::store::{Op, Store, StoreError, StoreFailed, Table, Writer};
use crate::tenants::Tenants;
use bytes::Bytes;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tributary_engine::{Account, Profile, Users};
use tributary_sip::digest::Ha1;

/// Bytes of a user's name.
const NAME_BYTES: usize = 64;

/// Whether `text` can be the part of an address before the @ and the name in a digest.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len())
        && !text.contains(|c: char| matches!(c, ':' | '@' | '"') || c.is_whitespace() || c.is_control())
}

/// Bytes of a password.
const PASSWORD_BYTES: usize = 256;

/// Whether `text` can be a password.
pub(crate) fn is_password(text: &str) -> bool {
    (1..=PASSWORD_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The digests of one password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// For a client that calls itself `alice`.
    name: Ha1,
    /// For a client that calls itself `alice@example.com`: the name is part of the digest, so it can
    /// only be made from the password.
    full: Option<Ha1>,
}

impl Secrets {
    /// From a password.
    pub fn new(name: &str, domain: &str, realm: &str, password: &str) -> Self {
        let full = format!("{name}@{domain}");
        Self { name: Ha1::new(name, realm, password), full: Some(Ha1::new(&full, realm, password)) }
    }

    /// From ready digests of `name:realm:password`.
    pub fn ready(ha1: Ha1) -> Self {
        Self { name: ha1, full: None }
    }
}

/// One user.
#[derive(Clone, Debug)]
struct User {
    secrets: Secrets,
    zone: Option<TimeZone>,
    /// Sorted, each once.
    groups: Vec<String>,
    /// When it was stored; nothing for a user of the file.
    since_ms: Option<i64>,
}

/// Where a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the configuration file.
    File,
    /// In the store.
    Store,
}

/// A user as the API shows it: nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The address of record.
    pub aor: Arc<str>,
    /// Where the user stands.
    pub source: Source,
    /// The user's own time zone, an IANA name.
    pub timezone: Option<String>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// When it was stored.
    pub since_ms: Option<i64>,
}

impl Shown {
    fn new(aor: &Arc<str>, user: &User) -> Self {
        Self {
            aor: Arc::clone(aor),
            source: if user.since_ms.is_some() { Source::Store } else { Source::File },
            timezone: user.zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned),
            groups: user.groups.clone(),
            since_ms: user.since_ms,
        }
    }
}

/// Why a change is refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The configuration file has this user.
    #[error("{0} is a user of the configuration file")]
    InFile(String),
    /// There is no such user.
    #[error("there is no user {0}")]
    Unknown(String),
    /// A new user needs a password.
    #[error("{0} is new and has no password")]
    NoSecret(String),
    /// As many users are stored as may be.
    #[error("{0} users are stored already")]
    Full(usize),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

type Book = BTreeMap<Arc<str>, User>;

#[derive(Default)]
struct Books {
    file: Book,
    stored: Book,
}

impl Books {
    fn find(&self, aor: &str) -> Option<(&Arc<str>, &User)> {
        self.file.get_key_value(aor).or_else(|| self.stored.get_key_value(aor))
    }
}

/// The users of the file and of the store. Answers from memory.
pub struct Directory {
    /// Held for one look-up or one change of a map, never while anything is waited for.
    books: RwLock<Books>,
    /// Changes follow each other, so that store and memory see the same order.
    editing: tokio::sync::Mutex<()>,
    store: Option<Writer>,
    metrics: Metrics,
    clock: Clock,
    domains: Vec<String>,
    realm: String,
    tenants: Tenants,
    most: usize,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("domains", &self.domains).finish_non_exhaustive()
    }
}

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A password file.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Stored users cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Directory {
    /// Reads the users of `config` and those that are stored.
    ///
    /// # Errors
    /// See [`DirectoryError`]. A single record that cannot be read is logged and stays stored.
    pub fn open(
        config: &Config,
        stored: Option<&dyn Store>,
        metrics: Metrics,
        clock: Clock,
    ) -> Result<Self, DirectoryError> {
        let mut books = Books { file: configured::read(config)?, stored: Book::new() };
        if let Some(stored) = stored {
            books.stored = load(stored, config.realm())?;
        }
        for aor in books.stored.keys().filter(|aor| books.file.contains_key(*aor)) {
            tracing::warn!(%aor, "a user of the configuration file hides a stored one");
        }
        let directory = Self {
            books: RwLock::new(books),
            editing: tokio::sync::Mutex::new(()),
            store: None,
            metrics,
            clock,
            domains: config.server.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
            realm: config.realm().to_owned(),
            tenants: Tenants::new(&config.server),
            most: config.store.max_users,
        };
        directory.measure();
        Ok(directory)
    }

    /// Keeps changes from now on; without a store they end with the process.
    pub fn store_in(&mut self, store: Writer) {
        self.store = Some(store);
    }

    /// The realm that digests are made for.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The server's domains, in lower case.
    pub fn domains(&self) -> &[String] {
        &self.domains
    }

    /// Whether `domain`, in lower case, is one of the server's.
    pub fn serves(&self, domain: &str) -> bool {
        self.domains.iter().any(|known| known == domain)
    }

    /// Whether there is nobody at all.
    pub fn is_empty(&self) -> bool {
        let books = self.books();
        books.file.is_empty() && books.stored.is_empty()
    }

    /// At most `limit` users, in order of their addresses, after `after`.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Vec<Shown> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let books = self.books();
        let range = |book: &Book| {
            let users = book.range::<str, _>((start, Bound::Unbounded)).take(limit);
            users.map(|(aor, user)| (Arc::clone(aor), Shown::new(aor, user))).collect::<BTreeMap<_, _>>()
        };
        let mut all = range(&books.stored);
        all.extend(range(&books.file));
        all.into_values().take(limit).collect()
    }

    /// One user.
    pub fn one(&self, aor: &str) -> Option<Shown> {
        self.books().find(aor).map(|(aor, user)| Shown::new(aor, user))
    }

    /// The time zone that a user has of their own.
    pub fn zone(&self, aor: &str) -> Option<TimeZone> {
        self.books().find(aor).and_then(|(_, user)| user.zone.clone())
    }

    /// Adds a user, or replaces what is stored of one; without `secrets` a stored user keeps theirs.
    /// True when the user is new.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn put(
        &self,
        aor: &str,
        secrets: Option<Secrets>,
        zone: Option<TimeZone>,
        groups: Vec<String>,
    ) -> Result<bool, ChangeError> {
        let _editing = self.editing.lock().await;
        let (known, stored) = {
            let books = self.books();
            if books.file.contains_key(aor) {
                return Err(ChangeError::InFile(aor.to_owned()));
            }
            (books.stored.get(aor).cloned(), books.stored.len())
        };
        if known.is_none() && stored >= self.most {
            return Err(ChangeError::Full(stored));
        }
        let since = known.as_ref().and_then(|user| user.since_ms).unwrap_or_else(|| self.clock.now().0);
        let is_new = known.is_none();
        let secrets = secrets
            .or(known.map(|user| user.secrets))
            .ok_or_else(|| ChangeError::NoSecret(aor.to_owned()))?;
        let name = zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned);
        let value = StoredUser::new(self.realm.clone(), &secrets, name, groups.clone(), since).encode();
        let key = Bytes::copy_from_slice(aor.as_bytes());
        self.commit(Op::Put { table: Table::Users, key, value }).await?;
        self.edit(|books| {
            books.stored.insert(aor.into(), User { secrets, zone, groups, since_ms: Some(since) })
        });
        count(&self.metrics.user_changes, "change", if is_new { "added" } else { "changed" });
        Ok(is_new)
    }

    /// Forgets a stored user.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn remove(&self, aor: &str) -> Result<(), ChangeError> {
        let _editing = self.editing.lock().await;
        {
            let books = self.books();
            if books.file.contains_key(aor) {
                return Err(ChangeError::InFile(aor.to_owned()));
            }
            if !books.stored.contains_key(aor) {
                return Err(ChangeError::Unknown(aor.to_owned()));
            }
        }
        self.commit(Op::Delete { table: Table::Users, key: Bytes::copy_from_slice(aor.as_bytes()) }).await?;
        self.edit(|books| books.stored.remove(aor));
        count(&self.metrics.user_changes, "change", "removed");
        Ok(())
    }

    async fn commit(&self, op: Op) -> Result<(), StoreFailed> {
        match &self.store {
            Some(store) => store.commit(vec![op]).await,
            None => Ok(()),
        }
    }

    fn books(&self) -> RwLockReadGuard<'_, Books> {
        // A map is whole even after a panic beside it.
        self.books.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn edit<T>(&self, change: impl FnOnce(&mut Books) -> T) {
        change(&mut self.books.write().unwrap_or_else(PoisonError::into_inner));
        self.measure();
    }

    fn measure(&self) {
        let books = self.books();
        self.metrics.users.set((books.file.len() + books.stored.len()) as i64);
    }
}

impl Users for Directory {
    /// A name without a domain is looked for in each domain, in the order of the configuration.
    fn account(&self, username: &str) -> Option<Account> {
        let books = self.books();
        let account = |aor: &Arc<str>, ha1: &Ha1| Account { aor: Arc::clone(aor), ha1: ha1.clone() };
        if username.contains('@') {
            let (aor, user) = books.find(&format!("sip:{username}"))?;
            return Some(account(aor, user.secrets.full.as_ref()?));
        }
        let mut found =
            self.domains.iter().filter_map(|domain| books.find(&format!("sip:{username}@{domain}")));
        found.next().map(|(aor, user)| account(aor, &user.secrets.name))
    }

    fn exists(&self, aor: &str) -> bool {
        self.books().find(aor).is_some()
    }

    fn profile(&self, aor: &str) -> Profile {
        let groups = self.books().find(aor).map(|(_, user)| user.groups.clone()).unwrap_or_default();
        Profile { tenant: self.tenants.of(aor).to_owned(), groups, locale: None }
    }
}

fn load(store: &dyn Store, realm: &str) -> Result<Book, StoreError> {
    let mut book = Book::new();
    let mut elsewhere = 0_usize;
    for (key, value) in crate::store::rows(store, Table::Users)? {
        let user = StoredUser::decode(&value).and_then(|user| Some((user.secrets()?, user)));
        let (Ok(aor), Some((secrets, user))) = (String::from_utf8(key), user) else {
            tracing::error!("a stored user cannot be read; it stays in the store");
            continue;
        };
        elsewhere += usize::from(user.realm != realm);
        let zone = user.timezone.as_deref().and_then(zone);
        book.insert(aor.into(), User { secrets, zone, groups: user.groups, since_ms: Some(user.since_ms) });
    }
    if elsewhere > 0 {
        tracing::warn!(
            users = elsewhere,
            realm,
            "users were stored under another realm and cannot log in: set their passwords anew, or set server.realm back"
        );
    }
    Ok(book)
}
