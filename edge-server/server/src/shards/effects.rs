//! Carries effects out: first what must be stored, then everything else in order.

use super::{Shards, events};
use crate::metrics::Metrics;
use crate::onward::Wanted;
use crate::store::{Op, StoreFailed, Table, Writer};
use crate::trace::{Direction, Tracer};
use crate::transport::{Datagrams, End, FlowHandle, Flows, Letter};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use tributary_engine::{Answer, Effect, Effects, Event, FlowId, Hop, Packet, StoreOp};
use tributary_sip::transaction::TransactionId;
use tributary_sip::{Limits, Message};

/// Connections written to before other tasks have their turn: each takes a system call.
const FLUSHES_IN_A_ROW: usize = 64;

/// What may be as long as it is, for it is our own.
const OURS: Limits = Limits { head: usize::MAX, body: usize::MAX, ..Limits::DEFAULT };

/// What effects act on. One for each shard.
#[derive(Clone, Debug)]
pub struct Performer {
    /// The shard that these effects come from.
    pub index: u16,
    /// Where changes are stored; nothing when state lives in memory only.
    pub store: Option<Writer>,
    /// Where messages leave over connections.
    pub flows: Arc<Flows>,
    /// Where they leave as datagrams.
    pub datagrams: Arc<Datagrams>,
    /// Where ways to other servers are found.
    pub(crate) ways: mpsc::UnboundedSender<Wanted>,
    /// Where notices go.
    pub shards: Shards,
    /// Who is traced.
    pub tracer: Arc<Tracer>,
    /// Who notes what messages come to.
    #[cfg(feature = "otlp")]
    pub(crate) otlp: Option<Arc<crate::otlp::Exporter>>,
    /// The numbers.
    pub metrics: Metrics,
}

impl Performer {
    /// Commits every store effect, then carries out the others in their order. Says whose messages
    /// could not be sent.
    ///
    /// # Errors
    /// The commit failed. Nothing was sent then.
    pub(crate) async fn perform(
        &self,
        effects: &mut Effects,
        answer: impl FnMut(u64, Answer),
    ) -> Result<Vec<TransactionId>, StoreFailed> {
        if let Some(store) = &self.store {
            let changes: Vec<Op> = effects.as_slice().iter().filter_map(change).collect();
            if !changes.is_empty() {
                self.metrics.store_waiting.inc();
                let committed = store.commit(changes).await;
                self.metrics.store_waiting.dec();
                committed?;
            }
        }
        let Outgoing { flows, letters, mut failed } = self.carry_out(effects, answer);
        failed.extend(self.post(&letters));
        let mut flushed = 0;
        for flow in flows {
            flow.flush();
            flushed += 1;
            // A fan-out to thousands lets others have their turn.
            if flushed % FLUSHES_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(failed)
    }

    /// Shows the tracer a message that has come.
    pub(super) fn came(&self, hop: &Hop, message: &Message) {
        if self.tracer.is_on() {
            self.tracer.passes(Direction::In, hop, self.local(hop.flow), message);
        }
    }

    /// Shows the tracer a message that leaves.
    fn goes(&self, hop: &Hop, packet: &Packet) {
        if self.tracer.is_on()
            && let Ok(message) = Message::parse_with(packet.to_bytes(), &OURS)
        {
            self.tracer.passes(Direction::Out, hop, self.local(hop.flow), &message);
        }
    }

    /// Our end of a flow.
    fn local(&self, flow: FlowId) -> Option<SocketAddr> {
        match flow.socket() {
            Some(socket) => self.datagrams.local(socket),
            None => self.flows.find(flow)?.local(),
        }
    }

    /// Sends datagrams, and says whose could not be sent.
    fn post(&self, letters: &[Letter]) -> Vec<TransactionId> {
        if letters.is_empty() {
            return Vec::new();
        }
        let posted = self.datagrams.send(letters);
        self.metrics.messages_sent.inc_by(posted.sent);
        self.metrics.messages_undeliverable.inc_by(posted.refused.len() as u64);
        if posted.lost > 0 {
            self.metrics.datagrams_lost.get_or_create(&[("where", "sending".to_owned())]).inc_by(posted.lost);
        }
        posted.refused.into_iter().flatten().collect()
    }

    /// Carries out all that is not storing; what it puts on its way has to be written then.
    fn carry_out(&self, effects: &mut Effects, mut answer: impl FnMut(u64, Answer)) -> Outgoing {
        let Outgoing { mut flows, mut letters, mut failed } = Outgoing::default();
        let (mut sent, mut lost, mut received) = (0, 0, 0);
        for effect in effects.drain() {
            match effect {
                Effect::Store(_) => {}
                Effect::Send { hop, packet, transaction } => {
                    self.goes(&hop, &packet);
                    let Hop { flow, peer, .. } = hop;
                    if let Some(socket) = flow.socket() {
                        letters.push(Letter { socket, peer, packet, transaction });
                        continue;
                    }
                    // Several in a row for one connection, an answer and a NOTIFY above all, are written at once.
                    if flows.last().is_none_or(|last| last.id() != flow) {
                        flows.extend(self.flows.find(flow));
                    }
                    match flows.last() {
                        Some(last) if last.id() == flow && last.push(packet) => sent += 1,
                        _ => {
                            lost += 1;
                            failed.extend(transaction);
                        }
                    }
                }
                Effect::FlowAuthenticated { flow, standing } => self.flows.authenticated(flow, standing),
                Effect::FlowRegistered { flow, device } => self.flows.registered(flow, device),
                Effect::Reach { errand, next, private, tried } => {
                    // It ends only with the server.
                    let _ = self.ways.send(Wanted { shard: self.index, errand, next, private, tried });
                }
                Effect::Session { flow, begun } => {
                    self.flows.find(flow).iter().for_each(|handle| handle.note_session(begun));
                }
                Effect::Broadcast(notice) => {
                    let told = self.shards.notify(self.index, &notice);
                    self.metrics.notices_waiting.inc_by(told);
                }
                Effect::Close { flow, reason } => {
                    if let Some(handle) = self.flows.find(flow) {
                        handle.end(End::Asked(reason));
                    }
                }
                Effect::Answer { id, answer: given } => answer(id, *given),
                // By far the most frequent event is counted once for all.
                Effect::Event(Event::NotifyAnswered { status: 200..=299 }) => received += 1,
                Effect::Event(event) => events::count(&event, &self.metrics),
            }
        }
        self.metrics.messages_sent.inc_by(sent);
        self.metrics.messages_undeliverable.inc_by(lost);
        events::answers(received, 200, &self.metrics);
        Outgoing { flows, letters, failed }
    }
}

/// What is on its way.
#[derive(Default)]
struct Outgoing {
    /// Connections with something to be written.
    flows: Vec<Arc<FlowHandle>>,
    letters: Vec<Letter>,
    /// Whose messages were for connections that are gone.
    failed: Vec<TransactionId>,
}

fn change(effect: &Effect) -> Option<Op> {
    let Effect::Store(op) = effect else { return None };
    Some(match op {
        StoreOp::Put { table, key, value } => {
            Op::Put { table: stored_in(*table), key: key.clone(), value: value.clone() }
        }
        StoreOp::Delete { table, key } => Op::Delete { table: stored_in(*table), key: key.clone() },
    })
}

fn stored_in(table: tributary_engine::Table) -> Table {
    match table {
        tributary_engine::Table::Registrations => Table::Registrations,
        tributary_engine::Table::Publications => Table::Publications,
        tributary_engine::Table::Subscriptions => Table::Subscriptions,
    }
}
