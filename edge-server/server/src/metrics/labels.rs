//! What the values of labels mean, from the enums that they are.

use crate::shards::Told;
use crate::transport::{End, Full, Refusal, Unserved};
use std::fmt::Write as _;
use tributary_engine::{AuthFailure, BindingEnd, PublicationEnd, SubscriptionEnd};

/// The values of one enum: in which metrics, without the prefix, as values of which label, and what stands
/// before each.
struct Values {
    metrics: &'static [&'static str],
    label: &'static str,
    before: &'static str,
    values: &'static [(&'static str, &'static str)],
}

const fn of(
    metrics: &'static [&'static str],
    label: &'static str,
    before: &'static str,
    values: &'static [(&'static str, &'static str)],
) -> Values {
    Values { metrics, label, before, values }
}

const VALUES: &[Values] = &[
    of(&["connections_refused"], "reason", "", Full::LABELS),
    of(&["connections_refused"], "reason", "", Unserved::LABELS),
    of(&["connections_refused"], "reason", "", Refusal::LABELS),
    of(&["websockets_closed", "streams_closed"], "reason", "", End::LABELS),
    of(&["authentication_failures"], "why", "", AuthFailure::LABELS),
    of(&["engine_events"], "event", "", Told::LABELS),
    of(&["engine_events"], "event", "subscription_", SubscriptionEnd::LABELS),
    of(&["engine_events"], "event", "publication_", PublicationEnd::LABELS),
    of(&["engine_events"], "event", "binding_", BindingEnd::LABELS),
];

/// Adds what `docs/metrics.md` says of labels.
pub(super) fn document(out: &mut String) {
    out.push_str(
        "
Of the labels whose values do not stand above:

| metric | label | value | what it is |
| --- | --- | --- | --- |
",
    );
    for Values { metrics, label, before, values } in VALUES {
        let metrics: Vec<String> = metrics.iter().map(|name| format!("`tributary_{name}_total`")).collect();
        let metrics = metrics.join(", ");
        for (value, about) in *values {
            // A String takes everything.
            let _ = writeln!(out, "| {metrics} | `{label}` | `{before}{value}` | {} |", about.trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use std::collections::BTreeSet;

    #[test]
    fn each_value_is_one_of_a_counter_that_has_the_label_and_has_no_other_meaning() {
        let mut seen = BTreeSet::new();
        for Values { metrics, label, before, values } in VALUES {
            for name in *metrics {
                let metric = Metrics::LIST.iter().find(|metric| metric.name == *name).unwrap();
                assert_eq!((metric.kind, metric.labels), ("counter", &[*label][..]));
                for (value, about) in *values {
                    assert!(!about.contains('|'), "{about}");
                    assert!(seen.insert((name, format!("{before}{value}"))), "{name}: {value}");
                }
            }
        }
    }
}
