//! A running server's API, as the command line asks it.

use crate::transport::is_loopback_name;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// For one request and its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer that is read: a page of users is far smaller.
const ANSWER_BYTES: usize = 16 << 20;

/// Where Debian and its kin keep the authorities that they trust.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

type Fault = Box<dyn Error>;

/// One server.
pub(super) struct Remote {
    url: Uri,
    host: String,
    token: String,
    tls: Option<TlsConnector>,
}

impl Remote {
    /// The server at `url`, with the token that `token` holds. `ca` holds the authorities to trust.
    pub(super) fn new(url: &Uri, token: &Path, ca: Option<&Path>) -> Result<Self, Fault> {
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let tls = match url.scheme_str() {
            Some("https") => Some(connector(ca.unwrap_or(Path::new(AUTHORITIES)))?),
            Some("http") if url.authority().is_some_and(|at| is_loopback_name(at.as_str())) => None,
            Some("http") => {
                return Err(
                    format!("{url}: the token would go over the network in clear; give https://").into()
                );
            }
            _ => return Err(format!("{url}: give a URL such as https://sip.example.com").into()),
        };
        let file = token.display().to_string();
        let token = crate::users::first_line(&file).map_err(|error| format!("{file}: {error}"))?;
        Ok(Self { url: url.clone(), host, token, tls })
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
        let path = format!("{}/api/v1/users{path}", self.url.path().trim_end_matches('/'));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.url.authority().map_or("", |authority| authority.as_str()))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(body)?;
        let answer = timeout(PATIENCE, self.send(request)).await;
        let answer = answer.unwrap_or_else(|_| Err("there was no answer in time".into()));
        let (status, bytes) = answer.map_err(|error| format!("{}: {error}", self.url))?;
        let json = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok((status, json));
        }
        let text =
            |name: &str| json.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default();
        Err(format!("{}: {status}: {}\n    {}", self.url, text("message"), text("fix")).into())
    }

    async fn send(&self, request: Request<Body>) -> Result<(StatusCode, Vec<u8>), Fault> {
        let port = self.url.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((self.host.as_str(), port)).await?;
        match &self.tls {
            Some(tls) => {
                exchange(tls.connect(ServerName::try_from(self.host.clone())?, stream).await?, request).await
            }
            None => exchange(stream, request).await,
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<(StatusCode, Vec<u8>), Fault> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; what goes wrong on it reaches the answer.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = axum::body::to_bytes(Body::new(response.into_body()), ANSWER_BYTES).await?;
    Ok((status, body.to_vec()))
}

fn connector(authorities: &Path) -> Result<TlsConnector, Fault> {
    let because = |error: String| {
        format!("{}: {error}; give --ca FILE with the authority in PEM", authorities.display())
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(authorities).map_err(|error| because(error.to_string()))?;
    roots.add_parsable_certificates(found.filter_map(Result::ok));
    if roots.is_empty() {
        return Err(because("no certificate in it".to_owned()).into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
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
