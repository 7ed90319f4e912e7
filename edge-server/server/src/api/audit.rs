//! The audit log of policies.

use super::{Answered, Api};
use axum::Json;
use axum::extract::{Query, State};
use axum::response::IntoResponse as _;
use serde_json::json;
use std::sync::Arc;

/// Lines of a page where none are asked for, and at most.
const USUAL_LINES: usize = 100;
/// See [`USUAL_LINES`].
const MOST_LINES: usize = 1_000;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// The lines as they were written, for their hashes are of their very bytes.
pub(super) async fn page(State(api): State<Arc<Api>>, Query(asked): Query<Asked>) -> Answered {
    let limit = asked.limit.unwrap_or(USUAL_LINES).clamp(1, MOST_LINES);
    let (lines, head) = api.library.audit().page(asked.after, limit);
    let last = asked.after.max(head.first.saturating_sub(1)) + lines.len() as u64;
    let next = (last < head.seq).then_some(last);
    let lines: Vec<&str> = lines.iter().map(|line| &**line).collect();
    Ok(Json(json!({"lines": lines, "next": next, "head": head})).into_response())
}
