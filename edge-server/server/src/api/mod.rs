//! The HTTP API under /api/v1, metrics, health, and the page.
//!
//! `openapi.json` beside `Cargo.toml` describes the API; [`ROUTES`] is what the router is made of,
//! and a test holds the two against each other.

mod assignments;
mod audit;
mod auth;
mod captures;
mod change;
mod contacts;
mod error;
mod health;
mod lockouts;
mod policies;
mod presentities;
mod subscriptions;
mod traces;
mod users;

pub(crate) use self::auth::RESERVED_NAMES;
pub use self::auth::{Caller, Tokens};
pub use self::change::Changes;
pub use self::error::ApiError;
pub(crate) use self::error::text as error_text;
pub(crate) use self::policies::SIGNATURE;

use crate::clock::Clock;
use crate::contacts::AddressBook;
use crate::metrics::Exposition;
use crate::policies::Library;
use crate::shards::Shards;
use crate::site::Site;
use crate::trace::Tracer;
use crate::transport::Flows;
use crate::users::Directory;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Json, Router, middleware};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tributary_engine::Lockout;

/// The API's description, OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../../openapi.json");

/// What the handlers share.
#[derive(Debug)]
pub struct Api {
    /// The tokens; without any the API is closed.
    pub tokens: Tokens,
    /// Whether loopback clients may read the metrics without it.
    pub open_metrics: bool,
    /// Where state is asked for.
    pub shards: Shards,
    /// The connections of the users.
    pub flows: Arc<Flows>,
    /// The policies.
    pub library: Arc<Library>,
    /// The users.
    pub directory: Arc<Directory>,
    /// Whether anybody may be any user, so that nobody has to be in the directory.
    pub open: bool,
    /// Whom they know.
    pub contacts: Arc<AddressBook>,
    /// Who is traced.
    pub tracer: Arc<Tracer>,
    /// Who is locked out.
    pub lockout: Arc<Lockout>,
    /// By which what the shards share ends.
    pub clock: Clock,
    /// Whether uploads and assignments are allowed.
    pub policies_enabled: bool,
    /// Room for changes that are under way.
    pub changes: Changes,
    /// The numbers.
    pub exposition: Exposition,
    /// True while requests are served and the store works.
    pub ready: Arc<AtomicBool>,
    /// The page.
    pub site: Site,
    /// The largest body in bytes.
    pub max_body: usize,
    /// What the page is told in a demonstration.
    pub demo: Option<Demo>,
}

/// What the page needs to know in a demonstration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Demo {
    /// The domain of its users.
    pub domain: String,
    /// The users.
    pub users: Vec<String>,
    /// Where SIP is spoken.
    pub ws_path: String,
    /// The API's token.
    pub api_token: String,
    /// The server's version.
    pub version: String,
}

/// A handler's result.
type Answered = Result<Response, ApiError>;

