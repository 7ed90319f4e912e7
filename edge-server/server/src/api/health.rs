//! /healthz, /readyz and /metrics.

use super::Api;
use crate::metrics::Exposition;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use prometheus_client::metrics::gauge::Gauge;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tributary_engine::{Answer, Counts, Query};

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
    let metrics = &api.exposition.metrics;
    for (shard, waiting) in api.shards.waiting().enumerate() {
        set(&metrics.shard_waiting.get_or_create(&[("shard", shard.to_string())]), waiting);
    }
    let answers = api.shards.ask_all(&Query::Counts).await;
    let counts = || {
        answers
            .iter()
            .filter_map(|answer| if let Answer::Counts(counts) = answer { Some(counts) } else { None })
    };
    let sum = |of: fn(&Counts) -> usize| counts().map(of).sum();
    let (outbox_messages, outbox_bytes) = api.flows.waiting();
    for (gauge, value) in [
        (&metrics.presentities, sum(|counts| counts.presentities)),
        (&metrics.registrations, sum(|counts| counts.bindings)),
        (&metrics.publications, sum(|counts| counts.publications)),
        (&metrics.subscriptions, sum(|counts| counts.subscriptions)),
        (&metrics.transactions, sum(|counts| counts.transactions)),
        (&metrics.transaction_bytes, sum(|counts| counts.transaction_bytes)),
        (&metrics.forwarded, sum(|counts| counts.proxied)),
        (&metrics.policy_reevaluations, sum(|counts| counts.reevaluations)),
        (&metrics.policies, api.library.snapshot().policies().count()),
        (&metrics.outbox_messages, outbox_messages),
        (&metrics.outbox_bytes, outbox_bytes),
    ] {
        set(gauge, value);
    }
    let mut fired: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (timer, times) in counts().flat_map(|counts| counts.fired.each()) {
        *fired.entry(timer).or_default() += times;
    }
    for (timer, times) in fired {
        let counter = metrics.timers_fired.get_or_create(&[("timer", timer.to_owned())]);
        // Who asks at the same time may have newer numbers.
        counter.inner().fetch_max(times, Ordering::Relaxed);
    }
    ([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], api.exposition.text()).into_response()
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
