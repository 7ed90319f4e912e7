//! Why a message or a header could not be read, and what may be said back.

use core::fmt;

use bytes::Bytes;

use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::status::Status;
use crate::write::ResponseBuilder;

/// A header that is there but cannot be read, or is missing where it must be. On a request: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct HeaderError {
    /// Which header.
    pub name: Name,
    /// What is wrong with it, as a lower-case fragment.
    pub reason: &'static str,
}

impl HeaderError {
    pub(crate) fn new(name: Name, reason: &'static str) -> HeaderError {
        HeaderError { name, reason }
    }
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing but line ends: a keep-alive, not a message.
    #[error("no message, only line ends")]
    Empty,
    /// No empty line ends the head.
    #[error("the head has no end")]
    Truncated,
    /// A head that is not UTF-8.
    #[error("the head is not UTF-8")]
    NotUtf8,
    /// A CR or LF that is not part of a line end.
    #[error("a bare CR or LF in the head")]
    BareLineEnd,
    /// Neither a request line nor a status line.
    #[error("malformed start line")]
    StartLine,
    /// A Request-URI that its scheme does not allow, or one with headers in it.
    #[error("malformed Request-URI")]
    RequestUri,
    /// Another version than SIP/2.0. On a request: 505.
    #[error("SIP version not supported")]
    Version,
    /// A status code outside 100 to 699.
    #[error("status code out of range")]
    StatusCode,
    /// A header line without a name or a colon.
    #[error("malformed header line")]
    HeaderLine,
    /// A header that every message needs is missing, malformed or there twice.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// CSeq names another method than the request line.
    #[error("CSeq names another method")]
    MethodMismatch,
    /// Content-Length promises more octets than came.
    #[error("the body is shorter than Content-Length")]
    BodyTruncated,
    /// The body is larger than allowed. On a request: 413.
    #[error("the body is too large")]
    BodyTooLarge,
    /// The head, a line or the number of lines is larger than allowed. On a request: 513.
    #[error("the head is too large")]
    HeadTooLarge,
}

/// A message that was refused, with as much of its head as could be read.
#[derive(Clone)]
pub struct ParseError {
    kind: ParseErrorKind,
    offset: usize,
    partial: Option<Box<Message>>,
}

impl ParseError {
    pub(crate) fn new(kind: ParseErrorKind, offset: usize, partial: Option<Message>) -> ParseError {
        ParseError { kind, offset, partial: partial.map(Box::new) }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// Where it was noticed: octets from the beginning of the input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The head as far as it was read; every accessor of it may find nothing.
    pub fn partial(&self) -> Option<&Message> {
        self.partial.as_deref()
    }

    /// The method of the refused request.
    pub fn method(&self) -> Option<Method<'_>> {
        self.partial().filter(|m| m.is_request()).map(Message::method)
    }

    /// The value of the first header of this name, as far as it was read: Via, From, To, Call-ID, CSeq.
    pub fn header(&self, name: Name) -> Option<&str> {
        self.partial().and_then(|m| m.header(name))
    }

    /// The status that answers it; `None` when no answer is possible: it is no request, an ACK
    /// (never answered), or there is no Via to answer along.
    pub fn status(&self) -> Option<Status> {
        let partial = self.partial()?;
        let answerable = partial.is_request()
            && partial.method() != Method::Ack
            && partial.header(Name::Via).is_some_and(|via| !via.is_empty());
        answerable.then_some(match self.kind {
            ParseErrorKind::Version => Status::VERSION_NOT_SUPPORTED,
            ParseErrorKind::BodyTooLarge => Status::REQUEST_ENTITY_TOO_LARGE,
            ParseErrorKind::HeadTooLarge => Status::MESSAGE_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        })
    }

    /// The finished answer, with a Warning that says what is wrong; `None` as for [`status`](Self::status).
    pub fn response(&self, to_tag: &str) -> Option<Bytes> {
        let status = self.status()?;
        ResponseBuilder::new(self.partial()?, status)
            .to_tag(to_tag)
            .header(Name::Warning, format_args!("399 tributary \"{}\"", self.kind))
            .build()
            .ok()
    }
}

impl fmt::Debug for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParseError").field("kind", &self.kind).field("offset", &self.offset).finish()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.kind, self.offset)
    }
}

impl std::error::Error for ParseError {}
