//! Via (RFC 3261 20.42, RFC 3581).

use std::fmt;
use std::net::IpAddr;

use crate::lex::{self, Lex};
use crate::params::Params;
use crate::uri;

/// One Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `2.0`, unless somebody speaks from the future.
    pub version: &'a str,
    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS` or any other token, as written.
    pub transport: &'a str,
    /// Host of sent-by as written, IPv6 in brackets. Often a `….invalid` name: never resolve those.
    pub host: &'a str,
    /// Port of sent-by. Absent is not 5060.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

/// The beginning of every branch made by RFC 3261 (8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl<'a> Via<'a> {
    /// Reads one Via that fills the whole text.
    pub fn parse(text: &'a str) -> Option<Via<'a>> {
        let mut lex = Lex::new(text);
        let via = Via::lex(&mut lex)?;
        lex.skip_ws();
        lex.is_empty().then_some(via)
    }

    pub(crate) fn lex(lex: &mut Lex<'a>) -> Option<Via<'a>> {
        lex.skip_ws();
        if !lex.token()?.eq_ignore_ascii_case("SIP") || !lex.separator(b'/') {
            return None;
        }
        let version = lex.token()?;
        if !lex.separator(b'/') {
            return None;
        }
        let transport = lex.token()?;
        if !lex.peek().is_some_and(lex::is_ws) {
            return None;
        }
        lex.skip_ws();
        let (host, port) = uri::lex_host_port(lex, true)?;
        let params = Params::lex(lex)?;
        Some(Via { version, transport, host, port, params })
    }

    /// The branch, if it has one.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The branch when it is unique as RFC 3261 promises: the magic cookie and something after it.
    pub fn unique_branch(&self) -> Option<&'a str> {
        let branch = self.branch()?;
        let (cookie, rest) = branch.split_at_checked(MAGIC_COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty()).then_some(branch)
    }

    /// `received`, with or without the brackets around an IPv6 address (RFC 5118 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text).parse().ok()
    }

    /// `rport`: `Some(None)` asks for it, `Some(Some(port))` answers.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port.parse().ok())
    }
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/{}/{} {}", self.version, self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.params.as_str())
    }
}
