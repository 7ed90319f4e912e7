//! In which metric each bound of the configuration is seen when it is met.

use std::fmt::Write as _;

/// A key of the configuration, the metric without its prefix, and the value of its label, if it has one.
/// Those of `[limits]` are all in `limit_reached`, by their names.
const BOUNDS: &[(&str, &str, &str)] = &[
    ("store.max_users", "api_requests", "507"),
    ("store.max_contacts_per_user", "api_requests", "507"),
    ("store.max_contacts", "api_requests", "507"),
    ("api.max_body_bytes", "api_requests", "413"),
    ("websocket.max_message_bytes", "websockets_closed", "too_large"),
    ("websocket.connections_per_address", "connections_refused", "address_full"),
    ("websocket.max_connections", "connections_refused", "full"),
    ("websocket.output_queue_bytes", "websockets_closed", "slow"),
    ("websocket.output_queue_bytes", "streams_closed", "slow"),
    ("websocket.output_queue_messages", "websockets_closed", "slow"),
    ("websocket.output_queue_messages", "streams_closed", "slow"),
    ("websocket.pong_seconds", "websockets_closed", "silent"),
    ("sip.max_body_bytes", "messages_malformed", ""),
    ("sip.message_seconds", "streams_closed", "slow"),
    ("sip.idle_seconds", "streams_closed", "silent"),
    ("egress.connect_seconds", "connections_failed", ""),
    ("egress.idle_seconds", "streams_closed", "idle"),
    ("egress.session_idle_seconds", "streams_closed", "idle"),
    ("egress.max_connections", "limit_reached", "egress.max_connections"),
    ("http.write_seconds", "http_unread", ""),
    ("http.max_head_bytes", "connections_refused", "head_too_large"),
    ("lockout.failures_per_address", "lockouts", "address"),
    ("lockout.failures_per_account", "lockouts", "account"),
    ("lockout.entries", "limit_reached", "lockout.entries"),
    ("overload.lag_ms", "turned_away", "lag"),
    ("overload.requests_per_user", "turned_away", "user_rate"),
    ("overload.messages_per_connection", "turned_away", "connection_rate"),
    ("overload.messages_per_address", "turned_away", "address_rate"),
    ("overload.connections_per_address", "connections_refused", "address_rate"),
    ("overload.addresses", "limit_reached", "overload.addresses"),
    ("presence.max_registration_seconds", "timers_fired", "registration"),
    ("presence.max_publication_seconds", "timers_fired", "publication"),
    ("presence.max_subscription_seconds", "timers_fired", "subscription"),
    ("proxy.ring_seconds", "timers_fired", "ringing"),
    ("policies.max_files", "api_requests", "507"),
    ("trace.messages_per_second", "traced_messages", "over_rate"),
    ("trace.max_users", "limit_reached", "trace.max_users"),
    ("trace.max_seconds", "api_requests", "422"),
];

/// Adds what `docs/metrics.md` says of bounds.
pub(super) fn document(out: &mut String) {
    out.push_str(
        "
Each bound of `[limits]` is counted in `tributary_limit_reached_total` by its name when it is met. The others are seen here:

| bound | metric | label |
| --- | --- | --- |
",
    );
    for (key, metric, label) in BOUNDS {
        let total = super::Metrics::LIST.iter().any(|known| known.name == *metric && known.kind == "counter");
        let total = if total { "_total" } else { "" };
        let label = if label.is_empty() { String::new() } else { format!("`{label}`") };
        // A String takes everything.
        let _ = writeln!(out, "| `{key}` | `tributary_{metric}{total}` | {label} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::metrics::Metrics;

    /// Whether a key bounds something, by the names that such keys have here.
    fn is_bound(key: &str) -> bool {
        let burst = key.ends_with("_burst");
        let bounds = key.starts_with("max_")
            || key.contains("_per_")
            || key.starts_with("output_queue_")
            || matches!(key, "entries" | "addresses" | "lag_ms" | "idle_seconds" | "connect_seconds");
        bounds && !burst
    }

    #[test]
    fn every_bound_of_the_configuration_is_seen_in_a_metric_that_there_is() {
        let keys: Vec<(String, bool)> = Config::sections()
            .into_iter()
            .filter(|section| !section.repeated && section.name != "limits")
            .flat_map(|section| {
                let key = move |key: crate::config::Key| {
                    (format!("{}.{}", section.name, key.name), is_bound(key.name))
                };
                section.keys.into_iter().map(key).collect::<Vec<_>>()
            })
            .collect();
        for (key, _) in keys.iter().filter(|(_, bounds)| *bounds) {
            assert!(BOUNDS.iter().any(|(known, ..)| known == key), "{key} is seen in no metric");
        }
        for (key, metric, label) in BOUNDS {
            assert!(keys.iter().any(|(known, _)| known == key), "there is no {key}");
            let known = Metrics::LIST.iter().find(|known| known.name == *metric);
            let labels = known.unwrap_or_else(|| panic!("there is no {metric}")).labels;
            assert!(label.is_empty() || labels.len() == 1, "{metric} has no one label");
        }
    }
}
