//! What every element checks before it looks at anything else (RFC 3261 8.1.1, 8.2, 16.3): one
//! each of the headers that make a message, a CSeq that names the method, a Request-URI that is one.

use crate::error::{HeaderError, ParseErrorKind as Kind};
use crate::lex::Lex;
use crate::limits::Limits;
use crate::message::{Line, Span, Start};
use crate::name::Name;
use crate::name_addr::NameAddr;
use crate::uri::Uri;
use crate::values::CSeq;
use crate::via::Via;

/// A head that is known to be UTF-8, and its index.
pub(crate) struct Checked<'r> {
    pub(crate) head: &'r str,
    pub(crate) start: Start,
    pub(crate) lines: &'r [Line],
}

impl<'r> Checked<'r> {
    /// What every element checks before it looks at anything else.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), (Kind, usize)> {
        self.header(Name::Via, |value| {
            let mut lex = Lex::new(value);
            let via = Via::lex(&mut lex);
            lex.skip_ws();
            via.filter(|_| lex.is_empty() || lex.peek() == Some(b',')).ok_or("malformed")
        })?;
        let vias = self.lines.iter().filter(|line| line.name == Name::Via);
        let commas = |line: &Line| memchr::memchr_iter(b',', self.text(line.value).as_bytes()).count();
        if vias.map(|line| commas(line) + 1).sum::<usize>() > limits.vias {
            return Err((Kind::HeadTooLarge, 0));
        }
        self.header(Name::From, |value| NameAddr::parse(value).ok_or("malformed"))?;
        self.header(Name::To, |value| NameAddr::parse(value).ok_or("malformed"))?;
        self.header(Name::CallId, |value| {
            let malformed = value.is_empty() || value.bytes().any(|b| b <= b' ' || b >= 127);
            if malformed { Err("malformed") } else { Ok(()) }
        })?;
        let (cseq, cseq_at) = self.header(Name::CSeq, CSeq::parse)?;
        if let Start::Request { method, uri } = self.start {
            if cseq.method.as_str() != self.text(method) {
                return Err((Kind::MethodMismatch, cseq_at));
            }
            let read = Uri::parse(self.text(uri));
            if read.is_err() || read.is_ok_and(|uri| uri.headers.is_some()) {
                return Err((Kind::RequestUri, uri.at as usize));
            }
        }
        Ok(())
    }

    /// The first header of a name, read, and where its value stands.
    fn header<T>(
        &self,
        name: Name,
        read: impl FnOnce(&'r str) -> Result<T, &'static str>,
    ) -> Result<(T, usize), (Kind, usize)> {
        let wrong = |reason, at| (Kind::Header(HeaderError::new(name, reason)), at);
        let line = self.lines.iter().find(|line| line.name == name).ok_or(wrong("missing", 0))?;
        let at = line.value.at as usize;
        let value = read(self.text(line.value)).map_err(|reason| wrong(reason, at))?;
        Ok((value, at))
    }

    fn text(&self, span: Span) -> &'r str {
        self.head.get(span.range()).unwrap_or("")
    }
}
