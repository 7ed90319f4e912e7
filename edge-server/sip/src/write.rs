//! Messages going out: full header names, one Content-Length, and no way to smuggle a line in.
//!
//! The builders write straight into the buffer that is sent. A value with CR, LF or NUL does
//! not go out changed or unchanged: [`build`](ResponseBuilder::build) refuses the message. The one
//! exception is the escaped NUL of a quoted string, which a response has to repeat (RFC 4475 3.1.1.2).

use core::fmt::{Display, Write};

use bytes::{Bytes, BytesMut};

use crate::lex;
use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::reader;
use crate::status::Status;

/// Why a message was not built. A mistake of the program, or an attempt to inject a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A value holds CR, LF, or a NUL that is not escaped.
    #[error("{0}: line end or NUL in the value")]
    LineEnd(Name),
    /// A header name given as text is no token.
    #[error("malformed header name")]
    HeaderName,
    /// The method is no token, or the Request-URI holds white space or controls.
    #[error("malformed request line")]
    RequestLine,
    /// A header that may be there once was given again.
    #[error("{0} given twice")]
    Twice(Name),
    /// A request without this header.
    #[error("{0} missing")]
    Missing(Name),
    /// A value failed to write itself.
    #[error("a value could not be formatted")]
    Format,
}

/// Builds the response to a request: Vias, From, To, Call-ID and CSeq as they came.
#[derive(Clone, Debug)]
pub struct ResponseBuilder<'r> {
    out: Out,
    request: &'r Message,
}

impl<'r> ResponseBuilder<'r> {
    /// Begins a response with the registered reason phrase.
    pub fn new(request: &'r Message, status: Status) -> ResponseBuilder<'r> {
        ResponseBuilder::with_reason(request, status, status.reason())
    }

    /// Begins a response with another phrase.
    pub fn with_reason(request: &'r Message, status: Status, reason: &str) -> ResponseBuilder<'r> {
        let mut out = Out::new(512);
        out.put("SIP/2.0 ");
        out.display(Name::Extension, status.code());
        out.put(" ");
        out.display(Name::Extension, reason);
        out.put("\r\n");
        let mut builder = ResponseBuilder { out, request }.echo(Name::Via);
        if status.code() == 100 {
            builder = builder.echo(Name::Timestamp);
        }
        builder = builder.echo_first(Name::From).echo_first(Name::CallId);
        builder.echo_first(Name::CSeq)
    }

    /// Gives To this tag, if the request's To can be read and has none yet (RFC 3261 8.2.6.2).
    /// Without a call to this, To is echoed as it came.
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        let untagged = self.request.to().is_ok_and(|to| to.tag().is_none());
        let to = self.request.header(Name::To);
        if let (true, Some(to)) = (untagged && !tag.is_empty(), to) {
            self.out.header(Name::To, format_args!("{to};tag={tag}"));
        }
        self
    }

    /// Copies all lines of this name from the request, as a 2xx needs Record-Route.
    #[must_use]
    pub fn echo(mut self, name: Name) -> Self {
        for value in self.request.headers(name) {
            self.out.header(name, value);
        }
        self
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: Name, value: impl Display) -> Self {
        self.out.header(name, value);
        self
    }

    /// Adds a header line with a name this crate does not know.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: impl Display) -> Self {
        self.out.header_named(name, value);
        self
    }

    /// Adds Content-Type and the body.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Result<Bytes, BuildError> {
        self.out.header(Name::ContentType, content_type);
        self.finish(body)
    }

    /// The finished message, without a body.
    pub fn build(self) -> Result<Bytes, BuildError> {
        self.finish(b"")
    }

    fn finish(mut self, body: &[u8]) -> Result<Bytes, BuildError> {
        if !self.out.has(Name::To) {
            self = self.echo_first(Name::To);
        }
        self.out.finish(body)
    }

    fn echo_first(mut self, name: Name) -> Self {
        if let Some(value) = self.request.header(name) {
            self.out.header(name, value);
        }
        self
    }
}

/// Builds a request. Via, From, To, Call-ID and CSeq must be given; Max-Forwards is 70 if not.
#[derive(Clone, Debug)]
pub struct RequestBuilder<'m> {
    out: Out,
    method: Method<'m>,
}

impl<'m> RequestBuilder<'m> {
    /// Begins a request.
    pub fn new(method: Method<'m>, uri: &str) -> RequestBuilder<'m> {
        let mut out = Out::new(768);
        let visible = !uri.is_empty() && uri.bytes().all(|b| b > b' ' && b != 127);
        if !lex::is_token_str(method.as_str()) || !visible {
            out.error.get_or_insert(BuildError::RequestLine);
        }
        out.put(method.as_str());
        out.put(" ");
        out.put(uri);
        out.put(" SIP/2.0\r\n");
        RequestBuilder { out, method }
    }

    /// Adds CSeq with the method of this request.
    #[must_use]
    pub fn cseq(mut self, number: u32) -> Self {
        self.out.header(Name::CSeq, format_args!("{number} {}", self.method));
        self
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: Name, value: impl Display) -> Self {
        self.out.header(name, value);
        self
    }

    /// Adds a header line with a name this crate does not know.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: impl Display) -> Self {
        self.out.header_named(name, value);
        self
    }

