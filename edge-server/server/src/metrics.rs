//! The one list of metrics: name, kind, labels and help stand here and nowhere else.
//!
//! A [`Metrics`] is a value that is passed to whoever counts; there is no global registry.

mod bounds;
mod labels;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt::Write as _;

/// A counter that is split by one label.
pub type Split = Family<[(&'static str, String); 1], Counter>;

/// A counter that is split by two labels whose values we make ourselves.
pub type SplitTwice = Family<[(&'static str, &'static str); 2], Counter>;

/// A gauge that is split by one label.
pub type SplitGauge = Family<[(&'static str, String); 1], Gauge>;

/// One metric, as the documentation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name without the prefix `tributary_`; counters are written with `_total` behind it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels, or nothing.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

macro_rules! metrics {
    ( $( $kind:ident $name:ident [$($label:literal),*] $help:literal ; )+ ) => {
        /// Every metric of the server. Cloning shares the numbers.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            $( #[doc = $help] pub $name: metrics!(@type $kind $($label)*), )+
        }

        impl Metrics {
            /// Every metric, in the order of the documentation.
            pub const LIST: &'static [Description] = &[
                $( Description {
                    name: stringify!($name), kind: stringify!($kind), labels: &[$($label),*], help: $help,
                }, )+
            ];

            fn registered(registry: &mut Registry) -> Self {
                $(
                    let $name = <metrics!(@type $kind $($label)*)>::fresh();
                    // The encoder ends every help text with a full stop of its own.
                    registry.register(stringify!($name), $help.trim_end_matches('.'), $name.clone());
                )+
                Self { $( $name, )+ }
            }
        }
    };
    (@type counter $first:literal $second:literal) => { SplitTwice };
    (@type counter $label:literal) => { Split };
    (@type gauge $label:literal) => { SplitGauge };
    (@type counter) => { Counter };
    (@type gauge) => { Gauge };
    (@type histogram) => { Histogram };
}

metrics! {
    gauge connections [] "Open connections: HTTP, WebSocket, and SIP over TCP and TLS.";
    gauge websockets [] "Open SIP over WebSocket connections.";
    gauge streams [] "Open SIP connections over TCP and TLS.";
    counter connections_opened [] "Connections accepted.";
    counter connections_made [] "Connections that were opened to other servers.";
    counter connections_reused [] "Times that a request went over a connection that the other server had opened (RFC 5923).";
    counter connections_failed ["transport"] "Connections to other servers that could not be opened.";
    counter ways_sought ["result"] "Ways to other servers that were sought for a request: `found`, or `none`.";
    counter connections_refused ["reason"] "Connections and WebSocket handshakes refused.";
    counter accept_errors ["kind"] "Failures to accept: `connection`, one that was gone already; `resources`, such as files, after which the listener pauses.";
    counter tls_reloads ["result"] "Certificates read anew: `loaded`, or `failed`, when the one before stayed in use.";
    gauge tls_certificate_not_after_seconds [] "When the certificate that runs out first does so, in seconds since 1970; 0 without TLS.";
    counter http_unread [] "HTTP connections that ended because the client did not read its answer.";
    counter websockets_closed ["reason"] "WebSocket connections that ended; `slow` is a reader that could not keep up.";
    counter streams_closed ["reason"] "SIP connections over TCP and TLS that ended; `slow` is a peer that began a message and did not end it, or did not read.";
    counter datagrams_lost ["where"] "Datagrams that met a full `queue` of a shard, or a full buffer on `sending`; whoever said it says it again.";
    counter messages_received ["kind"] "SIP messages read, by method, or `response`.";
    counter messages_malformed [] "SIP messages that could not be read, and STUN that is no good Binding request.";
    counter messages_sent [] "SIP messages handed to a connection.";
    counter messages_undeliverable [] "SIP messages for a connection that was gone.";
    counter responses_sent ["status"] "SIP responses sent, by status code.";
    counter answers_sent ["method", "class"] "SIP responses that requests got from us, by the method and the class of the status, `1xx` to `6xx`; but for 100, which timer `trying` counts.";
    counter answers_received ["method", "class"] "SIP responses that came to requests of ours and to those that were forwarded.";
    counter timers_fired ["timer"] "Timers that have run out: those of transactions by their letters (RFC 3261 table 4, RFC 6026), `trying` and `late` (100 is sent), `expiry` and `cancelled` (nobody waits any more); `registration`, `publication`, `subscription`, `policy` (a state that changes with the time), `ringing` (`proxy.ring_seconds`). Updated when it is read.";
    gauge shard_waiting ["shard"] "Inputs that wait for a shard, of 1,024 at most; connections are read no further where there is no room.";
    gauge notices_waiting [] "Notices between shards that wait for them.";
    gauge store_waiting [] "Commits that wait for the store or are being written.";
    gauge outbox_messages [] "Messages that wait for readers of connections, all together.";
    gauge outbox_bytes [] "Bytes that wait for readers of connections, all together.";
    gauge ways_under_way [] "Ways to other servers that are being sought.";
    gauge transactions [] "SIP transactions that are not over, or whose answer is kept for repetitions.";
    gauge transaction_bytes [] "Bytes of the messages that are kept to be sent again.";
    gauge forwarded [] "Forwarded requests that are not over.";
    counter limit_reached ["limit"] "Requests that met a limit of `[limits]`, by its name.";
    counter authentication_failures ["why"] "Requests that were asked for credentials, or for others. `missing` counts the first half of every normal login; a fault is what is in `password`, `no_such_user`, `domain` and `locked_out`.";
    counter bearer_key_reads ["result"] "The keys of bearer tokens read anew: `read`, or `failed`, when those before stayed in use.";
    counter lockouts ["by"] "Accounts that were locked out: at one `address`, or as an `account` everywhere but where it is known.";
    counter turned_away ["why"] "Messages and requests of which there were too many: `user_rate` and `lag` are answered 503, at `connection_rate` and `address_rate` connections are read more slowly and datagrams answered 503 or dropped.";
    counter engine_events ["event"] "Noteworthy events of the state machines, by name.";
    counter shard_inputs [] "Inputs that the shards handled.";
    gauge presentities [] "Users with any state.";
    gauge registrations [] "Live bindings.";
    gauge publications [] "Live publications.";
    gauge subscriptions [] "Live subscriptions.";
    counter store_commits [] "Commits to the store.";
    counter store_changes [] "Changes inside those commits.";
    counter store_failures [] "Commits that failed; after one the server stops.";
    histogram store_commit_seconds [] "Duration of a commit.";
    counter policy_calls ["outcome"] "Calls of uploaded policies: `output`, `no_opinion` or `failed`; and those that were not made: `throttled` (the tenant had no processor time left), `poisoned` (it had just failed on the same state), `held` (its breaker is open), `quarantined`, `no_room` (every instance was taken).";
    counter policy_failures ["code"] "Failed calls of policies, by code; what their assignments say stood in.";
    counter policy_breaker_openings [] "How often a policy failed so often that it was not asked for a while.";
    counter policy_quarantines [] "Policies that failed so often that they are not asked until they are assigned anew.";
    counter policy_uploads_refused ["code"] "Uploads that were refused, once under each code of the contract that was found, or under the API's.";
    counter policy_assignments_refused ["code"] "Assignments that were refused, by the code of the API, or of the contract for a signature.";
    gauge policy_audit_broken [] "1 where the audit log of policies was not what was written when the server started.";
    counter policy_shadow_calls ["outcome"] "Merges of policies that run beside others without effect: watchers would have got the `same` or something `changed`, the call `failed`, or it was `skipped`, for its processor time was used up or it had failed too often.";
    gauge policy_captures [] "Presentities whose merges are captured now.";
    gauge policy_capture_bytes [] "Bytes of captured merges that are kept, of all presentities.";
    counter policy_captured ["result"] "Merges of captured presentities: `kept`, or `too_large` to be; of those that were kept, gone to make room (`pushed_out`), because they were a day old (`aged`), or since the capture was ended by hand (`forgotten`); and views of them that found no room (`view_left_out`).";
    counter policy_captures_refused ["code"] "Captures that could not begin or end, by the code of the API.";
    counter policy_trials_withdrawn [] "Policies on trial that failed so often that they were withdrawn.";
    counter policy_calls_aside [] "Calls of policies that take long, made beside the shards: nobody else's messages stand behind them.";
    counter policy_fuel [] "Fuel used by policies.";
    counter policy_compiles ["from"] "Policies that were made ready to run: by the `compiler`, or from the `cache` of compiled code.";
    gauge policy_reevaluations [] "Watched presentities that wait to be merged anew after a change of policy.";
    gauge policies [] "Policies that can be assigned.";
    gauge users [] "Users who may log in, of the file and of the store.";
    gauge traced_users [] "Users whose messages are traced.";
    counter traced_messages ["result"] "Messages of traced users: `taken`, `over_rate` of `trace.messages_per_second`, or `homer_lost`, those of the former that could not be sent to Homer.";
    counter otlp_messages ["result"] "Messages whose spans were for OpenTelemetry: `sent`, `failed` at the collector, or `lost`, for too many waited.";
    counter user_changes ["change"] "Users changed by the API: `added`, `changed` or `removed`.";
    counter api_requests ["status"] "Requests to the HTTP API, by status code.";
}

/// What can be made empty.
trait Fresh {
    fn fresh() -> Self;
}

impl Fresh for Counter {
    fn fresh() -> Self {
        Self::default()
    }
}

impl Fresh for Gauge {
    fn fresh() -> Self {
        Self::default()
    }
}

impl Fresh for Split {
    fn fresh() -> Self {
        Self::default()
    }
}

impl Fresh for SplitTwice {
    fn fresh() -> Self {
        Self::default()
    }
}

impl Fresh for SplitGauge {
    fn fresh() -> Self {
        Self::default()
    }
}

impl Fresh for Histogram {
    /// Commits take from 50 us (no flush) to a second (a busy disk).
    fn fresh() -> Self {
        Self::new([0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0])
    }
}

/// The metrics together with the registry that writes them.
#[derive(Debug)]
pub struct Exposition {
    /// The numbers.
    pub metrics: Metrics,
    registry: Registry,
}

impl Default for Exposition {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tributary");
        let metrics = Metrics::registered(&mut registry);
        Self { metrics, registry }
    }
}

impl Exposition {
    /// The content type of [`Self::text`].
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All metrics as OpenMetrics text, which Prometheus reads.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if encode(&mut out, &self.registry).is_err() {
            tracing::error!("the metrics could not be written");
        }
        out
    }
}

