//! The WebSocket handshake: which requests become a SIP connection, and why others do not.
//!
//! RFC 6455 section 4.2, RFC 7118 section 4. The answer is decided from the head alone.

use super::origin::OriginPolicy;
use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tributary_engine::labelled;

/// The subprotocol of RFC 7118.
pub const SUBPROTOCOL: &str = "sip";

/// The paths at which SIP is spoken.
pub const PATHS: [&str; 2] = ["/ws", "/"];

labelled! {
    /// Why a handshake is refused.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Refusal {
        /// Not a GET over HTTP/1.1.
        #[error("a WebSocket handshake is a GET over HTTP/1.1")]
        NotGet => "method",
        /// A path where no WebSocket lives.
        #[error("there is no WebSocket at this path; connect to /ws")]
        Path => "path",
        /// No `Connection: Upgrade`.
        #[error("the handshake needs the header Connection: Upgrade; a proxy in between may have removed it")]
        Connection => "connection",
        /// Another version than 13.
        #[error("only WebSocket version 13 is spoken here")]
        Version => "version",
        /// A key that is not 16 bytes in base64.
        #[error("Sec-WebSocket-Key is missing or not 16 bytes in base64")]
        Key => "key",
        /// The page's origin is not allowed.
        #[error("this origin may not connect; an operator can add it to websocket.origins")]
        Origin => "origin",
        /// The subprotocol `sip` is not offered.
        #[error("offer the subprotocol sip (Sec-WebSocket-Protocol: sip, RFC 7118)")]
        Subprotocol => "subprotocol",
    }
}

impl Refusal {
    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::Path => StatusCode::NOT_FOUND,
            Self::Connection | Self::Key | Self::Subprotocol => StatusCode::BAD_REQUEST,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

/// Whether a request asks for a WebSocket at all.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"))
}

/// Checks a handshake.
///
/// # Errors
/// The first reason to refuse it.
///
/// Returns the value of `Sec-WebSocket-Accept`.
pub(super) fn accept(
    method: &Method,
    version: Version,
    path: &str,
    headers: &HeaderMap,
    origins: &OriginPolicy,
) -> Result<String, Refusal> {
    if method != Method::GET || version != Version::HTTP_11 {
        return Err(Refusal::NotGet);
    }
    if !PATHS.contains(&path) {
        return Err(Refusal::Path);
    }
    if !tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade")) {
        return Err(Refusal::Connection);
    }
    if text(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refusal::Version);
    }
    let key = text(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(Refusal::Key)?;
    if headers.get_all(ORIGIN).iter().count() > 1
        || (headers.contains_key(ORIGIN) && text(headers, &ORIGIN).is_none())
        || !origins.admits(text(headers, &ORIGIN), text(headers, &HOST))
    {
        return Err(Refusal::Origin);
    }
    // Subprotocol names are case-sensitive; browsers send what the page gave, JsSIP and SIP.js "sip".
    if !tokens(headers, &SEC_WEBSOCKET_PROTOCOL).any(|token| token == SUBPROTOCOL) {
        return Err(Refusal::Subprotocol);
    }
    Ok(derive_accept_key(key.as_bytes()))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The comma-separated tokens of all header lines called `name`.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// 16 bytes in base64: 22 characters and two signs of padding.
fn is_key(key: &str) -> bool {
    key.len() == 24
        && key.ends_with("==")
        && key.bytes().take(22).all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const GOOD: &[(&str, &str)] = &[
        ("host", "127.0.0.1:8080"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "sip"),
        ("origin", "http://127.0.0.1:8080"),
    ];

    /// The good handshake with one header replaced (or removed, by an empty value).
    fn check(change: (&str, &str), expect: Result<(), Refusal>) {
        let mut headers = HeaderMap::new();
        for (name, value) in GOOD.iter().filter(|(name, _)| *name != change.0).chain([&change]) {
            if !value.is_empty() {
                headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
            }
        }
        let origins = OriginPolicy::new(&[], "127.0.0.1".parse().unwrap());
        let result = accept(&Method::GET, Version::HTTP_11, "/ws", &headers, &origins);
        assert_eq!(result.map(|_| ()), expect, "{change:?}");
    }

    #[test]
    fn the_accept_key_is_the_one_of_rfc_6455() {
        let mut headers = HeaderMap::new();
        for (name, value) in GOOD {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let origins = OriginPolicy::new(&[], "127.0.0.1".parse().unwrap());
        for path in PATHS {
            let accept = accept(&Method::GET, Version::HTTP_11, path, &headers, &origins);
            assert_eq!(accept.as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        }
        let elsewhere = accept(&Method::GET, Version::HTTP_11, "/api", &headers, &origins);
        assert_eq!(elsewhere, Err(Refusal::Path));
        let post = accept(&Method::POST, Version::HTTP_11, "/ws", &headers, &origins);
        assert_eq!(post, Err(Refusal::NotGet));
        let old = accept(&Method::GET, Version::HTTP_10, "/ws", &headers, &origins);
        assert_eq!(old, Err(Refusal::NotGet));
    }

    #[test]
    fn each_header_that_is_wrong_is_refused_for_its_own_reason() {
        check(("x-nothing", "1"), Ok(()));
        check(("connection", "close"), Err(Refusal::Connection));
        check(("connection", ""), Err(Refusal::Connection));
        check(("sec-websocket-version", "8"), Err(Refusal::Version));
        check(("sec-websocket-version", ""), Err(Refusal::Version));
        check(("sec-websocket-key", ""), Err(Refusal::Key));
        check(("sec-websocket-key", "short"), Err(Refusal::Key));
        check(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=!"), Err(Refusal::Key));
        check(("origin", "https://evil.example"), Err(Refusal::Origin));
        check(("origin", "null"), Err(Refusal::Origin));
        check(("origin", ""), Ok(()));
    }

    #[test]
    fn point_1_sip_is_picked_out_of_a_list_and_demanded() {
        check(("sec-websocket-protocol", "xmpp, sip , msrp"), Ok(()));
        check(("sec-websocket-protocol", ""), Err(Refusal::Subprotocol));
        check(("sec-websocket-protocol", "xmpp"), Err(Refusal::Subprotocol));
        check(("sec-websocket-protocol", "SIP"), Err(Refusal::Subprotocol));
        check(("sec-websocket-protocol", "sips"), Err(Refusal::Subprotocol));
    }
}
