//! Authorization, WWW-Authenticate and Authentication-Info as they are written
//! (RFC 3261 20.7, RFC 7616 3.3, 3.4, 3.5). What they mean is in [`digest`](crate::digest).

use crate::lex::Lex;
use crate::params::{self, Param};

/// More parameters than any scheme has.
const MAX_PARAMS: usize = 32;

/// Authorization or Proxy-Authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// `Digest ...`
    Digest(DigestCredentials<'a>),
    /// Another scheme: its name and the rest.
    Other {
        /// The scheme as written.
        scheme: &'a str,
        /// Everything after it.
        rest: &'a str,
    },
}

/// The answer to a digest challenge. Strings are without quotes, their escapes as written,
/// which is what goes into the hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestCredentials<'a> {
    /// The user, or its hash when `userhash`.
    pub username: &'a str,
    /// The realm.
    pub realm: &'a str,
    /// The nonce.
    pub nonce: &'a str,
    /// The Request-URI as the client's library spells it.
    pub uri: &'a str,
    /// The proof, in hex.
    pub response: &'a str,
    /// Absent means MD5.
    pub algorithm: Option<&'a str>,
    /// The client's nonce, with qop.
    pub cnonce: Option<&'a str>,
    /// `auth`, or absent with clients of RFC 2069.
    pub qop: Option<&'a str>,
    /// Eight hex digits, with qop.
    pub nc: Option<&'a str>,
    /// What the challenge said.
    pub opaque: Option<&'a str>,
    /// RFC 7616 3.4.4. We never offer it.
    pub userhash: bool,
}

/// WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge<'a> {
    /// `Digest ...`
    Digest(DigestChallenge<'a>),
    /// Another scheme: its name and the rest.
    Other {
        /// The scheme as written.
        scheme: &'a str,
        /// Everything after it.
        rest: &'a str,
    },
}

/// A digest challenge. Strings are without quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestChallenge<'a> {
    /// The realm.
    pub realm: &'a str,
    /// The nonce.
    pub nonce: &'a str,
    /// To be given back as it is.
    pub opaque: Option<&'a str>,
    /// The nonce was too old, the password may be right.
    pub stale: bool,
    /// Absent means MD5.
    pub algorithm: Option<&'a str>,
    /// The list in `qop`.
    pub qop: Option<&'a str>,
}

/// Authentication-Info (RFC 7616 3.5). Strings are without quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthenticationInfo<'a> {
    /// The nonce to use next.
    pub nextnonce: Option<&'a str>,
    /// `auth`
    pub qop: Option<&'a str>,
    /// The server's proof, in hex.
    pub rspauth: Option<&'a str>,
    /// The client's nonce.
    pub cnonce: Option<&'a str>,
    /// Eight hex digits.
    pub nc: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// Reads one header value. Digest needs username, realm, nonce, uri and response.
    pub fn parse(text: &'a str) -> Option<Credentials<'a>> {
        let (scheme, rest) = scheme(text)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Some(Credentials::Other { scheme, rest });
        }
        let mut read = DigestCredentials::default();
        let mut required = 0u8;
        each(rest, |name, value| {
            let field = match name {
                n if n.eq_ignore_ascii_case("username") => (&mut read.username, 1),
                n if n.eq_ignore_ascii_case("realm") => (&mut read.realm, 2),
                n if n.eq_ignore_ascii_case("nonce") => (&mut read.nonce, 4),
                n if n.eq_ignore_ascii_case("uri") => (&mut read.uri, 8),
                n if n.eq_ignore_ascii_case("response") => (&mut read.response, 16),
                n => {
                    match n {
                        n if n.eq_ignore_ascii_case("algorithm") => read.algorithm = Some(value),
                        n if n.eq_ignore_ascii_case("cnonce") => read.cnonce = Some(value),
                        n if n.eq_ignore_ascii_case("qop") => read.qop = Some(value),
                        n if n.eq_ignore_ascii_case("nc") => read.nc = Some(value),
                        n if n.eq_ignore_ascii_case("opaque") => read.opaque = Some(value),
                        n if n.eq_ignore_ascii_case("userhash") => {
                            read.userhash = value.eq_ignore_ascii_case("true");
                        }
                        _ => {}
                    }
                    return true;
                }
            };
            // Twice the same field could mean one to us and the other to somebody else.
            let first = required & field.1 == 0;
            required |= field.1;
            *field.0 = value;
            first
        })?;
        (required == 31).then_some(Credentials::Digest(read))
    }

    /// The digest, if it is one.
    pub fn digest(&self) -> Option<&DigestCredentials<'a>> {
        match self {
            Credentials::Digest(digest) => Some(digest),
            Credentials::Other { .. } => None,
        }
    }
}

