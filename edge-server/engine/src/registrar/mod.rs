//! REGISTER (RFC 3261 10): which connection leads to which device of a user.
//!
//! A binding belongs to the connection that it came by and ends with it at once: over WebSocket there
//! is no other way to the client. Instance and reg-id (RFC 5626) make a binding the same one over
//! connections; without them the `epid` of From or To does, and else the Contact URI.

mod approach;
mod binding;
mod gruu;
mod lifetime;
mod reginfo;

use crate::effect::{Effects, Event};
use crate::input::Flow;
use crate::presentity::PresentityId;
use crate::respond::{self, Reply};
use crate::route;
use crate::shard::Shard;
use approach::Approach;
use binding::Wanted;
use merge_core::policy::Reason;
use std::fmt::Write;
use tributary_sip::{Aor, Contacts, Message, Name, Status};

pub use approach::may_be_kept;
pub(crate) use gruu::Gruus;
pub(crate) use lifetime::granted;
pub(crate) use reginfo::{ContactEvent, RegDocument, RegView};

impl Shard {
    /// Answers a REGISTER.
    pub(crate) fn register(
        &mut self,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Reply, Reply> {
        // Nobody registers elsewhere through us (RFC 3261 10.3 step 1 would have us forward that).
        match request.request_uri() {
            Ok(uri) if !uri.is_sip() => {
                return Err(Reply::refuse(Status::UNSUPPORTED_URI_SCHEME, "scheme"));
            }
            Ok(uri) if self.config.is_registrar(uri.host) => {}
            _ => return Err(Reply::refuse(Status::NOT_FOUND, "a registrar of another domain").unkept()),
        }
        let user = self.authenticate(flow, request, fx)?;
        if let Some(refusal) = respond::unsupported(request, &["gruu", "outbound", "path"]) {
            return Err(refusal);
        }
        let aor = self.served(request.to().map(|to| to.uri).unwrap_or_default())?;
        if *user != *aor.as_str() {
            return Err(Reply::refuse(Status::FORBIDDEN, "third party"));
        }
        let approach = Approach::of(request, &self.config.registrar, &self.config.limits)?;
        let wanted = match request.contacts() {
            Err(_) => return Err(Reply::refuse(Status::BAD_REQUEST, "Contact")),
            Ok(Contacts::Star) => {
                if request.expires() != Ok(Some(0)) {
                    return Err(Reply::refuse(Status::BAD_REQUEST, "Contact: * without Expires: 0"));
                }
                None
            }
            Ok(Contacts::List(contacts)) => Some(self.wanted(&aor, &approach, &contacts)?),
        };
        let fetch = wanted.as_ref().is_some_and(Vec::is_empty);
        if fetch {
            let bindings =
                self.presentities.find(aor.as_str()).map(|id| self.list(id, request)).unwrap_or_default();
            return Ok(approach.answer(ok(bindings), flow, &self.config.registrar));
        }
        if approach.cut {
            fx.event(Event::LimitReached { limit: "header_bytes" });
        }
        let Some(id) = self.presentities.find_or_make(&aor) else {
            return Err(self.full(fx, "presentities_per_shard"));
        };
        let done = self.apply_all(flow, id, &approach, wanted, fx);
        let bindings = self.list(id, request);
        self.presentities.drop_if_idle(id);
        done.map(|()| approach.answer(ok(bindings), flow, &self.config.registrar))
    }

    /// All of a REGISTER or nothing of it (RFC 3261 10.3, step 7).
    fn apply_all(
        &mut self,
        flow: &Flow,
        id: PresentityId,
        approach: &Approach<'_>,
        wanted: Option<Vec<Wanted>>,
        fx: &mut Effects,
    ) -> Result<(), Reply> {
        let Some(presentity) = self.presentities.get(id) else {
            return Ok(());
        };
        let touched: Vec<Option<usize>> = match &wanted {
            None => (0..presentity.bindings.len()).map(Some).collect(),
            Some(wanted) => wanted.iter().map(|wanted| wanted.find(presentity)).collect(),
        };
        let late =
            touched.iter().flatten().filter_map(|&at| presentity.bindings.get(at)).any(|binding| {
                *binding.call_id == *approach.request.call_id() && binding.cseq > approach.cseq
            });
        if late {
            return Err(Reply::refuse(Status::SERVER_INTERNAL_ERROR, "CSeq of an earlier REGISTER"));
        }
        let Some(wanted) = wanted else {
            while self.presentities.get(id).is_some_and(|presentity| !presentity.bindings.is_empty()) {
                self.unbind(id, 0, ContactEvent::Unregistered, fx);
            }
            self.mark(id, Reason::Register, None, false);
            return Ok(());
        };
        let added =
            touched.iter().zip(&wanted).filter(|(at, wanted)| at.is_none() && wanted.seconds > 0).count();
        if presentity.bindings.len() + added > self.config.limits.bindings_per_aor as usize {
            return Err(self.limited(fx, "bindings_per_aor"));
        }
        let most = self.config.limits.bindings_per_instance as usize;
        let too_many = |urn: &str| {
            let held =
                presentity.live.registrations.iter().filter(|own| own.instance.as_deref() == Some(urn));
            held.count() >= most
        };
        let mut new = touched.iter().zip(&wanted).filter(|(at, wanted)| at.is_none() && wanted.seconds > 0);
        if new.any(|(_, wanted)| wanted.instance.as_deref().is_some_and(too_many)) {
            return Err(self.limited(fx, "bindings_per_instance"));
        }
        for wanted in wanted {
            self.apply(flow, id, approach, wanted, fx);
        }
        Ok(())
    }

    /// The Contact values of the 200: every binding, as it was given (RFC 3261 10.3, step 8), with its
    /// GRUUs for who understands them.
    fn list(&self, id: PresentityId, request: &Message) -> Vec<String> {
        let Some(presentity) = self.presentities.get(id) else {
            return Vec::new();
        };
        let wants_gruus = request.has_token(Name::Supported, "gruu");
        let all = presentity.bindings.iter().zip(&presentity.live.registrations);
        all.map(|(binding, registration)| {
            let left = (registration.expires.0 - self.now.0).max(0).div_euclid(1000);
            let mut value = String::with_capacity(registration.contact.len() + binding.params.len() + 24);
            // Writing to a String cannot fail.
            let _ = write!(value, "<{}>;expires={left}{}", registration.contact, binding.params);
            if wants_gruus {
                self.gruus.push(&mut value, presentity, binding, registration);
            }
            value
        })
        .collect()
    }

    /// The address of record that a URI names, if it is one of a user of ours.
    pub(crate) fn served(&self, uri: &str) -> Result<Aor, Reply> {
        let known_scheme = uri.split_once(':').is_some_and(|(scheme, _)| {
            ["sip", "sips", "pres"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        });
        if !known_scheme {
            return Err(Reply::refuse(Status::UNSUPPORTED_URI_SCHEME, "scheme"));
        }
        let aor = route::named(uri).ok_or_else(|| Reply::refuse(Status::NOT_FOUND, "no user part"))?;
        if !self.config.serves(aor.host()) {
            return Err(Reply::refuse(Status::NOT_FOUND, "domain"));
        }
        if !self.config.users.exists(aor.as_str()) {
            return Err(Reply::refuse(Status::NOT_FOUND, "user"));
        }
        Ok(aor)
    }
}

fn ok(bindings: Vec<String>) -> Reply {
    bindings.into_iter().fold(Reply::new(Status::OK), |reply, contact| reply.with(Name::Contact, contact))
}
