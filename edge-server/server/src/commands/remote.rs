//! A running server's API, as the command line asks it.

use crate::api::SIGNATURE;
use crate::cli::Server;
use crate::https::{AUTHORITIES, Https};
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use policy_workbench::{Exit, Problem};
use serde_json::Value;
use std::path::Path;

/// The variable that holds the token; a server reads it as api.token.
const TOKEN: &str = "TRIBUTARY_API_TOKEN";

/// What to do where nobody answers.
pub(super) const NOT_THERE: &str =
    "start the server (a demonstration: tributary demo), or give the address that it has with --url";

/// The largest description of a demonstration that is read.
const DEMO_BYTES: usize = 64 << 10;

/// The largest answer that is read: a page of users is far smaller.
const ANSWER_BYTES: usize = 16 << 20;

/// One server.
#[derive(Debug)]
pub(super) struct Remote {
    server: Https,
    token: String,
}

/// Why a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    /// There was no answer, or none of ours.
    #[error("{0}")]
    Unreached(String),
    /// The answer is no.
    #[error(transparent)]
    Refused(Box<Refusal>),
}

/// What a server said instead of doing it.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {status}: {message}\n    {fix}")]
pub(super) struct Refusal {
    url: Uri,
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// What happened.
    pub(super) message: String,
    /// What to do about it.
    pub(super) fix: String,
    /// All of the answer.
    pub(super) body: Value,
}

/// What is sent along.
pub(super) enum Sent<'a> {
    Nothing,
    Json(&'a Value),
    /// A policy file and its detached signature.
    Module(Vec<u8>, Option<String>),
    /// The same with vectors, as JSON.
    Tried(Value, Option<String>),
}

impl Remote {
    /// The server at `url`, with this token of its API. `ca` holds the authorities to trust.
    pub(super) fn new(url: &Uri, token: String, ca: Option<&Path>) -> Result<Self, RemoteError> {
        let server = Https::new(url, ca.unwrap_or(Path::new(AUTHORITIES)))
            .map_err(|error| RemoteError::Unreached(error.to_string()))?;
        Ok(Self { server, token })
    }

    /// Adds a user or changes one; true when the user is new.
    pub(super) async fn put_user(&self, aor: &str, user: &Value) -> Result<bool, RemoteError> {
        let path = format!("/users/{}", encoded(aor));
        Ok(self.call(Method::PUT, &path, Sent::Json(user)).await?.0 == StatusCode::CREATED)
    }

    /// Removes a user.
    pub(super) async fn remove_user(&self, aor: &str) -> Result<(), RemoteError> {
        self.call(Method::DELETE, &format!("/users/{}", encoded(aor)), Sent::Nothing).await.map(drop)
    }

