//! A message and the index of its headers.

use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use crate::error::{ParseError, ParseErrorKind};
use crate::limits::Limits;
use crate::method::Method;
use crate::name::Name;
use crate::reader;
use crate::status::Status;

/// A SIP message as it came: the octets, counted by reference, and one allocation that says
/// where each header stands. Typed headers are read when they are asked for.
#[derive(Clone)]
pub struct Message {
    pub(crate) raw: Bytes,
    pub(crate) start: Start,
    pub(crate) lines: Vec<Line>,
    pub(crate) body: Span,
}

impl Message {
    /// Reads a datagram or a WebSocket message: exactly one SIP message, with
    /// [`Limits::DEFAULT`]. What follows Content-Length octets of body is ignored (RFC 3261 18.3).
    ///
    /// What every element needs is checked here (RFC 3261 8.1.1, 8.2): the start line, one each
    /// of From, To, Call-ID and CSeq, a readable top Via, and that nothing single came twice.
    pub fn parse(raw: Bytes) -> Result<Message, ParseError> {
        reader::parse(raw, &Limits::DEFAULT)
    }

    /// [`Message::parse`] with other limits.
    pub fn parse_with(raw: Bytes, limits: &Limits) -> Result<Message, ParseError> {
        reader::parse(raw, limits)
    }

    /// True for a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method: of a request its own, of a response that of its CSeq.
    pub fn method(&self) -> Method<'_> {
        match self.start {
            Start::Request { method, .. } => Method::from_token(self.text(method)),
            _ => self.cseq().map_or(Method::Extension(""), |cseq| cseq.method),
        }
    }

    /// The Request-URI as written; empty on a response.
    pub fn uri(&self) -> &str {
        match self.start {
            Start::Request { uri, .. } => self.text(uri),
            _ => "",
        }
    }

    /// The status of a response.
    pub fn status(&self) -> Option<Status> {
        match self.start {
            Start::Response { status, .. } => Some(status),
            _ => None,
        }
    }

    /// The reason phrase of a response as written; it may be empty.
    pub fn reason(&self) -> &str {
        match self.start {
            Start::Response { reason, .. } => self.text(reason),
            _ => "",
        }
    }

    /// The value of the first header line of this name: white space around it gone, folds
    /// turned into spaces.
    pub fn header(&self, name: Name) -> Option<&str> {
        self.lines.iter().find(|line| line.name == name).map(|line| self.text(line.value))
    }

    /// The values of all header lines of this name, in order. A line may hold a comma list.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |line| line.name == name).map(|line| self.text(line.value))
    }

    /// The first header line with this full name, known or not, in any case.
    pub fn header_named(&self, name: &str) -> Option<&str> {
        match Name::from_bytes(name.as_bytes()) {
            Name::Extension => {
                self.lines().find(|(_, spelt, _)| spelt.eq_ignore_ascii_case(name)).map(|(_, _, value)| value)
            }
            known => self.header(known),
        }
    }

    /// Every header line: what it is, the name as written, the value.
    pub fn lines(&self) -> impl Iterator<Item = (Name, &str, &str)> {
        self.lines.iter().map(|line| (line.name, self.text(line.spelt()), self.text(line.value)))
    }

    /// The body, octet by octet.
    pub fn body(&self) -> &[u8] {
        self.raw.get(self.body.range()).unwrap_or(&[])
    }

    /// The body, sharing the octets of the message.
    pub fn body_bytes(&self) -> Bytes {
        self.raw.slice_ref(self.body())
    }

    /// The octets that were read. Where the message had folded headers, the line ends of the
    /// folds are spaces here.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The heap that the message holds: its index, without the shared octets.
    pub fn index_size(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    /// The message with `text` for a part of one header's value; what follows moves. `text` has no line end.
    pub(crate) fn replaced(&self, part: Range<usize>, text: &str) -> Option<Message> {
        let raw = [self.raw.get(..part.start)?, text.as_bytes(), self.raw.get(part.end..)?].concat();
        u32::try_from(raw.len()).ok()?;
        let moved = |at: usize| if at < part.end { at } else { at - part.len() + text.len() };
        let span = |span: Span| Span::new(moved(span.range().start), moved(span.range().end));
        let start = match self.start {
            Start::Request { method, uri } => Start::Request { method: span(method), uri: span(uri) },
            Start::Response { status, reason } => Start::Response { status, reason: span(reason) },
            Start::Unreadable => Start::Unreadable,
        };
        let line = |line: &Line| Line { value: span(line.value), name_at: span(line.spelt()).at, ..*line };
        let lines = self.lines.iter().map(line).collect();
        Some(Message { raw: raw.into(), start, lines, body: span(self.body) })
    }

    /// Text of the head. The reader has checked it for UTF-8; what the lenient reader left
    /// unchecked reads as empty.
    pub(crate) fn text(&self, span: Span) -> &str {
        self.raw.get(span.range()).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl TryFrom<&[u8]> for Message {
    type Error = ParseError;

    fn try_from(raw: &[u8]) -> Result<Message, ParseError> {
        Message::parse(Bytes::copy_from_slice(raw))
    }
}

impl fmt::Debug for Message {
    /// The start line and the header names only: values may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            Some(status) => write!(f, "{status} to {}", self.method())?,
            None => write!(f, "{} {}", self.method(), self.uri())?,
        }
        f.debug_list().entries(self.lines().map(|(_, spelt, _)| spelt)).finish()
    }
}

/// What the text between the keep-alive's line ends is; see RFC 5626 4.4.1 and RFC 7118.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// CRLF CRLF: answer it with [`KeepAlive::PONG`].
    Ping,
    /// CRLF: the answer to one.
    Pong,
}

impl KeepAlive {
    /// What answers a ping.
    pub const PONG: &'static [u8] = b"\r\n";

    /// Recognises a frame that is a keep-alive and nothing else.
    pub fn recognise(frame: &[u8]) -> Option<KeepAlive> {
        match frame {
            b"\r\n\r\n" => Some(KeepAlive::Ping),
            b"\r\n" => Some(KeepAlive::Pong),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    Request { method: Span, uri: Span },
    Response { status: Status, reason: Span },
    Unreadable,
}

/// A range of octets in the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

impl Span {
    /// Messages beyond 4 GiB are refused before this is called.
    pub(crate) fn new(start: usize, end: usize) -> Span {
        Span { at: start as u32, len: end.saturating_sub(start) as u32 }
    }

    pub(crate) fn range(self) -> core::ops::Range<usize> {
        self.at as usize..self.at as usize + self.len as usize
    }
}

/// Where one header line stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) value: Span,
    pub(crate) name_at: u32,
    pub(crate) name_len: u16,
    pub(crate) name: Name,
}

impl Line {
    pub(crate) const NONE: Line =
        Line { value: Span { at: 0, len: 0 }, name_at: 0, name_len: 0, name: Name::Extension };

    pub(crate) fn spelt(&self) -> Span {
        Span { at: self.name_at, len: u32::from(self.name_len) }
    }
}

const _: () = assert!(size_of::<Line>() == 16);

impl ParseErrorKind {
    /// Only line ends came.
    pub fn is_keep_alive(self) -> bool {
        self == ParseErrorKind::Empty
    }
}
