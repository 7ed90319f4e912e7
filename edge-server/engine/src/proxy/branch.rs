//! What a call does: starts and cancels branches, and answers its caller.

use super::onward::{Errand, Size};
use super::{Branch, Call, Next, user_of};
use crate::config::Auth;
use crate::effect::{Effect, Effects, Event};
use crate::route::Of;
use crate::shard::{Shard, Timer, known};
use merge_core::time::Millis;
use std::collections::VecDeque;
use std::sync::Arc;
use tributary_sip::proxy::context::{Action, Input as Turn};
use tributary_sip::proxy::{Backward, Forward, ForwardError, Path, max_forwards};
use tributary_sip::transaction::{self as layer, ClientVia, Hop, Packet, TransactionId, Transport};
use tributary_sip::{Credentials, Message, Method, Name, NameAddr, ResponseBuilder, Status};

/// Says how many devices an INVITE was forked to, so that none of several answers by itself.
const FORKED: &str = "X-Forked";

/// What goes on with a request beyond what its path says.
#[derive(Default)]
pub(super) struct Onward {
    /// It goes to a trusted server, which may use the connection for its own (RFC 5923).
    pub(super) alias: bool,
    pub(super) max_breadth: u32,
    pub(super) record_routes: Vec<String>,
    pub(super) with: Vec<(&'static str, String)>,
}

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
                    let Some(state) = call.branches.get_mut(branch as usize) else {
                        continue;
                    };
                    state.cancelled = true;
                    if let Some(transaction) = state.client {
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

    /// Forwards the request to one target, at once or when there is a way.
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
        call.branches.push(Branch {
            client: None,
            binding: target.binding,
            reliable: false,
            contact,
            breadth,
            heard: false,
            cancelled: false,
            size: Size::default(),
            hop: None,
            tried: Vec::new(),
            failed: Status::SERVICE_UNAVAILABLE,
        });
        let Next::Flow(hop) = target.next else {
            self.reach_branch(index, call, branch, fx);
            return Ok(());
        };
        if let Some(state) = call.branches.last_mut() {
            state.reliable = hop.transport.is_reliable();
        }
        if self.flows.is_closed(hop.flow) {
            return Err(Status::FLOW_FAILED);
        }
        let packet = self.branch_packet(call, branch, hop)?;
        self.send_branch(index, call, branch, (hop, packet), fx);
        Ok(())
    }

    /// The request of a branch as it goes over a hop.
    pub(super) fn branch_packet(&mut self, call: &Call, branch: u32, hop: Hop) -> Result<Packet, Status> {
        let state = call.branches.get(branch as usize).ok_or(Status::SERVER_INTERNAL_ERROR)?;
        let target = call.targets.get(state.contact).ok_or(Status::SERVER_INTERNAL_ERROR)?;
        let config = Arc::clone(&self.config);
        let way = self.proxy.way(&config, &call.request);
        // What cannot be read is no hop of ours to write: the registrar has read them all.
        let vector: Vec<_> = target.path.iter().filter_map(|hop| NameAddr::parse(hop)).collect();
        let path = way.map_err(|_| Status::BAD_REQUEST)?.path.through(&vector);
        let path = path.towards(target.uri.as_deref());
        let (opened, trusted) = match &target.next {
            Next::Flow(_) => (false, false),
            Next::Host(permitted) => (true, permitted.trusted),
        };
        let alias = trusted && hop.transport == Transport::Tls && config.listens_for(hop);
        let mut onward = Onward { alias, max_breadth: state.breadth, ..Onward::default() };
        if let Some(behind) = &call.behind {
            let ahead = self.proxy.record_route(hop, opened, config.sent_by(&hop));
            onward.record_routes = vec![ahead, behind.clone()];
        }
        let invite = call.request.method() == Method::Invite;
        if (invite && call.devices > 1) || call.request.header_named(FORKED).is_some() {
            onward.with.push((FORKED, call.devices.to_string()));
        }
        onward.with.extend(call.asserted(trusted).map(|who| (Name::PAssertedIdentity.as_str(), who)));
        self.written(&call.request, &path, hop, onward).map_err(|error| error.status())
    }

    /// Hands the request of a branch to the table.
    pub(super) fn send_branch(
        &mut self,
        index: u32,
        call: &mut Call,
        branch: u32,
        (hop, packet): (Hop, Packet),
        fx: &mut Effects,
    ) {
        let client = self.ask(user_of(index, branch), hop, packet, fx);
        call.open += 1;
        if let Some(state) = call.branches.get_mut(branch as usize) {
            state.client = client;
            if let Some(binding) = state.binding {
                self.proxy.by_binding.insert((binding, index, branch));
            }
        }
    }

