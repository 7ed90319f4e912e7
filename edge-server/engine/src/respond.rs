//! Answers, before they are bytes.

use crate::config::Config;
use std::borrow::Cow;
use tributary_sip::transaction::{Packet, Transport};
use tributary_sip::{Message, Name, ResponseBuilder, Status};

/// What is said in Allow.
pub(crate) const ALLOW: &str = "OPTIONS, PUBLISH, REGISTER, SUBSCRIBE";
/// What is said in Allow-Events.
pub(crate) fn allow_events(config: &Config) -> &'static str {
    if config.presence_enabled { "presence, reg" } else { "reg" }
}

/// The one format of presence documents.
pub(crate) const PIDF: &str = "application/pidf+xml";
/// The one format of registrations.
pub(crate) const REGINFO: &str = "application/reginfo+xml";

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) headers: Vec<(Name, Cow<'static, str>)>,
    /// Our tag, where the request begins a dialog; otherwise one is drawn.
    pub(crate) to_tag: Option<String>,
    /// Why, for the log.
    pub(crate) detail: Option<&'static str>,
    /// The bound that was met, where it is not counted yet.
    pub(crate) limit: Option<&'static str>,
    /// Whether neither it nor its request need be kept for repetitions.
    unkept: bool,
}

impl Reply {
    pub(crate) fn new(status: Status) -> Self {
        Self { status, headers: Vec::new(), to_tag: None, detail: None, limit: None, unkept: false }
    }

    /// Whether a repetition of the request would be refused alike whatever has happened since, at no
    /// cost: then neither it nor its answer need be kept (RFC 3261 8.2.7, 22.1).
    pub(crate) fn is_stateless(&self) -> bool {
        self.unkept
            || matches!(self.status.code(), 400 | 401 | 405 | 406 | 407 | 415 | 416 | 420 | 423 | 489 | 501)
    }

    /// A refusal, with words of ours that say why: for the log, and for the client in a Warning.
    pub(crate) fn refuse(status: Status, why: &'static str) -> Self {
        Self { detail: Some(why), ..Self::new(status) }
    }

    /// A refusal because of a bound.
    pub(crate) fn beyond(status: Status, limit: &'static str, why: &'static str) -> Self {
        Self { limit: Some(limit), ..Self::refuse(status, why) }
    }

    /// 503 to one who may come again in so many seconds. Over a connection nothing is repeated, and
    /// who floods us shall not fill what is kept for repetitions.
    pub(crate) fn later(transport: Transport, seconds: u64) -> Self {
        let reply = Self::new(Status::SERVICE_UNAVAILABLE).with(Name::RetryAfter, seconds.to_string());
        Self { unkept: transport.is_reliable(), ..reply }
    }

    /// The same, where the time alone decides.
    pub(crate) fn unkept(self) -> Self {
        Self { unkept: true, ..self }
    }

    pub(crate) fn with(mut self, name: Name, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a Warning 399 with a text of any content.
    pub(crate) fn warn(self, agent: &str, text: &str) -> Self {
        // Neither quotes nor line ends may leave the quoted string.
        let text: String = text
            .chars()
            .map(|c| match c {
                '"' | '\\' => '\'',
                c if c.is_control() => ' ',
                c => c,
            })
            .collect();
        self.with(Name::Warning, format!("399 {agent} \"{text}\""))
    }
}

/// 420 if the request requires anything but these option tags.
pub(crate) fn unsupported(request: &Message, supported: &[&str]) -> Option<Reply> {
    let tags: Vec<&str> = request.options_beyond(Name::Require, supported).collect();
    (!tags.is_empty())
        .then(|| Reply::refuse(Status::BAD_EXTENSION, "Require").with(Name::Unsupported, tags.join(", ")))
}

/// 489, with what is supported.
pub(crate) fn bad_event(config: &Config) -> Reply {
    Reply::refuse(Status::BAD_EVENT, "Event").with(Name::AllowEvents, allow_events(config))
}

/// The name in our Warning headers: the first domain.
pub(crate) fn agent(config: &Config) -> &str {
    config.domains.first().map_or("tributary", String::as_str)
}

/// The bytes of an answer; `None` if not even the headers that every answer repeats can be written.
pub(crate) fn write(request: &Message, reply: &Reply, to_tag: &str) -> Option<Packet> {
    let mut builder = ResponseBuilder::new(request, reply.status).to_tag(to_tag);
    if reply.to_tag.is_some() {
        // It begins a dialog: its route set is the client's to learn (RFC 3261 12.1.1).
        builder = builder.echo(Name::RecordRoute);
    }
    for (name, value) in &reply.headers {
        builder = builder.header(*name, value);
    }
    let head = builder.build().or_else(|_| {
        // A value of the peer's that cannot be written: say that much without it.
        ResponseBuilder::new(request, Status::SERVER_INTERNAL_ERROR).to_tag(to_tag).build()
    });
    head.ok().map(Packet::from)
}
