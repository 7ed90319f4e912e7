//! What the state machines tell, as log lines and numbers.

use crate::metrics::{Metrics, answered, count as add};
use tracing::Level;
use tributary_engine::lockout::Locked;
use tributary_engine::{AuthFailure, Effect, Event, PolicyFailure, labelled};

labelled! {
    /// What else the state machines tell.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Told {
        /// A request was forwarded to devices or to another server.
        Forwarded => "forwarded",
        /// A message was dropped without an answer; the log says why at `debug`.
        Dropped => "dropped",
        /// A presentity was merged anew, and its state is another.
        Merged => "merged",
        /// A presentity was merged anew, and its state is what it was.
        MergedUnchanged => "merged_unchanged",
        /// The watchers of a presentity were told its state.
        Notified => "notified",
        /// A NOTIFY was answered with a refusal, or not at all.
        NotifyRefused => "notify_refused",
        /// A subscription began.
        SubscriptionStarted => "subscription_started",
        /// A watcher came back over another connection.
        SubscriptionResumed => "subscription_resumed",
        /// A policy was not asked, see `tributary_policy_calls_total`.
        PolicyHeld => "policy_held",
        /// A policy failed, and the built-in merge was served.
        PolicyFailed => "policy_failed",
        /// A stored record could not be used.
        RecordRefused => "record_refused",
    }
}

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
    detail == AuthFailure::Missing.name() && matches!(status, 401 | 407)
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
        Event::AuthenticationFailed { why } => tracing::debug!(why = why.name(), "not authenticated"),
        _ => {}
    }
}

/// Counts an event; logs those that no request's span holds.
pub(super) fn count(event: &Event, metrics: &Metrics) {
    let told = |event: Told| add(&metrics.engine_events, "event", event.name());
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
            told(Told::Forwarded);
            tracing::debug!(method, devices, "forwarded");
        }
        Event::Dropped { why } => {
            told(Told::Dropped);
            tracing::debug!(why, "a message was dropped");
        }
        Event::Merged { aor, publications, changed, policy } => {
            told(if *changed { Told::Merged } else { Told::MergedUnchanged });
            tracing::debug!(%aor, publications, changed, policy, "merged");
        }
        Event::Notified { aor, sent, held } => {
            told(Told::Notified);
            tracing::debug!(%aor, sent, held, "watchers notified");
        }
        Event::NotifyAnswered { status } => {
            answers(1, *status, metrics);
            if !(200..300).contains(status) {
                told(Told::NotifyRefused);
                tracing::debug!(status, "a NOTIFY was refused");
            }
        }
        Event::SubscriptionStarted { .. } => told(Told::SubscriptionStarted),
        Event::SubscriptionResumed { aor } => {
            told(Told::SubscriptionResumed);
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
            add(&metrics.engine_events, "event", format!("binding_{}", why.name()));
            tracing::info!(%aor, why = why.name(), "a binding ended");
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
            // The name may be made up: it is written so that it cannot be taken for another line.
            let account = account.escape_debug();
            tracing::warn!(%account, %address, "passwords were guessed; the account is locked {scope}");
        }
        Event::TurnedAway { why } => add(&metrics.turned_away, "why", *why),
        Event::AuthenticationFailed { why } => add(&metrics.authentication_failures, "why", why.name()),
        Event::PolicyFailed { aor, policy, code, message } if code == PolicyFailure::HELD => {
            told(Told::PolicyHeld);
            tracing::debug!(%aor, %policy, message, "a policy was not asked");
        }
        Event::PolicyFailed { aor, policy, code, message } => {
            told(Told::PolicyFailed);
            tracing::warn!(%aor, %policy, code, message, "a policy failed");
        }
        Event::RecordRefused { why } => {
            told(Told::RecordRefused);
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
