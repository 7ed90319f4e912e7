//! Carries effects out: first what must be stored, then everything else in order.

use super::{Shards, events};
use crate::metrics::Metrics;
use crate::store::{Op, StoreFailed, Table, Writer};
use crate::transport::{End, Flows};
use std::sync::Arc;
use tributary_engine::{Answer, Effect, Effects, StoreOp};

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
        self.carry_out(effects, answer);
        Ok(())
    }

    fn carry_out(&self, effects: &mut Effects, mut answer: impl FnMut(u64, Answer)) {
        let (mut sent, mut lost) = (0, 0);
        for effect in effects.drain() {
            match effect {
                Effect::Store(_) => {}
                Effect::Send { flow, packet } => {
                    if self.flows.send(flow, packet) {
                        sent += 1;
                    } else {
                        lost += 1;
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
                Effect::Event(event) => events::count(&event, &self.metrics),
            }
        }
        self.metrics.messages_sent.inc_by(sent);
        self.metrics.messages_undeliverable.inc_by(lost);
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
