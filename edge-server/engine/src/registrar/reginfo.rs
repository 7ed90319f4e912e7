//! The state of registrations as others see it: the event package `reg` (RFC 3680), with GRUUs (RFC 5628).
//!
//! ```text
//!   REGISTER, expiry, lost flow --> Change (one a contact) --end of the call--> RegView --> NOTIFY
//!                                                              full: who begins, or missed something
//!                                                              partial: who has the state before
//! ```
//! A document is written once and shared by all who get it. What tells two copies apart is `version`, which counts
//! the documents of a subscription (RFC 3680 5.1): it is written into the head of the NOTIFY, and follows its CSeq,
//! which rises by one as well, and over restarts. Refreshes that change nothing are not told.

use super::gruu::Gruus;
use crate::effect::Effects;
use crate::presentity::{Binding, Presentity, PresentityId};
use crate::route;
use crate::shard::Shard;
use crate::subscription::Package;
use bytes::Bytes;
use merge_core::live::Registration;
use merge_core::xml::{Namespace, Writer};
use tributary_sip::Params;

const REGINFO: Namespace<'static> = Namespace::Other("urn:ietf:params:xml:ns:reginfo");
const GRUUINFO: Namespace<'static> = Namespace::Other("urn:ietf:params:xml:ns:gruuinfo");

/// Where the version stands in a document.
const BEFORE_VERSION: &str = "reginfo";

/// What watchers of registrations get.
#[derive(Default)]
pub(crate) struct RegView {
    /// Counts the states since somebody began to watch, from 1.
    pub(crate) version: u32,
    full: RegDocument,
    /// What is new in this state.
    partial: RegDocument,
    changes: Vec<Contact>,
}

/// A document in two pieces, between which its version belongs.
#[derive(Clone, Default)]
pub(crate) struct RegDocument {
    pub(crate) before: Bytes,
    pub(crate) after: Bytes,
}

/// Why a contact is in its state (RFC 3680 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContactEvent {
    Registered,
    Refreshed,
    Expired,
    /// Its connection is gone: it should register again at once.
    Deactivated,
    Unregistered,
    /// Its user is none any more: it should not come back.
    Rejected,
}

impl ContactEvent {
    fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Refreshed => "refreshed",
            Self::Expired => "expired",
            Self::Deactivated => "deactivated",
            Self::Unregistered => "unregistered",
            Self::Rejected => "rejected",
        }
    }

    fn is_active(self) -> bool {
        matches!(self, Self::Registered | Self::Refreshed)
    }
}

/// A contact as a document shows it.
struct Contact {
    id: String,
    event: ContactEvent,
    uri: String,
    q: String,
    call_id: Box<str>,
    cseq: String,
    params: Box<str>,
    public: Option<String>,
    temporary: Option<String>,
}

impl Contact {
    fn of(
        gruus: &Gruus,
        presentity: &Presentity,
        (binding, registration): (&Binding, &Registration),
        event: ContactEvent,
    ) -> Self {
        let gruus = event.is_active().then(|| gruus.of(presentity, binding, registration)).flatten();
        let (public, temporary) = gruus.map_or((None, None), |(public, temporary)| (Some(public), temporary));
        let q = registration.q_milli.min(1000);
        Self {
            id: format!("c-{:016x}", route::hash_of(&format!("{}\0{}", binding.id, registration.contact))),
            event,
            uri: registration.contact.clone(),
            q: format!("{}.{:03}", q / 1000, q % 1000),
            call_id: binding.call_id.clone(),
            cseq: binding.cseq.to_string(),
            params: binding.params.clone(),
            public,
            temporary,
        }
    }

