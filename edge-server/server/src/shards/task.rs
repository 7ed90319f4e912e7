//! The task that owns one shard.

use super::effects::Performer;
use super::{Inbox, Task, events};
use crate::clock::Clock;
use bytes::Bytes;
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep_until;
use tracing::{Instrument as _, Level};
use tributary_engine::{Answer, Effects, Flow, Input, Peer, PolicyHost, Query, Shard};
#[cfg(feature = "otlp")]
use tributary_engine::{Effect, Event};
use tributary_sip::transaction::Hop;
use tributary_sip::{Aor, Message};

/// Inputs taken at once; their changes share a commit.
const BATCH: usize = 256;

/// Effects after which a batch is performed although more inputs wait.
const ENOUGH_EFFECTS: usize = 2_048;

/// What one shard's task is made of.
pub struct ShardSetup<P> {
    /// The state machine.
    pub shard: Shard,
    /// Its number.
    pub index: u16,
    /// Where its inputs come from.
    pub inbox: Inbox,
    /// Runs its policies.
    pub policies: P,
    /// Carries its effects out.
    pub performer: Performer,
    /// Tells it the time.
    pub clock: Clock,
    /// What restoring its state brought up.
    pub effects: Effects,
    /// Milliseconds that a message may wait for the shard; 0 is any.
    pub lag_ms: u32,
}

impl<P> std::fmt::Debug for ShardSetup<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardSetup").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Runs a shard until [`Task::Stop`], or until the store fails.
pub(crate) async fn run<P: PolicyHost + Send>(setup: ShardSetup<P>) {
    let ShardSetup { shard, index, mut inbox, policies, performer, clock, effects, lag_ms } = setup;
    let mut owner = Owner {
        shard,
        policies,
        performer,
        clock,
        effects,
        queries: HashMap::new(),
        next_query: 0,
        lag_ms,
        lags: false,
        #[cfg(feature = "otlp")]
        passages: Vec::new(),
    };
    let mut batch = Vec::with_capacity(BATCH);
    if !owner.perform().await {
        return;
    }
    loop {
        let due = owner.shard.poll_timeout().map(|time| clock.instant(time));
        let timer = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        };
        let mut stop = false;
        tokio::select! {
            biased;
            Some(notice) = inbox.notices.recv() => {
                owner.performer.metrics.notices_waiting.dec();
                owner.handle(Input::Notice(notice));
            }
            count = inbox.queue.recv_many(&mut batch, BATCH) => stop = count == 0,
            () = timer => {}
        }
        // Timers come first: what is due was due before what has just arrived.
        if owner.shard.poll_timeout().is_some_and(|time| time <= clock.now()) {
            owner.handle(Input::Tick);
        }
        for task in batch.drain(..) {
            match task {
                Task::Message(read, flow, message) => {
                    let waited = read.elapsed();
                    owner.waited(waited);
                    owner.performer.came(&flow.hop, &message);
                    owner.message(waited, flow, message);
                }
                Task::Input(input) => owner.handle(input),
                Task::Query(query, reply) => owner.ask(query, reply),
                Task::Stop => stop = true,
            }
            if owner.effects.as_slice().len() > ENOUGH_EFFECTS && !owner.perform().await {
                return;
            }
        }
        if !owner.perform().await || stop {
            break;
        }
    }
    tracing::debug!(shard = index, "shard ended");
}

struct Owner<P> {
    shard: Shard,
    policies: P,
    performer: Performer,
    clock: Clock,
    effects: Effects,
    queries: HashMap<u64, oneshot::Sender<Answer>>,
    next_query: u64,
    /// `overload.lag_ms`, and whether it is exceeded.
    lag_ms: u32,
    lags: bool,
    /// Messages that are handled, and what they led to not yet carried out.
    #[cfg(feature = "otlp")]
    passages: Vec<crate::otlp::Passage>,
}

impl<P: PolicyHost + Send> Owner<P> {
    fn handle(&mut self, input: Input) {
        self.performer.metrics.shard_inputs.inc();
        let (now, first) = (self.clock.now(), self.effects.as_slice().len());
        let request = request(&input);
        // A span costs more than most requests. Only what is logged amid a request needs it beforehand.
        let early = request.as_ref().filter(|_| tracing::enabled!(Level::DEBUG)).and_then(span);
        let _within = early.as_ref().map(tracing::Span::enter);
        self.shard.handle(now, input, &mut self.policies, &mut self.effects);
        let Some(request) = request else { return };
        let mut news = self.effects.as_slice().iter().skip(first).filter(events::is_news);
        if let Some(effect) = news.next() {
            let late = if early.is_some() { None } else { span(&request) };
            let _within = late.as_ref().map(tracing::Span::enter);
            events::trace(effect);
            news.for_each(events::trace);
        }
    }

