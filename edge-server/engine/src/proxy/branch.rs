//! What a call does: starts and cancels branches, and answers its caller.

use super::{Branch, Call, user_of};
use crate::config::Auth;
use crate::effect::{Effect, Effects, Event};
use crate::route::Of;
use crate::shard::{Shard, Timer, known};
use merge_core::time::Millis;
use std::collections::VecDeque;
use tributary_sip::proxy::context::{Action, Input as Turn};
use tributary_sip::proxy::{Backward, Forward, ForwardError, Path, max_forwards};
use tributary_sip::transaction::{self as layer, ClientVia, Hop, Packet, TransactionId};
use tributary_sip::{Credentials, Message, Method, Name, ResponseBuilder, Status};

/// Says how many devices an INVITE was forked to, so that none of several answers by itself.
const FORKED: &str = "X-Forked";

impl Shard {
    /// Does what a context says, in its order.
    pub(super) fn carry_out(
        &mut self,
        index: u32,
        call: &mut Call,
        actions: Vec<Action<Message>>,
        fx: &mut Effects,
    ) {
        let mut actions = VecDeque::from(actions);
        let mut started = false;
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Start { branch, contact, breadth } => {
                    started = true;
                    if let Err(status) = self.start(index, call, (branch, contact, breadth), fx) {
                        let mut more = Vec::new();
                        call.context.handle(Turn::Failed { branch, status }, &mut more);
                        actions.extend(more);
                    }
                }
                Action::Relay(message) => self.relay(call, &message, &[], fx),
                Action::Answer { best, challenges } => {
                    self.relay(call, &best, &challenges.iter().collect::<Vec<_>>(), fx);
                }
                Action::Refuse(status) => self.refuse(call, status, fx),
                Action::Cancel { branch, reason } => {
                    let client = call.branches.get(branch as usize).and_then(|branch| branch.client);
                    if let Some(transaction) = client {
                        self.transact(layer::Input::Cancel { transaction, reason }, fx);
                    }
                }
            }
        }
        if started || !call.context.has_more() {
            self.wheel.cancel(call.patience);
            call.patience = crate::wheel::TimerId::NONE;
        }
        if started && call.context.has_more() {
            let due = Millis(self.now.0 + call.pause);
            call.patience = self.wheel.set(due, Timer::Ringing(index));
        }
    }

    /// Forwards the request to one target.
    fn start(
        &mut self,
        index: u32,
        call: &mut Call,
        (branch, contact, breadth): (u32, usize, u32),
        fx: &mut Effects,
    ) -> Result<(), Status> {
        let Some(target) = call.targets.get(contact) else {
            return Err(Status::SERVER_INTERNAL_ERROR);
        };
        let reliable = target.hop.transport.is_reliable();
        call.branches.push(Branch { client: None, binding: target.binding, reliable });
        if self.flows.is_closed(target.hop.flow) {
            return Err(Status::FLOW_FAILED);
        }
        let way = self.proxy.way(&self.config, &call.request);
        let path = way.map_err(|_| Status::BAD_REQUEST)?.path.towards(target.uri.as_deref());
        let records = if makes_dialog(&call.request) {
            [target.hop, call.hop].map(|hop| self.proxy.record_route(hop, self.config.sent_by(&hop))).to_vec()
        } else {
            Vec::new()
        };
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let devices = call.devices.to_string();
        let mut with = Vec::new();
        let invite = call.request.method() == Method::Invite;
        if (invite && call.devices > 1) || call.request.header_named(FORKED).is_some() {
            with.push((FORKED, devices.as_str()));
        }
        let hop = target.hop;
        let written = self.written(&call.request, &path, hop, (breadth, &records, with));
        let packet = written.map_err(|error| error.status())?;
        let client = self.ask(user_of(index, branch), hop, packet, fx);
        call.open += 1;
        if let Some(state) = call.branches.last_mut() {
            state.client = client;
            if let Some(binding) = state.binding {
                self.proxy.by_binding.insert((binding, index, branch));
            }
        }
        Ok(())
    }

    /// A request as it goes on.
    fn written(
        &mut self,
        request: &Message,
        path: &Path<'_>,
        hop: Hop,
        (max_breadth, record_routes, mut with): (u32, &[&str], Vec<(&str, &str)>),
    ) -> Result<Packet, ForwardError> {
        let mut branch = Vec::new();
        let (serial, nonce) = (self.next_serial(), self.random.u32());
        self.mark.push_branch(&mut branch, Of::Proxy, serial, nonce);
        let branch = format!("{}.{}", String::from_utf8_lossy(&branch), self.hops().mark(request));
        // Nobody is trusted to say who others are, and our challenge concerns nobody else.
        let mut without = vec![Name::PAssertedIdentity, Name::PPreferredIdentity];
        if let Auth::Digest(server) = &self.config.auth {
            without.push(Name::ProxyAuthorization);
            let others = request.headers(Name::ProxyAuthorization).filter(|text| {
                !matches!(Credentials::parse(text), Some(Credentials::Digest(ours)) if ours.realm == server.realm())
            });
            with.extend(others.map(|text| (Name::ProxyAuthorization.as_str(), text)));
        }
        Forward {
            path,
            via: ClientVia { transport: hop.transport, sent_by: self.config.sent_by(&hop), branch: &branch },
            // Whoever may go no further was refused.
            max_forwards: max_forwards(request).unwrap_or(0),
            max_breadth,
            record_routes,
            without: &without,
            with: &with,
        }
        .request(request)
    }

    /// Hands a request to the table; its transaction, unless there is no room.
    fn ask(&mut self, user: u64, hop: Hop, request: Packet, fx: &mut Effects) -> Option<TransactionId> {
        let before = fx.as_slice().len();
        self.transact(layer::Input::Request { user, hop, request }, fx);
        // If it was refused the news of that is on its way, and what was sent is nobody's here.
        fx.as_slice().get(before..)?.iter().find_map(|effect| match effect {
            Effect::Send { transaction, hop: to, .. } if *to == hop => *transaction,
            _ => None,
        })
    }

    /// The caller gets an answer of a device.
    fn relay(&mut self, call: &mut Call, message: &Message, challenges: &[&Message], fx: &mut Effects) {
        let (Some(transaction), Some(status)) = (call.caller, message.status()) else {
            return;
        };
        let back = Backward { without: &[Name::PAssertedIdentity], challenges };
        let written =
            back.response(message, |via| via.branch().is_some_and(|branch| self.mark.wrote(branch)));
        match written {
            Ok(response) => {
                self.tell(call, status, fx);
                self.transact(layer::Input::Respond { transaction, status, response }, fx);
            }
            Err(_) if status.is_provisional() => fx.event(Event::Dropped { why: "cannot be forwarded" }),
            Err(_) => self.refuse(call, Status::SERVER_INTERNAL_ERROR, fx),
        }
    }

    /// The caller gets an answer of our own.
    fn refuse(&mut self, call: &mut Call, status: Status, fx: &mut Effects) {
        let Some(transaction) = call.caller else {
            return;
        };
        let tag = self.random.token(16);
        match ResponseBuilder::new(&call.request, status).to_tag(&tag).build() {
            Ok(response) => {
                self.tell(call, status, fx);
                let response = Packet::from(response);
                self.transact(layer::Input::Respond { transaction, status, response }, fx);
            }
            Err(_) => fx.event(Event::Dropped { why: "cannot be answered" }),
        }
    }

    /// Counts what a request came to, once.
    fn tell(&self, call: &mut Call, status: Status, fx: &mut Effects) {
        if !status.is_provisional() && !std::mem::replace(&mut call.told, true) {
            let method = known(call.request.method());
            fx.event(Event::Request { method, status: status.code(), detail: None });
        }
    }

    /// The ACK of a 2xx, which has no transaction. It goes where a token of ours says, or nowhere: what
    /// we refused ourselves is acknowledged to ourselves.
    pub(crate) fn forward_ack(&mut self, came_by: Hop, ack: &Message, fx: &mut Effects) {
        let dropped = Event::Dropped { why: "ACK to nobody" };
        let Ok(way) = self.proxy.way(&self.config, ack) else {
            return fx.event(dropped);
        };
        let Some(hop) = self.ahead(&way, &came_by) else {
            return fx.event(dropped);
        };
        let contact = self.contact_of(way.path.uri, hop.flow);
        let path = way.path.towards(contact.as_deref());
        if max_forwards(ack).is_err() {
            return fx.event(dropped);
        }
        match self.written(ack, &path, hop, (tributary_sip::proxy::MOST_BREADTH, &[], Vec::new())) {
            Ok(packet) => fx.send(hop, packet, None),
            Err(_) => fx.event(Event::Dropped { why: "cannot be forwarded" }),
        }
    }
}

/// Whether a request begins a dialog, whose requests are to come through us.
fn makes_dialog(request: &Message) -> bool {
    let begins =
        matches!(request.method(), Method::Invite | Method::Subscribe | Method::Refer | Method::Notify);
    begins && request.to().is_ok_and(|to| to.tag().is_none())
}
