//! One binding: from its Contact to its end.

use super::approach::Approach;
use super::{ContactEvent, granted};
use crate::effect::{BindingEnd, Effect, Effects, Event, StoreOp};
use crate::input::{Flow, FlowDevice, Notice};
use crate::presentity::{Binding, Header, NOBODY, Presentity, PresentityId, push_exact};
use crate::proxy::News;
use crate::record::{self, Added, Datagrams, Record, RegistrationRecord, Table};
use crate::respond::Reply;
use crate::shard::{Shard, Timer};
use crate::wheel::TimerId;
use merge_core::live::Registration;
use merge_core::policy::Reason;
use merge_core::time::Millis;
use merge_core::uri::same_contact;
use std::fmt::Write;
use std::sync::Arc;
use tributary_sip::transaction::FlowId;
use tributary_sip::{Aor, NameAddr, Status};

/// Parameters of a Contact that we say. GRUUs are never a client's to choose (RFC 5627 5.1).
const OURS: [&str; 3] = ["expires", "pub-gruu", "temp-gruu"];

/// One Contact of a REGISTER, checked.
pub(super) struct Wanted {
    contact: String,
    id: String,
    epid: Option<Box<str>>,
    params: String,
    pub(super) instance: Option<String>,
    q_milli: u16,
    pub(super) seconds: u32,
}

impl Wanted {
    /// The binding that it is about.
    pub(super) fn find(&self, presentity: &Presentity) -> Option<usize> {
        let find = |is_it: &dyn Fn(&Binding, &Registration) -> bool| {
            let mut all = presentity.bindings.iter().zip(&presentity.live.registrations);
            all.position(|(binding, registration)| {
                registration.instance.is_some() == self.instance.is_some() && is_it(binding, registration)
            })
        };
        let by_id = find(&|binding, _| *binding.id == self.id);
        if self.instance.is_some() || by_id.is_some() {
            return by_id;
        }
        find(&|_, registration| same_contact(&registration.contact, &self.contact))
    }
}

