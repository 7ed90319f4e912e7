//! From octets to a [`Message`]: start line, header index, body, and the checks that every
//! element makes.
//!
//! The reader goes on after a mistake, so that the refusal can still be answered with the
//! right Via, From, To, Call-ID and CSeq; the first mistake is the one reported.

use bytes::{Bytes, BytesMut};

use crate::check::Checked;
use crate::error::{HeaderError, ParseError, ParseErrorKind as Kind};
use crate::lex;
use crate::limits::Limits;
use crate::message::{Line, Message, Span, Start};
use crate::name::Name;
use crate::status::Status;

/// Header lines that are indexed on the stack before the one allocation is made to measure.
const USUAL_LINES: usize = 32;

/// Headers of which a message has at most one; a second is a mistake that could make two
/// elements on the way see two different messages.
pub(crate) const SINGLE: u128 = bits(&[
    Name::CallId,
    Name::ContentLength,
    Name::ContentType,
    Name::CSeq,
    Name::Event,
    Name::Expires,
    Name::From,
    Name::MaxBreadth,
    Name::MaxForwards,
    Name::MinExpires,
    Name::ReferTo,
    Name::SipEtag,
    Name::SipIfMatch,
    Name::SubscriptionState,
    Name::SuppressIfMatch,
    Name::To,
]);

pub(crate) const fn bit(name: Name) -> u128 {
    1 << name as u8
}

const fn bits(names: &[Name]) -> u128 {
    let mut mask = 0;
    let mut i = 0;
    while i < names.len() {
        mask |= bit(names[i]);
        i += 1;
    }
    mask
}

pub(crate) fn parse(raw: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    if u32::try_from(raw.len()).is_err() {
        return Err(ParseError::new(Kind::HeadTooLarge, 0, None));
    }
    let mut reader = Reader::new(&raw, limits);
    let (head, raw) = if reader.read_head() {
        // A folded line turned up: once more, without the folds.
        let raw = unfold(raw);
        let mut reader = Reader::new(&raw, limits);
        reader.read_head();
        (reader.finish(), raw)
    } else {
        (reader.finish(), raw)
    };
    let message = Message { raw, start: head.start, lines: head.lines, body: head.body };
    match head.mistake {
        None => Ok(message),
        Some((kind, offset)) => Err(ParseError::new(kind, offset, Some(message))),
    }
}

struct Head {
    start: Start,
    lines: Vec<Line>,
    body: Span,
    mistake: Option<(Kind, usize)>,
}

struct Reader<'r> {
    raw: &'r [u8],
    limits: &'r Limits,
    at: usize,
    /// The empty line was reached.
    whole: bool,
    start: Start,
    few: [Line; USUAL_LINES],
    count: usize,
    many: Vec<Line>,
    seen: u128,
    content_length: Option<Span>,
    body_at: usize,
    /// CRLFs seen in the head.
    line_ends: usize,
    mistake: Option<(Kind, usize)>,
}

