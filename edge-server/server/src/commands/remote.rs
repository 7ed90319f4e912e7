//! A running server's API, as the command line asks it.

use crate::https::{AUTHORITIES, Https};
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use serde_json::Value;
use std::error::Error;
use std::path::Path;

/// The largest answer that is read: a page of users is far smaller.
const ANSWER_BYTES: usize = 16 << 20;

type Fault = Box<dyn Error>;

/// One server.
pub(super) struct Remote {
    server: Https,
    token: String,
}

impl Remote {
    /// The server at `url`, with the token that `token` holds. `ca` holds the authorities to trust.
    pub(super) fn new(url: &Uri, token: &Path, ca: Option<&Path>) -> Result<Self, Fault> {
        let server =
            Https::new(url, ca.unwrap_or(Path::new(AUTHORITIES))).map_err(|error| -> Fault { error })?;
        let file = token.display().to_string();
        let token = crate::users::first_line(&file).map_err(|error| format!("{file}: {error}"))?;
        Ok(Self { server, token })
    }

    /// Adds a user or changes one; true when the user is new.
    pub(super) async fn put_user(&self, aor: &str, user: &Value) -> Result<bool, Fault> {
        let (status, _) = self.call(Method::PUT, &path_of(aor), Body::from(user.to_string())).await?;
        Ok(status == StatusCode::CREATED)
    }

    /// Removes a user.
    pub(super) async fn remove_user(&self, aor: &str) -> Result<(), Fault> {
        self.call(Method::DELETE, &path_of(aor), Body::empty()).await.map(drop)
    }

    /// Every user, page by page.
    pub(super) async fn users(&self) -> Result<Vec<Value>, Fault> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let (_, mut page) = self.call(Method::GET, &format!("?limit=1000{after}"), Body::empty()).await?;
            if let Some(Value::Array(users)) = page.get_mut("users").map(Value::take) {
                all.extend(users);
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("&after={}", encoded(next)),
                None => return Ok(all),
            }
        }
    }

    /// Sends one request; `path` is what stands behind `/api/v1/users`.
    async fn call(&self, method: Method, path: &str, body: Body) -> Result<(StatusCode, Value), Fault> {
        let url = self.server.url();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1/users{path}", url.path().trim_end_matches('/')))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(body)?;
        let (status, bytes) =
            self.server.send(request, ANSWER_BYTES).await.map_err(|error| -> Fault { error })?;
        let json = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok((status, json));
        }
        let text =
            |name: &str| json.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default();
        Err(format!("{url}: {status}: {}\n    {}", text("message"), text("fix")).into())
    }
}

fn path_of(aor: &str) -> String {
    format!("/{}", encoded(aor))
}

/// `text` as one segment of a path or one value of a query (RFC 3986 section 2).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
