//! SIP and SIPS URIs (RFC 3261 19.1); other schemes are carried as opaque text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::lex::{self, Lex};
use crate::params::Param;

/// Parameters, and headers, that one URI may have: comparing is quadratic in them.
const MAX_PARTS: usize = 64;

/// What a URI speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// Any other, as written; only [`Uri::opaque`] says more.
    Other(&'a str),
}

/// A URI, borrowed from the message.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme<'a>,
    /// The user part as written, with its escapes and its `;` parameters.
    pub user: Option<&'a str>,
    /// The password as written.
    pub password: Option<&'a str>,
    /// The host as written, IPv6 in brackets. Empty for other schemes.
    pub host: &'a str,
    /// The port. Absent is not 5060.
    pub port: Option<u16>,
    /// The parameters of the URI, from their first `;`.
    pub params: UriParams<'a>,
    /// The headers of the URI, without the `?`.
    pub headers: Option<&'a str>,
    opaque: &'a str,
}

/// Why a URI was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed URI: {0}")]
pub struct UriError(pub &'static str);

impl<'a> Uri<'a> {
    /// Reads a whole URI. Nothing is decoded; escapes are checked.
    pub fn parse(text: &'a str) -> Result<Uri<'a>, UriError> {
        let (scheme, opaque) = split_at_byte(text, b':').ok_or(UriError("no scheme"))?;
        if !is_scheme(scheme) {
            return Err(UriError("scheme"));
        }
        let scheme = if scheme.eq_ignore_ascii_case("sip") {
            Scheme::Sip
        } else if scheme.eq_ignore_ascii_case("sips") {
            Scheme::Sips
        } else {
            if opaque.is_empty()
                || opaque.bytes().any(|b| b <= b' ' || b >= 127 || matches!(b, b'<' | b'>' | b'"'))
            {
                return Err(UriError("opaque part"));
            }
            let scheme = Scheme::Other(scheme);
            let params = UriParams { text: "" };
            return Ok(Uri {
                scheme,
                user: None,
                password: None,
                host: "",
                port: None,
                params,
                headers: None,
                opaque,
            });
        };
        let (user, password, rest) = match split_at_byte(opaque, b'@') {
            None => (None, None, opaque),
            Some((userinfo, rest)) => {
                let (user, password) = match split_at_byte(userinfo, b':') {
                    None => (userinfo, None),
                    Some((user, password)) => (user, Some(password)),
                };
                if user.is_empty() || !escaped(user, lex::is_user) {
                    return Err(UriError("user part"));
                }
                if password.is_some_and(|password| !escaped(password, lex::is_password)) {
                    return Err(UriError("password"));
                }
                (Some(user), password, rest)
            }
        };
        let mut lex = Lex::new(rest);
        let (host, port) = lex_host_port(&mut lex, false).ok_or(UriError("host or port"))?;
        let (params, headers) = match split_at_byte(lex.rest(), b'?') {
            None => (lex.rest(), None),
            Some((params, headers)) => (params, Some(headers)),
        };
        let params = UriParams::parse(params).ok_or(UriError("parameters"))?;
        if headers.is_some_and(|headers| !well_formed_headers(headers)) {
            return Err(UriError("headers"));
        }
        Ok(Uri { scheme, user, password, host, port, params, headers, opaque })
    }

    /// Everything after the scheme's colon.
    pub fn opaque(&self) -> &'a str {
        self.opaque
    }

    /// True for `sip:` and `sips:`.
    pub fn is_sip(&self) -> bool {
        !matches!(self.scheme, Scheme::Other(_))
    }

    /// The host when it is an address and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// The user part with its escapes decoded; octets that are no UTF-8 are replaced.
    pub fn user_decoded(&self) -> Option<String> {
        self.user.map(|user| String::from_utf8_lossy(&decode(user)).into_owned())
    }

    /// Equality by RFC 3261 19.1.4. Other schemes: the scheme without regard to case, the rest
    /// to the octet. Not transitive, so not `Eq`.
    pub fn matches(&self, other: &Uri<'_>) -> bool {
        match (self.scheme, other.scheme) {
            (Scheme::Other(a), Scheme::Other(b)) => {
                return a.eq_ignore_ascii_case(b) && self.opaque == other.opaque;
            }
            (a, b) if a != b => return false,
            _ => {}
        }
        let userinfo = |a: Option<&str>, b: Option<&str>| match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => same_escaped(a, b, false),
            _ => false,
        };
        let host = match (self.ip(), other.ip()) {
            (Some(a), Some(b)) => a == b,
            _ => self.host.eq_ignore_ascii_case(other.host),
        };
        userinfo(self.user, other.user)
            && userinfo(self.password, other.password)
            && host
            && self.port == other.port
            && self.params.matches(&other.params)
            && other.params.matches(&self.params)
            && same_headers(self.headers, other.headers)
    }
}

/// The parameters of a URI. Their grammar is not that of header parameters: no white space,
/// no quotes, but escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UriParams<'a> {
    text: &'a str,
}

impl<'a> UriParams<'a> {
    fn parse(text: &'a str) -> Option<UriParams<'a>> {
        let params = UriParams { text };
        if text.is_empty() {
            return Some(params);
        }
        if !text.starts_with(';') {
            return None;
        }
        let valid = |param: &Param<'_>| {
            !param.name.is_empty()
                && escaped(param.name, lex::is_uri_param)
                && escaped(param.value.unwrap_or(""), lex::is_uri_param)
        };
        // None may come twice (RFC 3261 19.1.1); a URI that has one twice would not equal itself.
        let twice = |at: usize, param: &Param<'_>| {
            params.iter().take(at).any(|earlier| same_escaped(earlier.name, param.name, true))
        };
        let fine = |(at, param): (usize, Param<'_>)| at < MAX_PARTS && valid(&param) && !twice(at, &param);
        params.iter().enumerate().all(fine).then_some(params)
    }

