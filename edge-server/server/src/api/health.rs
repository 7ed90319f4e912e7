//! /healthz, /readyz and /metrics.

use super::Api;
use crate::metrics::Exposition;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use std::sync::Arc;
use tributary_engine::{Answer, Query};

/// The process runs and answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Requests are served: the state is restored, the shards answer, the store works.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    let shards = api.shards.ask_all(&Query::Counts).await.len();
    if api.is_ready() && shards == usize::from(api.shards.count()) {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let (mut presentities, mut registrations, mut publications, mut subscriptions) = (0, 0, 0, 0);
    for answer in api.shards.ask_all(&Query::Counts).await {
        if let Answer::Counts(counts) = answer {
            presentities += counts.presentities;
            registrations += counts.bindings;
            publications += counts.publications;
            subscriptions += counts.subscriptions;
        }
    }
    let metrics = &api.exposition.metrics;
    for (gauge, value) in [
        (&metrics.presentities, presentities),
        (&metrics.registrations, registrations),
        (&metrics.publications, publications),
        (&metrics.subscriptions, subscriptions),
        (&metrics.policies, api.library.snapshot().policies().count()),
    ] {
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
    ([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], api.exposition.text()).into_response()
}