impl Shard {
    pub(super) fn wanted(
        &self,
        aor: &Aor,
        approach: &Approach<'_>,
        contacts: &[NameAddr<'_>],
    ) -> Result<Vec<Wanted>, Reply> {
        let request = approach.request;
        let Ok(all_expire) = request.expires() else {
            return Err(Reply::refuse(Status::BAD_REQUEST, "Expires"));
        };
        let epid = request.from().ok().and_then(|from| from.epid());
        let epid = epid.or(request.to().ok().and_then(|to| to.epid()));
        if epid.is_some_and(|epid| epid.len() > self.config.limits.contact_bytes as usize) {
            return Err(Reply::beyond(Status::BAD_REQUEST, "contact_bytes", "epid too long"));
        }
        let mut wanted: Vec<Wanted> = Vec::with_capacity(contacts.len());
        for contact in contacts {
            let uri = contact.parse_uri().map_err(|_| Reply::refuse(Status::BAD_REQUEST, "Contact"))?;
            if contact.uri.len() + contact.params.as_str().len() > self.config.limits.contact_bytes as usize {
                return Err(Reply::beyond(Status::BAD_REQUEST, "contact_bytes", "Contact too long"));
            }
            if !uri.is_sip() {
                return Err(Reply::refuse(Status::UNSUPPORTED_URI_SCHEME, "Contact"));
            }
            if contact.params.as_str().contains('\0') {
                // It would come back in every answer to a REGISTER of this user.
                return Err(Reply::refuse(Status::BAD_REQUEST, "NUL in Contact"));
            }
            let seconds = granted(contact.expires().or(all_expire), self.config.timing.register)?;
            if seconds > 0 && self.gruus.leads_back(aor, contact.uri, &uri) {
                return Err(Reply::refuse(Status::FORBIDDEN, "Contact leads back to its user"));
            }
            let instance = contact.instance().map(|instance| instance.urn().to_owned());
            let id = match (&instance, epid) {
                (Some(instance), _) => format!("{instance};{}", approach.reg_id(contact).unwrap_or(0)),
                (None, Some(epid)) => format!("epid={epid}"),
                (None, None) => contact.uri.to_owned(),
            };
            let mut params = String::new();
            let ours = |name: &str| OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours));
            for param in contact.params.iter().filter(|param| !ours(param.name)) {
                // Writing to a String cannot fail.
                let _ = match param.value {
                    Some(value) => write!(params, ";{}={value}", param.name),
                    None => write!(params, ";{}", param.name),
                };
            }
            let contact = Wanted {
                contact: contact.uri.to_owned(),
                id,
                epid: epid.map(Into::into),
                params,
                instance,
                q_milli: contact.q_milli().unwrap_or(1000),
                seconds,
            };
            // The same Contact twice in one request: the last one counts.
            wanted.retain(|earlier| earlier.id != contact.id);
            wanted.push(contact);
        }
        // The flow that the request came by can be that of one binding (RFC 5626 6).
        let one_flow = contacts.iter().any(|contact| approach.reg_id(contact).is_some());
        if one_flow && wanted.iter().filter(|contact| contact.seconds > 0).count() > 1 {
            return Err(Reply::refuse(Status::BAD_REQUEST, "several Contacts for one flow"));
        }
        Ok(wanted)
    }

    /// Makes, refreshes or removes one binding.
    pub(super) fn apply(
        &mut self,
        flow: &Flow,
        id: PresentityId,
        approach: &Approach<'_>,
        wanted: Wanted,
        fx: &mut Effects,
    ) {
        let request = approach.request;
        let Some(presentity) = self.presentities.get(id) else {
            return;
        };
        let (at, aor) = (wanted.find(presentity), presentity.aor.clone());
        let before = at.and_then(|at| presentity.bindings.get(at).zip(presentity.live.registrations.get(at)));
        // What others are told of it (RFC 3680): not that it lives on.
        let is_elsewhere = before.is_some_and(|(_, its)| its.contact != wanted.contact);
        let is_as_before = before.is_some_and(|(binding, its)| {
            *binding.call_id == *approach.request.call_id()
                && *binding.params == *wanted.params
                && its.contact == wanted.contact
        });
        if wanted.seconds == 0 {
            if let Some(at) = at {
                self.unbind(id, at, ContactEvent::Unregistered, fx);
                self.mark(id, Reason::Register, None, false);
            }
            return;
        }
        let expires = Millis(self.now.0 + i64::from(wanted.seconds) * 1000);
        let registration = Registration {
            contact: wanted.contact,
            instance: wanted.instance,
            q_milli: wanted.q_milli,
            expires,
            user_agent: request.user_agent().map(str::to_owned),
            transport: flow.hop.transport.via().to_ascii_lowercase(),
        };
        let generation = self.generation(id, at, registration.instance.as_deref(), request, fx);
        let serial = self.next_serial();
        let timer = self.wheel.set(expires, Timer::Binding { presentity: id, serial });
        let binding = Binding {
            id: wanted.id.into(),
            epid: wanted.epid,
            params: wanted.params.into(),
            call_id: request.call_id().into(),
            cseq: approach.cseq,
            generation,
            flow: Some(flow.id()),
            transport: flow.hop.transport,
            peer: flow.hop.peer,
            path: approach.path.clone(),
            headers: approach.headers.clone(),
            waits_until: None,
            stored_until: Millis(expires.0 + i64::from(wanted.seconds) * 1000),
            serial,
            timer,
        };
        let device = Arc::new(FlowDevice { aor, key: registration.key().into() });
        let moves = at.filter(|_| is_elsewhere);
        if let Some(at) = moves {
            self.reg_changed(id, at, ContactEvent::Unregistered);
        }
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let old_key = at.and_then(|at| presentity.live.registrations.get(at)).map(|its| its.key().to_owned());
        let (old, same_set) = match at {
            Some(at) => {
                let old = std::mem::replace(&mut presentity.bindings[at], binding);
                let old_registration = &mut presentity.live.registrations[at];
                let same = Registration { expires, ..old_registration.clone() } == registration;
                if *old.id != *presentity.bindings[at].id {
                    let key = record::registration_key(&presentity.aor, &old.id);
                    fx.push(Effect::Store(StoreOp::Delete { table: Table::Registrations, key }));
                }
                *old_registration = registration;
                (Some(old), same)
            }
            None => {
                push_exact(&mut presentity.bindings, binding);
                self.tally.bindings += 1;
                push_exact(&mut presentity.live.registrations, registration);
                (None, false)
            }
        };
        presentity.show_gruus();
        let at_before = at;
        let at = at.unwrap_or(presentity.bindings.len() - 1);
        let is_stored = |old: &&Binding| {
            same_set && expires <= old.stored_until && old.is_refreshed_by(&presentity.bindings[at])
        };
        match old.as_ref().filter(is_stored) {
            Some(old) => presentity.bindings[at].stored_until = old.stored_until,
            None => fx.extend(stored(presentity, at)),
        }
        let replaces = old.as_ref().and_then(|old| old.flow).filter(|&old| old != flow.id());
        let key_is_new = old_key.as_deref() != Some(&*device.key);
        self.flows.tie_owner(flow.id(), id);
        if let Some(old) = old {
            self.wheel.cancel(old.timer);
            if let Some(old_flow) = old.flow {
                self.flows.untie_owner(old_flow, id);
            }
        }
        if !is_as_before {
            let is_new = at_before.is_none() || is_elsewhere;
            self.reg_changed(id, at, if is_new { ContactEvent::Registered } else { ContactEvent::Refreshed });
        }
        self.publications_back(id, flow.id(), &device.key, replaces, fx);
        if flow.device.as_deref() != Some(&*device) || replaces.is_some() {
            fx.push(Effect::FlowRegistered { flow: flow.id(), device: device.clone() });
            // Datagrams have no connection that would know it: a refresh is no news all the same.
            if replaces.is_some() || key_is_new || flow.hop.transport.is_reliable() {
                self.device_on_flow(flow.hop, &device, replaces, fx);
                fx.push(Effect::Broadcast(Notice::DeviceOnFlow { hop: flow.hop, device, replaces }));
            }
        }
        self.mark(id, Reason::Register, None, same_set);
    }

    /// Takes a binding out of everything that knows of it.
    pub(crate) fn unbind(&mut self, id: PresentityId, at: usize, why: ContactEvent, fx: &mut Effects) {
        self.reg_changed(id, at, why);
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        if at >= presentity.bindings.len() {
            return;
        }
        let binding = presentity.bindings.swap_remove(at);
        let registration = presentity.live.registrations.swap_remove(at);
        // A device whose connection died comes back or is forgotten soon. Until then its watchers need not
        // hear of it.
        if let Some(urn) = registration.instance.filter(|_| binding.flow.is_some()) {
            presentity.hide_gruu(&urn);
        }
        self.tally.bindings -= 1;
        self.gruus.left(&binding, &presentity.bindings);
        let key = record::registration_key(&presentity.aor, &binding.id);
        fx.push(Effect::Store(StoreOp::Delete { table: Table::Registrations, key }));
        let binding_name = Self::binding_name(self.keyed, &presentity.aor, &binding.id);
        self.proxy.hears(News::Withdrawn { binding: binding_name });
        self.wheel.cancel(binding.timer);
        if let Some(flow) = binding.flow {
            self.flows.untie_owner(flow, id);
        }
    }

    /// The connection died: the bindings that it carried lead nowhere, unless it was a proxy's that
    /// another can be opened to.
    pub(crate) fn bindings_cut_off(&mut self, id: PresentityId, flow: FlowId, fx: &mut Effects) {
        let find = |presentity: &Presentity| presentity.bindings.iter().position(|b| b.flow == Some(flow));
        while let Some(presentity) = self.presentities.get(id)
            && let Some(at) = find(presentity)
        {
            let kept = self.behind(&presentity.bindings[at].path).is_some();
            let Some(presentity) = self.presentities.get_mut(id) else { return };
            presentity.bindings[at].flow = None;
            if kept {
                continue;
            }
            fx.event(Event::BindingEnded { aor: presentity.aor.clone(), why: BindingEnd::FlowClosed });
            self.unbind(id, at, ContactEvent::Deactivated, fx);
            self.mark(id, Reason::Register, None, false);
        }
    }

    /// The timer of a binding fired.
    pub(crate) fn binding_due(&mut self, id: PresentityId, serial: u32, fx: &mut Effects) {
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let Some(at) = presentity.bindings.iter().position(|binding| binding.serial == serial) else {
            return;
        };
        let waits = presentity.bindings[at].waits_until.is_some();
        let why = if waits { BindingEnd::NotBack } else { BindingEnd::Expired };
        presentity.bindings[at].timer = TimerId::NONE;
        fx.event(Event::BindingEnded { aor: presentity.aor.clone(), why });
        self.unbind(id, at, ContactEvent::Expired, fx);
        self.mark(id, Reason::Register, None, false);
    }

    /// A binding as it was before the restart. A connection is gone; the binding is kept a while so
    /// that users do not seem to leave and come back. The way of datagrams is as it was.
    pub(crate) fn restore_binding(&mut self, id: PresentityId, record: RegistrationRecord) {
        let serial = self.next_serial();
        let Added { datagrams, generation, path, headers, epid } = record.added;
        let waits_until = if datagrams.is_some() { None } else { Some(self.restart_grace()) };
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        self.tally.bindings += 1;
        let transport = record::transport(record.transport);
        let expires = Millis(record.expires_ms);
        let ends = expires.min(waits_until.unwrap_or(expires));
        let timer = self.wheel.set(ends, Timer::Binding { presentity: id, serial });
        push_exact(
            &mut presentity.bindings,
            Binding {
                id: record.id.into(),
                epid: epid.map(Into::into),
                params: record.params.into(),
                call_id: record.call_id.into(),
                cseq: record.cseq,
                generation,
                flow: datagrams.map(|datagrams| datagrams.flow),
                transport,
                peer: datagrams.map_or(NOBODY, |datagrams| datagrams.peer),
                path: path.into_iter().map(Into::into).collect(),
                headers: headers
                    .into_iter()
                    .map(|(name, value)| Header { name: name.into(), value: value.into() })
                    .collect(),
                waits_until,
                stored_until: expires,
                serial,
                timer,
            },
        );
        push_exact(
            &mut presentity.live.registrations,
            Registration {
                contact: record.contact,
                instance: record.instance,
                q_milli: record.q_milli,
                expires,
                user_agent: record.user_agent,
                transport: transport.via().to_ascii_lowercase(),
            },
        );
        presentity.show_gruus();
        if let Some(Datagrams { flow, .. }) = datagrams {
            self.flows.tie_owner(flow, id);
        }
        self.gruus.restored(generation, id);
    }
}

/// A binding, to be stored.
pub(super) fn stored(presentity: &Presentity, at: usize) -> Option<Effect> {
    let (binding, registration) = (presentity.bindings.get(at)?, presentity.live.registrations.get(at)?);
    let record = Record::Registration(RegistrationRecord {
        aor: presentity.aor.as_ref().into(),
        id: binding.id.as_ref().into(),
        contact: registration.contact.clone(),
        params: binding.params.as_ref().into(),
        instance: registration.instance.clone(),
        q_milli: registration.q_milli,
        expires_ms: binding.stored_until.0,
        call_id: binding.call_id.as_ref().into(),
        cseq: binding.cseq,
        user_agent: registration.user_agent.clone(),
        transport: record::transport_index(binding.transport),
        added: Added {
            datagrams: Datagrams::of(binding.hop()).0,
            generation: binding.generation,
            path: binding.path.iter().map(|hop| hop.to_string()).collect(),
            epid: binding.epid.as_deref().map(Into::into),
            headers: binding
                .headers
                .iter()
                .map(|kept| (kept.name.to_string(), kept.value.to_string()))
                .collect(),
        },
    });
    Some(Effect::put(&record))
}
