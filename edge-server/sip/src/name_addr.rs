//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route and the like
//! (RFC 3261 20.10).

use std::borrow::Cow;
use std::fmt;

use crate::lex::{self, Lex};
use crate::params::{self, Params};
use crate::uri::{Uri, UriError};

/// An address with what stands around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as written, quotes included.
    pub display: Option<&'a str>,
    /// The URI as written, of any scheme. Checked for stray characters only; [`NameAddr::parse_uri`]
    /// reads it.
    pub uri: &'a str,
    /// The parameters of the header, not those of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address that fills the whole text.
    pub fn parse(text: &'a str) -> Option<NameAddr<'a>> {
        let mut lex = Lex::new(text);
        let addr = NameAddr::lex(&mut lex)?;
        lex.skip_ws();
        lex.is_empty().then_some(addr)
    }

    /// Reads one address and stops before the comma or at the end.
    pub(crate) fn lex(lex: &mut Lex<'a>) -> Option<NameAddr<'a>> {
        lex.skip_ws();
        let start = lex.at();
        let display = if lex.peek() == Some(b'"') {
            let quoted = lex.quoted()?;
            lex.skip_ws();
            (lex.peek() == Some(b'<')).then_some(quoted)
        } else {
            let words = lex.take_while(lex::is_words);
            Some(words.trim_end_matches([' ', '\t'])).filter(|words| !words.is_empty())
        };
        let uri = if lex.eat(b'<') {
            let uri = lex.take_while(lex::is_address);
            if !lex.eat(b'>') {
                return None;
            }
            return has_scheme(uri).then(|| Params::lex(lex)).flatten().map(|params| NameAddr {
                display,
                uri,
                params,
            });
        } else {
            // What looked like a display name is the scheme of a bare address. A `?`, `,` or `;`
            // may not be part of one (RFC 3261 20): the first is an error, the others end it.
            lex.take_while(|b| lex::is_address(b) && !matches!(b, b',' | b';' | b'?'));
            lex.since(start)
        };
        if uri.bytes().any(|b| lex::is_ws(b) || b == b'"') || lex.peek() == Some(b'?') || !has_scheme(uri) {
            return None;
        }
        Some(NameAddr { display: None, uri, params: Params::lex(lex)? })
    }

    /// The display name as text: quotes off, escapes resolved.
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        self.display.map(params::unquote)
    }

    /// The `tag` parameter (RFC 3261 19.3).
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The URI, read.
    pub fn parse_uri(&self) -> Result<Uri<'a>, UriError> {
        Uri::parse(self.uri)
    }

    /// `expires` of a Contact in seconds, clamped to `u32::MAX`; `None` when absent or no number.
    pub fn expires(&self) -> Option<u32> {
        let seconds = lex::digits(self.params.get("expires")?)?;
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// `q` of a Contact in thousandths; `None` when absent or malformed.
    pub fn q_milli(&self) -> Option<u16> {
        q_milli(self.params.get("q")?)
    }

    /// `+sip.instance` without its quotes: `<urn:uuid:...>` (RFC 5626 4.1).
    pub fn instance(&self) -> Option<InstanceId<'a>> {
        InstanceId::new(self.params.get("+sip.instance")?)
    }

    /// `epid` of From or To: the device as clients of Microsoft's servers name it.
    pub fn epid(&self) -> Option<&'a str> {
        self.params.get("epid").filter(|epid| !epid.is_empty())
    }

    /// `reg-id` (RFC 5626 4.2), 1 to 2^31-1.
    pub fn reg_id(&self) -> Option<u32> {
        let id = lex::digits(self.params.get("reg-id")?)?;
        u32::try_from(id).ok().filter(|id| (1..1 << 31).contains(id))
    }
}

impl fmt::Display for NameAddr<'_> {
    /// Always with angle brackets, so that what follows the URI stays outside it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = self.display {
            write!(f, "{display} ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params.as_str())
    }
}

/// The identity of a device: the URN in `+sip.instance`, angle brackets included, as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId<'a>(&'a str);

impl<'a> InstanceId<'a> {
    /// Takes `<urn...>`; `None` when the brackets are missing or nothing is in them.
    pub fn new(text: &'a str) -> Option<InstanceId<'a>> {
        let urn = text.strip_prefix('<')?.strip_suffix('>')?;
        (!urn.is_empty() && !urn.contains(['<', '>', '"'])).then_some(InstanceId(text))
    }

    /// With its angle brackets, as given.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// The URN without the brackets.
    pub fn urn(&self) -> &'a str {
        self.0.trim_start_matches('<').trim_end_matches('>')
    }
}

/// A qvalue (RFC 3261 25.1) in thousandths: `0`, `0.7`, `1.000`.
pub(crate) fn q_milli(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = match whole {
        "0" => 0,
        "1" => 1000,
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut milli = 0;
    for (digit, weight) in fraction.bytes().zip([100, 10, 1]) {
        milli += u16::from(digit - b'0') * weight;
    }
    Some(whole + milli).filter(|q| *q <= 1000)
}

fn has_scheme(uri: &str) -> bool {
    let Some(colon) = uri.bytes().position(|b| b == b':') else { return false };
    crate::uri::is_scheme(&uri[..colon]) && colon + 1 < uri.len()
}
