//! The bearer token (RFC 6750).

use super::Api;
use super::error::ApiError;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{StatusCode, Uri};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// What holders of tokens are not called: whoever has `api.token`, and the server itself.
pub(crate) const RESERVED_NAMES: [&str; 2] = [OPERATOR, crate::policies::SERVER];

/// Who comes with `api.token`.
const OPERATOR: &str = "operator";

/// The tokens that the API asks for, each with the name of its holder. Only their digests are kept, so that
/// comparing tells nothing of them, not even their length.
#[derive(Clone, Default)]
pub struct Tokens(Vec<(Caller, [u8; 32])>);

/// Who has shown a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub Arc<str>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(caller, _)| caller)).finish()
    }
}

impl Tokens {
    /// The operator's token and those of others.
    pub fn new(operator: Option<&str>, others: impl IntoIterator<Item = (String, String)>) -> Self {
        let operator = operator.map(|token| (OPERATOR.to_owned(), token.to_owned()));
        let all = operator.into_iter().chain(others);
        Self(
            all.map(|(name, token)| (Caller(name.into()), Sha256::digest(token.as_bytes()).into())).collect(),
        )
    }

    /// Whose `text` is; every token is compared, whatever differs.
    pub fn holder(&self, text: &str) -> Option<&Caller> {
        let given: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let mut found = None;
        for (caller, token) in &self.0 {
            if bool::from(token.ct_eq(&given)) {
                found = Some(caller);
            }
        }
        found
    }
}

/// The token in `Authorization: Bearer ...`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Lets a request with the token through; any other is answered 401, or 403 where no token exists.
pub(super) async fn require(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let response = match check(&api, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => {
            let mut response = error.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Bearer realm=\"tributary\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response
        }
    };
    crate::metrics::count(&api.exposition.metrics.api_requests, "status", response.status().as_str());
    response
}

/// As [`require`], but loopback clients need no token where the configuration says so.
pub(super) async fn require_for_metrics(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if api.open_metrics && peer.ip().is_loopback() {
        return next.run(request).await;
    }
    require(State(api), request, next).await
}

fn check(api: &Api, headers: &HeaderMap) -> Result<Caller, ApiError> {
    if api.tokens.0.is_empty() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "no_token",
            "the API is closed: the server has no token",
            "set api.token or api.token_file, or give the server a data folder",
        ));
    }
    match bearer(headers).map(|given| api.tokens.holder(given)) {
        Some(Some(caller)) => Ok(caller.clone()),
        Some(None) => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "wrong_token",
            "the bearer token is not the right one",
            "compare it with api.token, or with the file api-token in the data folder",
        )),
        None => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "token_missing",
            "the API needs a bearer token",
            "send the header Authorization: Bearer TOKEN",
        )),
    }
}

/// In a demonstration, pages of other names must not read what this server tells (DNS rebinding).
pub(super) async fn local_names_only(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if api.demo.is_some() {
        let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let named = host.or_else(|| Uri::host(request.uri()));
        if !named.is_some_and(crate::transport::is_loopback_name) {
            return ApiError::new(
                StatusCode::FORBIDDEN,
                "host",
                "the demonstration answers local names only",
                "open it as http://127.0.0.1 or http://localhost",
            )
            .into_response();
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_holders_and_nothing_else_is_anybodys() {
        let tokens = Tokens::new(Some("correct horse"), [("ann".to_owned(), "battery".to_owned())]);
        let holder = |text: &str| tokens.holder(text).map(|caller| caller.0.to_string());
        assert_eq!(holder("correct horse").as_deref(), Some("operator"));
        assert_eq!(holder("battery").as_deref(), Some("ann"));
        for wrong in ["", "correct", "correct horse ", "Correct horse", "ann"] {
            assert_eq!(holder(wrong), None, "{wrong:?}");
        }
        assert_eq!(format!("{tokens:?}"), "[Caller(\"operator\"), Caller(\"ann\")]");
    }

    #[test]
    fn the_token_stands_behind_the_scheme_bearer() {
        for (value, expect) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer(&headers), expect, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
