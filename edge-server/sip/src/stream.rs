//! Messages on a stream (TCP, TLS): where one ends and the next begins (RFC 3261 18.3, 20.14), and
//! the keep-alives between them (RFC 5626 3.5.1).
//!
//! ```text
//!   CRLF CRLF | INVITE ... CRLF CRLF body | CRLF | SIP/2.0 200 ... CRLF CRLF | REGI
//!   `-ping--' `---head----' `-------'     `pong'  `- Content-Length: 0 -----'  `- the next read
//!                            as many octets as Content-Length says
//! ```
//! Whoever reads the socket appends to [`Stream::buffer`] and then takes units until there is none.
//! What makes the place of the next message unsure is an error, after which nothing more may be
//! read: an attacker behind a shared connection must not choose where a message begins. So two
//! Content-Lengths are refused, and line ends that are none.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{HeaderError, ParseError, ParseErrorKind as Kind};
use crate::lex;
use crate::limits::Limits;
use crate::message::{KeepAlive, Message};
use crate::name::Name;

/// What came by a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A ping, to be answered by [`KeepAlive::PONG`], or line ends that mean nothing more than that
    /// the peer lives.
    KeepAlive(KeepAlive),
    /// The octets of one message, for [`Message::parse`].
    Message(Bytes),
}

/// One direction of a stream.
#[derive(Debug)]
pub struct Stream {
    limits: Limits,
    buffer: BytesMut,
    /// Octets of the head in which no end of it was found.
    scanned: usize,
    /// Octets of the head and of the whole message, once the head is there.
    message: Option<(usize, usize)>,
}

impl Stream {
    /// An empty stream. Of the limits those of head and body bound what is held.
    pub fn new(limits: Limits) -> Stream {
        Stream { limits, buffer: BytesMut::new(), scanned: 0, message: None }
    }

    /// Where what was read is appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// True between messages: a peer that is silent now is idle, not slow. Line ends begin no message
    /// (RFC 3261 7.5), and of some phones a lone one is all that keeps the connection alive.
    pub fn is_idle(&self) -> bool {
        b"\r\n\r".starts_with(&self.buffer)
    }

    /// The next unit, or `None` until more was read.
    ///
    /// # Errors
    /// The stream cannot be read on. [`ParseError::response`] may be sent before it is closed.
    pub fn take(&mut self) -> Result<Option<Unit>, ParseError> {
        if self.message.is_none() {
            if let Some(keep_alive) = self.take_keep_alive() {
                return Ok(Some(Unit::KeepAlive(keep_alive)));
            }
            self.message = self.find_message()?;
        }
        match self.message {
            Some((_, whole)) if whole <= self.buffer.len() => {
                // A copy, so that whatever keeps a part of the message does not keep all that was read with it.
                let message = Bytes::copy_from_slice(self.buffer.get(..whole).unwrap_or_default());
                self.buffer.advance(whole);
                (self.message, self.scanned) = (None, 0);
                Ok(Some(Unit::Message(message)))
            }
            _ => {
                if self.buffer.is_empty() {
                    // An idle connection holds no buffer.
                    self.buffer = BytesMut::new();
                }
                Ok(None)
            }
        }
    }

    /// A lone CRLF may be half of a ping: it waits for what follows.
    fn take_keep_alive(&mut self) -> Option<KeepAlive> {
        let (found, length) = match self.buffer.as_ref() {
            [b'\r', b'\n', b'\r', b'\n', ..] => (KeepAlive::Ping, 4),
            [b'\r', b'\n', b'\r'] => return None,
            [b'\r', b'\n', _, ..] => (KeepAlive::Pong, 2),
            _ => return None,
        };
        self.buffer.advance(length);
        Some(found)
    }

    /// How long the head is and how long all of the message, if the head is there.
    fn find_message(&mut self) -> Result<Option<(usize, usize)>, ParseError> {
        match self.buffer.as_ref() {
            [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Ok(None),
            // TLS where it is not spoken, above all: no need to wait for the end of that.
            [first, ..] if !lex::is_token(*first) => return Err(ParseError::new(Kind::StartLine, 0, None)),
            _ => {}
        }
        let Some(head) = self.find_end_of_head()? else { return Ok(None) };
        let length = self.content_length(head)?;
        Ok(Some((head, head + length)))
    }

    fn find_end_of_head(&mut self) -> Result<Option<usize>, ParseError> {
        let mut end = None;
        for at in memchr::memchr_iter(b'\n', self.buffer.get(self.scanned..).unwrap_or_default()) {
            let at = self.scanned + at;
            if at == 0 || self.buffer.get(at - 1) != Some(&b'\r') {
                return Err(self.refusal(Kind::BareLineEnd, at + 1));
            }
            if self.buffer.get(at + 1..at + 3) == Some(b"\r\n".as_slice()) {
                end = Some(at + 3);
                break;
            }
        }
        // An end that is cut in two is found at the next read.
        self.scanned = self.buffer.len().saturating_sub(3).max(self.scanned);
        let known = end.unwrap_or(self.buffer.len());
        if known > self.limits.head {
            return Err(self.refusal(Kind::HeadTooLarge, known));
        }
        Ok(end)
    }

    /// What the one Content-Length of the head says (RFC 3261 18.3: a stream needs it).
    fn content_length(&self, head: usize) -> Result<usize, ParseError> {
        let wrong = |reason| Kind::Header(HeaderError::new(Name::ContentLength, reason));
        let mut found: Option<Result<usize, Kind>> = None;
        for (at, value) in header_values(self.buffer.get(..head).unwrap_or_default(), Name::ContentLength) {
            if found.is_some() {
                return Err(self.refusal(wrong("there twice"), at));
            }
            let value =
                core::str::from_utf8(value).ok().map(|text| text.trim_matches([' ', '\t', '\r', '\n']));
            found = Some(match value.and_then(lex::digits) {
                None => Err(wrong("not a number")),
                Some(length) => match usize::try_from(length) {
                    Ok(length) if length <= self.limits.body => Ok(length),
                    _ => Err(Kind::BodyTooLarge),
                },
            });
        }
        found
            .unwrap_or(Err(wrong("missing, and on a stream nothing else ends a message")))
            .map_err(|kind| self.refusal(kind, head))
    }

    /// The error, with what can be read of the head.
    fn refusal(&self, kind: Kind, head: usize) -> ParseError {
        let head = Bytes::copy_from_slice(self.buffer.get(..head).unwrap_or_default());
        let partial = match Message::parse_with(head, &self.limits) {
            Ok(message) => Some(message),
            Err(error) => error.partial().cloned(),
        };
        ParseError::new(kind, 0, partial)
    }
}

/// The values of all headers of a name in a head, folds included, each with where it begins.
fn header_values(head: &[u8], name: Name) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    core::iter::from_fn(move || {
        loop {
            let rest = head.get(at..).filter(|rest| !rest.is_empty())?;
            let begin = at;
            let mut length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            // What begins with white space goes on with the line before (RFC 3261 7.3.1).
            while rest.get(length).copied().is_some_and(lex::is_ws) {
                let fold = rest.get(length..).unwrap_or_default();
                length += memchr::memchr(b'\n', fold).map_or(fold.len(), |end| end + 1);
            }
            at += length;
            let line = rest.get(..length).unwrap_or_default();
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (spelt, value) = line.split_at(colon);
            if Name::from_bytes(spelt.trim_ascii_end()) == name {
                return Some((begin, value.get(1..).unwrap_or_default()));
            }
        }
    })
}
