//! SUBSCRIBE: beginning, refreshing and ending a subscription.

use super::{CSEQ_BLOCK, Dialog, Package, Subscription, SubscriptionId, TAG, Tag};
use crate::auth::NOT_REGISTERED;
use crate::effect::{Effects, Event as Log, SubscriptionEnd};
use crate::input::Flow;
use crate::presentity::{Presentity, PresentityId};
use crate::registrar::granted;
use crate::respond::{self, Reply};
use crate::route::{self, contact_user};
use crate::shard::Shard;
use crate::view::Sees;
use crate::wheel::TimerId;
use merge_core::policy::Reason;
use merge_core::time::Millis;
use std::fmt::Write;
use tributary_sip::{Aor, Message, Name, NameAddr, Scheme, Status};

impl Shard {
    /// Answers a SUBSCRIBE. The NOTIFY that follows is sent at the end of the call, after the answer.
    pub(crate) fn subscribe(
        &mut self,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Reply, Reply> {
        let in_dialog = request.to().ok().and_then(|to| to.tag().map(str::to_owned));
        match in_dialog {
            Some(tag) => self.resubscribe(flow, request, &tag, fx),
            None => self.first_subscribe(flow, request, fx),
        }
    }

    fn first_subscribe(&mut self, flow: &Flow, request: &Message, fx: &mut Effects) -> Result<Reply, Reply> {
        let watcher = self.authenticate(flow, request, fx)?;
        let package = self.package_of(request)?;
        if self.config.require_registration && !self.is_registered(&watcher, flow) {
            return Err(Reply::refuse(Status::FORBIDDEN, NOT_REGISTERED));
        }
        let aor = self.user_of(request.uri())?;
        // The document names its user, whom a temporary GRUU is there to hide.
        if route::named(request.uri()).is_none_or(|named| named != aor) && *watcher != *aor.as_str() {
            return Err(Reply::refuse(Status::NOT_FOUND, "temporary GRUU of another"));
        }
        // The requests that follow in the dialog are known by their To.
        let to = request.to().ok().and_then(|to| self.user_of(to.uri).ok().or_else(|| route::named(to.uri)));
        if to.is_some_and(|to| to != aor) {
            let why = "To names another user than the Request-URI";
            return Err(Reply::refuse(Status::BAD_REQUEST, why).warn(respond::agent(&self.config), why));
        }
        let from = request.from().map_err(|_| Reply::refuse(Status::BAD_REQUEST, "From"))?;
        if Aor::parse(from.uri).ok().is_none_or(|from| *from.as_str() != *watcher) {
            return Err(Reply::refuse(Status::FORBIDDEN, "From is not the authenticated user"));
        }
        // A list of devices, with addresses and temporary GRUUs, is for the user whose they are (RFC 3680 4.6).
        let may_watch = |watcher: &str| {
            *watcher == *aor.as_str() || self.config.registrar.watchers.iter().any(|known| *known == *watcher)
        };
        if package == Package::Reg && !may_watch(&watcher) {
            return Err(Reply::refuse(Status::FORBIDDEN, "registrations of another"));
        }
        let remote_tag =
            from.tag().ok_or_else(|| Reply::refuse(Status::BAD_REQUEST, "From without a tag"))?;
        let contact = contact(request)?.ok_or_else(|| Reply::refuse(Status::BAD_REQUEST, "Contact"))?;
        let cseq = request.cseq().map_err(|_| Reply::refuse(Status::BAD_REQUEST, "CSeq"))?.number;
        let seconds = self.subscribe_seconds(request)?;
        let known = self.presentities.find(aor.as_str());
        self.check_room(flow, known, &watcher, fx)?;
        let Some(id) = self.presentities.find_or_make(&aor) else {
            return Err(self.full(fx, "presentities_per_shard"));
        };
        let has_state = |presentity: &Presentity| presentity.has_state(self.config.switches);
        if package == Package::Presence && !self.presentities.get(id).is_some_and(has_state) {
            self.presentities.drop_if_idle(id);
            return Err(Reply::refuse(Status::TEMPORARILY_UNAVAILABLE, "nothing is published"));
        }
        let repeated = [Name::From, Name::To, Name::CallId, Name::Event, Name::RecordRoute];
        if repeated.into_iter().flat_map(|name| request.headers(name)).any(breaks_lines) {
            self.presentities.drop_if_idle(id);
            return Err(Reply::refuse(Status::BAD_REQUEST, "line end in a header"));
        }
        let tag = self.random.token(TAG);
        let headers = self.notify_headers(flow, request, &aor, &tag);
        let most = self.config.limits.dialog_bytes as usize;
        let Some(dialog) = Dialog::new(contact.uri, &headers, request.call_id(), remote_tag, most) else {
            self.presentities.drop_if_idle(id);
            return Err(Reply::beyond(Status::BAD_REQUEST, "dialog_bytes", "dialog too long"));
        };
        let mut local_tag: Tag = [b'0'; TAG];
        local_tag.copy_from_slice(tag.as_bytes());
        let poll = seconds == 0;
        let subscription = Subscription {
            presentity: id,
            package,
            sees: Sees::ALL,
            place: 0,
            flow: Some(flow.id()),
            transport: flow.hop.transport,
            peer: flow.hop.peer,
            local_tag,
            dialog,
            watcher: self.subscriptions.intern(&watcher),
            device: flow.device.clone().filter(|device| device.aor == watcher),
            cseq: 0,
            cseq_reserved: CSEQ_BLOCK,
            remote_cseq: cseq,
            sent: 0,
            in_flight: None,
            ending: poll.then_some(SubscriptionEnd::Polled),
            stored: !poll,
            expires: Millis(self.now.0 + i64::from(seconds) * 1000),
            waits_until: Millis(0),
            timer: TimerId::NONE,
            timer_at: Millis(0),
        };
        let subscription = self.begin(subscription, fx);
        self.flows.tie_subscription(flow.id(), subscription);
        if let Some(presentity) = self.presentities.get(id)
            && !poll
        {
            fx.event(Log::SubscriptionStarted { aor: presentity.aor.clone() });
        }
        let mut reply = self.accepted(flow, seconds);
        reply.to_tag = Some(tag);
        Ok(reply)
    }

    fn resubscribe(
        &mut self,
        flow: &Flow,
        request: &Message,
        tag: &str,
        fx: &mut Effects,
    ) -> Result<Reply, Reply> {
        let gone = || Reply::new(Status::CALL_DOES_NOT_EXIST);
        let id = self.subscriptions.by_tag(tag).ok_or_else(gone)?;
        let subscription = self.subscriptions.get(id).ok_or_else(gone)?;
        let remote_tag = request.from().ok().and_then(|from| from.tag()).unwrap_or_default();
        let same = subscription.dialog.call_id() == request.call_id()
            && subscription.dialog.remote_tag() == remote_tag;
        if !same || subscription.ending.is_some() {
            return Err(gone());
        }
        let watcher = subscription.watcher.clone();
        if self.authenticate(flow, request, fx)? != watcher {
            return Err(Reply::refuse(Status::FORBIDDEN, "another user's dialog"));
        }
        self.package_of(request)?;
        let subscription = self.subscriptions.get(id).ok_or_else(gone)?;
        let theirs = request.event().ok().flatten();
        if !subscription.dialog.event().zip(theirs).is_some_and(|(mine, theirs)| mine.matches(&theirs)) {
            return Err(gone());
        }
        let cseq = request.cseq().map_err(|_| Reply::refuse(Status::BAD_REQUEST, "CSeq"))?.number;
        // An equal number under a new branch is what SIP.js sends after a challenge; RFC 3261 12.2.2
        // refuses lower ones only.
        if cseq < subscription.remote_cseq {
            return Err(Reply::refuse(Status::SERVER_INTERNAL_ERROR, "CSeq"));
        }
        let target = contact(request)?.map(|contact| contact.uri.to_owned());
        let seconds = self.subscribe_seconds(request)?;
        let presentity = subscription.presentity;
        let aor = self.presentities.get(presentity).and_then(|p| Aor::parse(&p.aor).ok()).ok_or_else(gone)?;
        if let Err(refusal) = self.served(aor.as_str()) {
            // The user went while the server was down.
            self.end(id, SubscriptionEnd::NoResource, fx);
            return Err(refusal);
        }
        self.refreshed(flow, id, cseq, seconds, target.as_deref(), fx);
        Ok(self.accepted(flow, seconds))
    }

    fn subscribe_seconds(&self, request: &Message) -> Result<u32, Reply> {
        let asked = request.expires().map_err(|_| Reply::refuse(Status::BAD_REQUEST, "Expires"))?;
        granted(asked, self.config.timing.subscribe)
    }

    fn check_room(
        &self,
        flow: &Flow,
        presentity: Option<PresentityId>,
        watcher: &str,
        fx: &mut Effects,
    ) -> Result<(), Reply> {
        let limits = &self.config.limits;
        let to_it = presentity.and_then(|id| self.presentities.get(id)).map_or(0, |p| p.subscriptions.len());
        let on_flow = self.flows.get(flow.id()).map_or(0, |ties| ties.subscriptions().count());
        if to_it >= limits.subscriptions_per_presentity as usize {
            return Err(self.limited(fx, "subscriptions_per_presentity"));
        }
        if on_flow >= limits.subscriptions_per_flow as usize {
            return Err(self.limited(fx, "subscriptions_per_flow"));
        }
        if self.subscriptions.of_watcher(watcher) >= limits.subscriptions_per_watcher {
            return Err(self.limited(fx, "subscriptions_per_watcher"));
        }
        Ok(())
    }

    fn accepted(&self, flow: &Flow, seconds: u32) -> Reply {
        Reply::new(Status::OK)
            .with(Name::Contact, self.contact(flow))
            .with(Name::Expires, seconds.to_string())
    }

    fn contact(&self, flow: &Flow) -> String {
        let (name, transport) = (self.config.sent_by(&flow.hop), flow.hop.transport.uri());
        format!("<sip:{}@{name};transport={transport}>", contact_user(self.index))
    }

    /// The headers of every NOTIFY of a dialog: From is the SUBSCRIBE's To and To its From.
    fn notify_headers(&self, flow: &Flow, request: &Message, aor: &Aor, tag: &str) -> String {
        let mut out = String::with_capacity(512);
        // Writing to a String cannot fail.
        let _ = write!(out, "Max-Forwards: 70\r\nFrom: ");
        let to = request.header(Name::To).unwrap_or_default();
        // Browsers' libraries answer `sips:` in From with 416 and drop other schemes without a word.
        let is_sip = |to: NameAddr<'_>| to.parse_uri().is_ok_and(|uri| uri.scheme == Scheme::Sip);
        let from_is_sip = request.to().is_ok_and(is_sip);
        let _ = if from_is_sip { write!(out, "{to}") } else { write!(out, "<{}>", aor.as_str()) };
        let _ = write!(out, ";tag={tag}\r\nTo: {}\r\n", request.header(Name::From).unwrap_or_default());
        let _ = write!(out, "Call-ID: {}\r\nContact: {}\r\n", request.call_id(), self.contact(flow));
        let _ = write!(out, "Event: {}\r\n", request.header(Name::Event).unwrap_or("presence"));
        for route in request.headers(Name::RecordRoute) {
            let _ = write!(out, "Route: {route}\r\n");
        }
        out
    }
}

impl Shard {
    /// What is watched; or 420, 489 and 406: it must be something that there is.
    fn package_of(&self, request: &Message) -> Result<Package, Reply> {
        if let Some(refusal) = respond::unsupported(request, &[]) {
            return Err(refusal);
        }
        let package = request.event().ok().flatten().and_then(|event| Package::of(event.package));
        let package = package.filter(|package| *package != Package::Presence || self.config.presence_enabled);
        let package = package.ok_or_else(|| respond::bad_event(&self.config))?;
        let format = package.content_type();
        match request.accept() {
            Ok(None) => Ok(package),
            Ok(Some(accept)) if accept.quality(format) > 0 => Ok(package),
            Ok(Some(_)) => Err(Reply::refuse(Status::NOT_ACCEPTABLE, "Accept").with(Name::Accept, format)),
            Err(_) => Err(Reply::refuse(Status::BAD_REQUEST, "Accept")),
        }
    }
}

/// Whether a value must not be written into a request of ours: it would begin another line.
fn breaks_lines(value: &str) -> bool {
    value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// The one Contact of a SUBSCRIBE.
fn contact(request: &Message) -> Result<Option<NameAddr<'_>>, Reply> {
    let bad = |why| Reply::refuse(Status::BAD_REQUEST, why);
    let Some(contact) = request.contact().map_err(|_| bad("Contact"))? else {
        return Ok(None);
    };
    let uri = contact.parse_uri().map_err(|_| bad("Contact"))?;
    if !uri.is_sip() {
        return Err(Reply::refuse(Status::UNSUPPORTED_URI_SCHEME, "Contact"));
    }
    // It becomes the Request-URI of each NOTIFY, where headers are not allowed (RFC 3261 19.1.1).
    if uri.headers.is_some() || breaks_lines(contact.uri) {
        return Err(bad("Contact"));
    }
    Ok(Some(contact))
}

impl Shard {
    /// Makes a subscription known to everything that has to know of it, but its flow.
    pub(super) fn begin(&mut self, subscription: Subscription, fx: &mut Effects) -> SubscriptionId {
        let (presentity_id, package) = (subscription.presentity, subscription.package);
        let id = self.subscriptions.insert(subscription);
        if let Some(presentity) = self.presentities.get_mut(presentity_id) {
            let place = presentity.subscriptions.len() as u32;
            presentity.subscriptions.push(id);
            if let Some(subscription) = self.subscriptions.get_mut(id) {
                subscription.place = place;
            }
            match package {
                // Who comes while a policy is asked waits for the same answer.
                Package::Presence if presentity.view.is_none() && presentity.change.is_some() => {}
                Package::Presence if presentity.view.is_none() => {
                    self.mark(presentity_id, Reason::Publish, None, false);
                }
                Package::Presence => self.classify(id, fx),
                Package::Reg => self.reg_watched(presentity_id),
            }
        }
        self.store_subscription(id, fx);
        self.arm(id);
        self.due.push(id);
        id
    }
}
