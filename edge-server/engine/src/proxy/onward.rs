//! Ways that are opened to other servers. Names are looked up and connections opened by those who have
//! DNS and sockets; a branch, or the ACK of a 2xx, waits here until there is a way for it.
//!
//! ```text
//!   Next::Host ──Reach──▶ server: RFC 3263, a connection ──Reached──▶ the branch is sent
//!       ▲                                                  │
//!       └── the next way, without those that were tried ◀──┘ no answer, 503 (RFC 3263 4.3)
//! ```

use super::branch::{Onward, makes_dialog};
use super::{Call, Next, named};
use crate::effect::{Effect, Effects, Event};
use crate::egress::Permitted;
use crate::shard::Shard;
use std::sync::Arc;
use tributary_sip::locate::{MOST_WAYS, Way};
use tributary_sip::proxy::context::Input as Turn;
use tributary_sip::proxy::{MOST_BREADTH, max_forwards};
use tributary_sip::transaction::{Hop, Packet, Transport};
use tributary_sip::{Message, Method, Status};

/// Requests longer than this go over no datagram where there is another way (RFC 3261 18.1.1).
const MOST_DATAGRAM: usize = 1_300;

/// Who waits for a way.
pub(super) enum Errand {
    /// A branch of a call.
    Branch { call: u32, branch: u32 },
    /// The ACK of a 2xx, which nobody waits for.
    Ack(Box<Message>),
}

/// What is known of the length of a branch's request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Size {
    /// It was written for no datagram yet.
    #[default]
    Unknown,
    /// Too long for a datagram; a connection is tried.
    Large,
    /// There is none, so that it goes as it is.
    LargeAnyway,
}

impl Shard {
    /// Asks for a way to a next hop.
    pub(super) fn reach(&mut self, errand: Errand, to: &Permitted, tried: Vec<Way>, fx: &mut Effects) {
        let number = self.proxy.next_errand;
        self.proxy.next_errand += 1;
        self.proxy.errands.insert(number, errand);
        fx.push(Effect::Reach { errand: number, next: to.next.clone(), private: to.private, tried });
    }

    /// Asks for a way for a branch, of which the call keeps count.
    pub(super) fn reach_branch(&mut self, index: u32, call: &mut Call, branch: u32, fx: &mut Effects) {
        let Some(state) = call.branches.get(branch as usize) else { return };
        let Some(Next::Host(permitted)) = call.targets.get(state.contact).map(|target| &target.next) else {
            return;
        };
        let mut permitted = permitted.clone();
        if state.size == Size::Large && permitted.next.transport != Some(Transport::Tls) {
            permitted.next = permitted.next.over(Transport::Tcp);
        }
        call.open += 1;
        self.reach(Errand::Branch { call: index, branch }, &permitted, state.tried.clone(), fx);
    }

    /// What came of [`Effect::Reach`].
    pub(crate) fn reached(&mut self, errand: u64, found: Option<Hop>, fx: &mut Effects) {
        match self.proxy.errands.remove(&errand) {
            Some(Errand::Branch { call, branch }) => self.branch_reached(call, branch, found, fx),
            Some(Errand::Ack(ack)) => match found {
                Some(hop) => self.send_ack(&ack, hop, fx),
                None => fx.event(Event::Dropped { why: "no way for an ACK" }),
            },
            None => {}
        }
    }

    fn branch_reached(&mut self, index: u32, branch: u32, found: Option<Hop>, fx: &mut Effects) {
        let Some(mut call) = self.proxy.take(index) else {
            return;
        };
        call.open = call.open.saturating_sub(1);
        let turn = self.go_on(index, &mut call, branch, found, fx);
        let mut actions = Vec::new();
        if let Some(status) = turn {
            call.context.handle(Turn::Failed { branch, status }, &mut actions);
        }
        self.carry_out(index, &mut call, actions, fx);
        self.put_back(index, call);
    }

