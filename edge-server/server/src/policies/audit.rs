//! The audit log: what became of policies, one line a step, each with the hash of the line before.
//!
//! ```text
//!   {"seq":7,"at_ms":..,"prev":"9f..","who":"operator","action":"assign","scope":"domain:example.com",..}
//!                         │
//!                         └── SHA-256 of line 6, of its very bytes
//! ```
//! A line is committed with the change that it tells of, so that neither is there without the other. Beside the
//! lines stands how far they reach, so that the last cannot be taken away unseen. Who can write the store can
//! also write all of it anew; against that helps a head that was noted elsewhere ([`verify`]).
//!
//! Of each step it says who, when and what; of parameters, which may be personal, only the hash.

use crate::metrics::Metrics;
use crate::store::{Op, Store, StoreError, Table, rows};
use bytes::Bytes;
use merge_core::time::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::snapshot::{Entry, Generation, hex};
use super::write_scope;
use tributary_engine::Scope;

/// Where it stands how far the lines reach.
const HEAD_KEY: &[u8] = b"policy-audit";

/// Who did what the server did by itself.
pub(crate) const SERVER: &str = "server";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Upload,
    UploadRefused,
    /// A file that was kept already was signed.
    Sign,
    Remove,
    Assign,
    AssignRefused,
    /// Something is on trial, or its share was changed.
    Canary,
    /// What was on trial is in force.
    Activate,
    /// What was on trial is there no more.
    Withdraw,
    Unassign,
    Rollback,
    /// A breaker opened.
    Open,
    Quarantine,
    /// The merges of a presentity are captured, until then.
    Capture,
    /// No more, and what was kept is forgotten.
    EndCapture,
}

/// One step, but for its place in the log.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    pub(super) action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<String>,
    /// The SHA-256 of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<u8>,
    /// Whether it runs beside what the others go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shadow: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) params_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) locked: Option<bool>,
    /// When what was begun ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until_ms: Option<i64>,
    /// Why, in words or codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

impl Step {
    /// A step about nothing yet.
    pub(super) fn new(action: Action) -> Self {
        Self {
            action,
            scope: None,
            tenant: None,
            policy: None,
            name: None,
            signed_by: None,
            generation: None,
            percent: None,
            shadow: None,
            params_sha256: None,
            locked: None,
            until_ms: None,
            why: None,
        }
    }

    pub(super) fn of_user(action: Action, aor: &str) -> Self {
        Self { scope: Some(write_scope(&Scope::User(aor.to_owned()))), ..Self::new(action) }
    }

    pub(super) fn of_entry(self, entry: &Entry) -> Self {
        Self {
            tenant: (!entry.tenant.is_empty()).then(|| entry.tenant.to_string()),
            policy: Some(hex(&entry.id())),
            name: Some(entry.name.to_string()),
            signed_by: entry.signed_by.as_deref().map(str::to_owned),
            ..self
        }
    }

    pub(super) fn of_generation(self, scope: String, generation: &Generation) -> Self {
        let policy = generation.policy.as_deref();
        let built_in = generation.built_in.map(|merge| super::stored::built_in_name(merge).to_owned());
        Self {
            scope: Some(scope),
            policy: policy.map(Entry::id).or(generation.lost).map(|id| hex(&id)),
            name: policy.map(|policy| policy.name.to_string()).or(built_in),
            signed_by: policy.and_then(|policy| policy.signed_by.as_deref()).map(str::to_owned),
            generation: Some(generation.number),
            params_sha256: policy.map(|_| hex(&Sha256::digest(generation.params.as_bytes()))),
            locked: generation.locked.then_some(true),
            ..self
        }
    }

    pub(super) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }
}

/// How a line begins, which is all that the chain is made of.
#[derive(Debug, Serialize, Deserialize)]
struct Link {
    seq: u64,
    at_ms: i64,
    prev: String,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    link: Link,
    who: &'a str,
    #[serde(flatten)]
    step: &'a Step,
}

/// How far the lines reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The oldest line that is kept.
    pub first: u64,
    /// The newest line; 0 where there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// The log.
#[derive(Debug)]
pub struct Audit(Mutex<Chain>);

#[derive(Debug)]
struct Chain {
    head: Head,
    lines: VecDeque<Arc<str>>,
    /// Lines that are kept.
    most: usize,
}

