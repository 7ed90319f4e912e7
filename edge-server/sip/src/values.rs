//! The values of typed headers that are too small for a module of their own.

use crate::lex::{self, Lex};
use crate::method::Method;
use crate::name_addr::NameAddr;
use crate::params::{self, Params};
use crate::status::Status;

/// CSeq (RFC 3261 20.16). The number is below 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

/// The Contacts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts<'a> {
    /// `Contact: *`: all bindings, in a REGISTER with Expires 0.
    Star,
    /// The addresses of all Contact lines in order; none when there is no Contact.
    List(Vec<NameAddr<'a>>),
}

/// A media type (RFC 3261 20.15), as in Content-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'a> {
    /// `application`, as written.
    pub kind: &'a str,
    /// `pidf+xml`, as written.
    pub subtype: &'a str,
    /// `charset` and the like.
    pub params: Params<'a>,
}

/// Warning (RFC 3261 20.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// Three digits.
    pub code: u16,
    /// Who warns.
    pub agent: &'a str,
    /// The text, quotes included.
    pub text: &'a str,
}

/// Retry-After (RFC 3261 20.33).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter<'a> {
    /// Seconds.
    pub seconds: u32,
    /// `duration` and the like.
    pub params: Params<'a>,
}

/// Reason (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850`.
    pub protocol: &'a str,
    /// `cause`, `text`.
    pub params: Params<'a>,
}

impl<'a> CSeq<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<CSeq<'a>, &'static str> {
        let mut lex = Lex::new(text);
        let number = lex.take_while(|b| b.is_ascii_digit());
        let number = lex::digits(number).ok_or("no number")?;
        let number = u32::try_from(number).ok().filter(|n| *n < 1 << 31).ok_or("number out of range")?;
        let spaced = lex.peek().is_some_and(lex::is_ws);
        lex.skip_ws();
        let method = lex.token().filter(|_| spaced && lex.is_empty()).ok_or("no method")?;
        Ok(CSeq { number, method: Method::from_token(method) })
    }
}

impl Reason<'_> {
    /// The value that says a SIP status: `SIP;cause=200;text="Call completed elsewhere"`.
    pub fn sip(status: Status, text: &str) -> String {
        format!("SIP;cause={};text={}", status.code(), params::quote(text))
    }

    /// `cause`: of `SIP` a status, of `Q.850` a cause value.
    pub fn cause(&self) -> Option<u16> {
        u16::try_from(lex::digits(self.params.get("cause")?)?).ok()
    }
}

/// An entity tag of a publication: a token (RFC 3903 11.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityTag<'a>(&'a str);

impl<'a> EntityTag<'a> {
    /// Takes a token.
    pub fn new(text: &'a str) -> Option<EntityTag<'a>> {
        lex::is_token_str(text).then_some(EntityTag(text))
    }

    /// The token.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<'a> MediaType<'a> {
    /// Reads `type/subtype;params`.
    pub fn parse(text: &'a str) -> Option<MediaType<'a>> {
        let mut lex = Lex::new(text);
        let media = MediaType::lex(&mut lex)?;
        lex.skip_ws();
        lex.is_empty().then_some(media)
    }

    pub(crate) fn lex(lex: &mut Lex<'a>) -> Option<MediaType<'a>> {
        lex.skip_ws();
        let kind = lex.token()?;
        if !lex.separator(b'/') {
            return None;
        }
        let subtype = lex.token()?;
        Some(MediaType { kind, subtype, params: Params::lex(lex)? })
    }

    /// Whether this is `type/subtype`, in any case, whatever the parameters.
    pub fn is(&self, name: &str) -> bool {
        name.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        })
    }
}

impl<'a> Warning<'a> {
    pub(crate) fn lex(lex: &mut Lex<'a>) -> Option<Warning<'a>> {
        lex.skip_ws();
        let code = lex.take_while(|b| b.is_ascii_digit());
        let code = lex::digits(code).filter(|_| code.len() == 3)?;
        lex.skip_ws();
        let agent = lex.take_while(|b| !lex::is_ws(b) && b != b'"');
        lex.skip_ws();
        let text = lex.quoted()?;
        (!agent.is_empty()).then_some(Warning { code: code as u16, agent, text })
    }
}

impl<'a> RetryAfter<'a> {
    /// `seconds [ "(" comment ")" ] *( ";" param )`; seconds beyond 2^32-1 are refused.
    pub(crate) fn parse(text: &'a str) -> Option<RetryAfter<'a>> {
        let mut lex = Lex::new(text);
        let seconds = lex::digits(lex.take_while(|b| b.is_ascii_digit()))?;
        let seconds = u32::try_from(seconds).ok()?;
        lex.skip_ws();
        skip_comment(&mut lex)?;
        let params = Params::lex(&mut lex)?;
        lex.skip_ws();
        lex.is_empty().then_some(RetryAfter { seconds, params })
    }
}

/// A comment, which may hold comments.
fn skip_comment(lex: &mut Lex<'_>) -> Option<()> {
    let mut depth = 0u32;
    loop {
        match lex.peek() {
            Some(b'(') => depth = depth.saturating_add(1),
            Some(b')') if depth > 0 => depth -= 1,
            Some(b'\\') if depth > 0 => lex.bump(),
            None if depth > 0 => return None,
            _ => {}
        }
        if depth == 0 {
            lex.eat(b')');
            return Some(());
        }
        lex.bump();
    }
}
