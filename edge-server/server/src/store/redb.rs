//! The embedded store: one file, copy-on-write B-trees, one writer.

use super::file::Unsynced;
use super::{FORMAT, Op, Store, StoreError, Table};
use crate::config::Durability;
use crate::private;
use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability as Commit, ReadableDatabase as _, ReadableTable as _,
    StorageError, TableDefinition,
};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// The file's name inside the data folder.
pub const FILE_NAME: &str = "tributary.redb";

/// Pages kept in memory. State itself lives in the shards, and the system caches the file; this only
/// serves the commit that is being written.
const CACHE_BYTES: usize = 2 << 20;

const FORMAT_KEY: &[u8] = b"format";

/// State in `DATA/tributary.redb`.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
    path: PathBuf,
}

impl RedbStore {
    /// Opens the store in `folder`, which is made when it is missing. What stands in it lets one log in
    /// as any user, so that a folder made here and the file are their owner's alone, whatever the umask.
    ///
    /// # Errors
    /// See [`StoreError`]: locked, damaged, from a newer release, not writable.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, StoreError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { path, source }
        };
        private::make_folder(folder).map_err(io(folder))?;
        let path = folder.join(FILE_NAME);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = private::open(&mut options, &path).map_err(io(&path))?;
        let backend = FileBackend::new(file).map_err(|error| opening(&path, error))?;
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let database = match durability {
            Durability::Process => builder.create_with_backend(Unsynced(backend)),
            Durability::Fsync => builder.create_with_backend(backend),
        }
        .map_err(|error| opening(&path, error))?;
        let mut store = Self { database, path };
        store.check_format()?;
        Ok(store)
    }

    /// Refuses what a newer release wrote; marks a new file with today's format.
    fn check_format(&mut self) -> Result<(), StoreError> {
        let mut found = None;
        self.scan(Table::Meta, &mut |key, value| {
            if key == FORMAT_KEY {
                found = Some(<[u8; 4]>::try_from(value).map(u32::from_be_bytes));
            }
        })?;
        match found {
            Some(Ok(format)) if format > FORMAT => {
                Err(StoreError::Newer { path: self.path.clone(), found: format })
            }
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) => Err(self.corrupt("the format's version is not a number")),
            None => self.commit(&[Op::Put {
                table: Table::Meta,
                key: Bytes::from_static(FORMAT_KEY),
                value: Bytes::copy_from_slice(&FORMAT.to_be_bytes()),
            }]),
        }
    }

    fn corrupt(&self, detail: impl ToString) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), detail: detail.to_string() }
    }

    fn write(&self, ops: &[Op]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Commit::Immediate)?;
        for table in Table::ALL {
            let mut ops = ops.iter().filter(|op| op.table() == table).peekable();
            if ops.peek().is_none() {
                continue;
            }
            let mut open = transaction.open_table(definition(table))?;
            for op in ops {
                match op {
                    Op::Put { key, value, .. } => drop(open.insert(&key[..], &value[..])?),
                    Op::Delete { key, .. } => drop(open.remove(&key[..])?),
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Store for RedbStore {
    fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        self.write(ops).map_err(|error| StoreError::Commit(error.to_string()))
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let read = self.database.begin_read().map_err(|error| self.corrupt(error))?;
        let open = match read.open_table(definition(table)) {
            Ok(open) => open,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(self.corrupt(error)),
        };
        for row in open.iter().map_err(|error| self.corrupt(error))? {
            let (key, value) = row.map_err(|error| self.corrupt(error))?;
            visit(key.value(), value.value());
        }
        Ok(())
    }
}

impl Op {
    fn table(&self) -> Table {
        match self {
            Self::Put { table, .. } | Self::Delete { table, .. } => *table,
        }
    }
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

fn opening(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Locked(path.to_owned()),
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() != std::io::ErrorKind::InvalidData
                && source.kind() != std::io::ErrorKind::UnexpectedEof =>
        {
            StoreError::Io { path: path.to_owned(), source }
        }
        other => StoreError::Corrupt { path: path.to_owned(), detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(table: Table, key: &str, value: &str) -> Op {
        Op::Put {
            table,
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Bytes::copy_from_slice(value.as_bytes()),
        }
    }

    fn rows(store: &dyn Store, table: Table) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        store.scan(table, &mut |key, value| rows.push((text(key), text(value)))).unwrap();
        rows
    }

    #[test]
    fn what_was_committed_is_there_after_reopening() {
        for durability in [Durability::Process, Durability::Fsync] {
            let folder = tempfile::tempdir().unwrap();
            let mut store = RedbStore::open(folder.path(), durability).unwrap();
            store.commit(&[put(Table::Users, "a", "1"), put(Table::Publications, "a", "2")]).unwrap();
            let delete = Op::Delete { table: Table::Users, key: Bytes::from_static(b"a") };
            store.commit(&[delete, put(Table::Users, "b", "3")]).unwrap();
            drop(store);
            let store = RedbStore::open(folder.path(), durability).unwrap();
            assert_eq!(rows(&store, Table::Users), [("b".to_owned(), "3".to_owned())]);
            assert_eq!(rows(&store, Table::Publications), [("a".to_owned(), "2".to_owned())]);
            assert_eq!(rows(&store, Table::Registrations), []);
        }
    }

    #[test]
    fn memory_and_file_show_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = RedbStore::open(folder.path(), Durability::Process).unwrap();
        let mut memory = MemoryStore::default();
        use super::super::MemoryStore;
        let ops: Vec<Op> = (0..50)
            .flat_map(|n| [put(Table::Users, &format!("u{}", n % 7), &n.to_string())])
            .chain([Op::Delete { table: Table::Users, key: Bytes::from_static(b"u3") }])
            .collect();
        file.commit(&ops).unwrap();
        memory.commit(&ops).unwrap();
        for table in [Table::Users, Table::Policies] {
            assert_eq!(rows(&file, table), rows(&memory, table));
        }
    }

    #[test]
    fn a_second_opener_is_told_that_the_file_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let first = RedbStore::open(folder.path(), Durability::Process).unwrap();
        let error = RedbStore::open(folder.path(), Durability::Process).unwrap_err();
        assert!(matches!(error, StoreError::Locked(_)), "{error}");
        assert!(error.to_string().contains("another process"), "{error}");
        drop(first);
        RedbStore::open(folder.path(), Durability::Process).unwrap();
    }

    #[test]
    fn a_file_that_is_no_store_is_called_damaged() {
        for content in [&b"this is not a store at all"[..], &[0xA5; 100_000]] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(FILE_NAME), content).unwrap();
            let error = RedbStore::open(folder.path(), Durability::Process).unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
            assert!(error.to_string().contains("damaged"), "{error}");
        }
    }

    #[test]
    fn a_store_of_a_newer_release_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = RedbStore::open(folder.path(), Durability::Process).unwrap();
        let newer = Op::Put {
            table: Table::Meta,
            key: Bytes::from_static(FORMAT_KEY),
            value: Bytes::copy_from_slice(&9_u32.to_be_bytes()),
        };
        store.commit(&[newer]).unwrap();
        drop(store);
        let error = RedbStore::open(folder.path(), Durability::Process).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 9, .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_store_is_its_owners_alone_also_where_an_older_release_left_it_open() {
        use std::fs::{Permissions, metadata, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("made/here");
        let file = data.join(FILE_NAME);
        drop(RedbStore::open(&data, Durability::Process).unwrap());
        assert_eq!((mode(&data), mode(&file)), (0o700, 0o600));
        for (path, left) in [(&data, 0o755), (&file, 0o644)] {
            set_permissions(path, Permissions::from_mode(left)).unwrap();
        }
        drop(RedbStore::open(&data, Durability::Process).unwrap());
        assert_eq!((mode(&data), mode(&file)), (0o755, 0o600), "a folder that was there is the operator's");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a-file");
        std::fs::write(&file, b"").unwrap();
        let error = RedbStore::open(&file.join("below"), Durability::Process).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert!(error.to_string().contains("a-file"), "{error}");
    }
}
