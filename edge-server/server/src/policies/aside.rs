//! Policies that take long run beside the shards, on threads of their own: what a shard's other users send does not
//! stand behind them.
//!
//! ```text
//!   shard ── question, the policy takes long ──▶ queue ──▶ thread, of lower priority ── answer ──▶ shard
//!         ── question, it does not, or the queue is full: asked in the shard
//! ```
//! Going there and back takes longer than most calls, so those stay in the shard. Where the queue is full the shard
//! waits for its own calls, as it would without: an operator's policy that takes long, over all presentities, then
//! slows the sweep that asks it. A tenant's calls are paid for when they are begun, so what waits here of a
//! tenant is no more than its share of a second.

use super::call::{Calls, Question};
use super::snapshot::{Entry, Generation};
use crate::shards::Shards;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tributary_engine::{Hook, Ran};

/// Calls that wait at most; each with its input, of 64 KiB at most.
const QUEUE: usize = 256;

/// How much these threads stand back: a tenth of what any other thread gets, where all want the processor.
const NICE: i32 = 10;

/// A call for these threads.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) calls: Arc<Calls>,
    pub(super) aor: Arc<str>,
    pub(super) tenant: String,
    pub(super) generation: Generation,
    pub(super) entry: Arc<Entry>,
    pub(super) hook: Hook,
    pub(super) input: Vec<u8>,
    /// The engine's number for it.
    pub(super) number: u64,
    /// What its tenant has paid for it already.
    pub(super) paid: Duration,
}

impl Call {
    /// Makes it, on the thread that calls this.
    pub(super) fn make(&self) -> Ran {
        let Self { calls, aor, tenant, generation, entry, hook, input, paid, .. } = self;
        let ran = calls.make(&Question { aor, tenant, generation, entry, input }, *hook);
        calls.pay_back(tenant, *paid);
        ran
    }
}

/// The way to the threads. They end when the last of it is gone.
#[derive(Clone, Debug)]
pub struct Aside(SyncSender<Box<Call>>);

impl Aside {
    /// Starts as many threads as there are processors, which answer to these shards.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn start(shards: &Shards) -> io::Result<Self> {
        let (way, waiting) = sync_channel(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let runtime = tokio::runtime::Handle::current();
        for number in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (waiting, shards, runtime) = (Arc::clone(&waiting), shards.clone(), runtime.clone());
            thread::Builder::new().name(format!("policies-{number}")).spawn(move || {
                // What a breaker notes goes to the runtime's tasks.
                let _inside = runtime.enter();
                stand_back();
                while let Some(call) = next(&waiting) {
                    call.calls.metrics.policy_calls_aside.inc();
                    let ran = call.make();
                    shards.policy_answered(call.aor, call.number, ran);
                }
            })?;
        }
        Ok(Self(way))
    }

    /// The way to threads that are all busy for ever, with room for so many calls; what waits is kept by the other.
    #[cfg(test)]
    pub(super) fn busy(room: usize) -> (Self, Receiver<Box<Call>>) {
        let (way, waiting) = sync_channel(room);
        (Self(way), waiting)
    }

    /// Puts a call down for these threads, or gives it back where too many wait.
    pub(super) fn offer(&self, call: Box<Call>) -> Result<(), Box<Call>> {
        self.0.try_send(call).map_err(|(TrySendError::Full(call) | TrySendError::Disconnected(call))| call)
    }
}

fn next(waiting: &Mutex<Receiver<Box<Call>>>) -> Option<Box<Call>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Lowers the priority of this thread; where that cannot be done it competes like all others.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "policies that take long run at the usual priority");
    }
}