    /// A request as it goes on.
    pub(super) fn written(
        &mut self,
        request: &Message,
        path: &Path<'_>,
        hop: Hop,
        onward: Onward,
    ) -> Result<Packet, ForwardError> {
        let mut branch = Vec::new();
        let (serial, nonce) = (self.next_serial(), self.random.u32());
        self.mark.push_branch(&mut branch, Of::Proxy, serial, nonce);
        let branch = format!("{}.{}", String::from_utf8_lossy(&branch), self.hops().mark(request));
        // Who is asserted to be somebody is said anew, and our challenge concerns nobody else.
        let mut without = vec![Name::PAssertedIdentity, Name::PPreferredIdentity];
        let mut with: Vec<(&str, &str)> =
            onward.with.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if let Auth::Digest(server) = &self.config.auth {
            without.push(Name::ProxyAuthorization);
            let others = request.headers(Name::ProxyAuthorization).filter(|text| {
                !matches!(Credentials::parse(text), Some(Credentials::Digest(ours)) if ours.realm == server.realm())
            });
            with.extend(others.map(|text| (Name::ProxyAuthorization.as_str(), text)));
        }
        let record_routes: Vec<&str> = onward.record_routes.iter().map(String::as_str).collect();
        Forward {
            path,
            via: ClientVia {
                transport: hop.transport,
                sent_by: self.config.sent_by(&hop),
                branch: &branch,
                alias: onward.alias,
            },
            // Whoever may go no further was refused.
            max_forwards: max_forwards(request).unwrap_or(0),
            max_breadth: onward.max_breadth,
            record_routes: &record_routes,
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

    /// Counts what the caller is told, and once what the request came to.
    fn tell(&self, call: &mut Call, status: Status, fx: &mut Effects) {
        let (method, code) = (known(call.request.method()), status.code());
        if status.is_provisional() {
            fx.event(Event::Provisional { method, status: code });
        } else if !std::mem::replace(&mut call.told, true) {
            fx.event(Event::Request { method, status: code, detail: None });
        }
    }

    /// The ACK of a 2xx, which has no transaction. It goes where a token of ours says, or nowhere: what
    /// we refused ourselves is acknowledged to ourselves.
    pub(crate) fn forward_ack(&mut self, came_by: Hop, ack: &Message, fx: &mut Effects) {
        let dropped = Event::Dropped { why: "ACK to nobody" };
        let Ok(way) = self.proxy.way(&self.config, ack) else {
            return fx.event(dropped);
        };
        if let Some(hop) = self.ahead(&way, &came_by) {
            return self.send_ack(ack, hop, fx);
        }
        // Nobody sends an ACK into the world but who has shown a token of ours.
        let out = way.token.is_some().then(|| self.onward(&way)).flatten();
        match out {
            Some(permitted) if self.proxy.has_room_for_errand(&self.config.limits) => {
                self.reach(Errand::Ack(Box::new(ack.clone())), &permitted, Vec::new(), fx);
            }
            _ => fx.event(dropped),
        }
    }
}

impl Call {
    /// Who the caller is, as far as we or a server that we trust know it (RFC 3325 5, 7): for our users'
    /// devices what a trusted server has said, unless the caller wants to be nobody; for a trusted server
    /// that, or which user of ours it is.
    fn asserted(&self, to_trusted: bool) -> impl Iterator<Item = String> {
        let headers = self.request.headers(Name::PAssertedIdentity);
        let mut privacy = self.request.headers(Name::Privacy).flat_map(|value| value.split([';', ',']));
        let hidden = privacy.any(|value| value.trim().eq_ignore_ascii_case("id"));
        let leaves =
            self.targets.iter().any(|target| matches!(&target.next, Next::Host(host) if !host.trusted));
        let theirs = headers.filter(move |_| self.peer.is_some() && (to_trusted || !(hidden || leaves)));
        let ours = self.user.iter().filter(move |_| to_trusted).map(|user| format!("<{user}>"));
        theirs.map(str::to_owned).chain(ours)
    }
}

/// Whether a request begins a dialog, whose requests are to come through us.
pub(super) fn makes_dialog(request: &Message) -> bool {
    let begins =
        matches!(request.method(), Method::Invite | Method::Subscribe | Method::Refer | Method::Notify);
    begins && request.to().is_ok_and(|to| to.tag().is_none())
}
