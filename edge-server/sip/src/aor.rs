//! The canonical name of a user: the key under which everything about it is kept.

use core::fmt;
use std::net::IpAddr;

use crate::lex;
use crate::uri::{Uri, UriError, decode};

/// The canonical name of a user: `sip:`, user part decoded where that is safe, lower-case host,
/// no parameters (RFC 3261 10.3 step 5). `sips:` and `pres:` name the same user. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aor(std::sync::Arc<str>);

impl Aor {
    /// Reads and canonicalises. An address of record has a user part, and no other scheme.
    pub fn parse(text: &str) -> Result<Aor, UriError> {
        if let Some(rest) = text.get(..5).filter(|s| s.eq_ignore_ascii_case("pres:")).and(text.get(5..)) {
            let uri = format!("sip:{rest}");
            return Aor::from_uri(&Uri::parse(&uri)?);
        }
        Aor::from_uri(&Uri::parse(text)?)
    }

    /// The address of record that this URI names.
    pub fn from_uri(uri: &Uri<'_>) -> Result<Aor, UriError> {
        if !uri.is_sip() {
            return Err(UriError("not a SIP URI"));
        }
        let user = uri.user.ok_or(UriError("no user part"))?;
        let mut text = String::with_capacity(user.len() + uri.host.len() + 12);
        text.push_str("sip:");
        for byte in decode(user) {
            if lex::is_user(byte) {
                text.push(char::from(byte));
            } else {
                push_escape(&mut text, byte);
            }
        }
        text.push('@');
        match uri.ip() {
            Some(IpAddr::V6(ip)) => text.push_str(&format!("[{ip}]")),
            _ => text.push_str(&uri.host.strip_suffix('.').unwrap_or(uri.host).to_ascii_lowercase()),
        }
        if let Some(port) = uri.port {
            text.push_str(&format!(":{port}"));
        }
        Ok(Aor(text.into()))
    }

    /// `sip:alice@example.com`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user part in canonical form.
    pub fn user(&self) -> &str {
        self.split().0
    }

    /// The user part with every escape decoded, as a user database knows it.
    pub fn user_decoded(&self) -> String {
        String::from_utf8_lossy(&decode(self.user())).into_owned()
    }

    /// The host, lower case, with its port if the URI had one.
    pub fn host(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.0.strip_prefix("sip:").and_then(|rest| rest.split_once('@')).unwrap_or(("", ""))
    }
}

impl fmt::Display for Aor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Aor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Aor {
    fn borrow(&self) -> &str {
        &self.0
    }
}

pub(crate) fn push_escape(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    for nibble in [byte >> 4, byte & 15] {
        text.push(char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')));
    }
}
