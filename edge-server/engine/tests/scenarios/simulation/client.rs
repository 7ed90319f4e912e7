//! Clients as browsers' libraries are: one request at a time, a new connection when an answer does not
//! come, refreshes on timers of their own.

use super::world::World;
use crate::scene::{code, pidf_of};
use tributary_engine::FlowId;
use tributary_sip::{Message, Name, ResponseBuilder, Status, SubState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Publisher,
    Watcher(&'static str),
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Register,
    Publish { version: i64 },
    Subscribe,
    Resubscribe,
}

struct Pending {
    asked: Asked,
    call_id: String,
    cseq: u32,
    until: i64,
}

struct Dialog {
    call_id: String,
    from_tag: String,
    to_tag: Option<String>,
    cseq: u32,
    refresh_at: i64,
    notify_cseq: u32,
    seen: Option<String>,
}

pub(super) struct Client {
    pub(super) index: usize,
    pub(super) user: &'static str,
    pub(super) role: Role,
    pub(super) etag: Option<String>,
    flow: Option<FlowId>,
    pending: Option<Pending>,
    registered_at: Option<i64>,
    register_cseq: u32,
    version: i64,
    published: Option<i64>,
    publish_at: i64,
    dialog: Option<Dialog>,
}

/// Half of the lifetimes that are asked for.
const REFRESH_MS: i64 = 60_000;
const LIFETIME: &str = "120";

impl Client {
    pub(super) fn new(index: usize, user: &'static str, role: Role) -> Self {
        Self {
            index,
            user,
            role,
            etag: None,
            flow: None,
            pending: None,
            registered_at: None,
            register_cseq: 0,
            version: 0,
            published: None,
            publish_at: 0,
            dialog: None,
        }
    }

    /// Stands in for a client that is acting.
    pub(super) fn nobody() -> Self {
        Self::new(usize::MAX, "", Role::Nobody)
    }

    /// Its device's key: odd clients have an instance, even ones a Contact only.
    pub(super) fn device(&self) -> String {
        if self.index % 2 == 1 { format!("urn:uuid:{}", self.index) } else { self.contact() }
    }

    fn contact(&self) -> String {
        format!("sip:u{0}@h{0}.invalid;transport=ws", self.index)
    }

    /// What its document says and no other's does.
    pub(super) fn mark(&self) -> String {
        format!("sip:{}.{}@mark.invalid", self.index, self.version)
    }

    pub(super) fn document(&self) -> String {
        // Without a device's name in it, the connection has to say whose it is.
        pidf_of(self.user, &format!("t{}", self.index), "open", "sip:unset@x.invalid")
            .replace("sip:unset@x.invalid", &format!("sip:{}@example.com", self.user))
            .replace("</tuple>", &format!("<note>{}</note></tuple>", self.mark()))
    }

    pub(super) fn seen(&self) -> Option<&str> {
        self.dialog.as_ref()?.seen.as_deref()
    }

    pub(super) fn changes(&mut self, version: i64) {
        self.version = version;
    }

    pub(super) fn misses(&mut self, flow: FlowId) {
        if self.flow == Some(flow) {
            self.flow = None;
            self.registered_at = None;
            if self.pending.take().is_some_and(|pending| pending.asked == Asked::Subscribe) {
                // Nobody knows whether there is such a dialog.
                self.dialog = None;
            }
        }
    }

    pub(super) fn hangs_up(&mut self, world: &mut World) {
        if let Some(flow) = self.flow {
            world.disconnect(flow);
            self.misses(flow);
        }
    }

    pub(super) fn wake(&mut self, world: &mut World) {
        if self.pending.as_ref().is_some_and(|pending| pending.until <= world.now) {
            self.hangs_up(world);
        }
        if self.flow.is_none() {
            self.flow = Some(world.connect(self.index));
        }
        if self.pending.is_some() {
            return;
        }
        if self.registered_at.is_none_or(|at| world.now >= at + REFRESH_MS) {
            return self.register(world);
        }
        match self.role {
            Role::Publisher if self.published != Some(self.version) => self.publish(world, true),
            Role::Publisher if world.now >= self.publish_at + REFRESH_MS => self.publish(world, false),
            Role::Watcher(watched) => match &self.dialog {
                None => self.subscribe(world, watched),
                Some(dialog) if world.now >= dialog.refresh_at => self.resubscribe(world, watched),
                Some(_) => {}
            },
            _ => {}
        }
    }

    fn send(&mut self, world: &mut World, asked: Asked, call_id: String, cseq: u32, text: String) {
        let Some(flow) = self.flow else { return };
        self.pending = Some(Pending { asked, call_id, cseq, until: world.now + 32_000 });
        world.transmit(flow, text);
    }

    fn head(
        &self,
        world: &mut World,
        method: &str,
        uri: &str,
        to: &str,
        dialog: (&str, &str, u32),
    ) -> String {
        let branch = world.number();
        let (call_id, from_tag, cseq) = dialog;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS lib.invalid;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@example.com>;tag={from_tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n",
            user = self.user,
        )
    }

    fn register(&mut self, world: &mut World) {
        self.register_cseq += 1;
        let call_id = format!("register-{}", self.index);
        let to = format!("<sip:{}@example.com>", self.user);
        let head = self.head(world, "REGISTER", "sip:example.com", &to, (&call_id, "r", self.register_cseq));
        let instance = if self.index % 2 == 1 {
            format!(";reg-id=1;+sip.instance=\"<{}>\"", self.device())
        } else {
            String::new()
        };
        let text = format!(
            "{head}Contact: <{}>{instance};expires={LIFETIME}\r\nContent-Length: 0\r\n\r\n",
            self.contact()
        );
        self.send(world, Asked::Register, call_id, self.register_cseq, text);
    }

    fn publish(&mut self, world: &mut World, with_body: bool) {
        let aor = format!("sip:{}@example.com", self.user);
        let call_id = format!("publish-{}", world.number());
        let head = self.head(world, "PUBLISH", &aor, &format!("<{aor}>"), (&call_id, "p", 1));
        let with_body = with_body || self.etag.is_none();
        let body = if with_body { self.document() } else { String::new() };
        let kind = if with_body { "Content-Type: application/pidf+xml\r\n" } else { "" };
        let named = self.etag.as_ref().map(|etag| format!("SIP-If-Match: {etag}\r\n")).unwrap_or_default();
        let text = format!(
            "{head}Event: presence\r\nExpires: {LIFETIME}\r\n{named}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(world, Asked::Publish { version: self.version }, call_id, 1, text);
    }

    fn subscribe(&mut self, world: &mut World, watched: &str) {
        let aor = format!("sip:{watched}@example.com");
        let (call_id, from_tag) = (format!("watch-{}", world.number()), format!("w{}", world.number()));
        let head = self.head(world, "SUBSCRIBE", &aor, &format!("<{aor}>"), (&call_id, &from_tag, 1));
        let text = self.subscribe_text(&head);
        self.dialog = Some(Dialog {
            call_id: call_id.clone(),
            from_tag,
            to_tag: None,
            cseq: 1,
            refresh_at: i64::MAX,
            notify_cseq: 0,
            seen: None,
        });
        self.send(world, Asked::Subscribe, call_id, 1, text);
    }

    fn resubscribe(&mut self, world: &mut World, watched: &str) {
        let Some(dialog) = &mut self.dialog else { return };
        dialog.cseq += 1;
        let (call_id, from_tag, cseq) = (dialog.call_id.clone(), dialog.from_tag.clone(), dialog.cseq);
        let to = format!("<sip:{watched}@example.com>;tag={}", dialog.to_tag.as_deref().unwrap_or_default());
        let head = self.head(world, "SUBSCRIBE", "sip:ps-0@example.com", &to, (&call_id, &from_tag, cseq));
        let text = self.subscribe_text(&head);
        self.send(world, Asked::Resubscribe, call_id, cseq, text);
    }

    fn subscribe_text(&self, head: &str) -> String {
        let contact = self.contact();
        format!(
            "{head}Event: presence\r\nContact: <{contact}>\r\nExpires: {LIFETIME}\r\nContent-Length: 0\r\n\r\n"
        )
    }

    pub(super) fn receive(&mut self, world: &mut World, flow: FlowId, message: &Message) {
        if self.flow != Some(flow) {
            return;
        }
        if message.is_request() {
            return self.notified(world, flow, message);
        }
        let fits = |pending: &Pending| {
            pending.call_id == message.call_id()
                && message.cseq().is_ok_and(|cseq| cseq.number == pending.cseq)
        };
        if !self.pending.as_ref().is_some_and(fits) {
            return;
        }
        let Some(Pending { asked, .. }) = self.pending.take() else { return };
        match (asked, code(message)) {
            (Asked::Register, 200) => self.registered_at = Some(world.now),
            (Asked::Publish { version }, 200) => {
                self.etag = Some(world.given(message));
                self.published = Some(version);
                self.publish_at = world.now;
            }
            (Asked::Publish { .. }, 412) => (self.etag, self.published) = (None, None),
            (Asked::Subscribe | Asked::Resubscribe, 200) => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.to_tag = message.to().unwrap().tag().map(str::to_owned);
                    dialog.refresh_at = world.now + REFRESH_MS;
                }
            }
            (Asked::Subscribe | Asked::Resubscribe, _) => self.dialog = None,
            // An old CSeq after a restart of the server that remembers more than we do: the next is higher.
            (Asked::Register, 500) => {}
            (asked, status) => panic!("{asked:?} was answered {status}"),
        }
        self.wake(world);
    }

    fn notified(&mut self, world: &mut World, flow: FlowId, notify: &Message) {
        let tag = notify.from().unwrap().tag().map(str::to_owned);
        let dialog = self.dialog.as_mut().filter(|dialog| {
            dialog.call_id == notify.call_id() && dialog.to_tag.is_some() && dialog.to_tag == tag
        });
        let cseq = notify.cseq().unwrap().number;
        let status = match dialog {
            None => 481,
            Some(dialog) if cseq <= dialog.notify_cseq => 500,
            Some(dialog) => {
                dialog.notify_cseq = cseq;
                dialog.seen = Some(String::from_utf8(notify.body().to_vec()).unwrap());
                if notify.subscription_state().unwrap().unwrap().state == SubState::Terminated {
                    self.dialog = None;
                }
                200
            }
        };
        assert!(notify.header(Name::Event) == Some("presence"));
        let answer = ResponseBuilder::new(notify, Status::new(status).unwrap()).build().unwrap();
        world.transmit(flow, String::from_utf8(answer.to_vec()).unwrap());
    }
}
