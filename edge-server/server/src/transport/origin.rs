//! Which web pages may open a WebSocket here (RFC 7118 section 7, RFC 6455 section 10.2).
//!
//! Browsers send `Origin` with the handshake and a page cannot forge it; a program can, so this
//! guards users against foreign pages, not the server against programs.

use std::net::IpAddr;

/// The rule for origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPolicy {
    allowed: Vec<String>,
    loopback: bool,
}

impl OriginPolicy {
    /// `allowed` as configured; `listener` is the address that the server listens on.
    pub fn new(allowed: &[String], listener: IpAddr) -> Self {
        Self {
            allowed: allowed.iter().map(|origin| canonical(origin)).collect(),
            loopback: listener.is_loopback(),
        }
    }

    /// Whether a page of `origin` may connect to the `host` of the request's Host header.
    pub fn admits(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        let origin = canonical(origin);
        if !self.allowed.is_empty() {
            return self.allowed.iter().any(|allowed| allowed == "*" || *allowed == origin);
        }
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        if scheme != "http" && scheme != "https" {
            return false;
        }
        if self.loopback {
            // Any local page may try a local server, whatever its port; a name that merely resolves
            // to this machine (DNS rebinding) may not.
            return is_loopback_name(authority);
        }
        host.is_some_and(|host| {
            let host = host.to_ascii_lowercase();
            authority == without_default_port(scheme, &host)
        })
    }
}

/// Whether the host in `authority` (with or without port) can only mean this machine.
pub(crate) fn is_loopback_name(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Scheme and host in lower case, no default port, no trailing slash.
fn canonical(origin: &str) -> String {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    match origin.split_once("://") {
        Some((scheme, authority)) => format!("{scheme}://{}", without_default_port(scheme, authority)),
        None => origin,
    }
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &[&str], listener: &str, origin: Option<&str>, host: &str, expect: bool) {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let policy = OriginPolicy::new(&allowed, listener.parse().unwrap());
        assert_eq!(policy.admits(origin, Some(host)), expect, "{allowed:?} {listener} {origin:?} {host}");
    }

    #[test]
    fn programs_without_an_origin_are_let_in() {
        check(&[], "127.0.0.1", None, "x", true);
        check(&["https://a.example"], "192.0.2.1", None, "x", true);
    }

    #[test]
    fn on_loopback_any_local_page_may_connect_and_no_other() {
        for (origin, expect) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:1", true),
            ("https://localhost", true),
            ("http://localhost.evil.example", false),
            ("http://evil.example:8080", false),
            ("file://localhost", false),
            ("null", false),
            ("", false),
        ] {
            check(&[], "127.0.0.1", Some(origin), "127.0.0.1:8080", expect);
        }
    }

    #[test]
    fn elsewhere_the_page_must_come_from_the_same_host() {
        for (origin, host, expect) in [
            ("https://sip.example.com", "sip.example.com", true),
            ("https://sip.example.com:443", "sip.example.com", true),
            ("https://SIP.example.com", "sip.example.com:443", true),
            ("https://sip.example.com:8443", "sip.example.com:8443", true),
            ("https://sip.example.com:8443", "sip.example.com", false),
            ("https://evil.example", "sip.example.com", false),
            ("https://localhost", "sip.example.com", false),
        ] {
            check(&[], "192.0.2.1", Some(origin), host, expect);
        }
    }

    #[test]
    fn a_list_replaces_the_default() {
        let list = ["https://app.example.com", "http://dev.example:3000/"];
        check(&list, "192.0.2.1", Some("https://app.example.com"), "x", true);
        check(&list, "192.0.2.1", Some("HTTPS://APP.example.com:443"), "x", true);
        check(&list, "192.0.2.1", Some("http://dev.example:3000"), "x", true);
        check(&list, "192.0.2.1", Some("https://x"), "x", false);
        check(&list, "127.0.0.1", Some("http://localhost"), "x", false);
        check(&["*"], "192.0.2.1", Some("https://any.example"), "x", true);
        check(&["null"], "192.0.2.1", Some("null"), "x", true);
    }
}