/// Adds one to the child of a split counter.
pub fn count(counter: &Split, label: &'static str, value: impl Into<String>) {
    counter.get_or_create(&[(label, value.into())]).inc();
}

/// Counts responses by method and class.
pub fn answered(counter: &SplitTwice, method: &'static str, status: u16, times: u64) {
    const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"];
    let class = usize::from(status / 100).checked_sub(1).and_then(|class| CLASSES.get(class));
    counter.get_or_create(&[("method", method), ("class", class.copied().unwrap_or("other"))]).inc_by(times);
}

/// The text of `docs/metrics.md`.
pub fn documentation() -> String {
    let mut out = "# Metrics

<!-- Written by `tributary check-config --document`; a test compares. Change src/metrics.rs instead. -->

Served at `/metrics` as OpenMetrics text: without the token to loopback clients (`api.open_metrics`), with it to all.

| name | kind | labels | what it counts |
| --- | --- | --- | --- |
"
    .to_owned();
    for metric in Metrics::LIST {
        let total = if metric.kind == "counter" { "_total" } else { "" };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let label = labels.join(", ");
        let _ = writeln!(
            out,
            "| `tributary_{}{total}` | {} | {label} | {} |",
            metric.name, metric.kind, metric.help
        );
    }
    labels::document(&mut out);
    bounds::document(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_written_with_its_help() {
        let exposition = Exposition::default();
        count(&exposition.metrics.responses_sent, "status", "200");
        answered(&exposition.metrics.answers_sent, "INVITE", 486, 2);
        exposition.metrics.websockets.inc();
        let text = exposition.text();
        // A metric with a label is written once it has a value of that label.
        let seen = |metric: &&Description| metric.labels.is_empty() || metric.name == "responses_sent";
        for metric in Metrics::LIST.iter().filter(seen) {
            assert!(text.contains(&format!("# HELP tributary_{} {}\n", metric.name, metric.help)), "{text}");
        }
        assert!(text.contains("tributary_responses_sent_total{status=\"200\"} 1"), "{text}");
        assert!(text.contains("tributary_websockets 1"), "{text}");
        let answers = "tributary_answers_sent_total{method=\"INVITE\",class=\"4xx\"} 2";
        assert!(text.contains(answers), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn every_metric_is_documented_and_the_table_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            stored,
            documentation(),
            "run `tributary check-config --document edge-server/server/docs`"
        );
    }
}
