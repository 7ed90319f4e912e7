//! A store that ends with the process: for tests, and for `serve` without a data folder.

use super::{Op, Store, StoreError, Table};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Keeps everything in a map.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: BTreeMap<(Table, Bytes), Bytes>,
}

impl Store for MemoryStore {
    fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError> {
        for op in ops {
            match op {
                Op::Put { table, key, value } => {
                    self.rows.insert((*table, key.clone()), value.clone());
                }
                Op::Delete { table, key } => {
                    self.rows.remove(&(*table, key.clone()));
                }
            }
        }
        Ok(())
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        let rows = self.rows.range((table, Bytes::new())..);
        for ((_, key), value) in rows.take_while(|((of, _), _)| *of == table) {
            visit(key, value);
        }
        Ok(())
    }
}
