//! What the state machines tell, as log lines and numbers.

use crate::metrics::{Metrics, answered, count as add};
use tracing::Level;
use tributary_engine::lockout::Locked;
use tributary_engine::{Effect, Event, PolicyFailure};

/// Whether [`trace`] has something to say of this effect that is logged.
pub(super) fn is_news(effect: &&Effect) -> bool {
    let Effect::Event(event) = effect else { return false };
    match event {
        Event::Request { status, detail: Some(detail), .. } if !is_challenge(*status, detail) => {
            tracing::enabled!(Level::INFO)
        }
        Event::Request { .. } | Event::AuthenticationFailed { .. } => tracing::enabled!(Level::DEBUG),
        _ => false,
    }
}

/// The first half of every login is no news.
fn is_challenge(status: u16, detail: &str) -> bool {
    detail == "missing" && matches!(status, 401 | 407)
}

/// Notes what a request came to in its span, and logs what is worth a line.
pub(super) fn trace(effect: &Effect) {
    let Effect::Event(event) = effect else { return };
    match event {
        Event::Request { method, status, detail } => {
            let span = tracing::Span::current();
            span.record("status", status);
            match detail {
                Some(detail) if is_challenge(*status, detail) => tracing::debug!("{method} challenged"),
                Some(detail) => tracing::info!(detail, "{method} answered {status}"),
                None => tracing::debug!("{method} answered {status}"),
            }
        }
        Event::AuthenticationFailed { why } => tracing::debug!(why, "not authenticated"),
        _ => {}
    }
}

/// Counts an event; logs those that no request's span holds.
pub(super) fn count(event: &Event, metrics: &Metrics) {
    let name = |name: &str| add(&metrics.engine_events, "event", name);
    match event {
        Event::Request { method, status, .. } => {
            add(&metrics.messages_received, "kind", *method);
            add(&metrics.responses_sent, "status", status.to_string());
            answered(&metrics.answers_sent, method, *status, 1);
        }
        Event::Provisional { method, status } => {
            add(&metrics.responses_sent, "status", status.to_string());
            answered(&metrics.answers_sent, method, *status, 1);
        }
        Event::Answered { method, status } => {
            add(&metrics.messages_received, "kind", "response");
            answered(&metrics.answers_received, method, *status, 1);
        }
        Event::Forwarded { method, devices } => {
            name("forwarded");
            tracing::debug!(method, devices, "forwarded");
        }
        Event::Dropped { why } => {
            name("dropped");
            tracing::debug!(why, "a message was dropped");
        }
        Event::Merged { aor, publications, changed, policy } => {
            name(if *changed { "merged" } else { "merged_unchanged" });
            tracing::debug!(%aor, publications, changed, policy, "merged");
        }
        Event::Notified { aor, sent, held } => {
            name("notified");
            tracing::debug!(%aor, sent, held, "watchers notified");
        }
        Event::NotifyAnswered { status } => {
            answers(1, *status, metrics);
            if !(200..300).contains(status) {
                name("notify_refused");
                tracing::debug!(status, "a NOTIFY was refused");
            }
        }
        Event::SubscriptionStarted { .. } => name("subscription_started"),
        Event::SubscriptionResumed { aor } => {
            name("subscription_resumed");
            tracing::debug!(%aor, "a watcher came back");
        }
        Event::SubscriptionEnded { aor, why } => {
            add(&metrics.engine_events, "event", format!("subscription_{}", why.name()));
            tracing::debug!(%aor, why = why.name(), "a subscription ended");
        }
        Event::PublicationEnded { aor, why } => {
            add(&metrics.engine_events, "event", format!("publication_{}", why.name()));
            tracing::info!(%aor, why = why.name(), "a publication ended");
        }
        Event::BindingEnded { aor, why } => {
            add(&metrics.engine_events, "event", format!("binding_{why}"));
            tracing::info!(%aor, why, "a binding ended");
        }
        Event::LimitReached { limit } => {
            add(&metrics.limit_reached, "limit", *limit);
            tracing::warn!(limit, "a limit was reached");
        }
        Event::LockedOut { account, address, what } => {
            let (by, scope) = match what {
                Locked::Here => ("address", "at this address"),
                Locked::Everywhere => ("account", "everywhere but where it is known"),
            };
            add(&metrics.lockouts, "by", by);
            // The name may be made up: it is written so that it cannot be taken for more of the line.
            tracing::warn!(?account, %address, "passwords were guessed; the account is locked {scope}");
        }
        Event::TurnedAway { why } => add(&metrics.turned_away, "why", *why),
        Event::AuthenticationFailed { why } => add(&metrics.authentication_failures, "why", *why),
        Event::PolicyFailed { aor, policy, code, message } if code == PolicyFailure::HELD => {
            name("policy_held");
            tracing::debug!(%aor, %policy, message, "a policy was not asked");
        }
        Event::PolicyFailed { aor, policy, code, message } => {
            name("policy_failed");
            tracing::warn!(%aor, %policy, code, message, "a policy failed");
        }
        Event::RecordRefused { why } => {
            name("record_refused");
            tracing::error!(why, "a stored record could not be used; it stays in the store");
        }
    }
}

/// Counts answers to NOTIFYs.
pub(super) fn answers(count: u64, status: u16, metrics: &Metrics) {
    if count > 0 {
        answered(&metrics.answers_received, "NOTIFY", status, count);
        metrics.messages_received.get_or_create(&[("kind", "response".to_owned())]).inc_by(count);
    }
}