impl<'r> Reader<'r> {
    fn new(raw: &'r [u8], limits: &'r Limits) -> Reader<'r> {
        Reader {
            raw,
            limits,
            at: 0,
            whole: false,
            start: Start::Unreadable,
            few: [Line::NONE; USUAL_LINES],
            count: 0,
            many: Vec::new(),
            seen: 0,
            content_length: None,
            body_at: raw.len(),
            line_ends: 0,
            mistake: None,
        }
    }

    #[cold]
    #[inline(never)]
    fn wrong(&mut self, kind: Kind, offset: usize) {
        self.mistake.get_or_insert((kind, offset));
    }

    /// Reads to the empty line. Returns true, having stopped, when a folded line turns up.
    fn read_head(&mut self) -> bool {
        // Line ends before the start line are remains of keep-alives (RFC 3261 7.5).
        while self.raw[self.at..].starts_with(b"\r\n") {
            self.at += 2;
        }
        let begin = self.at;
        if begin == self.raw.len() {
            self.wrong(Kind::Empty, 0);
            return false;
        }
        let Some((start, end)) = self.next_line() else { return false };
        self.read_start_line(start, end);
        loop {
            if self.at - begin > self.limits.head {
                self.wrong(Kind::HeadTooLarge, self.at);
                return false;
            }
            if self.raw.get(self.at).copied().is_some_and(lex::is_ws) {
                return true;
            }
            let Some((start, end)) = self.next_line() else { return false };
            if start == end {
                break;
            }
            if self.count >= self.limits.headers {
                self.wrong(Kind::HeadTooLarge, start);
                return false;
            }
            self.read_header_line(start, end);
        }
        self.body_at = self.at;
        if self.at - begin > self.limits.head {
            self.wrong(Kind::HeadTooLarge, self.at);
        }
        self.whole = true;
        if memchr::memchr_iter(b'\r', &self.raw[begin..self.at]).count() != self.line_ends {
            self.drop_lines_with_bare_cr();
        }
        false
    }

    /// A CR in the middle of a line is a mistake, and no value of the index may hold one.
    fn drop_lines_with_bare_cr(&mut self) {
        let raw = self.raw;
        let bare = memchr::memchr_iter(b'\r', raw).find(|at| raw.get(at + 1) != Some(&b'\n'));
        self.wrong(Kind::BareLineEnd, bare.unwrap_or(0));
        let clean = |line: &Line| memchr::memchr(b'\r', &raw[line.value.range()]).is_none();
        let lines = if self.many.is_empty() { &self.few[..self.count] } else { &self.many[..] };
        self.many = lines.iter().copied().filter(clean).collect();
        self.count = self.many.len();
        self.few[..self.count.min(USUAL_LINES)].copy_from_slice(&self.many[..self.count.min(USUAL_LINES)]);
    }

    /// The next line without its CRLF. A bare LF is a mistake, but ends the line too, so that no
    /// value of the index ever holds one.
    #[inline(always)]
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let start = self.at;
        let Some(found) = find_lf(&self.raw[start..]) else {
            self.wrong(Kind::Truncated, self.raw.len());
            return None;
        };
        let mut end = start + found;
        self.at = end + 1;
        if end > start && self.raw[end - 1] == b'\r' {
            end -= 1;
            self.line_ends += 1;
        } else {
            self.wrong(Kind::BareLineEnd, end);
        }
        if end - start > self.limits.line.min(usize::from(u16::MAX)) {
            self.wrong(Kind::HeadTooLarge, start);
            return None;
        }
        Some((start, end))
    }

    fn read_start_line(&mut self, start: usize, end: usize) {
        let line = &self.raw[start..end];
        let read = match line.get(..4) {
            Some(sip) if sip.eq_ignore_ascii_case(b"SIP/") => status_line(line, start),
            _ => request_line(line, start),
        };
        self.start = read.0;
        if let Some(kind) = read.1 {
            self.wrong(kind, start);
        }
    }

    #[inline(always)]
    fn read_header_line(&mut self, start: usize, end: usize) {
        let line = &self.raw[start..end];
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (mut spelt, mut rest) = line.split_at(colon);
        while let [before @ .., b' ' | b'\t'] = spelt {
            spelt = before;
        }
        let name = Name::from_bytes(spelt);
        let is_token = || !spelt.is_empty() && spelt.iter().all(|b| lex::is_token(*b));
        if rest.is_empty() || (name == Name::Extension && !is_token()) {
            self.wrong(Kind::HeaderLine, start);
            return;
        }
        rest = &rest[1..];
        while let [b' ' | b'\t', after @ ..] = rest {
            rest = after;
        }
        let value_at = end - rest.len();
        while let [before @ .., b' ' | b'\t'] = rest {
            rest = before;
        }
        let value = Span::new(value_at, value_at + rest.len());
        if SINGLE & self.seen & bit(name) != 0 {
            self.wrong(Kind::Header(HeaderError::new(name, "there twice")), start);
        }
        self.seen |= bit(name);
        if name == Name::ContentLength {
            self.content_length.get_or_insert(value);
        }
        self.push(Line { value, name_at: start as u32, name_len: spelt.len() as u16, name });
    }

    fn push(&mut self, line: Line) {
        if let Some(slot) = self.few.get_mut(self.count) {
            *slot = line;
        } else {
            if self.many.is_empty() {
                self.many.reserve_exact(self.limits.headers.clamp(4 * USUAL_LINES, 256));
                self.many.extend_from_slice(&self.few);
            }
            self.many.push(line);
        }
        self.count += 1;
    }

    fn finish(&mut self) -> Head {
        let body = self.body();
        let lines = if self.many.is_empty() {
            self.few[..self.count].to_vec()
        } else {
            core::mem::take(&mut self.many)
        };
        if !self.whole {
            // Whatever ended the reading early has said why; this is the net under it, since a
            // head that is not whole is not checked either.
            self.wrong(Kind::Truncated, self.at);
        } else {
            match core::str::from_utf8(&self.raw[..self.body_at]) {
                Err(e) => self.wrong(Kind::NotUtf8, e.valid_up_to()),
                Ok(head) if self.mistake.is_none() => {
                    let checked = Checked { head, start: self.start, lines: &lines };
                    self.mistake = checked.check(self.limits).err();
                }
                Ok(_) => {}
            }
        }
        Head { start: self.start, lines, body, mistake: self.mistake }
    }

    /// A datagram's body: Content-Length octets, or all there is when it does not say.
    fn body(&mut self) -> Span {
        let there = self.raw.len() - self.body_at;
        let length = match self.content_length {
            None => there,
            Some(span) => {
                let at = span.at as usize;
                let text = core::str::from_utf8(&self.raw[span.range()]).ok();
                match text.and_then(lex::digits) {
                    None => {
                        self.wrong(Kind::Header(HeaderError::new(Name::ContentLength, "not a number")), at);
                        0
                    }
                    // A length beyond the limit is too large whether or not that much came.
                    Some(n) if n > self.limits.body as u64 => {
                        let kind = if n > there as u64 { Kind::BodyTruncated } else { Kind::BodyTooLarge };
                        self.wrong(kind, at);
                        0
                    }
                    Some(n) if n > there as u64 => {
                        self.wrong(Kind::BodyTruncated, at);
                        0
                    }
                    Some(n) => n as usize,
                }
            }
        };
        if length > self.limits.body {
            self.wrong(Kind::BodyTooLarge, self.body_at);
        }
        Span::new(self.body_at, self.body_at + length)
    }
}

