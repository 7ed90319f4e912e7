//! What is the same for every transport with connections: a message goes to its shard, what
//! cannot be read is answered and counted, and what waits is written.

use super::Services;
use super::flows::{End, FlowHandle};
use crate::metrics::{Metrics, Split};
use crate::onward::Names;
use crate::shards::Full;
use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;
use tributary_engine::rate::Bucket;
use tributary_engine::{FlowId, Packet};
use tributary_sip::{KeepAlive, Message, ParseError};

/// Unreadable messages in a row after which the connection is closed: no SIP client sends that.
const GARBAGE_IN_A_ROW: u32 = 20;

/// The other end of a connection, as its task sees it.
pub(super) struct Peer {
    pub(super) handle: Arc<FlowHandle>,
    pub(super) services: Arc<Services>,
    garbage: u32,
    /// What is left of `overload.messages_per_connection`.
    left: Bucket,
    alias: Alias,
}

/// Whether requests to a server that has connected to us may go over its connection (RFC 5923).
enum Alias {
    /// They may not.
    No,
    /// When it asks for that; its certificate is for these names.
    Asked(Box<Names>),
    /// They do, to this address.
    At(Box<SocketAddr>),
}

/// What became of a message.
pub(super) enum Heard {
    /// It was taken care of.
    Done,
    /// Its shard's queue is full, or it came too soon after others: see [`Peer::wait_for_room`].
    Full(Full),
    /// It was one too many.
    End(End),
}

impl Peer {
    pub(super) fn new(handle: Arc<FlowHandle>, services: Arc<Services>) -> Self {
        Self { handle, services, garbage: 0, left: Bucket::default(), alias: Alias::No }
    }

    /// Of a trusted server that has connected to us, with the names of its certificate.
    pub(super) fn named(self, names: Option<Names>) -> Self {
        Self { alias: names.map_or(Alias::No, |names| Alias::Asked(Box::new(names))), ..self }
    }

    /// Notes that a server wants its connection used.
    fn look_for_alias(&mut self, message: &Message) {
        if !matches!(self.alias, Alias::Asked(_)) || !message.is_request() {
            return;
        }
        let Ok(via) = message.via() else { return };
        if via.params.has("alias")
            && let Alias::Asked(names) = std::mem::replace(&mut self.alias, Alias::No)
        {
            self.alias = Alias::At(Box::new(self.services.aliases.note(&self.handle, &via, *names)));
        }
    }

    /// The connection has ended: nothing more is sent over it, and every shard hears of it. `open` counts
    /// those of its kind that are open, `ended` why they end.
    pub(super) async fn leave(&self, end: End, open: &Gauge, ended: &Split) {
        let Self { handle, services, .. } = self;
        services.flows.remove(handle);
        if let Alias::At(address) = &self.alias {
            services.aliases.forget(**address, handle);
        }
        open.dec();
        crate::metrics::count(ended, "reason", end.name());
        tracing::debug!(flow = handle.id().0, end = end.name(), "connection ended");
        services.shards.flow_closed(handle.id()).await;
    }

    /// Reads a message and gives it to its shard. `raw` is a copy of just this message, so that what
    /// keeps a part of it keeps no more alive.
    pub(super) fn hear(&mut self, raw: Bytes) -> Heard {
        let wait = self.services.rates.wait(self.handle.peer().ip(), &mut self.left);
        match Message::parse_with(raw, &self.services.streams.message) {
            Ok(message) => {
                self.garbage = 0;
                self.look_for_alias(&message);
                let shards = &self.services.shards;
                if let Some(wait) = wait {
                    return Heard::Full(shards.after(wait, self.handle.flow(), message));
                }
                match shards.try_message(self.handle.flow(), message) {
                    Ok(()) => Heard::Done,
                    Err(full) => Heard::Full(full),
                }
            }
            Err(error) => {
                self.complain(&error);
                self.garbage += 1;
                if self.garbage < GARBAGE_IN_A_ROW { Heard::Done } else { Heard::End(End::Garbage) }
            }
        }
    }

    /// Counts and, where it can be, answers what could not be read.
    pub(super) fn complain(&self, error: &ParseError) {
        if let Some(response) = complaint(error, self.handle.id(), &self.services.metrics) {
            self.answer(response);
        }
    }

    /// Answers a ping; anything else of the kind only says that the peer is there.
    pub(super) fn keep_alive(&self, keep_alive: KeepAlive) {
        if keep_alive == KeepAlive::Ping {
            self.answer(Bytes::from_static(KeepAlive::PONG));
        }
    }

    /// Sends what no state machine has to say.
    fn answer(&self, head: Bytes) {
        self.handle.push(Packet { head, body: Bytes::new() });
        self.handle.flush();
    }

    /// Waits until a full shard takes the message, and goes on writing meanwhile: what the shard waits
    /// for may be that its answers leave. `flush` writes all that waits in the outbox.
    pub(super) async fn wait_for_room<E>(
        &self,
        full: Full,
        patience: Duration,
        mut flush: impl FnMut(&mut Context<'_>) -> Poll<Result<(), E>>,
    ) -> Option<End> {
        let mut given = pin!(self.services.shards.give_when_there_is_room(full));
        loop {
            let writing = async {
                self.handle.news.notified().await;
                self.write(patience, &mut flush).await
            };
            tokio::select! {
                biased;
                () = &mut given => {
                    // It may have been in the middle of writing.
                    self.handle.news.notify_one();
                    return None;
                }
                end = writing => if end.is_some() { return end; },
            }
        }
    }

    /// Sends all that waits, by `flush`. `patience` bounds how long the peer may take to read it.
    pub(super) async fn write<E>(
        &self,
        patience: Duration,
        flush: impl FnMut(&mut Context<'_>) -> Poll<Result<(), E>>,
    ) -> Option<End> {
        if self.handle.ending() == Some(End::Slow) {
            return Some(End::Slow);
        }
        let slow = async {
            loop {
                self.handle.news.notified().await;
                if self.handle.ending() == Some(End::Slow) {
                    return;
                }
            }
        };
        let result = tokio::select! {
            biased;
            result = timeout(patience, poll_fn(flush)) => result,
            () = slow => return Some(End::Slow),
        };
        match result {
            Ok(Ok(())) => self.handle.ending(),
            Ok(Err(_)) => Some(End::Gone),
            Err(_) => Some(End::Slow),
        }
    }
}

/// Counts what could not be read, and gives the answer to it, where there is one.
pub(super) fn complaint(error: &ParseError, flow: FlowId, metrics: &Metrics) -> Option<Bytes> {
    metrics.messages_malformed.inc();
    tracing::debug!(flow = flow.0, %error, "a message could not be read");
    error.response(&tag())
}

/// A To tag for an answer that no state machine gives. Random, as every tag must be; without
/// random bytes there is no state either, and the flow's end will tell.
pub(super) fn tag() -> String {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the system gives no random bytes");
    }
    crate::policies::hex(&bytes)
}
