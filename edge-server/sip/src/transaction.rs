//! What makes two requests one transaction (RFC 3261 17.2.3), with the connection added:
//! branches of browser clients have under 24 bits and all clients of one page share sent-by.

use crate::message::Message;
use crate::method::Method;
use crate::name::Name;

/// The key of a server transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TransactionKey {
    connection: u64,
    rest: Box<str>,
}

impl TransactionKey {
    /// The transaction that a request belongs to; an ACK belongs to its INVITE. `connection` is
    /// any number that no other live connection has. `None` for a response or an unreadable Via.
    pub fn of_request(connection: u64, request: &Message) -> Option<TransactionKey> {
        let method = match request.method() {
            Method::Ack => Method::Invite,
            method => method,
        };
        TransactionKey::make(connection, request, method.as_str())
    }

    /// The INVITE transaction that a CANCEL means (RFC 3261 9.2).
    pub fn cancelled_by(connection: u64, cancel: &Message) -> Option<TransactionKey> {
        TransactionKey::make(connection, cancel, Method::Invite.as_str())
    }

    fn make(connection: u64, request: &Message, method: &str) -> Option<TransactionKey> {
        if !request.is_request() {
            return None;
        }
        let via = request.via().ok()?;
        let host = via.host.to_ascii_lowercase();
        let port = via.port.map_or(String::new(), |port| format!(":{port}"));
        let rest = match via.unique_branch() {
            Some(branch) => format!("{branch}\n{host}{port}\n{method}"),
            // RFC 2543, and the bare cookie of RFC 4475 3.2.1: everything that a repetition has
            // in common. An ACK's To tag is the one of the response, so To's tag is left out.
            None => {
                let number = request.cseq().ok()?.number;
                let from = request.from().ok()?.tag().unwrap_or("");
                let top = request.header(Name::Via).unwrap_or("");
                let (uri, call_id) = (request.uri(), request.call_id());
                format!("\n{top}\n{method}\n{number}\n{from}\n{call_id}\n{uri}")
            }
        };
        Some(TransactionKey { connection, rest: rest.into() })
    }
}
