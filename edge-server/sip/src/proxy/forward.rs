//! Writing what goes on from what came: a request to its next hop (RFC 3261 16.6), a response back
//! (16.7 items 3, 7 and 9).
//!
//! ```text
//!     what came                            what goes on
//!     INVITE sip:bob@b.example             INVITE sip:bob@192.0.2.4;ob      Request-URI: Path
//!                                          Via: ours                        on top
//!                                          Record-Route: ours, ours         on top
//!                                          Max-Forwards: 69   Max-Breadth: 20
//!     Via: a                               Via: a                           \
//!     Max-Forwards: 70                                                      |
//!     Route: <ours>, <next>                Route: <next>                    | in order,
//!     P-Asserted-Identity: forged                                           | octet by octet
//!     Subject: lunch                       Subject: lunch                   /
//!     (body) ----------------------------> the same octets, shared
//! ```
//! Of the headers only those are read that change. All else is copied in runs, compact names and
//! odd spelling included (16.6 item 1): it is not ours, and signatures may cover it. Of a header
//! that was folded, the line ends are spaces here, which means the same.

use bytes::Bytes;

use crate::lex::Lex;
use crate::limits::Limits;
use crate::message::{Line, Message};
use crate::name::Name;
use crate::name_addr::NameAddr;
use crate::status::Status;
use crate::transaction::{ClientVia, Packet};
use crate::uri::Uri;
use crate::via::Via;
use crate::write::{BuildError, Out};

use super::path::Path;

/// Octets that a forwarded head is given room for beyond those that came.
const GROWTH: usize = 512;

/// What changes in a request on its way to one target.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// Request-URI and Route (16.6 items 2 and 6).
    pub path: &'a Path<'a>,
    /// Our Via (item 8).
    pub via: ClientVia<'a>,
    /// From [`max_forwards`](super::max_forwards) (item 3).
    pub max_forwards: u8,
    /// From [`breadth_shares`](super::breadth_shares).
    pub max_breadth: u32,
    /// Our URIs for Record-Route, the one that the target is to see first on top: none outside
    /// dialogs, one, or two where transport or address family changes (item 4, RFC 5658).
    pub record_routes: &'a [&'a str],
    /// Headers that go no further, such as P-Asserted-Identity from somebody who is not trusted
    /// (RFC 3325 5).
    pub without: &'a [Name],
    /// Headers that we say ourselves, in place of what came under these names.
    pub with: &'a [(&'a str, &'a str)],
}

/// What changes in a response on its way back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backward<'a> {
    /// Headers that go no further.
    pub without: &'a [Name],
    /// Other 401 and 407 responses, whose challenges this one takes along (16.7 item 7).
    pub challenges: &'a [&'a Message],
}

/// Why a message was not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// A response for a request, or the other way round: a mistake of the program.
    #[error("neither a request nor a response")]
    Kind,
    /// The top Via of a response is not ours, or there is none below it (18.1.2, 16.7 item 3). It
    /// is dropped.
    #[error("the response is not ours to forward")]
    NotOurs,
    /// With what we add the next hop, if it reads like we do, would refuse it. On a request: 513.
    #[error("the head has no room for what a proxy adds")]
    TooLarge,
    /// A value that we were given to write cannot be written.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl ForwardError {
    /// What a request is answered with.
    pub fn status(&self) -> Status {
        match self {
            ForwardError::TooLarge => Status::MESSAGE_TOO_LARGE,
            _ => Status::SERVER_INTERNAL_ERROR,
        }
    }
}

impl Forward<'_> {
    /// The request as it goes to the target.
    ///
    /// # Errors
    /// [`ForwardError::TooLarge`], or what only a mistake of the program brings about.
    pub fn request(&self, received: &Message) -> Result<Packet, ForwardError> {
        if !received.is_request() {
            return Err(ForwardError::Kind);
        }
        if Uri::parse(self.path.uri).map_or(true, |uri| uri.headers.is_some()) {
            return Err(BuildError::RequestLine.into());
        }
        let mut out = Out::new(received.head_len() + GROWTH);
        out.put(received.method().as_str());
        out.put(" ");
        out.put(self.path.uri);
        out.put(" SIP/2.0\r\n");
        out.header(Name::Via, self.via);
        for uri in self.record_routes {
            out.header(Name::RecordRoute, format_args!("<{uri}>"));
        }
        let mut off = self.routes_to_take_off(received);
        if off.is_none() {
            for route in &self.path.routes {
                out.header(Name::Route, route);
            }
        }
        out.header(Name::MaxForwards, self.max_forwards);
        out.header(Name::MaxBreadth, self.max_breadth);
        for (name, value) in self.with {
            out.header_named(name, value);
        }
        let ours = |line: &Line| {
            matches!(line.name, Name::MaxForwards | Name::MaxBreadth)
                || self.without.contains(&line.name)
                || self.with.iter().any(|(name, _)| received.is_named(line, name))
        };
        received.copy_lines(&mut out, |line| match (line.name, &mut off) {
            _ if ours(line) => Keep::Nothing,
            (Name::Route, None) => Keep::Nothing,
            (Name::Route, Some(count)) => beyond(received.text(line.value), count, NameAddr::lex),
            _ => Keep::Whole,
        });
        let vias = received.headers(Name::Via).map(values_at_most).sum::<usize>() + 1;
        let lines =
            received.lines.len() + self.record_routes.len() + self.path.routes.len() + self.with.len();
        let limits = Limits::DEFAULT;
        if vias > limits.vias || lines + 4 > limits.headers || self.path.uri.len() + 64 > limits.line {
            return Err(ForwardError::TooLarge);
        }
        received.finish(out)
    }

    /// How many Route values come off the top, where what is left is what the path says: the rest
    /// then goes on as it was written.
    fn routes_to_take_off(&self, received: &Message) -> Option<usize> {
        let came: Vec<_> = received.routes().collect::<Result<_, _>>().ok()?;
        let off = came.len().checked_sub(self.path.routes.len())?;
        (came.get(off..)? == self.path.routes).then_some(off)
    }
}

