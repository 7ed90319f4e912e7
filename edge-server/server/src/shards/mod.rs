//! The shards: one task each, owning the state of the users whose address hashes to it.
//!
//! ```text
//!   connections --messages--> bounded queue --> Shard::handle --> effects
//!                                                   |               | 1. Store: one group commit, awaited
//!   other shards --notices--> control queue --------+               | 2. then sends, answers, events, in order
//! ```
//!
//! Nothing is locked while a message is handled, and nothing leaves before what it promises is
//! stored. While a shard waits for its commit its queue fills, so the next commit takes more.

mod effects;
mod events;
pub(crate) use self::events::Told;
mod task;

pub use self::effects::Performer;
pub use self::task::ShardSetup;
pub(crate) use self::task::run;

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tributary_engine::{Answer, Flow, FlowId, Hop, Input, Notice, Query, Ran, Router, Scope};
use tributary_sip::Message;

/// Inputs that may wait for one shard. Connections whose messages find it full wait to read more,
/// so a flood slows its senders down instead of filling memory.
pub const QUEUE: usize = 1_024;

/// One thing for a shard's task.
#[derive(Debug)]
pub(crate) enum Task {
    /// A message, and when it was read.
    Message(Instant, Flow, Message),
    /// For the state machine.
    Input(Input),
    /// A question, and where its answer goes.
    Query(Query, oneshot::Sender<Answer>),
    /// End, after everything before it.
    Stop,
}

/// A message whose shard's queue is full, or whose sender has to wait.
#[derive(Debug)]
pub struct Full {
    index: u16,
    /// It is too early before.
    wait: Option<Duration>,
    task: Box<Task>,
}

/// Where inputs go. Clones share the queues.
#[derive(Clone, Debug)]
pub struct Shards {
    queues: Arc<[mpsc::Sender<Task>]>,
    /// Notices between shards pass by their queues: two shards with full queues must not wait for
    /// each other. There is at most one notice a REGISTER, so the bounded queues bound these too.
    notices: Arc<[mpsc::UnboundedSender<Notice>]>,
    router: Arc<Router>,
}

/// The receiving ends of one shard.
#[derive(Debug)]
pub struct Inbox {
    pub(crate) queue: mpsc::Receiver<Task>,
    pub(crate) notices: mpsc::UnboundedReceiver<Notice>,
}

