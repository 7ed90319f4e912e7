//! Where state is kept, behind a trait small enough to be replaced.
//!
//! ```text
//!   shard 0 --ops--+                       +-- MemoryStore (tests, no data folder)
//!   shard 1 --ops--+--> writer thread -----+
//!   API     --ops--+    one commit for     +-- RedbStore   (DATA/tributary.redb)
//!                       all that wait
//! ```
//!
//! A [`Writer`] owns the store on a thread of its own. Whoever has changes hands them over and
//! waits; everything that arrived while the last commit ran goes into the next one (group commit).
//! An answer that promises something leaves only after that.

mod file;
mod memory;
mod redb;
mod writer;

pub use self::memory::MemoryStore;
pub use self::redb::{FILE_NAME, RedbStore};
pub(crate) use self::writer::rows;
pub use self::writer::{StoreFailed, Writer};

use bytes::Bytes;
use std::path::PathBuf;

/// The version of what is stored. A store with a higher one is refused.
pub const FORMAT: u32 = 1;

/// One table: keys and values are bytes that carry their own version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// The audit log of policies, a line under each number.
    Audit,
    /// Active assignments of policies to scopes, with their history.
    Assignments,
    /// Whom users know.
    Contacts,
    /// The format's version, the server's secret, counters that must not go back.
    Meta,
    /// Uploaded policy files, by their SHA-256.
    Policies,
    /// Live publications.
    Publications,
    /// Live bindings.
    Registrations,
    /// Live subscriptions.
    Subscriptions,
    /// Users beside those of the configuration.
    Users,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 9] = [
        Self::Audit,
        Self::Assignments,
        Self::Contacts,
        Self::Meta,
        Self::Policies,
        Self::Publications,
        Self::Registrations,
        Self::Subscriptions,
        Self::Users,
    ];

    /// The table's name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Assignments => "assignments",
            Self::Contacts => "contacts",
            Self::Meta => "meta",
            Self::Policies => "policies",
            Self::Publications => "publications",
            Self::Registrations => "registrations",
            Self::Subscriptions => "subscriptions",
            Self::Users => "users",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sets `key` to `value`.
    Put {
        /// The table.
        table: Table,
        /// The key.
        key: Bytes,
        /// The new value.
        value: Bytes,
    },
    /// Removes `key`; a missing one is no error.
    Delete {
        /// The table.
        table: Table,
        /// The key.
        key: Bytes,
    },
}

/// What can be wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "{} is in use by another process; stop that one, or give this one another data folder",
        .0.display()
    )]
    Locked(PathBuf),
    /// The file is not what was written.
    #[error(
        "{} is damaged ({detail}); restore it from a copy, or move it away to start empty", .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        detail: String,
    },
    /// A later release wrote it.
    #[error(
        "{} was written by a newer release (format {found}, this one reads up to {FORMAT}); \
         start that release, or give this one another data folder", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: u32,
    },
    /// The file or its folder cannot be used.
    #[error("cannot use {}: {source}; check that the folder can be written by this user", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A change could not be committed.
    #[error("the store refused a commit: {0}")]
    Commit(String),
}

/// A place for state.
pub trait Store: Send {
    /// Commits all of `ops`, in order, or none. When it returns, they survive what the store promises.
    ///
    /// # Errors
    /// The commit failed; nothing of it may be relied on.
    fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError>;

    /// Shows every key and value of `table`, in the order of the keys.
    ///
    /// # Errors
    /// The table cannot be read.
    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError>;
}