/// `Method SP Request-URI SP SIP-Version`, with exactly those two spaces.
fn request_line(line: &[u8], at: usize) -> (Start, Option<Kind>) {
    let method_len = line.iter().take_while(|b| lex::is_token(**b)).count();
    let rest = line.get(method_len + 1..).unwrap_or(&[]);
    if method_len == 0 || line.get(method_len) != Some(&b' ') {
        return (Start::Unreadable, Some(Kind::StartLine));
    }
    let uri_at = at + method_len + 1;
    let method = Span::new(at, at + method_len);
    let uri_len = rest.iter().take_while(|b| **b > b' ' && **b != 127).count();
    let start = Start::Request { method, uri: Span::new(uri_at, uri_at + uri_len) };
    let version = rest.get(uri_len + 1..).unwrap_or(&[]);
    let mistake = if uri_len == 0 || rest.get(uri_len) != Some(&b' ') {
        Some(Kind::StartLine)
    } else if version.eq_ignore_ascii_case(b"SIP/2.0") {
        None
    } else if is_version(version) {
        Some(Kind::Version)
    } else {
        Some(Kind::StartLine)
    };
    (start, mistake)
}

/// `SIP-Version SP Status-Code SP Reason-Phrase`; the last space may be missing with an empty phrase.
fn status_line(line: &[u8], at: usize) -> (Start, Option<Kind>) {
    let version_len = line.iter().take_while(|b| **b > b' ').count();
    let version = &line[..version_len];
    let rest = line.get(version_len + 1..).unwrap_or(&[]);
    let code_len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let code =
        rest[..code_len].iter().fold(0u16, |n, b| n.saturating_mul(10).saturating_add(u16::from(b - b'0')));
    if line.get(version_len) != Some(&b' ') || !matches!(rest.get(code_len), None | Some(b' ')) {
        return (Start::Unreadable, Some(Kind::StartLine));
    }
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        let kind = if is_version(version) { Kind::Version } else { Kind::StartLine };
        return (Start::Unreadable, Some(kind));
    }
    match Status::new(code).filter(|_| code_len == 3) {
        None => (Start::Unreadable, Some(Kind::StatusCode)),
        Some(status) => {
            let reason_at = (version_len + 1 + code_len + 1).min(line.len());
            (Start::Response { status, reason: Span::new(at + reason_at, at + line.len()) }, None)
        }
    }
}

/// `SIP/1*DIGIT.1*DIGIT`
fn is_version(text: &[u8]) -> bool {
    let Some((sip, number)) = text.split_at_checked(4) else { return false };
    let mut parts = number.split(|b| *b == b'.');
    let mut part = || parts.next().is_some_and(|p| !p.is_empty() && p.iter().all(u8::is_ascii_digit));
    sip.eq_ignore_ascii_case(b"SIP/") && part() && part() && parts.next().is_none()
}

/// Turns the line ends of folded lines into spaces (RFC 3261 7.3.1), up to the empty line.
/// Lengths do not change. Copies the message only when somebody else holds it too.
fn unfold(raw: Bytes) -> Bytes {
    let mut raw = BytesMut::from(raw);
    let mut at = 0;
    while raw[at..].starts_with(b"\r\n") {
        at += 2;
    }
    while let Some(found) = memchr::memchr(b'\r', &raw[at..]) {
        let end = at + found;
        if raw[end..].starts_with(b"\r\n\r\n") {
            break;
        }
        if raw[end..].starts_with(b"\r\n") && raw.get(end + 2).copied().is_some_and(lex::is_ws) {
            raw[end..end + 2].fill(b' ');
        }
        at = end + 1;
    }
    raw.freeze()
}

/// Finds the next LF, eight octets at a time. For lines of some 50 octets this takes half of
/// what a call of memchr does.
#[inline(always)]
fn find_lf(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        // Zero where there is an LF; then the usual test for a zero octet, exact for the first.
        let word = u64::from_le_bytes(*word) ^ (ONES * 10);
        let zero = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zero != 0 {
            return Some(i * 8 + zero.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|b| *b == b'\n').map(|at| bytes.len() - rest.len() + at)
}
