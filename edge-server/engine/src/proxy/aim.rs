//! Where a request goes: to ourselves, to a user of ours, or over a flow that a token of ours names.

use super::Proxy;
use crate::config::Config;
use crate::egress::Permitted;
use crate::input::Flow;
use crate::respond::Reply;
use crate::route;
use crate::shard::Shard;
use std::cell::Cell;
use tributary_sip::error::HeaderError;
use tributary_sip::flow_token::FlowToken;
use tributary_sip::locate::NextHop;
use tributary_sip::proxy::Path;
use tributary_sip::transaction::Hop;
use tributary_sip::{Message, Method, Status, Uri};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// It is for ourselves.
    Us,
    /// To the user that its Request-URI names.
    User,
    /// Over this flow, by what its Route says.
    Flow(Hop),
    /// To another server.
    Out,
}

/// The path of a request behind us.
pub(super) struct Way<'m> {
    pub(super) path: Path<'m>,
    /// The last of our tokens that it had on top, and how many there were.
    pub(super) token: Option<(FlowToken, u32)>,
}

impl Proxy {
    /// The path of a request without the URIs of ours that it begins with: one for each side where it
    /// goes by our Record-Route.
    pub(super) fn way<'m>(&self, config: &Config, request: &'m Message) -> Result<Way<'m>, HeaderError> {
        let seen = Cell::new(None::<(FlowToken, u32)>);
        let ours = |uri: &Uri<'_>| {
            if !config.is_our_route(uri) {
                return false;
            }
            let Some(user) = uri.user else {
                return true;
            };
            let token = FlowToken::open(&self.keys, user);
            let count = seen.get().map_or(0, |(_, count)| count);
            token.inspect(|token| seen.set(Some((*token, count + 1)))).is_some()
        };
        let mut path = Path::received(request, ours)?;
        while let Some(first) = path.routes.first()
            && first.parse_uri().is_ok_and(|first| ours(&first))
        {
            path.routes.remove(0);
        }
        Ok(Way { path, token: seen.get() })
    }

    /// The URI that brings what follows in a dialog back to us and over this flow.
    pub(super) fn record_route(&self, hop: Hop, opened: bool, host: &str) -> String {
        let token = FlowToken { run: self.run, hop, opened }.seal(&self.keys);
        format!("sip:{token}@{host};transport={};lr", hop.transport.uri())
    }
}

impl Shard {
    /// Where a request goes. What a proxy may not do is refused here.
    pub(crate) fn aim(&self, flow: &Flow, request: &Message) -> Result<Aim, Reply> {
        let way = self.proxy.way(&self.config, request);
        let way = way.map_err(|_| Reply::refuse(Status::BAD_REQUEST, "Route"))?;
        match self.other_side(&way, &flow.hop) {
            Some(token) if token.opened => return Ok(Aim::Out),
            Some(token) => {
                return self.open(token).map(Aim::Flow).ok_or(Reply::refuse(Status::FLOW_FAILED, "flow"));
            }
            None => {}
        }
        if !way.path.routes.is_empty() {
            return self.onward(&way).map(|_| Aim::Out).ok_or(elsewhere());
        }
        match self.aim_at(request.method(), way.path.uri)? {
            Aim::Out if self.onward(&way).is_none() => Err(elsewhere()),
            aim => Ok(aim),
        }
    }

    /// Where a request goes that is for nobody here: to where its Route or Request-URI leads, if the
    /// operator has nothing against it, or in a dialog to where that has begun (RFC 3261 16.6 item 7).
    pub(super) fn onward(&self, way: &Way<'_>) -> Option<Permitted> {
        let next = Uri::parse(way.path.next_hop()).ok().and_then(|uri| NextHop::of(&uri));
        let next = next.filter(|next| !self.config.is_us(next.at.host(), next.at.port()));
        if let Some(permitted) = next.and_then(|next| self.config.egress.permit(next)) {
            return Some(permitted);
        }
        let (token, _) = way.token.filter(|(token, _)| token.opened)?;
        let next = NextHop { at: token.hop.peer.into(), transport: Some(token.hop.transport), secure: false };
        Some(Permitted { next, private: true, trusted: false })
    }

    /// The flow of a client that the path of a request leads over.
    pub(super) fn ahead(&self, way: &Way<'_>, came_by: &Hop) -> Option<Hop> {
        let token = self.other_side(way, came_by).filter(|token| !token.opened);
        self.open(token?)
    }

    /// The token at the end is the other side's. Where it is the sender's own there was no other, and
    /// the request goes out into the world (RFC 5626 5.3).
    fn other_side(&self, way: &Way<'_>, came_by: &Hop) -> Option<FlowToken> {
        let (token, count) = way.token?;
        (count > 1 || !token.is_source(self.proxy.run, came_by)).then_some(token)
    }

    /// The flow of a token, while there is one.
    fn open(&self, token: FlowToken) -> Option<Hop> {
        // That of datagrams is no less open after a restart of ours.
        let this_run = token.run == self.proxy.run || !token.hop.transport.is_reliable();
        (this_run && !self.flows.is_closed(token.hop.flow)).then_some(token.hop)
    }

    fn aim_at(&self, method: Method<'_>, uri: &str) -> Result<Aim, Reply> {
        let parsed = Uri::parse(uri).map_err(|_| Reply::refuse(Status::BAD_REQUEST, "Request-URI"))?;
        let aor = route::named(uri);
        let host = aor.as_ref().map_or(parsed.host, |aor| aor.host());
        let ours = self.config.serves(host);
        let us = parsed.user.is_none_or(|user| route::contact_shard(user).is_some());
        match (parsed.is_sip() || aor.is_some(), ours) {
            _ if method == Method::Subscribe => Ok(Aim::Us),
            (false, _) => Err(Reply::refuse(Status::UNSUPPORTED_URI_SCHEME, "scheme")),
            (true, false) => Ok(Aim::Out),
            (true, true) if us && parsed.is_sip() => Ok(Aim::Us),
            (true, true) => Ok(Aim::User),
        }
    }
}

/// Nothing goes to hosts that are neither ours nor named in `[egress]`.
pub(super) fn elsewhere() -> Reply {
    Reply::refuse(Status::FORBIDDEN, "another domain, and not in egress.allow")
}