    /// Sends a branch over the way that was found; what it counts as where that cannot be.
    fn go_on(
        &mut self,
        index: u32,
        call: &mut Call,
        branch: u32,
        found: Option<Hop>,
        fx: &mut Effects,
    ) -> Option<Status> {
        let state = call.branches.get_mut(branch as usize)?;
        if state.cancelled {
            return Some(Status::REQUEST_TERMINATED);
        }
        let Some(hop) = found else {
            if state.size != Size::Large {
                return Some(state.failed);
            }
            state.size = Size::LargeAnyway;
            self.reach_branch(index, call, branch, fx);
            return None;
        };
        state.reliable = hop.transport.is_reliable();
        state.hop = Some(hop);
        let unknown = state.size == Size::Unknown;
        let packet = match self.branch_packet(call, branch, hop) {
            Ok(packet) => packet,
            Err(status) => return Some(status),
        };
        if unknown && !hop.transport.is_reliable() && packet.len() > MOST_DATAGRAM {
            call.branches.get_mut(branch as usize)?.size = Size::Large;
            self.reach_branch(index, call, branch, fx);
            return None;
        }
        self.send_branch(index, call, branch, (hop, packet), fx);
        None
    }

    /// Tries the next way of a branch that has come to nothing on this one (RFC 3263 4.3); `false` where
    /// it had been heard of, or has no other.
    pub(super) fn try_elsewhere(&mut self, user: u64, status: Status, fx: &mut Effects) -> bool {
        let (index, branch) = named(user);
        let Some(mut call) = self.proxy.take(index) else {
            return false;
        };
        let again = call.may_try_elsewhere(branch, status);
        if again {
            self.reach_branch(index, &mut call, branch, fx);
        }
        self.put_back(index, call);
        again
    }

    /// Says of connections to other servers when a session begins or ends over them, so that they are kept
    /// as long (R18).
    pub(super) fn note_session(&self, call: u32, branch: u32, status: Status, fx: &mut Effects) {
        let Some(Some(call)) = self.proxy.calls.get(call) else {
            return;
        };
        let begun = match call.request.method() {
            Method::Invite if makes_dialog(&call.request) => true,
            Method::Bye => false,
            _ => return,
        };
        let ahead = call.branches.get(branch as usize).and_then(|branch| branch.hop);
        // A user of ours came by a connection that the user keeps.
        let behind = call.user.is_none().then_some(call.hop);
        if (200..300).contains(&status.code()) {
            for hop in ahead
                .into_iter()
                .chain(behind)
                .filter(|hop| matches!(hop.transport, Transport::Tcp | Transport::Tls))
            {
                fx.push(Effect::Session { flow: hop.flow, begun });
            }
        }
    }

    /// Writes the ACK of a 2xx and sends it: it has no transaction.
    pub(super) fn send_ack(&mut self, ack: &Message, hop: Hop, fx: &mut Effects) {
        match self.ack_packet(ack, hop) {
            Some(packet) => fx.send(hop, packet, None),
            None => fx.event(Event::Dropped { why: "cannot be forwarded" }),
        }
    }

    fn ack_packet(&mut self, ack: &Message, hop: Hop) -> Option<Packet> {
        let config = Arc::clone(&self.config);
        let way = self.proxy.way(&config, ack).ok()?;
        let contact = self.contact_of(way.path.uri, hop.flow);
        let path = way.path.towards(contact.as_deref());
        max_forwards(ack).ok()?;
        let onward = Onward { max_breadth: MOST_BREADTH, ..Onward::default() };
        self.written(ack, &path, hop, onward).ok()
    }
}

impl Call {
    /// Notes that a branch has failed on its way, and says whether another is worth a try.
    fn may_try_elsewhere(&mut self, branch: u32, status: Status) -> bool {
        let Some(state) = self.branches.get_mut(branch as usize) else {
            return false;
        };
        let to_host =
            self.targets.get(state.contact).is_some_and(|target| matches!(target.next, Next::Host(_)));
        state.failed = status;
        let tried = state.hop.take().map(|hop| Way { transport: hop.transport, address: hop.peer });
        state.tried.extend(tried);
        to_host && !state.heard && !state.cancelled && state.tried.len() < MOST_WAYS
    }
}
