//! The two requests that a client transaction makes out of its INVITE, and the answers that a
//! server transaction gives by itself.

use std::fmt::Display;

use bytes::Bytes;

use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::status::Status;
use crate::write::{RequestBuilder, ResponseBuilder};

/// The ACK of a refusal (RFC 3261 17.1.1.3): To is that of the response.
pub(super) fn ack(invite: &Message, response: &Message) -> Option<Bytes> {
    within(Method::Ack, invite, response.header(Name::To)?)?.build().ok()
}

/// The CANCEL of an INVITE (9.1): To has no tag but one that the INVITE had.
pub(super) fn cancel(invite: &Message, reason: Option<&str>) -> Option<Bytes> {
    let mut request = within(Method::Cancel, invite, invite.header(Name::To)?)?;
    if let Some(reason) = reason {
        request = request.header(Name::Reason, reason);
    }
    request.build().ok()
}

/// 100, with what must come back of the request (8.2.6.1).
pub(super) fn trying(request: &Message) -> Option<Bytes> {
    let trying = Status::new(100)?;
    ResponseBuilder::new(request, trying).build().ok()
}

/// 503 from an element that keeps no state. A repetition gets the same tag (8.2.7).
pub(super) fn overloaded(request: &Message, tag: impl Display, retry_after: u32) -> Option<Bytes> {
    ResponseBuilder::new(request, Status::SERVICE_UNAVAILABLE)
        .to_tag(&tag.to_string())
        .header(Name::RetryAfter, retry_after)
        .build()
        .ok()
}

/// A request on the path of the INVITE: its Request-URI, top Via and nothing below, From, Call-ID,
/// CSeq number and Routes.
fn within<'m>(method: Method<'m>, invite: &'m Message, to: &str) -> Option<RequestBuilder<'m>> {
    let via = invite.via().ok()?;
    let mut request = RequestBuilder::new(method, invite.uri())
        .header(Name::Via, via)
        .header(Name::From, invite.header(Name::From)?)
        .header(Name::To, to)
        .header(Name::CallId, invite.call_id())
        .cseq(invite.cseq().ok()?.number);
    for route in invite.headers(Name::Route) {
        request = request.header(Name::Route, route);
    }
    Some(request)
}
