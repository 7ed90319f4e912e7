//! A host with or without a port, owned: what we call ourselves, and where others are found.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::lex::Lex;
use crate::uri::{UriError, host_ip, lex_host_port};

/// `example.com`, `192.0.2.1:5062` or `[2001:db8::1]:5061`; lower case, without the root's dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    host: Box<str>,
    port: Option<u16>,
}

impl HostPort {
    /// Of a URI or a Via, that were read. `host` has its brackets if it is an IPv6 address.
    pub fn new(host: &str, port: Option<u16>) -> HostPort {
        let host = host.strip_suffix('.').unwrap_or(host);
        HostPort { host: host.to_ascii_lowercase().into(), port }
    }

    /// A name, or an address with its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if one is said.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The address, if it is no name.
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(&self.host)
    }

    /// Whether this is the host, however it is spelt: `2001:db8:0::1` is `2001:db8::1`.
    pub fn is_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.host.eq_ignore_ascii_case(host) || self.ip().is_some_and(|ip| host_ip(host) == Some(ip))
    }

    /// Without the port where that is the one that everybody takes when none is said.
    #[must_use]
    pub fn without_port(mut self, default: u16) -> HostPort {
        self.port = self.port.filter(|port| *port != default);
        self
    }
}

impl FromStr for HostPort {
    type Err = UriError;

    fn from_str(text: &str) -> Result<HostPort, UriError> {
        let mut lex = Lex::new(text);
        match lex_host_port(&mut lex, false) {
            Some((host, port)) if lex.is_empty() => Ok(HostPort::new(host, port)),
            _ => Err(UriError("host or port")),
        }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> HostPort {
        let host = match address.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        HostPort { host: host.into(), port: Some(address.port()) }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
