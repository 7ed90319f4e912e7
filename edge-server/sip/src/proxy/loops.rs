//! What keeps a request from going on for ever: Max-Forwards (RFC 3261 16.3, 16.6 item 3), loop
//! detection and Max-Breadth (RFC 5393).

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::lex;
use crate::message::Message;
use crate::name::Name;
use crate::status::Status;
use crate::transaction::branch;

/// Max-Breadth of a request that brings none, and the most that is believed (RFC 5393 5.3.3).
pub const MOST_BREADTH: u32 = 60;

/// Max-Forwards of a request that brings none (RFC 3261 16.6 item 3).
const FIRST_MAX_FORWARDS: u8 = 70;

/// Max-Forwards of what is forwarded; 483 when the request may go no further, 400 when the header
/// cannot be read. An OPTIONS that may go no further can be answered in place of its target (16.3).
pub fn max_forwards(request: &Message) -> Result<u8, Status> {
    match request.max_forwards() {
        Ok(None) => Ok(FIRST_MAX_FORWARDS),
        Ok(Some(left)) => left.checked_sub(1).ok_or(Status::TOO_MANY_HOPS),
        Err(_) => Err(Status::BAD_REQUEST),
    }
}

/// Recognises requests that come back unchanged (RFC 5393 4.2): the second part of each branch of
/// ours is a hash of what decided where the request went. One that comes back with another
/// Request-URI or Route, a spiral, is no loop.
///
/// By the hash alone, whatever name of ours the Via has: a server has one for each of its sockets.
#[derive(Clone, Copy)]
pub struct Hops {
    /// Equal on all nodes that stand for one proxy.
    pub secret: [u64; 2],
}

/// Letters of the hash.
const MARK: usize = 16;

impl Hops {
    /// A branch for the forwarded request: unique by `entropy`, recognisable by what `received`
    /// was when it came, before its Route was touched.
    pub fn branch(&self, received: &Message, entropy: [u8; 16]) -> String {
        format!("{}.{}", branch(entropy), self.mark(received))
    }

    /// Whether a Via below the top says that the request was here in the same state: 482.
    pub fn is_loop(&self, received: &Message) -> bool {
        let mut marks = received
            .vias()
            .map_while(Result::ok)
            .filter_map(|via| via.branch()?.rsplit_once('.').map(|(_, mark)| mark))
            .filter(|mark| mark.len() == MARK)
            .peekable();
        // Most requests were never here, and need no hash.
        marks.peek().is_some() && {
            let mark = self.mark(received);
            marks.any(|seen| seen == mark)
        }
    }

    /// What a branch ends with, behind a dot, so that [`is_loop`](Self::is_loop) knows the request
    /// again. For those who make the first part themselves.
    pub fn mark(&self, received: &Message) -> String {
        let mut hasher = DefaultHasher::new();
        (self.secret, received.uri(), received.call_id()).hash(&mut hasher);
        received.header(Name::CSeq).hash(&mut hasher);
        for route in received.headers(Name::Route) {
            route.hash(&mut hasher);
        }
        format!("{:0MARK$x}", hasher.finish())
    }
}

/// The Max-Breadth that came, as far as it is believed (RFC 5393 5.3.3); 400 when the header cannot
/// be read.
pub fn max_breadth(received: &Message) -> Result<u32, Status> {
    match received.header(Name::MaxBreadth) {
        None => Ok(MOST_BREADTH),
        Some(text) => match lex::digits(text) {
            Some(breadth) => Ok(breadth.min(MOST_BREADTH.into()) as u32),
            None => Err(Status::BAD_REQUEST),
        },
    }
}

/// Max-Breadth of each of `branches` requests that are forwarded at the same time, from what came
/// in less what branches still open have taken of it (RFC 5393 5.3.3). The sum is `left`, so nothing
/// of it is lost; 440 when some branch would get nothing.
pub fn breadth_shares(left: u32, branches: u32) -> Result<impl Iterator<Item = u32>, Status> {
    if left < branches.max(1) {
        return Err(Status::MAX_BREADTH_EXCEEDED);
    }
    let (each, more) = (left / branches.max(1), left % branches.max(1));
    Ok((0..branches).map(move |branch| each + u32::from(branch < more)))
}
