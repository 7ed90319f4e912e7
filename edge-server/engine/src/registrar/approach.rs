//! How a client came to us and is reached again: the hops between (Path, RFC 3327), whether one flow of
//! several is meant (outbound, RFC 5626 6), and what it tells us about itself (R21).
//!
//! ```text
//!   client ---> edge proxy ---> we        Path: <sip:token@edge;lr;ob>    kept with the binding, and said in the 200
//!   client -------------------> we        no Path: reg-id counts, the flow is ours
//! ```

use crate::config::Registrar;
use crate::input::Flow;
use crate::limits::Limits;
use crate::presentity::Header;
use crate::respond::Reply;
use tributary_sip::{Contacts, Message, Name, NameAddr, Status};

/// A REGISTER, as far as it is about all of its Contacts.
pub(super) struct Approach<'m> {
    pub(super) request: &'m Message,
    pub(super) cseq: u32,
    /// The Path values, top first: the Route of requests to the client.
    pub(super) path: Box<[Box<str>]>,
    pub(super) headers: Box<[Header]>,
    /// Whether reg-id counts: no hop before us, or one that keeps its connection to the client.
    pub(super) keeps_flow: bool,
    /// Some header did not fit.
    pub(super) cut: bool,
}

impl<'m> Approach<'m> {
    /// # Errors
    /// 400 for a Path or CSeq that cannot be read, 420 for a Path that the client does not know of, 439 where
    /// outbound is wanted of a first hop that does not do it.
    pub(super) fn of(request: &'m Message, config: &Registrar, limits: &Limits) -> Result<Self, Reply> {
        let Ok(cseq) = request.cseq() else {
            return Err(Reply::refuse(Status::BAD_REQUEST, "CSeq"));
        };
        let Ok(paths) = request.paths().collect::<Result<Vec<_>, _>>() else {
            return Err(Reply::refuse(Status::BAD_REQUEST, "Path"));
        };
        let path: Box<[Box<str>]> = paths.iter().map(|hop| hop.to_string().into()).collect();
        if path.iter().map(|hop| hop.len()).sum::<usize>() > limits.path_bytes as usize {
            return Err(Reply::beyond(Status::BAD_REQUEST, "path_bytes", "Path too long"));
        }
        if !paths.iter().all(|hop| hop.parse_uri().is_ok_and(|uri| uri.is_sip())) {
            return Err(Reply::refuse(Status::BAD_REQUEST, "Path"));
        }
        // Who does not know of it cannot see that a hop was added against its will (RFC 3327 5.3).
        if !path.is_empty() && !config.path_without_support && !request.has_token(Name::Supported, "path") {
            let refusal = Reply::refuse(Status::BAD_EXTENSION, "Path without support of the client");
            return Err(refusal.with(Name::Unsupported, "path"));
        }
        let is_first_hop = request.vias().count() == 1;
        let keeps = |hop: &NameAddr<'_>| hop.parse_uri().is_ok_and(|uri| uri.params.has("ob"));
        let keeps_flow = is_first_hop || paths.first().is_some_and(keeps);
        if !keeps_flow && request.has_token(Name::Supported, "outbound") && names_flow(request) {
            return Err(Reply::refuse(FIRST_HOP_LACKS_OUTBOUND_SUPPORT, "outbound"));
        }
        let (headers, cut) = kept(request, &config.kept_headers, limits.header_bytes as usize);
        Ok(Self { request, cseq: cseq.number, path, headers, keeps_flow, cut })
    }

    /// The `reg-id` of a Contact, where it counts.
    pub(super) fn reg_id(&self, contact: &NameAddr<'_>) -> Option<u32> {
        contact.reg_id().filter(|_| self.keeps_flow && contact.instance().is_some())
    }

    /// Adds to a 200 what it says of the way (RFC 3327 5.3, RFC 3608 6.3, RFC 5626 6).
    pub(super) fn answer(&self, mut reply: Reply, flow: &Flow, config: &Registrar) -> Reply {
        for hop in &self.path {
            reply = reply.with(Name::Path, hop.to_string());
        }
        for route in &config.service_routes {
            reply = reply.with(Name::ServiceRoute, route.clone());
        }
        let outbound = self.keeps_flow && self.request.has_token(Name::Supported, "outbound");
        if outbound && names_flow(self.request) {
            reply = reply.with(Name::Require, "outbound");
            // Clients that use datagrams have a shorter time of their own (4.4.2).
            if config.flow_timer > 0 && self.path.is_empty() && flow.hop.transport.is_reliable() {
                reply = reply.with(Name::FlowTimer, config.flow_timer.to_string());
            }
        }
        reply
    }
}

/// Whether a Contact of a REGISTER names one flow of an instance.
fn names_flow(request: &Message) -> bool {
    let names = |contact: &NameAddr<'_>| contact.reg_id().is_some() && contact.instance().is_some();
    matches!(request.contacts(), Ok(Contacts::List(contacts)) if contacts.iter().any(names))
}

/// It has no constant of its own in the message layer.
const FIRST_HOP_LACKS_OUTBOUND_SUPPORT: Status = match Status::new(439) {
    Some(status) => status,
    None => Status::FORBIDDEN,
};

/// The headers to keep with a binding, by the operator's list, and whether some did not fit.
fn kept(request: &Message, allowed: &[String], most: usize) -> (Box<[Header]>, bool) {
    let (mut headers, mut left, mut cut) = (Vec::new(), most, false);
    for (name, raw, value) in request.lines() {
        let full = if name == Name::Extension { raw } else { name.as_str() };
        if !describes_client(name) || !allowed.iter().any(|pattern| matches(pattern, full)) {
            continue;
        }
        match left.checked_sub(full.len() + value.len()) {
            Some(rest) => {
                left = rest;
                headers.push(Header { name: full.into(), value: value.into() });
            }
            None => cut = true,
        }
    }
    (headers.into(), cut)
}

/// Whether a header tells what a client is, and does not say how a request is carried, whom it is from or
/// what proves that: those are never an application's to set (R21).
fn describes_client(name: Name) -> bool {
    use Name::{Accept, AcceptLanguage, Allow, AllowEvents, Extension, Supported, UserAgent};
    matches!(name, Extension | Supported | UserAgent | Allow | AllowEvents | Accept | AcceptLanguage)
}

/// Whether an entry of the list of headers to keep can hold for any header.
#[must_use]
pub fn may_be_kept(pattern: &str) -> bool {
    let (start, any) = pattern.strip_suffix('*').map_or((pattern, false), |start| (start, true));
    let token = !start.is_empty() && start.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    token && (any || describes_client(Name::from_bytes(start.as_bytes())))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.get(..start.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r21_what_carries_a_request_cannot_be_kept_as_an_application_header() {
        let check = |pattern, expect| assert_eq!(may_be_kept(pattern), expect, "{pattern}");
        for restricted in
            ["Via", "v", "CSeq", "Call-ID", "From", "t", "Contact", "Route", "Path", "Authorization"]
        {
            check(restricted, false);
        }
        check("P-Asserted-Identity", false);
        check("", false);
        check("*", false);
        check("X-App: v", false);
        for good in ["User-Agent", "supported", "k", "X-*", "X-App", "Accept-Language"] {
            check(good, true);
        }
    }
}