    /// The parameters in their order, as written.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        self.text.split(';').skip(1).map(|param| match param.split_once('=') {
            Some((name, value)) => Param { name, value: Some(value) },
            None => Param { name: param, value: None },
        })
    }

    /// The value of the parameter whose name, escapes decoded, is this one in any case; the
    /// empty string for one without a value. The value is as written.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|param| same_escaped(param.name, name, true)).map(|param| param.value.unwrap_or(""))
    }

    /// Whether a parameter of this name is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// As written, from the first `;`.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// True when there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether each of ours fits the other's, one direction of 19.1.4. `transport` is treated
    /// like maddr: the section's own examples say that its absence makes a difference.
    fn matches(&self, other: &UriParams<'_>) -> bool {
        self.iter().all(|param| {
            let mine = param.value.unwrap_or("");
            match other.iter().find(|their| same_escaped(their.name, param.name, true)) {
                Some(their) => same_escaped(mine, their.value.unwrap_or(""), true),
                None => !["user", "ttl", "method", "maddr", "transport"]
                    .iter()
                    .any(|must| same_escaped(param.name, must, true)),
            }
        })
    }
}

/// `str::split_once` for an ASCII byte; its general searcher costs more than the URI.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|b| b == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

pub(crate) fn is_scheme(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// `host [ ":" port ]`; in a Via white space may stand around the colon.
pub(crate) fn lex_host_port<'a>(lex: &mut Lex<'a>, spaces: bool) -> Option<(&'a str, Option<u16>)> {
    let start = lex.at();
    let host = if lex.eat(b'[') {
        lex.take_while(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
        if !lex.eat(b']') {
            return None;
        }
        let host = lex.since(start);
        host_ip(host).map(|_| host)?
    } else {
        // Labels are not empty: the host ends before a dot that would make one, and what is left
        // then belongs to nothing. A dot at the very end is the root.
        let mut last = b'.';
        let host = lex.take_while(|b| {
            let empty_label = b == b'.' && last == b'.';
            last = b;
            lex::is_host(b) && !empty_label
        });
        (!host.is_empty()).then_some(host)?
    };
    let colon = if spaces { lex.separator(b':') } else { lex.eat(b':') };
    if !colon {
        return Some((host, None));
    }
    let port = lex::digits(lex.take_while(|b| b.is_ascii_digit()))?;
    Some((host, Some(u16::try_from(port).ok()?)))
}

/// The address in a host part. Three colons in a row are the mistake of an old grammar that
/// RFC 5118 4.10 asks to tolerate.
pub(crate) fn host_ip(host: &str) -> Option<IpAddr> {
    let Some(inner) = host.strip_prefix('[') else {
        return host.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    };
    let inner = inner.strip_suffix(']')?;
    let address = inner.parse::<Ipv6Addr>().or_else(|_| inner.replacen(":::", "::", 1).parse());
    address.ok().map(IpAddr::V6)
}

/// Every octet accepted or part of `%HH`.
fn escaped(text: &str, accept: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_hexdigit());
            if !hex(bytes.next()) || !hex(bytes.next()) {
                return false;
            }
        } else if !accept(b) {
            return false;
        }
    }
    true
}

/// `%HH` decoded; anything else as it is.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    octets(text).map(|(byte, _)| byte).collect()
}

/// The octets of a text and whether each was written as an escape.
fn octets(text: &str) -> impl Iterator<Item = (u8, bool)> + '_ {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        let b = bytes.next()?;
        let hex = |b: u8| char::from(b).to_digit(16).map(|digit| digit as u8);
        if b == b'%' {
            let mut ahead = bytes.clone();
            if let (Some(high), Some(low)) = (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                bytes = ahead;
                return Some((high << 4 | low, true));
            }
        }
        Some((b, false))
    })
}

/// Equality with escapes: an escaped octet equals the plain one unless that is reserved
/// (RFC 3261 19.1.4, RFC 2396 2.2).
fn same_escaped(a: &str, b: &str, fold_case: bool) -> bool {
    let canonical = |(byte, escaped): (u8, bool)| {
        let escaped = escaped && !lex::is_unreserved(byte);
        (if fold_case { byte.to_ascii_lowercase() } else { byte }, escaped)
    };
    a == b || octets(a).map(canonical).eq(octets(b).map(canonical))
}

fn well_formed_headers(text: &str) -> bool {
    text.split('&').enumerate().all(|(at, header)| {
        header.split_once('=').is_some_and(|(name, value)| {
            at < MAX_PARTS
                && !name.is_empty()
                && escaped(name, lex::is_uri_header)
                && escaped(value, lex::is_uri_header)
        })
    })
}

fn same_headers(a: Option<&str>, b: Option<&str>) -> bool {
    let (a, b) = (a.unwrap_or(""), b.unwrap_or(""));
    fn pairs(text: &str) -> impl Iterator<Item = &str> {
        text.split('&').filter(|pair| !pair.is_empty())
    }
    let same = |x: &str, y: &str| match (x.split_once('='), y.split_once('=')) {
        (Some((xn, xv)), Some((yn, yv))) => same_escaped(xn, yn, true) && same_escaped(xv, yv, false),
        _ => x == y,
    };
    let count = |text: &str, pair: &str| pairs(text).filter(|other| same(other, pair)).count();
    pairs(a).count() == pairs(b).count()
        // Each side counts against the other, so that a repeated header does not stand for two.
        && pairs(a).all(|pair| count(a, pair) == count(b, pair))
}