/// A line that is to be added once it is committed.
#[derive(Debug)]
pub(super) struct Prepared {
    line: Arc<str>,
    head: Head,
    /// What is to be committed for it.
    pub(super) ops: Vec<Op>,
}

impl Audit {
    /// The lines of the store; a chain that is broken is said in the log and in a metric, and goes on.
    pub(super) fn open(
        stored: Option<&dyn Store>,
        most: usize,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let mut chain = Chain { head: Head { first: 1, ..Head::default() }, lines: VecDeque::new(), most };
        if let Some(stored) = stored {
            for (_, line) in rows(stored, Table::Audit)? {
                chain.lines.push_back(String::from_utf8_lossy(&line).into());
            }
            let head = rows(stored, Table::Meta)?.into_iter().find(|(key, _)| key == HEAD_KEY);
            if let Some(head) = head.and_then(|(_, value)| serde_json::from_slice(&value).ok()) {
                chain.head = head;
            }
            if let Err(broken) = verify(&chain.head, chain.lines.iter().map(|line| &**line)) {
                metrics.policy_audit_broken.set(1);
                tracing::error!(%broken, "the audit log of policies is not what was written");
            }
        }
        Ok(Self(Mutex::new(chain)))
    }

    /// The next line.
    pub(super) fn prepare(&self, now: Millis, who: &str, step: &Step) -> Prepared {
        let chain = self.chain();
        let Head { first, seq, hash } = chain.head.clone();
        let seq = seq + 1;
        let line = Line { link: Link { seq, at_ms: now.0, prev: hash }, who, step };
        // Strings and numbers: this cannot fail.
        let line: Arc<str> = serde_json::to_string(&line).unwrap_or_default().into();
        let excess = (chain.lines.len() + 1).saturating_sub(chain.most.max(1)) as u64;
        let head = Head { first: first + excess, seq, hash: hash_of(&line) };
        let key = |seq: u64| Bytes::copy_from_slice(&seq.to_be_bytes());
        let mut ops: Vec<Op> =
            (first..head.first).map(|gone| Op::Delete { table: Table::Audit, key: key(gone) }).collect();
        let value = Bytes::copy_from_slice(line.as_bytes());
        ops.push(Op::Put { table: Table::Audit, key: key(seq), value });
        let value = serde_json::to_vec(&head).unwrap_or_default().into();
        ops.push(Op::Put { table: Table::Meta, key: Bytes::from_static(HEAD_KEY), value });
        Prepared { line, head, ops }
    }

    /// The line was committed.
    pub(super) fn add(&self, prepared: Prepared) {
        let mut chain = self.chain();
        let gone = prepared.head.first.saturating_sub(chain.head.first);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(chain.lines.len());
        chain.lines.drain(..gone);
        chain.lines.push_back(prepared.line);
        chain.head = prepared.head;
    }

    /// At most `most` lines after line `after`, the oldest first, and how far all of them reach.
    pub fn page(&self, after: u64, most: usize) -> (Vec<Arc<str>>, Head) {
        let chain = self.chain();
        let skip = usize::try_from((after + 1).saturating_sub(chain.head.first)).unwrap_or(usize::MAX);
        (chain.lines.iter().skip(skip).take(most).cloned().collect(), chain.head.clone())
    }