/// One operation of the API.
pub struct Route {
    /// `GET`...
    pub method: &'static str,
    /// The path below /api/v1, as OpenAPI and axum both write it.
    pub path: &'static str,
    handler: fn() -> MethodRouter<Arc<Api>>,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Every operation under /api/v1 that needs the token.
pub const ROUTES: &[Route] = &[
    Route { method: "GET", path: "/presentities", handler: || get(presentities::list) },
    Route { method: "GET", path: "/presentities/{aor}", handler: || get(presentities::one) },
    Route { method: "GET", path: "/presentities/{aor}/live", handler: || get(presentities::live) },
    Route { method: "GET", path: "/presentities/{aor}/history", handler: || get(captures::history) },
    Route { method: "GET", path: "/presentities/{aor}/contacts", handler: || get(contacts::list) },
    Route { method: "PUT", path: "/presentities/{aor}/contacts/{who}", handler: || put(contacts::put) },
    Route {
        method: "DELETE",
        path: "/presentities/{aor}/contacts/{who}",
        handler: || delete(contacts::remove),
    },
    Route { method: "GET", path: "/subscriptions", handler: || get(subscriptions::list) },
    Route { method: "GET", path: "/users", handler: || get(users::list) },
    Route { method: "GET", path: "/users/{aor}", handler: || get(users::one) },
    Route { method: "PUT", path: "/users/{aor}", handler: || put(users::put) },
    Route { method: "DELETE", path: "/users/{aor}", handler: || delete(users::remove) },
    Route { method: "GET", path: "/traces", handler: || get(traces::list) },
    Route { method: "PUT", path: "/traces/{aor}", handler: || put(traces::begin) },
    Route { method: "DELETE", path: "/traces/{aor}", handler: || delete(traces::end) },
    Route { method: "GET", path: "/captures", handler: || get(captures::list) },
    Route { method: "PUT", path: "/captures/{aor}", handler: || put(captures::begin) },
    Route { method: "DELETE", path: "/captures/{aor}", handler: || delete(captures::end) },
    Route { method: "GET", path: "/lockouts", handler: || get(lockouts::list) },
    Route { method: "DELETE", path: "/lockouts/{account}", handler: || delete(lockouts::lift) },
    Route { method: "POST", path: "/policies/check", handler: || post(policies::check) },
    Route { method: "POST", path: "/policies", handler: || post(policies::upload) },
    Route { method: "GET", path: "/policies", handler: || get(policies::list) },
    Route { method: "GET", path: "/policies/{id}", handler: || get(policies::one) },
    Route { method: "DELETE", path: "/policies/{id}", handler: || delete(policies::remove) },
    Route { method: "GET", path: "/policies/{id}/wasm", handler: || get(policies::file) },
    Route { method: "GET", path: "/audit", handler: || get(audit::page) },
    Route { method: "GET", path: "/assignments", handler: || get(assignments::list) },
    Route { method: "PUT", path: "/assignments/{scope}", handler: || put(assignments::assign) },
    Route { method: "DELETE", path: "/assignments/{scope}", handler: || delete(assignments::unassign) },
    Route { method: "POST", path: "/assignments/{scope}/activate", handler: || post(assignments::activate) },
    Route { method: "POST", path: "/assignments/{scope}/rollback", handler: || post(assignments::roll_back) },
];

/// The router of everything that is not a WebSocket.
pub fn router(api: Api) -> Router {
    let max_body = api.max_body;
    let api = Arc::new(api);
    let mut guarded = Router::new();
    for route in ROUTES {
        guarded = guarded.route(route.path, (route.handler)());
    }
    let guarded = guarded
        .fallback(|| async {
            error(
                StatusCode::NOT_FOUND,
                "no_such_path",
                "the API has no such path",
                "see /api/v1/openapi.json",
            )
        })
        .method_not_allowed_fallback(|| async {
            error(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "the path does not take this method",
                "see /api/v1/openapi.json",
            )
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&api), change::to_its_end))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), auth::require));
    let metrics = Router::new()
        .route("/metrics", get(health::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), auth::require_for_metrics));
    Router::new()
        .route("/api/v1/openapi.json", get(openapi))
        .nest("/api/v1", guarded)
        .merge(metrics)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/demo.json", get(demo))
        .fallback(crate::site::serve)
        .layer(DefaultBodyLimit::max(max_body))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), auth::local_names_only))
        .layer(middleware::map_response(harden))
        .with_state(api)
}

/// An error as a whole response.
pub(crate) fn error(status: StatusCode, code: &'static str, message: &str, fix: &str) -> Response {
    ApiError::new(status, code, message, fix).into_response()
}

/// JSON that was written elsewhere.
fn written(json: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

async fn openapi() -> Response {
    written(OPENAPI.to_owned())
}

async fn demo(axum::extract::State(api): axum::extract::State<Arc<Api>>) -> Response {
    match &api.demo {
        Some(demo) => ([(header::CACHE_CONTROL, "no-store")], Json(json!(demo))).into_response(),
        None => error(
            StatusCode::NOT_FOUND,
            "no_demo",
            "this server does not run as a demonstration",
            "start it with `tributary demo`",
        ),
    }
}

/// Headers that every answer carries: nothing here is guessed at, framed, or sent on.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

impl Api {
    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
