//! Dialog identifiers (RFC 3261 12).

use crate::message::Message;

/// Call-ID, our tag, their tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: Box<str>,
    /// The tag that we gave.
    pub local_tag: Box<str>,
    /// The tag that they gave; empty with a client of RFC 2543.
    pub remote_tag: Box<str>,
}

impl DialogId {
    /// From its parts.
    pub fn new(call_id: &str, local_tag: &str, remote_tag: &str) -> DialogId {
        DialogId { call_id: call_id.into(), local_tag: local_tag.into(), remote_tag: remote_tag.into() }
    }

    /// The dialog that a request from outside belongs to: our tag is in To. `None` when To has
    /// no tag, that is when the request is outside any dialog.
    pub fn of_incoming_request(request: &Message) -> Option<DialogId> {
        let (from, to) = (request.from().ok()?, request.to().ok()?);
        Some(DialogId::new(request.call_id(), to.tag()?, from.tag().unwrap_or("")))
    }

    /// The dialog that a response to a request of ours belongs to: our tag is in From.
    pub fn of_incoming_response(response: &Message) -> Option<DialogId> {
        let (from, to) = (response.from().ok()?, response.to().ok()?);
        Some(DialogId::new(response.call_id(), from.tag()?, to.tag().unwrap_or("")))
    }
}