    fn chain(&self) -> std::sync::MutexGuard<'_, Chain> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash of a line, which the next one carries.
pub fn hash_of(line: &str) -> String {
    hex(&Sha256::digest(line.as_bytes()))
}

/// Where a log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {seq}: {why}")]
pub struct Broken {
    /// The line.
    pub seq: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Whether these are all the lines up to `head`, in their order, each as it was written.
///
/// # Errors
/// The first line that is not.
pub fn verify<'l>(head: &Head, lines: impl IntoIterator<Item = &'l str>) -> Result<(), Broken> {
    let mut expected = head.first;
    let mut before: Option<String> = None;
    for line in lines {
        let broken = |seq, why| Err(Broken { seq, why });
        let Ok(link) = serde_json::from_str::<Link>(line) else {
            return broken(expected, "it cannot be read");
        };
        if link.seq != expected {
            return broken(expected, "it is missing, or not in its place");
        }
        if before.as_ref().is_some_and(|before| *before != link.prev) {
            return broken(expected - 1, "it was changed: the next line carries another hash");
        }
        before = Some(hash_of(line));
        expected += 1;
    }
    if expected != head.seq + 1 {
        return Err(Broken { seq: expected, why: "it is missing" });
    }
    match before {
        Some(hash) if hash != head.hash => {
            Err(Broken { seq: head.seq, why: "it was changed: its hash is not the one that was noted" })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use crate::metrics::Exposition;
    use crate::store::MemoryStore;

    /// A log of so many lines, of which `most` are kept, and what is stored of it.
    fn log(lines: u64, most: usize) -> (Audit, MemoryStore) {
        let (metrics, mut store) = (Exposition::default().metrics, MemoryStore::default());
        let audit = Audit::open(None, most, &metrics).unwrap();
        for number in 0..lines {
            let step = Step::new(Action::Upload).because(number.to_string());
            let prepared = audit.prepare(Millis(number as i64), "ann", &step);
            store.commit(&prepared.ops).unwrap();
            audit.add(prepared);
        }
        (audit, store)
    }

    fn verified(head: &Head, lines: &[Arc<str>]) -> Result<(), u64> {
        verify(head, lines.iter().map(|line| &**line)).map_err(|broken| broken.seq)
    }

    #[test]
    fn a_line_that_was_changed_removed_or_moved_is_found() {
        let (lines, head) = log(5, 100).0.page(0, 100);
        assert_eq!(verified(&head, &lines), Ok(()));
        assert!(
            lines[0].starts_with(r#"{"seq":1,"at_ms":0,"prev":"","who":"ann","action":"upload""#),
            "{}",
            lines[0]
        );
        for at in 0..5_usize {
            let seq = at as u64 + 1;
            let mut changed = lines.clone();
            changed[at] = changed[at].replace("ann", "bob").into();
            assert_eq!(verified(&head, &changed), Err(seq), "line {seq} was changed");
            let mut removed = lines.clone();
            removed.remove(at);
            assert_eq!(verified(&head, &removed), Err(seq), "line {seq} was removed");
            let mut moved = lines.clone();
            moved.swap(at, (at + 1) % 5);
            assert_eq!(verified(&head, &moved), Err(if at == 4 { 1 } else { seq }), "line {seq} was moved");
        }
        let mut added = lines.clone();
        added.push(lines[4].clone());
        assert_eq!(verified(&head, &added), Err(6), "the last line twice");
        assert_eq!(verified(&head, &[]), Err(1));
        assert_eq!(verified(&head, &["{".into()]), Err(1));
    }

    #[test]
    fn the_oldest_lines_go_when_there_are_too_many_and_the_rest_can_still_be_verified() {
        let (audit, store) = log(25, 10);
        let (lines, head) = audit.page(0, 100);
        assert_eq!((lines.len(), head.first, head.seq), (10, 16, 25));
        assert_eq!(verified(&head, &lines), Ok(()));
        assert_eq!(verified(&head, &lines[1..]), Err(16), "the oldest that is kept");
        assert_eq!(rows(&store, Table::Audit).unwrap().len(), 10);
        let page = audit.page(20, 3).0;
        assert!(page.len() == 3 && page[0].starts_with(r#"{"seq":21,"#), "{page:?}");

        // After a restart the chain goes on where it was, and with fewer lines if that is asked for.
        let exposition = Exposition::default();
        let again = Audit::open(Some(&store), 4, &exposition.metrics).unwrap();
        assert_eq!(again.page(0, 100), audit.page(0, 100));
        let prepared = again.prepare(Millis(99), "ann", &Step::new(Action::Remove));
        again.add(prepared);
        let (lines, head) = again.page(0, 100);
        assert_eq!((lines.len(), head.first, head.seq, verified(&head, &lines)), (4, 23, 26, Ok(())));
        assert_eq!(exposition.metrics.policy_audit_broken.get(), 0);
    }

    #[test]
    fn a_store_that_somebody_has_written_to_is_told_at_the_start() {
        let (_, mut store) = log(5, 100);
        let key = Bytes::copy_from_slice(&5_u64.to_be_bytes());
        store.commit(&[Op::Delete { table: Table::Audit, key }]).unwrap();
        let exposition = Exposition::default();
        Audit::open(Some(&store), 100, &exposition.metrics).unwrap();
        assert_eq!(exposition.metrics.policy_audit_broken.get(), 1);
    }
}