    #[cfg(not(feature = "otlp"))]
    fn message(&mut self, _waited: Duration, flow: Flow, message: Message) {
        self.handle(Input::Message { flow, message });
    }

    /// The same, noted for OpenTelemetry.
    #[cfg(feature = "otlp")]
    fn message(&mut self, waited: Duration, flow: Flow, message: Message) {
        let exporter = self.performer.otlp.clone();
        let begin = |exporter: &Arc<crate::otlp::Exporter>| {
            exporter.begin(self.performer.index, &flow.hop, waited, &message)
        };
        let passage = exporter.as_ref().and_then(begin);
        let first = self.effects.as_slice().len();
        self.handle(Input::Message { flow, message });
        if let (Some(exporter), Some(mut passage)) = (exporter, passage) {
            let answered = self.effects.as_slice().iter().skip(first).find_map(|effect| match effect {
                Effect::Event(Event::Request { status, .. }) => Some(*status),
                _ => None,
            });
            exporter.handled(&mut passage, answered);
            self.passages.push(passage);
        }
    }

    /// What the messages so far led to is carried out.
    #[cfg(feature = "otlp")]
    fn carried_out(&mut self) {
        if let Some(exporter) = &self.performer.otlp {
            self.passages.drain(..).for_each(|passage| exporter.done(passage));
        }
    }

    /// Tells the shard how long its next message has waited, and everybody else when that is too long.
    fn waited(&mut self, wait: Duration) {
        let ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        self.shard.waited(ms);
        let lags = self.lag_ms > 0 && ms > self.lag_ms;
        if lags != self.lags {
            self.lags = lags;
            if lags {
                tracing::warn!(ms, "messages wait too long for a shard; what is new is turned away");
            } else {
                tracing::info!("messages are no longer waiting too long");
            }
        }
    }

    fn ask(&mut self, query: Query, reply: oneshot::Sender<Answer>) {
        let id = self.next_query;
        self.next_query += 1;
        self.queries.insert(id, reply);
        self.handle(Input::Query { id, query });
    }

    /// Carries the effects out. False when the store failed: then nothing more may be promised.
    async fn perform(&mut self) -> bool {
        loop {
            let queries = &mut self.queries;
            let performed = self.performer.perform(&mut self.effects, |id, answer| {
                if let Some(reply) = queries.remove(&id) {
                    // Whoever no longer waits does not mind.
                    let _ = reply.send(answer);
                }
            });
            match performed.in_current_span().await {
                Err(_) => return false,
                Ok(failed) if failed.is_empty() => {
                    #[cfg(feature = "otlp")]
                    self.carried_out();
                    return true;
                }
                // Each ends a transaction, so this comes to an end.
                Ok(failed) => {
                    failed.into_iter().for_each(|transaction| self.handle(Input::SendFailed { transaction }));
                }
            }
        }
    }
}

/// What the span of a request is made from.
struct Asked {
    hop: Hop,
    /// The trusted server that it comes from.
    server: Option<Arc<Peer>>,
    raw: Bytes,
}

/// None for responses, which are many and say little.
fn request(input: &Input) -> Option<Asked> {
    let Input::Message { flow, message } = input else { return None };
    message.is_request().then(|| Asked {
        hop: flow.hop,
        server: flow.peer.clone(),
        raw: message.raw().clone(),
    })
}

/// The span of one request.
fn span(Asked { hop, server, raw }: &Asked) -> Option<tracing::Span> {
    let message = Message::parse(raw.clone()).ok()?;
    // The canonical address: a URI as it came may carry a password.
    let from = message.from().ok().and_then(|from| Aor::parse(from.uri).ok());
    let aor = message.to().ok().and_then(|to| Aor::parse(to.uri).ok());
    let span = tracing::info_span!(
        "request",
        method = %message.method(),
        call_id = message.call_id(),
        flow = hop.flow.0,
        peer = %hop.peer,
        transport = hop.transport.via(),
        server = server.as_ref().map(|server| &*server.name),
        from = from.as_ref().map(Aor::as_str).unwrap_or_default(),
        aor = aor.as_ref().map(Aor::as_str).unwrap_or_default(),
        status = tracing::field::Empty,
    );
    (!span.is_disabled()).then_some(span)
}