    fn write<'w>(&'w self, out: &mut Writer<'w>) {
        out.start(REGINFO, "contact");
        out.attribute("id", &self.id);
        out.attribute("state", if self.event.is_active() { "active" } else { "terminated" });
        out.attribute("event", self.event.as_str());
        out.attribute("q", &self.q);
        out.attribute("callid", &self.call_id);
        out.attribute("cseq", &self.cseq);
        out.leaf(REGINFO, "uri", &self.uri);
        // `q` and `expires` have attributes of their own, everything else is unknown here.
        let params = Params::parse(&self.params).unwrap_or_default();
        for param in params.iter().filter(|param| !param.name.eq_ignore_ascii_case("q")) {
            out.start(REGINFO, "unknown-param");
            out.attribute("name", param.name);
            out.text(param.value.unwrap_or_default());
            out.end();
        }
        if let Some(public) = &self.public {
            out.start(GRUUINFO, "pub-gruu");
            out.attribute("uri", public);
            out.end();
        }
        if let Some(temporary) = &self.temporary {
            out.start(GRUUINFO, "temp-gruu");
            out.attribute("uri", temporary);
            out.attribute("first-cseq", &self.cseq);
            out.end();
        }
        out.end();
    }
}

/// `state` is that of the document, `of` that of the user's registrations.
fn document(aor: &str, state: &str, of: &str, contacts: &[Contact]) -> RegDocument {
    let mut out = Writer::with_capacity(256 + contacts.len() * 512);
    out.start(REGINFO, "reginfo");
    out.attribute("state", state);
    out.start(REGINFO, "registration");
    out.attribute("aor", aor);
    out.attribute("id", &format!("r-{:016x}", route::hash_of(aor)));
    out.attribute("state", of);
    contacts.iter().for_each(|contact| contact.write(&mut out));
    let mut before = Bytes::from(out.finish());
    let named = before.windows(BEFORE_VERSION.len()).position(|text| text == BEFORE_VERSION.as_bytes());
    let after = before.split_off(named.map_or(0, |at| at + BEFORE_VERSION.len()));
    RegDocument { before, after }
}

impl RegView {
    /// What a watcher gets that has the state of that version; 0: none, or it may have missed some.
    pub(crate) fn since(&self, sent: u32) -> RegDocument {
        if sent > 0 && sent + 1 == self.version { self.partial.clone() } else { self.full.clone() }
    }
}

impl Shard {
    /// Notes what became of the binding at `at`, while somebody watches.
    pub(super) fn reg_changed(&mut self, id: PresentityId, at: usize, event: ContactEvent) {
        let Some(presentity) = self.presentities.get(id).filter(|presentity| presentity.reg_view.is_some())
        else {
            return;
        };
        let its = presentity.bindings.get(at).zip(presentity.live.registrations.get(at));
        let Some(contact) = its.map(|its| Contact::of(&self.gruus, presentity, its, event)) else {
            return;
        };
        if let Some(view) = self.presentities.get_mut(id).and_then(|presentity| presentity.reg_view.as_mut())
        {
            // What happened last to a contact is what is told of it.
            view.changes.retain(|earlier| earlier.id != contact.id);
            view.changes.push(contact);
            self.reg_due.push(id);
        }
    }

    /// Somebody begins to watch a user's registrations.
    pub(crate) fn reg_watched(&mut self, id: PresentityId) {
        if let Some(presentity) = self.presentities.get_mut(id)
            && presentity.reg_view.is_none()
        {
            presentity.reg_view = Some(Box::default());
            self.reg_due.push(id);
        }
    }

    /// Writes the state of a user's registrations, and sends it to those who watch them.
    pub(crate) fn tell_registrations(&mut self, id: PresentityId, fx: &mut Effects) {
        let Some(presentity) = self.presentities.get(id) else {
            return;
        };
        let Some(view) = &presentity.reg_view else {
            return;
        };
        if view.version > 0 && view.changes.is_empty() {
            return;
        }
        let all = presentity.bindings.iter().zip(&presentity.live.registrations);
        let contacts: Vec<_> =
            all.map(|its| Contact::of(&self.gruus, presentity, its, ContactEvent::Registered)).collect();
        let state = match (contacts.is_empty(), view.changes.is_empty()) {
            (false, _) => "active",
            (true, false) => "terminated",
            (true, true) => "init",
        };
        let full = document(&presentity.aor, "full", state, &contacts);
        let partial = document(&presentity.aor, "partial", state, &view.changes);
        let version = view.version.checked_add(1).unwrap_or(1);
        if let Some(presentity) = self.presentities.get_mut(id) {
            presentity.reg_view = Some(Box::new(RegView { version, full, partial, changes: Vec::new() }));
        }
        self.fan_out(id, Package::Reg, fx);
    }
}
