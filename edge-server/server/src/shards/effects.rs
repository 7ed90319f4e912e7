//! Carries effects out: first what must be stored, then everything else in order.

use super::{Shards, events};
use crate::metrics::Metrics;
use crate::store::{Op, StoreFailed, Table, Writer};
use crate::transport::{End, FlowHandle, Flows};
use std::sync::Arc;
use tributary_engine::{Answer, Effect, Effects, Event, Hop, StoreOp};

/// Connections written to before other tasks have their turn: each takes a system call.
const FLUSHES_IN_A_ROW: usize = 64;

/// What effects act on. One for each shard.
#[derive(Clone, Debug)]
pub struct Performer {
    /// The shard that these effects come from.
    pub index: u16,
    /// Where changes are stored; nothing when state lives in memory only.
    pub store: Option<Writer>,
    /// Where messages leave.
    pub flows: Arc<Flows>,
    /// Where notices go.
    pub shards: Shards,
    /// The numbers.
    pub metrics: Metrics,
}

impl Performer {
    /// Commits every store effect, then carries out the others in their order.
    ///
    /// # Errors
    /// The commit failed. Nothing was sent then.
    pub(crate) async fn perform(
        &self,
        effects: &mut Effects,
        answer: impl FnMut(u64, Answer),
    ) -> Result<(), StoreFailed> {
        if let Some(store) = &self.store {
            let changes: Vec<Op> = effects.as_slice().iter().filter_map(change).collect();
            if !changes.is_empty() {
                store.commit(changes).await?;
            }
        }
        let mut flushed = 0;
        for flow in self.carry_out(effects, answer) {
            flow.flush();
            flushed += 1;
            // A fan-out to thousands lets others have their turn.
            if flushed % FLUSHES_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Says on which connections there is something to be written now.
    fn carry_out(&self, effects: &mut Effects, mut answer: impl FnMut(u64, Answer)) -> Vec<Arc<FlowHandle>> {
        let mut flows: Vec<Arc<FlowHandle>> = Vec::new();
        let (mut sent, mut lost, mut received) = (0, 0, 0);
        for effect in effects.drain() {
            match effect {
                Effect::Store(_) => {}
                Effect::Send { hop: Hop { flow, .. }, packet, .. } => {
                    // Several in a row for one connection, an answer and a NOTIFY above all, are written at once.
                    if flows.last().is_none_or(|last| last.id() != flow) {
                        flows.extend(self.flows.find(flow));
                    }
                    match flows.last() {
                        Some(last) if last.id() == flow && last.push(packet) => sent += 1,
                        _ => lost += 1,
                    }
                }
                Effect::FlowAuthenticated { flow, aor } => self.flows.authenticated(flow, aor),
                Effect::FlowRegistered { flow, device } => self.flows.registered(flow, device),
                Effect::Broadcast(notice) => self.shards.notify(self.index, &notice),
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
        events::answers(received, &self.metrics);
        flows
    }
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