    /// Every user, page by page.
    pub(super) async fn users(&self) -> Result<Vec<Value>, RemoteError> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/users?limit=1000{after}");
            let (_, mut page) = self.call(Method::GET, &path, Sent::Nothing).await?;
            if let Some(Value::Array(users)) = page.get_mut("users").map(Value::take) {
                all.extend(users);
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("&after={}", encoded(next)),
                None => return Ok(all),
            }
        }
    }

    /// Whom a user knows.
    pub(super) async fn contacts(&self, aor: &str) -> Result<Vec<Value>, RemoteError> {
        let path = format!("/presentities/{}/contacts", encoded(aor));
        let (_, mut answer) = self.call(Method::GET, &path, Sent::Nothing).await?;
        match answer.get_mut("contacts").map(Value::take) {
            Some(Value::Array(contacts)) => Ok(contacts),
            _ => Ok(Vec::new()),
        }
    }

    /// Changes one of them, or forgets them where nothing is `known`.
    pub(super) async fn contact(
        &self,
        aor: &str,
        who: &str,
        known: Option<&Value>,
    ) -> Result<(), RemoteError> {
        let path = format!("/presentities/{}/contacts/{}", encoded(aor), encoded(who));
        match known {
            Some(known) => self.call(Method::PUT, &path, Sent::Json(known)).await.map(drop),
            None => self.call(Method::DELETE, &path, Sent::Nothing).await.map(drop),
        }
    }

    /// The locks that are in force.
    pub(super) async fn locks(&self) -> Result<Vec<Value>, RemoteError> {
        let (_, mut answer) = self.call(Method::GET, "/lockouts", Sent::Nothing).await?;
        match answer.get_mut("lockouts").map(Value::take) {
            Some(Value::Array(locks)) => Ok(locks),
            _ => Ok(Vec::new()),
        }
    }

    /// Unlocks an account.
    pub(super) async fn unlock(&self, account: &str) -> Result<(), RemoteError> {
        self.call(Method::DELETE, &format!("/lockouts/{}", encoded(account)), Sent::Nothing).await.map(drop)
    }

    /// Sends one request; `path` is what stands behind `/api/v1`.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        sent: Sent<'_>,
    ) -> Result<(StatusCode, Value), RemoteError> {
        let (status, bytes) = self.answered(method, path, sent).await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// The same, with the very bytes of the answer.
    pub(super) async fn answered(
        &self,
        method: Method,
        path: &str,
        sent: Sent<'_>,
    ) -> Result<(StatusCode, Vec<u8>), RemoteError> {
        let url = self.server.url();
        let (kind, body, signature) = match sent {
            Sent::Nothing => ("application/json", Body::empty(), None),
            Sent::Json(json) => ("application/json", Body::from(json.to_string()), None),
            Sent::Tried(json, signature) => ("application/json", Body::from(json.to_string()), signature),
            Sent::Module(bytes, signature) => ("application/wasm", Body::from(bytes), signature),
        };
        let unreached = |error: &dyn std::fmt::Display| RemoteError::Unreached(error.to_string());
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", url.path().trim_end_matches('/')))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, kind);
        if let Some(signature) = signature {
            request = request.header(SIGNATURE, signature);
        }
        let request = request.body(body).map_err(|error| unreached(&error))?;
        let (status, bytes) =
            self.server.send(request, ANSWER_BYTES).await.map_err(|error| unreached(&error))?;
        if status.is_success() {
            return Ok((status, bytes));
        }
        let body = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
        let text = |name: &str| {
            let text = body.pointer(&format!("/error/{name}")).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let (message, fix) = (text("message"), text("fix"));
        Err(RemoteError::Refused(Box::new(Refusal { url: url.clone(), status, message, fix, body })))
    }
}

/// The server, with the token from the file, from the variable, or from a demonstration on this machine.
pub(super) async fn open(server: &Server) -> Result<Remote, Problem> {
    let variable = || std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    let token = match &server.token_file {
        Some(file) => crate::users::first_line(&file.display().to_string()).map_err(|error| {
            Problem::usage(format!("{}: {error}", file.display()), "name the server's api-token file")
        })?,
        None => match variable() {
            Some(token) => token,
            None => demo_token(server).await?,
        },
    };
    Remote::new(&server.url, token, server.ca.as_deref()).map_err(|error| unusable(error.to_string()))
}

/// An address or authorities that cannot be used.
fn unusable(message: String) -> Problem {
    let fix = "give --url https://NAME, or http://127.0.0.1:PORT for a server on this machine";
    Problem { exit: Exit::Server, message, fix: fix.to_owned() }
}

/// A demonstration tells everybody on its machine what its token is.
async fn demo_token(server: &Server) -> Result<String, Problem> {
    let missing = || {
        Problem::usage(
            format!("there is no token for {}", server.url),
            format!("give --token-file (DATA/api-token), or set {TOKEN}"),
        )
    };
    let is_here = server.url.authority().is_some_and(|at| crate::transport::is_loopback_name(at.as_str()));
    if !is_here {
        return Err(missing());
    }
    let https = Https::new(&server.url, server.ca.as_deref().unwrap_or(Path::new(AUTHORITIES)))
        .map_err(|error| unusable(error.to_string()))?;
    let request = Request::get("/demo.json").body(Body::empty()).map_err(|_| missing())?;
    let (status, body) = https.send(request, DEMO_BYTES).await.map_err(|error| Problem {
        exit: Exit::Server,
        message: format!("nobody answers at {error}"),
        fix: NOT_THERE.to_owned(),
    })?;
    let demo = serde_json::from_slice::<Value>(&body).ok().filter(|_| status == StatusCode::OK);
    let token = demo.as_ref().and_then(|demo| demo.get("api_token")).and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(missing)
}

/// `text` as one segment of a path or one value of a query (RFC 3986 section 2).
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
