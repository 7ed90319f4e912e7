//! The thread that owns the store: everything that waits goes into one commit.

use super::{Op, Store, StoreError, Table};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Hand-overs that may wait for the writer. A shard waits for its commit before it takes more
/// work, so at most one a shard and one an API call are ever in line.
const QUEUE: usize = 1_024;

/// Changes that one commit takes at most, so that a burst does not starve the first in line.
const MOST_OPS: usize = 4_096;

/// The store can no longer be written: nothing that depends on it may be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot be written")]
pub struct StoreFailed;

struct Job {
    ops: Vec<Op>,
    done: oneshot::Sender<Result<(), StoreFailed>>,
}

enum Order {
    Commit(Job),
    Stop,
}

/// A handle to the writer's thread. Clones share it; the thread ends when it is told to, or when the
/// last is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    jobs: mpsc::SyncSender<Order>,
}

impl Writer {
    /// Moves `store` to a thread of its own. `observe` hears of each commit: how many changes,
    /// how long it took, and what went wrong.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        mut store: Box<dyn Store>,
        mut observe: impl FnMut(usize, std::time::Duration, Option<&StoreError>) + Send + 'static,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            let mut stop = false;
            while !stop && let Ok(Order::Commit(first)) = queue.recv() {
                let mut ops = first.ops;
                let mut waiting = vec![first.done];
                while ops.len() < MOST_OPS {
                    let next = match queue.try_recv() {
                        Ok(Order::Commit(next)) => next,
                        Ok(Order::Stop) => {
                            stop = true;
                            break;
                        }
                        Err(_) => break,
                    };
                    ops.extend(next.ops);
                    waiting.push(next.done);
                }
                let started = std::time::Instant::now();
                let result = store.commit(&ops);
                observe(ops.len(), started.elapsed(), result.as_ref().err());
                for done in waiting {
                    // Whoever no longer waits does not mind.
                    let _ = done.send(if result.is_ok() { Ok(()) } else { Err(StoreFailed) });
                }
            }
        })?;
        Ok((Self { jobs }, thread))
    }

    /// Commits `ops` together with whatever else is waiting.
    ///
    /// # Errors
    /// The commit failed, or the writer is gone.
    pub async fn commit(&self, ops: Vec<Op>) -> Result<(), StoreFailed> {
        if ops.is_empty() {
            return Ok(());
        }
        let (done, committed) = oneshot::channel();
        // The queue is longer than all that can wait in it; a full one is a fault, not a delay.
        self.jobs.try_send(Order::Commit(Job { ops, done })).map_err(|_| StoreFailed)?;
        committed.await.unwrap_or(Err(StoreFailed))
    }

    /// Ends the thread once what waits is committed, whoever still holds a handle: their commits fail
    /// from then on. Waits while the queue is full, so not for a task of the runtime.
    pub fn stop(&self) {
        // A thread that has ended needs no order.
        let _ = self.jobs.send(Order::Stop);
    }
}

/// A key and its value.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// Everything in the store, table by table, for the start.
///
/// # Errors
/// A table cannot be read.
pub(crate) fn rows(store: &dyn Store, table: Table) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    store.scan(table, &mut |key, value| rows.push((key.to_vec(), value.to_vec())))?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use std::sync::{Arc, Mutex};

    /// Blocks its first commit until told to go on, and notes the size of each.
    struct Slow {
        gate: Option<mpsc::Receiver<()>>,
        sizes: Arc<Mutex<Vec<usize>>>,
        inner: MemoryStore,
    }

    impl Store for Slow {
        fn commit(&mut self, ops: &[Op]) -> Result<(), StoreError> {
            if let Some(gate) = self.gate.take() {
                gate.recv().unwrap();
            }
            self.sizes.lock().unwrap().push(ops.len());
            self.inner.commit(ops)
        }

        fn scan(&self, table: Table, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
            self.inner.scan(table, visit)
        }
    }

    fn op(n: u8) -> Op {
        Op::Put { table: Table::Users, key: vec![n].into(), value: Default::default() }
    }

    #[tokio::test]
    async fn all_that_waits_goes_into_one_commit() {
        let (go, gate) = mpsc::channel();
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let store = Slow { gate: Some(gate), sizes: Arc::clone(&sizes), inner: MemoryStore::default() };
        let (writer, thread) = Writer::start(Box::new(store), |_, _, _| {}).unwrap();
        let waiting: Vec<_> = (0..20)
            .map(|n| {
                let writer = writer.clone();
                tokio::spawn(async move { writer.commit(vec![op(n)]).await })
            })
            .collect();
        // One worker thread: every task has handed its change over once this one runs again.
        tokio::task::yield_now().await;
        go.send(()).unwrap();
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        drop(writer);
        thread.join().unwrap();
        let sizes = sizes.lock().unwrap();
        assert_eq!(sizes.iter().sum::<usize>(), 20);
        assert!(sizes.len() <= 2, "20 changes took {} commits", sizes.len());
    }

    #[tokio::test]
    async fn the_thread_ends_when_told_to_although_a_handle_is_left() {
        let (writer, thread) = Writer::start(Box::new(MemoryStore::default()), |_, _, _| {}).unwrap();
        assert_eq!(writer.commit(vec![op(1)]).await, Ok(()));
        writer.stop();
        thread.join().unwrap();
        assert_eq!(writer.commit(vec![op(2)]).await, Err(StoreFailed));
    }

    #[tokio::test]
    async fn a_failed_commit_is_reported_to_everyone_in_it() {
        struct Broken;
        impl Store for Broken {
            fn commit(&mut self, _: &[Op]) -> Result<(), StoreError> {
                Err(StoreError::Commit("disk full".to_owned()))
            }
            fn scan(&self, _: Table, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
                Ok(())
            }
        }
        let (writer, _thread) = Writer::start(Box::new(Broken), |_, _, _| {}).unwrap();
        assert_eq!(writer.commit(vec![op(1)]).await, Err(StoreFailed));
        assert_eq!(writer.commit(vec![]).await, Ok(()), "nothing to commit needs no store");
    }
}
