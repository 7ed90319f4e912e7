//! Request-Disposition (RFC 3841 9.1): how the caller would have its request handled, and the order
//! that makes of the targets.

use crate::message::Message;
use crate::name::Name;

use super::context::Device;

/// In which order targets are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those of one rank at the same time, one rank after the other (RFC 3261 16.6).
    #[default]
    ByRank,
    /// All at the same time.
    Parallel,
    /// One after the other.
    Sequential,
}

/// The directives that change anything. `queue` and `recurse` do not: nothing is queued here, and
/// redirections go back to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// Answer with the targets, and forward to none.
    pub redirect: bool,
    /// A 2xx cancels nothing.
    pub no_cancel: bool,
    /// One device only.
    pub no_fork: bool,
    /// The order.
    pub order: Order,
}

impl Disposition {
    /// Reads all lines. Of two directives of one type the first counts; what is none is passed over.
    pub fn of(request: &Message) -> Disposition {
        let is = |wanted: &str, other: &str| {
            let mut tokens = request.tokens(Name::RequestDisposition);
            let wins = |token: &str| token.eq_ignore_ascii_case(wanted);
            tokens.find(|token| wins(token) || token.eq_ignore_ascii_case(other)).is_some_and(wins)
        };
        let order = match (is("parallel", "sequential"), is("sequential", "parallel")) {
            (true, _) => Order::Parallel,
            (_, true) => Order::Sequential,
            _ => Order::ByRank,
        };
        Disposition {
            redirect: is("redirect", "proxy"),
            no_cancel: is("no-cancel", "cancel"),
            no_fork: is("no-fork", "fork"),
            order,
        }
    }

    /// The groups to try, from devices in the order of preference, each with its rank: those of the
    /// same rank are equally good. `no-fork` leaves the first (R8).
    pub fn groups(&self, devices: impl IntoIterator<Item = (u32, Device)>) -> Vec<Vec<Device>> {
        let mut groups: Vec<Vec<Device>> = Vec::new();
        let mut last = None;
        for (rank, device) in devices.into_iter().take(if self.no_fork { 1 } else { usize::MAX }) {
            let together = match self.order {
                Order::ByRank => last == Some(rank),
                Order::Parallel => true,
                Order::Sequential => false,
            };
            last = Some(rank);
            match groups.last_mut().filter(|_| together) {
                Some(group) => group.push(device),
                None => groups.push(vec![device]),
            }
        }
        groups
    }
}