    /// Adds Content-Type and the body.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Result<Bytes, BuildError> {
        self.out.header(Name::ContentType, content_type);
        self.finish(body)
    }

    /// The finished message, without a body.
    pub fn build(self) -> Result<Bytes, BuildError> {
        self.finish(b"")
    }

    fn finish(mut self, body: &[u8]) -> Result<Bytes, BuildError> {
        if !self.out.has(Name::MaxForwards) {
            self.out.header(Name::MaxForwards, 70);
        }
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            if !self.out.has(name) {
                self.out.error.get_or_insert(BuildError::Missing(name));
            }
        }
        self.out.finish(body)
    }
}

/// The buffer, and the first mistake.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    buffer: BytesMut,
    seen: u128,
    error: Option<BuildError>,
}

impl Out {
    pub(crate) fn new(capacity: usize) -> Out {
        Out { buffer: BytesMut::with_capacity(capacity), seen: 0, error: None }
    }

    fn has(&self, name: Name) -> bool {
        self.seen & reader::bit(name) != 0
    }

    pub(crate) fn put(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// What was checked when it was read.
    pub(crate) fn copy(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    fn display(&mut self, name: Name, value: impl Display) {
        let start = self.buffer.len();
        if write!(self.buffer, "{value}").is_err() {
            self.error.get_or_insert(BuildError::Format);
        }
        let written = self.buffer.get(start..).unwrap_or(&[]);
        let escaped = |at: usize| {
            written.get(at) == Some(&0) && at.checked_sub(1).and_then(|at| written.get(at)) == Some(&b'\\')
        };
        if memchr::memchr3_iter(b'\r', b'\n', 0, written).any(|at| !escaped(at)) {
            self.error.get_or_insert(BuildError::LineEnd(name));
        }
    }

    pub(crate) fn header(&mut self, name: Name, value: impl Display) {
        if name == Name::Extension || name == Name::ContentLength {
            // An unknown name has no spelling here, and the length is ours to say.
            self.error.get_or_insert(BuildError::HeaderName);
            return;
        }
        if reader::SINGLE & self.seen & reader::bit(name) != 0 {
            self.error.get_or_insert(BuildError::Twice(name));
        }
        self.seen |= reader::bit(name);
        self.put(name.as_str());
        self.put(": ");
        self.display(name, value);
        self.put("\r\n");
    }

    pub(crate) fn header_named(&mut self, name: &str, value: impl Display) {
        match Name::from_bytes(name.as_bytes()) {
            Name::Extension if lex::is_token_str(name) => {
                self.put(name);
                self.put(": ");
                self.display(Name::Extension, value);
                self.put("\r\n");
            }
            known => self.header(known, value),
        }
    }

    pub(crate) fn content_length(&mut self, length: usize) {
        self.put("Content-Length: ");
        self.display(Name::ContentLength, length);
        self.put("\r\n");
    }

    /// The head alone; whoever calls this has written or copied Content-Length.
    pub(crate) fn finish_head(mut self) -> Result<Bytes, BuildError> {
        self.put("\r\n");
        self.error.map_or(Ok(self.buffer.freeze()), Err)
    }

    fn finish(mut self, body: &[u8]) -> Result<Bytes, BuildError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.content_length(body.len());
        self.put("\r\n");
        self.buffer.extend_from_slice(body);
        Ok(self.buffer.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(to: &str) -> Bytes {
        format!(
            "OPTIONS sip:a@b.c SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
             From: <sip:a@b.c>;tag=1\r\nTo: {to}\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
        .into()
    }

    #[test]
    fn an_escaped_nul_in_a_quoted_string_is_read_and_written_back_and_a_bare_one_is_not_read() {
        let asked = Message::parse(request("\"a\\\0b\" <sip:a@b.c>")).unwrap();
        let answer = ResponseBuilder::new(&asked, Status::OK).to_tag("2").build().unwrap();
        let answer = Message::parse(answer).unwrap();
        assert_eq!(answer.to().unwrap().display_name().as_deref(), Some("a\0b"));
        for bare in ["\"a\0b\" <sip:a@b.c>", "\"a\\\\\0b\" <sip:a@b.c>"] {
            assert!(Message::parse(request(bare)).is_err(), "{bare:?}");
        }
    }
}
