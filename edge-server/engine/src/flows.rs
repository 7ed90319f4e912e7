//! What hangs on which connection.

use crate::hashing::{Keyed, Table};
use crate::input::FlowId;
use crate::presentity::{PresentityId, push_exact};
use crate::subscription::SubscriptionId;
use merge_core::time::Millis;
use std::collections::VecDeque;

/// How long, in ms, and of how many connections it is remembered that they are closed.
const MOURNED_MS: i64 = 120_000;
const MOURNED: usize = 65_536;

/// The connections that anything of this shard hangs on.
pub(crate) struct Flows {
    table: Table<FlowId, Ties>,
    /// Connections that ended lately. What another shard says of one may come later than its end.
    closed: Table<FlowId, ()>,
    closed_order: VecDeque<(Millis, FlowId)>,
}

/// One thing that hangs on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    Subscription(SubscriptionId),
    /// A presentity with bindings or publications on the connection, and how many.
    Owner(PresentityId, u32),
}

/// What hangs on one connection, in one list: most have a single entry.
#[derive(Default)]
pub(crate) struct Ties(Vec<Tie>);

impl Ties {
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = SubscriptionId> {
        self.0.iter().filter_map(|tie| match tie {
            Tie::Subscription(id) => Some(*id),
            Tie::Owner(..) => None,
        })
    }

    /// Presentities with bindings or publications on the connection.
    pub(crate) fn owners(&self) -> impl Iterator<Item = PresentityId> {
        self.0.iter().filter_map(|tie| match tie {
            Tie::Owner(id, _) => Some(*id),
            Tie::Subscription(_) => None,
        })
    }
}

impl Flows {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Self {
            table: Table::with_hasher(keyed),
            closed: Table::with_hasher(keyed),
            closed_order: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether a connection is known to have ended.
    pub(crate) fn is_closed(&self, flow: FlowId) -> bool {
        self.closed.contains_key(&flow)
    }

    pub(crate) fn get(&self, flow: FlowId) -> Option<&Ties> {
        self.table.get(&flow)
    }

    /// Takes a connection out with all that hung on it.
    pub(crate) fn close(&mut self, flow: FlowId, now: Millis) -> Ties {
        if self.closed.insert(flow, ()).is_none() {
            self.closed_order.push_back((now, flow));
        }
        while let Some(&(at, oldest)) = self.closed_order.front() {
            if at.0 + MOURNED_MS > now.0 && self.closed_order.len() <= MOURNED {
                break;
            }
            self.closed_order.pop_front();
            self.closed.remove(&oldest);
        }
        self.table.remove(&flow).unwrap_or_default()
    }

    pub(crate) fn tie_subscription(&mut self, flow: FlowId, id: SubscriptionId) {
        push_exact(&mut self.table.entry(flow).or_default().0, Tie::Subscription(id));
    }

    pub(crate) fn untie_subscription(&mut self, flow: FlowId, id: SubscriptionId) {
        let Some(Ties(ties)) = self.table.get_mut(&flow) else {
            return;
        };
        if let Some(at) = ties.iter().position(|tie| *tie == Tie::Subscription(id)) {
            ties.swap_remove(at);
        }
        if ties.is_empty() {
            self.table.remove(&flow);
        }
    }

    /// One more binding or publication of a presentity.
    pub(crate) fn tie_owner(&mut self, flow: FlowId, id: PresentityId) {
        let Ties(ties) = self.table.entry(flow).or_default();
        for tie in &mut *ties {
            if let Tie::Owner(owner, count) = tie
                && *owner == id
            {
                *count += 1;
                return;
            }
        }
        push_exact(ties, Tie::Owner(id, 1));
    }

    /// One less.
    pub(crate) fn untie_owner(&mut self, flow: FlowId, id: PresentityId) {
        let Some(Ties(ties)) = self.table.get_mut(&flow) else {
            return;
        };
        let find = |tie: &Tie| matches!(tie, Tie::Owner(owner, _) if *owner == id);
        if let Some(at) = ties.iter().position(find)
            && let Some(Tie::Owner(_, count)) = ties.get_mut(at)
        {
            *count -= 1;
            if *count == 0 {
                ties.swap_remove(at);
            }
        }
        if ties.is_empty() {
            self.table.remove(&flow);
        }
    }
}
