//! PUBLISH (RFC 3903): the event state compositor.
//!
//! A publication is named by its entity-tag, which is new after each success, and belongs to the
//! address of record, not to a dialog. It is also tied to the connection that it came by: when that
//! dies, the publication waits a while for its device and then ends as if it had expired.

mod device;
mod life;

use crate::auth::NOT_REGISTERED;
use crate::effect::{Effect, Effects};
use crate::input::Flow;
use crate::presentity::{BEFORE_RESTART, Presentity, PresentityId, PublicationState, push_exact, timer_mark};
use crate::record::{Last, PublicationRecord, Record};
use crate::registrar::granted;
use crate::respond::{self, Reply};
use crate::shard::{Shard, Timer};
use crate::wheel::TimerId;
use bytes::Bytes;
use merge_core::live::{Publication, SourceKind};
use merge_core::model::Document;
use merge_core::policy::Reason;
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_sip::{Aor, Message, Name, Status};

/// Characters of an entity-tag: 100 bits drawn anew, so that none comes twice, not even after a restart.
const ETAG: usize = 20;

impl Shard {
    /// Answers a PUBLISH.
    pub(crate) fn publish(
        &mut self,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Reply, Reply> {
        let user = self.authenticate(flow, request, fx)?;
        if let Some(refusal) = respond::unsupported(request, &[]) {
            return Err(refusal);
        }
        let aor = self.user_of(request.uri())?;
        if *user != *aor.as_str() {
            return Err(Reply::refuse(Status::FORBIDDEN, "third party"));
        }
        if self.config.require_registration && !self.is_registered(&user, flow) {
            return Err(Reply::refuse(Status::FORBIDDEN, NOT_REGISTERED));
        }
        let is_presence = matches!(request.event(), Ok(Some(event)) if event.package == "presence");
        if !is_presence || !self.config.presence_enabled {
            return Err(respond::bad_event(&self.config));
        }
        let named = match request.sip_if_match() {
            Ok(None) => None,
            Ok(Some(etag)) => Some(self.find_publication(&aor, etag.as_str())?),
            Err(_) => return Err(Reply::refuse(Status::BAD_REQUEST, "SIP-If-Match")),
        };
        let Ok(asked) = request.expires() else {
            return Err(Reply::refuse(Status::BAD_REQUEST, "Expires"));
        };
        let seconds = granted(asked, self.config.timing.publish)?;
        let etag = self.random.token(ETAG);
        let done = self.act(flow, request, &aor, named, &etag, seconds, fx);
        if let Some(id) = self.presentities.find(aor.as_str()) {
            self.presentities.drop_if_idle(id);
        }
        done.map(|()| {
            Reply::new(Status::OK).with(Name::SipEtag, etag).with(Name::Expires, seconds.to_string())
        })
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is the one request that is acted on")]
    fn act(
        &mut self,
        flow: &Flow,
        request: &Message,
        aor: &Aor,
        named: Option<(PresentityId, usize)>,
        etag: &str,
        seconds: u32,
        fx: &mut Effects,
    ) -> Result<(), Reply> {
        match (named, request.body().is_empty()) {
            (Some((id, at)), _) if seconds == 0 => self.remove_publication(id, at, fx),
            (Some((id, at)), true) => self.refresh_publication(flow, id, at, etag, seconds, fx),
            (Some((id, at)), false) => {
                let document = self.read_document(request, aor, fx)?;
                self.check_bytes(id, Some(at), &document, fx)?;
                self.modify_publication(flow, request, id, at, document, etag, seconds, fx);
            }
            (None, true) => {
                let why = "a first PUBLISH needs a body";
                return Err(Reply::refuse(Status::BAD_REQUEST, why).warn(respond::agent(&self.config), why));
            }
            (None, false) => {
                let document = self.read_document(request, aor, fx)?;
                // A state that ends at once was never there.
                if seconds > 0 {
                    self.new_publication(flow, request, aor, document, etag, seconds, fx)?;
                }
            }
        }
        Ok(())
    }

    fn find_publication(&self, aor: &Aor, etag: &str) -> Result<(PresentityId, usize), Reply> {
        let found = self.presentities.find(aor.as_str()).and_then(|id| {
            let live = &self.presentities.get(id)?.live.publications;
            Some((id, live.iter().position(|publication| publication.etag == etag)?))
        });
        found.ok_or_else(|| Reply::refuse(Status::CONDITIONAL_REQUEST_FAILED, "SIP-If-Match"))
    }

    fn read_document(&self, request: &Message, aor: &Aor, fx: &mut Effects) -> Result<Arc<Document>, Reply> {
        let agent = respond::agent(&self.config);
        if !matches!(request.content_type(), Ok(Some(media)) if media.is(respond::PIDF)) {
            let refusal = Reply::refuse(Status::UNSUPPORTED_MEDIA_TYPE, "Content-Type");
            return Err(refusal.with(Name::Accept, respond::PIDF));
        }
        if request
            .header(Name::ContentEncoding)
            .is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"))
        {
            let refusal = Reply::refuse(Status::UNSUPPORTED_MEDIA_TYPE, "Content-Encoding");
            return Err(refusal.with(Name::Accept, respond::PIDF).with(Name::AcceptEncoding, "identity"));
        }
        if request.body().len() > self.config.limits.body_bytes as usize {
            fx.event(crate::Event::LimitReached { limit: "body_bytes" });
            return Err(Reply::refuse(Status::REQUEST_ENTITY_TOO_LARGE, "body"));
        }
        let document = Document::read(request.body()).map_err(|error| {
            let status = Status::new(error.status()).unwrap_or(Status::BAD_REQUEST);
            let refusal = Reply::refuse(status, "body").warn(agent, &error.message);
            if status == Status::UNSUPPORTED_MEDIA_TYPE {
                refusal.with(Name::Accept, respond::PIDF)
            } else {
                refusal
            }
        })?;
        if document.entity().is_some_and(|entity| Aor::parse(entity.as_str()).ok().as_ref() != Some(aor)) {
            let why = "the document's entity is not the user in the Request-URI";
            return Err(Reply::refuse(Status::BAD_REQUEST, "entity").warn(agent, why));
        }
        Ok(Arc::new(document))
    }

    /// Whether a presentity has room for a document, in the place of the one `at`.
    fn check_bytes(
        &self,
        id: PresentityId,
        at: Option<usize>,
        document: &Document,
        fx: &mut Effects,
    ) -> Result<(), Reply> {
        let live = self.presentities.get(id).map(|p| p.live.publications.as_slice()).unwrap_or_default();
        let others = live.iter().enumerate().filter(|(other, _)| Some(*other) != at);
        let others: usize = others.map(|(_, publication)| publication.document.source().len()).sum();
        if others + document.source().len() <= self.config.limits.publication_bytes_per_presentity as usize {
            return Ok(());
        }
        fx.event(crate::Event::LimitReached { limit: "publication_bytes_per_presentity" });
        let why = "the documents of all devices together are too long";
        let refusal = Reply::refuse(Status::REQUEST_ENTITY_TOO_LARGE, why);
        Err(refusal.warn(respond::agent(&self.config), why))
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is the one request that is acted on")]
    fn new_publication(
        &mut self,
        flow: &Flow,
        request: &Message,
        aor: &Aor,
        document: Arc<Document>,
        etag: &str,
        seconds: u32,
        fx: &mut Effects,
    ) -> Result<(), Reply> {
        let Some(id) = self.presentities.find_or_make(aor) else {
            return Err(self.full(fx, "presentities_per_shard"));
        };
        let on_flow: usize = self.flows.get(flow.id()).map_or(0, |ties| {
            let owners = ties.owners().filter_map(|owner| self.presentities.get(owner));
            owners.flat_map(|owner| &owner.publications).filter(|p| p.flow == Some(flow.id())).count()
        });
        if on_flow >= self.config.limits.publications_per_flow as usize {
            return Err(self.limited(fx, "publications_per_flow"));
        }
        let key = self.random.u64();
        let Some(presentity) = self.presentities.get(id) else {
            return Ok(());
        };
        let (identity, returns_as) = device::identify(presentity, flow, request, &document, key);
        self.end_superseded(id, flow.id(), returns_as.as_deref(), fx);
        let Some(presentity) = self.presentities.get(id) else {
            return Ok(());
        };
        if presentity.publications.len() >= self.config.limits.publications_per_presentity as usize {
            return Err(self.limited(fx, "publications_per_presentity"));
        }
        self.check_bytes(id, None, &document, fx)?;
        let expires = Millis(self.now.0 + i64::from(seconds) * 1000);
        let Some(presentity) = self.presentities.get_mut(id) else {
            return Ok(());
        };
        push_exact(
            &mut presentity.live.publications,
            Publication {
                etag: etag.to_owned(),
                source: SourceKind::Publish,
                device: identity,
                user_agent: request.user_agent().map(str::to_owned),
                received: self.now,
                first: self.now,
                expires,
                document,
            },
        );
        push_exact(
            &mut presentity.publications,
            PublicationState {
                id: key,
                flow: Some(flow.id()),
                published_on: flow.id(),
                returns_as,
                timer: self.wheel.set(expires, Timer::Publication { presentity: id, mark: timer_mark(key) }),
            },
        );
        presentity.show_gruus();
        fx.extend(stored(presentity, presentity.publications.len() - 1));
        self.tally.publications += 1;
        self.flows.tie_owner(flow.id(), id);
        self.mark(id, Reason::Publish, Some(etag), false);
        Ok(())
    }

    fn refresh_publication(
        &mut self,
        flow: &Flow,
        id: PresentityId,
        at: usize,
        etag: &str,
        seconds: u32,
        fx: &mut Effects,
    ) {
        self.renew(flow, id, at, etag, seconds);
        fx.extend(self.presentities.get(id).and_then(|presentity| stored(presentity, at)));
        self.mark(id, Reason::Refresh, Some(etag), true);
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is the one request that is acted on")]
    fn modify_publication(
        &mut self,
        flow: &Flow,
        request: &Message,
        id: PresentityId,
        at: usize,
        document: Arc<Document>,
        etag: &str,
        seconds: u32,
        fx: &mut Effects,
    ) {
        self.renew(flow, id, at, etag, seconds);
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let key = presentity.publications[at].id;
        let (identity, returns_as) = device::identify(presentity, flow, request, &document, key);
        let live = &mut presentity.live.publications[at];
        live.received = self.now;
        live.document = document;
        live.device = identity;
        live.user_agent = request.user_agent().map(str::to_owned);
        presentity.publications[at].returns_as = returns_as;
        presentity.show_gruus();
        fx.extend(stored(presentity, at));
        self.mark(id, Reason::Publish, Some(etag), false);
    }

    /// What refreshing and modifying have in common: a new tag, a new end, and the connection that
    /// the request came by.
    fn renew(&mut self, flow: &Flow, id: PresentityId, at: usize, etag: &str, seconds: u32) {
        let expires = Millis(self.now.0 + i64::from(seconds) * 1000);
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let live = &mut presentity.live.publications[at];
        live.etag = etag.to_owned();
        live.expires = expires;
        let state = &mut presentity.publications[at];
        state.published_on = flow.id();
        self.wheel.cancel(state.timer);
        state.timer = self.wheel.set(expires, Timer::Publication { presentity: id, mark: state.mark() });
        let old = state.flow.replace(flow.id());
        self.flows.tie_owner(flow.id(), id);
        if let Some(old) = old {
            self.flows.untie_owner(old, id);
        }
    }

    fn remove_publication(&mut self, id: PresentityId, at: usize, fx: &mut Effects) {
        self.drop_publication(id, at, fx);
        self.mark(id, Reason::Remove, None, false);
    }

    /// A publication as it was before the restart.
    ///
    /// # Errors
    /// When its document cannot be read any more.
    pub(crate) fn restore_publication(
        &mut self,
        id: PresentityId,
        record: PublicationRecord,
    ) -> Result<(), crate::record::RecordError> {
        let document = Document::read(&record.document)
            .map_err(|error| crate::record::RecordError::Document(error.message.clone()))?;
        let Last(flow) = record.datagrams;
        let expires = Millis(record.expires_ms);
        let ends = if flow.is_some() { expires } else { expires.min(self.restart_grace()) };
        let Some(presentity) = self.presentities.get_mut(id) else {
            return Ok(());
        };
        self.tally.publications += 1;
        let timer = Timer::Publication { presentity: id, mark: timer_mark(record.id) };
        push_exact(
            &mut presentity.publications,
            PublicationState {
                id: record.id,
                flow,
                published_on: flow.unwrap_or(BEFORE_RESTART),
                returns_as: record.returns_as.as_deref().map(Into::into),
                timer: self.wheel.set(ends, timer),
            },
        );
        push_exact(
            &mut presentity.live.publications,
            Publication {
                etag: record.etag,
                source: SourceKind::Publish,
                device: device::from_record(
                    record.device,
                    &record.device_kind,
                    record.label,
                    record.instance,
                ),
                user_agent: record.user_agent,
                received: Millis(record.received_ms),
                first: Millis(record.first_ms),
                expires,
                document: Arc::new(document),
            },
        );
        presentity.show_gruus();
        if let Some(flow) = flow {
            self.flows.tie_owner(flow, id);
        }
        Ok(())
    }
}

fn stored(presentity: &Presentity, at: usize) -> Option<Effect> {
    let (state, live) = (presentity.publications.get(at)?, presentity.live.publications.get(at)?);
    let record = Record::Publication(PublicationRecord {
        id: state.id,
        aor: presentity.aor.as_ref().into(),
        etag: live.etag.clone(),
        device: live.device.key.clone(),
        device_kind: live.device.kind.as_str().to_owned(),
        label: live.device.label.clone(),
        instance: live.device.instance.clone(),
        returns_as: state.returns_as.as_deref().map(Into::into),
        user_agent: live.user_agent.clone(),
        received_ms: live.received.0,
        first_ms: live.first.0,
        expires_ms: live.expires.0,
        document: Bytes::copy_from_slice(live.document.source().as_bytes()),
        datagrams: Last(state.flow.filter(|flow| flow.socket().is_some())),
    });
    Some(Effect::put(&record))
}

impl Shard {
    /// Takes a publication out of everything that knows of it.
    pub(crate) fn drop_publication(&mut self, id: PresentityId, at: usize, fx: &mut Effects) {
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        if at >= presentity.publications.len() {
            return;
        }
        let state = presentity.publications.swap_remove(at);
        presentity.live.publications.swap_remove(at);
        self.tally.publications -= 1;
        let key = crate::record::publication_key(state.id);
        fx.push(Effect::Store(crate::StoreOp::Delete { table: crate::Table::Publications, key }));
        if state.timer != TimerId::NONE {
            self.wheel.cancel(state.timer);
        }
        if let Some(flow) = state.flow {
            self.flows.untie_owner(flow, id);
        }
    }
}
