//! Where the keys are: in a file, or with the authorization server.

use crate::https::{AUTHORITIES, Https};
use axum::body::Body;
use http::{Request, Uri};
use std::path::{Path, PathBuf};

/// A larger answer is no set of keys.
const BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Server(Https),
}

impl Source {
    /// A path, or a URL.
    pub(super) fn new(place: &str, authorities: Option<&str>) -> Result<Self, String> {
        if !place.contains("://") {
            return Ok(Self::File(place.into()));
        }
        let url: Uri = place.parse().map_err(|error| format!("{place}: {error}"))?;
        let authorities = Path::new(authorities.unwrap_or(AUTHORITIES));
        Https::new(&url, authorities).map(Self::Server).map_err(|error| error.to_string())
    }

    /// What is in the file; nothing where there is none.
    pub(super) fn read_file(&self) -> Option<Result<Vec<u8>, String>> {
        match self {
            Self::File(path) => Some(read(path)),
            Self::Server(_) => None,
        }
    }

    pub(super) async fn read(&self) -> Result<Vec<u8>, String> {
        let server = match self {
            Self::File(path) => {
                let path = path.clone();
                // A file may lie where reading takes its time.
                let read = tokio::task::spawn_blocking(move || read(&path)).await;
                return read.unwrap_or_else(|error| Err(error.to_string()));
            }
            Self::Server(server) => server,
        };
        let path = server.url().path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path).header("accept", "application/json").body(Body::empty());
        let request = request.map_err(|error| error.to_string())?;
        match server.send(request, BYTES).await {
            Ok((status, body)) if status.is_success() => Ok(body),
            Ok((status, _)) => Err(format!("{}: {status}", server.url())),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
