//! What makes two messages one transaction (RFC 3261 17.1.3, 17.2.3, 9.2), in 64 bits.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::hop::FlowId;
use crate::lex::Lex;
use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::via::Via;

/// Names one transaction. Two messages have the same key when they belong to one transaction;
/// that two others share one happens once in 3 thousand million tables of 100,000 transactions,
/// and a peer who does not know the secret cannot bring it about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionKey(pub(super) u64);

/// Makes keys from a secret.
#[derive(Clone, Copy)]
pub struct Keys {
    secret: [u64; 2],
}

impl Keys {
    /// Keys made from one secret can be compared with each other and with no others.
    pub fn new(secret: [u64; 2]) -> Keys {
        Keys { secret }
    }

    /// The transaction that a request belongs to: branch, sent-by and method; an ACK belongs to
    /// its INVITE. `connection` is part of the key where it is given: branches of browser clients
    /// have less than 24 bits and all clients of one page share sent-by, so on WebSockets the
    /// three do not suffice. `None` for a response or an unreadable Via.
    pub fn of_request(&self, connection: Option<FlowId>, request: &Message) -> Option<TransactionKey> {
        let method = request.method();
        let method = if method == Method::Ack { Method::Invite } else { method };
        self.make(connection, request, method.as_str())
    }

    /// The INVITE transaction that a CANCEL means (9.2).
    pub fn cancelled_by(&self, connection: Option<FlowId>, cancel: &Message) -> Option<TransactionKey> {
        self.make(connection, cancel, Method::Invite.as_str())
    }

    /// The client transaction that a response belongs to: its top Via is ours, and CSeq has the
    /// method (17.1.3; sent-by must be what we wrote, 18.1.2).
    pub fn of_response(&self, response: &Message) -> Option<TransactionKey> {
        response.status()?;
        self.of_via(&response.via().ok()?, response.cseq().ok()?.method.as_str())
    }

    /// The client transaction that a request of ours with this top Via begins. `None` unless the
    /// branch has the magic cookie: without it the answer would find nobody.
    pub fn of_via(&self, via: &Via<'_>, method: &str) -> Option<TransactionKey> {
        let mut hasher = self.hasher(1, None);
        hash_via(&mut hasher, via, via.unique_branch()?);
        method.hash(&mut hasher);
        Some(TransactionKey(hasher.finish()))
    }

    /// What all copies of one request have in common that reach us over different paths:
    /// From tag, Call-ID and CSeq (8.2.2.2). `None` inside a dialog, where it says nothing.
    pub(super) fn of_copies(&self, request: &Message) -> Option<u64> {
        if request.to().ok()?.tag().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?;
        let mut hasher = self.hasher(2, None);
        request.from().ok()?.tag()?.hash(&mut hasher);
        request.call_id().hash(&mut hasher);
        cseq.number.hash(&mut hasher);
        cseq.method.as_str().hash(&mut hasher);
        Some(hasher.finish())
    }

    fn make(&self, connection: Option<FlowId>, request: &Message, method: &str) -> Option<TransactionKey> {
        if !request.is_request() {
            return None;
        }
        let via = request.via().ok()?;
        let mut hasher = self.hasher(0, connection);
        match via.unique_branch() {
            Some(branch) => hash_via(&mut hasher, &via, branch),
            // RFC 2543, and the bare cookie of RFC 4475 3.2.1: everything that a repetition has
            // in common. An ACK's To tag is the one of the response, so To's tag is left out. Of
            // the top Via what we add ourselves (received, rport) differs between two sources.
            None => {
                (via.transport, via.branch()).hash(&mut hasher);
                hash_via(&mut hasher, &via, "");
                request.cseq().ok()?.number.hash(&mut hasher);
                request.from().ok()?.tag().hash(&mut hasher);
                (request.call_id(), request.uri()).hash(&mut hasher);
            }
        }
        method.hash(&mut hasher);
        Some(TransactionKey(hasher.finish()))
    }

    fn hasher(&self, sort: u8, connection: Option<FlowId>) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        (self.secret, sort, connection).hash(&mut hasher);
        hasher
    }
}

/// Branches octet by octet, for a repetition changes none and short ones need every bit; hosts
/// without regard to case.
fn hash_via(hasher: &mut DefaultHasher, via: &Via<'_>, branch: &str) {
    branch.hash(hasher);
    for octet in via.host.bytes() {
        hasher.write_u8(octet.to_ascii_lowercase());
    }
    via.port.hash(hasher);
}

/// The method and the top Via of a request of ours, whose head alone is at hand.
pub(super) fn own_via(head: &[u8]) -> Option<(&str, Via<'_>)> {
    let mut lines = core::str::from_utf8(head).ok()?.split("\r\n");
    let (method, _) = lines.next()?.split_once(' ')?;
    let named_via = |line: &&str| {
        line.split_once(':').is_some_and(|(name, _)| Name::from_bytes(name.as_bytes()) == Name::Via)
    };
    let (_, value) = lines.find(named_via)?.split_once(':')?;
    // Several Vias may share a line; the first is ours.
    Some((method, Via::lex(&mut Lex::new(value))?))
}
