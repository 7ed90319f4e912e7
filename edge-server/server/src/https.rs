//! Requests to other servers: of the command line to the API, and for the keys of an authorization server.

use crate::transport::is_loopback_name;
use axum::body::Body;
use http::header::HOST;
use http::{HeaderValue, Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
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

/// Where Debian and its kin keep the authorities that they trust.
pub(crate) const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// One server.
pub(crate) struct Https {
    url: Uri,
    host: String,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Https").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Https {
    /// The server at `url`, by TLS unless it is on this machine. `authorities` holds those to trust.
    pub(crate) fn new(url: &Uri, authorities: &Path) -> Result<Self, Fault> {
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let tls = match url.scheme_str() {
            Some("https") => Some(connector(authorities)?),
            Some("http") if url.authority().is_some_and(|at| is_loopback_name(at.as_str())) => None,
            Some("http") => {
                return Err(format!(
                    "{url}: what is secret would go over the network in clear; give https://"
                )
                .into());
            }
            _ => return Err(format!("{url}: give a URL such as https://sip.example.com").into()),
        };
        Ok(Self { url: url.clone(), host, tls })
    }

    pub(crate) fn url(&self) -> &Uri {
        &self.url
    }

    /// Sends one request, and reads an answer of at most `most` bytes.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), Fault> {
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        request.headers_mut().insert(HOST, HeaderValue::from_str(authority)?);
        let answer = timeout(PATIENCE, self.exchange(request, most)).await;
        let answer = answer.unwrap_or_else(|_| Err("there was no answer in time".into()));
        answer.map_err(|error| format!("{}: {error}", self.url).into())
    }

    async fn exchange(&self, request: Request<Body>, most: usize) -> Result<(StatusCode, Vec<u8>), Fault> {
        let port = self.url.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((self.host.as_str(), port)).await?;
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone())?;
                exchange(tls.connect(name, stream).await?, request, most).await
            }
            None => exchange(stream, request, most).await,
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
    most: usize,
) -> Result<(StatusCode, Vec<u8>), Fault> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; what goes wrong on it reaches the answer.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = axum::body::to_bytes(Body::new(response.into_body()), most).await?;
    Ok((status, body.to_vec()))
}

fn connector(authorities: &Path) -> Result<TlsConnector, Fault> {
    let because = |error: String| {
        format!(
            "{}: {error}; give a file with the authority in PEM (--ca, bearer.authorities)",
            authorities.display()
        )
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
