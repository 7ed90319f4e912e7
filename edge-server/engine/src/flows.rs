//! What hangs on which connection.

use crate::hashing::{Keyed, Table};
use crate::input::FlowDevice;
use crate::presentity::{PresentityId, push_exact};
use crate::subscription::SubscriptionId;
use merge_core::time::Millis;
use std::collections::VecDeque;
use std::sync::Arc;
use tributary_sip::transaction::{FlowId, Hop};

/// How long, in ms, and of how many connections it is remembered that they are closed.
const MOURNED_MS: i64 = 120_000;
const MOURNED: usize = 65_536;

/// The connections that anything of this shard hangs on.
pub(crate) struct Flows {
    table: Table<FlowId, Ties>,
    /// Connections that ended lately. What another shard says of one may come later than its end.
    closed: Table<FlowId, ()>,
    closed_order: VecDeque<(Millis, FlowId)>,
    /// Where devices registered last, as long as that connection lives: what is cut off later on an
    /// older connection is carried on there.
    devices: Table<Arc<FlowDevice>, Hop>,
    most_devices: usize,
}

/// One thing that hangs on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tie {
    Subscription(SubscriptionId),
    /// A presentity with bindings or publications on the connection, and how many.
    Owner(PresentityId, u32),
    /// A device that is remembered to be here.
    Device(Arc<FlowDevice>),
}

/// What hangs on one connection, in one list: most have a single entry.
#[derive(Default)]
pub(crate) struct Ties(Vec<Tie>);

impl Ties {
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = SubscriptionId> {
        self.0.iter().filter_map(|tie| match tie {
            Tie::Subscription(id) => Some(*id),
            Tie::Owner(..) | Tie::Device(_) => None,
        })
    }

    /// Presentities with bindings or publications on the connection.
    pub(crate) fn owners(&self) -> impl Iterator<Item = PresentityId> {
        self.0.iter().filter_map(|tie| match tie {
            Tie::Owner(id, _) => Some(*id),
            Tie::Subscription(_) | Tie::Device(_) => None,
        })
    }
}

impl Ties {
    /// Devices that are remembered to be here.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &FlowDevice> {
        self.0.iter().filter_map(|tie| match tie {
            Tie::Device(device) => Some(&**device),
            Tie::Subscription(_) | Tie::Owner(..) => None,
        })
    }
}

impl Flows {
    pub(crate) fn new(keyed: Keyed, most_devices: u32) -> Self {
        Self {
            table: Table::with_hasher(keyed),
            closed: Table::with_hasher(keyed),
            closed_order: VecDeque::new(),
            devices: Table::with_hasher(keyed),
            most_devices: most_devices as usize,
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
        let ties = self.table.remove(&flow).unwrap_or_default();
        for tie in &ties.0 {
            if let Tie::Device(device) = tie {
                self.devices.remove(device);
            }
        }
        ties
    }

    /// How many devices are remembered.
    pub(crate) fn devices(&self) -> usize {
        self.devices.len()
    }

    /// Where a device registered last.
    pub(crate) fn reach(&self, device: &FlowDevice) -> Option<Hop> {
        self.devices.get(device).copied()
    }

    /// Remembers where a device is; `false` if there is no room for one more.
    pub(crate) fn remember(&mut self, device: &Arc<FlowDevice>, reach: Hop) -> bool {
        match self.reach(device) {
            Some(old) if old == reach => return true,
            Some(old) => {
                self.untie(old.flow, |tie| matches!(tie, Tie::Device(other) if other == device));
            }
            None if self.devices.len() >= self.most_devices => return false,
            None => {}
        }
        self.devices.insert(device.clone(), reach);
        push_exact(&mut self.table.entry(reach.flow).or_default().0, Tie::Device(device.clone()));
        true
    }

    pub(crate) fn tie_subscription(&mut self, flow: FlowId, id: SubscriptionId) {
        push_exact(&mut self.table.entry(flow).or_default().0, Tie::Subscription(id));
    }

    pub(crate) fn untie_subscription(&mut self, flow: FlowId, id: SubscriptionId) {
        self.untie(flow, |tie| *tie == Tie::Subscription(id));
    }

    fn untie(&mut self, flow: FlowId, is_it: impl Fn(&Tie) -> bool) {
        let Some(Ties(ties)) = self.table.get_mut(&flow) else {
            return;
        };
        if let Some(at) = ties.iter().position(is_it) {
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