impl Shards {
    /// A queue for each of the router's shards, and their receiving ends in order.
    pub fn new(router: Router) -> (Self, Vec<Inbox>) {
        let (mut queues, mut notices, mut inboxes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..router.shards() {
            let (queue, tasks) = mpsc::channel(QUEUE);
            let (notice, heard) = mpsc::unbounded_channel();
            queues.push(queue);
            notices.push(notice);
            inboxes.push(Inbox { queue: tasks, notices: heard });
        }
        (Self { queues: queues.into(), notices: notices.into(), router: Arc::new(router) }, inboxes)
    }

    /// How many shards there are.
    pub fn count(&self) -> u16 {
        self.queues.len() as u16
    }

    /// The shard that keeps `aor`.
    pub fn shard_of(&self, aor: &str) -> u16 {
        self.router.shard_of(aor)
    }

    /// Gives a message to the shard that it belongs to.
    ///
    /// # Errors
    /// That shard's queue is full: whoever has the message waits before it reads more.
    pub fn try_message(&self, flow: Flow, message: Message) -> Result<(), Full> {
        let index = self.router.shard(&message);
        let Some(queue) = self.queues.get(usize::from(index)) else { return Ok(()) };
        match queue.try_send(Task::Message(Instant::now(), flow, message)) {
            Err(mpsc::error::TrySendError::Full(task)) => {
                Err(Full { index, wait: None, task: Box::new(task) })
            }
            // A shard that has ended takes nothing more: the server stops.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// A message that is given to its shard when its sender has waited for so long.
    pub(crate) fn after(&self, wait: Duration, flow: Flow, message: Message) -> Full {
        let index = self.router.shard(&message);
        // What it waits for its sender's sake is not for want of time.
        let task = Task::Message(Instant::now() + wait, flow, message);
        Full { index, wait: Some(wait), task: Box::new(task) }
    }

    /// Gives what found a queue full, or came too early, in its turn.
    pub async fn give_when_there_is_room(&self, full: Full) {
        if let Some(wait) = full.wait {
            tokio::time::sleep(wait).await;
        }
        self.give(full.index, *full.task).await;
    }

    /// Tells every shard that a connection has ended.
    pub async fn flow_closed(&self, flow: FlowId) {
        for index in 0..self.count() {
            self.give(index, Task::Input(Input::FlowClosed { flow })).await;
        }
    }

    /// Tells every shard that another policy is in force.
    pub async fn policy_changed(&self, scope: &Scope) {
        for index in 0..self.count() {
            self.give(index, Task::Input(Input::PolicyChanged { scope: scope.clone() })).await;
        }
    }

    /// Tells the shard that keeps `aor` what became of a question to a policy. From a thread that may wait.
    pub(crate) fn policy_answered(&self, aor: Arc<str>, question: u64, ran: Ran) {
        if let Some(queue) = self.queues.get(usize::from(self.shard_of(&aor))) {
            // A shard that has ended takes nothing more: the server stops.
            let _ =
                queue.blocking_send(Task::Input(Input::PolicyAnswered { aor, question, ran: Box::new(ran) }));
        }
    }

    /// Tells the shard that keeps `aor` that this user knows others than before.
    pub async fn contacts_changed(&self, aor: &str) {
        self.give(self.shard_of(aor), Task::Input(Input::ContactsChanged { aor: aor.to_owned() })).await;
    }

    /// Tells every shard that a user is gone; the directory no longer names them.
    pub async fn user_removed(&self, aor: &str) {
        for index in 0..self.count() {
            self.give(index, Task::Input(Input::UserRemoved { aor: aor.to_owned() })).await;
        }
    }

    /// Tells a shard of the way that it wanted.
    pub(crate) async fn reached(&self, index: u16, errand: u64, found: Option<Hop>) {
        self.give(index, Task::Input(Input::Reached { errand, found })).await;
    }

    /// Asks the shard that keeps `aor`.
    pub async fn ask_about(&self, aor: &str, query: Query) -> Option<Answer> {
        self.ask(self.shard_of(aor), query).await
    }

    /// Asks every shard, in order.
    pub async fn ask_all(&self, query: &Query) -> Vec<Answer> {
        let mut answers = Vec::new();
        for index in 0..self.count() {
            answers.extend(self.ask(index, query.clone()).await);
        }
        answers
    }

    /// Tells every shard that the server stops; returns once each has it in its queue, so that what
    /// is given afterwards, the ends of the connections above all, comes behind it.
    pub async fn shutdown(&self) {
        for index in 0..self.count() {
            self.give(index, Task::Input(Input::Shutdown)).await;
        }
    }

    /// Lets every shard end once it has done what waits. [`shutdown`](Self::shutdown) comes first.
    pub async fn stop(&self) {
        for index in 0..self.count() {
            self.give(index, Task::Stop).await;
        }
    }

    async fn ask(&self, index: u16, query: Query) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        self.give(index, Task::Query(query, reply)).await;
        answer.await.ok()
    }

    async fn give(&self, index: u16, task: Task) {
        if let Some(queue) = self.queues.get(usize::from(index)) {
            // A shard that has ended takes nothing more: the server stops.
            let _ = queue.send(task).await;
        }
    }

    /// Gives a notice to every shard but the one it comes from. Says to how many.
    pub(crate) fn notify(&self, from: u16, notice: &Notice) -> i64 {
        let others = self.notices.iter().enumerate().filter(|(index, _)| *index != usize::from(from));
        let told = others.filter(|(_, shard)| shard.send(notice.clone()).is_ok());
        told.count() as i64
    }

    /// How many inputs wait for each shard.
    pub fn waiting(&self) -> impl Iterator<Item = usize> {
        self.queues.iter().map(|queue| queue.max_capacity() - queue.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_shard_hears_of_the_shutdown_before_the_connections_that_it_ends() {
        let (shards, mut inboxes) = Shards::new(Router::new([0; 32], 3));
        shards.shutdown().await;
        shards.flow_closed(FlowId(1)).await;
        for inbox in &mut inboxes {
            assert!(matches!(inbox.queue.try_recv(), Ok(Task::Input(Input::Shutdown))));
            assert!(matches!(inbox.queue.try_recv(), Ok(Task::Input(Input::FlowClosed { .. }))));
        }
    }

    #[tokio::test]
    async fn a_shard_that_has_ended_does_not_hold_up_the_shutdown() {
        let (shards, mut inboxes) = Shards::new(Router::new([0; 32], 2));
        inboxes.remove(0);
        shards.shutdown().await;
        assert!(matches!(inboxes[0].queue.try_recv(), Ok(Task::Input(Input::Shutdown))));
    }
}