impl<'a> Challenge<'a> {
    /// Reads one header value. Digest needs realm and nonce.
    pub fn parse(text: &'a str) -> Option<Challenge<'a>> {
        let (scheme, rest) = scheme(text)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Some(Challenge::Other { scheme, rest });
        }
        let mut read = DigestChallenge::default();
        let mut required = 0u8;
        each(rest, |name, value| {
            match name {
                n if n.eq_ignore_ascii_case("realm") => {
                    read.realm = value;
                    required |= 1;
                }
                n if n.eq_ignore_ascii_case("nonce") => {
                    read.nonce = value;
                    required |= 2;
                }
                n if n.eq_ignore_ascii_case("opaque") => read.opaque = Some(value),
                n if n.eq_ignore_ascii_case("stale") => read.stale = value.eq_ignore_ascii_case("true"),
                n if n.eq_ignore_ascii_case("algorithm") => read.algorithm = Some(value),
                n if n.eq_ignore_ascii_case("qop") => read.qop = Some(value),
                _ => {}
            }
            true
        })?;
        (required == 3).then_some(Challenge::Digest(read))
    }

    /// The digest, if it is one.
    pub fn digest(&self) -> Option<&DigestChallenge<'a>> {
        match self {
            Challenge::Digest(digest) => Some(digest),
            Challenge::Other { .. } => None,
        }
    }
}

impl<'a> AuthenticationInfo<'a> {
    /// Reads one header value.
    pub fn parse(text: &'a str) -> Option<AuthenticationInfo<'a>> {
        let mut read = AuthenticationInfo::default();
        each(text, |name, value| {
            match name {
                n if n.eq_ignore_ascii_case("nextnonce") => read.nextnonce = Some(value),
                n if n.eq_ignore_ascii_case("qop") => read.qop = Some(value),
                n if n.eq_ignore_ascii_case("rspauth") => read.rspauth = Some(value),
                n if n.eq_ignore_ascii_case("cnonce") => read.cnonce = Some(value),
                n if n.eq_ignore_ascii_case("nc") => read.nc = Some(value),
                _ => {}
            }
            true
        })?;
        Some(read)
    }
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    let mut lex = Lex::new(text);
    lex.skip_ws();
    let scheme = lex.token()?;
    lex.skip_ws();
    Some((scheme, lex.rest()))
}

/// `name = value *( "," name = value )`; `None` when malformed or when `visit` objects.
fn each<'a>(text: &'a str, mut visit: impl FnMut(&'a str, &'a str) -> bool) -> Option<()> {
    let mut lex = Lex::new(text);
    for _ in 0..MAX_PARAMS {
        lex.skip_ws();
        let Param { name, value } = Param::lex(&mut lex)?;
        let value = value?;
        // Without quotes around it nothing is escaped, and a backslash could not be said again in quotes.
        if !value.starts_with('"') && value.contains('\\') {
            return None;
        }
        if !visit(name, params::strip_quotes(value)) {
            return None;
        }
        lex.skip_ws();
        if !lex.eat(b',') {
            return lex.is_empty().then_some(());
        }
    }
    None
}
