//! Subscriptions: who watches whom.

use super::presentities::Page;
use super::{Answered, Api};
use axum::Json;
use axum::extract::{Query as Parameters, State};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use std::sync::Arc;
use tributary_engine::{Answer, Query};

pub(super) async fn list(State(api): State<Arc<Api>>, Parameters(page): Parameters<Page>) -> Answered {
    let limit = page.limit();
    let mut all = Vec::new();
    for answer in api.shards.ask_all(&Query::Subscriptions { limit: limit + 1 }).await {
        if let Answer::Subscriptions(some) = answer {
            all.extend(some);
        }
    }
    all.sort_by(|a, b| (&a.presentity, &a.watcher).cmp(&(&b.presentity, &b.watcher)));
    let more = all.len() > limit;
    all.truncate(limit);
    let entries: Vec<Value> = all
        .iter()
        .map(|one| {
            json!({
                "presentity": &*one.presentity,
                "watcher": &*one.watcher,
                "event": one.event,
                "expires_ms": one.expires_ms,
                "waiting": one.waiting,
                "in_flight": one.in_flight,
                "cseq": one.cseq,
            })
        })
        .collect();
    Ok(Json(json!({"subscriptions": entries, "more": more})).into_response())
}
