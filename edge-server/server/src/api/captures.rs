//! Captures: of whom it is kept what policies were asked and answered, until when, and what that was.

use super::contacts::served;
use super::error::ApiError;
use super::presentities::{MOST, read, spliced};
use super::{Answered, Api, Caller, written};
use crate::policies::{Capture, CaptureError, Eyes, Wished};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query as Parameters, State};
use axum::response::IntoResponse as _;
use axum::{Extension, Json};
use http::StatusCode;
use merge_core::time::Millis;
use serde_json::{Value, json};
use std::sync::Arc;
use tributary_engine::{Answer, Query};

/// Entries of a page where the request does not say.
const USUAL_ENTRIES: usize = 100;

/// For how long somebody is to be captured.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    seconds: u32,
}

/// Which part of a history, and seen by whom.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// In ms since the epoch.
    since: Option<i64>,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    #[serde(default)]
    inputs: bool,
    watcher: Option<String>,
}

pub(super) async fn list(State(api): State<Arc<Api>>) -> Answered {
    let captures = api.library.captures();
    let list: Vec<Value> = captures.list().iter().map(capture_json).collect();
    Ok(Json(json!({"allowed": captures.are_allowed(), "captures": list})).into_response())
}

pub(super) async fn begin(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(aor): Path<String>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Answered {
    let aor = served(&api, &aor)?;
    let Json(Wanted { seconds }) = wanted.map_err(|rejection| {
        let fix = "send {\"seconds\": NUMBER} as application/json";
        ApiError::new(rejection.status(), "bad_body", "the body does not say for how long", fix)
    })?;
    let (capture, is_new) = api.library.capture(&caller.0, &aor, seconds).await.map_err(refused)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(capture_json(&capture))).into_response())
}

pub(super) async fn end(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(aor): Path<String>,
) -> Answered {
    let aor = read(&aor)?;
    api.library.end_capture(&caller.0, &aor).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn history(
    State(api): State<Arc<Api>>,
    Path(aor): Path<String>,
    Parameters(asked): Parameters<Asked>,
) -> Answered {
    let aor = read(&aor)?;
    let watcher = asked.watcher.as_deref().map(read).transpose()?;
    let seen = match watcher {
        Some(watcher) => {
            let query = Query::Presentity { aor: aor.clone(), watcher: Some(watcher) };
            let Some(Answer::Presentity(found)) = api.shards.ask_about(&aor, query).await else {
                return Err(ApiError::stopping());
            };
            found.and_then(|found| found.seen)
        }
        None => None,
    };
    let eyes = |seen: &tributary_engine::SeenAnswer| Eyes {
        watcher: seen.watcher.clone(),
        class: seen.class,
        groups: seen.groups.clone(),
    };
    let wished = Wished {
        after: asked.after,
        since: asked.since.map(Millis),
        most: asked.limit.unwrap_or(USUAL_ENTRIES).clamp(1, MOST),
        inputs: asked.inputs,
        seen_by: seen.as_deref().map(eyes),
    };
    let captures = api.library.captures();
    let (capture, entries, next) = match captures.history(&aor, &wished) {
        Some((capture, entries, next)) => (Some(capture), entries, next),
        None => (None, "[]".to_owned(), None),
    };
    let mut rest = json!({
        "allowed": captures.are_allowed(),
        "capture": capture.as_ref().map(capture_json),
        "next": next,
    });
    if let Some(seen) = seen {
        rest["seen"] =
            json!({"watcher": seen.watcher, "class": seen.class, "groups": seen.groups, "why": seen.why});
    }
    // The entries were written when they were kept.
    Ok(written(spliced(&format!("{{\"aor\":{},\"entries\":{entries}", json!(aor)), &rest)))
}

fn capture_json(capture: &Capture) -> Value {
    json!({
        "aor": capture.aor,
        "by": capture.by,
        "since_ms": capture.since.0,
        "until_ms": capture.until.0,
        "entries": capture.entries,
        "bytes": capture.bytes,
        "lost": capture.lost,
    })
}

fn refused(error: CaptureError) -> ApiError {
    let (status, fix) = match error {
        CaptureError::NotAllowed => (
            StatusCode::FORBIDDEN,
            "set policies.capture = true, if those who are captured have been told; it is personal data",
        ),
        CaptureError::Lasts(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "begin it anew before it ends, if it has to last longer")
        }
        CaptureError::Full(_) => (
            StatusCode::INSUFFICIENT_STORAGE,
            "end a capture that is no longer needed: GET /api/v1/captures lists them",
        ),
        CaptureError::Unknown => (StatusCode::NOT_FOUND, "GET /api/v1/captures lists who is"),
        CaptureError::Store => return ApiError::store(),
    };
    ApiError::new(status, error.code(), error.to_string(), fix)
}