impl Backward<'_> {
    /// The response as it goes back. `ours` says whether a Via is one that we put there.
    ///
    /// # Errors
    /// [`ForwardError::NotOurs`] mostly.
    pub fn response(
        &self,
        received: &Message,
        ours: impl Fn(&Via<'_>) -> bool,
    ) -> Result<Packet, ForwardError> {
        if received.status().is_none() {
            return Err(ForwardError::Kind);
        }
        let mut vias = received.vias();
        let top = vias.next().and_then(Result::ok).ok_or(ForwardError::NotOurs)?;
        if !ours(&top) || vias.next().is_none() {
            return Err(ForwardError::NotOurs);
        }
        let mut out = Out::new(received.head_len() + GROWTH * self.challenges.len());
        let mut off = 1;
        out.copy(received.start_line());
        received.copy_lines(&mut out, |line| match line.name {
            Name::Via => beyond(received.text(line.value), &mut off, Via::lex),
            name if self.without.contains(&name) => Keep::Nothing,
            _ => Keep::Whole,
        });
        for other in self.challenges {
            for name in [Name::WwwAuthenticate, Name::ProxyAuthenticate] {
                for challenge in other.headers(name) {
                    out.header(name, challenge);
                }
            }
        }
        received.finish(out)
    }
}

/// What of a header line is copied.
enum Keep<'a> {
    Whole,
    Nothing,
    /// Its name and the end of its value.
    End(&'a str),
}

/// What stays of a comma list when `count` values come off the top of this line and those after it.
fn beyond<'a, T>(value: &'a str, count: &mut usize, item: impl Fn(&mut Lex<'a>) -> Option<T>) -> Keep<'a> {
    if *count == 0 {
        return Keep::Whole;
    }
    let mut lex = Lex::new(value);
    while *count > 0 {
        // Whoever counted the values has read them.
        let _ = item(&mut lex);
        *count -= 1;
        if !lex.separator(b',') {
            return Keep::Nothing;
        }
    }
    Keep::End(lex.rest())
}

/// As [`Message::parse`] counts them.
fn values_at_most(value: &str) -> usize {
    memchr::memchr_iter(b',', value.as_bytes()).count() + 1
}

impl Message {
    /// Octets up to the body.
    fn head_len(&self) -> usize {
        self.body.at as usize
    }

    /// The start line with its line end.
    fn start_line(&self) -> &[u8] {
        let end = self.lines.first().map_or(self.lines_end(), |line| line.name_at as usize);
        let mut line = self.raw.get(..end).unwrap_or(&[]);
        // Remains of keep-alives may stand before it (RFC 3261 7.5).
        while let Some(after) = line.strip_prefix(b"\r\n") {
            line = after;
        }
        line
    }

    /// Where the empty line begins.
    fn lines_end(&self) -> usize {
        self.head_len().saturating_sub(2)
    }

    fn is_named(&self, line: &Line, name: &str) -> bool {
        match line.name {
            Name::Extension => self.text(line.spelt()).eq_ignore_ascii_case(name),
            known => known == Name::from_bytes(name.as_bytes()),
        }
    }

    /// Copies header lines, those that stay whole in runs.
    fn copy_lines<'m>(&'m self, out: &mut Out, mut keep: impl FnMut(&Line) -> Keep<'m>) {
        let run = |from: usize, to: usize| self.raw.get(from..to).unwrap_or(&[]);
        let mut from = self.lines.first().map_or(self.lines_end(), |line| line.name_at as usize);
        for (at, line) in self.lines.iter().enumerate() {
            let kept = keep(line);
            if matches!(kept, Keep::Whole) {
                continue;
            }
            out.copy(run(from, line.name_at as usize));
            from = self.lines.get(at + 1).map_or(self.lines_end(), |next| next.name_at as usize);
            if let Keep::End(rest) = kept {
                out.copy(self.text(line.spelt()).as_bytes());
                out.put(": ");
                out.put(rest);
                out.put("\r\n");
            }
        }
        out.copy(run(from, self.lines_end()));
    }

    /// The head that was written and the body that came; what had no Content-Length gets one, for
    /// it may go on over a stream (16.6 item 9).
    fn finish(&self, mut out: Out) -> Result<Packet, ForwardError> {
        if self.header(Name::ContentLength).is_none() {
            out.content_length(self.body().len());
        }
        let head: Bytes = out.finish_head()?;
        if head.len() > Limits::DEFAULT.head {
            return Err(ForwardError::TooLarge);
        }
        Ok(Packet { head, body: self.body_bytes() })
    }
}
