//! The page's files: built in, or from a folder.

mod media;

use crate::api::Api;
use crate::policies::SCRIPT_ENGINE;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use policy_sandbox::ScriptEngine;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files that were there when the server was built, by path.
static BUILT_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// What a page of ours may do: its own scripts, its own wasm, its own server; nothing from elsewhere.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The largest file that is read from a folder.
const LARGEST: u64 = 16 << 20;

/// Where the page's files are.
#[derive(Clone, Debug)]
pub enum Site {
    /// In the binary, with the tag of each.
    BuiltIn(BTreeMap<&'static str, (&'static [u8], String)>),
    /// In a folder; read anew each time, for whoever works on the page.
    Folder(PathBuf),
}

impl Site {
    /// The folder, or else what was built in.
    pub fn new(folder: Option<&str>) -> Self {
        match folder {
            Some(folder) => Self::Folder(PathBuf::from(folder)),
            None => {
                Self::BuiltIn(BUILT_IN.iter().map(|(name, bytes)| (*name, (*bytes, tag(bytes)))).collect())
            }
        }
    }

    /// Whether there is a page at all.
    pub fn is_there(&self) -> bool {
        self.find("index.html").is_some()
    }

    /// The policies that ship with the page, by name.
    pub fn policies(&self) -> Vec<(String, Bytes)> {
        let name = |path: &str| {
            path.strip_prefix("policies/")?
                .strip_suffix(".wasm")
                .filter(|name| !name.contains('/'))
                .map(str::to_owned)
        };
        match self {
            Self::BuiltIn(files) => files
                .iter()
                .filter_map(|(path, (bytes, _))| Some((name(path)?, Bytes::from_static(bytes))))
                .collect(),
            Self::Folder(folder) => crate::policies::shipped(&folder.join("policies")).unwrap_or_default(),
        }
    }

    /// The engine for policies that are scripts, where the page was built with it.
    pub fn script_engine(&self) -> Option<ScriptEngine> {
        self.find(&format!("policies/{SCRIPT_ENGINE}")).map(|(bytes, _)| ScriptEngine::new(&bytes))
    }

    /// A file and its tag.
    fn find(&self, path: &str) -> Option<(Bytes, String)> {
        match self {
            Self::BuiltIn(files) => {
                files.get(path).map(|(bytes, tag)| (Bytes::from_static(bytes), tag.clone()))
            }
            Self::Folder(folder) => {
                let file = inside(folder, path)?;
                if std::fs::metadata(&file).ok()?.len() > LARGEST {
                    return None;
                }
                let bytes = Bytes::from(std::fs::read(file).ok()?);
                let tag = tag(&bytes);
                Some((bytes, tag))
            }
        }
    }
}

/// The file at `path` below `folder`; none when the path leads elsewhere.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0', ':']);
    if !path.split('/').all(plain) {
        return None;
    }
    let folder = folder.canonicalize().ok()?;
    // A link may point out of the folder: what counts is where it ends.
    let file = folder.join(path).canonicalize().ok()?;
    (file.starts_with(&folder) && file.is_file()).then_some(file)
}

fn tag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!("\"{}\"", crate::policies::hex(digest.get(..12).unwrap_or(&digest)))
}

/// Answers every path that is nothing else.
pub(crate) async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return crate::api::error(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "files are only read",
            "the API is below /api/v1, SIP over WebSocket at /ws",
        );
    }
    let path = request.uri().path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let mut response = file(&api.site, path, request.headers()).unwrap_or_else(|| {
        if path == "index.html" {
            return no_page();
        }
        crate::api::error(
            StatusCode::NOT_FOUND,
            "no_such_file",
            "there is nothing at this path",
            "the page is at /",
        )
    });
    let csp = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, csp);
    if request.method() == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

fn file(site: &Site, path: &str, headers: &HeaderMap) -> Option<Response> {
    // A compressed copy that lies beside the file is served as it is.
    let accepts =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let packed = media::ENCODINGS.iter().filter(|(name, _)| accepts_encoding(accepts, name)).find_map(
        |(name, ending)| site.find(&format!("{path}{ending}")).map(|(bytes, tag)| (bytes, tag, Some(*name))),
    );
    let (bytes, tag, encoding) = match packed {
        Some(packed) => packed,
        None => site.find(path).map(|(bytes, tag)| (bytes, tag, None))?,
    };
    let mut response =
        if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Body::from(bytes).into_response()
        };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media::of(path)));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    // A name that carries a hash of its content never changes what it means.
    let caching = if media::is_hashed(path) { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(response)
}

/// Whether `Accept-Encoding` names `encoding` without refusing it.
fn accepts_encoding(accepts: &str, encoding: &str) -> bool {
    accepts.split(',').any(|part| {
        let mut parts = part.split(';').map(str::trim);
        parts.next() == Some(encoding) && !parts.any(|q| q == "q=0" || q == "q=0.0" || q == "q=0.00")
    })
}

fn no_page() -> Response {
    const TEXT: &str = "This is Tributary, a SIP presence server. The page is not built into this binary.\n\n\
        Build it with `cargo xtask site`, or start the server with --site FOLDER.\n\
        SIP over WebSocket is at /ws, the API at /api/v1 (described at /api/v1/openapi.json).\n";
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], TEXT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("site/index.html", "<!doctype html>"),
            ("site/app.js", "let a = 1"),
            ("site/app.js.br", "packed"),
            ("site/policies/night.wasm", "\0asm"),
            ("secret.txt", "secret"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn files_outside_the_folder_are_out_of_reach() {
        let folder = folder();
        let root = folder.path().join("site");
        std::os::unix::fs::symlink(folder.path().join("secret.txt"), root.join("link.txt")).unwrap();
        let site = Site::Folder(root);
        for (path, there) in [
            ("index.html", true),
            ("policies/night.wasm", true),
            ("../secret.txt", false),
            ("policies/../../secret.txt", false),
            ("link.txt", false),
            ("/etc/passwd", false),
            ("policies", false),
            ("", false),
            ("missing", false),
        ] {
            assert_eq!(site.find(path).is_some(), there, "{path}");
        }
        assert_eq!(site.policies(), [("night".to_owned(), Bytes::from_static(b"\0asm"))]);
    }

    #[test]
    fn a_packed_copy_goes_to_who_can_read_it_and_a_known_tag_gets_nothing_twice() {
        let folder = folder();
        let site = Site::Folder(folder.path().join("site"));
        let ask = |name: header::HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            file(&site, "app.js", &headers).unwrap()
        };
        let packed = ask(header::ACCEPT_ENCODING, "gzip, br;q=0.5");
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(packed.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        let plain = ask(header::ACCEPT_ENCODING, "gzip, br;q=0");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let tag = plain.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(ask(header::IF_NONE_MATCH, &tag).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask(header::IF_NONE_MATCH, "\"other\"").status(), StatusCode::OK);
    }
}
