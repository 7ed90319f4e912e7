//! Traces: whose messages are shown, and until when.

use super::error::ApiError;
use super::presentities::read;
use super::{Answered, Api};
use crate::trace::TraceError;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::IntoResponse as _;
use http::StatusCode;
use merge_core::time::Millis;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// For how long somebody is to be traced.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    seconds: u32,
}

pub(super) async fn list(State(api): State<Arc<Api>>) -> Answered {
    let traces: Vec<Value> = api.tracer.list().iter().map(|(aor, until)| trace(aor, *until)).collect();
    Ok(Json(json!({ "traces": traces })).into_response())
}

pub(super) async fn begin(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(aor): Path<String>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Answered {
    let aor = read(&aor)?;
    let Json(Wanted { seconds }) = wanted.map_err(|rejection| {
        let fix = "send {\"seconds\": NUMBER} as application/json";
        ApiError::new(rejection.status(), "bad_body", "the body does not say for how long", fix)
    })?;
    let (until, is_new) = api.tracer.begin(&aor, seconds).map_err(refused)?;
    tracing::info!(aor, %peer, seconds, "a trace was begun");
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(trace(&aor, Some(until)))).into_response())
}

pub(super) async fn end(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(aor): Path<String>,
) -> Answered {
    let aor = read(&aor)?;
    api.tracer.end(&aor).map_err(refused)?;
    tracing::info!(aor, %peer, "a trace was ended");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn trace(aor: &str, until: Option<Millis>) -> Value {
    json!({ "aor": aor, "until_ms": until.map(|until| until.0) })
}

fn refused(error: TraceError) -> ApiError {
    let (status, code, message, fix) = match error {
        TraceError::Configured => (
            StatusCode::CONFLICT,
            "trace_of_the_file",
            "trace.users has this user, who is traced all the time".to_owned(),
            "take the user out of the configuration first",
        ),
        TraceError::Full(most) => (
            StatusCode::INSUFFICIENT_STORAGE,
            "full",
            format!("{most} users are traced, which is as many as may be"),
            "end a trace that is no longer needed, or raise trace.max_users",
        ),
        TraceError::Lasts(longest) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_time",
            format!("a trace lasts from 1 to {longest} seconds"),
            "begin it anew before it ends, or raise trace.max_seconds",
        ),
        TraceError::Unknown => (
            StatusCode::NOT_FOUND,
            "unknown_trace",
            "this user is not traced".to_owned(),
            "GET /api/v1/traces lists who is",
        ),
    };
    ApiError::new(status, code, message, fix)
}
