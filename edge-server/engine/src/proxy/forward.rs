//! The beginning of a call: what a request must be to be forwarded, and to whom it is.

use super::aim::elsewhere;
use super::branch::makes_dialog;
use super::{Aim, Call, Next, Target};
use crate::effect::{Effects, Event};
use crate::input::Flow;
use crate::respond::Reply;
use crate::route;
use crate::shard::Shard;
use crate::transaction::Asked;
use crate::wheel::TimerId;
use std::sync::Arc;
use tributary_sip::proxy::context::Rules;
use tributary_sip::proxy::{Context, Device, Disposition, Hops, max_breadth, max_forwards};
use tributary_sip::{Message, Method, Name, Status};

impl Shard {
    /// Forwards a request, or says why not.
    pub(crate) fn forward(
        &mut self,
        flow: &Flow,
        asked: &Asked,
        aim: Aim,
        fx: &mut Effects,
    ) -> Result<(), Reply> {
        let request = &asked.message;
        max_forwards(request).map_err(|status| Reply::refuse(status, "Max-Forwards"))?;
        let breadth = max_breadth(request).map_err(|status| Reply::refuse(status, "Max-Breadth"))?;
        let required: Vec<&str> = request.proxy_require().collect();
        if !required.is_empty() {
            let refusal = Reply::refuse(Status::BAD_EXTENSION, "Proxy-Require");
            return Err(refusal.with(Name::Unsupported, required.join(", ")));
        }
        if self.hops().is_loop(request) {
            return Err(Reply::refuse(Status::LOOP_DETECTED, "loop"));
        }
        // Who shows a token of ours in a dialog was let in when that began, and nobody else has one.
        let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        let shown = match aim {
            Aim::Flow(_) => true,
            Aim::Out => self.proxy.way(&self.config, request).is_ok_and(|way| way.token.is_some()),
            Aim::Us | Aim::User => false,
        };
        let user = if in_dialog && shown { None } else { self.check_caller(flow, request, fx)? };
        let (targets, groups) = match aim {
            Aim::Flow(hop) => {
                let way = self.proxy.way(&self.config, request);
                let uri = way.ok().and_then(|way| self.contact_of(way.path.uri, hop.flow));
                one_target(Target { uri, next: Next::Flow(hop), path: Box::default(), binding: None })
            }
            Aim::Out => {
                let way = self.proxy.way(&self.config, request);
                let permitted = way.ok().and_then(|way| self.onward(&way));
                let permitted = permitted.ok_or_else(elsewhere)?;
                one_target(Target {
                    uri: None,
                    next: Next::Host(permitted),
                    path: Box::default(),
                    binding: None,
                })
            }
            Aim::Us | Aim::User => self.devices_of(request, fx)?,
        };
        if self.proxy.len() >= self.config.limits.proxied_per_shard as usize {
            return Err(self.full(fx, "proxied_per_shard"));
        }
        let bytes = self.proxy.bytes + request.raw().len();
        if bytes > self.config.limits.proxied_bytes_per_shard as usize {
            return Err(self.full(fx, "proxied_bytes_per_shard"));
        }
        self.proxy.bytes = bytes;
        let invite = request.method() == Method::Invite;
        let disposition = Disposition::of(request);
        let rules =
            Rules { invite, no_cancel: disposition.no_cancel, authoritative: aim == Aim::User, breadth };
        let mut pause = i64::from(self.config.timing.ring_ms);
        if !invite {
            // Nobody waits for the answer to a request that is no INVITE after 64*T1, less some for its way back.
            let patience = 62 * i64::from(self.config.timing.t1_ms);
            pause = pause.min(patience / i64::try_from(groups.len().max(1)).unwrap_or(i64::MAX));
        }
        let devices = groups.iter().map(Vec::len).sum();
        let mut actions = Vec::new();
        let context = Context::begin(rules, groups, &mut actions);
        // A way that came to us cannot be opened by us: where it came from is no place to connect to.
        let behind = makes_dialog(request)
            .then(|| self.proxy.record_route(flow.hop, false, self.config.sent_by(&flow.hop)));
        let mut call = Box::new(Call {
            context,
            request: request.clone(),
            hop: flow.hop,
            behind,
            peer: flow.peer.clone(),
            user,
            caller: Some(asked.transaction),
            targets,
            branches: Vec::new(),
            open: 0,
            devices,
            patience: TimerId::NONE,
            pause,
            told: false,
        });
        fx.event(Event::Forwarded { method: crate::shard::known(request.method()), devices: devices as u32 });
        let index = self.proxy.calls.insert(None);
        self.proxy.by_caller.insert(asked.transaction, index);
        self.carry_out(index, &mut call, actions, fx);
        self.put_back(index, call);
        Ok(())
    }

    fn devices_of(
        &mut self,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<(Vec<Target>, Vec<Vec<Device>>), Reply> {
        let way = self.proxy.way(&self.config, request);
        let uri = way.map_err(|_| Reply::refuse(Status::BAD_REQUEST, "Route"))?.path.uri;
        let uri = self.revealed(uri)?;
        let aor = self.served(&uri)?;
        let chosen = self.chosen(self.presentities.find(aor.as_str()), &uri, request)?;
        if chosen.cut {
            fx.event(Event::LimitReached { limit: "forks_per_request" });
        }
        Ok((chosen.targets, chosen.groups))
    }

    pub(super) fn hops(&self) -> Hops {
        Hops { secret: self.proxy.loops }
    }

    /// Whether a request was here before: then a copy of it is a spiral, and no second fork of somebody
    /// before us.
    pub(crate) fn came_through_us(&self, request: &Message) -> bool {
        request.vias().map_while(Result::ok).any(|via| self.config.is_us(via.host, via.port))
    }

    /// Only users of ours may send through us, and only as themselves (R20, R22).
    fn check_caller(
        &mut self,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Option<Arc<str>>, Reply> {
        let from = request.from().map_err(|_| Reply::refuse(Status::BAD_REQUEST, "From"))?;
        let from = route::named(from.uri);
        if let Some(peer) = &flow.peer {
            let its = from.is_some_and(|from| peer.domains.iter().any(|domain| domain == from.host()));
            let why = "From is of none of the trusted server's domains (peers.domains)";
            let refusal = Reply::refuse(Status::FORBIDDEN, why);
            return if its { Ok(None) } else { Err(refusal) };
        }
        let user = self.authenticate_caller(flow, request, fx)?;
        match from {
            Some(from) if *from.as_str() == *user => Ok(Some(user)),
            _ => Err(Reply::refuse(Status::FORBIDDEN, "From is not the authenticated user")),
        }
    }
}

fn one_target(target: Target) -> (Vec<Target>, Vec<Vec<Device>>) {
    (vec![target], vec![vec![Device { contacts: vec![0] }]])
}
